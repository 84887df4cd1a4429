"""Canny's edges against scikit-image's, pixel by pixel, on the photographs that it brings along."""

import tracemalloc

import numpy as np
import pytest
import skimage.data
from conftest import DTYPES, MODES, assert_same_bits, pixels
from hypothesis import given
from hypothesis import strategies as st
from skimage.feature import canny as reference
from skimage.feature._canny import _preprocess

import imfilt
from imfilt._engine import borders, chain, plan
from imfilt.filters.canny import _smoother

PHOTOGRAPHS = (
    "camera", "coins", "moon", "page", "text", "clock", "brick", "grass", "gravel", "cell", "microaneurysms",
    "astronaut", "chelsea", "coffee", "hubble_deep_field", "rocket", "retina", "immunohistochemistry",
)  # fmt: skip
DRAWINGS = ("horse", "shepp_logan_phantom", "logo")  # flat areas, and edges as steep on both sides


@pytest.fixture(scope="session")
def grey():
    """By name: a photograph that scikit-image installs, grey, as float64."""
    kept = {}

    def get(name):
        if name not in kept:
            image = getattr(skimage.data, name)()
            full = 255 if image.dtype == np.uint8 else 1
            if image.ndim == 3:
                image = image[..., :3] @ np.array([0.2125, 0.7154, 0.0721])
            kept[name] = image / full
        return kept[name]

    return get


