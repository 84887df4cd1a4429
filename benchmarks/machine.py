"""What a run was measured on, and how long calls take."""

import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import imfilt

PACKAGES = ("numpy", "scipy", "scikit-image", "opencv-python-headless", "pillow", "cython", "torch")
LEAST_SECONDS = 1e-3  # a shorter call is repeated until a measurement takes this long
BUDGET_SECONDS = 0.06  # for each contender of a row
MOST_ROUNDS, LEAST_ROUNDS = 25, 3
LONG = 5  # budgets; a call that takes longer is measured once
TASKS = Path("/proc/self/task")
LONGEST_REST, GUESSED_REST, REST_STEP = 0.2, 0.01, 0.0005  # seconds
PEAK_RUNS = 25
LARGE_BYTES = 256 * 2**20

# Chains enough for every multiplier (latency times ports), few enough for the registers.
CHAINS = 24 if platform.machine() in ("aarch64", "arm64") else 12
MULTIPLY_ADD = f"""
#if defined(__AVX512F__)
typedef float v __attribute__((vector_size(64)));
#elif defined(__AVX__)
typedef float v __attribute__((vector_size(32)));
#else
typedef float v __attribute__((vector_size(16)));
#endif
double spin(long n, float x, float y, float *sink)
{{
    v m = (v){{}} + x, c = (v){{}} + y, sum = {{}};
    v {", ".join(f"a{i} = c * {i}" for i in range(CHAINS))};
    for (long i = 0; i < n; i++) {{
        {" ".join(f"a{i} = a{i} * m + c;" for i in range(CHAINS))}
    }}
    {" ".join(f"sum += a{i};" for i in range(CHAINS))}
    *sink = sum[0];
    return 2.0 * {CHAINS} * n * (sizeof(v) / sizeof(float));
}}
"""


def facts():
    cpu = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break

    def of(package):
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "imfilt": imfilt.show_config("dicts"),
        "versions": {package: of(package) for package in PACKAGES},
    }


def copier(nbytes, threads, fresh=False):
    """A plain copy that moves `nbytes` in all, read and written, on so many threads; if `fresh` into new memory."""
    half = max(1, nbytes // 2)
    source, kept = (np.ones(half, np.uint8) for _ in range(2))
    pool = ThreadPoolExecutor(threads)
    cuts = [half * i // threads for i in range(threads + 1)]

    def one(target, i):
        np.copyto(target[cuts[i] : cuts[i + 1]], source[cuts[i] : cuts[i + 1]])

    def run():
        target = np.empty(half, np.uint8) if fresh else kept
        if threads == 1:
            np.copyto(target, source)
        else:
            list(pool.map(one, [target] * threads, range(threads)))

    return run


@cache
def _spin():
    """The compiled loop of independent multiply-adds, or None without a compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "spin.c"), Path(folder, "spin.so")
        source.write_text(MULTIPLY_ADD)
        flags = "-O2", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC"
        if subprocess.run([compiler, *flags, source, "-o", library], capture_output=True).returncode:
            return None
        spin = ctypes.CDLL(str(library)).spin
    spin.argtypes = ctypes.c_long, ctypes.c_float, ctypes.c_float, ctypes.POINTER(ctypes.c_float)
    spin.restype = ctypes.c_double
    return spin


def _best(call):
    """The most operations a second that a callable, which returns its operations, reaches."""
    rates = []
    for _ in range(PEAK_RUNS):
        start = time.perf_counter()
        operations = call()
        rates.append(operations / (time.perf_counter() - start))
    return max(rates)


def peaks(threads):
    """float32 operations a second: of a large matrix product, and of multiply-adds that wait for nothing."""
    a, b, c = (np.ones((1024, 1024), "f4") for _ in range(3))

    def sgemm():
        np.matmul(a, b, out=c)
        return 2.0 * 1024**3

    with threadpool_limits(threads):
        found = {"sgemm": _best(sgemm)}
    if spin := _spin():
        with ThreadPoolExecutor(threads) as pool:

            def one(_):
                return spin(2_000_000, 0.5, 0.5, ctypes.byref(ctypes.c_float()))

            found["multiply-add"] = _best(lambda: sum(pool.map(one, range(threads))))
    # Those of a compiled loop that waits for nothing; without a compiler, those of a matrix product.
    found["best"] = found.get("multiply-add", found["sgemm"])
    return found


def bandwidth(threads):
    """Bytes a second, read and written, of a plain copy of an image that no cache holds."""
    copy = copier(LARGE_BYTES, threads)
    copy()
    return _best(lambda: (copy(), LARGE_BYTES)[1])


@contextmanager
def recycled_memory(wanted=True):
    """Freed memory stays with the process, so that results of peers without an `out` find warm pages.

    By default, glibc gives a large result back to the system, and each call pays for its page faults.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if not (wanted and mallopt):  # without it, this is not glibc
        yield
        return
    trim_threshold, mmap_max = -1, -4  # <malloc.h>
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)
    try:
        yield
    finally:
        mallopt(mmap_max, 65536)
        mallopt(trim_threshold, 128 * 1024)
        ctypes.CDLL(None).malloc_trim(0)


def rest():
    """Wait until this process's other threads sleep.

    Pools wait for more work at full speed, for 7 ms (PyTorch's) or 100 ms (OpenBLAS's) on a Zen 4, on the processor
    that the next contender's second thread needs. Only Linux shows it; elsewhere the wait is a guess.
    """
    if not TASKS.is_dir():
        time.sleep(GUESSED_REST)
        return
    end = time.perf_counter() + LONGEST_REST
    while _awake() > 1 and time.perf_counter() < end:
        time.sleep(REST_STEP)


def _awake():
    """Threads of this process that run or could, the calling one among them."""
    states = []
    for task in TASKS.iterdir():
        try:  # the state follows the name, which is in brackets and may hold anything
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
        except OSError:  # it has ended
            continue
    return states.count("R")


def alternate(contenders, budget=BUDGET_SECONDS, warm=False):
    """Median seconds of each callable; every round calls all of them, one after the other.

    One that takes long is left out of later rounds when its budget is spent, after three rounds at the least, or after
    one if that takes several budgets. With `warm`, for calls on threads, each has the processors to itself, and its own
    threads are awake: it is called once more, after `rest`, before its time is taken.
    """
    repeats, budgets, seconds = {}, {}, {name: [] for name in contenders}
    for name, call in contenders.items():
        start = time.perf_counter()
        call()
        once = time.perf_counter() - start
        repeats[name] = max(1, int(LEAST_SECONDS / max(once, 1e-9)))
        rounds = int(budget / (once * repeats[name]))
        budgets[name] = 1 if once > LONG * budget else max(LEAST_ROUNDS, min(MOST_ROUNDS, rounds))
    for turn in range(max(budgets.values())):
        for name, call in contenders.items():
            if turn >= budgets[name]:
                continue
            n = repeats[name]
            if warm:
                rest()
                call()
            start = time.perf_counter()
            for _ in range(n):
                call()
            seconds[name].append((time.perf_counter() - start) / n)
    return {name: float(np.median(times)) for name, times in seconds.items()}
