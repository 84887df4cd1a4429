"""Second derivatives: the Laplacian, its Gaussian relatives, and the Hessian."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from imfilt import kernels
from imfilt._engine import checks
from imfilt._engine.recall import shortcut
from imfilt._engine.run import apply
from imfilt.convolution.separable import separable_kernel
from imfilt.convolution.single import ways_for
from imfilt.filters._masks import shrink
from imfilt.filters._text import fill

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

LARGEST_SIZE = 1023
LARGEST_SIGMA = 1000
SMALL = 5  # up to here columns and rows are not fewer products than all taps
# Taps that are smaller than the largest by more than this are below the rounding of any sum.
NEGLIGIBLE = 2.0**-64


@lru_cache(maxsize=64)
def _laplacian(size, source, result):
    if size == 3:
        return ways_for(kernels.LAPLACE, source, result).kernels["direct"]
    along, across = -kernels.second_difference(size), kernels.binomial(size - 1)
    if size <= SMALL:
        both = np.outer(along, across) + np.outer(across, along)
        return ways_for(both, source, result).kernels["direct"]
    along, across = tuple(along.tolist()), tuple(across.tolist())
    return separable_kernel(along, across, across, along)


@shortcut
@fill
def laplace(
    image: ArrayLike, ksize: int = 3, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    weights: ArrayLike | str | None = None, alpha: bool = False, channel_axis: int | None = -1,
    preserve_range: bool = False, dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Minus the sum of the second derivatives down the rows and along them.

    Parameters
    ----------
    %(image)s
    ksize : int, optional
        Rows and columns of the kernel, odd, 3 to 1023. A larger one looks at a smoother image.
    mask : array-like of bool, optional
        (H, W). The result is 0 where it is false, and ksize // 2 pixels around that and along the frame of
        the image, so that no pixel that is masked out has a part in the result.
    %(border)s
    %(common)s

    Returns
    -------
    ndarray
        Of the shape of the image: positive where a pixel is above its surroundings.

    %(raises)s

    See Also
    --------
    gaussian_laplace, difference_of_gaussians, hessian_matrix

    Notes
    -----
    The sign is scikit-image's: the centre of its kernel is +4, that of SciPy's and OpenCV's is -4. For ksize 3 the
    taps are scikit-image's, ``[[0, -1, 0], [-1, 4, -1], [0, -1, 0]]``; it ignores any other ksize. Larger kernels are
    OpenCV's, which are differences smoothed by binomials, over -4 ** (ksize - 2): each is scaled so that the paraboloid
    x ** 2 / 2 gives -1 everywhere.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> spot = np.zeros((3, 3))
    >>> spot[1, 1] = 1
    >>> imfilt.laplace(spot) + 0.0
    array([[ 0., -1.,  0.],
           [-1.,  4., -1.],
           [ 0., -1.,  0.]])
    """
    size = checks.odd(ksize, "ksize", 3, LARGEST_SIZE)
    array, axis = checks.as_image(image, channel_axis)
    finish = None
    if mask is not None:
        keep = checks.mask(mask, checks.plane(array.shape, axis)[:2])
        for _ in range(size // 2):
            keep = shrink(keep)

        def finish(result):
            result[~keep] = 0

    return apply(
        _laplacian(size, array.dtype, checks.result_type(dtype, out, array.dtype)), array, mode=mode, cval=cval,
        weights=weights, alpha=alpha, channel_axis=axis, rescale=not preserve_range, dtype=dtype, out=out,
        finish=finish,
    )  # fmt: skip


def _factors(sigmas, truncate, *orders):
    """Taps of Gaussian derivatives of even orders, one of `orders` for each axis."""
    return [tuple(kernels.gaussian(one, truncate, k).tolist()) for one, k in zip(sigmas, orders, strict=True)]


@lru_cache(maxsize=256)
def _gaussian_laplacian(sigmas, truncate):
    checks.kernel_size(sigmas, truncate, (2, 2))
    return separable_kernel(*_factors(sigmas, truncate, 2, 0), *_factors(sigmas, truncate, 0, 2))


@shortcut
@fill
def gaussian_laplace(
    image: ArrayLike, sigma: float | Sequence[float], *, mode: str = "reflect", cval: float = 0.0,
    truncate: float = 4.0, weights: ArrayLike | str | None = None, alpha: bool = False, channel_axis: int | None = -1,
    preserve_range: bool = False, dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Sum of the second derivatives of the image smoothed with a Gaussian: "Laplacian of Gaussian", or LoG.

    Parameters
    ----------
    %(image)s
    sigma : float or two floats
        Standard deviation in pixels, or one for the rows' direction and one for the columns' (vertical, horizontal).
        The kernel needs a radius of 1 or more: sigma 0.125 for the default truncate.
    %(border)s
    truncate : float, optional
        The kernel ends int(truncate * sigma + 0.5) pixels from its centre.
    %(common)s

    Returns
    -------
    ndarray
        Of the shape of the image: negative where a pixel is above its surroundings.

    %(raises)s

    See Also
    --------
    laplace, difference_of_gaussians

    Notes
    -----
    The taps are those of ``scipy.ndimage.gaussian_laplace``, whose sign it has: that of the derivatives, the
    opposite of `laplace`. They are sampled, so that a constant image gives not quite 0. With mode "constant" and a
    cval other than 0 SciPy's result is another one near the border: it takes derivatives to be cval there, too.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> bowl = np.arange(-8.0, 9) ** 2 / 2 * np.ones((17, 1))
    >>> imfilt.gaussian_laplace(bowl, 1)[8, 7:10].round(2)
    array([1., 1., 1.])
    """
    sigmas = checks.pair(sigma, "sigma", checks.not_negative)
    return apply(
        _gaussian_laplacian(sigmas, checks.not_negative(truncate, "truncate")), image, mode=mode, cval=cval,
        weights=weights, alpha=alpha, channel_axis=channel_axis, rescale=not preserve_range, dtype=dtype, out=out,
    )  # fmt: skip


@lru_cache(maxsize=256)
def _difference(low, high, truncate):
    for sigmas in (low, high):
        checks.kernel_size(sigmas, truncate, (0, 0))
    column, row = _factors(high, truncate, 0, 0)
    return separable_kernel(*_factors(low, truncate, 0, 0), tuple(-tap for tap in column), row)


@shortcut
@fill
def difference_of_gaussians(
    image: ArrayLike, low_sigma: float | Sequence[float], high_sigma: float | Sequence[float] | None = None, *,
    mode: str = "nearest", cval: float = 0.0, truncate: float = 4.0, weights: ArrayLike | str | None = None,
    alpha: bool = False, channel_axis: int | None = -1, preserve_range: bool = False, dtype: DTypeLike | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """The image smoothed with one Gaussian, less the image smoothed with a wider one: what lies between in size.

    Parameters
    ----------
    %(image)s
    low_sigma : float or two floats
        Standard deviation of the narrow Gaussian in pixels, or one for the rows' direction and one for the columns'
        (vertical, horizontal). 0 leaves that axis alone.
    high_sigma : float or two floats, optional
        That of the wide one, for no axis smaller. 1.6 times `low_sigma` if not given.
    %(border)s
    truncate : float, optional
        The kernels end int(truncate * sigma + 0.5) pixels from their centre.
    %(common)s

    Returns
    -------
    ndarray
        Of the shape of the image: positive where a pixel is above its surroundings.

    %(raises)s

    See Also
    --------
    gaussian_laplace, gaussian

    Notes
    -----
    The numbers are those of ``skimage.filters.difference_of_gaussians``. The ratio of 1.6 is that of D. Marr and
    E. Hildreth, "Theory of edge detection", Proceedings of the Royal Society of London B 207, 187-217, 1980.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> line = np.zeros((5, 5))
    >>> line[:, 2] = 1
    >>> imfilt.difference_of_gaussians(line, 0.5)[2].round(3)
    array([-0.022, -0.122,  0.288, -0.122, -0.022])
    """
    low = checks.pair(low_sigma, "low_sigma", checks.not_negative)
    if high_sigma is None:
        high = low[0] * 1.6, low[1] * 1.6
    else:
        high = checks.pair(high_sigma, "high_sigma", checks.not_negative)
    checks.ordered(low, high, "low_sigma", "high_sigma")
    return apply(
        _difference(low, high, checks.not_negative(truncate, "truncate")), image, mode=mode, cval=cval,
        weights=weights, alpha=alpha, channel_axis=channel_axis, rescale=not preserve_range, dtype=dtype, out=out,
    )  # fmt: skip


def _trimmed(taps):
    """Taps without ends that are too small to count."""
    radius = len(taps) // 2
    large = np.flatnonzero(np.abs(taps) > NEGLIGIBLE * np.abs(taps).max())
    cut = min(*large[[0]], *(len(taps) - 1 - large[[-1]]), radius - 1) if len(large) and radius > 1 else 0
    return tuple(taps[cut : len(taps) - cut].tolist())


def _derivatives(sigma, truncate, gaussian):
    """Taps that smooth, and that take the first and the second derivative of what they smooth."""
    if gaussian:
        part = math.sqrt(0.5) * sigma
        smooth, slope = kernels.gaussian(part, truncate, 0), kernels.gaussian(part, truncate, 1)
        parts = (smooth, smooth), (smooth, slope), (slope, slope)
    else:
        smooth, half = kernels.gaussian(sigma, truncate, 0), np.array([0.5, 0, -0.5])
        parts = (smooth, [1.0]), (smooth, half), (smooth, np.convolve(half, half))
    return [_trimmed(np.convolve(*both)) for both in parts]


def _hessian_sigma(value, name):
    return checks.within(checks.real_number(value, name), name, 0, LARGEST_SIGMA)


@lru_cache(maxsize=64)
def _hessian(sigmas, gaussian):
    truncate = 4.0
    if gaussian:  # scikit-image's rule: small kernels are kept whole
        truncate = 8.0 if min(sigmas) > 1 else 100.0
        checks.kernel_size([math.sqrt(0.5) * sigma for sigma in sigmas], truncate, (1, 1))
    down, along = (_derivatives(sigma, truncate, gaussian) for sigma in sigmas)
    # Convolution taps: as a correlation, both odd factors of the mixed derivative change sign.
    return tuple(separable_kernel(down[2 - k], along[k]) for k in range(3))


@fill
def hessian_matrix(
    image: ArrayLike, sigma: float | Sequence[float] = 1, mode: str = "constant", cval: float = 0.0,
    order: str = "rc", use_gaussian_derivatives: bool = True, *, weights: ArrayLike | str | None = None,
    alpha: bool = False, channel_axis: int | None = -1, preserve_range: bool = False, dtype: DTypeLike | None = None,
    out: Sequence[np.ndarray] | None = None,
) -> list[np.ndarray]:  # fmt: skip
    """The second derivatives of the image smoothed with a Gaussian: the elements of its Hessian matrix.

    Parameters
    ----------
    %(image)s
    sigma : float or two floats, optional
        Standard deviation in pixels, up to 1000, or one for the rows' direction and one for the columns' (vertical,
        horizontal).
    %(border)s
    order : {"rc", "xy"}, optional
        Which element is first: that down the rows, or that along them.
    use_gaussian_derivatives : bool, optional
        Take the derivatives of the Gaussian. Otherwise half the difference of the neighbours of a pixel of the smoothed
        image is its derivative, and again.
    %(weights)s
    %(channels)s
    dtype : dtype, optional
        Of the results. By default float64 for float64 and for 32- and 64-bit integers, else
        float32. An integer dtype receives the results at full scale (uint8: times 255),
        rounded half to even and saturated.
    out : three ndarrays, optional
        Receive the results; their dtypes are then the results'. They share no memory with the image or each other.

    Returns
    -------
    list of ndarray
        Hrr, Hrc, Hcc, each of the shape of the image: derivatives down the rows, down and along, and along.
        In order "xy" the other way round.

    %(raises)s

    See Also
    --------
    laplace, gaussian

    Notes
    -----
    The numbers are those of ``skimage.feature.hessian_matrix``: two first derivatives, one after the other, each of a
    Gaussian of sigma / sqrt(2). But here both are one kernel, and it is the image that goes on beyond its border as
    `mode` says. scikit-image lets the first derivative go on so, too, which is not the derivative of that image (of
    a reflected one it would change its sign). So results differ as far from the border as the kernel reaches, except
    with mode "wrap". Without Gaussian derivatives they differ in the two outermost rows and columns, where
    scikit-image's differences are one-sided. Its default there is still to use none, with a warning.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> y, x = np.mgrid[-20.0:21, -20.0:21]
    >>> [float(h[20, 20].round(3)) for h in imfilt.hessian_matrix(y**2 + 2 * x * y - x**2, sigma=1.5)]
    [2.0, 2.0, -2.0]
    """
    sigmas = checks.pair(sigma, "sigma", _hessian_sigma)
    parts = _hessian(sigmas, bool(use_gaussian_derivatives))
    if checks.one_of(order, "order", ("rc", "xy")) == "xy":
        parts = parts[::-1]
    array, axis = checks.as_image(image, channel_axis)
    outs = checks.outputs(out, 3, dtype, array)
    return [
        apply(
            kernel, array, mode=mode, cval=cval, weights=weights, alpha=alpha, channel_axis=axis,
            rescale=not preserve_range, dtype=dtype, out=one,
        )
        for kernel, one in zip(parts, outs, strict=True)
    ]  # fmt: skip