def holes(shape):
    """A mask with a hole, a corner cut off and single pixels missing."""
    mask = np.random.default_rng(0).random(shape) < 0.995
    mask[shape[0] // 3 : shape[0] // 2, shape[1] // 4 : shape[1] // 2] = False
    mask[: shape[0] // 6, : shape[1] // 5] = False
    return mask


def assert_same(image, *arguments, **options):
    with np.errstate(all="ignore"):
        want = reference(image, *arguments, **options)
    got = imfilt.canny(image, *arguments, **options)
    assert got.dtype == bool
    differ = int((got != want).sum())
    named = {name: value for name, value in options.items() if name != "mask"}
    assert not differ, f"{differ} pixels of {want.sum()} differ: {image.dtype} {image.shape} {arguments} {named}"
    return want


# ---- float64: the same pixels --------------------------------------------------------


@pytest.mark.parametrize("name", PHOTOGRAPHS + DRAWINGS)
def test_photographs(grey, name):
    image = grey(name)
    for sigma in (0, 1, 3):
        assert_same(image, sigma)
    crop = image[-150:, 40:230]
    mask = holes(crop.shape)
    for sigma in (0, 1, (2.2, 0.6)):
        assert_same(crop, sigma, 0.03, 0.11)
        assert_same(crop, sigma, 0, 0.3, mode="reflect")
        assert_same(crop, sigma, mask=mask)
        assert_same(crop, sigma, 0.7, 0.9, use_quantiles=True)
        assert_same(crop, sigma, high_threshold=0.95, mask=mask, use_quantiles=True, mode="nearest")


@pytest.mark.parametrize("mode", MODES)
def test_modes_and_constants(build, grey, mode):
    image = grey("camera")[100:230, 180:300]
    image = image[:66, :40] if build == "numpy" else image
    for sigma in (0, 0.5, (1.3, 2), 40):
        for mask in (None, holes(image.shape)):
            for cval in (0.0, 0.37, -0.9, 3):
                assert_same(image, sigma, 0.01, 0.1, mask, mode=mode, cval=cval).any()
            assert_same(image, sigma, 0.6, 0.8, mask, True, mode=mode, cval=0.37)


@pytest.mark.parametrize("mode", MODES)
def test_rounding_too_is_the_same(build, mode):
    """Of flat images of large numbers the gradients are rounding alone, which a threshold of 0 lets through."""
    seen = 0
    for shape in ((75, 61), (9, 80), (66, 5)):
        for sigma in (0.7, 1, 1.9, 3, (2.2, 0.9)):
            for mask in (None, holes(shape)):
                for cval in (0.0, 1e6 / 3):
                    seen += assert_same(np.full(shape, 1e6 / 3), sigma, 0, 0, mask, mode=mode, cval=cval).sum()
                    assert_same(np.full(shape, 1e6 / 3), sigma, 0, 1e-9, mask, True, mode=mode, cval=cval)
    assert seen > 3000


@pytest.mark.parametrize("mode", MODES)
def test_the_smoothed_image_has_the_same_bits(build, grey, mode):
    image = grey("coins")[:60, :50].copy()
    for sigma in ((0, 0), (1, 1), (0, 1.7), (2.6, 0.6), (13, 20)):
        for mask in (None, holes(image.shape)):
            for cval in (0.0, 0.3, -7):
                want = _preprocess(image, mask, sigma, mode, cval)[0]
                got = np.full(image.shape, np.nan)
                smooth, *_ = _smoother(image, sigma, mask, borders.code(mode, cval), cval, got.dtype)
                for first in (0, 7, 30):
                    smooth(got[first:], first)
                assert_same_bits(got, want, f"{sigma} {mode} {cval} {mask is not None}")


@given(
    height=st.integers(1, 12), width=st.integers(1, 12), sigma=st.tuples(st.floats(0, 4), st.floats(0, 4)),
    mode=st.sampled_from(MODES), cval=st.sampled_from((0.0, 0.5, -2)), low=st.floats(0, 1), more=st.floats(0, 1),
    masked=st.booleans(), quantiles=st.booleans(), levels=st.sampled_from((2, 4, 1000)), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_any_shape_and_parameters(
    height, width, sigma, mode, cval, low, more, masked, quantiles, levels, seed
):  # fmt: skip
    rng = np.random.default_rng(seed)
    image = rng.integers(0, levels, (height, width)) / (levels - 1)
    mask = rng.random((height, width)) < 0.8 if masked else None
    high = min(low + more, 1)
    assert_same(image, sigma, low, high, mask, quantiles, mode=mode, cval=cval)


def test_sigma_and_thresholds_as_scikit_image_takes_them(grey):
    image = grey("coins")[:90, :80]
    for sigma in (np.float32(1.3), np.array([1.0, 2.0]), [0.5, 3], 1e-16, 1e-14, 0.124, 0.125):
        assert_same(image, sigma)
    for low, high in ((None, 0.4), (0.15, None), (np.float64(0.1), np.float32(0.3)), (-1, 0.3), (-2, -1), (0.2, 0.2)):
        assert_same(image, 1, low, high)
    # Magnitudes of an unsmoothed image in quarters are whole numbers: which ones are at the threshold shows.
    for low, high in ((1, 2), (2, 3), (np.nextafter(2, 3), np.nextafter(3, 4)), (1e-50, 1e300), (0, 4)):
        assert_same(np.round(image * 4) / 4, 0, low, high)


def test_not_a_number_and_infinity(grey):
    image = grey("camera")[150:250, 200:300].copy()
    mask = holes(image.shape)
    want = imfilt.canny(image, mask=mask)
    image[20, 30], image[60, 70], image[90, 12], image[40:44, 40:44] = np.nan, np.inf, -np.inf, np.inf
    for sigma in (0, 1):
        for low in (None, 0, -1):
            assert_same(image, sigma, low)
        assert not assert_same(image, sigma, use_quantiles=True).any()  # no magnitude is a quantile of these
        assert_same(image, sigma, mask=np.isfinite(image))
    for cval in (np.nan, np.inf):
        assert_same(grey("coins")[:40, :50], 1, cval=cval)
    image[~mask] = np.nan
    finite = np.isfinite(image) | ~mask
    image[~finite] = grey("camera")[150:250, 200:300][~finite]
    assert (imfilt.canny(image, mask=mask) == want).all()


def test_a_flat_image_has_no_edges_not_even_at_its_border():
    for dtype in ("float32", "float64", "uint8"):
        for mode in ("constant", "reflect"):
            assert not imfilt.canny(np.full((30, 40), 0.7 if dtype != "uint8" else 200, dtype), mode=mode).any()


# ---- other types ---------------------------------------------------------------------


def differing(image, *arguments, **options):
    """Pixels that differ from scikit-image's, and the pixels of its edges."""
    want = reference(image, *arguments, **options)
    return int((imfilt.canny(image, *arguments, **options) != want).sum()), int(want.sum())


@pytest.mark.parametrize("dtype", ["float32", "uint8", "uint16"])
def test_float32_arithmetic_differs_in_few_pixels(grey, dtype):
    """Where magnitudes are the same up to rounding, or at a threshold; and pixels that such a pixel links."""

    def typed(name):
        full = 1 if dtype == "float32" else np.iinfo(dtype).max
        return np.rint(grey(name) * full).astype(dtype) if full > 1 else grey(name).astype(dtype)

    smooth, edges = np.sum([differing(typed(name)) for name in PHOTOGRAPHS], axis=0)
    assert smooth <= 6, f"{smooth} of {edges}"
    raw = {name: differing(typed(name), 0) for name in PHOTOGRAPHS}
    counts = np.sum(list(raw.values()), axis=0)
    print(f"\n{dtype}, sigma 0: {counts[0]} of {counts[1]} edge pixels differ; sigma 1: {smooth} of {edges}")
    # The moon has few levels, and 0.2 is one of the magnitudes that they make.
    assert raw["moon"][0] <= 0.04 * raw["moon"][1]
    assert sum(count for name, (count, _) in raw.items() if name != "moon") <= 40, raw
    for name in DRAWINGS:
        count, edges = differing(typed(name))
        assert count <= 0.15 * edges, f"{name}: {count} of {edges}"


def test_integers_are_scaled_and_thresholds_count_in_levels(build, grey):
    image = grey("coins")[60:160, 100:220]
    image = image[:50, :60] if build == "numpy" else image
    for dtype in DTYPES:
        kind = np.dtype(dtype)
        full = float(np.iinfo(kind).max) if kind.kind in "iu" else 1.0
        typed = (image * np.nextafter(full, 0)).astype(kind) if kind.kind != "b" else image > 0.4
        # scikit-image refuses integers of 64 bits.
        source, top = (typed / full, 1.0) if kind.itemsize == 8 else (typed, full)
        for sigma, options in ((1, {}), (1.7, {"use_quantiles": True}), (2, {"mask": holes(image.shape)})):
            want = reference(source, sigma, **options)
            # Pictures of two levels have many magnitudes that are the same up to rounding.
            most = 2 if kind.kind != "b" else want.sum() / 5
            assert want.any()
            assert (imfilt.canny(typed, sigma, **options) != want).sum() <= most, f"{dtype} {sigma}"
        want = reference(source, 1, 0.3 * top, 0.9 * top)
        assert want.any()
        assert (imfilt.canny(typed, 1, 0.3 * full, 0.9 * full) != want).sum() <= most, dtype


def test_every_layout_and_array_likes(grey):
    image = np.rint(grey("coins")[:70, :80] * 255).astype(np.uint8)
    want = imfilt.canny(image)
    every_other = np.zeros((140, 160), np.uint8)
    every_other[::2, 1::2] = image
    mask = np.asfortranarray(holes(image.shape))
    masked = imfilt.canny(image, mask=mask.copy())
    turned = image[::-1, ::-1].copy()[::-1, ::-1]
    for other in (np.asfortranarray(image), every_other[::2, 1::2], turned, memoryview(image)):
        assert (imfilt.canny(other) == want).all()
        assert (imfilt.canny(other, mask=mask.tolist()) == masked).all()
    assert (imfilt.canny(image.astype(">u2") * 257) == imfilt.canny(image.astype(np.uint16) * 257)).all()
    assert (imfilt.canny((image / 255).tolist()) == imfilt.canny(image / 255)).all()


# ---- strips, threads, memory ---------------------------------------------------------


def test_strips_and_threads_make_no_difference(build, grey, monkeypatch):
    image = grey("coins") if build != "numpy" else grey("coins")[:60, :70]
    mask = holes(image.shape)
    options = ({}, {"mask": mask}, {"mode": "reflect", "sigma": 2}, {"mode": "wrap", "mask": mask}, {"cval": 0.4},
               {"use_quantiles": True, "mask": mask})  # fmt: skip
    want = [imfilt.canny(image, **one) for one in options]
    monkeypatch.setattr(chain, "BAND_BYTES", 0)
    monkeypatch.setattr(chain, "MEETING_NS", -1.0)
    for rows in (1, 2, 7, 1000):
        monkeypatch.setattr(chain, "BAND_ROWS", rows)
        for threads in (1, 3):
            with imfilt.num_threads(threads):
                for one, edges in zip(options, want, strict=True):
                    assert (imfilt.canny(image, **one) == edges).all(), f"{rows} rows, {threads} threads, {one}"


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 7), (60, 70)])
def test_a_border_is_given_back_in_one_piece_or_in_nine(grey, shape, monkeypatch):
    image = grey("coins")[: shape[0], : shape[1]] / 255
    for sigma in (0, 0.7, 2, (5, 1)):
        want = imfilt.canny(image, sigma)
        monkeypatch.setattr("imfilt.filters.canny.WHOLE_NUMBERS", 0)
        assert (imfilt.canny(image, sigma) == want).all()
        monkeypatch.undo()


