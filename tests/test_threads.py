"""The threads that help a caller: every band once, errors, waiting awake and asleep, callers side by side."""

import sys
import threading
import time

import numpy as np
import pytest

import imfilt
from imfilt._cpu import Signal
from imfilt._engine import threads

LONG = 20 * threads.SPIN_SECONDS  # after which every helper is asleep


def count_bands(n, workers, pause=0.0):
    """How often each of `n` bands was worked on, and by how many threads."""
    done, names = [0] * n, set()

    def work(y0, y1):
        names.add(threading.get_ident())
        time.sleep(pause)
        done[y0] += 1

    threads.run(work, [(y, y + 1) for y in range(n)], workers)
    return done, names


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_every_band_is_done_once_by_no_more_threads_than_asked_for(workers):
    for n in (0, 1, 2, 3, 17):
        done, names = count_bands(n, workers)
        assert done == [1] * n
        assert len(names) <= workers


def test_helpers_help_whether_they_are_awake_or_asleep():
    for pause in (0.0, LONG):
        time.sleep(pause)
        done, names = count_bands(6, 2, 5e-3)
        assert done == [1] * 6
        assert len(names) == 2


def test_a_job_that_nobody_took_is_withdrawn():
    ran = []
    for n in range(200):
        threads.run(lambda y0, y1, n=n: ran.append((n, y0)), [(0, 1), (1, 2)], 2)
    assert sorted(ran) == [(n, y) for n in range(200) for y in (0, 1)]


def test_an_error_of_a_helper_reaches_the_caller_when_all_have_ended():
    caller, running = threading.get_ident(), []

    def work(y0, y1):
        running.append(1)
        time.sleep(2e-3)
        running.pop()
        if threading.get_ident() != caller:
            raise ArithmeticError("in a helper")

    with pytest.raises(ArithmeticError, match="in a helper"):
        threads.run(work, [(y, y + 1) for y in range(20)], 3)
    assert not running
    assert count_bands(5, 3)[0] == [1] * 5  # and the helpers are there again


def test_an_interrupted_caller_waits_for_the_bands_under_way():
    caller, running, started = threading.get_ident(), [], threading.Event()

    def work(y0, y1):
        if threading.get_ident() == caller:
            assert started.wait(5)
            raise KeyboardInterrupt
        running.append(1)
        started.set()
        time.sleep(LONG)  # the caller is asleep by then
        running.pop()

    with pytest.raises(KeyboardInterrupt):
        threads.run(work, [(y, y + 1) for y in range(20)], 2)
    assert not running


def test_callers_side_by_side_share_the_helpers():
    wrong, total = [], np.zeros(4, int)

    def caller(i):
        for _ in range(50):
            done, _ = count_bands(7, 3)
            total[i] += sum(done)
            if done != [1] * 7:
                wrong.append(done)

    callers = [threading.Thread(target=caller, args=(i,)) for i in range(4)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    assert not wrong
    assert (total == 350).all()


def test_a_signal_is_seen_or_not():
    signal = Signal()
    start = time.monotonic()
    assert not signal.wait(0, 0.02, 0.0)
    assert time.monotonic() - start >= 0.02
    signal.send()
    assert signal.count == 1
    assert signal.wait(0, 0.0, 0.0)
    start = time.monotonic()
    assert signal.wait(0, 1.0, 0.02)
    assert time.monotonic() - start >= 0.02


def test_a_signal_sends_another_before_it_waits():
    signal, first = Signal(), Signal()
    assert not signal.wait(0, 0.0, 0.0, first)
    assert (signal.count, first.count) == (0, 1)


@pytest.mark.parametrize("pause", [0, LONG])
def test_what_happens_first_wakes_who_waits_for_it(pause):
    """Awake or asleep by then; meanwhile the thread that told of it waits itself."""
    given, done = threads._Event(), threads._Event()

    def told():
        time.sleep(pause)
        given.wait(0, first=done)

    helper = threading.Thread(target=told, daemon=True)
    waiting = threading.Thread(target=done.wait, args=(0,), daemon=True)
    waiting.start()
    helper.start()
    waiting.join(5)
    assert not waiting.is_alive()
    assert helper.is_alive()
    given.happen()
    helper.join(5)
    assert not helper.is_alive()
    given.wait(0, first=done)  # nobody waits for it
    assert done.count == 2


def test_helpers_work_in_the_context_of_the_caller():
    seen = set()

    def work(y0, y1):
        seen.add((threading.get_ident(), np.geterr()["divide"], threads.count()))
        time.sleep(5e-3)

    with np.errstate(divide="raise"), imfilt.num_threads(7):
        threads.run(work, [(y, y + 1) for y in range(6)], 2)
    assert len(seen) == 2
    assert {one[1:] for one in seen} == {("raise", 7)}


FILTERS = {
    "separable": lambda image: imfilt.sobel_h(image),
    "separable of several terms": lambda image: imfilt.hessian_matrix(image, 2),
    "many taps": lambda image: imfilt.gaussian(image, 3),
    "even": lambda image: imfilt.gaussian(image, 1.5, dtype=image.dtype),
    "gradient": lambda image: imfilt.sobel(image),
    "polar": lambda image: imfilt.gradient(image),
    "square": lambda image: imfilt.correlate(image, np.arange(1.0, 10).reshape(3, 3), plan="direct"),
    "cross": lambda image: imfilt.laplace(image),
    "whole numbers": lambda image: imfilt.sharpen(image, dtype=image.dtype),
    "norm": lambda image: imfilt.roberts(image),
    "strongest": lambda image: imfilt.kirsch(image),
    "box": lambda image: imfilt.box(image, 5, dtype=image.dtype),
    "large box": lambda image: imfilt.box(image, 31),
    "area": lambda image: imfilt.downscale(image, 2, "area", dtype=image.dtype),
    "repetition": lambda image: imfilt.upscale(image, 2, "nearest", dtype=image.dtype),
    "resample": lambda image: imfilt.upscale(image, 2, dtype=image.dtype),
    "mix": lambda image: imfilt.conv2d(image, np.ones((8, 1, 3, 3))),
    "canny": lambda image: imfilt.canny(image),
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("name", FILTERS)
def test_other_threads_run_meanwhile(build, name, dtype):
    if build == "numpy":
        pytest.skip("NumPy's own loops")
    image = np.zeros((700, 900), dtype)
    turns, stop = [0], threading.Event()

    def take_turns():
        while not stop.is_set():
            turns[0] += 1
            time.sleep(1e-5)

    interval = sys.getswitchinterval()
    other = threading.Thread(target=take_turns)
    other.start()
    try:
        with imfilt.num_threads(1):
            FILTERS[name](image)
            sys.setswitchinterval(100)  # from here on nobody else runs unless it is let,
            time.sleep(0.02)  # once it has stopped waiting for the interval that was
            for _ in range(300):
                before = turns[0]
                FILTERS[name](image)
                if turns[0] > before:
                    break
            else:
                pytest.fail("the interpreter is held")
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        other.join()
