"""Standard convolution: many channels in and out, with stride, padding, dilation and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imfilt import shapes
from imfilt._engine import checks, plan
from imfilt._engine.packed import kept
from imfilt._engine.plan import Kernel
from imfilt._engine.recall import recalled, shortcut
from imfilt._engine.run import apply
from imfilt.convolution import mixing

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


@shortcut
def conv2d(
    image: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: int | tuple[int, int] = 1,
    padding: int | str | tuple = 0, dilation: int | tuple[int, int] = 1, groups: int = 1,
    mode: str = "constant", cval: float = 0.0, channel_axis: int | None = -1,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Convolve an image with a bank of kernels, as neural networks do (a cross-correlation).

    Parameters
    ----------
    image : array-like
        (H, W), one channel; (H, W, C_in); or (N, H, W, C_in), N images. Not changed.
    weight : array-like
        (C_out, C_in / groups, kH, kW), as PyTorch and ONNX hold it.
    bias : array-like, optional
        (C_out,), added to each channel.
    stride : int or (rows, columns), optional
        Every so many pixels have a result.
    padding : int, (rows, columns), ((top, bottom), (left, right)) or str, optional
        Pixels added around the image: a number of them; "valid", none; "same", so that the result has
        ceil(n / stride) rows and columns, an odd pixel at the end (TensorFlow's SAME, ONNX's SAME_UPPER);
        "same_lower", the odd pixel at the beginning; "full", all that the kernel can reach.
    dilation : int or (rows, columns), optional
        Distance of neighbouring taps.
    groups : int, optional
        The channels are cut into so many groups, and each result is made from its own group.
    mode : str, optional
        What the added pixels are: "constant", "reflect", "mirror", "nearest" or "wrap", or an alias.
    cval : float, optional
        The constant of mode "constant".
    channel_axis : int or None, optional
        Where the channels are. Those of the result are at the same place.
    dtype : dtype, optional
        Of the result. By default float64 for float64 and for 32- and 64-bit integers, else float32. Integers are
        rounded half to even and saturated.
    out : ndarray, optional
        Receives the result; its dtype is then the result's.

    Returns
    -------
    ndarray
        (H', W', C_out), with N before them for N images; (H', W') for a grey image and one channel of the
        result. H' = floor((H + top + bottom - dilation * (kH - 1) - 1) / stride) + 1.

    Raises
    ------
    TypeError
        If a dtype is complex or object, or an argument has the wrong type.
    ValueError
        If shapes do not fit each other, or an argument is out of its range. Nothing has been written then.

    See Also
    --------
    depthwise_conv2d, pointwise_conv2d, depthwise_separable_conv2d, conv_transpose2d, shapes.conv2d

    Notes
    -----
    Numbers are not rescaled: an image of bytes gives results between 0 and 255 times the sum of the
    weights. Packed weights are kept, and found again when the same weights come again.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> image = np.arange(25.0).reshape(5, 5)
    >>> imfilt.conv2d(image, np.ones((1, 1, 3, 3)), stride=2)
    array([[ 54.,  72.],
           [144., 162.]])
    >>> imfilt.conv2d(np.ones((8, 9, 3)), np.ones((16, 3, 3, 3)), padding="same").shape
    (8, 9, 16)
    """
    result = out.dtype if isinstance(out, np.ndarray) else dtype
    array, call = _call(image, (weight, bias), stride, padding, dilation, groups, result, channel_axis)
    return apply_channels(call, array, mode, cval, dtype, out)


@recalled
def _call(image, arrays, stride, padding, dilation, groups, result, axis):
    array, axis = checks.as_image(image, axis, True)
    weight, bias = arrays
    weights = checks.weight(weight, "weight", "(C_out, C_in / groups, kH, kW)")
    wide = plan.is_wide(array.dtype, checks.result_type(result, None, array.dtype))
    return array, channels_call(array.shape, axis, weights, bias, stride, padding, dilation, groups, wide=wide)


def apply_channels(call, array, mode, cval, dtype, out):
    """The image under a kernel that makes channels of its own; `call` is what `channels_call` returned."""
    kernel, axis, size, channels = call
    return apply(
        kernel, array, mode=mode, cval=cval, channel_axis=axis, dtype=dtype, out=out, size=size, channels=channels
    )  # fmt: skip


def channels_call(shape, axis, weight, bias, stride, padding, dilation, groups, same_bits=False, wide=True):
    """What conv2d, depthwise_conv2d and pointwise_conv2d have in common; `same_bits`, `wide`: see `mixing.stage`.

    Returns
    -------
    tuple
        The kernel, the axis of the channels, the rows and columns of the result, and its channels.
    """
    stride, dilation, groups, corner, size = _geometry(shape, axis, weight.shape, stride, padding, dilation, groups)
    bias = checks.bias(bias, weight.shape[0])
    kernel = kept.get(_kernel, (weight, bias), stride, dilation, groups, corner, same_bits, wide)
    return kernel, axis, size, weight.shape[0]


def _geometry(shape, axis, weight, stride, padding, dilation, groups):
    """Checked steps and groups, the first row and column that are read, and the size of the result."""
    stride, dilation = checks.steps(stride, "stride"), checks.steps(dilation, "dilation")
    rows, columns, channels = checks.plane(shape, axis)
    groups = checks.groups(groups, channels, weight[0])
    checks.weight_channels(weight, "weight", weight[1] * groups, shape, channels)
    padding = checks.padding(padding)
    pads = shapes.conv_pads((rows, columns), weight[2:], stride, padding, dilation)
    size = shapes.conv_size((rows, columns), weight[2:], stride, padding, dilation)
    checks.not_empty(shape, (*size, weight[0]))
    return stride, dilation, groups, (pads[0][0], pads[1][0]), size


def taps_of(weight, dilation, groups):
    """The taps of a weight, row by row."""
    matrices = mixing.of_groups(weight, groups)
    return [
        (r * dilation[0], c * dilation[1], matrices[r, c])
        for r in range(weight.shape[2])
        for c in range(weight.shape[3])
    ]  # fmt: skip


def frame_of(weight, stride, dilation, corner):
    """The frame of the stage of a weight (made, taken, kH, kW)."""
    tall, wide = weight.shape[2:]
    rows, columns = dilation[0] * (tall - 1) + 1, dilation[1] * (wide - 1) + 1
    return {"rows": rows, "columns": columns, "top": corner[0], "left": corner[1], "stride": stride, "up": (1, 1)}


def _kernel(weight, bias, stride, dilation, groups, corner, same_bits, wide):
    frame = frame_of(weight, stride, dilation, corner)
    sets = [taps_of(weight, dilation, groups)]
    stage = mixing.stage(sets, bias, weight.shape[1] * groups, frame, same_bits, wide)
    (top, left), (rows, columns) = corner, (frame["rows"], frame["columns"])
    return Kernel(
        (stage,), halo=(top, rows - 1 - top, left, columns - 1 - left),
        reach=mixing.whole_reach(weight, bias), name=stage.loop,
    )  # fmt: skip
