"""Calls that come again are known again, and only these."""

import inspect
from fractions import Fraction

import numpy as np
import pytest
import scipy.ndimage as ndi

import imfilt
from imfilt import kernels
from imfilt._engine import isa, plan, recall, run
from imfilt.filters.edges import derivative_kernel


def counted():
    """A function that remembers, and what it was asked."""
    asked = []

    def find(image, arrays, *parameters):
        asked.append((arrays, parameters))
        return np.asarray(image), len(asked)

    return recall.recalled(find), asked


def test_the_same_is_found_again_and_anything_else_is_not():
    call, asked = counted()
    image, taps = np.zeros((3, 4), np.float32), np.arange(6.0)
    different = [
        (image, (taps,), 1, "same"),
        (image, (taps,), True, "same"),
        (image, (taps,), 1.0, "same"),
        (image, (taps,), (1, 1), "same"),
        (image, (taps,), (1, True), "same"),
        (image, (taps,), (1, 1.0), "same"),
        (image, (taps,), ((1, 1), (1, 1)), "same"),
        (image, (taps,), ((1, 1), (1, True)), "same"),
        (image, (taps,), 1, "full"),
        (image, (taps, None), 1, "same"),
        (image, (taps + 1,), 1, "same"),
        (image, (taps.reshape(2, 3),), 1, "same"),
        (image, (taps.view(np.int64),), 1, "same"),
        (image[:2], (taps,), 1, "same"),
        (image.astype(np.float64), (taps,), 1, "same"),
    ]
    for n, one in enumerate(different, 1):
        assert call(*one)[1] == n
    for n, (view, arrays, *parameters) in enumerate(different, 1):
        again = tuple(None if array is None else array.copy() for array in arrays)
        assert call(view.copy(), again, *parameters)[1] == n
    assert len(asked) == len(different)


@pytest.mark.parametrize("one", [
    ([[0.0]], (np.ones(3),), 1),
    (np.ma.zeros((2, 2)), (np.ones(3),), 1),
    (np.zeros((2, 2)), ([1.0, 2.0],), 1),
    (np.zeros((2, 2)), (np.array([1, None]),), 1),
    (np.zeros((2, 2)), (np.ones(1000),), 1),
    (np.zeros((2, 2)), (np.ones(3),), [1, 1]),
    (np.zeros((2, 2)), (np.ones(3),), (1, [1])),
])  # fmt: skip
def test_what_is_looked_at_each_time(one):
    call, asked = counted()
    for n in (1, 2):
        assert call(*one)[1] == n
    assert len(asked) == 2


def test_only_so_many_are_kept(monkeypatch):
    monkeypatch.setattr(recall, "MOST_CALLS", 3)
    call, asked = counted()
    image = np.zeros((2, 2))
    for n in [1, 2, 3, 1, 4, 1]:
        call(image, (), n)
    assert [parameters for _, parameters in asked] == [(1,), (2,), (3,), (4,), (1,)]


def test_weights_that_change_in_place_are_seen(photo):
    taps = np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
    image = photo.astype(np.float64)[..., 0]
    for centre in (-4, 3):
        taps[1, 1] = centre
        np.testing.assert_allclose(imfilt.correlate(image, taps), ndi.correlate(image, taps), atol=1e-9)
        np.testing.assert_allclose(imfilt.conv2d(image, taps[None, None]), ndi.correlate(image, taps)[1:-1, 1:-1])


def test_a_call_that_is_known_does_not_let_wrong_ones_through(photo):
    image, taps = photo[..., 0], np.ones((3, 3))
    assert imfilt.correlate(image, taps, dilation=1, stride=(1, 1)).shape == image.shape
    with pytest.raises(TypeError):
        imfilt.correlate(image, taps, dilation=True, stride=(1, 1))
    with pytest.raises(TypeError):
        imfilt.correlate(image, taps, dilation=1, stride=(1, True))
    assert imfilt.upscale(image[:4, :4], 2).shape == (8, 8)
    with pytest.raises(TypeError):
        imfilt.upscale(image[:4, :4], True)
    for dtype in (np.float32, np.float64, np.uint8):
        assert imfilt.correlate(image, taps, dtype=dtype).dtype == dtype
        assert imfilt.correlate(image, taps, out=np.zeros(image.shape, dtype)).dtype == dtype


# ---- shortcuts ---------------------------------------------------------------------------


