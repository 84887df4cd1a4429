"""The Gaussian against SciPy and scikit-image, its derivatives, and the plan for large sigma."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import skimage.filters as skf
from conftest import DTYPES, MODES, assert_same_bits, assert_within, pixels
from hypothesis import given
from hypothesis import strategies as st

import imfilt
from imfilt import kernels
from imfilt._engine import isa, plan
from imfilt._engine.run import apply
from imfilt.convolution import even, multirate


def exact(image, sigma, **options):
    image = image.astype(np.float64)
    sigma = (sigma, sigma) if np.isscalar(sigma) else sigma
    order = options.pop("order", (0, 0))
    if image.ndim == 3:
        sigma, order = (*sigma, 0), (*order, 0)
    return ndi.gaussian_filter(image, sigma, order=order, **options)


@pytest.mark.parametrize("sigma", [0, 0.1, 0.5, 1, 2.3, 7, (1, 3), (0, 2), (5, 0)])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_photograph_as_scikit_image_has_it(build, photo, sigma, dtype):
    image = photo[:60, :70] if build == "numpy" else photo
    image = image if dtype == "uint8" else (image / 255).astype(dtype)
    for view, axis in ((image[..., 0], None), (image, -1)):
        want = skf.gaussian(view.astype(np.float64) / (255 if dtype == "uint8" else 1), sigma, channel_axis=axis)
        assert_within(imfilt.gaussian(view, sigma), want, 2e-6 if dtype != "float64" else 1e-14, f"{sigma}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (20, 1), (3, 4), (40, 33), (17, 130)])
def test_borders_also_with_kernels_larger_than_the_image(build, mode, shape):
    image = np.random.default_rng(1).random(shape)
    for sigma in (0.8, 3, (1, 9)):
        want = exact(image, sigma, mode=mode, cval=0.4)
        assert_within(imfilt.gaussian(image, sigma, mode=mode, cval=0.4), want, 1e-14, f"{mode} {shape} {sigma}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("preserve", [False, True])
def test_every_dtype(build, dtype, preserve):
    image = pixels(np.random.default_rng(2), (21, 34), dtype)
    full = float(np.iinfo(dtype).max) if image.dtype.kind in "iu" and not preserve else 1.0
    source = image.astype(np.float64)
    if image.dtype.kind == "i" and not preserve:
        source = np.maximum(source, -full)
    want = exact(source, 1.5, mode="nearest") / full
    result = imfilt.gaussian(image, 1.5, preserve_range=preserve)
    eps = np.finfo(result.dtype).eps
    assert_within(result, want, 30 * eps * (np.abs(source).max() / full), dtype)


@pytest.mark.parametrize("order", [1, 2, 3, (0, 1), (2, 1), (1, 0)])
def test_derivatives_as_scipy_has_them(build, photo, order):
    image = photo[:80, :90, 1] / 255
    for sigma in (1, 2.5, (2, 4)):
        want = exact(image, sigma, order=order if np.ndim(order) else (order, order), mode="nearest")
        assert_within(imfilt.gaussian(image, sigma, order=order), want, 1e-13, f"{order} {sigma}")


@given(
    height=st.integers(1, 40), width=st.integers(1, 90), channels=st.integers(0, 5),
    sigma=st.tuples(st.floats(0, 4), st.floats(0, 4)), truncate=st.floats(0.5, 6), mode=st.sampled_from(MODES),
    seed=st.integers(0, 2**32 - 1), narrow=st.booleans(),
)  # fmt: skip
def test_any_shape_and_parameters(height, width, channels, sigma, truncate, mode, seed, narrow):
    shape = (height, width, channels) if channels else (height, width)
    image = np.random.default_rng(seed).random(shape, dtype=np.float32 if narrow else np.float64)
    got = imfilt.gaussian(image, sigma, truncate=truncate, mode=mode, cval=0.3)
    want = exact(image, sigma, truncate=truncate, mode=mode, cval=np.float32(0.3) if narrow else 0.3)
    assert_within(got, want, 1e-5 if narrow else 1e-14)


@pytest.mark.parametrize("sigma", [0, 0.3, 1, 2, 3.9, 4, 5, 8, 13, 40])
def test_eight_bits_are_within_six_tenths_and_constants_stay(build, photo, sigma):
    rng = np.random.default_rng(3)
    size = (70, 90)
    stripes = np.where(np.arange(90) // 7 % 2, 255, 0).astype(np.uint8) * np.ones((70, 1), np.uint8)
    for image in (photo[:70, :90], rng.integers(0, 2, size, np.uint8) * 255, stripes):
        for mode in ("nearest", "reflect", "constant"):
            got = imfilt.gaussian(image, sigma, dtype=np.uint8, mode=mode)
            assert got.dtype == np.uint8
            assert_within(got, exact(image, sigma, mode=mode), 0.6, f"{sigma} {mode}")
    for level in (0, 1, 127, 254, 255):
        constant = np.full(size, level, np.uint8)
        assert (imfilt.gaussian(constant, sigma, dtype=np.uint8) == level).all()


def test_whole_numbers_have_the_same_bits_everywhere(build, monkeypatch):
    """Bytes to bytes in fixed point: any shape, border and layout, strips and bands, as the twin has it."""
    if build == "numpy":
        pytest.skip("the twin is the oracle")
    rng = np.random.default_rng(11)
    for line in (64, 4096):
        monkeypatch.setattr(plan, "LINE_BYTES", line)
        monkeypatch.setattr(plan, "RING_BYTES", 16 * line)
        for _ in range(60):
            shape = (*rng.integers(1, 70, 2), *rng.integers(1, 6, rng.integers(0, 2)))
            image = rng.integers(0, 256, shape, np.uint8)[:, :: rng.choice([-1, 1])]
            sigma = rng.uniform(0.3, 3.5, 2)
            options = {"mode": rng.choice(MODES), "cval": float(rng.integers(0, 2)), "dtype": np.uint8}
            found = []
            for name in (build, "numpy"):
                isa.use(name)
                plan.forget()
                with plan.watched() as steps:
                    found.append(imfilt.gaussian(image, sigma, **options))
                assert [step.loop for step in steps] == ["even"], (shape, sigma)
            assert_same_bits(*found, f"{shape} {sigma} {options}")
    plan.forget()


def test_whole_numbers_say_how_far_off_they_may_be():
    """The image of the signs of the errors of the weights gets as far as the bound says, but for the rounding."""
    taps = kernels.gaussian(2.0)
    kernel = even.even_kernel(tuple(taps), tuple(taps), 0.099)
    column, row = kernel.stages[0].taps
    assert (column == column[::-1]).all()
    assert column.sum() == row.sum() == 2**15
    wrong = column / 2**15 - taps
    image = np.where(wrong > 0, 255.0, 0.0)
    off = abs(image @ wrong)
    assert 0 < off <= even.HALF_RANGE * np.abs(wrong).sum() + 1e-9
    assert kernel.error * even.HALF_RANGE == pytest.approx(2 * even.HALF_RANGE * np.abs(wrong).sum() + 0.5 / 128)
    assert even.even_kernel(tuple(taps), tuple(taps), off) is None  # such a bound cannot be kept
    assert even.even_kernel((1.0,), tuple(taps), 1.0) is None  # 1 does not fit into fifteen bits
    assert imfilt.gaussian(np.full((3, 3), 7, np.uint8), (0, 2), dtype=np.uint8).tolist() == [[7] * 3] * 3


@pytest.mark.parametrize("sigma", [5, 8.5, 20, (6, 30), (0, 12), (25, 1)])
@pytest.mark.parametrize("max_error", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("mode", MODES)
def test_the_fast_plan_keeps_the_error_that_was_asked_for(build, sigma, max_error, mode):
    rng = np.random.default_rng(4)
    shape = (45, 61) if build == "numpy" else (130, 141)
    for image in (rng.integers(0, 2, shape) * 1.0, rng.random((*shape, 3))):
        image[0, 0], image[-1, -1] = 0, 1
        want = exact(image, sigma, mode=mode, cval=0.5)
        got = imfilt.gaussian(image, sigma, mode=mode, cval=0.5, max_error=max_error)
        assert_within(got, want, max_error, f"{sigma} {mode}")


def test_the_fast_plan_is_taken_only_where_it_cannot_be_seen():
    image = np.random.default_rng(5).integers(0, 256, (200, 200), np.uint8)
    exact_result = imfilt.gaussian(image, 20, dtype=np.float64)
    assert_within(exact_result, exact(image, 20, mode="nearest") / 255, 1e-13)
    assert_within(imfilt.gaussian(image, 20), exact(image, 20, mode="nearest") / 255, 1e-6)
    sixteen = imfilt.gaussian(image.astype(np.uint16) * 257, 20, dtype=np.uint16)
    assert_within(sixteen, exact(image.astype(np.uint16) * 257.0, 20, mode="nearest"), 0.53)
    eight = imfilt.gaussian(image, 20, dtype=np.uint8)
    assert (eight != imfilt.gaussian(image, 20, dtype=np.uint8, max_error=0)).mean() < 0.05
    assert multirate.multirate_kernel((20.0, 20.0), 4.0, 0.0) is None
    assert multirate.multirate_kernel((20.0, 20.0), 4.0, 1e-3).error <= 1e-3


@pytest.mark.parametrize("factor", [2, 3, 5, 8])
def test_the_bound_is_reached_by_the_worst_image(factor):
    """The stated error is the sum of |response - wanted|: an image of its signs attains it."""
    sigma = factor * 2.0
    axis = multirate.axis(sigma, 4.0, factor)
    kernel = multirate.multirate_kernel((sigma, 0.0), 4.0, axis.error * 1.0001)
    assert kernel.stages[0].stride == (factor, 1)
    n = 60 * factor
    impulses = np.zeros((n, n))
    np.fill_diagonal(impulses, 1.0)
    response = apply(kernel, impulses, mode="constant", cval=0.0)
    wanted = exact(impulses, (sigma, 0), mode="constant")
    middle = slice(25 * factor, 35 * factor)
    worst = np.abs(response - wanted)[middle].sum(axis=1).max()
    assert worst == pytest.approx(axis.error, rel=1e-6)


def test_an_impulse_gives_the_kernel(build):
    image = np.zeros((21, 33))
    image[10, 16] = 1
    taps = kernels.gaussian(2.0)
    want = np.zeros_like(image)
    want[2:19, 8:25] = np.outer(taps, taps)
    assert_within(imfilt.gaussian(image, 2), want, 1e-17)


def test_smoothing_is_linear_and_shifts_with_the_image():
    rng = np.random.default_rng(6)
    a, b = rng.random((2, 50, 60))
    assert_within(imfilt.gaussian(2 * a - 3 * b, 2), 2 * imfilt.gaussian(a, 2) - 3 * imfilt.gaussian(b, 2), 1e-14)
    np.testing.assert_array_equal(imfilt.gaussian(a, 2)[20:30, 20:30], imfilt.gaussian(a[3:, 5:], 2)[17:27, 15:25])


def test_weights_and_alpha_take_the_exact_kernel():
    """Never the fast plan, which would spread what does not count; whatever may be the error."""
    rng = np.random.default_rng(7)
    image = rng.integers(0, 256, (90, 100, 4), np.uint8)
    weights = rng.random((90, 100)) > 0.5
    real = image.astype(np.float64)
    share = exact(weights, 12, mode="nearest")
    want = exact(real * weights[..., None], 12, mode="nearest") / share[..., None]
    for max_error in (None, 0, 0.01):
        got = imfilt.gaussian(image, 12, weights=weights, max_error=max_error, preserve_range=True)
        assert_within(got, want, 255 * 2e-6)
        levels = imfilt.gaussian(image, 12, weights=weights, max_error=max_error, dtype=np.uint8)
        assert_within(levels, want, 0.501)
    opacity = exact(real[..., 3], 12, mode="nearest")
    colours = exact(real[..., :3] * real[..., 3:], 12, mode="nearest") / opacity[..., None]
    got = imfilt.gaussian(image, 12, alpha=True, max_error=0.01, preserve_range=True)
    assert_within(got, np.concatenate([colours, opacity[..., None]], axis=-1), 255 * 2e-6)


@pytest.mark.parametrize("order", [1, 2, (0, 1), (2, 1)])
def test_weighted_derivatives(order):
    """Equal weights change nothing, holes in a constant make no edges, and NaN has no part."""
    image = np.random.default_rng(8).random((30, 31))
    want = imfilt.gaussian(image, 1.5, order=order)
    assert_within(imfilt.gaussian(image, 1.5, order=order, weights=np.full(image.shape, 7)), want, 1e-14)
    weights = np.ones(image.shape)
    weights[10:14, 9:15] = 0
    image[weights == 0] = np.nan
    got = imfilt.gaussian(image, 1.5, order=order, weights=weights)
    assert np.isfinite(got).all()
    far = np.ones(image.shape, bool)
    far[4:20, 3:21] = False
    assert_within(got[far], want[far], 1e-14)
    constant = imfilt.gaussian(np.full(image.shape, 0.3), 1.5, order=order)
    assert_within(imfilt.gaussian(np.full(image.shape, 0.3), 1.5, order=order, weights=weights), constant, 1e-15)


def test_what_is_no_number_is_told_once():
    """A sigma that has no hash, or is a text, is refused by the checks alone, without another error behind theirs."""
    for sigma in ("a", ["a", 1], [1, None]):
        with pytest.raises(TypeError, match="sigma must be a number") as told:
            imfilt.gaussian(np.zeros((4, 4)), sigma)
        assert told.value.__context__ is None
