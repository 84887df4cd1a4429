"""Kernels as sums of columns times rows: exactly where there are such factors, else with a hard bound on the error."""

import math
import operator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from imfilt._engine import kernel_checks

EPS = 2.0**-52
# Rational arithmetic is slow, so it is for kernels that can gain by it: of few terms, small, and of small integers
# up to a common factor. Rank 1 has a quick test of its own and no such limits.
EXACT_RANK, EXACT_SIZE, EXACT_TAP = 4, 64 * 64, 2**40
EXACT_GROWTH = 64  # largest entries of all terms over the largest tap: six of float32's 24 bits


@dataclass(frozen=True, eq=False)
class Separation:
    """A kernel as a sum of outer products: sum over r of columns[r][:, None] * rows[r][None, :].

    Attributes
    ----------
    columns : ndarray
        (rank, rows of the kernel), float64, read-only: taps down the rows of an image.
    rows : ndarray
        (rank, columns of the kernel), float64, read-only: taps along the rows.
    error : float
        At least the sum of |kernel - product|, so that for no image with pixels between -1 and 1 the correlation with
        the factors is farther than this from that with the kernel, in exact arithmetic.
    exact : bool
        Whether the factors are known to give back every tap exactly; `error` is then 0.
    """

    columns: np.ndarray
    rows: np.ndarray
    error: float
    exact: bool

    def __post_init__(self):
        for factors in (self.columns, self.rows):
            factors.flags.writeable = False

    @property
    def rank(self):
        """The number of terms."""
        return len(self.columns)

    @property
    def kernel(self):
        """The sum of the products, rounded to float64."""
        return self.columns.T @ self.rows

    @property
    def growth(self):
        """How much larger the terms are than their sum, in sums of magnitudes: 1 for one term, and never less.

        Rounding in a sum of the terms is larger by this than in a direct sum over the taps.
        """
        if self.rank < 2:
            return 1.0
        terms = np.abs(self.columns).sum(axis=1) @ np.abs(self.rows).sum(axis=1)
        return max(1.0, float(terms / np.abs(self.kernel).sum()))


def separate(kernel, rank=None, tol=None):
    """Write a two-dimensional kernel as a sum of columns times rows.

    Factors that give back the kernel exactly are preferred: integer columns, with the gain in the rows, where the taps
    are integers times a common factor. Otherwise they come from the singular values, each of which is shared evenly
    between column and row, and are exactly even or odd where the kernel is. The first entry of a column that is not
    small is positive.

    Parameters
    ----------
    kernel : array_like
        Real and finite, of two dimensions.
    rank : int, optional
        The most terms: the best approximation in the sense of least squares, or exact factors of that rank or a lower
        one. With neither `rank` nor `tol` it is the numerical rank.
    tol : float, optional
        The fewest terms whose `error` is at most `tol` times the sum of the magnitudes of the taps; 0 for exact
        factors. By default 8 * 2**-52 times the sum of the kernel's rows and columns.

    Returns
    -------
    Separation

    Notes
    -----
    The default is above what rounding leaves of a kernel of low rank (singular values are good to a few 2**-52 of the
    largest, and the bound itself counts rank + 2 roundings), and from 16 taps a side on below the (taps + 4) * 2**-52
    by which a direct sum in float64 may be off. A kernel that was rounded to float32 has its low rank only up to that
    rounding: pass a `tol` of 1e-6.

    A kernel of full rank is returned as its own rows (or columns) times unit vectors, which is exact.

    Examples
    --------
    >>> from imfilt.separability import separate
    >>> sobel = separate([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    >>> sobel.columns, sobel.rows, sobel.exact
    (array([[1., 2., 1.]]), array([[ 1.,  0., -1.]]), True)
    >>> separate([[0, 1, 0], [1, -4, 1], [0, 1, 0]]).rank
    2
    """
    kernel = kernel_checks.as_kernel(kernel)
    rank, tol = kernel_checks.rank_or_tolerance(rank, tol, kernel.shape)
    if not kernel.any():
        return Separation(np.empty((0, kernel.shape[0])), np.empty((0, kernel.shape[1])), 0.0, True)
    full = min(kernel.shape)
    # Half of the exponent goes to either factor, and nothing overflows on the way.
    half = math.frexp(np.abs(kernel).max())[1] // 2
    scaled = np.ldexp(kernel, -2 * half)
    values, columns, rows = _singular(scaled)
    numerical = int(np.count_nonzero(values > EPS * sum(kernel.shape) * values[0]))

    def truncated(terms):
        error = math.ldexp(_distance(scaled, columns[:terms], rows[:terms]), 2 * half)
        error = math.nextafter(error, math.inf)  # it may have become subnormal
        return Separation(np.ldexp(columns[:terms], half), np.ldexp(rows[:terms], half), error, False)

    found = None
    if rank is None:
        tol = 8 * EPS * sum(kernel.shape) if tol is None else tol
        most = tol * math.fsum(np.abs(kernel).flat)
        # The bound is never below the Frobenius norm of what is left out.
        left_out = np.sqrt(np.cumsum(values[::-1] ** 2)[::-1])
        first = int(np.count_nonzero(left_out > 1.01 * tol * float(np.abs(scaled).sum())))
        found = next((one for one in map(truncated, range(first, full)) if one.error <= most), None)
        rank = found.rank if found else full
    return _exact(kernel, numerical, rank) or found or (truncated(rank) if rank < full else _unit(kernel))


