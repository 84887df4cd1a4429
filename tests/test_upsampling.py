"""Upscaling and downscaling against PyTorch, Pillow, OpenCV, and their definition."""

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest
from conftest import DTYPES, MODES, assert_same_bits, assert_within, pixels
from PIL import Image

import imfilt
from imfilt import interpolants
from imfilt._engine import borders, isa, plan
from imfilt.convolution.resample import resample_kernel
from imfilt.upsampling import downscale, pixel_shuffle, pixel_unshuffle, upsample_gain, upsample_kernel, upscale

METHODS = (*interpolants.NAMES, ("bicubic", -1.0))
WHOLE = (2, 3, 4, 5)
FRACTIONS = (Fraction(3, 2), Fraction(5, 3), Fraction(4, 3), Fraction(7, 5), Fraction(64, 63))


# ---- the definition, one pixel at a time ---------------------------------------------


def keys(a):
    def function(x):
        x = abs(x)
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0

    return function


def mitchell(x):
    """Mitchell and Netravali 1988, with B = C = 1/3."""
    x = abs(x)
    if x < 1:
        return (7 * x**3 - 12 * x**2 + 16 / 3) / 6
    return (-7 / 3 * x**3 + 12 * x**2 - 20 * x + 32 / 3) / 6 if x < 2 else 0.0


def bspline(x):
    x = abs(x)
    return 2 / 3 - x**2 + x**3 / 2 if x < 1 else (2 - x) ** 3 / 6 if x < 2 else 0.0


def lanczos(n):
    def function(x):
        if x == 0:
            return 1.0
        return n * math.sin(math.pi * x) * math.sin(math.pi * x / n) / (math.pi * x) ** 2 if abs(x) < n else 0.0

    return function


FUNCTIONS = {
    "bilinear": lambda x: max(1 - abs(x), 0), "bicubic": keys(-0.5), "bicubic-0.75": keys(-0.75),
    ("bicubic", -1.0): keys(-1.0), "mitchell": mitchell, "bspline": bspline,
    "lanczos2": lanczos(2), "lanczos3": lanczos(3), "lanczos4": lanczos(4),
}  # fmt: skip
PADDED = 40
PADS = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}


@lru_cache(maxsize=1000)
def matrix(n, made, step, method):
    """What each pixel of a padded axis gives to each pixel of the result, whose pixels are `step` apart."""
    weights = np.zeros((made, n + 2 * PADDED))
    for y in range(made):
        centre = (y + Fraction(1, 2)) * step  # pixel i reaches from i to i + 1
        for i in range(-PADDED, n + PADDED):
            if method == "nearest":
                weight = i == math.floor(centre)
            elif method in ("area", "box"):
                weight = max(min(i + 1, centre + step / 2) - max(i, centre - step / 2), 0)
            else:
                weight = FUNCTIONS[method](float((centre - i - Fraction(1, 2)) / max(step, 1)))
            weights[y, i + PADDED] = weight
    return weights / weights.sum(axis=1, keepdims=True)


def defined(image, steps, method, mode="nearest", cval=0.0):
    more = {"constant_values": cval} if mode == "constant" else {}
    padded = np.pad(image, PADDED, PADS[mode], **more)
    down, along = (
        matrix(n, max(math.floor(n / step + Fraction(1, 2)), 1), step, method)
        for n, step in zip(image.shape, steps, strict=True)
    )
    return down @ padded @ along.T


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("factor", [*WHOLE, *FRACTIONS], ids=str)
@pytest.mark.parametrize("function", [upscale, downscale])
def test_the_definition(function, factor, method):
    steps = (Fraction(factor), Fraction(7, 4))
    image = np.random.default_rng(0).random((11, 13))
    want = defined(image, [1 / s for s in steps] if function is upscale else steps, method)
    assert_within(function(image, (factor, "7/4"), method), want, 1e-14)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", ["nearest", "bicubic", "lanczos4", "area"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 1), (2, 3), (5, 33)])
def test_borders_and_awkward_shapes(shape, method, mode):
    image = np.random.default_rng(1).random(shape)
    options = {"mode": mode, "cval": 0.25}
    for factor in (Fraction(2), Fraction(5, 2), Fraction(4, 3), Fraction(8)):
        up, down = defined(image, [1 / factor] * 2, method, **options), defined(image, [factor] * 2, method, **options)
        assert_within(upscale(image, factor, method, **options), up, 1e-14, f"up {factor}")
        assert_within(downscale(image, factor, method, **options), down, 1e-14, f"down {factor}")


