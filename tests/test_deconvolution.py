"""Wiener and Richardson-Lucy against scikit-image, against dense linear algebra, and by their laws."""

import itertools

import numpy as np
import pytest
import skimage
import skimage.restoration as skr
from conftest import DTYPES, assert_same_bits, assert_within, pixels
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage as ndi
from scipy import signal

import imfilt
from imfilt._engine import checks, isa
from imfilt.deconvolution import _steady, richardson_lucy, wiener


def point_spreads():
    rng = np.random.default_rng(0)
    bell = np.exp(-(np.arange(-7, 8) ** 2) / 8)
    disk = np.hypot(*np.mgrid[-4:5, -4:5]) <= 4
    made = {
        "point": np.ones((1, 1)), "box": np.ones((5, 5)), "gaussian": np.outer(bell, bell), "motion": np.eye(9),
        "row": np.ones((1, 7)), "disk": disk * 1.0, "asymmetric": rng.random((5, 7)) ** 2, "even": np.ones((4, 6)),
        "even and asymmetric": rng.random((6, 5)), "full": rng.random((25, 25)),
    }  # fmt: skip
    return {name: psf / psf.sum() for name, psf in made.items()}


PSFS = point_spreads()
SIZES = list(itertools.product((60, 61), (70, 71)))


def odd(psf):
    """The same blur of odd sizes: scikit-image's second step is a pixel off for even ones."""
    return np.pad(psf, [(1 - n % 2, 0) for n in psf.shape])


@pytest.fixture(scope="module")
def picture(photo):
    return photo[120:181, 150:221, 1] / 255


def blurred(picture, psf, noise=0.01):
    clean = signal.convolve(picture, psf, "same", method="direct")
    return np.clip(clean + noise * np.random.default_rng(1).standard_normal(picture.shape), 0, 1)


def psnr(image, picture, border=12):
    inside = (slice(border, -border),) * 2
    return -10 * np.log10(np.mean((np.clip(image, 0, 1) - picture)[inside] ** 2))


# ---- scikit-image ----------------------------------------------------------------


@pytest.mark.parametrize("name", PSFS)
@pytest.mark.parametrize("size", SIZES)
def test_wiener_as_scikit_image_has_it(picture, name, size):
    image = blurred(picture[: size[0], : size[1]], PSFS[name])
    for balance, clip, is_real in itertools.product((1, 0.1, 1e-3, 1e-5), (True, False), (True, False)):
        what = f"{balance} {clip} {is_real}"
        want = skr.wiener(image, PSFS[name], balance, None, is_real, clip).real
        assert_within(wiener(image, PSFS[name], balance, None, is_real, clip), want, 1e-12, what)
        # In single precision scikit-image is itself up to 2e-5 from this; imfilt is within 3e-7.
        narrow = image.astype(np.float32)
        got = wiener(narrow, PSFS[name], balance, None, is_real, clip)
        assert got.dtype == np.float32
        wide = skr.wiener(narrow.astype(np.float64), PSFS[name], balance, None, is_real, clip).real
        assert_within(got, wide, 1e-6, what)
        assert_within(got, skr.wiener(narrow, PSFS[name], balance, None, is_real, clip).real, 1e-4, what)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_real", [True, False])
def test_regularisation_and_transfer_functions_as_scikit_image_has_them(picture, size, is_real):
    image = blurred(picture[: size[0], : size[1]], PSFS["disk"])
    cross = np.array([[0, -1.0, 0], [-1, 4, -1], [0, -1, 0]])
    transfer = skr.uft.ir2tf(PSFS["disk"], size, is_real=is_real)
    for reg in (np.ones((1, 1)), signal.convolve(cross, cross), skr.uft.ir2tf(cross, size, is_real=is_real)):
        want = skr.wiener(image, PSFS["disk"], 0.01, reg, is_real, False).real
        for psf in (PSFS["disk"], transfer):
            assert_within(wiener(image, psf, 0.01, reg, is_real, False), want, 1e-12, f"{reg.shape}")


@pytest.mark.parametrize("name", PSFS)
@pytest.mark.parametrize("size", SIZES)
def test_richardson_lucy_as_scikit_image_has_it(picture, name, size):
    image = blurred(picture[: size[0], : size[1]], PSFS[name])
    narrow = image.astype(np.float32)
    for num_iter, clip, epsilon in ((0, True, None), (1, True, None), (10, False, 0.1), (30, True, None)):
        rest = num_iter, clip, epsilon
        assert_within(richardson_lucy(image, PSFS[name], *rest), skr.richardson_lucy(image, odd(PSFS[name]), *rest),
                      1e-12, f"{rest}")  # fmt: skip
        got = richardson_lucy(narrow, PSFS[name], *rest)
        assert got.dtype == np.float32
        assert_within(got, skr.richardson_lucy(narrow, odd(PSFS[name]), *rest), 1e-4, f"{rest}")


