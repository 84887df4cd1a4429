"""Normalised convolution: pixels that count for less, or not at all. Against the definition, SciPy, and its laws."""

import inspect

import numpy as np
import pytest
import scipy.ndimage as ndi
from conftest import DTYPES, EDGES, MODES, assert_same_bits, assert_within, pixels

import imfilt
from imfilt import kernels
from imfilt._engine import isa, weighted
from imfilt._engine.plan import Kernel, Stage
from imfilt._engine.run import apply
from imfilt.convolution import single
from imfilt.convolution.multirate import axis as multirate_axis
from imfilt.convolution.resample import transposed_kernel
from imfilt.convolution.separable import separable_kernel, taps

PADS = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}
LINEAR = {name: kernels.__dict__[name.upper()] for name in ("sobel", "scharr", "prewitt", "farid")}
# What the tests know the taps of.
PLAIN = (*EDGES, "gaussian", "kirsch", "compass")


def two_dimensional(name):
    """The taps of a linear filter as a correlation about its centre, (rows, columns)."""
    if name == "gaussian":
        return np.outer(kernels.gaussian(1.0), kernels.gaussian(1.0))
    if name.startswith("roberts"):
        kernel = np.zeros((3, 3))
        for r, c, tap in kernels.ROBERTS_POSITIVE if "pos" in name else kernels.ROBERTS_NEGATIVE:
            kernel[1 + r, 1 + c] = tap
        return kernel
    family, _, part = name.partition("_")
    smooth, difference, gain = LINEAR[family]
    kernel = np.outer(difference[::-1], smooth) * gain
    return kernel if part == "h" else kernel.T


