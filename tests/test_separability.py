"""Separation of kernels: exact factors, bounds that hold in rational arithmetic, symmetry, what is refused."""

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.filters import gabor_kernel, laplace

from imfilt import kernels, separability
from imfilt.analysis import analyze_kernel
from imfilt.separability import separate

LAPLACIAN = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
GAUSSIAN_273 = [[1, 4, 7, 4, 1], [4, 16, 26, 16, 4], [7, 26, 41, 26, 7], [4, 16, 26, 16, 4], [1, 4, 7, 4, 1]]
MEXICAN = [[0, 0, -1, 0, 0], [0, -1, -2, -1, 0], [-1, -2, 16, -2, -1], [0, -1, -2, -1, 0], [0, 0, -1, 0, 0]]
KIRSCH = [[5, 5, 5], [-3, 0, -3], [-3, -3, -3]]


def gaussian_2d(sigma, radius):
    x = np.arange(-radius, radius + 1.0)
    taps = np.exp(-(x**2) / (2 * sigma**2))
    return np.outer(taps, taps) / taps.sum() ** 2


def laplacian_of_gaussian(sigma, radius):
    x = np.arange(-radius, radius + 1.0)
    squares = x[:, None] ** 2 + x**2
    return (squares - 2 * sigma**2) * np.exp(-squares / (2 * sigma**2))


NUMERICAL = {  # kernels of floats, with their numerical ranks
    "gaussian": (gaussian_2d(2.0, 8), 1),
    "gaussian of other axes": (np.outer(kernels.gaussian(1.3), kernels.gaussian(2.7)), 1),
    "laplacian of gaussian": (laplacian_of_gaussian(3.0, 12), 2),
    "difference of gaussians": (gaussian_2d(1.5, 10) - gaussian_2d(2.4, 10), 2),
    "gabor along an axis": (gabor_kernel(0.2, theta=0, sigma_x=3, sigma_y=3).real, 1),
    "gabor, elongated, along an axis": (gabor_kernel(0.2, theta=0, sigma_x=2, sigma_y=5).imag, 1),
    **{
        f"gabor {part} at {angle}": (getattr(gabor_kernel(0.2, theta=angle, sigma_x=3, sigma_y=3), part), 2)
        for angle in (0.3, math.pi / 4, 1.1, 2.5)
        for part in ("real", "imag")
    },
    "laplacian / 6": (np.array([[1, 4, 1], [4, -20, 4], [1, 4, 1]]) / 6, 2),
    "gaussian / 273": (np.array(GAUSSIAN_273) / 273, 3),
}


def distance(kernel, separation):
    """The sum of |kernel - product|, as a rational number."""
    columns, rows = separation.columns.T.tolist(), separation.rows.T.tolist()
    total = Fraction(0)
    for i, taps in enumerate(np.asarray(kernel, np.float64).tolist()):
        for j, tap in enumerate(taps):
            products = (Fraction(u) * Fraction(v) for u, v in zip(columns[i], rows[j], strict=True))
            total += abs(Fraction(tap) - sum(products))
    return total


def assert_sound(kernel, separation):
    """The error is a bound, exact means exact, and shapes and flags are as promised."""
    shape = np.shape(kernel)
    assert separation.columns.shape == (separation.rank, shape[0])
    assert separation.rows.shape == (separation.rank, shape[1])
    assert separation.rank <= min(shape)
    for factors in (separation.columns, separation.rows):
        assert factors.dtype == np.float64
        assert not factors.flags.writeable
    assert distance(kernel, separation) <= separation.error
    assert separation.error == 0 or not separation.exact
    assert separation.growth >= 1


def assert_factors(kernel, columns, rows):
    separation = separate(kernel)
    assert separation.exact
    assert separation.error == 0.0
    np.testing.assert_array_equal(separation.columns, columns)
    np.testing.assert_array_equal(separation.rows, rows)
    assert_sound(kernel, separation)


