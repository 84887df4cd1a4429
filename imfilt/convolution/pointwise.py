"""Pointwise convolution: 1 x 1, a matrix for the channels of each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imfilt._engine import checks, plan
from imfilt._engine.recall import recalled, shortcut
from imfilt.convolution.standard import apply_channels, channels_call

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


@shortcut
def pointwise_conv2d(
    image: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, channel_axis: int | None = -1,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Mix the channels of each pixel: a 1 x 1 convolution, a colour matrix.

    Parameters
    ----------
    image : array-like
        (H, W), (H, W, C_in) or (N, H, W, C_in). Not changed.
    weight : array-like
        (C_out, C_in): result[y, x] = weight @ image[y, x] + bias.
    bias : array-like, optional
        (C_out,)
    channel_axis, dtype, out
        As those of `conv2d`.

    Returns
    -------
    ndarray
        (H, W, C_out), with N before them for N images; (H, W) for a grey image and one channel.

    Raises
    ------
    TypeError, ValueError
        As `conv2d`.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> luminance = [[0.299, 0.587, 0.114]]
    >>> imfilt.pointwise_conv2d(np.full((2, 2, 3), 255, np.uint8), luminance, dtype=np.uint8)[..., 0]
    array([[255, 255],
           [255, 255]], dtype=uint8)
    """
    result = out.dtype if isinstance(out, np.ndarray) else dtype
    array, call = _call(image, (weight, bias), result, channel_axis)
    return apply_channels(call, array, "constant", 0.0, dtype, out)


@recalled
def _call(image, arrays, result, axis):
    array, axis = checks.as_image(image, axis, True)
    weight, bias = arrays
    weights = checks.weight(weight, "weight", "(C_out, C_in)")
    wide = plan.is_wide(array.dtype, checks.result_type(result, None, array.dtype))
    return array, channels_call(array.shape, axis, weights[:, :, None, None], bias, 1, "same", 1, 1, wide=wide)
