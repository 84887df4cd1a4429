"""Edge operators against scikit-image, on the photograph and on awkward shapes."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import skimage.filters as skf
from conftest import EDGES, MODES, assert_within, pixels

import imfilt

BORDERED = tuple(name for name in EDGES if name in ("sobel", "scharr", "prewitt", "farid"))
SMOOTH = {"sobel": [1, 2, 1], "scharr": [3, 10, 3], "prewitt": [1, 1, 1]}


def exact(name, image, **options):
    """scikit-image's result in float64, channel by channel."""
    if image.ndim == 3:
        return np.stack([exact(name, image[..., c], **options) for c in range(image.shape[2])], axis=-1)
    if image.dtype == np.float16 or image.dtype == np.float32:
        image = image.astype(np.float64)
    return getattr(skf, name)(image, **options)


def local_bound(image, size, eps):
    """(taps + 4) eps sum |w| |x|, with the weights bounded by 1: DESIGN section 3."""
    weights = np.ones((size, size) + (1,) * (image.ndim - 2))
    return (size * size + 4) * eps * ndi.convolve(np.abs(image.astype(np.float64)), weights, mode="reflect")


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_photograph_grey_and_colour(build, photo, name, dtype):
    image = photo[:160, :200] if build == "numpy" else photo
    image = image if dtype == "uint8" else (image / 255).astype(dtype)
    for view in (image[..., 1], image):
        assert_within(getattr(imfilt, name)(view), exact(name, view), 1e-6 if dtype != "float64" else 1e-14, name)


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 3), (3, 70), (67, 5), (33, 65)])
def test_awkward_shapes(build, name, shape):
    image = np.random.default_rng(1).random(shape)
    assert_within(getattr(imfilt, name)(image), exact(name, image), 1e-14, f"{name} {shape}")


@pytest.mark.parametrize("name", BORDERED)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1), (1,)])
def test_borders_and_axes(build, name, mode, axis):
    for shape in [(5, 7), (1, 3), (2, 1)]:
        image = np.random.default_rng(2).random(shape)
        options = {"mode": mode, "cval": 0.7, "axis": axis}
        assert_within(
            getattr(imfilt, name)(image, **options), exact(name, image, **options), 1e-14, f"{name} {options}"
        )


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"])
def test_integers_are_scaled_as_img_as_float(build, name, dtype):
    image = pixels(np.random.default_rng(3), (19, 23), dtype)
    result = getattr(imfilt, name)(image)
    # scikit-image has no loop for 64-bit integers in its own tests; img_as_float takes them.
    assert_within(result, exact(name, image), 3e-7 if result.dtype == np.float32 else 1e-15, f"{name} {dtype}")


@pytest.mark.parametrize("name", EDGES)
def test_float16_is_computed_in_float32(build, name):
    image = pixels(np.random.default_rng(4), (11, 13), "float16")
    result = getattr(imfilt, name)(image)
    assert result.dtype == np.float32
    assert_within(result, exact(name, image), local_bound(image, 5, 1.2e-7), name)


@pytest.mark.parametrize("name", EDGES)
def test_masks_are_eroded(build, photo, name):
    image = photo[:50, :60]
    mask = np.random.default_rng(5).random((50, 60)) > 0.05
    mask[10:20, 10:20] = False
    for view in (image[..., 0], image):
        got = getattr(imfilt, name)(view, mask)
        want = [exact(name, image[..., c], mask=mask) for c in range(3)]
        assert_within(got, want[0] if view.ndim == 2 else np.stack(want, -1), 1e-6, name)
    inside = getattr(imfilt, name)(image, np.ones((50, 60), bool))
    assert not inside[0].any()
    assert not inside[:, -1].any()