@pytest.mark.parametrize(
    ("kernel", "column", "row"),
    [
        ([[1, 0, -1], [2, 0, -2], [1, 0, -1]], [1, 2, 1], [1, 0, -1]),
        ([[2, 0, -2], [4, 0, -4], [2, 0, -2]], [1, 2, 1], [2, 0, -2]),
        ([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], [1, 0, -1], [-1, -2, -1]),
        ([[3, 0, -3], [10, 0, -10], [3, 0, -3]], [3, 10, 3], [1, 0, -1]),
        (np.outer([1, 0, -1], [1, 1, 1]) / 3, [1, 0, -1], [1 / 3] * 3),
        (np.full((3, 3), 1 / 9), [1, 1, 1], [1 / 9] * 3),
        (np.outer([1, 2, 1], [1, 2, 1]) / 16, [1, 2, 1], [1 / 16, 2 / 16, 1 / 16]),
        (np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256, [1, 4, 6, 4, 1], np.array([1, 4, 6, 4, 1]) / 256),
        (np.outer([3, 1, 2], [5, 7, -1, 0]), [3, 1, 2], [5, 7, -1, 0]),
        (np.outer([0, -6, 4], [0, 9, 3]), [0, 3, -2], [0, -18, -6]),
        ([[7]], [1], [7]),
        ([[-0.3]], [1], [-0.3]),
        ([[2, 0.5, -4]], [1], [2, 0.5, -4]),
        ([[0.1], [0.2]], [1, 2], [0.1]),
        (np.full((3, 2), 5e-324), [1, 1, 1], [5e-324] * 2),
    ],
)
def test_rank_one_has_integer_columns_and_the_gain_in_the_row(kernel, column, row):
    assert_factors(kernel, [column], [row])


def test_operators_of_scikit_image_and_scipy():
    impulse = np.zeros((5, 5))
    impulse[2, 2] = 1
    for operator, column in ((scipy.ndimage.sobel, [1, 2, 1]), (scipy.ndimage.prewitt, [1, 1, 1])):
        kernel = operator(impulse)[1:-1, 1:-1]
        assert_factors(kernel, [column], [[1, 0, -1]])
    assert_factors(laplace(impulse)[1:-1, 1:-1], [[1, -4, 1], [0, 1, 0]], [[0, -1, 0], [-1, 0, -1]])


@pytest.mark.parametrize(
    ("kernel", "rank"),
    [
        (LAPLACIAN, 2),
        ([[1, 1, 1], [1, -8, 1], [1, 1, 1]], 2),
        ([[1, 4, 1], [4, -20, 4], [1, 4, 1]], 2),
        (np.array(LAPLACIAN) * 0.1, 2),
        ([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], 2),
        ([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]], 2),
        (KIRSCH, 2),
        (GAUSSIAN_273, 3),
        (np.array(GAUSSIAN_273) / 256, 3),
        (MEXICAN, 3),
        (np.outer([2**39 - 1, 1, 3, 5], [1, 2, 0]) + np.outer([0, 1, 1, 0], [0, 1, 3]), 2),
    ],
)
def test_integer_kernels_have_exact_factors_without_much_cancellation(kernel, rank):
    separation = separate(kernel)
    assert (separation.rank, separation.exact, separation.error) == (rank, True, 0.0)
    assert distance(kernel, separation) == 0
    assert (separation.columns == np.rint(separation.columns)).all()
    assert separation.growth < 2
    assert_sound(kernel, separation)


def test_four_rows_that_nearly_depend_on_each_other():
    # Echelon rows that are short in pairs only have products 1797 times the taps here.
    kernel = [[-4, -5, 6, 6, 3], [-5, -12, 14, 12, -7], [-1, 0, -2, 0, 5], [-4, -7, 7, 4, -5], [-3, -8, 9, 8, -5]]
    separation = separate(kernel)
    assert (separation.rank, separation.exact) == (4, True)
    assert separation.growth < 3


def test_factors_of_the_laplacian():
    assert_factors(LAPLACIAN, [[1, -4, 1], [0, 1, 0]], [[0, 1, 0], [1, 0, 1]])
    assert separate(LAPLACIAN).growth == 1.0
    assert separate([[1, 1, 1], [1, -8, 1], [1, 1, 1]]).growth == 1.5  # (4 * 3 + 1 * 12) / 16


def test_growth_counts_the_terms_against_their_sum():
    separation = separability.Separation(np.array([[1.0, 1], [1, 0]]), np.array([[1.0, 2], [-1, 0]]), 0.0, True)
    np.testing.assert_array_equal(separation.kernel, [[0, 2], [1, 2]])
    assert separation.growth == (2 * 3 + 1 * 1) / 5


