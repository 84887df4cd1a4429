"""Root mean square of two crossed separable kernels, in one sweep and without an intermediate image."""

from functools import lru_cache

from imfilt._engine.plan import Kernel, Stage
from imfilt.convolution.separable import separable_kernel, taps


@lru_cache(maxsize=64)
def gradient_kernel(smooth, difference, gain=1.0):
    """sqrt((g0**2 + g1**2) / 2), with g0 and g1 the correlations (difference x smooth) and its transpose.

    Parameters
    ----------
    smooth, difference : tuple of float
        An even and an odd set of taps, of one odd length.
    gain : float
        Factor of the result. Integer images and taps are exact up to the root.

    Returns
    -------
    Kernel
    """
    n = len(smooth)
    stage = Stage("gradient", (taps(smooth), taps(difference)), n, n, n // 2, n // 2, work=4 + n)
    parts = separable_kernel(difference, smooth, gain=gain), separable_kernel(smooth, difference, gain=gain)
    return Kernel((stage,), gain, squares=True, halo=(n // 2,) * 4, parts=parts)
