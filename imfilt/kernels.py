"""Taps: the kernels of the filters, as plain NumPy arrays.

One-dimensional taps are given as a convolution uses them. Two-dimensional kernels are
outer products, or lists of taps where they have no factors.
"""

import math
from functools import lru_cache
from itertools import pairwise

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


# Minus the sum of the second differences, scikit-image's sign: the centre is positive.
LAPLACE = ((0.0, -1.0, 0.0), (-1.0, 4.0, -1.0), (0.0, -1.0, 0.0))


def binomial(n):
    """Row n of Pascal's triangle over 2**n: n + 1 taps that sum to 1.

    Examples
    --------
    >>> from imfilt import kernels
    >>> kernels.binomial(2)
    array([0.25, 0.5 , 0.25])
    """
    taps, one = [], 1
    for k in range(n + 1):
        taps.append(one / 2**n)
        one = one * (n - k) // (k + 1)
    return np.array(taps)


def second_difference(size):
    """A second difference, smoothed by a binomial along itself: of x**2 / 2 it makes 1 everywhere.

    Examples
    --------
    >>> from imfilt import kernels
    >>> kernels.second_difference(5)
    array([ 0.25,  0.  , -0.5 ,  0.  ,  0.25])
    """
    return np.convolve([1.0, -2.0, 1.0], binomial(size - 3))


def sharpen(amount):
    """A pixel, and `amount` times how much it differs from the mean of its eight neighbours."""
    taps = np.full((3, 3), -amount / 8)
    taps[1, 1] = 1 + amount
    return taps


# The neighbours of a pixel, counterclockwise from the right: rows and columns of a 3 x 3 kernel.
RING = ((1, 2), (0, 2), (0, 1), (0, 0), (1, 0), (2, 0), (2, 1), (2, 2))


def emboss(angle, strength):
    """`strength` times the difference of a pixel and its neighbour towards a light, as a correlation.

    The light comes from `angle`, in degrees counterclockwise from the right; the neighbour lies on the ring of
    eight, between two of which it is interpolated.
    """
    taps = np.zeros((3, 3))
    taps[1, 1] = strength
    place, part = divmod(angle % 360 / 45, 1)
    taps[RING[int(place) % 8]] -= strength * (1 - part)
    taps[RING[int(place + 1) % 8]] -= strength * part
    return taps


def gabor(frequency, theta, sigma_x, sigma_y, n_stds, offset, *, dtype=np.complex128):
    """A Gaussian times a complex wave, as a convolution has it: scikit-image's gabor_kernel."""
    c, s = math.cos(theta), math.sin(theta)
    columns = math.ceil(max(abs(n_stds * sigma_x * c), abs(n_stds * sigma_y * s), 1))
    rows = math.ceil(max(abs(n_stds * sigma_y * c), abs(n_stds * sigma_x * s), 1))
    y, x = np.arange(-rows, rows + 1)[:, None], np.arange(-columns, columns + 1)
    along, across = x * c + y * s, -x * s + y * c
    exponent = -0.5 * (along**2 / sigma_x**2 + across**2 / sigma_y**2)
    taps = np.empty(across.shape, dtype)
    np.exp(exponent + 1j * (2 * np.pi * frequency * along + offset), out=taps)
    taps *= 1 / (2 * np.pi * sigma_x * sigma_y)
    return taps


def line(length, angle):
    """A line through the centre: of each pixel the part under a rectangle of `length` x 1, over its area.

    `angle` is in degrees counterclockwise from the right. Areas are exact up to rounding.

    Examples
    --------
    >>> from imfilt import kernels
    >>> kernels.line(3, 90).round(3)
    array([[0.333],
           [0.333],
           [0.333]])
    """
    # Rounded, so that right angles are exact.
    c, s = (round(one(math.radians(angle)), 15) for one in (math.cos, math.sin))
    level = [(u * length / 2, v / 2) for u, v in ((1, -1), (1, 1), (-1, 1), (-1, -1), (1, -1))]
    corners = np.array([(u * c + v * s, v * c - u * s) for u, v in level])
    sides = _radius(corners[:, 1]), _radius(corners[:, 0])
    xs, ys = [], []
    for (x0, y0), (x1, y1) in pairwise(corners):
        crossings = [(_lines(side) - a) / (b - a) for side, a, b in ((sides[1], x0, x1), (sides[0], y0, y1)) if a != b]
        t = np.concatenate([[0.0], *crossings])
        t = np.sort(t[(t >= 0) & (t < 1)])
        xs.append(x0 + t * (x1 - x0))
        ys.append(y0 + t * (y1 - y0))
    x, y = (np.concatenate([*parts, parts[0][:1]]) for parts in (xs, ys))
    middle = (x[1:] + x[:-1]) / 2
    area = _area(sides, (y[1:] + y[:-1]) / 2, middle, np.diff(y), middle * np.diff(y))
    area = np.abs(area + area[::-1, ::-1])
    area[area < 1e-12] = 0  # rounding
    return area / math.fsum(area.flat)