def test_exact_factors_that_cancel_too_much_are_not_taken(monkeypatch):
    kernel = [[0, 1, 2], [-1, 0, 1], [-2, -1, 0]]
    assert separate(kernel).exact
    monkeypatch.setattr(separability, "EXACT_GROWTH", 1.4)  # it is (1 * 1 + 1 * 1) / 2
    assert separate(kernel).exact
    monkeypatch.setattr(separability, "EXACT_GROWTH", 0.9)
    assert (separate(kernel).rank, separate(kernel).exact) == (2, False)


@pytest.mark.parametrize("name", NUMERICAL)
def test_numerical_rank_of_float_kernels(name):
    kernel, rank = NUMERICAL[name]
    separation = separate(kernel)
    assert (separation.rank, separation.exact) == (rank, False)
    assert 0 < separation.error <= 2e-15 * np.abs(kernel).sum()
    assert separation.growth < 1.5
    np.testing.assert_allclose(separation.kernel, kernel, rtol=0, atol=1e-15 * np.abs(kernel).sum())
    assert_sound(kernel, separation)


@pytest.mark.parametrize("name", NUMERICAL)
def test_factors_are_exactly_even_or_odd_where_the_kernel_is(name):
    kernel, _ = NUMERICAL[name]
    separation = separate(kernel)
    turned = 1 if np.array_equal(kernel, kernel[::-1, ::-1]) else -1
    assert np.array_equal(kernel, turned * kernel[::-1, ::-1])
    for column, row in zip(separation.columns, separation.rows, strict=True):
        parity = 1 if np.array_equal(column, column[::-1]) else -1
        np.testing.assert_array_equal(column, parity * column[::-1])
        np.testing.assert_array_equal(row, parity * turned * row[::-1])
        # As first entry that counts, in size: no sign is left to chance, and the size is shared.
        assert column[np.flatnonzero(np.abs(column) > 0.51 * np.abs(column).max())[0]] > 0
        assert np.linalg.norm(column) == pytest.approx(np.linalg.norm(row), rel=1e-12)
        if np.array_equal(kernel, kernel.T):
            assert np.array_equal(column, row) or np.array_equal(column, -row)


def test_equal_singular_values_do_not_mix_even_and_odd():
    kernel = np.zeros((5, 5))
    kernel[1, 0] = kernel[3, 4] = 0.1  # two equal singular values, even x even and odd x odd
    kernel[2] = np.array([1, 2, 3, 2, 1]) * 0.3
    separation = separate(kernel, rank=2)
    assert not separation.exact
    for column, row in zip(separation.columns, separation.rows, strict=True):
        parity = 1 if np.array_equal(column, column[::-1]) else -1
        np.testing.assert_array_equal(column, parity * column[::-1])
        np.testing.assert_array_equal(row, parity * row[::-1])


@pytest.mark.parametrize(
    "kernel",
    [
        np.eye(9) / 9,
        np.eye(9)[::-1] / 9,
        np.random.default_rng(1).standard_normal((15, 15)),
        np.random.default_rng(2).standard_normal((4, 11)),
        np.random.default_rng(3).standard_normal((11, 4)),
        np.random.default_rng(4).integers(-9, 10, (7, 5)),
        np.array([[3, 1, 4], [1, 5, 9], [2, 6, 5]]),
    ],
)
def test_full_rank_is_exact_and_does_not_cancel(kernel):
    separation = separate(kernel)
    assert (separation.rank, separation.exact, separation.error) == (min(kernel.shape), True, 0.0)
    assert separation.growth == pytest.approx(1)
    assert all(column[column != 0][0] > 0 for column in separation.columns)
    assert_sound(kernel, separation)


def test_a_growth_of_one_is_not_rounded_to_less():
    rng = np.random.default_rng(9)
    assert all(separate(rng.random((5, 5))).growth >= 1 for _ in range(30))