def test_nothing_but_the_result_is_as_large_as_the_image(grey):
    image = np.tile(grey("coins"), (14, 1))  # 13 MB
    mask = holes(image.shape)
    out = np.empty(image.shape, bool)
    for options, most in (({}, 0.1), ({"mask": mask}, 0.25), ({"cval": 0.5}, 0.15), ({"use_quantiles": True}, 1.5)):
        with imfilt.num_threads(1):
            imfilt.canny(image, out=out, **options)
            tracemalloc.start()
            imfilt.canny(image, out=out, **options)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak <= most * image.nbytes, f"{list(options)}: {peak / image.nbytes:.2f} images"


# ---- out, sizes, refusals ------------------------------------------------------------


def test_out_is_filled_and_returned_and_may_be_the_image(grey):
    image = np.rint(grey("camera")[:90, 100:200] * 255).astype(np.uint8)
    mask = holes(image.shape)
    want, masked, of_mask = imfilt.canny(image), imfilt.canny(image, mask=mask), imfilt.canny(mask, 1, mask=mask)
    for dtype in (bool, np.uint8):
        wide = np.full((94, 220), 1, dtype)
        for out in (np.ones((90, 100), dtype), np.ones((100, 90), dtype).T, wide[2:92, 3:103], wide[2:92, 3:203:2]):
            assert imfilt.canny(image, out=out) is out
            assert (out == want).all()
        wide[2:92, 3:203] = 1
        assert (wide == 1).all()
    overlapped = np.zeros((95, 100), np.uint8)
    for shift in (0, 1, 5):
        overlapped[:90] = image
        out = overlapped[shift : shift + 90]
        assert imfilt.canny(overlapped[:90], mask=mask, out=out) is out
        assert (out == masked).all()
    for first in (image, mask):
        same = mask.copy()
        imfilt.canny(same if first is mask else image, mask=same, out=same)
        assert (same == (of_mask if first is mask else masked)).all()


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (1, 1), (1, 7), (7, 1), (2, 5), (5, 2), (3, 3)])
def test_empty_and_tiny_images(build, shape):
    image = pixels(np.random.default_rng(1), shape, "float64")
    for mode in MODES:
        for options in ({}, {"use_quantiles": True}, {"mask": np.ones(shape, bool)}, {"sigma": 9, "cval": 1}):
            if image.size:
                assert_same(image, mode=mode, **options)
            else:
                assert imfilt.canny(image, mode=mode, **options).shape == shape


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": np.zeros((4, 5, 3))}, r"two dimensions \(grey\), not shape \(4, 5, 3\); edges of channels cannot"),
        ({"image": np.zeros(4)}, r"two dimensions \(grey\), not shape \(4,\)$"),
        ({"image": np.zeros((4, 5), complex)}, "complex128"),
        ({"image": np.ma.zeros((4, 5))}, "masked array"),
        ({"sigma": -1}, "sigma must not be negative"),
        ({"sigma": (1, 2, 3)}, "sigma must be a number or two"),
        ({"sigma": 1e9}, "sigma 1000000000.0 .* radius"),
        ({"low_threshold": "a"}, "low_threshold must be a number, not 'a'"),
        ({"high_threshold": np.nan}, "high_threshold must be finite"),
        ({"low_threshold": 0.5}, "low_threshold must not be above high_threshold, not 0.5 and None"),
        ({"low_threshold": 0.3, "high_threshold": 0.2}, "must not be above high_threshold, not 0.3 and 0.2"),
        ({"low_threshold": -0.1, "use_quantiles": True}, "low_threshold must be between 0 and 1"),
        ({"high_threshold": 1.1, "use_quantiles": True}, "high_threshold must be between 0 and 1"),
        ({"mask": np.ones((5, 4), bool)}, r"mask must have the image's rows and columns, \(4, 5\)"),
        ({"mode": "edgy"}, "mode must be one of"),
        ({"mode": "zeros", "cval": 1}, "'zeros' means cval=0"),
        ({"cval": "a"}, "cval must be a number"),
        ({"out": np.ones((4, 5))}, "out must be of dtype bool or uint8, not float64"),
        ({"out": np.ones((5, 4), bool)}, r"out must have the shape of the result, \(4, 5\)"),
        ({"out": [[True] * 5] * 4}, "out must be a NumPy array, not list"),
    ],
)
def test_what_is_refused_is_named_and_nothing_is_written(options, message):
    out = np.full((4, 5), 7, np.uint8)
    with pytest.raises((TypeError, ValueError), match=message):
        imfilt.canny(**{"image": np.zeros((4, 5)), "out": out, **options})
    assert (out == 7).all()


