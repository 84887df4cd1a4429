"""What a run was measured on, and how long calls take."""

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import imfilt

PACKAGES = ("numpy", "scipy", "scikit-image", "opencv-python-headless", "pillow", "cython")
LEAST_SECONDS = 1e-3  # a shorter call is repeated until a measurement takes this long
BUDGET_SECONDS = 0.2  # for each contender of a row


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
        "cpu": cpu,
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "imfilt": imfilt.show_config("dicts"),
        "versions": {package: of(package) for package in PACKAGES},
    }


def copier(nbytes, threads):
    """A plain copy that moves `nbytes` in all, read and written, on so many threads."""
    half = max(1, nbytes // 2)
    source, target = np.ones(half, np.uint8), np.ones(half, np.uint8)
    if threads == 1:
        return lambda: np.copyto(target, source)
    pool = ThreadPoolExecutor(threads)
    cuts = [half * i // threads for i in range(threads + 1)]

    def one(i):
        np.copyto(target[cuts[i] : cuts[i + 1]], source[cuts[i] : cuts[i + 1]])

    return lambda: list(pool.map(one, range(threads)))


def alternate(contenders):
    """Median seconds of each callable; every round calls all of them, one after the other.

    One that takes long is left out of later rounds when its budget is spent.
    """
    repeats, budgets, seconds = {}, {}, {name: [] for name in contenders}
    for name, call in contenders.items():
        start = time.perf_counter()
        call()
        once = time.perf_counter() - start
        repeats[name] = max(1, int(LEAST_SECONDS / max(once, 1e-9)))
        budgets[name] = max(1, min(25, int(BUDGET_SECONDS / (once * repeats[name]))))
    for turn in range(max(budgets.values())):
        for name, call in contenders.items():
            if turn >= budgets[name]:
                continue
            n = repeats[name]
            start = time.perf_counter()
            for _ in range(n):
                call()
            seconds[name].append((time.perf_counter() - start) / n)
    return {name: float(np.median(times)) for name, times in seconds.items()}
