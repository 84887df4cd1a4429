"""Second derivatives against scikit-image, SciPy and OpenCV, on the photograph and on awkward shapes."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import skimage.feature as skfeature
import skimage.filters as skf
from conftest import DTYPES, MODES, assert_within, pixels
from skimage.util import img_as_float

import imfilt
from imfilt import kernels

SHAPES = [(1, 1), (1, 9), (9, 1), (2, 2), (3, 70), (40, 33)]
EPS = np.finfo(np.float32).eps


def padded(image, reach, mode, cval):
    """The image with its border. (SciPy's own "reflect" is wrong for kernels much larger than the image.)"""
    names = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge"}
    options = {"constant_values": cval} if mode == "constant" else {}
    return np.pad(image, reach, names.get(mode, mode), **options)


def each_channel(function, image):
    if image.ndim == 2:
        return function(image)
    return np.stack([function(image[..., c]) for c in range(image.shape[2])], axis=-1)


def scaled(image):
    """img_as_float in float64, also of 64-bit integers."""
    full = float(np.iinfo(image.dtype).max) if image.dtype.kind in "iu" else 1.0
    source = image.astype(np.float64) / full
    return np.maximum(source, -1) if image.dtype.kind == "i" else source


def laplacian_taps(size):
    if size == 3:
        return np.array(kernels.LAPLACE)
    along, across = np.convolve([1, -2, 1], kernels.binomial(size - 3)), kernels.binomial(size - 1)
    return -np.outer(along, across) - np.outer(across, along)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_laplace_is_scikit_images(build, photo, dtype):
    image = photo[:50, :60] if dtype == "uint8" else (photo[:50, :60] / 255).astype(dtype)
    for view in (image[..., 1], image):
        want = each_channel(lambda one: skf.laplace(img_as_float(one).astype(np.float64)), view)
        assert_within(imfilt.laplace(view), want, 8 * 9 * EPS if dtype != "float64" else 1e-14, dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", MODES)
def test_laplace_of_any_size_and_border(shape, mode):
    image = np.random.default_rng(1).standard_normal(shape)
    for size in (3, 5, 7, 9, 21):
        taps, inside = laplacian_taps(size), (slice(12, -12),) * 2
        want = ndi.correlate(padded(image, 12, mode, 0.25), taps)[inside]
        assert_within(imfilt.laplace(image, size, mode=mode, cval=0.25), want, 1e-13, f"{size}")
        narrow = padded(image.astype(np.float32), 12, mode, 0.25).astype(np.float64)
        want = ndi.correlate(narrow, taps)[inside]
        bound = (size * size + 4) * EPS * ndi.correlate(np.abs(narrow), np.abs(taps))[inside]
        got = imfilt.laplace(image.astype(np.float32), size, mode=mode, cval=0.25)
        assert_within(got, want, bound, f"{size}")


@pytest.mark.parametrize("size", [5, 7, 9, 15])
def test_larger_laplacians_are_opencvs_up_to_their_scale(photo, size):
    cv2 = pytest.importorskip("cv2")
    image = photo[:60, :70, 0] / 255
    want = cv2.Laplacian(image, cv2.CV_64F, ksize=size, borderType=cv2.BORDER_REFLECT)
    assert_within(imfilt.laplace(image, size), -want / 4 ** (size - 2), 1e-14)


@pytest.mark.parametrize("size", [3, 5, 9, 31])
def test_laplacians_answer_a_paraboloid_alike(size):
    y, x = np.mgrid[-20.0:21, -25.0:26]
    r = size // 2
    for paraboloid in (x**2 / 2, y**2 / 2):
        got = imfilt.laplace(paraboloid, size)[r:-r, r:-r]
        assert_within(got, -np.ones_like(got), 1e-11)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype):
    image = pixels(np.random.default_rng(2), (17, 23), dtype)
    source = scaled(image)
    most = np.abs(source).max()
    want = ndi.correlate(source, np.array(kernels.LAPLACE), mode="reflect")
    result = imfilt.laplace(image)
    assert_within(result, want, 9 * 8 * np.finfo(result.dtype).eps * most, dtype)
    result = imfilt.gaussian_laplace(image, 1.2)
    want = ndi.gaussian_laplace(source, 1.2)
    assert_within(result, want, 100 * np.finfo(result.dtype).eps * most, dtype)
    result = imfilt.difference_of_gaussians(image, 0.7)
    want = ndi.gaussian_filter(source, 0.7, mode="nearest") - ndi.gaussian_filter(source, 1.12, mode="nearest")
    assert_within(result, want, 50 * np.finfo(result.dtype).eps * most, dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16"])
def test_laplace_of_integers_is_exact_and_saturates(dtype):
    image = pixels(np.random.default_rng(3), (20, 30), dtype)
    exact = ndi.correlate(image.astype(np.int64), np.array(kernels.LAPLACE, np.int64), mode="reflect")
    np.testing.assert_array_equal(imfilt.laplace(image, preserve_range=True), exact)
    limits = np.iinfo(dtype)
    clipped = np.clip(exact, limits.min, limits.max)
    np.testing.assert_array_equal(imfilt.laplace(image, preserve_range=True, dtype=dtype), clipped)


def test_masks_shrink_by_the_kernels_reach(photo):
    image = photo[:50, :60]
    mask = np.random.default_rng(5).random((50, 60)) > 0.02
    mask[10:20, 10:20] = False
    got = imfilt.laplace(image, mask=mask)
    want = each_channel(lambda one: skf.laplace(one, mask=mask), image)
    assert_within(got, want, 1e-6)
    dirty = image / 255
    dirty[~mask] = np.nan
    for size in (5, 7):
        keep = ndi.binary_erosion(mask, np.ones((size, size)))
        got = imfilt.laplace(dirty, size, mask)
        assert not np.isnan(got).any()
        assert_within(got, imfilt.laplace(image / 255, size) * keep[..., None], 1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", MODES)
def test_gaussian_laplace_is_scipys(shape, mode):
    image = np.random.default_rng(6).random(shape)
    for sigma in (0.5, 1, 3, (1, 2.5)):
        want = ndi.gaussian_laplace(image, sigma, mode=mode)
        assert_within(imfilt.gaussian_laplace(image, sigma, mode=mode), want, 1e-13, f"{sigma}")
    want = ndi.gaussian_laplace(image, 2, mode=mode, truncate=2.5)
    assert_within(imfilt.gaussian_laplace(image, 2, mode=mode, truncate=2.5), want, 1e-13)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_bands_of_the_photograph(build, photo, dtype):
    image = photo[:60, :70] if dtype == "uint8" else (photo[:60, :70] / 255).astype(dtype)
    source = image / 255 if dtype == "uint8" else image.astype(np.float64)
    bound = 1e-13 if dtype == "float64" else 1e-5
    for view, wide in ((image[..., 1], source[..., 1]), (image, source)):
        want = each_channel(lambda one: ndi.gaussian_laplace(one, 2), wide)
        assert_within(imfilt.gaussian_laplace(view, 2), want, bound, "gaussian_laplace")
        for sigmas in ((1,), (1, 12), ((0, 2), (0, 3)), ((1, 2), (2, 2)), (0,)):
            want = each_channel(lambda one, sigmas=sigmas: skf.difference_of_gaussians(one, *sigmas), wide)
            assert_within(imfilt.difference_of_gaussians(view, *sigmas), want, bound, f"{sigmas}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_differences_of_gaussians_with_every_border(mode, shape):
    image = np.random.default_rng(7).random(shape)
    for sigmas in ((0.5,), (2, 3), ((1, 4), (1.5, 9))):
        want = skf.difference_of_gaussians(image, *sigmas, mode=mode, cval=0.4)
        got = imfilt.difference_of_gaussians(image, *sigmas, mode=mode, cval=0.4)
        assert_within(got, want, 1e-13, f"{sigmas}")


def hessians(image, sigma, gaussian, **options):
    want = skfeature.hessian_matrix(image, sigma, use_gaussian_derivatives=gaussian, **options)
    return imfilt.hessian_matrix(image, sigma, use_gaussian_derivatives=gaussian, **options), want


@pytest.mark.parametrize("sigma", [0.3, 1, 1.5, 3])
@pytest.mark.parametrize("order", ["rc", "xy"])
def test_hessians_are_scikit_images(build, photo, sigma, order):
    image = photo[:52, :66, 1] / 255
    for got, want in zip(*hessians(image, sigma, True, mode="wrap", order=order), strict=True):
        assert_within(got, want, 1e-13, "wrap")
    reach = min(int(7 * sigma + 8), 22)
    inside = slice(reach, -reach), slice(reach, -reach)
    for mode in MODES:
        for got, want in zip(*hessians(image, sigma, True, mode=mode, order=order), strict=True):
            assert_within(got[inside], want[inside], 1e-9, mode)
        for got, want in zip(*hessians(image, sigma, False, mode=mode, order=order), strict=True):
            assert_within(got[2:-2, 2:-2], want[2:-2, 2:-2], 1e-13, mode)
    colour = imfilt.hessian_matrix(photo[:52, :66], sigma, order=order)
    assert [part.dtype for part in colour] == [np.float32] * 3
    for part, one in zip(colour, imfilt.hessian_matrix(image, sigma, order=order), strict=True):
        assert_within(part[..., 1], one, 1e-5)


def test_hessian_of_two_sigmas():
    image = np.random.default_rng(8).random((30, 40))
    got = imfilt.hessian_matrix(image, (1.2, 2), "wrap")
    for one, want in zip(got, skfeature.hessian_matrix(image, (1.2, 2), "wrap", use_gaussian_derivatives=True)):  # noqa: B905
        assert_within(one, want, 1e-14)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_hessian_is_the_derivative_of_the_image_that_goes_on_beyond_its_border(mode, shape):
    image = np.random.default_rng(9).random(shape)
    inside = slice(60, 60 + shape[0]), slice(60, 60 + shape[1])
    for gaussian in (True, False):
        want = skfeature.hessian_matrix(padded(image, 60, mode, 0.25), 1.3, use_gaussian_derivatives=gaussian)
        got = imfilt.hessian_matrix(image, 1.3, mode, 0.25, use_gaussian_derivatives=gaussian)
        for one, other in zip(got, want, strict=True):
            assert_within(one, other[inside], 1e-14, f"{gaussian}")


def test_hessian_into_arrays_that_are_given():
    image = np.random.default_rng(10).random((9, 12))
    want = imfilt.hessian_matrix(image)
    out = [np.full(image.shape, 7.0) for _ in range(3)]
    got = imfilt.hessian_matrix(image, out=out)
    assert all(one is given for one, given in zip(got, out, strict=True))
    for one, other in zip(got, want, strict=True):
        np.testing.assert_array_equal(one, other)
    fresh = [np.full(image.shape, 7.0) for _ in range(3)]
    for wrong, error in [
        (fresh[0], TypeError), (fresh[:2], ValueError), ([*fresh[:2], None], TypeError),
        ([*fresh[:2], np.zeros((9, 13))], ValueError), ([*fresh[:2], fresh[0]], ValueError),
        ([*fresh[:2], image], ValueError), ([*fresh[:2], np.zeros((9, 12), complex)], TypeError),
        ([*fresh[:2], fresh[1][::-1]], ValueError),
    ]:  # fmt: skip
        with pytest.raises(error, match=r"out|dtype"):
            imfilt.hessian_matrix(image, out=wrong)
        assert all((one == 7).all() for one in fresh)
    pair = np.zeros((9, 12, 3))
    imfilt.hessian_matrix(image, out=[pair[..., k] for k in range(3)])  # side by side, not the same memory
    for k in range(3):
        np.testing.assert_array_equal(pair[..., k], want[k])


def test_weights_leave_out_pixels_and_alpha_stays():
    rng = np.random.default_rng(11)
    image, counts = rng.random((25, 30)), rng.random((25, 30)) > 0.2
    dirty = np.where(counts, image, np.nan)
    taps = np.array(kernels.LAPLACE)
    k, a = (lambda one, t=t: ndi.correlate(one, t, mode="reflect") for t in (taps, np.abs(taps)))
    seen, share = image * counts, a(counts.astype(float))
    want = (k(seen) - a(seen) / share * k(counts.astype(float))) * np.abs(taps).sum() / share
    assert_within(imfilt.laplace(dirty, weights=counts), want, 1e-13)
    flat = np.where(counts, 0.6, np.nan)
    for result in (
        imfilt.laplace(flat, 7, weights="finite"), imfilt.difference_of_gaussians(flat, 1, weights=counts),
        *imfilt.hessian_matrix(flat, 1, "nearest", weights="finite")[1:2],
    ):  # fmt: skip
        assert_within(result, np.zeros_like(flat), 1e-13)
    rgba = rng.random((10, 12, 4))
    np.testing.assert_array_equal(imfilt.laplace(rgba, alpha=True)[..., 3], rgba[..., 3])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: imfilt.laplace(x, 4), ValueError, "ksize must be odd, not 4"),
        (lambda x: imfilt.laplace(x, 1), ValueError, "ksize must be a whole number of 3 or more, not 1"),
        (lambda x: imfilt.laplace(x, 1025), ValueError, "ksize must be between 3 and 1023"),
        (lambda x: imfilt.laplace(x, 3.0), TypeError, "ksize"),
        (lambda x: imfilt.laplace(x, mask=np.ones((2, 2), bool)), ValueError, "mask"),
        (lambda x: imfilt.gaussian_laplace(x, 0.1), ValueError, "sigma 0.1"),
        (lambda x: imfilt.gaussian_laplace(x, -1), ValueError, "sigma must not be negative"),
        (lambda x: imfilt.gaussian_laplace(x, 1, truncate="far"), TypeError, "truncate"),
        (lambda x: imfilt.difference_of_gaussians(x, 2, 1), ValueError, "high_sigma must not be smaller"),
        (lambda x: imfilt.difference_of_gaussians(x, (1, 2), (2, 1)), ValueError, "high_sigma must not be smaller"),
        (lambda x: imfilt.difference_of_gaussians(x, (1, 2, 3)), ValueError, "low_sigma"),
        (lambda x: imfilt.hessian_matrix(x, 1, order="yx"), ValueError, "order must be one of 'rc', 'xy'"),
        (lambda x: imfilt.hessian_matrix(x, 1001), ValueError, "sigma must be between 0 and 1000"),
        (lambda x: imfilt.hessian_matrix(x, 0), ValueError, "sigma 0"),
    ],
)
def test_wrong_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call(np.zeros((5, 5)))


def test_images_without_pixels():
    for shape in ((0, 4), (3, 0), (0, 0), (2, 3, 0)):
        image = np.zeros(shape, np.float32)
        assert imfilt.laplace(image, 5).shape == shape
        assert imfilt.gaussian_laplace(image, 1).shape == shape
        assert imfilt.difference_of_gaussians(image, 1).shape == shape
        assert [part.shape for part in imfilt.hessian_matrix(image)] == [shape] * 3