def test_sizes_are_rounded_half_up_and_nothing_vanishes():
    for n, factor, up, down in [(5, "3/2", 8, 3), (3, "3/2", 5, 2), (1, "3/2", 2, 1), (1, 64, 64, 1), (7, 2, 14, 4)]:
        assert upscale(np.zeros((n, 1)), (factor, 1)).shape == (up, 1)
        assert downscale(np.zeros((n, 1)), (factor, 1)).shape == (down, 1)
    assert upscale(np.zeros((0, 5)), 3).shape == (0, 15)
    assert downscale(np.zeros((4, 0, 3)), 3).shape == (1, 0, 3)
    assert upscale(np.zeros((4, 5, 0)), "3/2").shape == (6, 8, 0)
    assert upscale(np.zeros((0, 5)), 2, np.ones((3, 3))).shape == (0, 10)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_every_phase_sums_to_one_and_phases_mirror_each_other(method):
    """So constant images stay constant, and flipping an image flips the result."""
    for up, stride in [(1, 1), (2, 1), (5, 1), (64, 1), (3, 2), (64, 63), (1, 3), (1, 64), (2, 3), (63, 64)]:
        first, taps = interpolants.phases(method, up, stride)
        np.testing.assert_allclose(taps.sum(axis=1), 1, rtol=0, atol=1e-15)
        assert taps.any(axis=0)[[0, -1]].all()
        assert not taps.flags.writeable
        if method == "nearest":
            continue  # of two it takes the second, from either side
        # Pixel y of up looks at the same as pixel up - 1 - y of stride pixels counted from the end.
        for y in range(up):
            places = y * stride // up + first + np.flatnonzero(taps[y])
            other = (up - 1 - y) * stride // up + first + np.flatnonzero(taps[up - 1 - y])
            np.testing.assert_array_equal(places, stride - 1 - other[::-1])
            np.testing.assert_array_equal(taps[y][taps[y] != 0], taps[up - 1 - y][taps[up - 1 - y] != 0][::-1])