@pytest.mark.parametrize("mode", ["constant", "reflect"])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_calls_that_come_again_find_the_same_edges(build, mode, dtype):
    images = [np.random.default_rng(n).integers(0, 256, (40, 60)).astype(dtype) for n in range(3)]
    if dtype[0] == "f":
        images = [image / np.array(255, dtype) for image in images]
    for sigma in (1.0, (1, 2)):
        plan.forget()
        options = {"sigma": sigma, "mode": mode}
        want = []
        for image in images:
            plan.forget()
            want.append(imfilt.canny(image, **options))
        assert want[0].any()
        spacious = np.zeros((40, 80), bool)
        for _ in range(2):
            for image, edges in zip(images, want, strict=True):
                np.testing.assert_array_equal(imfilt.canny(image, **options), edges, strict=True)
                for out in (np.ones((40, 60), bool), spacious[:, 10:70]):
                    assert imfilt.canny(image, **options, out=out) is out
                    np.testing.assert_array_equal(out, edges)
        low, high = (100, 250) if dtype == "uint8" else (0.5, 0.9)
        strict = imfilt.canny(images[0], **options, low_threshold=low, high_threshold=high)
        assert strict.sum() < want[0].sum()


def test_edges_of_flags_may_take_their_place(photo):
    image = photo[:40, :60, 1] > 128
    want = imfilt.canny(image)
    for _ in range(3):
        place = image.copy()
        assert imfilt.canny(place, out=place) is place
        np.testing.assert_array_equal(place, want)
