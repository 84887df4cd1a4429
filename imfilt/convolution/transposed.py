"""Transposed convolution by phases: the exact adjoint of conv2d, and upsampling with any kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imfilt import shapes
from imfilt._engine import checks
from imfilt._engine.packed import kept
from imfilt._engine.plan import Kernel, Stage
from imfilt._engine.recall import recalled, shortcut
from imfilt.convolution import mixing
from imfilt.convolution.separable import taps
from imfilt.convolution.standard import apply_channels
from imfilt.separability import separate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


@shortcut
def conv_transpose2d(
    image: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, *, stride: int | tuple[int, int] = 1,
    padding: int | str | tuple = 0, output_padding: int | tuple[int, int] = 0,
    output_size: tuple[int, int] | None = None, dilation: int | tuple[int, int] = 1, groups: int = 1,
    mode: str = "constant", cval: float = 0.0, channel_axis: int | None = -1,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Transposed convolution: each pixel lays its kernel, weighted, onto a result `stride` times as large.

    The adjoint of `conv2d`: ``(conv2d(x, w) * y).sum() == (x * conv_transpose2d(y, w)).sum()`` for the
    same weight and options. It restores the shape that a strided convolution had, not its pixels: it
    is no deconvolution.

    Parameters
    ----------
    image : array-like
        (H, W), one channel; (H, W, C_in); or (N, H, W, C_in), N images. Not changed.
    weight : array-like
        (C_in, C_out / groups, kH, kW), as PyTorch and ONNX hold it.
    bias : array-like, optional
        (C_out,), added to each channel.
    stride : int or (rows, columns), optional
        Distance in the result of what neighbouring pixels lay there.
    padding : int, (rows, columns), ((top, bottom), (left, right)) or str, optional
        What is cut off the result at its borders: a number of pixels; "valid", none; "same", so that the result
        has H * stride rows (ONNX's SAME_UPPER); "same_lower", the odd pixel cut at the beginning; "full", all
        that "full" adds for `conv2d`.
    output_padding : int or (rows, columns), optional
        Rows and columns added at the end, below the stride or the dilation: several sizes of an image
        have results of the same size under `conv2d`.
    output_size : (rows, columns), optional
        Chooses `output_padding`.
    dilation : int or (rows, columns), optional
        Distance of neighbouring taps.
    groups : int, optional
        The channels are cut into so many groups, and each makes its own part of the result. groups=C_in with
        weights (C_in, 1, kH, kW) is depthwise.
    mode : str, optional
        What lies beyond the border of the image: "constant" with cval 0, nothing, as everywhere else; or
        "reflect", "mirror", "nearest", "wrap", pixels that lay their kernels too, so that an
        upsampled image does not fade at its border.
    cval : float, optional
        The constant of mode "constant".
    channel_axis, dtype, out
        As those of `conv2d`.

    Returns
    -------
    ndarray
        (H', W', C_out), with N before them for N images; (H', W') for a grey image and one channel.
        H' = (H - 1) * stride - top - bottom + dilation * (kH - 1) + 1 + output_padding.

    Raises
    ------
    TypeError, ValueError
        As `conv2d`.

    Notes
    -----
    Each of stride x stride phases of the result is a small dense convolution of the image: no zeros are
    put between pixels, and none is multiplied. A result whose stride does not divide the kernel's
    size has a checkerboard in it, since its phases have different numbers of taps.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> x = np.arange(4.0).reshape(2, 2)
    >>> imfilt.conv_transpose2d(x, np.ones((1, 1, 3, 3)), stride=2).shape
    (5, 5)
    >>> bilinear = np.outer([1, 3, 3, 1], [1, 3, 3, 1])[None, None] / 16
    >>> imfilt.conv_transpose2d(x, bilinear, stride=2, padding=1, mode="nearest")[0]
    array([0.  , 0.25, 0.75, 1.  ])
    """
    array, call = _call(
        image, (weight, bias), stride, padding, output_padding, output_size, dilation, groups, channel_axis
    )  # fmt: skip
    return apply_channels(call, array, mode, cval, dtype, out)