@pytest.mark.parametrize(
    "method", ["nearest", "bilinear", "bicubic", "bicubic-0.75", "lanczos2", "lanczos3", "lanczos4"]
)
def test_interpolation_goes_through_the_pixels(method):
    """Exactly, where pixels of the result lie on pixels; by one tap, so that NaN stays where it is."""
    image = np.random.default_rng(11).random((6, 7))
    for factor in (3, 5):
        middle = interpolants.phases(method, factor, 1)[1][factor // 2]
        np.testing.assert_array_equal(middle[middle != 0], [1])
        assert_same_bits(upscale(image, factor, method)[factor // 2 :: factor, factor // 2 :: factor].copy(), image)
    image[2, 3] = np.nan
    assert_same_bits(upscale(image, 1, method), image)
    assert_same_bits(downscale(image, 1, method), image)


# ---- against others ------------------------------------------------------------------


@pytest.fixture(scope="module")
def grey(photo):
    return photo[100:148, 200:260].astype(np.float64).mean(axis=2) / 255


def torchs(image, scale, method, **options):
    torch = pytest.importorskip("torch")
    if method in ("bilinear", "bicubic"):
        options["align_corners"] = False
    batch = torch.from_numpy(np.array(image, order="C"))[None, None]
    return torch.nn.functional.interpolate(batch, scale_factor=float(scale), mode=method, **options)[0, 0].numpy()


@pytest.mark.parametrize("factor", [*WHOLE, *FRACTIONS[:3], Fraction(5, 2)], ids=str)
@pytest.mark.parametrize(
    ("method", "theirs"), [("bilinear", "bilinear"), ("bicubic-0.75", "bicubic"), ("nearest", "nearest-exact")]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_upscale_is_pytorchs(grey, dtype, method, theirs, factor):
    image = grey[:30, :36].astype(dtype)
    assert_within(upscale(image, factor, method), torchs(image, factor, theirs), 1e-6 if dtype == "float32" else 1e-12)
    image = image[:29, :35]  # a size that a fraction does not make whole, which PyTorch rounds down
    want = torchs(image, factor, theirs)
    got = upscale(image, factor, method)[: want.shape[0], : want.shape[1]]
    assert_within(got, want, 1e-6 if dtype == "float32" else 1e-12)


def inside(array, pixels):
    """All but so many pixels at each border."""
    return array[pixels:-pixels, pixels:-pixels]


@pytest.mark.parametrize("factor", [2, Fraction(3, 2)], ids=str)
def test_large_images_are_made_in_bands(photo, factor):
    """PyTorch in double: in single precision the places of its pixels are off by 1e-4 far from the corner."""
    image = photo / 255
    for dtype, bound in ((np.float32, 1e-6), (np.float64, 1e-12)):
        up, down = upscale(image.astype(dtype), factor, "bicubic-0.75"), downscale(image.astype(dtype), factor)
        for c in range(3):
            assert_within(up[..., c], torchs(image[..., c], factor, "bicubic"), bound)
            want = torchs(image[..., c], 1 / factor, "bicubic", antialias=True)
            assert_within(inside(down[: want.shape[0], : want.shape[1], c], 2), inside(want, 2), bound)


@pytest.mark.parametrize("factor", [*WHOLE, *FRACTIONS[:3], Fraction(5, 2)], ids=str)
@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_downscale_is_pytorchs_antialias_inside(grey, dtype, method, factor):
    image = grey[:, :60].astype(dtype)
    want = torchs(image, 1 / factor, method, antialias=True)
    got = downscale(image, factor, method)[: want.shape[0], : want.shape[1]]
    assert_within(inside(got, 2), inside(want, 2), 1e-6 if dtype == "float32" else 1e-12)


PILLOWS = {
    "nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS, "area": Image.Resampling.BOX,
}  # fmt: skip


@pytest.mark.parametrize("method", PILLOWS)
@pytest.mark.parametrize("factor", [*WHOLE, Fraction(3, 2), Fraction(4, 3), Fraction(5, 2)], ids=str)
@pytest.mark.parametrize("function", [upscale, downscale])
def test_pillows_resize_inside(photo, function, factor, method):
    if method == "area" and Fraction(factor).denominator > 1:
        return  # Pillow's BOX counts pixels that are cut as whole ones, or not at all
    if method == "nearest" and factor in (Fraction(3, 2), Fraction(4, 3), Fraction(5, 2)):
        return  # halfway between two pixels, Pillow takes the first or the second
    image = photo[100:160, 200:260] // 2 + 64  # between two passes, Pillow saturates bytes
    real = (image[..., 1] / 255).astype(np.float32)
    made = function(real, factor, method)
    theirs = np.asarray(Image.fromarray(real).resize(made.shape[::-1], PILLOWS[method]))
    edge = 3 if function is downscale else math.ceil(3 * factor)
    assert_within(inside(made, edge), inside(theirs, edge), 1e-6)
    if method in ("nearest", "area"):
        assert_within(made, theirs, 1e-6)  # up to the border
    made = function(image, factor, method, dtype=np.uint8)
    theirs = np.asarray(Image.fromarray(image).resize(made.shape[1::-1], PILLOWS[method]))
    assert made.dtype == np.uint8
    assert_within(inside(made, edge), inside(theirs, edge), 1)


@pytest.mark.parametrize(
    ("method", "flag"),
    [("bilinear", "INTER_LINEAR"), ("bicubic-0.75", "INTER_CUBIC"), ("nearest", "INTER_NEAREST_EXACT")],
)
@pytest.mark.parametrize("factor", [*WHOLE, Fraction(3, 2), Fraction(4, 3)], ids=str)
def test_upscale_is_opencvs(grey, factor, method, flag):
    cv2 = pytest.importorskip("cv2")
    if (method, factor) == ("nearest", Fraction(3, 2)):
        return  # halfway between two pixels, OpenCV takes the first or the second
    image = np.stack([grey, 1 - grey, grey[::-1]], axis=-1).astype(np.float32)
    got = upscale(image, factor, method)
    want = cv2.resize(image, got.shape[1::-1], interpolation=getattr(cv2, flag))
    assert_within(got, want, 2e-6)


@pytest.mark.parametrize("factor", [*WHOLE, Fraction(3, 2), Fraction(5, 4)], ids=str)
def test_area_is_opencvs(grey, factor):
    cv2 = pytest.importorskip("cv2")
    image = np.stack([grey, 1 - grey, grey[::-1]], axis=-1).astype(np.float32)[:40, :60]
    for name in ("area", "box"):
        got = downscale(image, factor, name)
        shape = cv2.resize(image, None, fx=float(1 / factor), fy=float(1 / factor), interpolation=cv2.INTER_AREA)
        got = got[: shape.shape[0], : shape.shape[1]]
        assert_within(got[:-1, :-1], shape[:-1, :-1], 2e-6)


# ---- as transposed convolution -------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("factor", [1, *WHOLE, (2, 3)], ids=str)
def test_the_kernel_of_a_method(factor, method):
    kernel = upsample_kernel(method, factor)
    steps = factor if isinstance(factor, tuple) else (factor, factor)
    cut = [(n - s) // 2 for n, s in zip(kernel.shape, steps, strict=True)]
    assert all((n - s) % 2 == 0 for n, s in zip(kernel.shape, steps, strict=True))
    np.testing.assert_allclose(upsample_gain(kernel, factor), np.ones(steps), rtol=0, atol=1e-14)
    np.testing.assert_array_equal(upsample_gain(method, factor), upsample_gain(kernel, factor))
    np.testing.assert_array_equal(kernel, kernel[::-1, ::-1])
    image = np.random.default_rng(2).random((6, 5, 3))
    weight = np.repeat(kernel[None, None], 3, axis=0)
    for mode in ("nearest", "wrap"):
        laid = imfilt.conv_transpose2d(image, weight, stride=factor, padding=cut, groups=3, mode=mode)
        assert_within(upscale(image, factor, method, mode=mode), laid, 1e-14)
        assert_within(upscale(image, factor, kernel, mode=mode), laid, 1e-14)


def test_sizes_of_kernels_are_those_of_the_recipe():
    for factor in WHOLE:
        odd = factor % 2
        for method, radius in [("bilinear", 1), ("bicubic", 2), ("mitchell", 2), ("lanczos3", 3), ("lanczos4", 4)]:
            assert upsample_kernel(method, factor).shape == (2 * radius * factor - odd,) * 2
        np.testing.assert_array_equal(upsample_kernel("nearest", factor), np.ones((factor, factor)))


@pytest.mark.parametrize("stride", [1, 2, 3, (4, 2)])
@pytest.mark.parametrize("shape", [(3, 3), (4, 4), (5, 2), (1, 7)])
def test_any_kernel(shape, stride):
    """It lies in the middle, or half a pixel after it; where it is smaller than the stride there are holes."""
    rng = np.random.default_rng(3)
    kernel, image = rng.standard_normal(shape), rng.random((4, 6, 2))
    steps = stride if isinstance(stride, tuple) else (stride, stride)
    pads = [((s - n + 1) // 2, (s - n) // 2) if s > n else (0, 0) for n, s in zip(shape, steps, strict=True)]
    widened = np.pad(kernel, pads)
    cut = [((n - s) // 2, n - s - (n - s) // 2) for n, s in zip(widened.shape, steps, strict=True)]
    weight = np.repeat(widened[None, None], 2, axis=0)
    for mode in MODES:
        want = imfilt.conv_transpose2d(image, weight, stride=stride, padding=cut, groups=2, mode=mode, cval=0.5)
        assert want.shape[:2] == (4 * steps[0], 6 * steps[1])
        assert_within(upscale(image, stride, kernel, mode=mode, cval=0.5), want, 1e-14, mode)


@pytest.mark.parametrize("factor", [1, 2, (3, 2)])
def test_taps_are_the_kernel_of_their_products(factor):
    rng = np.random.default_rng(4)
    image = rng.random((5, 7, 3))
    for count in (1, 2, 3, 4, 7):
        taps = rng.standard_normal(count)
        want = upscale(image, factor, np.outer(taps, taps))
        assert_within(upscale(image, factor, taps), want, 1e-14)
        assert_within(upscale(image, factor, taps.tolist()), want, 1e-14)


def test_gains_show_checkerboards():
    np.testing.assert_array_equal(upsample_gain(np.ones((3, 3)), 2), [[4, 2], [2, 1]])
    np.testing.assert_array_equal(upsample_gain([1, 1, 1], 2), [[4, 2], [2, 1]])
    np.testing.assert_array_equal(upsample_gain(np.ones((4, 4)), 2), np.full((2, 2), 4))
    np.testing.assert_array_equal(upsample_gain([[1, 2, 3]], (2, 1)), [[6], [0]])
    kernel = np.random.default_rng(5).random((5, 7))
    laid = imfilt.conv_transpose2d(np.ones((9, 9)), kernel[None, None], stride=(2, 3))
    np.testing.assert_allclose(upsample_gain(kernel, (2, 3)), laid[8:10, 9:12], rtol=1e-14)


# ---- numbers -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_constant_images_stay_constant(dtype):
    for method in METHODS:
        for factor in (2, 3, 7, "3/2", "64/63", 64):
            for value in (200, np.iinfo(dtype).max) if np.dtype(dtype).kind != "f" else (0.7,):
                image = np.full((5, 4), value, dtype)
                for function in (upscale, downscale):
                    got = function(image, factor, method, dtype=dtype)
                    if np.dtype(dtype).kind != "f":
                        assert (got == value).all(), f"{method} {factor} {value}"
                    else:
                        np.testing.assert_allclose(got, image[0, 0], rtol=32 * np.finfo(dtype).eps)


def test_integers_are_scaled_and_saturated_and_floats_overshoot():
    step = np.repeat(np.array([[0, 255]], np.uint8), 4, axis=1)
    real = upscale(step, (1, 4), "lanczos3")
    assert real.dtype == np.float32
    assert real.min() < -0.05
    assert real.max() > 1.05
    np.testing.assert_array_equal(upscale(step, (1, 4), "lanczos3", dtype=np.uint8), np.rint(real.clip(0, 1) * 255))
    kept = upscale(step, (1, 4), "lanczos3", preserve_range=True)
    np.testing.assert_allclose(kept, real * 255, rtol=0, atol=1e-4)
    for kernel in ([1, 2, 1], np.outer([1, 2, 1], [1, 2, 1])):
        got = upscale(step, 2, kernel)
        np.testing.assert_allclose(got, upscale(step / np.float32(255), 2, kernel), rtol=1e-6)
        assert_same_bits(upscale(step, 2, kernel, dtype=np.uint8), np.rint(got.clip(0, 1) * 255).astype(np.uint8))


@pytest.mark.parametrize("dtype", DTYPES)
def test_types_and_channels(dtype):
    image = pixels(np.random.default_rng(6), (5, 6, 3), dtype)
    before = image.copy()
    wide = dtype in ("float64", "int32", "uint32", "int64", "uint64")
    for function in (upscale, downscale):
        for options in ({}, {"preserve_range": True}, {"dtype": np.uint8}):
            want = np.stack([function(image[..., c], "3/2", **options) for c in range(3)], axis=-1)
            assert want.dtype == options.get("dtype", np.float64 if wide else np.float32)
            assert_same_bits(function(image, "3/2", **options), want)
            for axis in (0, 1):
                moved = function(np.moveaxis(image, -1, axis), "3/2", channel_axis=axis, **options)
                assert_same_bits(np.moveaxis(moved, axis, -1), want)
    np.testing.assert_array_equal(image, before)


def test_out_and_dtype():
    image = np.random.default_rng(7).integers(0, 256, (6, 8), np.uint8)
    out = np.zeros((9, 12), np.uint8)
    assert upscale(image, 1.5, out=out) is out
    assert_same_bits(out, upscale(image, Fraction(3, 2), dtype=np.uint8))
    assert downscale(image, 1, "bspline", out=image) is image
    room = np.zeros((4, 8))[:, ::2]
    assert downscale(image, ("3/2", 2), out=room) is room
    np.testing.assert_array_equal(room, downscale(image, (1.5, 2.0), dtype=np.float64))


@pytest.mark.parametrize("factor", [1, 2, (3, 1), 5, (1, 64), "3/2", (1.25, "7/4"), ("64/63", 3)], ids=str)
def test_every_build_has_the_same_bits(build, photo, factor):
    methods = "nearest", "bilinear", "bicubic", "lanczos3"
    calls = [(function, method) for function in (upscale, downscale) for method in methods]
    if isinstance(factor, int) and factor < 8:
        calls += [(upscale, kernel) for kernel in ([1, 3, 3, 1], np.ones((3, 3)), np.arange(20.0).reshape(4, 5))]
    image = photo[:20, :43]
    five = np.dstack([image, image[..., :2]])
    for view in (image, image[..., 0], image[:1, :2], image[:2, :1, 1] / 255, image[:9].astype(np.float32), five):
        for function, method in calls:
            got = function(view, factor, method)
            isa.use("numpy")
            want = function(view, factor, method)
            isa.use(build)
            assert_same_bits(got, want, f"{function.__name__} {method} {factor} {view.shape} {view.dtype}")


# ---- pixels that do not count --------------------------------------------------------


@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic", "lanczos3", "area", [1, 2, 1]], ids=str)
@pytest.mark.parametrize("factor", [2, "3/2"])
@pytest.mark.parametrize("function", [upscale, downscale])
def test_weights(function, factor, method):
    if isinstance(method, list) and (factor != 2 or function is downscale):
        return
    image = np.random.default_rng(8).random((22, 24, 3))
    plain = function(image, factor, method)
    np.testing.assert_allclose(function(image, factor, method, weights=np.full((22, 24), 3)), plain, atol=1e-14)
    holed = image.copy()
    holed[9, 9] = np.nan
    got = function(holed, factor, method, weights="finite")
    far = np.abs(got - plain).max(axis=2) < 1e-14
    assert far.any()
    assert not far.all()
    if method in ("bilinear", "bicubic", "lanczos3"):  # others may have nothing else to look at
        assert np.isfinite(got).all()
    flat = np.full((22, 24), 0.75)
    gains = function(flat, factor, method)
    flat[9, 9] = np.inf
    got = function(flat, factor, method, weights="finite")
    assert_within(got[~np.isnan(got)], gains[~np.isnan(got)], 1e-14)


def test_transparent_colours_do_not_bleed():
    image = np.zeros((8, 8, 4))
    image[..., 0], image[:, :4, 3], image[:, 4:, :3] = 0.5, 1, 0.9  # opaque red beside transparent white
    for function in (upscale, downscale):
        for method in ("bilinear", "bicubic", "lanczos3"):
            got = function(image, (1, 2), method, alpha=True)
            seen = got[..., 3] > 1e-9
            assert seen.any()
            np.testing.assert_allclose(got[seen, 0], 0.5, atol=1e-12)
            np.testing.assert_allclose(got[seen, 1], 0, atol=1e-12)
            np.testing.assert_allclose(got[..., 3], function(image[..., 3], (1, 2), method), atol=1e-14)


# ---- pixel shuffle -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float64"])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_pixel_shuffle_is_pytorchs(dtype, factor):
    torch = pytest.importorskip("torch")
    image = pixels(np.random.default_rng(9), (2, 4, 5, 3 * factor**2), dtype)
    want = torch.nn.functional.pixel_shuffle(torch.from_numpy(image.transpose(0, 3, 1, 2).copy()), factor).numpy()
    for axis in (1, 2, 3, -1):
        got = pixel_shuffle(np.moveaxis(image, -1, axis), factor, channel_axis=axis)
        assert got.flags.c_contiguous
        assert_same_bits(np.moveaxis(got, axis, 1), want)
        assert_same_bits(pixel_unshuffle(got, factor, channel_axis=axis), np.moveaxis(image, -1, axis).copy())
    for axis in (0, 1, 2):
        got = pixel_shuffle(np.moveaxis(image[0], -1, axis), factor, channel_axis=axis)
        assert_same_bits(np.moveaxis(got, axis, 0), want[0])


def test_pixel_shuffle_with_two_factors():
    image = np.arange(2 * 3 * 12).reshape(2, 3, 12)
    got = pixel_shuffle(image, (2, 3))
    assert got.shape == (4, 9, 2)
    for y, x, c in np.ndindex(got.shape):
        assert got[y, x, c] == image[y // 2, x // 3, c * 6 + y % 2 * 3 + x % 3]
    got[:] = 0  # a copy
    assert image.any()
    assert_same_bits(pixel_unshuffle(pixel_shuffle(image, (2, 3)), (2, 3)), image)
    assert pixel_shuffle(np.zeros((0, 3, 4)), 2).shape == (0, 6, 1)
    assert pixel_unshuffle(np.zeros((4, 6)), 2).shape == (2, 3, 4)


# ---- errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "error", "message"),
    [
        (0.5, ValueError, "1 or more"), (0, ValueError, "1 or more"), (-2, ValueError, "1 or more"),
        (np.nan, ValueError, "nan"), (np.inf, ValueError, "inf"), ("1/0", ValueError, "1/0"), ("x", ValueError, "'x'"),
        (None, TypeError, "None"), (True, TypeError, "True"), (1j, TypeError, "1j"), ((2, 2, 2), ValueError, "two"),
        (65, ValueError, "the nearest is 64"), (1.3334, ValueError, "the nearest is 4/3"),
        ("101/100", ValueError, "the nearest is 64/63"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("function", [upscale, downscale])
def test_bad_factors(function, factor, error, message):
    with pytest.raises(error, match=rf"^factor .*{message}"):
        function(np.zeros((3, 3)), factor)


def test_factors_are_fractions():
    image = np.random.default_rng(10).random((6, 7))
    want = upscale(image, Fraction(4, 3))
    for factor in (4 / 3, "4/3", np.float64(4 / 3), ("8/6", 1.3333333333333333), np.array([4 / 3, 4 / 3])):
        assert_same_bits(upscale(image, factor), want)
    for factor in (2, 2.0, "2", np.int8(2), np.array(2), np.float32(2), [2, "2/1"]):
        assert_same_bits(upscale(image, factor), upscale(image, (2, 2)))


@pytest.mark.parametrize(
    ("method", "error", "message"),
    [
        ("cubic", ValueError, "'bicubic', .*not 'cubic'"), (("bicubic", 0.5), ValueError, "-2 <= a <= 0"),
        (("bicubic",), ValueError, "a"), (("lanczos", 3), ValueError, "lanczos"), (("bicubic", "x"), TypeError, "'x'"),
        (("bicubic", np.nan), ValueError, "nan"),
        (None, TypeError, "None"), (np.ones((2, 2, 2)), ValueError, "(2, 2, 2)"),
        (np.zeros((0, 3)), ValueError, "(0, 3)"), ([1, np.nan], ValueError, "NaN"), ([1j], TypeError, "complex"),
    ],
)  # fmt: skip
def test_bad_methods(method, error, message):
    with pytest.raises(error, match=message.replace("(", r"\(").replace(")", r"\)")):
        upscale(np.zeros((3, 3)), 2, method)
    if not isinstance(method, np.ndarray | list):
        for function in (upsample_kernel, lambda name, factor: downscale(np.zeros((3, 3)), factor, name)):
            with pytest.raises(error):
                function(method, 2)


def test_other_errors():
    for call, error, message in [
        (lambda: upscale(np.zeros((3, 3)), 1.5, [1, 1]), ValueError, "whole numbers for a kernel, not .3/2, 3/2"),
        (lambda: downscale(np.zeros((3, 3)), 2, [1, 1]), TypeError, "method must be one of"),
        (lambda: upsample_kernel("bicubic", "3/2"), ValueError, "whole numbers"),
        (lambda: upsample_gain(np.ones((3, 3)), 1.5), TypeError, "stride"),
        (lambda: upsample_gain(np.ones((3, 3, 1)), 2), ValueError, "one dimension or two"),
        (lambda: upscale(np.zeros((2, 3, 3, 1)), 2), ValueError, "image"),
        (lambda: upscale(np.zeros((3, 3), complex), 2), TypeError, "complex"),
        (lambda: upscale(np.zeros((3, 3)), 2, mode="edges"), ValueError, "mode"),
        (lambda: upscale(np.zeros((3, 3)), 2, alpha=True), ValueError, "alpha"),
        (lambda: upscale(np.zeros((3, 3)), 2, weights=np.ones(3)), ValueError, "weights"),
        (lambda: pixel_shuffle(np.zeros((3, 3, 6)), 2), ValueError, "multiple of 4 channels"),
        (lambda: pixel_shuffle(np.zeros((3, 3)), 0), ValueError, "factor"),
        (lambda: pixel_shuffle(np.zeros(3), 1), ValueError, "image"),
        (lambda: pixel_unshuffle(np.zeros((3, 4)), 2), ValueError, "divides"),
    ]:
        with pytest.raises(error, match=message):
            call()


def test_out_is_untouched_when_a_call_is_refused():
    image, out = np.zeros((3, 3)), np.full((6, 6), 7.0)
    for options in ({"method": "cubic"}, {"factor": 3}, {"mode": "x"}, {"weights": np.ones(2)}, {"dtype": np.uint8}):
        with pytest.raises(ValueError):  # noqa: PT011
            upscale(image, **{"factor": 2, "out": out, **options})
    assert (out == 7).all()


# ---- from bytes to bytes ---------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["nearest", "bilinear", "bicubic", "bicubic-0.75", "mitchell", "bspline", "lanczos2"]
)
@pytest.mark.parametrize("factor", [2, 3, 4, 5, (1, 2), (7, 3)])
def test_bytes_are_within_six_tenths_of_the_exact_value(build, method, factor):
    rng = np.random.default_rng(11)
    for image in (
        rng.integers(0, 256, (23, 37, 3), np.uint8),
        rng.choice(np.array([0, 255], np.uint8), (19, 70)),  # the largest overshoots
    ):
        for mode, cval in (("nearest", 0.0), ("wrap", 0.0), ("constant", 1.0)):
            exact = upscale(image, factor, method, dtype=np.float64, mode=mode, cval=cval) * 255
            got = upscale(image, factor, method, dtype=np.uint8, mode=mode, cval=cval)
            assert_within(got, exact.clip(0, 255), 0.6 + 1e-6, f"{method} {factor} {mode}")


def test_bytes_take_the_loop_of_their_own():
    kernel = resample_kernel("bicubic", (2, 2), (1, 1))
    u1, f4 = np.dtype("u1"), np.dtype("f4")
    for source, result, cval, loop in ((u1, u1, 1.0, "blend"), (u1, f4, 0.0, "resample"), (u1, u1, 0.5, "resample")):
        border = borders.MODES["constant"]
        made = plan.make(kernel, (40, 50, 3), source, result, border, cval, True, (80, 100), 16)
        assert made.steps[0].loop == loop, (source, result, cval)


@pytest.mark.parametrize("factor", [
    2, 3, 4, 6, 8, 12, 14, 16, (1, 2), (31, 6), (5, 1), (4, 64), (63, 4), (4, 62), 17, 40,
])  # fmt: skip
@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,), (5,), (17,)])
def test_area_of_bytes_is_their_mean_rounded_half_to_even(build, factor, channels):
    """Also where a mean lies half way between two levels; sums fit into 16 bits up to 257 pixels."""
    down, along = factor if isinstance(factor, tuple) else (factor, factor)
    rng = np.random.default_rng(down * along)
    image = rng.integers(0, 256, (3 * down, 41 * along if along < 9 else 5 * along, *channels), np.uint8)
    blocks = image.reshape(3, down, -1, along, *channels)
    blocks[0] = np.arange(blocks[0].size).reshape(blocks[0].shape) // 2 % 256  # many halves
    blocks[1, :, ::2] = 255
    sums = blocks.sum(axis=(1, 3), dtype=np.int64)
    n = down * along
    want = (2 * sums + n) // (2 * n)
    want -= (want * 2 * n == 2 * sums + n) & (want % 2 == 1)
    got = downscale(image, factor, "area", dtype=np.uint8)
    if n <= 257:
        np.testing.assert_array_equal(got, want)
    else:
        assert_within(got, want, 1)


@pytest.mark.parametrize("dtype", [*DTYPES, "bool"])
@pytest.mark.parametrize("factor", [2, (3, 2), 5])
def test_area_of_every_type_is_the_mean(build, dtype, factor):
    """Blocks at the border that are not whole are completed by it."""
    down, along = factor if isinstance(factor, tuple) else (factor, factor)
    rng = np.random.default_rng(5)
    for shape in ((1, 1), (7, 9), (6, 131), (21, 70, 3), (10, 33, 4)):
        image = pixels(rng, shape, dtype) if dtype != "bool" else rng.random(shape) > 0.5
        rows, columns = ((2 * n + f) // (2 * f) or 1 for n, f in zip(shape, (down, along), strict=False))
        beyond = [(0, max(m * f - n, 0)) for m, f, n in zip((rows, columns), (down, along), shape, strict=False)]
        wide = np.pad(image.astype(np.float64), beyond + [(0, 0)] * (image.ndim - 2), "edge")
        wide = wide[: rows * down, : columns * along]
        want = wide.reshape(rows, down, columns, along, *shape[2:]).mean(axis=(1, 3))
        got = downscale(image, factor, "area", dtype=np.float64, preserve_range=True)
        assert_within(got, want, 1e-14 * max(1, np.abs(want).max()), f"{shape}")
        with plan.watched() as steps:
            got = downscale(image, factor, "area", dtype=np.float32, preserve_range=True)
        assert [step.loop for step in steps] == ["area"]
        assert_within(got, want, 1e-6 * max(1, np.abs(want).max()), f"{shape}")


def test_gain_of_a_large_stride_is_quick_and_one_too_large_is_refused():
    gain = upsample_gain(np.ones((3, 2)), 1024)
    assert gain.shape == (1024, 1024)
    assert gain.sum() == 6
    assert (gain[:3, :2] == 1).all()
    with pytest.raises(ValueError, match="stride must be between 1 and 1024, not 1025"):
        upsample_gain(np.ones((3, 3)), 1025)
    for wrong in (np.full((3, 3), np.nan), "foo"):
        with pytest.raises(ValueError, match="kernel must be"):
            upsample_gain(wrong, 2)
