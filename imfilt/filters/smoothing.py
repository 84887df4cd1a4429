"""Smoothing: the Gaussian and its derivatives."""

from functools import lru_cache

import numpy as np

from imfilt import kernels
from imfilt._engine import checks, dtypes
from imfilt._engine.run import apply
from imfilt.convolution.multirate import multirate_kernel
from imfilt.convolution.separable import separable_kernel

# An integer result shows half a level; a faster plan may add this much to the rounding.
INVISIBLE = 0.099


@lru_cache(maxsize=256)
def _kernel(sigmas, truncate, orders):
    # Correlation taps are the flipped convolution taps, which matters for odd orders.
    column, row = (
        tuple(kernels.gaussian(sigma, truncate, order)[::-1].tolist())
        for sigma, order in zip(sigmas, orders, strict=True)
    )
    return separable_kernel(column, row)


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


def gaussian(
    image, sigma=1.0, *, mode="nearest", cval=0.0, preserve_range=False, truncate=4.0, channel_axis=-1,
    out=None, order=0, dtype=None, max_error=None,
):  # fmt: skip
    """Smooth with a Gaussian, or take a derivative of the smoothed image.

    Parameters
    ----------
    image : array-like
        Grey (H, W), or with channels (H, W, C), which are smoothed one by one. Of any
        boolean, integer or real dtype; it is not changed.
    sigma : float or two floats, optional
        Standard deviation in pixels, or one for the rows' direction and one for the columns'
        (vertical, horizontal). 0 leaves that axis alone.
    mode : str, optional
        What lies beyond the border of ``a b c d``: "nearest" (``a a | a b c d | d d``),
        "reflect" (``b a | a b c d | d c``), "mirror" (``c b | a b c d | c b``), "wrap"
        (``c d | a b c d | a b``) or "constant". Aliases: symmetric, edge, replicate,
        circular, zeros, reflect101, grid-mirror, grid-wrap, grid-constant.
    cval : float, optional
        The constant of mode "constant", on the scale of the result.
    preserve_range : bool, optional
        Take integers as they are. By default they are scaled as ``img_as_float`` does, so
        that the largest number of their dtype is 1.
    truncate : float, optional
        The kernel ends int(truncate * sigma + 0.5) pixels from its centre.
    channel_axis : int or None, optional
        Where the channels of a three-dimensional image are. None says that there are none.
    out : ndarray, optional
        Receives the result; its dtype is then the result's. It may be `image`.
    order : int or two ints, optional
        0 smooths; k takes the k-th derivative along that axis, as ``scipy.ndimage`` has it.
    dtype : dtype, optional
        Of the result. By default float64 for float64 and for 32- and 64-bit integers, else
        float32. An integer dtype receives the result at full scale (uint8: times 255),
        rounded half to even and saturated; uint8 from uint8 is within 0.6 of the exact value.
    max_error : float, optional
        How far the result may be from the exact one, as a fraction of the range of the image
        (its largest minus its smallest number, the border's among them). A large sigma is
        then computed on a smaller image, at a cost that does not depend on sigma, if a bound
        that holds for every image permits. By default this is done only where a rounded
        result moves by less than 0.1 of a level; 0 never does it.

    Returns
    -------
    ndarray
        Of the shape of the image.

    Raises
    ------
    TypeError
        If the dtype of the image is complex or object, or an argument has the wrong type.
    ValueError
        If the image is not two-dimensional with or without channels, or an argument is out
        of its range. Nothing has been written then.

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
    sigmas = checks.pair(sigma, "sigma", checks.not_negative)
    orders = checks.pair(order, "order", checks.whole)
    truncate = checks.not_negative(truncate, "truncate")
    checks.kernel_size(sigmas, truncate, orders)
    image, _ = checks.as_image(image, channel_axis)
    kernel = None
    if max(sigmas) >= 4 and orders == (0, 0):
        error = None if max_error is None else checks.not_negative(max_error, "max_error")
        result = checks.result_type(dtype, out, image.dtype)
        kernel = multirate_kernel(sigmas, truncate, _error_allowed(error, image.dtype, result, preserve_range))
    return apply(
        kernel or _kernel(sigmas, truncate, orders), image, mode=mode, cval=cval, channel_axis=channel_axis,
        rescale=not preserve_range, dtype=dtype, out=out,
    )  # fmt: skip