def by_definition(image, kernel, weights, mode="reflect", cval=0.0):
    """The definition, window by window, in float64; what does not count may be anything."""
    reach = [(n // 2, n // 2) for n in kernel.shape]
    options = {"constant_values": cval} if mode == "constant" else {}
    x = np.pad(np.where(weights > 0, image.astype(np.float64), 0), reach, PADS[mode], **options)
    w = np.pad(weights.astype(np.float64), reach, PADS[mode], **({"constant_values": 1} if options else {}))
    x, w = (np.lib.stride_tricks.sliding_window_view(one, kernel.shape) for one in (x, w))
    window = np.abs(kernel)
    total = (window * w).sum((-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (window * w * x).sum((-2, -1)) / total
        spread = (kernel * w * (x - mean[..., None, None])).sum((-2, -1)) * window.sum() / total
    return spread + mean * kernel.sum()


def exact(name, image, weights, **options):
    """A filter by the definition: what is not linear combines those that are."""
    if "_" in name or name == "gaussian":
        return by_definition(image, two_dimensional(name), weights, **options)
    if name in ("kirsch", "compass"):
        return np.max([by_definition(image, mask / 15, weights, **options) for mask in kernels.compass("kirsch")], 0)
    parts = ("_pos_diag", "_neg_diag") if name == "roberts" else ("_h", "_v")
    h, v = (by_definition(image, two_dimensional(name + part), weights, **options) for part in parts)
    return np.sqrt((h * h + v * v) / 2)


def holes(rng, shape, part=0.3):
    """Weights between 0 and 1, of which some are 0, among them a block of 6 x 7."""
    weights = rng.random(shape) * (rng.random(shape) > part)
    weights[3:9, 4:11] = 0
    return weights


def assert_as_exact(actual, want, bound, what=""):
    """Within the bound where something is known, and NaN where nothing is."""
    assert (np.isnan(actual) == np.isnan(want)).all(), f"{what}: known and unknown pixels"
    assert_within(np.nan_to_num(actual), np.nan_to_num(want), bound, what)


def every_filter():
    """Every filter that takes weights, and an image and nothing else."""
    for name, place in imfilt._PLACE_OF.items():
        if place.startswith("imfilt.filters."):
            more = list(inspect.signature(getattr(imfilt, name)).parameters.values())[1:]
            if "weights" in [one.name for one in more] and all(one.default is not one.empty for one in more):
                yield name


# ---- the definition --------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sigma", [0.7, 2, (1, 4), (0, 3)])
def test_smoothing_is_the_quotient_of_two_smoothed_images(mode, sigma):
    rng = np.random.default_rng(0)
    image, weights = rng.random((2, 22, 31))
    weights[rng.random(weights.shape) < 0.5] = 0
    if mode == "constant":  # the border counts 1
        framed, counts = (np.pad(one, 20, constant_values=value) for one, value in ((image, 0.4), (weights, 1)))
        v, w = (ndi.gaussian_filter(one, sigma)[20:-20, 20:-20] for one in (framed * counts, counts))
    else:
        v, w = (ndi.gaussian_filter(one, sigma, mode=mode) for one in (image * weights, weights))
    got = imfilt.gaussian(image, sigma, mode=mode, cval=0.4, weights=weights)
    assert_as_exact(got, np.divide(v, w, out=np.full_like(v, np.nan), where=w > 1e-12), 1e-13)


@pytest.mark.parametrize("name", PLAIN)
def test_every_filter_keeps_to_the_definition(build, name):
    rng = np.random.default_rng(1)
    for mode in MODES if build == isa.usable()[-1] else MODES[:1]:
        image = rng.random((15, 21))
        weights = holes(rng, image.shape)
        got = getattr(imfilt, name)(image, mode=mode, cval=0.6, weights=weights)
        assert_as_exact(got, exact(name, image, weights, mode=mode, cval=0.6), 1e-13, f"{name} {mode}")


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_any_equal_weights_change_nothing(name, dtype):
    image = pixels(np.random.default_rng(2), (9, 13), dtype)
    if image.dtype.kind == "i":  # below -1
        image[4, 5] = np.iinfo(dtype).min
    want = getattr(imfilt, name)(image).astype(np.float64)
    bound = 40 * np.finfo(np.float32 if image.dtype.itemsize < 4 or dtype == "float32" else np.float64).eps
    # 1e-50 and 1e60 are out of the range of float32.
    for one in (True, 3, 0.2, np.uint8(200), 1e-50, 1e60):
        got = getattr(imfilt, name)(image, weights=np.full(image.shape, one))
        assert got.dtype == getattr(imfilt, name)(image).dtype
        assert_within(got, want, bound * max(1, np.abs(want).max()), f"{one!r}")
    scaled = getattr(imfilt, name)(image, preserve_range=True, weights=np.ones(image.shape))
    plain = getattr(imfilt, name)(image, preserve_range=True).astype(np.float64)
    assert_within(scaled, plain, bound * np.abs(plain).max())


@pytest.mark.parametrize("name", [*every_filter()])
def test_laws_of_every_filter(photo, name):
    """Equal weights change nothing; what counts nothing has no part, and alpha is another way to say it."""
    image = photo[:40, :50]

    def results(image, **options):
        got = getattr(imfilt, name)(image, mode="nearest", **options)
        return got if isinstance(got, tuple | list) else (got,)

    weights = holes(np.random.default_rng(27), (40, 50))
    for got, want in zip(results(image, weights=np.full((40, 50), 0.3)), results(image), strict=True):
        difference = np.abs(got - want)
        if name == "gradient":  # angles of flat parts may be any
            difference = np.minimum(difference, 2 * np.pi - difference)[results(image)[0] > 0.01]
        assert_within(difference, np.zeros_like(difference), 2e-4 if name == "gradient" else 1e-5)
    real = (image / 255).astype(np.float32)
    want = results(real, weights=weights)
    real[weights == 0] = np.nan
    transparent = np.concatenate([real, weights[..., None].astype(np.float32)], axis=-1)
    with_alpha = results(transparent, alpha=True)
    for got, other, one in zip(results(real, weights=weights), with_alpha, want, strict=True):
        assert_same_bits(got, one)
        if name != "gradient":
            assert_within(other[..., :3][~np.isnan(one)], one[~np.isnan(one)], 1e-5)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("scale", [1e-30, 1e25])
def test_large_and_small_numbers_do_not_leave_the_range(name, scale):
    image = np.random.default_rng(3).random((8, 9)).astype(np.float32)
    want = getattr(imfilt, name)(image).astype(np.float64) * scale
    got = getattr(imfilt, name)(image * np.float32(scale), weights=np.ones(image.shape))
    assert_within(got, want, 1e-5 * scale)


@pytest.mark.parametrize("name", PLAIN)
def test_a_constant_image_with_holes_stays_constant_and_has_no_edges(name):
    weights = holes(np.random.default_rng(4), (20, 30), 0.6)
    got = getattr(imfilt, name)(np.full((20, 30), 0.7), weights=weights, mode="constant", cval=0.7)
    assert np.isnan(got).any() == (name not in ("gaussian",))
    assert_within(got[~np.isnan(got)], np.full(got.shape, 0.7 if name == "gaussian" else 0)[~np.isnan(got)], 1e-15)
    eight = getattr(imfilt, name)(np.full((20, 30), 201, np.uint8), weights=weights, dtype=np.uint8)
    assert (eight[~np.isnan(got)] == (201 if name == "gaussian" else 0)).all()


@pytest.mark.parametrize("name", PLAIN)
def test_what_counts_nothing_has_no_part_whatever_it_is(name):
    rng = np.random.default_rng(5)
    image = rng.random((18, 25, 2)).astype(np.float32)
    weights = holes(rng, image.shape[:2])
    want = getattr(imfilt, name)(image, weights=weights)
    for bad in (np.nan, np.inf, -np.inf, 3e38):
        image[weights == 0] = bad
        assert_same_bits(getattr(imfilt, name)(image, weights=weights), want, f"{bad}")


@pytest.mark.parametrize("name", PLAIN)
def test_finite_leaves_out_nan_and_infinity_in_each_channel(name):
    rng = np.random.default_rng(6)
    image = rng.random((16, 20, 3))
    image[rng.random(image.shape) < 0.2] = np.nan
    image[2, 3, 1] = np.inf
    image[8, 9, 2] = -np.inf
    got = getattr(imfilt, name)(image, weights="finite", mode="reflect")
    assert_same_bits(got, getattr(imfilt, name)(image, weights=np.isfinite(image), mode="reflect"))
    for c in range(3):
        want = exact(name, np.nan_to_num(image[..., c]), np.isfinite(image[..., c]))
        assert_as_exact(got[..., c], want, 1e-13, f"{name} {c}")


def test_nan_by_the_quotient_as_astropy_interpolates():
    """astropy.convolution.convolve(nan_treatment="interpolate", normalize_kernel=True) is sum(k x) / sum(k) over the
    finite pixels."""
    rng = np.random.default_rng(7)
    image = rng.random((20, 30)).astype(np.float32)
    image[rng.random(image.shape) < 0.3] = np.nan
    kernel = np.outer(kernels.gaussian(1.2), kernels.gaussian(1.2))
    there = np.isfinite(image)
    v, w = (ndi.correlate(one.astype(float), kernel, mode="nearest") for one in (np.where(there, image, 0), there))
    assert_within(imfilt.gaussian(image, 1.2, weights="finite"), v / w, 1e-6)


def test_a_border_of_nan_is_left_out():
    """So that only the image itself counts."""
    image = np.random.default_rng(8).random((9, 12))
    inside = ndi.gaussian_filter(np.ones_like(image), 2, mode="constant")
    want = ndi.gaussian_filter(image, 2, mode="constant") / inside
    for weights in ("finite", np.ones(image.shape)):
        got = imfilt.gaussian(image, 2, mode="constant", cval=np.nan, weights=weights)
        assert_within(got, want, 1e-14)
    assert np.isfinite(imfilt.gaussian(image, 2, mode="constant", cval=np.inf, weights="finite")).all()
    assert np.isinf(imfilt.gaussian(image, 2, mode="constant", cval=np.inf, weights=np.ones(image.shape))[0]).all()


def test_a_border_counts_1_however_small_the_weights_are():
    image = np.random.default_rng(28).random((9, 12)).astype(np.float32)
    got = imfilt.gaussian(image, 1, mode="constant", cval=0.25, weights=np.full(image.shape, 1e-60))
    assert_within(got[[0, -1]], np.full((2, 12), 0.25), 1e-6)


def test_nan_that_counts_reaches_only_what_has_a_tap_on_it():
    image = np.random.default_rng(9).random((9, 9))
    image[4, 4] = np.nan
    for name in ("sobel_h", "sobel_v", "farid_h", "farid_v", "roberts_pos_diag"):
        got = getattr(imfilt, name)(image, weights=np.ones(image.shape))
        assert (np.isnan(got) == np.isnan(getattr(imfilt, name)(image))).all(), name


def test_far_tails_of_a_gaussian_count():
    """A single known pixel is the mean of all that see it, however small its tap."""
    for dtype, sigma, truncate in ((np.float32, 2, 4), (np.float64, 1, 20), (np.float32, 3, 6)):
        image = np.full((41, 41), np.nan, dtype)
        image[20, 20] = 0.3
        got = imfilt.gaussian(image, sigma, truncate=truncate, weights="finite", mode="constant", cval=np.nan)
        radius = min(int(truncate * sigma), 20)
        known = np.zeros(image.shape, bool)
        known[20 - radius : 21 + radius, 20 - radius : 21 + radius] = True
        assert (np.isnan(got) == ~known).all()
        assert_within(got[known], np.full(known.sum(), 0.3), 1e-6)


# ---- shapes of weights, channels, memory -----------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("name", ["sobel", "gaussian", "kirsch", "roberts_neg_diag"])
def test_weights_for_all_channels_or_for_each(name, axis):
    rng = np.random.default_rng(10)
    image, weights = rng.random((12, 17, 3)), holes(rng, (12, 17, 3))
    function = getattr(imfilt, name)
    moved = np.moveaxis(image, -1, axis)
    each = function(moved, weights=np.moveaxis(weights, -1, axis), channel_axis=axis)
    one = function(moved, weights=weights[..., 1], channel_axis=axis)
    for c in range(3):
        assert_same_bits(
            np.moveaxis(each, axis, -1)[..., c].copy(), function(image[..., c].copy(), weights=weights[..., c])
        )
        assert_same_bits(
            np.moveaxis(one, axis, -1)[..., c].copy(), function(image[..., c].copy(), weights=weights[..., 1])
        )


@pytest.mark.parametrize("name", ["sobel", "farid_v", "gaussian", "kirsch"])
def test_bands_and_threads_do_not_matter(build, monkeypatch, name):
    rng = np.random.default_rng(11)
    image, weights = rng.random((2, 70, 33)).astype(np.float32)
    weights[rng.random(weights.shape) < 0.5] = 0
    function = getattr(imfilt, name)
    monkeypatch.setattr(weighted, "BAND_ROWS", 1000)
    want = function(image, weights=weights)
    for rows in (1, 7, 64):
        monkeypatch.setattr(weighted, "BAND_ROWS", rows)
        for n in (1, 2, 5):
            with imfilt.num_threads(n):
                assert_same_bits(function(image, weights=weights), want, f"{rows} rows, {n} threads")
    assert_same_bits(function(image[20:60], weights=weights[20:60])[5:-5], want[25:55], "a part")


@pytest.mark.parametrize("name", PLAIN)
def test_layouts_out_and_the_image_as_out(name):
    rng = np.random.default_rng(12)
    function = getattr(imfilt, name)
    for shape in ((14, 15), (14, 15, 4)):
        image, weights = rng.random(shape), holes(rng, shape[:2])
        want = function(image, weights=weights)
        before = weights.copy(), image.copy()
        for view in (np.asfortranarray(image), image[::-1, ::-1].copy()[::-1, ::-1], image.astype(">f8")):
            assert_same_bits(function(view, weights=np.asfortranarray(weights)), want)
        for out in (np.full_like(image, 7), np.asfortranarray(image), image.astype(">f8")):
            assert function(image, weights=weights, out=out) is out
            assert_same_bits(out.astype("f8"), want)
        assert (before[0] == weights).all()
        assert (before[1] == image).all()
        assert function(image, weights=weights, out=image) is image
        assert_same_bits(image, want)
        assert_same_bits(function(before[1], weights=weights.tolist()), want)
    # The result may even take the place of the weights.
    image, weights = rng.random((2, 14, 15))
    want = function(image, weights=weights)
    assert_same_bits(function(image, weights=weights, out=weights), want)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (4, 4, 0), (1, 1), (1, 1, 1), (1, 7), (7, 1), (2, 1, 5)])
def test_empty_and_tiny_images(name, shape):
    rng = np.random.default_rng(13)
    image, weights = rng.random(shape), rng.random(shape) + 0.1
    for mode in MODES:
        got = getattr(imfilt, name)(image, mode=mode, weights=weights)
        assert got.shape == shape
        if image.size:
            channels = [...] if image.ndim == 2 else [(..., c) for c in range(shape[2])]
            for c in channels:
                assert_as_exact(got[c], exact(name, image[c], weights[c], mode=mode), 1e-14)
    assert np.isnan(getattr(imfilt, name)(image, weights=np.zeros(shape))).all()


def test_integer_results():
    rng = np.random.default_rng(14)
    image = pixels(rng, (16, 18, 3), "uint8")
    weights = holes(rng, (16, 18))
    for name in ("gaussian", "sobel", "kirsch"):
        exact_result = getattr(imfilt, name)(image.astype(np.float64), weights=weights)
        got = getattr(imfilt, name)(image, weights=weights, dtype=np.uint8)
        want = np.clip(np.rint(np.nan_to_num(exact_result)), 0, 255)
        assert np.abs(got - want).max() <= 1
        assert (got == want).mean() > 0.99
    sixteen = imfilt.sobel_h(image.astype(np.int16) - 128, weights=weights, dtype=np.int16, preserve_range=True)
    exact_result = imfilt.sobel_h(image.astype(np.float64) - 128, weights=weights)
    assert_within(sixteen, np.nan_to_num(exact_result), 0.51)


# ---- alpha -----------------------------------------------------------------------


def rgba(rng, shape):
    """Colours and alpha from 0 to 1, of which a block is transparent and hides large numbers."""
    image = rng.random((*shape, 4))
    image[2:14, 3:15, 3] = 0
    image[16, 18, 3] = image[17, 17, 3] = 0  # all that one diagonal of Roberts' cross sees
    image[2:14, 3:15, :3] = 1e3
    return image


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sigma", [1, (2, 0.5)])
def test_colours_are_premultiplied(mode, sigma):
    image = rgba(np.random.default_rng(15), (24, 27))
    image[..., :3] /= 1e3
    got = imfilt.gaussian(image, sigma, mode=mode, cval=0.5, alpha=True)

    def smooth(plane, cval):
        return ndi.gaussian_filter(plane, sigma, mode=mode, cval=cval)

    opacity = smooth(image[..., 3], 0.5)
    assert_within(got[..., 3], opacity, 1e-15)
    for c in range(3):
        colour = smooth(image[..., c] * image[..., 3], 0.25)
        want = np.divide(colour, opacity, out=np.zeros_like(colour), where=opacity > 1e-15)
        assert_within(got[..., c], want, 1e-13)


def test_a_white_square_on_transparent_red_has_no_red_rim():
    image = np.zeros((32, 32, 4), np.uint8)
    image[..., 0] = 255
    image[14:17, 14:17] = 255
    got = imfilt.gaussian(image, 2, alpha=True, dtype=np.uint8)
    assert got[13, 14].tolist() == [255, 255, 255, 46]
    assert (got[..., :3][got[..., 3] > 0] == 255).all()
    assert not got[:6].any()  # farther than the kernel reaches


def test_others_blur_hidden_colours_in():
    cv2 = pytest.importorskip("cv2")
    image = np.zeros((32, 32, 4), np.uint8)
    image[..., 0] = 255
    image[14:17, 14:17] = 255
    assert cv2.GaussianBlur(image, (0, 0), 2)[13, 14].tolist() == [255, 46, 46, 46]
    # Premultiplied by hand, theirs is ours.
    share = image[..., 3:] / 255.0
    blurred = cv2.GaussianBlur(np.concatenate([image[..., :3] * share, share], axis=-1), (17, 17), 2)
    want = np.divide(blurred[..., :3], blurred[..., 3:], out=np.zeros((32, 32, 3)), where=blurred[..., 3:] > 1e-12)
    got = imfilt.gaussian(image, 2, alpha=True, preserve_range=True, dtype=np.float64)
    assert_within(got[..., :3], want, 1e-9)
    assert_within(got[..., 3], blurred[..., 3] * 255, 1e-9)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_alpha_weights_the_colours(name, axis):
    rng = np.random.default_rng(16)
    image = rgba(rng, (20, 22))
    got = getattr(imfilt, name)(np.moveaxis(image, -1, axis), alpha=True, channel_axis=axis)
    got = np.moveaxis(got, axis, -1)
    want = getattr(imfilt, name)(image[..., :3].copy(), weights=image[..., 3])
    assert_as_exact(got[..., :3], np.nan_to_num(want), 1e-13, name)
    assert (got[4:12, 5:13, :3] == 0).all() or name in ("gaussian",)
    if name == "gaussian":
        assert_within(got[..., 3], imfilt.gaussian(image[..., 3]), 1e-15)
    else:  # edges are as opaque as the image
        assert (got[..., 3] == image[..., 3]).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_alpha_of_any_dtype(dtype):
    image = rgba(np.random.default_rng(17), (19, 23))
    image[..., :3][image[..., :3] > 1] = 0.6
    full = 1 if dtype == "float32" else np.iinfo(dtype).max
    image = (image * full).astype(dtype)
    real = image.astype(np.float64) / full
    for name in ("gaussian", "sobel", "roberts", "kirsch"):
        function = getattr(imfilt, name)
        want = function(real, alpha=True)
        assert_within(function(image, alpha=True), want, 1e-5, name)
        back = function(image, alpha=True, dtype=dtype)
        assert_within(back, np.clip(want * full, 0, full) if full > 1 else want, max(1e-5, 1e-5 * full, full > 1), name)
        if name != "gaussian":
            assert (back[..., 3] == image[..., 3]).all()
        plain = function(image, alpha=True, preserve_range=True)
        assert_within(plain, want * full, 1e-5 * full, name)


def test_signed_filters_of_one_channel_keep_alpha_too():
    image = rgba(np.random.default_rng(18), (20, 22))
    for name in ("sobel_h", "farid_v", "roberts_pos_diag"):
        assert (getattr(imfilt, name)(image, alpha=True, gain="unit")[..., 3] == image[..., 3]).all()
    for order in (1, 2, (2, 0), (0, 1)):
        for sigma in (0.5, 1, 3):
            got = imfilt.gaussian(image, sigma, order=order, alpha=True)
            assert (got[..., 3] == image[..., 3]).all(), (order, sigma)


def test_alpha_that_makes_no_sense_counts_nothing():
    image = np.random.default_rng(19).random((12, 13, 2))
    odd = image.copy()
    image[3:6, 2:9, 1] = 0
    odd[3:6, 2:9, 1] = np.nan
    odd[4, 2:9, 1] = -0.5
    odd[3:6, 2:9, 0] = np.nan
    assert_same_bits(imfilt.gaussian(odd, 1.5, alpha=True), imfilt.gaussian(image, 1.5, alpha=True))


def test_a_constant_border_is_as_opaque_as_it_says():
    image = np.ones((8, 9, 2))
    image[..., 0] = 0.3
    got = imfilt.gaussian(image, 1, alpha=True, mode="constant", cval=0)
    assert_within(got[..., 0], np.full((8, 9), 0.3), 1e-15)
    assert_within(got[..., 1], ndi.gaussian_filter(np.ones((8, 9)), 1, mode="constant"), 1e-15)


def test_masks_leave_alpha_alone():
    image = rgba(np.random.default_rng(20), (20, 22))
    mask = np.ones((20, 22), bool)
    mask[4, 5] = False
    got = imfilt.sobel(image, mask, alpha=True)
    assert (got[..., 3] == image[..., 3]).all()
    assert not got[3:6, 4:7, :3].any()
    assert not got[0, :, :3].any()


# ---- what it takes no exception to, and what it does -----------------------------


@pytest.mark.parametrize("name", PLAIN)
def test_wrong_arguments_leave_out_untouched(name):
    function = getattr(imfilt, name)
    image = np.random.default_rng(21).random((6, 7, 4))
    out = np.full_like(image, 5)
    wrong = [
        (ValueError, "weights must be finite and not negative", {"weights": np.full((6, 7), -1)}),
        (ValueError, "weights must be finite and not negative", {"weights": np.full((6, 7), np.nan)}),
        (ValueError, "weights must be finite and not negative", {"weights": np.full((6, 7), np.inf)}),
        (ValueError, "weights must have the image's rows and columns", {"weights": np.ones((7, 6))}),
        (ValueError, "weights must have the image's rows and columns", {"weights": np.ones((6, 7, 3))}),
        (ValueError, "weights must have the image's rows and columns", {"weights": 1.0}),
        (ValueError, "weights must be one of 'finite'", {"weights": "all"}),
        (TypeError, "weights must be numbers or booleans", {"weights": np.ones((6, 7), complex)}),
        (TypeError, "weights must be numbers or booleans", {"weights": np.full((6, 7), None)}),
        (TypeError, "weights cannot be read", {"weights": [[1, 2], [3]]}),
        (ValueError, "alpha and weights are both given", {"alpha": True, "weights": np.ones((6, 7))}),
        (TypeError, "alpha must be True or False", {"alpha": "premultiply"}),
        (ValueError, "mode must be one of", {"alpha": True, "mode": "none"}),
    ]  # fmt: skip
    for error, words, options in wrong:
        with pytest.raises(error, match=words):
            function(image, out=out, **options)
        assert (out == 5).all()
    for grey in (image[..., 0], image[..., :1]):
        with pytest.raises(ValueError, match="alpha=True needs an image with colours and alpha"):
            function(grey, alpha=True)


# ---- other kernels ---------------------------------------------------------------


def test_what_the_plan_takes_does_not_change_the_window():
    """Taps that are nowhere negative stay their own window, though their factors have signs."""
    rng = np.random.default_rng(22)
    image, weights = rng.random((60, 70)), holes(rng, (60, 70), 0.8)
    weights[20:50, 20:50] = 0
    low_rank = sum(np.outer(*rng.random((2, 19))) for _ in range(2))
    full_rank = np.round(rng.random((9, 9)) * 20) * (rng.random((9, 9)) < 0.6)
    for kernel, plan in ((low_rank, "separable"), (low_rank - 0.5, "separable"), (full_rank, "direct")):
        assert imfilt.explain_plan(kernel, image.shape, image.dtype).plan == plan
        ways = single.ways_for(kernel, image.dtype, image.dtype)
        want = by_definition(image, kernel, weights)
        for one in (ways.auto, ways.without_fft):
            got = apply(one, image, mode="reflect", cval=0.0, weights=weights)
            assert_as_exact(got, want, 1e-13 * np.abs(kernel).sum(), plan)


def test_sums_of_columns_times_rows_have_the_magnitudes_of_these_for_their_window():
    rng = np.random.default_rng(23)
    image, weights = rng.random((2, 17, 19))
    weights[rng.random(weights.shape) < 0.4] = 0
    a, b = rng.standard_normal((2, 5)), rng.standard_normal((2, 3))
    kernel = separable_kernel(*(tuple(one) for pair in zip(a, b, strict=True) for one in pair))
    got = apply(kernel, image, mode="wrap", cval=0.0, weights=weights)

    def sums(columns, rows, numbers):
        return sum(ndi.correlate(numbers, np.outer(c, r), mode="wrap") for c, r in zip(columns, rows, strict=True))

    window = np.abs(a), np.abs(b)
    total = sums(*window, weights)
    mean = sums(*window, weights * image) / total
    spread = sums(a, b, weights * image) - mean * sums(a, b, weights)
    want = spread * sums(*window, np.ones_like(image)) / total + mean * sums(a, b, np.ones_like(image))
    assert_within(got, want, 1e-12)


def resampling(factor, sigma):
    """Interpolation by `factor`, from multirate.py: phases of taps, and how they lie."""
    one = multirate_axis(sigma, 4.0, factor)
    phases = one.after
    stage = Stage("resample", (taps(phases), taps(phases)), *(phases.shape[1],) * 2, one.first, one.first,
                  up=(factor, factor))  # fmt: skip
    return Kernel((stage,)), one


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("signs", [False, True])
def test_resampling_has_phases(monkeypatch, factor, signs):
    rng = np.random.default_rng(24)
    kernel, one = resampling(factor, 2.0 * factor)
    phases = one.after.copy()
    if signs:
        phases[:, ::2] *= -0.25
        stage = kernel.stages[0]
        arrays = taps(phases), taps(phases)
        kernel = Kernel((Stage("resample", arrays, stage.rows, stage.columns, stage.top, stage.left, up=stage.up),))
    image, weights = rng.random((2, 13, 11))
    weights[rng.random(weights.shape) < 0.5] = 0
    size = 13 * factor, 11 * factor
    want = np.empty(size)
    n = phases.shape[1]
    for y in range(factor):
        for x in range(factor):
            taps_ = np.outer(phases[y], phases[x])
            framed = np.zeros((2 * n + 1, 2 * n + 1))
            framed[n - one.first : 2 * n - one.first, n - one.first : 2 * n - one.first] = taps_
            want[y::factor, x::factor] = by_definition(image, framed, weights, mode="nearest")
    for rows in (1, 31, 64):  # 31 rows are not whole periods of phases
        monkeypatch.setattr(weighted, "BAND_ROWS", rows)
        got = apply(kernel, image, mode="nearest", cval=0.0, size=size, weights=weights)
        assert_as_exact(got, want, 1e-12)
    plain = apply(kernel, image, mode="nearest", cval=0.0, size=size)
    assert_within(apply(kernel, image, mode="nearest", cval=0.0, size=size, weights=np.ones(image.shape)), plain, 1e-13)


def test_strided_kernels(monkeypatch):
    rng = np.random.default_rng(25)
    image, weights = rng.random((2, 21, 17))
    weights[rng.random(weights.shape) < 0.3] = 0
    kernel = rng.standard_normal((5, 5))
    r, c = np.indices(kernel.shape)
    offsets = np.stack([r.ravel(), c.ravel(), np.zeros(25, int)], axis=1).astype(np.intp)
    arrays = offsets, taps(kernel.ravel()), np.array([0, 25], np.intp), np.zeros(0, np.intp), False
    strided = Kernel((Stage("direct", arrays, 5, 5, 2, 2, stride=(3, 2)),))
    want = by_definition(image, kernel, weights)[::3, ::2]
    for rows in (1, 64):
        monkeypatch.setattr(weighted, "BAND_ROWS", rows)
        got = apply(strided, image, mode="reflect", cval=0.0, size=want.shape, weights=weights)
        assert_as_exact(got, want, 1e-12)


def test_phases_without_taps_are_0():
    """A transposed convolution with stride 3 and a kernel of 2 x 2 leaves pixels that no tap reaches."""
    kernel = transposed_kernel(np.array([[1.0, -2.0], [3.0, 4.0]]), (3, 3))
    image = np.random.default_rng(26).random((5, 6))
    plain = apply(kernel, image, mode="reflect", cval=0.0, size=(15, 18))
    got = apply(kernel, image, mode="reflect", cval=0.0, size=(15, 18), weights=np.ones(image.shape))
    assert (plain == 0).sum() == 30 * 5
    assert_within(got, plain, 1e-15)


# --- correlate, convolve ---


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(3, 3), (4, 5), (1, 7)])
def test_correlate_keeps_to_the_definition(mode, shape):
    rng = np.random.default_rng(8)
    kernel, image = rng.standard_normal(shape), rng.random((23, 31))
    weights = holes(rng, image.shape)
    odd = np.zeros([n | 1 for n in shape])  # the centre of n taps is tap n // 2, that of by_definition the middle
    odd[: shape[0], : shape[1]] = kernel
    want = by_definition(image, odd, weights, mode=mode)
    got = imfilt.correlate(image, kernel, mode=mode, weights=weights, plan="direct")
    assert_as_exact(got, want, 1e-11)
    flipped = np.ascontiguousarray(odd[::-1, ::-1])
    assert_as_exact(imfilt.convolve(image, flipped, mode=mode, weights=weights, plan="direct"), want, 1e-11)
    assert_as_exact(imfilt.correlate(image, kernel, mode=mode, weights=weights, stride=(2, 3)), want[::2, ::3], 1e-5)


def test_correlate_with_alpha_is_the_filter_of_the_same_taps():
    rng = np.random.default_rng(9)
    image = rng.random((20, 30, 4))
    np.testing.assert_allclose(
        imfilt.correlate(image, np.ones((3, 5)) / 15, alpha=True), imfilt.box(image, (3, 5), alpha=True), atol=1e-14
    )
    edges = imfilt.correlate(image, [[1, 0, -1]], alpha=True)
    np.testing.assert_array_equal(edges[..., -1], image[..., -1])  # these taps do not sum to 1


def test_correlate_with_weights_never_transforms():
    image = np.ones((40, 40))
    with pytest.raises(ValueError, match="plan must be one of 'auto', 'direct', 'fused', 'separable', not 'fft'"):
        imfilt.correlate(image, np.ones((9, 9)), weights=image, plan="fft")
    noise = np.random.default_rng(3).random((31, 31))
    result = imfilt.correlate(image, noise, weights=image)
    np.testing.assert_allclose(result, noise.sum(), rtol=1e-12)
