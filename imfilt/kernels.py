"""Taps: the kernels of the filters, as plain NumPy arrays.

One-dimensional taps are given as a convolution uses them. Two-dimensional kernels are
outer products, or lists of taps where they have no factors.
"""

import math
from functools import lru_cache

import numpy as np

# Edge operators: smoothing across the edge, difference along it, and the factor that makes
# the smoothing weights sum to one. Integer taps keep integer images exact up to the factor.
SOBEL = (1.0, 2.0, 1.0), (1.0, 0.0, -1.0), 1 / 4
SCHARR = (3.0, 10.0, 3.0), (1.0, 0.0, -1.0), 1 / 16
PREWITT = (1.0, 1.0, 1.0), (1.0, 0.0, -1.0), 1 / 3
# Farid and Simoncelli, "Differentiation of discrete multidimensional signals", IEEE
# Transactions on Image Processing 13(4), 496-508, 2004: table I, five taps, first order.
FARID = (
    (0.0376593171958126, 0.249153396177344, 0.426374573253687, 0.249153396177344, 0.0376593171958126),
    (0.109603762960254, 0.276690988455557, 0.0, -0.276690988455557, -0.109603762960254),
    1.0,
)
# Roberts' cross: (row, column, weight) of the pixels under the taps, as a correlation. Both
# responses belong to the corner between four pixels and are put at the upper left one.
ROBERTS_POSITIVE = ((0, 0, -1.0), (1, 1, 1.0))
ROBERTS_NEGATIVE = ((0, 1, -1.0), (1, 0, 1.0))


@lru_cache(maxsize=256)
def gaussian(sigma, truncate=4.0, order=0):
    """Taps of a Gaussian or of one of its derivatives.

    Parameters
    ----------
    sigma : float
        Standard deviation, in pixels. Below 1e-15 the taps are the single tap 1.
    truncate : float
        The radius is int(truncate * sigma + 0.5), as SciPy's.
    order : int
        0 for the Gaussian, whose taps sum to 1; k for its k-th derivative.

    Returns
    -------
    ndarray
        float64, of odd length, read-only.

    Notes
    -----
    The k-th derivative of exp(-x**2 / (2 sigma**2)) is that function times a polynomial
    q_k, where q_0 = 1 and q_{k+1}(x) = q_k'(x) - x q_k(x) / sigma**2.

    Examples
    --------
    >>> from imfilt import kernels
    >>> kernels.gaussian(0.5).round(3)
    array([0.   , 0.106, 0.787, 0.106, 0.   ])
    """
    if sigma < 1e-15 and order == 0:
        taps = np.ones(1)
    else:
        radius = int(truncate * sigma + 0.5)
        x = np.arange(-radius, radius + 1, dtype=np.float64)
        with np.errstate(over="ignore"):
            taps = np.exp(-0.5 * (x / sigma) ** 2)
        taps /= math.fsum(taps)
        polynomial = np.polynomial.Polynomial([1.0])
        for _ in range(order):
            polynomial = polynomial.deriv() - polynomial * np.polynomial.Polynomial([0, 1 / sigma**2])
        taps = taps * polynomial(x)
    taps.flags.writeable = False
    return taps