def parity(kernel, image):
    """1 where the image of a kernel is the kernel, -1 where it is its negative, else 0."""
    if np.array_equal(kernel, image):
        return 1
    return -1 if np.array_equal(kernel, -image) else 0


def _singular(kernel):
    """Singular values from the largest on, and their columns and rows, each times the root of the value."""
    parts = [kernel]
    if parity(kernel, kernel[::-1, ::-1]) and not parity(kernel, kernel[::-1]):
        # Of these two, one has even columns and one odd, and so it is with the rows: their singular vectors are
        # orthogonal, and together they are the kernel's, but not mixed where values are equal.
        parts = [(kernel + kernel[::-1]) / 2, (kernel - kernel[::-1]) / 2]
    values, columns, rows = (np.concatenate(several) for several in zip(*map(_part, parts), strict=True))
    order = np.argsort(-values, kind="stable")
    values, columns, rows = values[order], columns[order], rows[order]
    # The first entry that is surely not rounding, so that the sign does not depend on the LAPACK.
    lead = np.argmax(np.abs(columns) > np.abs(columns).max(axis=1, keepdims=True) / 2, axis=1)
    signs = np.where(columns[np.arange(len(lead)), lead] < 0, -1.0, 1.0)[:, None]
    return values, columns * signs, rows * signs


def _part(kernel):
    if np.array_equal(kernel, kernel.T):
        values, left = np.linalg.eigh(kernel)
        right = left * np.sign(values)
        values = np.abs(values)
    else:
        left, values, transposed = np.linalg.svd(kernel, full_matrices=False)
        right = transposed.T
    columns = _fold(left, parity(kernel, kernel[::-1])) * np.sqrt(values)
    rows = _fold(right, parity(kernel, kernel[:, ::-1])) * np.sqrt(values)
    return values, columns.T, rows.T


def _fold(vectors, parity):
    """Columns made exactly even or odd, as those of the kernel are; an average, so that no error grows."""
    return (vectors + parity * vectors[::-1]) / 2 if parity else vectors


def _distance(kernel, columns, rows):
    """At least the sum of |kernel - product|, for a largest tap of 1/2 to 2.

    A sum of n products and a tap has an error of gamma_{n+1} * sum of magnitudes at most, in any order, fused or not
    (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1); (n + 2) * 2**-53 is more. The last
    factor covers the sums below, and, since they are 2**-54 at least, what underflows here and in scaling.
    """
    terms = len(columns)
    left = np.abs(kernel - columns.T @ rows).sum()
    size = (np.abs(kernel) + np.abs(columns).T @ np.abs(rows)).sum()
    return float((left + (terms + 2) * EPS / 2 * size) * (1 + (kernel.size + terms + 8) * EPS))


def _unit(kernel):
    """The kernel's rows, or its columns if they are fewer, times unit vectors."""
    if kernel.shape[0] <= kernel.shape[1]:
        return Separation(np.eye(len(kernel)), kernel, 0.0, True)
    columns = kernel.T
    signs = np.sign(columns[np.arange(len(columns)), np.argmax(columns != 0, axis=1)])[:, None]
    return Separation(columns * signs, np.eye(len(columns)) * signs, 0.0, True)


