"""Interpolation functions, and the taps that sampling them gives.

A pixel of the result lies between pixels of the source; each of these counts as much as the
function says of their distance. Pixel centres are aligned: pixel y of a result that is `factor`
times as large lies at (y + 1/2) / factor - 1/2 in the source. For a factor p/q these places come
again after p pixels of the result and q of the source: p sets of taps, the phases.
"""

import math
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np


def triangle(x):
    """Linear interpolation: 1 - |x|."""
    return np.maximum(1 - np.abs(x), 0)


def cubic(x, b, c):
    """Two cubic pieces on each side: Mitchell and Netravali, "Reconstruction filters in computer graphics", 1988.

    b = 0 and c = -a: Keys, "Cubic convolution interpolation for digital image processing", 1981, which interpolates.
    b = 1 and c = 0: the cubic B-spline, which only smooths.
    """
    x = np.abs(x)
    inner = (((12 - 9 * b - 6 * c) * x + (-18 + 12 * b + 6 * c)) * x * x + (6 - 2 * b)) / 6
    outer = (((-b - 6 * c) * x + (6 * b + 30 * c)) * x + (-12 * b - 48 * c)) * x + (8 * b + 24 * c)
    return np.where(x < 1, inner, np.where(x < 2, outer / 6, 0.0))


def lanczos(x, n):
    """sinc(x) sinc(x / n): Duchon, "Lanczos filtering in one and two dimensions", 1979."""
    sincs = np.where(np.abs(x) < n, np.sinc(x) * np.sinc(x / n), 0.0)
    return np.where(x == np.rint(x), x == 0, sincs)  # np.sinc is only nearly 0 there


_FUNCTIONS: dict[str, Callable] = {
    "bilinear": triangle,
    "bicubic": partial(cubic, b=0.0, c=0.5),
    "bicubic-0.75": partial(cubic, b=0.0, c=0.75),
    "mitchell": partial(cubic, b=1 / 3, c=1 / 3),
    "bspline": partial(cubic, b=1.0, c=0.0),
    "lanczos2": partial(lanczos, n=2),
    "lanczos3": partial(lanczos, n=3),
    "lanczos4": partial(lanczos, n=4),
}
NAMES = ("nearest", *_FUNCTIONS, "area", "box")
RADIUS = 4  # of the widest


@lru_cache(maxsize=256)
def phases(method, up, stride):
    """Taps for `up` pixels of the result to `stride` pixels of the source.

    Parameters
    ----------
    method : str or tuple
        One of NAMES, or ("bicubic", a).
    up, stride : int
        Where there are fewer pixels in the result, the functions are stretched by stride / up, so that nothing
        is folded onto lower frequencies; "nearest" and "area" are what they are.

    Returns
    -------
    first : int
        Pixel y of the result begins at pixel y * stride // up + first of the source ...
    taps : ndarray
        ... with taps[y % up]: (up, count) float64, read-only. Each phase sums to 1; no column at the ends is 0 in every
        phase.

    Examples
    --------
    >>> from imfilt import interpolants
    >>> interpolants.phases("bilinear", 2, 1)
    (-1, array([[0.25, 0.75, 0.  ],
           [0.  , 0.75, 0.25]]))
    """
    phase = np.arange(up)[:, None]
    reach = math.ceil(RADIUS * max(1, stride / up) + stride / up) + 1
    source = np.arange(-reach, reach + 1)
    # Whole numbers: 2 * up times the distance from the pixel of the source to that of the result.
    distance = (2 * phase + 1) * stride - up - 2 * up * (phase * stride // up + source)
    if method == "nearest":
        weights = ((-up <= distance) & (distance < up)).astype(np.float64)
    elif method in ("area", "box"):  # how much of the one lies under the other
        shared = np.minimum(up, distance + stride) - np.maximum(-up, distance - stride)
        weights = np.maximum(shared, 0).astype(np.float64)
    else:
        function = _FUNCTIONS[method] if isinstance(method, str) else partial(cubic, b=0.0, c=-method[1])
        weights = function(distance / (2 * max(up, stride)))
    weights = weights / np.array([[math.fsum(one)] for one in weights])
    used = np.flatnonzero(weights.any(axis=0))
    weights = np.ascontiguousarray(weights[:, used[0] : used[-1] + 1])
    weights.flags.writeable = False
    return int(source[used[0]]), weights


def transposed(method, factor):
    """The taps that a transposed convolution with stride `factor`, a whole number, lays around each pixel.

    Examples
    --------
    >>> from imfilt import interpolants
    >>> interpolants.transposed("bilinear", 2)
    array([0.25, 0.75, 0.75, 0.25])
    """
    _, weights = phases(method, factor, 1)
    # Pixel i of the source has tap t of the pixels of the result that begin at i - t: the last taps come first.
    return np.trim_zeros(weights[:, ::-1].T.ravel())