@recalled
def _call(image, arrays, stride, padding, output_padding, output_size, dilation, groups, axis):
    array, axis = checks.as_image(image, axis, True)
    weight, bias = arrays
    weights = checks.weight(weight, "weight", "(C_in, C_out / groups, kH, kW)")
    steps, distances = checks.steps(stride, "stride"), checks.steps(dilation, "dilation")
    *plane, channels = checks.plane(array.shape, axis)
    groups = checks.groups(groups, channels)
    checks.weight_channels(weights.shape, "weight", len(weights), array.shape, channels)
    made = weights.shape[1] * groups
    added = checks.bias(bias, made)
    pads, size = shapes.transpose_pads_and_size(
        tuple(plane), weights.shape[2:], steps, checks.padding(padding),
        checks.steps(output_padding, "output_padding", 0),
        None if output_size is None else checks.steps(output_size, "output_size", 0), distances,
    )  # fmt: skip
    checks.not_empty(array.shape, (*size, made))
    kernel = kept.get(_kernel, (weights, added), steps, distances, groups, (pads[0][0], pads[1][0]))
    return array, (kernel, axis, size, made)


def phases(count, stride, dilation, cut):
    """For each phase of one axis its taps: (tap, source pixel counted from that of the phase).

    Pixel q * stride + phase of the result, which was at q * stride + phase + cut before the cut, is under
    tap k of source pixel i where i * stride + k * dilation is that.
    """
    return [
        [
            (k, (phase + cut - k * dilation) // stride)
            for k in range(count - 1, -1, -1)
            if (phase + cut - k * dilation) % stride == 0
        ]
        for phase in range(stride)
    ]


def _kernel(weight, bias, stride, dilation, groups, cut):
    taken, made, tall, wide = weight.shape
    matrices = weight.reshape(groups, taken // groups, made, tall, wide).transpose(3, 4, 0, 1, 2)
    down, along = (
        phases(n, s, d, c) for n, s, d, c in zip((tall, wide), stride, dilation, cut, strict=True)
    )  # fmt: skip
    (first_row, rows), (first_column, columns) = map(_span, (down, along))
    sets = [
        [(i - first_row, j - first_column, matrices[r, c]) for r, i in below for c, j in beside]
        for below in down
        for beside in along
    ]  # fmt: skip
    frame = {"rows": rows, "columns": columns, "top": -first_row, "left": -first_column, "stride": (1, 1), "up": stride}
    is_dense = all(one and _span([one])[1] == len(one) for one in (*down, *along))
    factors = _one_for_all(weight) if bias is None and groups == taken and is_dense else None
    if factors is None:
        stage = mixing.stage(sets, bias, taken, frame)
    else:
        tables = [
            _table(one, places, first)
            for one, places, first in zip(factors, (down, along), (first_row, first_column), strict=True)
        ]
        stage = Stage("resample", tuple(taps(one.ravel()) for one in tables), **frame, work=(rows + columns) / 2)
    turned = (
        weight.reshape(groups, taken // groups, made, tall, wide)
        .swapaxes(1, 2)
        .reshape(-1, taken // groups, tall, wide)
    )
    halo = -first_row, rows - 1 + first_row, -first_column, columns - 1 + first_column  # pixels of the image
    return Kernel((stage,), halo=halo, reach=mixing.whole_reach(turned, bias), name=stage.loop)


def _one_for_all(weight):
    """The column and the row whose product each channel's only kernel is, exactly; None if there are none."""
    if weight.shape[1] > 1 or (weight != weight[:1]).any() or not weight[0].all():
        return None
    separation = separate(weight[0, 0])
    return (separation.columns[0], separation.rows[0]) if separation.exact and separation.rank == 1 else None


def _table(factor, phases, first):
    """For each phase the taps of one axis, from the first source pixel that any phase reads on."""
    table = np.zeros((len(phases), _span(phases)[1]))
    for row, found in zip(table, phases, strict=True):
        for k, i in found:
            row[i - first] = factor[k]
    return table


def _span(phases):
    """The first source pixel that any phase reads, and how many there are from it on."""
    pixels = [i for one in phases for _, i in one]
    return min(pixels), max(pixels) - min(pixels) + 1