@pytest.mark.parametrize("shape", [(9, 9), (5, 12), (12, 5)])
@pytest.mark.parametrize("exponent", [0, -1030, 990])
def test_a_rank_asked_for_is_the_best_of_that_rank(shape, exponent):
    plain = np.random.default_rng(5).standard_normal(shape)
    kernel = np.ldexp(plain, exponent)
    values = np.linalg.svd(plain, compute_uv=False)
    for rank in range(min(shape)):
        separation = separate(kernel, rank=rank)
        assert (separation.rank, separation.exact) == (rank, False)
        left = np.ldexp(kernel - separation.kernel, -exponent)
        assert np.linalg.norm(left) == pytest.approx(math.sqrt((values[rank:] ** 2).sum()), rel=1e-12)
        assert math.ldexp(separation.error, -exponent) == pytest.approx(np.abs(left).sum(), rel=1e-12)
        assert_sound(kernel, separation)


def test_exact_factors_come_first_whatever_is_asked():
    assert (separate(MEXICAN, rank=4).rank, separate(MEXICAN, rank=3).exact) == (3, True)
    assert (separate(MEXICAN, rank=2).rank, separate(MEXICAN, rank=2).exact) == (2, False)
    assert separate(MEXICAN, tol=0).rank == 3
    assert separate([[1, 0, -1], [2, 0, -2], [1, 0, -1]], tol=0.5).exact
    gaussian = gaussian_2d(2.0, 8)
    assert (separate(gaussian, tol=0).rank, separate(gaussian, tol=0).exact) == (17, True)


def test_tol_is_relative_and_gives_the_fewest_terms():
    kernel = np.random.default_rng(6).standard_normal((8, 8))
    for tol in (0.9, 0.5, 0.2, 0.05):
        for scale in (1.0, 2.0**40):
            separation = separate(kernel * scale, tol=tol)
            most = tol * np.abs(kernel).sum() * scale
            assert separation.error <= most
            assert separate(kernel * scale, rank=separation.rank - 1).error > most
    assert 0 < separate(kernel, tol=0.9).rank < separate(kernel, tol=0.2).rank < 8
    assert [separate(kernel, tol=tol).rank for tol in (1.01, 1e308)] == [0, 0]
    # All that is left out in one tap: the Frobenius norm is the sum of magnitudes.
    assert separate(np.diag([8.0, 4, 2, 1]), tol=1.01 / 15).rank == 3
    nearly = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float64)
    nearly[1, 1] += 1e-9
    assert (separate(nearly).rank, separate(nearly, tol=1e-8).rank) == (2, 1)


def test_exact_factors_are_not_of_more_terms_than_asked():
    lower = np.array([[1, 0, 0, 0], [4000, 1, 0, 0], [-3000, 5000, 1, 0], [-3000, 5000, 1, 0]])
    kernel = lower @ lower.T  # of rank 3, but the third singular value is below 1e-20 of the first
    assert (separate(kernel).rank, separate(kernel).exact) == (2, False)
    assert (separate(kernel, tol=0).rank, separate(kernel, tol=0).exact) == (3, True)


def test_a_kernel_of_zeros_has_no_terms():
    for options in ({}, {"rank": 2}, {"tol": 0.0}):
        separation = separate(np.zeros((3, 4), np.int8), **options)
        assert (separation.rank, separation.error, separation.exact, separation.growth) == (0, 0.0, True, 1.0)
        assert (separation.columns.shape, separation.rows.shape) == ((0, 3), (0, 4))
        np.testing.assert_array_equal(separation.kernel, np.zeros((3, 4)))


def test_one_row_and_one_column_are_exact_for_any_taps():
    taps = kernels.gaussian(3.0)
    for kernel in (taps[None], taps[:, None], np.array([[1e-300], [1e290], [3.7]]), np.array([[1e-300, 1e290, 3.7]])):
        separation = separate(kernel)
        assert (separation.rank, separation.exact) == (1, True)
        assert_sound(kernel, separation)
    assert 0.5 <= separate(taps[:, None]).columns.max() < 1  # not integers of 60 bits


def test_a_wide_kernel():
    kernel = np.outer([1.0, 3.0, 1.0], np.arange(1, 1001))
    assert_factors(kernel, [[1, 3, 1]], [np.arange(1, 1001)])
    kernel += np.outer([0, 1, -1], np.cos(np.arange(1000)))
    assert separate(kernel).rank == 2
    assert_sound(kernel, separate(kernel))