def disk(radius):
    """A disc about the centre: of each pixel the part under it, over its area.

    Areas are exact up to rounding. Up to a radius of 1/2 it lies in one pixel.

    Examples
    --------
    >>> from imfilt import kernels
    >>> kernels.disk(1).round(3)
    array([[0.025, 0.145, 0.025],
           [0.145, 0.318, 0.145],
           [0.025, 0.145, 0.025]])
    """
    if radius <= 0.5:
        return np.ones((1, 1))
    side = _radius([radius])
    lines = _lines(side) / radius
    lines = lines[np.abs(lines) < 1]
    up, along = np.arcsin(lines), np.arccos(lines)
    # Cut also where it touches a line, or nearly.
    quarters = np.arange(4) * np.pi / 2
    t = np.sort(np.concatenate([up, np.pi - up, along, -along, quarters]) % (2 * np.pi))
    t = np.append(t, t[0] + 2 * np.pi)
    middle, dy = (t[1:] + t[:-1]) / 2, radius * np.diff(np.sin(t))
    xdy = radius**2 / 2 * np.diff(t + np.sin(t) * np.cos(t))
    area = _area((side, side), radius * np.sin(middle), radius * np.cos(middle), dy, xdy)
    area = area + area[::-1]
    area = area + area[:, ::-1]
    area = np.abs(area + area.T)
    area[area < 1e-12] = 0  # rounding
    return area / math.fsum(area.flat)


def _radius(reach):
    """Pixels on each side of the central one that something reaches into."""
    return max(math.ceil(max(reach) - 0.5 - 1e-12), 0)


def _lines(radius):
    """Where the pixels of a row of 2 * radius + 1 begin and end."""
    return np.arange(-radius - 1, radius + 1) + 0.5


def _area(sides, y, x, dy, xdy):
    """How much of each pixel a closed curve runs around; positive or negative, as it turns.

    `sides` are the pixels above and below, left and right of the central one. The curve is cut where it goes from one
    pixel into another: y and x are points inside the pieces, dy and xdy the integrals of 1 and of x over them (Green's
    theorem).
    """
    # With a pixel more on each side, for what lies on the edge but for rounding.
    row, column = (np.floor(one + 0.5).astype(np.intp) + side + 1 for side, one in zip(sides, (y, x), strict=True))
    right = column - sides[1] - 0.5  # of its pixel
    area, beyond = np.zeros((2, 2 * sides[0] + 4, 2 * sides[1] + 4))
    np.add.at(area, (row, column), right * dy - xdy)
    np.add.at(beyond, (row, column + 1), dy)
    return (area + np.cumsum(beyond, axis=1))[1:-2, 1:-2]


# Compass masks where the image grows to the right, as a correlation: the taps around the centre, from the right one on
# clockwise; the tap in the centre; and the factor that makes the positive taps sum to one. R. Kirsch, Computers and
# Biomedical Research 4, 315-328, 1971; G. S. Robinson, Computer Graphics and Image Processing 6, 492-501, 1977 (three
# and five levels); "prewitt" as in W. K. Pratt, Digital Image Processing.
COMPASS = {
    "kirsch": ((5.0, 5.0, -3.0, -3.0, -3.0, -3.0, -3.0, 5.0), 0.0, 1 / 15),
    "prewitt": ((1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 1.0, 1.0), -2.0, 1 / 5),
    "robinson3": ((1.0, 1.0, 0.0, -1.0, -1.0, -1.0, 0.0, 1.0), 0.0, 1 / 3),
    "robinson5": ((2.0, 1.0, 0.0, -1.0, -2.0, -1.0, 0.0, 1.0), 0.0, 1 / 4),
}


def compass(name):
    """The eight masks of a name in COMPASS, the first turned clockwise in steps of 45 degrees, 3 x 3 each."""
    ring, centre, _ = COMPASS[name]
    masks = np.zeros((8, 3, 3))
    masks[:, 1, 1] = centre
    for turn in range(8):
        for place, tap in enumerate(ring):
            masks[(turn, *RING[-(place + turn) % 8])] = tap
    return masks