def test_defaults_are_those_of_scikit_image(picture):
    image = blurred(picture, PSFS["box"])
    assert_within(richardson_lucy(image, PSFS["box"]), skr.richardson_lucy(image, PSFS["box"]), 1e-12)
    assert_within(wiener(image, PSFS["box"], 0.1), skr.wiener(image, PSFS["box"], 0.1), 1e-12)


def test_small_numbers_are_filtered_only_if_asked_for(picture):
    image = blurred(picture, PSFS["box"]) - 0.3
    results = [richardson_lucy(image, PSFS["box"], 5, True, epsilon) for epsilon in (None, 0, 0.0, 0.2)]
    for one in results[1:3]:
        assert_same_bits(one, results[0])
    assert (results[3] != results[0]).any()
    assert_within(results[3], skr.richardson_lucy(image, PSFS["box"], 5, True, 0.2), 1e-9)


# ---- where scikit-image is not followed ------------------------------------------


@pytest.mark.parametrize("side", [2, 4, 6])
def test_even_point_spread_functions_give_the_picture_back(picture, side):
    psf = np.ones((side, side)) / side**2
    image = blurred(picture, psf, noise=0)
    assert psnr(richardson_lucy(image, psf, 20), picture) > psnr(image, picture) + 3
    assert psnr(skr.richardson_lucy(image, psf, 20), picture) < psnr(image, picture) + 1  # a pixel off, again and again


def operator_matrix(taps, shape):
    """Of a periodic convolution, by SciPy: a column for each pixel."""
    impulses = np.eye(shape[0] * shape[1]).reshape(-1, *shape)
    return np.stack([ndi.convolve(one, taps, mode="wrap").ravel() for one in impulses], axis=1)


@pytest.mark.parametrize("shape", [(6, 7), (5, 8), (1, 9), (9, 1), (2, 2), (1, 1)])
@pytest.mark.parametrize("taps", [(3, 3), (2, 4), (5, 2), (11, 13)])
def test_wiener_is_the_regularised_least_squares_solution(shape, taps):
    """Also for what is not symmetric, of even size, or larger than the image."""
    rng = np.random.default_rng(2)
    image, psf = rng.random(shape), rng.random(taps) / np.prod(taps)
    for reg in (None, np.array([[1.0, -1.0]]), rng.standard_normal((3, 4))):
        laplacian = np.array([[0, -1.0, 0], [-1, 4, -1], [0, -1, 0]])
        h, d = operator_matrix(psf, shape), operator_matrix(laplacian if reg is None else reg, shape)
        want = np.linalg.solve(h.T @ h + 0.05 * d.T @ d, h.T @ image.ravel()).reshape(shape)
        for is_real in (True, False):
            got = wiener(image, psf, 0.05, reg, is_real, clip=False)
            assert_within(got, want, 1e-12 * max(1, np.abs(want).max()), f"{reg}")


@pytest.mark.parametrize("size", SIZES)
def test_transfer_functions_keep_their_imaginary_part(picture, size):
    psf, image = PSFS["asymmetric"], picture[: size[0], : size[1]]
    slope = np.array([[1.0, -1.0]])
    want = wiener(image, psf, 0.01, slope)
    for is_real in (True, False):
        forms = [skr.uft.ir2tf(one, size, is_real=is_real) for one in (psf, slope)]
        assert_within(wiener(image, forms[0], 0.01, forms[1], is_real), want, 1e-12)
        assert_within(wiener(image, forms[0].astype(np.complex64), 0.01, slope, is_real), want, 1e-4)


def test_a_real_point_spread_function_is_one_whatever_its_shape():
    rng = np.random.default_rng(3)
    image, psf = rng.random((8, 8)), rng.random((8, 5)) / 40  # rfft2's shape: scikit-image takes it for a spectrum
    shifted = np.pad(psf, ((0, 1), (0, 0)))  # the same about the same centre
    assert_within(wiener(image, psf, 0.1), wiener(image, shifted, 0.1), 1e-13)


