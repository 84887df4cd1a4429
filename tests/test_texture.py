"""The Gabor filter against scikit-image."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import skimage.filters as skf
from conftest import DTYPES, MODES, assert_within, pixels

import imfilt
from imfilt._engine import borders, isa, plan
from imfilt.convolution.single import ways_for

SHAPES = [(1, 1), (1, 9), (9, 1), (2, 2), (3, 70), (40, 33)]
EPS = np.finfo(np.float32).eps
PARAMETERS = [
    {"frequency": 0.1}, {"frequency": 0.3, "theta": 0.7}, {"frequency": 0.2, "theta": 1, "bandwidth": 2},
    {"frequency": 0.1, "theta": np.pi / 4, "sigma_x": 3, "sigma_y": 5}, {"frequency": 0.25, "n_stds": 2, "offset": 0.3},
    {"frequency": -0.2, "theta": 2}, {"frequency": 0.4, "sigma_y": 2.5}, {"frequency": 0, "sigma_x": 1, "sigma_y": 2},
    {"frequency": 0.3, "n_stds": 0},
]  # fmt: skip


def padded(image, reach, mode, cval):
    """The image with its border. (SciPy's own "reflect" is wrong for kernels much larger than the image.)"""
    names = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge"}
    options = {"constant_values": cval} if mode == "constant" else {}
    return np.pad(image, reach, names.get(mode, mode), **options)


@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
def test_kernels_are_scikit_images(parameters, dtype):
    got, want = (one(**parameters, dtype=dtype) for one in (imfilt.gabor_kernel, skf.gabor_kernel))
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, want)
    got[0, 0] = 99  # what is returned is the caller's
    np.testing.assert_array_equal(imfilt.gabor_kernel(**parameters, dtype=dtype), want)


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_photograph_as_scikit_image_has_it(photo, parameters):
    image = photo[:60, :70, 1] / 255
    for got, want in zip(imfilt.gabor(image, **parameters), skf.gabor(image, **parameters), strict=True):
        assert_within(got, want, 1e-13)


def test_photograph_of_any_dtype(build, photo):
    image = photo[:50, :60]
    want = [
        np.stack([skf.gabor(image[..., c] / 255, 0.2, 0.6)[part] for c in range(3)], axis=-1) for part in (0, 1)
    ]  # fmt: skip
    for source in (image, (image / 255).astype(np.float32), image / 255):
        for got, one in zip(imfilt.gabor(source, 0.2, 0.6), want, strict=True):
            assert_within(got, one, 1e-13 if source.dtype == np.float64 else 200 * EPS, source.dtype)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_borders_also_with_kernels_larger_than_the_image(mode, shape):
    image = np.random.default_rng(1).random(shape)
    for theta in (0, 0.5, np.pi / 2):
        want = skf.gabor(padded(image, 20, mode, 0.4), 0.15, theta)
        for got, one in zip(imfilt.gabor(image, 0.15, theta, mode=mode, cval=0.4), want, strict=True):
            assert_within(got, one[20:-20, 20:-20], 1e-14, f"{theta}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_integers_are_scaled_and_do_not_wrap(dtype):
    image = pixels(np.random.default_rng(2), (21, 24), dtype)
    full = float(np.iinfo(dtype).max) if image.dtype.kind in "iu" else 1.0
    source = image.astype(np.float64) / full
    if image.dtype.kind == "i":
        source = np.maximum(source, -1)
    for got, want in zip(imfilt.gabor(image, 0.3, 1), skf.gabor(source, 0.3, 1), strict=True):
        assert_within(got, want, 125 * np.finfo(got.dtype).eps * np.abs(source).max(), dtype)
    for got, want in zip(
        imfilt.gabor(image, 0.3, 1, preserve_range=True), skf.gabor(image.astype(np.float64), 0.3, 1), strict=True
    ):
        low = image.astype(np.float64)
        assert_within(got, want, 125 * np.finfo(got.dtype).eps * np.abs(low).max(), dtype)


@pytest.mark.parametrize("frequency", [0.3, 0.1])
@pytest.mark.parametrize("theta", [0, 0.7, np.pi / 4, 2])
def test_equal_sigmas_are_two_columns_times_rows_at_most(frequency, theta):
    for dtype in (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.uint8)):
        result = np.dtype(np.float64) if dtype == np.float64 else np.dtype(np.float32)
        taps = imfilt.gabor_kernel(frequency, theta)[::-1, ::-1]
        for part in (taps.real, taps.imag):
            ways = ways_for(part, dtype, result)
            call = (400, 600, 1), dtype, result, borders.MODES["reflect"], 0.0, False, (400, 600), isa.core.LANES
            assert plan.make(ways.auto, *call).name == "separable"
            terms = len(ways.kernels["separable"].stages[0].taps[-1]) - 1
            assert terms <= 2


