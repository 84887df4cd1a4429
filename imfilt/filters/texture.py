"""Texture: the Gabor filter."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from imfilt import kernels
from imfilt._engine import checks
from imfilt._engine.run import apply
from imfilt.convolution.single import ways_for
from imfilt.filters._text import fill

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

LARGEST_RADIUS = 1000
SMALLEST_SIGMA = 1e-100  # its square must not vanish


def _parameters(frequency, theta, bandwidth, sigma_x, sigma_y, n_stds, offset):
    """What the taps are made of: frequency, theta, sigma_x, sigma_y, n_stds, offset, all checked."""
    frequency, theta = checks.real_number(frequency, "frequency"), checks.real_number(theta, "theta")
    if sigma_x is None or sigma_y is None:
        ratio = 2.0 ** checks.within(checks.positive(bandwidth, "bandwidth"), "bandwidth", 0, 100)
        # N. Petkov, https://www.cs.rug.nl/~imaging/simplecell.html
        cycles = 1.0 / np.pi * math.sqrt(math.log(2) / 2.0) * (ratio + 1) / (ratio - 1)
        usual = cycles / checks.positive(abs(frequency), "frequency, without sigma_x and sigma_y,")
    sigmas = [
        usual if sigma is None else checks.positive(sigma, name)
        for sigma, name in ((sigma_x, "sigma_x"), (sigma_y, "sigma_y"))
    ]
    checks.within(min(sigmas), "the smaller of the sigmas", SMALLEST_SIGMA, math.inf)
    n_stds = checks.not_negative(n_stds, "n_stds")
    checks.within(n_stds * max(sigmas), "n_stds times a sigma", 0, LARGEST_RADIUS)
    return frequency, theta, *sigmas, n_stds, checks.real_number(offset, "offset")


@fill
def gabor_kernel(
    frequency: float, theta: float = 0, bandwidth: float = 1, sigma_x: float | None = None,
    sigma_y: float | None = None, n_stds: float = 3, offset: float = 0, dtype: DTypeLike = np.complex128,
) -> np.ndarray:  # fmt: skip
    """Taps of a Gabor filter, as a convolution has them: a Gaussian times a complex wave.

    Parameters
    ----------
    frequency : float
        Of the wave, in periods per pixel.
    theta : float, optional
        Where the wave runs to, in radians: 0 is to the right, pi / 2 down.
    bandwidth : float, optional
        In octaves; a sigma that is not given is that of this bandwidth at this frequency.
    sigma_x, sigma_y : float, optional
        Standard deviations of the Gaussian in pixels, along the wave and across it.
    n_stds : float, optional
        The kernel ends so many standard deviations from its centre, but a pixel at least; 1000 pixels at most.
    offset : float, optional
        Phase of the wave in the centre, in radians.
    dtype : dtype, optional
        complex128 or complex64.

    Returns
    -------
    ndarray
        Odd numbers of rows and columns, complex.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of its range.

    See Also
    --------
    gabor

    Notes
    -----
    The numbers are those of ``skimage.filters.gabor_kernel``.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> imfilt.gabor_kernel(0.25, sigma_x=1, sigma_y=1, n_stds=2)[2].round(3) + 0.0
    array([-0.022+0.j   ,  0.   -0.097j,  0.159+0.j   ,  0.   +0.097j,
           -0.022+0.j   ])
    """
    parameters = _parameters(frequency, theta, bandwidth, sigma_x, sigma_y, n_stds, offset)
    return kernels.gabor(*parameters, dtype=checks.complex_dtype(dtype))


@lru_cache(maxsize=128)
def _taps(*parameters):
    """Real and imaginary taps, as a correlation has them."""
    taps = kernels.gabor(*parameters)[::-1, ::-1]
    return taps.real, taps.imag


@lru_cache(maxsize=256)
def _ways(part, source, result, *parameters):
    return ways_for(_taps(*parameters)[part], source, result)


@fill
def gabor(
    image: ArrayLike, frequency: float, theta: float = 0, bandwidth: float = 1, sigma_x: float | None = None,
    sigma_y: float | None = None, n_stds: float = 3, offset: float = 0, mode: str = "reflect", cval: float = 0.0, *,
    weights: ArrayLike | str | None = None, alpha: bool = False, channel_axis: int | None = -1,
    preserve_range: bool = False, dtype: DTypeLike | None = None, out: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """How much of a wave of one frequency and direction there is around each pixel.

    Parameters
    ----------
    %(image)s
    frequency, theta, bandwidth, sigma_x, sigma_y, n_stds, offset : float
        Of the kernel: those of `gabor_kernel`.
    %(border)s
    %(weights)s
    %(channels)s
    dtype : dtype, optional
        Of the results. By default float64 for float64 and for 32- and 64-bit integers, else
        float32. An integer dtype receives the results at full scale (uint8: times 255),
        rounded half to even and saturated.
    out : two ndarrays, optional
        Receive the results; their dtypes are then the results'. They share no memory with the image or each other.

    Returns
    -------
    real, imag : ndarray
        Each of the shape of the image: its convolutions with the real and the imaginary part of the kernel.

    %(raises)s

    See Also
    --------
    gabor_kernel

    Notes
    -----
    For images of floats the numbers are those of ``skimage.filters.gabor``. Images of integers that one filters as they
    are, into integers of their dtype, in which negative results wrap around; here they are scaled, and the results are
    floats. With equal sigmas each part is a sum of two products of a column and a row, and is computed so.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> waves = np.cos(2 * np.pi * 0.2 * np.arange(40.0)) * np.ones((40, 1))
    >>> [float(np.hypot(*imfilt.gabor(waves, 0.2, theta))[20, 20].round(2)) for theta in (0, np.pi / 2)]
    [0.5, 0.0]
    """
    parameters = _parameters(frequency, theta, bandwidth, sigma_x, sigma_y, n_stds, offset)
    array, axis = checks.as_image(image, channel_axis)
    results = []
    for part, one in enumerate(checks.outputs(out, 2, dtype, array)):
        ways = _ways(part, array.dtype, checks.result_type(dtype, one, array.dtype), *parameters)
        result = apply(
            ways.auto, array, mode=mode, cval=cval, weights=weights, alpha=alpha, channel_axis=axis,
            rescale=not preserve_range, dtype=dtype, out=one, spare=ways.without_fft,
        )  # fmt: skip
        results.append(result)
    return results[0], results[1]