def test_frequencies_that_are_lost_stay_zero():
    rng = np.random.default_rng(4)
    image = rng.random((10, 15))
    psf = np.ones((5, 5)) / 25  # has no frequencies of period 5
    h = operator_matrix(psf, image.shape)
    want = (np.linalg.pinv(h, rcond=1e-10) @ image.ravel()).reshape(image.shape)
    assert_within(wiener(image, psf, 0, clip=False), want, 1e-12 * np.abs(want).max())
    difference = wiener(image, [[1, 0, -1]], 0.1)  # nothing is known of the mean
    assert abs(difference.mean()) < 1e-15
    assert not wiener(image, np.zeros((3, 3)), 0.1).any()


# ---- laws ------------------------------------------------------------------------


@pytest.mark.parametrize("name", PSFS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_becomes_negative_and_no_light_is_lost(name, dtype):
    """The sum of x H'(y / H x) is that of y, if H' is the transpose of H."""
    rng = np.random.default_rng(5)
    image = np.where(rng.random((40, 50)) < 0.03, rng.random((40, 50)) * 1000, 0).astype(dtype)
    for num_iter in (1, 2, 25):
        got = richardson_lucy(image, PSFS[name], num_iter, clip=False)
        assert got.min() >= 0
        assert got.sum(dtype=np.float64) == pytest.approx(image.sum(dtype=np.float64), rel=1e-5)


def test_the_sum_of_the_point_spread_function():
    image, psf = np.random.default_rng(9).random((20, 30)) + 0.1, PSFS["asymmetric"]
    assert_within(richardson_lucy(image, 7 * psf, 9, False), richardson_lucy(image, psf, 9, False), 1e-9)
    assert_within(wiener(image, 7 * psf, 49 * 0.1, clip=False) * 7, wiener(image, psf, 0.1, clip=False), 1e-12)


def test_the_plan_has_no_signs_and_is_the_cheapest_such():
    for name, want in (("gaussian", "separable"), ("motion", "direct"), ("full", "fused")):
        for dtype in (np.float32, np.float64):
            assert _steady(PSFS[name], np.dtype(dtype)) == want
    y, x = np.mgrid[-15:16, -15:16]
    ring = np.exp(-((np.hypot(x, y) - 9.3) ** 2) / 8)
    ring /= ring.sum()
    assert imfilt.explain_plan(ring, (1000, 1000)).plan == "separable"  # of many terms, with signs
    assert _steady(ring, np.dtype(np.float32)) == "fused"


def test_restoring_the_picture_is_not_restoring_the_shape(picture):
    """conv_transpose2d, which is called deconvolution too, blurs once more."""
    psf = PSFS["box"]
    image = imfilt.conv2d(picture, psf[None, None])
    shape_back = imfilt.conv_transpose2d(image, psf[None, None])
    assert shape_back.shape == picture.shape
    framed = np.pad(image, 2, mode="edge")
    before = psnr(framed, picture)
    assert psnr(shape_back, picture) < before - 1.5
    assert psnr(richardson_lucy(framed, psf, 30), picture) > before + 3
    assert psnr(wiener(np.pad(framed, 20, mode="reflect"), psf, 1e-2)[20:-20, 20:-20], picture) > before + 3


@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)), size=st.tuples(st.integers(1, 15), st.integers(1, 15)),
    num_iter=st.integers(0, 4), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_any_shape(shape, size, num_iter, seed):
    rng = np.random.default_rng(seed)
    image, psf = rng.random(shape), rng.random(size)
    psf /= psf.sum()
    want = skr.richardson_lucy(image, odd(psf), num_iter, clip=False)
    assert_within(richardson_lucy(image, psf, num_iter, clip=False), want, 1e-9 * max(1, np.abs(want).max()))
    got = wiener(image, psf, 0.1, clip=False)
    assert got.shape == shape
    assert np.isfinite(got).all()


# ---- the contract ----------------------------------------------------------------


def both(image, **options):
    """Each function, on a small blur that is nowhere symmetric."""
    psf = np.array([[1, 2, 3, 1], [0, 5, 2, 1], [1, 1, 0, 4]]) / 21
    yield "wiener", wiener(image, psf, 0.05, **options)
    yield "richardson_lucy", richardson_lucy(image, psf, 4, **options)