def _exact(kernel, numerical, most):
    """Exact factors, `most` terms or fewer, or None if there are none worth having or finding."""
    if numerical > min(most, EXACT_RANK) or 1 < numerical == min(kernel.shape):
        return None
    if numerical == 1:
        row, column = np.unravel_index(np.argmax(np.abs(kernel)), kernel.shape)
        unit = np.ldexp(kernel, -math.frexp(kernel[row, column])[1])
        # Equal products are rounded alike: this passes whatever has rank 1, and hardly anything else.
        if (unit * unit[row, column] != unit[:, [column]] * unit[row]).any():
            return None
    elif kernel.size > EXACT_SIZE:
        return None
    ratios = [tap.as_integer_ratio() for tap in kernel.ravel().tolist()]
    denominator = max(below for _, below in ratios)  # powers of two, all of them
    taps = [above * (denominator // below) for above, below in ratios]
    common = math.gcd(*taps)
    taps = [tap // common for tap in taps]
    if numerical > 1 and max(map(abs, taps)) >= EXACT_TAP:
        return None
    matrix = np.array(taps, dtype=object).reshape(kernel.shape).tolist()
    factors = _integer_factors(matrix, min(most, EXACT_RANK))
    if factors is None:
        return None
    # Columns of more than 53 bits, as of a kernel of one column, are brought below 1; their power of two goes to
    # the rows.
    bits = max(abs(entry) for column, _ in factors for entry in column).bit_length()
    scale = 1 << bits if bits > 53 else 1
    columns = _floats([column for column, _ in factors], 1, scale)
    rows = _floats([row for _, row in factors], common * scale, denominator)
    if columns is None or rows is None:
        return None
    if np.abs(columns).max(axis=1) @ np.abs(rows).max(axis=1) > EXACT_GROWTH * np.abs(kernel).max():
        return None
    return Separation(columns, rows, 0.0, True)


def _integer_factors(matrix, most):
    """Pairs of integer columns and rows whose products sum to an integer matrix, or None if its rank is above `most`.

    The rows of the matrix, under addition and subtraction, make a lattice. A short basis of it gives the rows;
    what each row of the matrix takes of it gives the columns.
    """
    basis: dict[int, list[int]] = {}  # by the place of the first entry that is not zero
    for row in matrix:
        while any(row):
            place = next(j for j, entry in enumerate(row) if entry)
            if place not in basis:
                if len(basis) == most:
                    return None
                basis[place] = row
                break
            row = _minus(row, row[place] // basis[place][place], basis[place])
            if row[place]:
                basis[place], row = row, basis[place]  # the greatest common divisor, as Euclid has it
    basis = dict(sorted(basis.items()))
    rows = list(basis.values())
    columns: list[list[int]] = [[] for _ in rows]
    for row in matrix:
        for column, (place, other) in zip(columns, basis.items(), strict=True):
            column.append(row[place] // other[place])
            row = _minus(row, column[-1], other)
    _shorten(rows, columns)
    signs = [1 if next(filter(None, column)) > 0 else -1 for column in columns]
    factors = [
        ([sign * entry for entry in column], [sign * entry for entry in row])
        for sign, column, row in zip(signs, columns, rows, strict=True)
    ]
    return sorted(factors, key=lambda pair: -sum(map(abs, pair[0])) * sum(map(abs, pair[1])))


def _shorten(rows, columns):
    """Make a basis short and nearly orthogonal; the columns follow, so that the products keep their sum.

    Lenstra, Lenstra and Lovasz, "Factoring polynomials with rational coefficients", Mathematische Annalen 261, 1982.
    Reduction of pairs alone leaves four rows that nearly depend on each other, and products that cancel.
    """
    k = 1
    while k < len(rows):
        for j in reversed(range(k)):
            times = round(_gram_schmidt(rows)[0][k][j])
            rows[k] = _minus(rows[k], times, rows[j])
            columns[j] = _minus(columns[j], -times, columns[k])
        shares, squares = _gram_schmidt(rows)
        if squares[k] >= (Fraction(3, 4) - shares[k][k - 1] ** 2) * squares[k - 1]:
            k += 1
        else:
            for basis in (rows, columns):
                basis[k - 1], basis[k] = basis[k], basis[k - 1]
            k = max(k - 1, 1)


def _gram_schmidt(rows):
    """What share of each orthogonalised row is in every later row, and their squared lengths."""
    inner: list[list[Fraction]] = []
    shares: list[list[Fraction]] = []
    for i, row in enumerate(rows):
        inner.append([])
        shares.append([])
        for j in range(i + 1):
            product = Fraction(sum(map(operator.mul, row, rows[j])))
            inner[i].append(product - sum(map(operator.mul, shares[j], inner[i])))
            if j < i:
                shares[i].append(inner[i][j] / inner[j][j])
    return shares, [products[-1] for products in inner]


def _minus(numbers, times, others):
    return [a - times * b for a, b in zip(numbers, others, strict=True)]


def _floats(table, numerator, denominator):
    """A table of integers times a fraction as float64, or None where an entry would be rounded."""
    values = [[entry * numerator / denominator for entry in entries] for entries in table]
    for entries, numbers in zip(table, values, strict=True):
        for entry, number in zip(entries, numbers, strict=True):
            above, below = number.as_integer_ratio()
            if above * denominator != entry * numerator * below:
                return None
    return np.array(values)