def test_taps_of_very_different_size():
    kernel = 10.0 ** np.random.default_rng(7).integers(-300, 297, (6, 6))
    for rank in range(1, 5):
        assert_sound(kernel, separate(kernel, rank=rank))
    subnormal = np.random.default_rng(8)
    for _ in range(20):
        kernel = 5e-324 * subnormal.integers(1, 9, (3, 3))
        assert_sound(kernel, separate(kernel, rank=1))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int64", "float16", "float32", ">f8"])
def test_any_real_dtype_and_layout_and_the_input_stays_as_it_is(dtype):
    kernel = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]).astype(dtype)
    before = kernel.copy()
    kernel.flags.writeable = False
    for one in (kernel, np.asfortranarray(kernel), kernel[::-1, ::-1][::-1, ::-1], kernel.tolist()):
        assert_factors(one, [[1, 0, 1], [0, 1, 0]], [[0, 1, 0, 1], [1, 0, 1, 0]])
    own = np.array([[0.0, 1.0], [2.0, 3.0]])
    separate(own)
    own[:] = 1.0
    np.testing.assert_array_equal(kernel, before)


def test_a_separation_does_not_share_memory_with_the_kernel():
    for kernel in (np.array([[1.0, 2], [3, 5]]), np.array([[1.0, 2], [3, 5], [4, 4]])):
        separation = separate(kernel)
        before = separation.kernel
        kernel[:] = 0
        np.testing.assert_array_equal(separation.kernel, before)
        with pytest.raises(ValueError, match="read-only"):
            separation.rows[0, 0] = 1


@pytest.mark.parametrize("name", ["gaussian", "laplacian of gaussian", "gabor real at 1.1"])
@pytest.mark.parametrize("rank", [None, 1])
def test_correlating_with_the_factors(name, rank):
    kernel, _ = NUMERICAL[name]
    image = np.random.default_rng(8).uniform(-3, 3, (60, 50))
    separation = separate(kernel, rank=rank)
    result = sum(
        scipy.ndimage.correlate1d(scipy.ndimage.correlate1d(image, column, axis=0), row, axis=1)
        for column, row in zip(separation.columns, separation.rows, strict=True)
    )
    l1 = np.abs(kernel).sum()
    rounding = (2 * kernel.size + 8) * 2.0**-53 * separation.growth * l1  # of the direct sum, and of both passes
    actual = np.abs(result - scipy.ndimage.correlate(image, kernel)).max()
    assert actual <= 3 * (separation.error + rounding)
    if rank == 1 and name != "gaussian":
        assert actual > 0.01 * 3 * separation.error  # so it is the factors that were looked at


@given(st.data())
def test_sums_of_integer_products_are_exact(data):
    height, width, rank = (data.draw(st.integers(1, most)) for most in (8, 8, 4))
    entries = st.integers(-99, 99)
    columns = data.draw(arrays.arrays(np.int64, (height, rank), elements=entries))
    rows = data.draw(arrays.arrays(np.int64, (rank, width), elements=entries))
    kernel = np.ldexp((columns @ rows).astype(np.float64), data.draw(st.sampled_from([0, -10, 30])))
    separation = separate(kernel)
    assert separation.exact
    assert separation.rank == np.linalg.matrix_rank(kernel)
    assert_sound(kernel, separation)
    np.testing.assert_array_equal(separation.kernel, kernel)
    assert all(column[column != 0][0] > 0 for column in separation.columns)


@given(
    arrays.arrays(
        np.float64,
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(-1e3, 1e3) | st.sampled_from([0.0, 1.0, 1e-200, 5e-324]),
    ),
    st.data(),
)
def test_the_error_bounds_any_kernel(kernel, data):
    rank = data.draw(st.none() | st.integers(0, min(kernel.shape)))
    separation = separate(kernel, rank=rank)
    assert_sound(kernel, separation)
    if rank is not None:
        assert separation.rank <= rank
    again = separate(kernel, rank=rank)
    np.testing.assert_array_equal(separation.columns, again.columns)
    np.testing.assert_array_equal(separation.rows, again.rows)