def test_numbers_that_are_not_finite_stay_near():
    image = np.random.default_rng(3).random((90, 90)).astype(np.float32)
    image[45, 45] = np.nan
    for theta in (0.3, 0):
        clean = np.isfinite(imfilt.gabor(image, 0.2, theta)[0])
        reach = imfilt.gabor_kernel(0.2, theta).shape[0] // 2
        assert clean[: 45 - reach].all()
        assert clean[:, 45 + reach + 1 :].all()
        assert not clean[45, 45]


def test_weights_and_alpha():
    rng = np.random.default_rng(4)
    image, counts = rng.random((40, 44)), rng.random((40, 44)) > 0.2
    kernel = imfilt.gabor_kernel(0.12, 0.7)
    got = imfilt.gabor(np.where(counts, image, np.nan), 0.12, 0.7, weights=counts)
    for part, one in zip((kernel.real, kernel.imag), got, strict=True):
        k, a = (lambda values, t=t: ndi.convolve(values, t, mode="reflect") for t in (part, np.abs(part)))
        seen, full = image * counts, counts.astype(np.float64)
        mean, share = a(seen) / a(full), np.abs(part).sum() / a(full)
        assert_within(one, (k(seen) - mean * k(full)) * share + mean * part.sum(), 1e-13)
    rgba = np.dstack([image, image, image, np.ones_like(image)])
    _, imag = imfilt.gabor(rgba, 0.12, 0.7, alpha=True)
    assert_within(imag[..., 0], imfilt.gabor(image, 0.12, 0.7)[1], 1e-13)
    assert (imag[..., 3] == 1).all()


def test_results_into_arrays_that_are_given():
    image = np.random.default_rng(5).integers(0, 256, (20, 30), np.uint8)
    want = imfilt.gabor(image, 0.2)
    out = np.empty((20, 30), np.float32), np.empty((20, 30), np.int16)
    got = imfilt.gabor(image, 0.2, out=out)
    assert got[0] is out[0]
    assert got[1] is out[1]
    np.testing.assert_array_equal(out[0], want[0])
    assert_within(out[1], want[1] * 32767.0, 0.51)
    untouched = np.full((20, 30), 3, np.uint8)
    for wrong in ((untouched, image), (untouched, untouched), (untouched, np.empty((20, 31)))):
        with pytest.raises(ValueError, match="out"):
            imfilt.gabor(image, 0.2, out=wrong)
    assert (untouched == 3).all()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"frequency": 0}, ValueError, "frequency, without sigma_x and sigma_y, must be positive"),
        ({"frequency": 0, "sigma_x": 1}, ValueError, "frequency"),
        ({"frequency": "low"}, TypeError, "frequency must be a number"),
        ({"frequency": 0.1, "theta": np.nan}, ValueError, "theta must be finite"),
        ({"frequency": 0.1, "bandwidth": 0}, ValueError, "bandwidth must be positive"),
        ({"frequency": 0.1, "sigma_x": -1}, ValueError, "sigma_x must be positive"),
        ({"frequency": 0.1, "sigma_y": 0}, ValueError, "sigma_y must be positive"),
        ({"frequency": 0.1, "n_stds": -1}, ValueError, "n_stds must not be negative"),
        ({"frequency": 1e-5}, ValueError, "n_stds times a sigma must be between 0 and 1000"),
        ({"frequency": 0.1, "offset": None}, TypeError, "offset must be a number"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        imfilt.gabor_kernel(**arguments)
    with pytest.raises(error, match=words):
        imfilt.gabor(np.zeros((5, 5)), **arguments)


def test_a_kernel_is_complex():
    for wrong, error in ((np.float64, ValueError), ("text", TypeError)):
        with pytest.raises(error, match="dtype must be"):
            imfilt.gabor_kernel(0.1, dtype=wrong)


def test_images_without_pixels():
    for shape in ((0, 4), (3, 0), (0, 0), (2, 3, 0)):
        assert [part.shape for part in imfilt.gabor(np.zeros(shape, np.float32), 0.1)] == [shape] * 2


def test_a_sigma_whose_square_vanishes_is_refused():
    with pytest.raises(ValueError, match="smaller of the sigmas must be between"):
        imfilt.gabor_kernel(0.1, sigma_x=1e-200, sigma_y=1)
