"""Bands of rows on threads: how many threads, and those that help the caller."""

import contextvars
import os
from collections import deque
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Lock, Thread

from imfilt._cpu import Signal

VARIABLE = "IMFILT_NUM_THREADS"
# A helper stays awake this long after a call: two calls of a pipeline follow each other faster.
SPIN_SECONDS = 100e-6
# After so long the thread that gave a job has let go of the GIL, and its own band runs.
GIL_SECONDS = 3e-6

_limit = contextvars.ContextVar("imfilt_num_threads", default=0)
_idle: deque = deque()  # helpers without a job
_helpers = 0  # in all
_hiring = Lock()


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


class _Event:
    """What one thread waits for and another brings about: awake for SPIN_SECONDS, then asleep.

    To wake a thread takes 50 us and more (measured), as long as many a band; one that is still awake begins at once.
    """

    def __init__(self):
        self._signal, self._lock, self._bell, self._asleep = Signal(), Lock(), Lock(), False
        self._bell.acquire()

    @property
    def count(self):
        return self._signal.count

    def happen(self):
        self._signal.send()
        self._wake()

    def _wake(self):
        with self._lock:
            if self._asleep:
                self._asleep = False
                self._bell.release()

    def wait(self, seen, later=0.0, first=None):
        """Until it has happened more often than `seen` times, and `later` seconds more; `first` happens before that."""
        if first is not None and first._asleep:  # not only when this thread has fallen asleep, too
            first.happen()
            first = None
        happened = self._signal.wait(seen, SPIN_SECONDS, later, first and first._signal)
        if first is not None:
            first._wake()
        if happened:
            return
        while True:
            with self._lock:
                if self._signal.count != seen:
                    return
                self._asleep = True
            self._bell.acquire()


class _Helper(Thread):
    """A thread that does one job after the other."""

    def __init__(self):
        super().__init__(name="imfilt", daemon=True)
        self._lock, self._job, self._error = Lock(), None, None
        self._given, self._done = _Event(), _Event()
        self._taken = False  # the job, by this thread
        self._finished = 0  # jobs that were done when it was given

    def run(self):
        seen, done = 0, None
        while True:
            self._given.wait(seen, GIL_SECONDS, done)
            seen = self._given.count
            with self._lock:
                job, self._job = self._job, None
                self._taken = job is not None
            done = None
            if job is None:  # withdrawn
                continue
            try:
                job()
            except BaseException as error:
                self._error = error
            del job
            done = self._done  # which happens once this thread has let go of the GIL: the caller needs it

    def give(self, job):
        self._finished, self._job = self._done.count, job
        self._given.happen()

    def settle(self):
        """Withdraw the job, or wait until it is done: its error, if it had one."""
        with self._lock:
            self._job = None
            taken = self._taken
        if taken:
            self._done.wait(self._finished)
            self._taken = False
        error, self._error = self._error, None
        return error


def _forget_helpers():
    """In a forked child: the parent's threads are not here, and its lock may be held."""
    global _idle, _helpers, _hiring
    _idle, _helpers, _hiring = deque(), 0, Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_helpers)


def _hire(most):
    """A new helper; None if there are `most`, who are busy with another caller's bands, or no more can be."""
    global _helpers
    with _hiring:
        if _helpers >= most:
            return None
        helper = _Helper()
        try:
            helper.start()
        except RuntimeError:  # no more threads, or Python is shutting down
            return None
        _helpers += 1
        return helper


def _borrow(most, wanted):
    """Helpers that have nothing to do, `wanted` at most; there may be `most` in all."""
    found: list[_Helper] = []
    while len(found) < wanted:
        try:
            helper = _idle.pop()  # the last to become idle: it may be awake
        except IndexError:
            helper = _hire(most)
        if helper is None:
            break
        found.append(helper)
    return found


def _settle(helpers):
    """Wait for helpers, whatever happens meanwhile; the errors."""
    errors, waiting = [], list(helpers)
    while waiting:
        try:
            errors.append(waiting[-1].settle())
            del waiting[-1]
        except BaseException as error:  # Ctrl-C: but nothing may write into a result that its caller has given up
            errors.append(error)
    _idle.extend(helpers)
    return [error for error in errors if error is not None]


def run(work, bands, workers):
    """Calls work(y0, y1) for every band, on the calling thread and `workers` - 1 others.

    Signals reach the caller between its bands: Ctrl-C leaves as soon as the bands under
    way are done, and nothing writes into the result after that.
    """
    if workers <= 1 or len(bands) <= 1:
        for band in bands:
            work(*band)
        return

    # Each thread has bands that follow each other, and then helps others with their last: what comes next in a
    # pipeline finds them in the cache of the same processor. pop and popleft are atomic: a band goes to one thread.
    workers = min(workers, len(bands))
    ends = [len(bands) * i // workers for i in range(workers + 1)]
    shares = [deque(bands[begin:end]) for begin, end in pairwise(ends)]

    def drain(i):
        own = shares[i]
        while True:
            try:
                band = own.popleft()
            except IndexError:
                break
            work(*band)
        for other in shares:
            while True:
                try:
                    band = other.pop()
                except IndexError:
                    break
                work(*band)

    helpers = _borrow(workers - 1, workers - 1)
    try:
        for i, helper in enumerate(helpers, 1):
            helper.give(partial(contextvars.copy_context().run, drain, i))  # np.errstate, for one, is the context's
        drain(0)
    finally:
        for share in shares:
            share.clear()
        errors = _settle(helpers)
    if errors:
        raise errors[0]