@pytest.mark.parametrize(
    ("kernel", "error", "message"),
    [
        ([1, 2, 1], ValueError, r"kernel must have two dimensions.*\(3,\)"),
        (np.ones((1, 2, 3)), ValueError, r"kernel must have two dimensions.*\(1, 2, 3\)"),
        (np.ones((0, 3)), ValueError, r"kernel must have two dimensions, at least 1 x 1.*\(0, 3\)"),
        ([[1, math.nan]], ValueError, "kernel must be finite"),
        ([[1, -math.inf]], ValueError, "kernel must be finite"),
        ([[1, 2j]], TypeError, "kernel.*complex128.*real and imaginary"),
        ([[1, None]], TypeError, "kernel.*object"),
        ([[1, 2], [3]], TypeError, "kernel cannot be read as an array"),
        ([["a"]], TypeError, "kernel"),
        (np.ones((2, 2), np.longdouble), TypeError, "kernel.*real numbers that float64 holds"),
        (np.ma.ones((2, 2)), TypeError, "kernel is a masked array"),
        ([[2**53 + 1, 1]], ValueError, r"kernel.*2\*\*53"),
        ([[-(2**53) - 1, 1]], ValueError, r"kernel.*2\*\*53"),
        (np.full((2, 2), 1e308), ValueError, "kernel is too large"),
    ],
)
def test_kernels_that_are_refused(kernel, error, message):
    for function in (separate, analyze_kernel):
        with pytest.raises(error, match=message):
            function(kernel)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rank": 3}, ValueError, r"rank must be at most 2 for a kernel of shape \(2, 4\), not 3"),
        ({"rank": -1}, ValueError, "rank must not be negative"),
        ({"rank": 1.0}, TypeError, "rank must be a whole number"),
        ({"tol": -0.1}, ValueError, "tol must not be negative"),
        ({"tol": math.nan}, ValueError, "tol must be finite"),
        ({"tol": "small"}, TypeError, "tol must be a number"),
        ({"rank": 1, "tol": 0.1}, ValueError, "rank 1 and tol 0.1 are both given"),
    ],
)
def test_options_that_are_refused(options, error, message):
    for kernel in (np.ones((2, 4)), np.zeros((2, 4))):
        with pytest.raises(error, match=message):
            separate(kernel, **options)


def test_facts():
    facts = analyze_kernel([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    assert (facts.shape, facts.taps, facts.zeros, facts.rank) == ((3, 3), 6, 3, 1)
    assert (facts.gain, facts.l1, facts.is_integer) == (0.0, 8.0, True)
    assert facts.symmetry == ("even", "odd", "none", "odd")
    np.testing.assert_array_equal(facts.separation.columns, [[1, 2, 1]])
    facts = analyze_kernel(np.array(LAPLACIAN) * 0.1)
    assert (facts.taps, facts.zeros, facts.rank, facts.is_integer) == (5, 4, 2, False)
    assert facts.gain == math.fsum([0.1] * 4 + [-0.4])
    assert analyze_kernel([[1, 0.5]]).is_integer is False


@pytest.mark.parametrize(
    ("kernel", "symmetry"),
    [
        (LAPLACIAN, ("even", "even", "even", "even")),
        ([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], ("odd", "even", "none", "odd")),
        ([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]], ("none", "none", "odd", "odd")),
        ([[0, 1, 2], [3, 4, 3], [2, 1, 0]], ("none", "none", "none", "even")),
        ([[1, 2], [2, 3]], ("none", "none", "even", "none")),
        ([[1, 2, 3]], ("even", "none", "none", "none")),
        ([[1, 2], [1, 2], [3, 1]], ("none", "none", "none", "none")),
        ([[0, 0], [0, 0]], ("even", "even", "even", "even")),
        (gabor_kernel(0.2, theta=0.3).imag, ("none", "none", "none", "odd")),
    ],
)
def test_symmetries(kernel, symmetry):
    assert tuple(analyze_kernel(kernel).symmetry) == symmetry


def test_the_summary_of_a_kernel_without_exact_factors():
    text = str(analyze_kernel(gaussian_2d(1.0, 4)))
    assert text.splitlines()[0] == "kernel    9 x 9, real numbers"
    assert "taps      81, and 0 zeros" in text
    assert "sum       1, of magnitudes 1\n" in text
    assert "rank      1, error at most " in text
