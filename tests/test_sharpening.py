"""Sharpening and relief against scikit-image and Pillow."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import skimage.filters as skf
from conftest import DTYPES, MODES, assert_within, pixels
from PIL import Image, ImageFilter

import imfilt
from imfilt import kernels
from imfilt.filters import sharpening

SHAPES = [(1, 1), (1, 9), (9, 1), (2, 2), (3, 70), (40, 33)]
EPS = np.finfo(np.float32).eps


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_unsharp_mask_is_scikit_images(build, photo, dtype):
    image = photo[:50, :60] if dtype == "uint8" else (photo[:50, :60] / 255).astype(dtype)
    for view, axis in ((image[..., 1], None), (image, 2)):
        wide = view if dtype == "uint8" else view.astype(np.float64)
        for radius, amount in ((1, 1), (5, 3.0), ((1, 3), 0.7), (2, -0.5), (0, 4)):
            for preserve in (False, True):
                got = imfilt.unsharp_mask(view, radius, amount, preserve)
                want = skf.unsharp_mask(wide, radius, amount, preserve, channel_axis=axis)
                most = 255 if preserve and dtype == "uint8" else 1
                bound = 1e-14 if dtype == "float64" else 60 * EPS
                assert_within(got, want, bound * (1 + 2 * abs(amount)) * most, f"{radius} {amount} {preserve}")
                assert got.dtype == (np.float64 if dtype == "float64" else np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_unsharp_mask_of_awkward_shapes_and_large_radii(shape):
    image = np.random.default_rng(1).standard_normal(shape)
    for radius in (0.3, 2, 80):
        for preserve in (False, True):
            want = skf.unsharp_mask(image, radius, 2.0, preserve)
            assert_within(imfilt.unsharp_mask(image, radius, 2.0, preserve), want, 1e-13, f"{radius}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_unsharp_mask_of_every_dtype(dtype):
    image = pixels(np.random.default_rng(2), (17, 23), dtype)
    for source in (image, np.abs(image // 3) if image.dtype.kind == "i" else image):
        full = float(np.iinfo(dtype).max) if source.dtype.kind in "iu" else 1.0
        wide = source.astype(np.float64) / full
        if source.dtype.kind == "i":
            wide = np.maximum(wide, -1)
        want = skf.unsharp_mask(wide, 1.5)
        result = imfilt.unsharp_mask(source, 1.5)
        assert_within(result, want, 60 * np.finfo(result.dtype).eps, dtype)


def test_what_is_clipped():
    positive = np.random.default_rng(3).random((20, 20))
    assert imfilt.unsharp_mask(positive, 2, 9).min() == 0
    assert imfilt.unsharp_mask(positive, 2, 9).max() == 1
    assert imfilt.unsharp_mask(positive, 2, 9, preserve_range=True).min() < 0
    for negative in (-1e-9, -5.0):
        some = positive.copy()
        some[3, 4] = negative
        some[0, 0] = np.nan
        assert np.nanmin(imfilt.unsharp_mask(some, 2, 9)) == -1
        assert np.nanmin(imfilt.unsharp_mask(some.astype(np.float16), 2, 9)) == (-1 if negative == -5 else 0)
    signed = np.where(positive < 0.5, 0, 127).astype(np.int8)
    assert imfilt.unsharp_mask(signed, 2, 9).min() == 0
    signed[5, 5] = -128
    assert imfilt.unsharp_mask(signed, 2, 9).min() == -1
    levels = (positive * 255).astype(np.uint8)
    got = imfilt.unsharp_mask(levels, 2, 9, dtype=np.uint8)
    assert_within(got, skf.unsharp_mask(levels, 2, 9) * 255, 0.51)


@pytest.mark.parametrize("amount", [1, 2.5, -0.3])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_sharpen_is_its_taps(amount, mode, shape):
    image = np.random.default_rng(4).random(shape)
    taps = np.full((3, 3), -amount / 8)
    taps[1, 1] = 1 + amount
    want = ndi.correlate(image, taps, mode=mode, cval=0.2)
    assert_within(imfilt.sharpen(image, amount, mode=mode, cval=0.2), want, 1e-14)
    bound = 13 * EPS * ndi.correlate(image, np.abs(taps), mode=mode, cval=0.2)
    narrow = imfilt.sharpen(image.astype(np.float32), amount, mode=mode, cval=0.2)
    assert_within(narrow, want, bound + EPS * np.abs(taps).sum())


@pytest.mark.parametrize("name", ["sharpen", "emboss"])
def test_photograph_as_pillow_has_it(build, photo, name):
    filters = {"sharpen": ImageFilter.SHARPEN, "emboss": ImageFilter.EMBOSS}
    want = np.asarray(Image.fromarray(photo[:80, :90]).filter(filters[name]))
    got = getattr(imfilt, name)(photo[:80, :90], dtype=np.uint8)
    inside = slice(1, -1), slice(1, -1)
    assert_within(got[inside], want[inside], 1 if name == "sharpen" else 0)
    np.testing.assert_array_equal(want[0], photo[0, :90])  # why only the inside is compared


def test_lights_from_all_around():
    spot = np.zeros((3, 3))
    spot[1, 1] = 1
    for degrees, dark in ((0, (1, 0)), (45, (2, 0)), (90, (2, 1)), (135, (2, 2)), (180, (1, 2)), (225, (0, 2))):
        for turns in (-720, 0, 360):
            got = imfilt.emboss(spot, degrees + turns, 2, 0)
            want = np.zeros((3, 3))
            want[1, 1], want[dark] = 2, -2
            np.testing.assert_array_equal(got, want)
    between = imfilt.emboss(spot, 22.5, offset=0)
    assert between[1, 0] == between[2, 0] == -0.5


@pytest.mark.parametrize("mode", MODES)
def test_emboss_of_every_dtype_and_border(mode):
    for dtype in DTYPES:
        image = pixels(np.random.default_rng(5), (12, 15), dtype)
        full = float(np.iinfo(dtype).max) if image.dtype.kind in "iu" else 1.0
        wide = image.astype(np.float64) / full
        if image.dtype.kind == "i":
            wide = np.maximum(wide, -1)
        eps = np.finfo(imfilt.emboss(image).dtype).eps
        want = 0.25 + ndi.correlate(wide, kernels.emboss(100, 1.5), mode=mode, cval=0.125)
        got = imfilt.emboss(image, 100, 1.5, 0.25, mode=mode, cval=0.125)
        assert_within(got, want, 10 * eps * np.abs(wide).max() * 3, f"{dtype}")
        kept = imfilt.emboss(image, 100, 1.5, 3.0, mode="nearest", preserve_range=True)
        want = 3 + ndi.correlate(image.astype(np.float64), kernels.emboss(100, 1.5), mode="nearest")
        assert_within(kept, want, 10 * eps * np.abs(want).max() * 3, f"{dtype}")


def test_weights_and_alpha():
    rng = np.random.default_rng(6)
    image, counts = rng.random((25, 30)), rng.random((25, 30)) > 0.2
    flat = np.where(counts, 0.4, np.nan)
    far = np.ones((25, 30))
    for got, level in (
        (imfilt.unsharp_mask(flat, 1.5, weights=counts), 0.4), (imfilt.sharpen(flat, weights="finite"), 0.4),
        (imfilt.emboss(flat, weights="finite"), 128 / 255),
    ):  # fmt: skip
        known = ~np.isnan(got)
        assert known[counts].mean() > 0.99
        assert_within(got[known], level * far[known], 1e-13)
    for name in ("unsharp_mask", "sharpen", "emboss"):
        function = getattr(imfilt, name)
        assert_within(function(image, weights=np.full((25, 30), 3.0)), function(image), 1e-13, name)
        opaque = np.dstack([image, image * 0.5, np.ones_like(image)])
        assert_within(function(opaque, alpha=True)[..., :2], function(opaque)[..., :2], 1e-13, name)
        assert_within(function(opaque, alpha=True)[..., 2], far, 1e-15)
    levels = (opaque * 255).astype(np.uint8)
    got = imfilt.emboss(levels, alpha=True, dtype=np.uint8)
    np.testing.assert_array_equal(got[..., :2], imfilt.emboss(levels, dtype=np.uint8)[..., :2])
    assert (got[..., 2] == 255).all()


def test_a_wrong_out_is_refused_before_any_work(monkeypatch):
    monkeypatch.setattr(sharpening, "apply", None)
    with pytest.raises(ValueError, match="out must have the shape"):
        imfilt.emboss(np.zeros((9, 9, 3)), alpha=True, out=np.zeros((3, 3, 3), np.uint8))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: imfilt.unsharp_mask(x, -1), ValueError, "radius must not be negative"),
        (lambda x: imfilt.unsharp_mask(x, 1, "much"), TypeError, "amount must be a number"),
        (lambda x: imfilt.sharpen(x, np.inf), ValueError, "amount must be finite"),
        (lambda x: imfilt.emboss(x, None), TypeError, "angle must be a number"),
        (lambda x: imfilt.emboss(x, 0, np.nan), ValueError, "strength must be finite"),
        (lambda x: imfilt.emboss(x, 0, 1, "grey"), TypeError, "offset must be a number"),
    ],
)
def test_wrong_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call(np.zeros((5, 5)))


def test_images_without_pixels_and_results_in_place():
    for name in ("unsharp_mask", "sharpen", "emboss"):
        function = getattr(imfilt, name)
        for shape in ((0, 4), (3, 0), (0, 0), (2, 3, 0)):
            assert function(np.zeros(shape, np.float32)).shape == shape
        image = np.random.default_rng(7).random((9, 11))
        want = function(image)
        assert function(image, out=image) is image
        np.testing.assert_array_equal(image, want)


def test_numbers_are_not_texts_nor_beyond_what_leaves_digits_for_the_image():
    image = np.ones((3, 3), np.float32)
    for call in (lambda n: imfilt.unsharp_mask(image, 1, n), lambda n: imfilt.emboss(image, strength=n)):
        with pytest.raises(ValueError, match="must be between"):
            call(1e300)
        with pytest.raises(TypeError, match="must be a number, not '2'"):
            call("2")
    with pytest.raises(ValueError, match="amount must be between"):
        imfilt.sharpen(image, 1e300)
    with pytest.raises(TypeError, match="cval must be a number"):
        imfilt.sharpen(image, cval="1")
