"""Blurs by shapes against SciPy, OpenCV and Pillow, and their taps against areas found otherwise."""

import numpy as np
import pytest
import scipy.integrate
import scipy.ndimage as ndi
from conftest import DTYPES, MODES, assert_within, pixels
from PIL import Image, ImageFilter

import imfilt
from imfilt import kernels
from imfilt._engine import borders, isa, plan
from imfilt.filters import blurs

SHAPES = [(1, 1), (1, 9), (9, 1), (2, 2), (3, 70), (40, 33)]
EPS = np.finfo(np.float32).eps


def mean(image, size, **options):
    sizes = (size, size) if np.isscalar(size) else size
    if image.ndim == 3:
        origin = options.pop("origin", 0)
        origins = (origin, origin) if np.isscalar(origin) else origin
        return ndi.uniform_filter(image, (*sizes, 1), origin=(*origins, 0), **options)
    return ndi.uniform_filter(image, sizes, **options)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 21, (1, 7), (30, 2)])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_photograph_as_scipy_has_it(build, photo, size, dtype):
    image = photo[:50, :60] if dtype == "uint8" else (photo[:50, :60] / 255).astype(dtype)
    source = image / 255 if dtype == "uint8" else image.astype(np.float64)
    for view, wide in ((image[..., 1], source[..., 1]), (image, source)):
        got = imfilt.uniform(view, size)
        assert_within(got, mean(wide, size), 1e-13 if dtype == "float64" else 30 * EPS, f"{size}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_rectangles_larger_than_the_image_and_moved(mode, shape):
    image = np.random.default_rng(1).random(shape)
    for size in (2, 3, 6, 7, 50, (5, 90), (61, 1)):
        sizes = (size, size) if np.isscalar(size) else size
        low, high = ([-(n // 2) for n in sizes], [(n - 1) // 2 for n in sizes])
        for origin in (0, low, high, (low[0], 0)):
            want = mean(image, size, mode=mode, cval=0.4, origin=origin)
            got = imfilt.uniform(image, size, mode=mode, cval=0.4, origin=origin)
            assert_within(got, want, 1e-13, f"{size} {origin}")


@pytest.mark.parametrize("size", [7, 20, (6, 31), (40, 3)])
def test_both_ways_to_sum_a_rectangle(build, size):
    """The plan takes one of them; either must be right, in any image."""
    sizes = (size, size) if np.isscalar(size) else size
    kernel = blurs._rectangle(sizes, (0, 0))
    assert kernel.name == "box"
    assert [other.name for other in kernel.others] == ["separable"]
    for channels in (1, 3):
        image = np.random.default_rng(2).random((33, 57, channels))
        for one in (plan.alone(kernel), *kernel.others):
            got = blurs.apply(one, image, mode="mirror", cval=0.0)
            assert_within(got, mean(image, sizes, mode="mirror"), 1e-13, f"{one.name}")


def test_the_plan_sums_large_rectangles_from_sums_of_some():
    f4 = np.dtype(np.float32)
    call = (400, 600, 1), f4, f4, borders.MODES["reflect"], 0.0, False, (400, 600), isa.core.LANES
    assert plan.make(blurs._rectangle((3, 3), (0, 0)), *call).name == "separable"
    assert plan.make(blurs._rectangle((101, 101), (0, 0)), *call).name == "box"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [3, 9, 40])
def test_every_dtype(dtype, size):
    image = pixels(np.random.default_rng(3), (21, 34), dtype)
    full = float(np.iinfo(dtype).max) if image.dtype.kind in "iu" else 1.0
    source = image.astype(np.float64) / full
    if image.dtype.kind == "i":
        source = np.maximum(source, -1)
    result = imfilt.uniform(image, size)
    bound = (size * size + 4) * np.finfo(result.dtype).eps * mean(np.abs(source), size) + 1e-15
    assert_within(result, mean(source, size), bound, dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32"])
@pytest.mark.parametrize("size", [3, 9, 40, 301])
def test_integers_are_exact_up_to_the_mean(dtype, size):
    image = pixels(np.random.default_rng(4), (30, 37), dtype)
    taps = np.ones(size, np.int64)
    sums = ndi.correlate1d(ndi.correlate1d(image.astype(np.int64), taps, 0), taps, 1)
    want = sums / float(size * size)
    got = imfilt.uniform(image, size, preserve_range=True, dtype=np.float64)
    assert_within(got, want, 2.0**-52 * np.abs(want) * 1.5)
    got = imfilt.uniform(image, size, preserve_range=True, dtype=dtype)
    assert_within(got, want, 0.5 + 1e-4)


def test_constants_stay_and_errors_do_not_travel():
    for level in (0, 1, 254, 255):
        constant = np.full((40, 50), level, np.uint8)
        for size in (3, 16, 101):
            assert (imfilt.uniform(constant, size, dtype=np.uint8) == level).all()
    spike = np.zeros((60, 90), np.float32)
    spike[30, 40] = 1e30
    spike[:, 60:] = 1
    assert (imfilt.uniform(spike, 8)[:, 66:] == 1).all()
    spike[30, 40] = np.nan
    wrong = np.isnan(imfilt.uniform(spike, 9))
    assert wrong[26:35, 36:45].all()
    assert wrong.sum() == 81


@pytest.mark.parametrize("size", [3, 4, 9, 30])
def test_opencv_and_pillow(photo, size):
    cv2 = pytest.importorskip("cv2")
    image = photo[:60, :70]
    want = cv2.blur(image, (size, size), borderType=cv2.BORDER_REFLECT)
    assert_within(imfilt.box(image, size, dtype=np.uint8), want, 1)
    want = cv2.blur(image / 255, (size, size), borderType=cv2.BORDER_REFLECT)
    assert_within(imfilt.box(image / 255, size), want, 1e-13)
    if size % 2:
        want = np.asarray(Image.fromarray(image).filter(ImageFilter.BoxBlur(size // 2)))
        assert_within(imfilt.box(image, size, mode="nearest", dtype=np.uint8), want, 1)


def test_weights_and_alpha():
    rng = np.random.default_rng(5)
    image, counts = rng.random((25, 30)), rng.random((25, 30)) > 0.4
    dirty = np.where(counts, image, np.nan)
    for size in (3, 12):
        want = mean(image * counts, size) / np.maximum(mean(counts * 1.0, size), 1e-9)
        got = imfilt.uniform(dirty, size, weights=counts)
        known = mean(counts * 1.0, size) > 1e-6
        assert_within(got[known], want[known], 1e-13, f"{size}")
        assert np.isnan(got[~known]).all()
    for function, taps in (
        (lambda one, **w: imfilt.disk_blur(one, 4, **w), kernels.disk(4)),
        (lambda one, **w: imfilt.motion_blur(one, 9, 30, **w), kernels.line(9, 30)),
    ):  # fmt: skip
        shares = ndi.correlate(counts * 1.0, taps, mode="nearest")
        want = ndi.correlate(image * counts, taps, mode="nearest") / shares
        assert_within(function(dirty, weights=counts), want, 1e-13)
        rgba = rng.random((25, 30, 4))
        clear = [ndi.correlate(rgba[..., c] * rgba[..., 3], taps, mode="nearest") for c in range(3)]
        opacity = ndi.correlate(rgba[..., 3], taps, mode="nearest")
        want = np.dstack([*(one / opacity for one in clear), opacity])
        assert_within(function(rgba, alpha=True), want, 1e-13)


def covered(radius, row, column):
    """Area of a pixel under a disc, by integration."""

    def height(x):
        half = np.sqrt(max(radius * radius - x * x, 0))
        return max(min(half, row + 0.5) - max(-half, row - 0.5), 0)

    left, right = max(column - 0.5, -radius), min(column + 0.5, radius)
    if right <= left:
        return 0.0
    bends = [np.sqrt(max(radius**2 - edge**2, 0)) for edge in (row - 0.5, row + 0.5)]
    inside = [s * b for b in bends for s in (-1, 1) if left < s * b < right] + [0] * (left < 0 < right)
    return scipy.integrate.quad(height, left, right, points=sorted({left, *inside, right}), epsabs=1e-11)[0]


@pytest.mark.parametrize("radius", [0, 0.3, 0.5, 0.51, 0.7, 1, 1.5, np.sqrt(2.5), 2.3, 2.5, 3, 5])
def test_discs_are_areas(radius):
    taps = kernels.disk(radius)
    side = taps.shape[0] // 2
    assert taps.sum() == pytest.approx(1, abs=1e-15)
    if radius <= 0.5:
        assert taps.shape == (1, 1)
        return
    areas = [[covered(radius, y, x) for x in range(-side, side + 1)] for y in range(-side, side + 1)]
    assert_within(taps * np.pi * radius**2, areas, 1e-9)
    assert side == max(int(np.ceil(radius - 0.5)), 0)


@pytest.mark.parametrize("angle", [0, 17, 45, 60, 90, 123.4, 180, -30])
@pytest.mark.parametrize("length", [1, 2, 3, 4.4, 9, 20.5])
def test_lines_are_areas(length, angle):
    cv2 = pytest.importorskip("cv2")
    taps = kernels.line(length, angle)
    assert taps.sum() == pytest.approx(1, abs=1e-15)
    c, s = np.cos(np.radians(angle)), -np.sin(np.radians(angle))  # rows go down
    ends = [(u * c - v * s, u * s + v * c) for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    ends = [(u * length * c - v * s, u * length * s + v * c) for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    rectangle = np.array(ends, np.float32) / 2
    tall, wide = (n // 2 for n in taps.shape)
    square = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)], np.float32)
    areas = np.zeros((2 * tall + 3, 2 * wide + 3))
    for y, x in np.ndindex(areas.shape):
        pixel = square + np.float32([x - wide - 1, y - tall - 1])
        areas[y, x] = cv2.intersectConvexConvex(rectangle, pixel)[0]
    assert_within(np.pad(taps, 1) * length, areas, 1e-4)


@pytest.mark.parametrize("length", [1, 3, 7, 15])
def test_level_and_upright_lines_are_means(photo, length):
    image = photo[:40, :50] / 255
    assert_within(imfilt.motion_blur(image, length), mean(image, (1, length), mode="nearest"), 1e-14)
    assert_within(imfilt.motion_blur(image, length, 90), mean(image, (length, 1), mode="nearest"), 1e-14)
    np.testing.assert_array_equal(kernels.line(length, 0), np.full((1, length), 1 / length))
    np.testing.assert_array_equal(kernels.line(length, -90), np.full((length, 1), 1 / length))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_lines_and_discs_with_every_border(mode, shape):
    image = np.random.default_rng(6).random(shape)
    for got, taps in (
        (imfilt.motion_blur(image, 8.5, 20, mode=mode, cval=0.3), kernels.line(8.5, 20)),
        (imfilt.disk_blur(image, 6.2, mode=mode, cval=0.3), kernels.disk(6.2)),
    ):
        assert_within(got, ndi.correlate(image, taps, mode=mode, cval=0.3), 1e-13)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_lines_and_discs_of_the_photograph(build, photo, dtype):
    image = photo[:40, :50].astype(dtype) if dtype[0] == "u" else (photo[:40, :50] / 255).astype(dtype)
    full = np.iinfo(dtype).max if dtype[0] == "u" else 1
    for got, taps in (
        (imfilt.motion_blur(image, 12, 33), kernels.line(12, 33)), (imfilt.disk_blur(image, 3.5), kernels.disk(3.5)),
    ):  # fmt: skip
        want = ndi.correlate(image.astype(np.float64) / full, taps[..., None], mode="nearest")
        count = np.count_nonzero(taps)
        assert_within(got, want, 1e-14 if dtype == "float64" else (count + 4) * EPS)
    constant = np.full((30, 40), 255, np.uint8)
    for blurred in (imfilt.motion_blur(constant, 12, 33, dtype="uint8"), imfilt.disk_blur(constant, 9, dtype="uint8")):
        assert (blurred == 255).all()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: imfilt.uniform(x, 0), ValueError, "size must be a whole number of 1 or more, not 0"),
        (lambda x: imfilt.uniform(x, 2.5), TypeError, "size must be a whole number"),
        (lambda x: imfilt.uniform(x, (1, 2, 3)), ValueError, "size must be a number or two"),
        (lambda x: imfilt.uniform(x, 20_000), ValueError, "size must be between 1 and 10000"),
        (lambda x: imfilt.uniform(x, 5, origin=3), ValueError, "origin must be between -2 and 2"),
        (lambda x: imfilt.uniform(x, 4, origin=(0, 2)), ValueError, "origin must be between -2 and 1"),
        (lambda x: imfilt.motion_blur(x, 0.5), ValueError, "length must be between 1 and 2000"),
        (lambda x: imfilt.motion_blur(x, 3, np.inf), ValueError, "angle must be finite"),
        (lambda x: imfilt.disk_blur(x, -1), ValueError, "radius must be between 0 and 1000"),
        (lambda x: imfilt.disk_blur(x, None), TypeError, "radius must be a number"),
    ],
)
def test_wrong_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call(np.zeros((5, 5)))


def test_images_without_pixels_and_results_in_place():
    for name, argument in (("uniform", 3), ("uniform", 30), ("motion_blur", 5), ("disk_blur", 3)):
        function = getattr(imfilt, name)
        for shape in ((0, 4), (3, 0), (0, 0), (2, 3, 0)):
            assert function(np.zeros(shape, np.float32), argument).shape == shape
        image = np.random.default_rng(7).random((9, 11))
        want = function(image, argument)
        assert function(image, argument, out=image) is image
        np.testing.assert_array_equal(image, want)


@pytest.mark.parametrize("size", [7, 9, 15, (6, 11)])
def test_16_bit_means_are_the_nearest_level(size):
    image = np.random.default_rng(5).integers(0, 65536, (40, 60), np.uint16)
    rows, columns = (size, size) if isinstance(size, int) else size
    padded = np.pad(image.astype(np.int64), ((rows // 2, rows), (columns // 2, columns)), "symmetric")
    sums = np.lib.stride_tricks.sliding_window_view(padded, (rows, columns)).sum(axis=(2, 3))[:40, :60]
    got = imfilt.uniform(image, size, dtype="uint16", preserve_range=True).astype(np.int64)
    assert (np.abs(2 * (got * rows * columns - sums)) <= rows * columns).all()


@pytest.mark.parametrize("size", [(3, 3), (5, 5), (7, 9), (4, 4), (16, 16), (1, 63), (5, 13), (6, 6), (31, 31)])
def test_means_of_16_bits_are_the_nearest_level(build, size):
    """In single precision or in double, as the plan has it; halves go to the even level."""
    rng = np.random.default_rng(23)
    n = size[0] * size[1]
    for low in (0, 65000):
        image = rng.integers(low, 65536, (60, 71)).astype(np.uint16)
        sums = ndi.correlate(image.astype(np.int64), np.ones(size, np.int64), mode="wrap")
        want = (2 * sums + n) // (2 * n)
        want -= (want * 2 * n == 2 * sums + n) & (want % 2 == 1)
        np.testing.assert_array_equal(imfilt.box(image, size, mode="wrap", dtype=np.uint16), want)