@pytest.mark.parametrize("dtype", DTYPES)
def test_integers_are_scaled_as_img_as_float_does(dtype):
    image = pixels(np.random.default_rng(6), (13, 18), dtype)
    if image.dtype.kind == "f":
        image = np.abs(image)
    scaled = skimage.img_as_float64(image)
    numbers = dict(both(scaled, clip=False))
    narrow = image.dtype.itemsize < 4 or dtype == "float32"
    for name, got in both(image, clip=False):
        assert got.dtype == (np.float32 if narrow else np.float64)
        if image.dtype.kind != "i" or name == "wiener":  # negative light may be amplified without limit
            assert_within(got, numbers[name], 1e-5 if narrow else 1e-10, name)
    plain = dict(both(image.astype(np.float64), clip=False))
    for name, got in both(image, clip=False, preserve_range=True, dtype=np.float64):
        assert_within(got, plain[name], 0, name)


def test_results_of_eight_bits_are_at_full_scale(photo):
    image = photo[100:140, 200:250]
    exact = dict(both(image, dtype=np.float64))
    for name, got in both(image, dtype=np.uint8):
        assert got.dtype == np.uint8
        assert_within(got, np.clip(exact[name], 0, 1) * 255, 0.5 + 1e-4, name)
    for name, got in both(image, preserve_range=True, dtype=np.uint8, clip=False):
        assert_within(got, np.clip(exact[name], 0, 1) * 255, 5, name)


def test_results_are_clipped_only_if_asked_for(picture):
    loud = dict(both(picture * 3, clip=False))
    for name, got in both(picture * 3):
        assert loud[name].max() > 1
        assert_same_bits(got, np.clip(loud[name], -1, 1), name)


def test_channels_are_deconvolved_one_by_one_wherever_they_are(photo):
    image = photo[100:121, 200:230].astype(np.float32) / 255
    want = [dict(both(np.ascontiguousarray(image[..., c]))) for c in range(3)]
    for axis in (-1, 0, 1):
        for name, got in both(np.moveaxis(image, -1, axis), channel_axis=axis):
            for c in range(3):
                assert_same_bits(np.take(got, c, axis), want[c][name], f"{name} {axis}")


def test_every_build_and_any_number_of_threads_give_the_same_bits(build, photo):
    image = photo[100:160, 200:270].astype(np.float32) / 255
    want = dict(both(image))
    active = isa.active
    isa.use("numpy")
    twin = dict(both(image))
    isa.use(active)
    for name in want:
        assert_same_bits(want[name], twin[name], name)
    large = np.tile(image, (8, 8, 1))
    with imfilt.num_threads(1):
        one = dict(both(large)) if build != "numpy" else {}
    with imfilt.num_threads(3):
        three = dict(both(large)) if build != "numpy" else {}
    for name in one:
        assert_same_bits(one[name], three[name], name)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_inputs_are_not_written_and_out_may_be_the_image(dtype):
    image = pixels(np.random.default_rng(7), (14, 17, 3), dtype)
    image.flags.writeable = False
    want = dict(both(image, dtype=dtype))
    swapped = image.astype(image.dtype.newbyteorder())
    for view in (np.asfortranarray(image), image[::-1, ::-1].copy()[::-1, ::-1], swapped):
        for name, got in both(view, dtype=dtype):
            assert_same_bits(got, want[name], name)
    psf = np.ones((2, 3)) / 6
    for call in (lambda a, **o: wiener(a, psf, 0.1, **o), lambda a, **o: richardson_lucy(a, psf, 3, **o)):
        want_one = call(image, dtype=dtype)
        own = image.copy()
        assert call(own, out=own) is own
        assert_same_bits(own, want_one)
        memory = np.zeros((15, 17, 3), dtype)  # the result a row below the image
        memory[:-1] = image
        call(memory[:-1], out=memory[1:])
        assert_same_bits(memory[1:], want_one)
    assert (psf == np.ones((2, 3)) / 6).all()


def test_images_without_pixels():
    for shape in ((0, 5), (5, 0), (0, 0), (4, 5, 0)):
        for name, got in both(np.zeros(shape, np.uint8)):
            assert got.shape == shape, name
            assert got.dtype == np.float32


def test_what_nan_reaches():
    image = np.random.default_rng(8).random((30, 31, 2)) + 0.1
    image[15, 14, 0] = np.nan
    got = wiener(image, PSFS["box"], 0.1)
    assert np.isnan(got[..., 0]).all()
    assert np.isfinite(got[..., 1]).all()
    for num_iter in (1, 2):
        want = np.zeros(image.shape, bool)
        reach = 2 * (2 * num_iter - 1)  # back to the estimate, and from there to the image and back
        want[15 - reach : 16 + reach, 14 - reach : 15 + reach, 0] = True
        np.testing.assert_array_equal(np.isnan(richardson_lucy(image, PSFS["box"], num_iter)), want)
    image[15, 14, 0] = np.inf  # no warning either
    assert not np.isfinite(wiener(image, PSFS["box"], 0.1)[..., 0]).any()
    assert np.isfinite(richardson_lucy(image, PSFS["box"], 3)).mean() > 0.6


