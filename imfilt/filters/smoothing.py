"""Smoothing: the Gaussian and its derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from imfilt import kernels
from imfilt._engine import checks, dtypes
from imfilt._engine.recall import shortcut
from imfilt._engine.run import apply
from imfilt.convolution.even import even_kernel
from imfilt.convolution.multirate import FEWEST_SIGMA, multirate_kernel
from imfilt.convolution.separable import separable_kernel
from imfilt.filters._text import fill

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

# An integer result shows half a level; a faster plan may add this much to the rounding.
INVISIBLE = 0.099


@lru_cache(maxsize=256)
def _parameters(sigma, truncate, order, max_error):
    """The checked arguments, and the exact kernel."""
    sigmas = checks.pair(sigma, "sigma", checks.not_negative)
    orders = checks.pair(order, "order", checks.whole)
    truncate = checks.not_negative(truncate, "truncate")
    if max_error is not None:
        max_error = checks.not_negative(max_error, "max_error")
    checks.kernel_size(sigmas, truncate, orders)
    # Correlation taps are the flipped convolution taps, which matters for odd orders.
    column, row = (
        tuple(kernels.gaussian(one, truncate, k)[::-1].tolist()) for one, k in zip(sigmas, orders, strict=True)
    )
    exact = separable_kernel(column, row)
    whole = even_kernel(column, row, INVISIBLE) if max_error is None and orders == (0, 0) else None
    return sigmas, truncate, orders, max_error, replace(exact, others=(whole,)) if whole else exact


def _hashable(value):
    """Sequences as tuples; arrays of one number as that number."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return tuple(value) if isinstance(value, list) else value


def _error_allowed(max_error, source, result, preserve_range):
    """Most that the result may be off for pixels between -1 and 1 (half the range each way)."""
    if max_error is not None:
        return 2 * max_error
    if source.kind not in "bui" or result.kind not in "ui":
        return 0.0
    span = float(np.iinfo(source).max) - float(np.iinfo(source).min) if source.kind != "b" else 1.0
    if not preserve_range:
        span *= dtypes.full_scale(result) / dtypes.full_scale(source)
    return 2 * INVISIBLE / span


@shortcut
@fill
def gaussian(
    image: ArrayLike, sigma: float | Sequence[float] = 1.0, *, mode: str = "nearest", cval: float = 0.0,
    preserve_range: bool = False, truncate: float = 4.0, channel_axis: int | None = -1,
    out: np.ndarray | None = None, order: int | Sequence[int] = 0, max_error: float | None = None,
    weights: ArrayLike | str | None = None, alpha: bool = False, dtype: DTypeLike | None = None,
) -> np.ndarray:  # fmt: skip
    """Smooth with a Gaussian, or take a derivative of the smoothed image.

    Parameters
    ----------
    %(image)s
    sigma : float or two floats, optional
        Standard deviation in pixels, or one for the rows' direction and one for the columns'
        (vertical, horizontal). 0 leaves that axis alone.
    %(border)s
    truncate : float, optional
        The kernel ends int(truncate * sigma + 0.5) pixels from its centre.
    order : int or two ints, optional
        0 smooths; k takes the k-th derivative along that axis, as ``scipy.ndimage`` has it.
    max_error : float, optional
        How far the result may be from the exact one, as a fraction of the range of the image
        (its largest minus its smallest number, the border's among them). A large sigma is
        then computed on a smaller image, at a cost that does not depend on sigma, if a bound
        that holds for every image permits. By default this is done only where a rounded
        result moves by less than 0.1 of a level; 0 never does it. With `weights` or `alpha`
        the result is always exact.
    %(common)s

    Returns
    -------
    ndarray
        Of the shape of the image. uint8 from uint8 is within 0.6 of the exact value.

    %(raises)s

    Notes
    -----
    The taps are those of ``scipy.ndimage.gaussian_filter``: the sampled function, cut off at
    the radius and scaled to sum to 1. A colour image needs no `channel_axis`: unlike
    scikit-image's, this function never smooths across channels.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> spot = np.zeros((3, 3))
    >>> spot[1, 1] = 1
    >>> imfilt.gaussian(spot, sigma=0.5).round(3)
    array([[0.011, 0.084, 0.011],
           [0.084, 0.619, 0.084],
           [0.011, 0.084, 0.011]])
    """
    given = sigma, truncate, order, max_error
    try:
        hash(given)
    except TypeError:
        given = tuple(map(_hashable, given))
    sigmas, truncate, orders, max_error, kernel = _parameters(*given)
    if max(sigmas) >= FEWEST_SIGMA and orders == (0, 0) and weights is None and not alpha:
        array, _ = checks.as_image(image, channel_axis)
        result = checks.result_type(dtype, out, array.dtype)
        allowed = _error_allowed(max_error, array.dtype, result, preserve_range)
        image = array
        kernel = multirate_kernel(sigmas, truncate, allowed, kernel) or kernel
    return apply(
        kernel, image, mode=mode, cval=cval, weights=weights, alpha=alpha, channel_axis=channel_axis,
        rescale=not preserve_range, dtype=dtype, out=out,
    )  # fmt: skip