@pytest.fixture
def watched_sobel():
    """A filter behind a shortcut, and the calls that went through it."""
    seen = []

    @recall.shortcut
    def filtered(image, first=None, *, cval=0.0, out=None, more=None, mode="constant", dtype=None):
        seen.append((first, cval, more, mode, dtype))
        kernel = derivative_kernel(kernels.SOBEL, (0,), "scikit-image")
        return run.apply(kernel, image, mode=mode, cval=cval, out=out, dtype=dtype)

    yield filtered, seen
    plan.forget()
    plan.caches.pop()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (((), {}), ((), {"cval": 0.0})),
        (((), {"cval": 0.0}), ((), {"cval": -0.0})),
        (((), {"cval": 0}), ((), {"cval": False})),
        (((1,), {}), ((), {"first": 1})),
        (((1,), {}), ((True,), {})),
        ((((1, 2.0),), {}), (((1, 2),), {})),
        ((((0.0, 1),), {}), (((-0.0, 1),), {})),
        (((), {"mode": "wrap"}), ((), {"mode": "reflect"})),
        (((), {"more": 1}), ((), {"cval": 1})),
        (((np.arange(3),), {}), ((np.array([0, 1, 3]),), {})),
        (((np.arange(4),), {}), ((np.arange(4).reshape(2, 2),), {})),
        (((np.arange(4),), {}), ((np.arange(4).view(np.uint64),), {})),
        (((np.arange(4),), {}), ((np.repeat(np.arange(4), 2)[::2],), {})),
        (((np.ones((2, 3)),), {}), ((np.asfortranarray(np.ones((2, 3))),), {})),
        (((np.arange(4),), {}), (([0, 1, 2, 3],), {})),
        (((), {"dtype": np.float32}), ((), {"dtype": np.float64})),
        (((), {"dtype": np.uint8}), ((), {"dtype": np.dtype(np.uint8)})),
        (((Fraction(1, 2),), {}), ((0.5,), {})),
    ],
)
def test_a_shortcut_is_taken_for_the_same_arguments_and_no_others(watched_sobel, photo, one, other):
    filtered, seen = watched_sobel
    image = np.ascontiguousarray(photo[:20, :30, 0])
    want = filtered(image, *one[0], **one[1])
    for _ in range(2):
        again = filtered(image.copy(), *one[0], **one[1])
        np.testing.assert_array_equal(again, want, strict=True)
        assert again is not want
    assert len(seen) == 1
    filtered(image, *other[0], **other[1])
    assert len(seen) == 2


def test_images_and_results_of_other_forms_take_no_shortcut(watched_sobel, photo):
    filtered, seen = watched_sobel
    image = np.ascontiguousarray(photo[:20, :30, 0])
    out = np.empty((20, 30), np.float32)
    for n, (given, options) in enumerate(
        [
            (image, {}), (image[:19], {}), (image.T, {}), (image.astype(np.uint16), {}), (photo[:20, :30], {}),
            (image, {"out": out}), (image, {"out": np.empty((20, 30))}), (image.tolist(), {}),
        ], 1,
    ):  # fmt: skip
        filtered(given, **options)
        assert len(seen) == n
    filtered(image.tolist())  # no array: looked at each time
    filtered(image=image)  # nor is one that has a name
    filtered(image=image)
    assert len(seen) == 11
    floats = np.zeros((22, 30), np.float32)
    expected = filtered(floats[:20].copy(), out=out.copy())
    filtered(floats[:20], out=floats[2:])  # over each other
    np.testing.assert_array_equal(floats[2:], expected)
    with imfilt.num_threads(1):
        assert filtered(image, out=out) is out
    assert len(seen) == 13


@pytest.mark.parametrize("change", ["twice", "copied", "finished", "of another image", "weighted", "large"])
def test_what_is_not_one_sweep_as_it_is_takes_no_shortcut(photo, change):
    kernel, times = derivative_kernel(kernels.SOBEL, (0,), "scikit-image"), []

    @recall.shortcut
    def filtered(image):
        times.append(1)
        options = {"mode": "wrap", "cval": 0.0}
        if change == "finished":
            options["finish"] = lambda result: result.fill(len(times))
        if change == "weighted":
            options["weights"] = np.ones(image.shape)
        result = run.apply(kernel, image + 1 if change == "of another image" else image, **options)
        if change == "twice":
            run.apply(kernel, image, **options)
        return result.copy() if change == "copied" else result

    image = np.tile(photo[..., 0], (4, 4)) if change == "large" else photo[:20, :30, 0]
    for n in (1, 2, 3):
        filtered(image)
        assert len(times) == n
    plan.caches.pop()


def test_arguments_that_may_change_take_no_shortcut(watched_sobel, photo):
    filtered, seen = watched_sobel

    class Factor:  # equal to itself, and not the same tomorrow
        value = 1

    image = photo[:20, :30, 0]
    for n, one in enumerate([[1], {"a": 1}, Factor(), (1, [2]), (np.ones(2),), np.ones(1000), np.array([None])], 1):
        for _ in range(2):
            filtered(image, one)
        assert len(seen) == 2 * n


def test_shortcuts_are_forgotten_and_those_who_watch_see_every_sweep(watched_sobel, photo):
    filtered, seen = watched_sobel
    image = photo[:20, :30, 0]
    filtered(image)
    with plan.watched() as steps:
        filtered(image)
    assert len(seen) == 2
    assert len(steps) == 1
    plan.forget()
    filtered(image)
    assert len(seen) == 3
    filtered(image)
    assert len(seen) == 3


def test_functions_behind_shortcuts_look_as_they_are_written():
    assert list(inspect.signature(imfilt.sobel_h).parameters)[:3] == ["image", "mask", "mode"]
    assert imfilt.gaussian.__doc__.startswith("Smooth with a Gaussian")
    assert imfilt.conv2d.__module__ == "imfilt.convolution.standard"
    assert inspect.isfunction(imfilt.upscale)


def test_another_build_of_the_core_takes_no_shortcut(watched_sobel, photo, monkeypatch):
    filtered, seen = watched_sobel
    image = photo[:20, :30, 0]
    filtered(image)
    monkeypatch.setattr(isa, "core", isa._load("numpy"))
    filtered(image)
    assert len(seen) == 2
