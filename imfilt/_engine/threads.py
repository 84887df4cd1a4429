"""Bands of rows on threads: how many threads, and the pool they run on."""

import contextvars
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

VARIABLE = "IMFILT_NUM_THREADS"

_limit = contextvars.ContextVar("imfilt_num_threads", default=0)
_pool = None
_pool_size = 0
_lock = Lock()


def _cgroup_cpus():
    """The processors' worth of time that the container may use, or None without a limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text()
            period = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text()
        except OSError:
            return None
    if quota.strip() in ("max", "-1"):
        return None
    return max(1, -(-int(quota) // int(period)))


def _from_environment():
    given = os.environ.get(VARIABLE, "").strip()
    if given and not (given.isdecimal() and int(given) >= 1):
        raise ValueError(f"{VARIABLE} must be a whole number, 1 or more, not {given!r}")
    return int(given) if given else 0


_fixed = _from_environment()
_allowed = _cgroup_cpus()


def count():
    """The number of threads that a large call uses here and now."""
    chosen = _limit.get() or _fixed
    if chosen:
        return chosen
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cpus, _allowed or cpus)


@contextmanager
def num_threads(n):
    """Limit the threads of the calls inside a ``with`` block.

    The limit belongs to the context (`contextvars`), so it does not leak into other
    threads or tasks. Results do not depend on it: they have the same bits for any number.

    Parameters
    ----------
    n : int
        The most threads that a call may use, the calling thread among them. 1 or more.

    Raises
    ------
    ValueError
        If `n` is not a whole number, 1 or more.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> with imfilt.num_threads(1):
    ...     edges = imfilt.sobel(np.eye(4))
    """
    if isinstance(n, bool) or not hasattr(n, "__index__") or int(n) < 1:
        raise ValueError(f"n must be a whole number, 1 or more, not {n!r}")
    token = _limit.set(int(n))
    try:
        yield
    finally:
        _limit.reset(token)


def _forget_pool():
    """In a forked child: the parent's threads are not here, and its lock may be held."""
    global _pool, _pool_size, _lock
    _pool, _pool_size, _lock = None, 0, Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def _executor(workers):
    global _pool, _pool_size
    with _lock:
        if _pool is None or _pool_size < workers:
            if _pool is not None:
                _pool.shutdown(wait=False)
            _pool, _pool_size = ThreadPoolExecutor(workers, "imfilt"), workers
        return _pool


def run(work, bands, workers):
    """Calls work(y0, y1) for every band, on the calling thread and `workers` - 1 others.

    Signals reach the caller between its bands: Ctrl-C leaves as soon as the bands under
    way are done, and nothing writes into the result after that.
    """
    if workers <= 1 or len(bands) <= 1:
        for band in bands:
            work(*band)
        return

    left = deque(bands)  # popleft is atomic: a band goes to one thread

    def drain():
        while True:
            try:
                band = left.popleft()
            except IndexError:
                return
            work(*band)

    helpers = []
    try:
        for _ in range(min(workers, len(bands)) - 1):
            try:
                helpers.append(_executor(workers - 1).submit(drain))
            except RuntimeError:  # the pool was just replaced, or Python is shutting down
                break
        drain()
    finally:
        left.clear()
        # One that has not begun need not: the pool may be busy with another caller's bands.
        running = [helper for helper in helpers if not helper.cancel()]
        for helper in running:
            helper.exception()  # waits
    for helper in running:
        helper.result()