@pytest.mark.parametrize("name", ["sobel", "scharr", "prewitt"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_integer_images_are_exact_up_to_the_root(build, name, dtype):
    """The squares are integers; what is left is one rounding of the root and one of the factor."""
    image = pixels(np.random.default_rng(6), (40, 50), dtype)
    smooth, divisor = SMOOTH[name], sum(SMOOTH[name])
    h = ndi.correlate(image.astype(np.int64), np.outer([-1, 0, 1], smooth), mode="reflect")
    v = ndi.correlate(image.astype(np.int64), np.outer(smooth, [-1, 0, 1]), mode="reflect")
    want = np.sqrt((h * h + v * v).astype(np.float64) / 2) / divisor
    got = getattr(imfilt, name)(image, preserve_range=True)
    assert_within(got, want, want * 2.0**-24 * 3.01, name)
    signed = getattr(imfilt, f"{name}_h")(image, preserve_range=True, dtype="float64")
    assert_within(signed, h / divisor, np.abs(h / divisor) * 2.0**-52)


def exact_ties(name, image):
    """The same, with the roots of whole squares exact: scikit-image's are off by a rounding."""
    if "_" in name:
        return exact(name, image)
    parts = ("_pos_diag", "_neg_diag") if name == "roberts" else ("_h", "_v")
    h, v = (exact(name + part, image) for part in parts)
    return np.sqrt((h * h + v * v) / 2)


@pytest.mark.parametrize("name", EDGES)
def test_eight_bit_edges_are_full_scale_rounded_and_saturated(build, photo, name):
    for image in (photo[:200, :300], (np.indices((9, 9)).sum(0) % 2 * 255).astype(np.uint8)):
        want = np.clip(np.rint(exact_ties(name, image.astype(np.float64))), 0, 255)
        got = getattr(imfilt, name)(image, dtype=np.uint8)
        assert got.dtype == np.uint8
        assert np.abs(got - want).max() <= 1
        assert (got == want).mean() > 0.9999, name


@pytest.mark.parametrize("scale", [1e-44, 1e-30, 1e-22, 1e-18, 1e18, 1e25, 1e37])
def test_squares_neither_underflow_nor_overflow(build, scale):
    """float32 squares would be 0 or infinite; the contract is relative to the pixels."""
    image = (np.random.default_rng(7).standard_normal((9, 40)) * scale).astype(np.float32)
    for name in ("sobel", "farid", "roberts"):
        want = exact(name, image)
        bound = local_bound(image, 5, 1.2e-7) + 3e-45
        assert_within(getattr(imfilt, name)(image), want, bound, f"{name} {scale}")
    unit = np.random.default_rng(7).standard_normal((9, 40))
    factor = 2.0 ** (1000 if scale > 1 else -1000)
    assert_within(imfilt.sobel(unit * factor), exact("sobel", unit) * factor, factor * 1e-14)


def test_nan_and_inf_reach_their_footprint_and_nothing_else(build):
    for bad in (np.nan, np.inf):
        image = np.random.default_rng(8).random((15, 60)).astype(np.float32)
        image[7, 30] = bad
        for name, reach in (("sobel", 1), ("farid", 2)):
            touched = ~np.isfinite(getattr(imfilt, name)(image))
            footprint = np.zeros_like(touched)
            footprint[7 - reach : 8 + reach, 30 - reach : 31 + reach] = True
            assert not (touched & ~footprint).any()
            # The difference taps are 0 in the middle, so only there can the result be finite.
            assert touched.sum() >= footprint.sum() - 1


def test_transposing_swaps_the_derivatives(photo):
    image = photo[..., 0].astype(np.int32)
    for name in ("sobel", "scharr", "prewitt"):
        h, v = getattr(imfilt, f"{name}_h"), getattr(imfilt, f"{name}_v")
        np.testing.assert_array_equal(h(image.T, preserve_range=True), v(image, preserve_range=True).T)
        np.testing.assert_array_equal(h(image[::-1], preserve_range=True), -h(image, preserve_range=True)[::-1])


RAMPS = {"h": (1, 0), "v": (0, 1), "pos_diag": (0.5**0.5, 0.5**0.5), "neg_diag": (0.5**0.5, -(0.5**0.5))}


@pytest.mark.parametrize("name", EDGES)
def test_unit_gain_answers_a_ramp_with_its_slope(build, name):
    y, x = np.indices((11, 12)) * 1.0
    inside = slice(2, -2), slice(2, -2)
    _, _, part = name.partition("_")
    filtered = getattr(imfilt, name)
    if part:
        down, along = RAMPS[part]
        for slope in (1, -3):
            got = filtered(slope * (down * y + along * x), gain="unit")[inside]
            assert_within(got, np.full(got.shape, slope), 1e-14)
        got = filtered(along * y - down * x, gain="unit")[inside]  # across
        assert_within(got, np.zeros(got.shape), 1e-14)
        return
    for angle in np.linspace(0, 2 * np.pi, 13):
        got = filtered(3 * (np.sin(angle) * y + np.cos(angle) * x), gain="unit")[inside]
        assert_within(got, np.full(got.shape, 3.0), 1e-13)
    if name in BORDERED:
        for axis, ramp in ((0, y), (1, x)):
            got = filtered(ramp, axis=axis, gain="unit")[inside]
            assert_within(got, np.ones(got.shape), 1e-14)


@pytest.mark.parametrize("name", EDGES)
def test_gains_are_factors_of_scikit_images(photo, name):
    """Measured on scikit-image's: what a ramp answers, and a magnitude."""
    family, _, part = name.partition("_")
    ramp = {"farid": 0.9918, "roberts": 2**0.5}.get(family, 2.0)
    factor = ramp if part else {"farid": 0.7013, "roberts": 1.0}.get(family, 1.4142)
    image = photo[:60, :70, 1] / 255
    usual, unit = getattr(imfilt, name)(image, gain="scikit-image"), getattr(imfilt, name)(image, gain="unit")
    assert_within(usual, getattr(imfilt, name)(image), 0)
    assert_within(unit * factor, usual, 1e-4)
    if not part and family != "roberts":
        h, v = (getattr(imfilt, f"{family}_{one}")(image, gain="unit") for one in "hv")
        assert_within(unit, np.hypot(h, v), 1e-14)
    if name == "roberts":
        p, n = (getattr(imfilt, f"roberts_{one}_diag")(image, gain="unit") for one in ("pos", "neg"))
        assert_within(unit, np.hypot(p, n), 1e-14)


def test_unit_gain_at_full_scale():
    """A ramp of 10 levels a pixel answers 10 levels."""
    image = np.tile(np.arange(0, 200, 10, dtype=np.uint8), (6, 1))
    for name in ("sobel", "scharr_v", "prewitt", "farid", "farid_v", "roberts"):
        for preserve in (False, True):
            got = getattr(imfilt, name)(image, gain="unit", dtype=np.uint8, preserve_range=preserve)
            assert (got[2:-2, 2:-2] == 10).all(), name


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("gain", ["", "Unit", None, 1, ["unit"]])
def test_other_gains_are_refused(name, gain):
    out = np.full((4, 5), 7.0)
    with pytest.raises(ValueError, match="gain must be one of 'scikit-image', 'unit', not"):
        getattr(imfilt, name)(np.zeros((4, 5)), gain=gain, out=out)
    assert (out == 7).all()


def test_masks_and_weights_together():
    image = np.random.default_rng(9).random((20, 21, 3))
    mask = np.ones((20, 21), bool)
    mask[7:10, 8:12] = False
    image[~mask] = np.nan
    got = imfilt.sobel(image, mask, weights=mask)
    assert np.isfinite(got).all()
    assert not got[6:11, 7:13].any()
    assert_within(got[:6], np.nan_to_num(imfilt.sobel(image, mask)[:6]), 1e-15)
    assert np.isfinite(imfilt.sobel(image, weights=mask)[6]).all()  # where the mask leaves nothing


@pytest.mark.parametrize("part", ["h", "v"])
@pytest.mark.parametrize("family", ["sobel", "scharr", "prewitt", "farid"])
def test_flat_pixels_give_zero_and_not_minus_zero(build, family, part):
    for dtype in (np.uint8, np.float32, np.float64):
        flat = getattr(imfilt, f"{family}_{part}")(np.full((9, 40), 3, dtype))
        assert not flat.any(), dtype
        assert not np.signbit(flat).any(), dtype