IMAGE = np.ones((6, 8))
WRONG = [
    (TypeError, "dtype complex128", {"image": IMAGE * 1j}),
    (ValueError, "two dimensions", {"image": np.ones(4)}),
    (ValueError, "volume", {"image": np.ones((4, 4, 4)), "channel_axis": None}),
    (ValueError, r"psf.*\(rows, columns\).*\(3,\)", {"psf": np.ones(3)}),
    (ValueError, r"psf.*\(rows, columns\).*\(0, 3\)", {"psf": np.ones((0, 3))}),
    (ValueError, r"psf.*\(rows, columns\).*\(3, 3, 3\)", {"psf": np.ones((3, 3, 3))}),
    (ValueError, "psf must be finite", {"psf": [[1, np.nan]]}),
    (TypeError, "psf cannot be read", {"psf": [[1, 2], [3]]}),
    (TypeError, "psf must hold real numbers", {"psf": None}),
    (TypeError, "dtype must be one of", {"dtype": bool, "out": None}),
    (ValueError, "out must have the shape", {"out": np.ones((6, 7))}),
    (TypeError, "out must be a NumPy array", {"out": [1]}),
]
WRONG_WIENER = [
    (ValueError, r"psf is complex.*\(6, 5\), not \(6, 8\)", {"psf": IMAGE + 0j}),
    (ValueError, r"psf is complex.*\(6, 8\), not \(6, 5\)", {"psf": np.ones((6, 5), complex), "is_real": False}),
    (ValueError, "psf must be finite", {"psf": np.full((6, 5), np.inf + 0j)}),
    (ValueError, r"reg.*\(rows, columns\)", {"reg": np.ones(3)}),
    (ValueError, "reg is complex", {"reg": np.ones((3, 3), complex)}),
    (ValueError, "reg must be finite", {"reg": [[np.inf]]}),
    (ValueError, "balance must not be negative, not -0.1", {"balance": -0.1}),
    (ValueError, "balance must be finite", {"balance": np.nan}),
    (TypeError, "balance must be a number", {"balance": "a"}),
]
WRONG_RICHARDSON_LUCY = [
    (TypeError, "psf must hold real numbers, not complex128", {"psf": np.ones((3, 3), complex)}),
    (ValueError, "num_iter must be a whole number of 0 or more, not -1", {"num_iter": -1}),
    (TypeError, "num_iter must be a whole number of 0 or more, not 2.5", {"num_iter": 2.5}),
    (TypeError, "num_iter must be a whole number", {"num_iter": True}),
    (ValueError, "filter_epsilon must not be negative", {"filter_epsilon": -1e-3}),
    (TypeError, "filter_epsilon must be a number", {"filter_epsilon": "a"}),
]


@pytest.fixture
def no_work(monkeypatch):
    """Fails a test that goes on after the checks."""
    for name in ("_divider", "_iterate"):
        monkeypatch.setattr(f"imfilt.deconvolution.{name}", None)


@pytest.mark.parametrize(("error", "text", "bad"), WRONG + WRONG_WIENER)
def test_wrong_arguments_of_wiener(no_work, error, text, bad):
    out = np.full(IMAGE.shape, 7.0)
    with pytest.raises(error, match=text):
        wiener(**{"image": IMAGE, "psf": np.ones((3, 3)), "balance": 0.1, "out": out, **bad})
    assert (out == 7).all()


@pytest.mark.parametrize(("error", "text", "bad"), WRONG + WRONG_RICHARDSON_LUCY)
def test_wrong_arguments_of_richardson_lucy(no_work, error, text, bad):
    out = np.full(IMAGE.shape, 7.0)
    with pytest.raises(error, match=text):
        richardson_lucy(**{"image": IMAGE, "psf": np.ones((3, 3)), "out": out, **bad})
    assert (out == 7).all()


def test_a_response_keeps_its_numbers():
    real = checks.response([[1, 2]], "psf", (4, 3))
    assert real.dtype == np.float64
    assert checks.response(np.ones((4, 3), np.complex64), "psf", (4, 3)).dtype == np.complex128
