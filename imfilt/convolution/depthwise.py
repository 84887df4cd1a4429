"""Depthwise convolution, alone and followed by a pointwise one in the same sweep."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from imfilt import shapes
from imfilt._engine import checks
from imfilt._engine.packed import kept, pack
from imfilt._engine.plan import Kernel, Stage
from imfilt._engine.recall import recalled, shortcut
from imfilt.convolution import mixing
from imfilt.convolution.standard import apply_channels, channels_call, frame_of, taps_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


@shortcut
def depthwise_conv2d(
    image: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: int | tuple[int, int] = 1,
    padding: int | str | tuple = 0, dilation: int | tuple[int, int] = 1, mode: str = "constant",
    cval: float = 0.0, channel_axis: int | None = -1, dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Convolve each channel with kernels of its own (a cross-correlation); no channels are mixed.

    Parameters
    ----------
    image : array-like
        (H, W), (H, W, C) or (N, H, W, C). Not changed.
    weight : array-like
        (C, kH, kW), a kernel for each channel; or (C, M, kH, kW), M of them: M is the depth multiplier.
    bias : array-like, optional
        (C,) or (C * M,).
    stride, padding, dilation, mode, cval, channel_axis, dtype, out
        As those of `conv2d`.

    Returns
    -------
    ndarray
        (H', W', C * M), with N before them for N images. Channel c * M + m comes from
        channel c under weight[c, m]: TensorFlow's order, and that of PyTorch with groups=C.

    Raises
    ------
    TypeError, ValueError
        As `conv2d`.

    Notes
    -----
    Results have the same bits whatever the build of the core.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> imfilt.depthwise_conv2d(np.ones((6, 6, 16)), np.ones((16, 3, 3))).shape
    (4, 4, 16)
    """
    array, call = _call(image, (weight, bias), stride, padding, dilation, channel_axis)
    return apply_channels(call, array, mode, cval, dtype, out)


@recalled
def _call(image, arrays, stride, padding, dilation, axis):
    array, axis = checks.as_image(image, axis, True)
    weight, bias = arrays
    weights = checks.weight(weight, "weight", "(C, kH, kW)", "(C, M, kH, kW)")
    return array, channels_call(
        array.shape, axis, weights.reshape(-1, 1, *weights.shape[-2:]), bias, stride, padding, dilation,
        checks.depthwise(weights.shape, "weight", array.shape, axis), same_bits=True,
    )  # fmt: skip


@shortcut
def depthwise_separable_conv2d(
    image: ArrayLike, depthwise: ArrayLike, pointwise: ArrayLike, bias: ArrayLike | None = None, *,
    stride: int | tuple[int, int] = 1, padding: int | str | tuple = 0, dilation: int | tuple[int, int] = 1,
    mode: str = "constant", cval: float = 0.0, channel_axis: int | None = -1,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Convolve each channel with kernels of its own, then mix the channels of each pixel.

    Both in one sweep: of what lies between, a line at a time is held.

    Parameters
    ----------
    image : array-like
        (H, W), (H, W, C) or (N, H, W, C). Not changed.
    depthwise : array-like
        (C, kH, kW) or (C, M, kH, kW), as the weight of `depthwise_conv2d`.
    pointwise : array-like
        (C_out, C * M), as the weight of `pointwise_conv2d`.
    bias : array-like, optional
        (C_out,), added at the end.
    stride, padding, dilation, mode, cval, channel_axis, dtype, out
        As those of `conv2d`; they belong to the depthwise part.

    Returns
    -------
    ndarray
        (H', W', C_out), with N before them for N images; (H', W') for a grey image and one channel.

    Raises
    ------
    TypeError, ValueError
        As `conv2d`.

    Notes
    -----
    A depthwise *separable* convolution is separable into channels and space; one that is *spatially*
    separable (see `separable`) is separable into rows and columns.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> imfilt.depthwise_separable_conv2d(np.ones((6, 6, 16)), np.ones((16, 3, 3)), np.ones((32, 16))).shape
    (4, 4, 32)
    """
    array, call = _separable_call(image, (depthwise, pointwise, bias), stride, padding, dilation, channel_axis)
    return apply_channels(call, array, mode, cval, dtype, out)


@recalled
def _separable_call(image, arrays, stride, padding, dilation, axis):
    array, axis = checks.as_image(image, axis, True)
    depthwise, pointwise, bias = arrays
    first = checks.weight(depthwise, "depthwise", "(C, kH, kW)", "(C, M, kH, kW)")
    second = checks.weight(pointwise, "pointwise", "(C_out, C * M)")
    steps, distances = checks.steps(stride, "stride"), checks.steps(dilation, "dilation")
    plane = checks.plane(array.shape, axis)[:2]
    groups = checks.depthwise(first.shape, "depthwise", array.shape, axis)
    first = first.reshape(-1, 1, *first.shape[-2:])
    checks.pointwise_follows(second.shape, len(first))
    added, around = checks.bias(bias, len(second)), checks.padding(padding)
    pads = shapes.conv_pads(plane, first.shape[2:], steps, around, distances)
    size = shapes.conv_size(plane, first.shape[2:], steps, around, distances)
    checks.not_empty(array.shape, (*size, len(second)))
    kernel = kept.get(_kernel, (first, second, added), steps, distances, groups, (pads[0][0], pads[1][0]))
    return array, (kernel, axis, size, len(second))


def _kernel(depthwise, pointwise, bias, stride, dilation, groups, corner):
    frame = frame_of(depthwise, stride, dilation, corner)
    direct = mixing.direct_arrays([taps_of(depthwise, dilation, groups)], None, groups)
    made, middle = pointwise.shape
    every = np.zeros((1, 1, made)) if bias is None else bias.reshape(1, 1, made)

    @lru_cache(maxsize=4)
    def arrays(dtype, lanes):
        return (*direct, pack([pointwise.T[None]], lanes, dtype), pack([every], lanes, dtype), middle)

    work = depthwise.shape[2] * depthwise.shape[3] * 4 * middle / made + middle
    stage = Stage("depthwise_mix", arrays, **frame, work=work, rate=0.01, channels=made, cells=middle)
    (top, left), (rows, columns) = corner, (frame["rows"], frame["columns"])
    # Sums of sums of whole numbers.
    between = mixing.whole_reach(depthwise, None)
    reach = between * mixing.whole_reach(pointwise[:, :, None, None], bias)
    return Kernel(
        (stage,), halo=(top, rows - 1 - top, left, columns - 1 - left), reach=reach, name="depthwise_mix"
    )  # fmt: skip
