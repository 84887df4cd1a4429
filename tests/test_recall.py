"""Calls that come again are known again, and only these."""

import numpy as np
import pytest
import scipy.ndimage as ndi

import imfilt
from imfilt._engine import recall


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
