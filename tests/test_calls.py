"""Calls that come again are run at once, with the same results as the first time, and only where that is safe."""

import numpy as np
import pytest

import imfilt
from imfilt._calls import Calls
from imfilt._engine import plan


def doubled(image, out, factor):
    out[...] = image * factor


@pytest.fixture
def calls():
    return Calls(4)


def test_the_function_makes_a_new_result_or_fills_the_one_that_is_given(calls):
    image, out = np.arange(6, dtype=np.uint8).reshape(2, 3), np.zeros((2, 3), np.float32)
    assert calls.run(image, None, ("x",)) is None
    calls.keep(image, None, ("x",), "new", (2, 3), np.dtype(np.float32), doubled, (2,))
    calls.keep(image, out, ("x",), "given", (2, 3), np.dtype(np.float32), doubled, (3,))
    made = calls.run(image, None, ("x",))
    np.testing.assert_array_equal(made, image * np.float32(2), strict=True)
    assert made.flags.carray
    assert made.flags.owndata
    assert calls.run(image, out, ("x",)) is out
    np.testing.assert_array_equal(out, image * np.float32(3), strict=True)
    assert calls.find(image, None, ("x",)) == "new"
    assert calls.find(image, out, ("x",)) == "given"


def test_what_the_function_may_not_write_into_is_left_to_others(calls):
    memory = np.zeros(48, np.float32)
    image = memory[:24].reshape(4, 6)
    calls.keep(image, np.empty((4, 6), np.float32), (), "known", (4, 6), np.dtype(np.float32), doubled, (2,))
    calls.keep(image, np.empty((4, 6), ">f4"), (), "swapped", (4, 6), np.dtype(">f4"), doubled, (2,))
    locked = np.zeros((4, 6), np.float32)
    locked.flags.writeable = False
    odd = np.zeros(97, np.uint8)[1:].view(np.float32).reshape(4, 6)
    for out in (
        image, memory[23:47].reshape(4, 6), memory[1:25].reshape(4, 6), locked, odd,
        np.zeros((4, 12), np.float32)[:, ::2], np.zeros((6, 4), np.float32).T, np.zeros((8, 6), np.float32)[::-2],
    ):  # fmt: skip
        before = out.copy()
        assert calls.run(image, out, ()) == "known"
        np.testing.assert_array_equal(out, before)
    assert calls.run(image, np.zeros((4, 6), ">f4"), ()) == "swapped"
    assert calls.run(image, memory[24:].reshape(4, 6), ()) is not None
    assert calls.run(image[::-1], memory[24:].reshape(4, 6), ()).base is memory  # side by side is not over each other
    assert calls.run(image[::-1, ::-1], memory[:24].reshape(4, 6), ()) == "known"
    assert calls.run(memory[12:36].reshape(4, 6)[::-1, ::-1], memory[:24].reshape(4, 6), ()) == "known"
    assert calls.run(memory[:24].reshape(4, 6)[::-1, ::-1], memory[12:36].reshape(4, 6), ()) == "known"


def test_only_plain_arrays_of_few_axes_and_arguments_that_stay_are_kept(calls):
    image = np.zeros((2, 3))
    for given, out, arguments in (
        ([[1.0]], None, ()), (np.ma.zeros((2, 3)), None, ()), (image, np.ma.zeros((2, 3)), ()), (image, None, ([1],)),
    ):  # fmt: skip
        calls.keep(given, out, arguments, "kept")
        assert len(calls) == 0
        assert calls.find(given, out, arguments) is None
    with pytest.raises(ValueError, match="too many axes"):
        calls.keep(np.zeros((1,) * 5), None, (), "kept")


def test_forms_are_told_apart(calls):
    image, out = np.zeros((2, 3), np.float32), np.zeros((2, 3))
    calls.keep(image, out, (1,), "kept")
    assert calls.find(image, out, (1,)) == "kept"
    for one in (
        (image, None, (1,)), (image, out.astype(np.float32), (1,)), (image, out.T, (1,)), (image.T, out, (1,)),
        (image[None], out, (1,)), (image.view(np.int32), out, (1,)), (image.astype(">f4"), out, (1,)),
        (image, out, (1.0,)), (image, out, (1, 1)), (image, out, ()), (image, out, ("1",)),
    ):  # fmt: skip
        assert calls.find(*one) is None


def test_the_last_calls_are_remembered(calls):
    images = [np.zeros((n, 1)) for n in range(1, 7)]
    for n, image in enumerate(images):
        calls.keep(image, None, (), n)
        assert len(calls) <= 4
        assert calls.find(image, None, ()) == n
    calls.clear()
    assert len(calls) == 0
    assert calls.find(images[-1], None, ()) is None


def test_arguments_that_cannot_be_compared_say_so(calls):
    class Odd:
        def __eq__(self, other):
            raise ZeroDivisionError

        __hash__ = object.__hash__

    image = np.zeros((2, 2))
    calls.keep(image, None, (Odd(),), "kept")
    with pytest.raises(ZeroDivisionError):
        calls.find(image, None, (Odd(),))
    with pytest.raises(ZeroDivisionError):
        calls.run(image, None, (Odd(),))


def test_errors_of_the_function_are_its_own(calls):
    calls.keep(np.zeros((2, 2)), None, (), "kept", (2, 2), np.dtype(float), doubled, ())
    with pytest.raises(TypeError, match="factor"):
        calls.run(np.zeros((2, 2)), None, ())


@pytest.mark.parametrize("times", [1, 3])
def test_filters_give_the_same_again_for_every_kind_of_result(photo, times):
    image = np.ascontiguousarray(photo[:40, :50, 0])
    expected = imfilt.sobel_h(image.copy(), mode="wrap")
    spacious = np.zeros((40, 60), np.float32)
    overlapping = np.zeros((42, 50), np.float32)
    for _ in range(times):
        np.testing.assert_array_equal(imfilt.sobel_h(image, mode="wrap"), expected)
        for out in (np.zeros((40, 50), np.float32), spacious[:, 5:55]):
            assert imfilt.sobel_h(image, mode="wrap", out=out) is out
            np.testing.assert_array_equal(out, expected)
        overlapping[:40] = image / np.float32(255)
        np.testing.assert_allclose(
            imfilt.sobel_h(overlapping[:40], mode="wrap", out=overlapping[2:]), expected, atol=1e-6
        )
        with pytest.raises(ValueError, match="shape of the result"):
            imfilt.sobel_h(image, mode="wrap", out=np.zeros((40, 51), np.float32))
        locked = np.zeros((40, 50), np.float32)
        locked.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            imfilt.sobel_h(image, mode="wrap", out=locked)


def test_who_watches_sees_calls_that_were_made_before(photo):
    image = np.ascontiguousarray(photo[:20, :20, 0])
    for _ in range(2):
        imfilt.sobel_h(image)
    with plan.watched() as steps:
        imfilt.sobel_h(image)
    assert [step.loop for step in steps] == ["separable"]
