"""What a convolution will give and cost, before anything runs, from shapes alone.

Each function takes the shape of an image, (H, W), (H, W, C) or (N, H, W, C), and that of a
weight, and returns an `Operation`: the shape of the output, the pads, parameters,
multiplications, and which part of the input a pixel of the output sees.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import lcm, prod
from typing import NamedTuple

from imfilt._engine import checks

_SAME = ("same", "same_lower")
_HEADINGS = ("operation", "input", "output", "pads", "parameters", "MACs", "sees", "step")
_SIDES = "<<<<>><<"


class _Reads(NamedTuple):
    """Along one axis, output o reads the inputs i with i * up = o * down + offset + dilation * tap."""

    down: int
    up: int
    offset: int
    taps: int
    dilation: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One convolution, or a chain of them, on an image of a certain shape.

    Attributes
    ----------
    name : str
        The function that made it.
    input, output : tuple of int
        Shapes of the image and of the result. One channel out of an (H, W) image gives two
        dimensions; otherwise channels come last, and a batch is kept.
    pads : ((top, bottom), (left, right)) or None
        What is added around the input; for a transposed convolution, what is cropped from the
        output (added, where negative). None for a chain.
    parameters : int
        Numbers to be learned or chosen, bias included.
    macs : int
        Multiplications (each with an addition) for the whole batch. Taps that fall on the
        border are counted, as profilers do; a bias is not.
    reads : tuple of (rows, columns)
        Which inputs an output reads, from the first stage to the last.
    stages : tuple of Operation
        What a chain is made of; empty for a single convolution.

    Notes
    -----
    ``print(operation)`` shows all of it as a table, with a line for each stage.

    Examples
    --------
    >>> from imfilt import shapes
    >>> print(shapes.conv2d((5, 5), (1, 1, 3, 3), stride=2))
    operation  input  output  pads      parameters  MACs  sees  step
    conv2d     5x5    2x2     0+0, 0+0           9    36  3x3   2x2
    """

    name: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    pads: tuple[tuple[int, int], tuple[int, int]] | None
    parameters: int
    macs: int
    reads: tuple[tuple[_Reads, _Reads], ...] = field(repr=False)
    stages: "tuple[Operation, ...]" = field(default=(), repr=False)

    @property
    def receptive_field(self):
        """Rows and columns of the largest window of input pixels that an output pixel sees.

        The window reaches from the first pixel to the last, gaps of a dilation included, as
        if the image went on beyond its borders. Exact for chains too: pixels that meet only
        the zeros between the samples of a transposed convolution do not count. A transposed
        convolution sees windows of several sizes, in turn.
        """
        rows, columns = zip(*self.reads, strict=True)
        return _window(rows), _window(columns)

    @property
    def step(self):
        """Input pixels from one output pixel to the next, for rows and columns, as fractions."""
        rows, columns = zip(*self.reads, strict=True)
        return _step(rows), _step(columns)

    def __str__(self):
        lines = [_HEADINGS, *(one._cells() for one in (*self.stages, self))]
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(cells, _SIDES, widths, strict=True)).rstrip()
            for cells in lines
        )

    def _cells(self):
        pads = ", ".join(f"{before}+{after}" for before, after in self.pads or ())
        sizes = (self.input, self.output, self.receptive_field, self.step)
        shape, result, sees, step = ("x".join(map(str, size)) for size in sizes)
        return self.name, shape, result, pads, f"{self.parameters:,}", f"{self.macs:,}", sees, step


def _step(reads):
    return prod((Fraction(one.down, one.up) for one in reads), start=Fraction(1))


def _window(reads):
    # Outputs that are this many apart read the same pattern, moved by whole pixels.
    period = lcm(*(_step(reads[first:]).denominator for first in range(len(reads))))
    longest = 0
    for output in range(period):
        seen = {output}
        for one in reversed(reads):
            seen = _sources(seen, one)
        if seen:
            longest = max(longest, max(seen) - min(seen) + 1)
    return longest


def _sources(outputs, reads):
    """The inputs that some outputs read."""
    down, up, offset, taps, dilation = reads
    places = {output * down + offset for output in outputs}
    reached = 1
    while reached < taps:  # doubled, since a Gaussian may have thousands of taps
        more = min(reached, taps - reached)
        places |= {place + more * dilation for place in places}
        reached += more
    return {place // up for place in places if place % up == 0}


def _fixed_pads(kernel, padding, dilation):
    """Pads that do not depend on the image."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "full":
        return tuple((d * (k - 1),) * 2 for k, d in zip(kernel, dilation, strict=True))
    return padding


def _halves(total, padding):
    """Both sides of `total`; what a kernel shorter than its stride leaves out is at the end, as in the convolution."""
    if total < 0:
        return 0, total
    before = total // 2 if padding == "same" else total - total // 2
    return before, total - before


def conv_pads(size, kernel, stride, padding, dilation):
    """Rows and columns to add around the input of a convolution.

    Parameters
    ----------
    size, kernel, stride, dilation : (rows, columns)
        Whole numbers.
    padding : str or ((top, bottom), (left, right))
        ``"valid"``: none. ``"full"``: all that touch the image. ``"same"``: as many as give
        ceil(size / stride) outputs, the odd one after the image, as TensorFlow's SAME and
        ONNX's SAME_UPPER; ``"same_lower"``: the odd one before it.

    Returns
    -------
    ((top, bottom), (left, right))

    Examples
    --------
    >>> from imfilt import shapes
    >>> shapes.conv_pads((6, 5), (3, 3), (2, 2), "same", (1, 1))
    ((0, 1), (1, 1))
    """
    if padding not in _SAME:
        return _fixed_pads(kernel, padding, dilation)
    return tuple(
        _halves(max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0), padding)
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
    )


def conv_size(size, kernel, stride, pads, dilation):
    """Rows and columns of the output of a convolution.

    Parameters
    ----------
    size, kernel, stride, dilation : (rows, columns)
        Whole numbers.
    pads : ((top, bottom), (left, right)) or str
        Pads, or a padding as `conv_pads` takes it.

    Returns
    -------
    (rows, columns)

    Raises
    ------
    ValueError
        If the dilated kernel is larger than the padded image. With ``"same"`` and
        ``"same_lower"`` it never is, and an empty image has an empty output.

    Examples
    --------
    >>> from imfilt import shapes
    >>> shapes.conv_size((5, 5), (3, 3), (2, 2), "valid", (1, 1))
    (2, 2)
    """
    if pads in _SAME:
        return tuple(-(-n // s) for n, s in zip(size, stride, strict=True))
    padded = tuple(n + sum(sides) for n, sides in zip(size, _fixed_pads(kernel, pads, dilation), strict=True))
    checks.kernel_fits(kernel, dilation, padded)
    return tuple((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(padded, kernel, stride, dilation, strict=True))


def transpose_pads_and_size(size, kernel, stride, padding, output_padding, output_size, dilation):
    """What a transposed convolution crops from its output, and the rows and columns that are left.

    Parameters
    ----------
    size, kernel, stride, dilation : (rows, columns)
        Whole numbers.
    padding : str or ((top, bottom), (left, right))
        The padding of the convolution that is transposed: ``"valid"`` crops nothing,
        ``"full"`` all that the taps reach beyond the first and last sample. ``"same"`` and
        ``"same_lower"`` leave size * stride, as ONNX's SAME_UPPER and SAME_LOWER.
    output_padding : (rows, columns)
        Added at the bottom and at the right, since a stride gives several sizes of input the same size
        of output. Less than the stride, or less than the dilation.
    output_size : (rows, columns) or None
        Chooses `output_padding`. With ``"same"`` and ``"same_lower"``: any size of which a
        strided convolution would give `size`.

    Returns
    -------
    pads : ((top, bottom), (left, right))
        Negative where ``"same"`` adds rows or columns, which no tap reaches, instead of cropping.
    size : (rows, columns)
        Zero where `size` is.

    Raises
    ------
    ValueError
        If `output_padding` or `output_size` is out of range, both are given, or nothing is left.

    Notes
    -----
    Negative pads, from a kernel that is shorter than the stride, are all at the end, so that it stays the adjoint
    of the convolution: TensorFlow's rule. ONNX's reference implementation halves them.

    Examples
    --------
    >>> from imfilt import shapes
    >>> shapes.transpose_pads_and_size((2, 2), (3, 3), (2, 2), ((0, 0), (0, 0)), (0, 0), (6, 5), (1, 1))
    (((0, 0), (0, 0)), (6, 5))
    """
    checks.output_padding(output_padding, stride, dilation)
    pads = (None, None) if padding in _SAME else _fixed_pads(kernel, padding, dilation)
    axes = tuple(zip(size, kernel, stride, dilation, output_padding, strict=True))
    least, result, most = zip(
        *(_transposed_sizes(*axis, sides) for axis, sides in zip(axes, pads, strict=True)), strict=True
    )
    if output_size is not None:
        checks.output_size(output_size, least, most, output_padding)
        result = output_size
    if padding in _SAME:
        pads = tuple(
            _halves((n - 1) * s + d * (k - 1) + 1 + added - out, padding)
            for (n, k, s, d, added), out in zip(axes, result, strict=True)
        )
    checks.something_left(size, result, pads)
    return pads, result


def _transposed_sizes(n, kernel, stride, dilation, added, sides):
    """The least, the usual and the largest size of an output along one axis; `sides` is None for "same"."""
    if n == 0:
        return 0, 0, 0
    if sides is None:
        return (n - 1) * stride + 1, n * stride, n * stride
    least = (n - 1) * stride + dilation * (kernel - 1) + 1 - sum(sides)
    return least, least + added, least + max(stride, dilation) - 1


def _channels(shape):
    return 1 if len(shape) == 2 else shape[-1]


def _size(shape):
    return shape[:2] if len(shape) == 2 else shape[-3:-1]


def _result(shape, size, channels):
    return size if len(shape) == 2 and channels == 1 else (*shape[:-3], *size, channels)


def _convolution(name, shape, weight, outputs, bias, stride=(1, 1), padding="valid", dilation=(1, 1)):
    """A convolution of `outputs` channels, whose weight ends in (..., kH, kW)."""
    kernel, size = weight[-2:], _size(shape)
    pads = conv_pads(size, kernel, stride, padding, dilation)
    output = _result(shape, conv_size(size, kernel, stride, padding, dilation), outputs)
    # Each pixel of the output, of all channels together, meets the whole weight once.
    macs = prod(shape[:-3]) * prod(_size(output)) * prod(weight)
    reads = _conv_reads(stride, pads, kernel, dilation)
    return Operation(name, shape, output, pads, prod(weight) + bool(bias) * outputs, macs, reads)


def _conv_reads(stride, pads, kernel, dilation):
    axes = zip(stride, pads, kernel, dilation, strict=True)
    return (tuple(_Reads(s, 1, -before, k, d) for s, (before, _), k, d in axes),)


def _transposed_reads(stride, pads, kernel, dilation):
    axes = zip(stride, pads, kernel, dilation, strict=True)
    return (tuple(_Reads(1, s, before, k, -d) for s, (before, _), k, d in axes),)


def _steps(stride, padding, dilation):
    return checks.steps(stride, "stride"), checks.padding(padding), checks.steps(dilation, "dilation")


def conv2d(shape, weight, *, bias=False, stride=1, padding=0, dilation=1, groups=1):
    """A convolution: every channel of the output is made from all channels of its group.

    Parameters
    ----------
    shape : tuple of int
        Of the image: (H, W), (H, W, C) or (N, H, W, C).
    weight : tuple of int
        (C_out, C_in/groups, kH, kW).
    bias : bool
        Whether a number is added to each channel of the output.
    stride : int or (rows, columns)
        Input pixels from one output pixel to the next.
    padding : int, (rows, columns), ((top, bottom), (left, right)) or str
        ``"valid"``, ``"same"``, ``"same_lower"`` or ``"full"``: see `conv_pads`.
    dilation : int or (rows, columns)
        Input pixels from one tap to the next.
    groups : int
        Groups of channels, each convolved by itself.

    Returns
    -------
    Operation

    Raises
    ------
    ValueError, TypeError
        If an argument is not as above, the channels do not fit, or the dilated kernel is larger
        than the padded image.

    Examples
    --------
    >>> from imfilt import shapes
    >>> standard = shapes.conv2d((224, 224, 16), (32, 16, 3, 3), padding="same")
    >>> standard.output, standard.parameters
    ((224, 224, 32), 4608)
    >>> shapes.conv2d((9, 9), (1, 1, 3, 3), dilation=2).receptive_field
    (5, 5)
    """
    shape = checks.image_shape(shape)
    weight = checks.weight_shape(weight, "weight", "(C_out, C_in/groups, kH, kW)")
    groups = checks.groups(groups, _channels(shape), weight[0])
    checks.weight_channels(weight, "weight", weight[1] * groups, shape, _channels(shape))
    return _convolution("conv2d", shape, weight, weight[0], bias, *_steps(stride, padding, dilation))


def depthwise_conv2d(shape, weight, *, bias=False, stride=1, padding=0, dilation=1):
    """A convolution of each channel by itself.

    Parameters
    ----------
    shape : tuple of int
        Of the image: (H, W), (H, W, C) or (N, H, W, C).
    weight : tuple of int
        (C, kH, kW), or (C, M, kH, kW) for M channels out of each one.
    bias, stride, padding, dilation
        As for `conv2d`.

    Returns
    -------
    Operation

    Raises
    ------
    ValueError, TypeError
        As `conv2d`.

    Examples
    --------
    >>> from imfilt import shapes
    >>> shapes.depthwise_conv2d((6, 6, 16), (16, 3, 3)).output
    (4, 4, 16)
    """
    return _depthwise(shape, weight, "weight", bias, stride, padding, dilation)


def _depthwise(shape, weight, argument, bias, stride, padding, dilation):
    shape = checks.image_shape(shape)
    weight = checks.weight_shape(weight, argument, "(C, kH, kW)", "(C, M, kH, kW)")
    checks.weight_channels(weight, argument, weight[0], shape, _channels(shape))
    return _convolution("depthwise_conv2d", shape, weight, prod(weight[:-2]), bias, *_steps(stride, padding, dilation))


def pointwise_conv2d(shape, weight, *, bias=False):
    """A 1x1 convolution: the channels of each pixel are mixed.

    Parameters
    ----------
    shape : tuple of int
        Of the image: (H, W), (H, W, C) or (N, H, W, C).
    weight : tuple of int
        (C_out, C_in).
    bias : bool
        As for `conv2d`.

    Returns
    -------
    Operation

    Raises
    ------
    ValueError, TypeError
        As `conv2d`.

    Examples
    --------
    >>> from imfilt import shapes
    >>> shapes.pointwise_conv2d((6, 6, 16), (32, 16)).macs
    18432
    """
    return _pointwise(shape, weight, "weight", bias)


def _pointwise(shape, weight, argument, bias):
    shape = checks.image_shape(shape)
    weight = checks.weight_shape(weight, argument, "(C_out, C_in)")
    checks.weight_channels(weight, argument, weight[1], shape, _channels(shape))
    return _convolution("pointwise_conv2d", shape, (*weight, 1, 1), weight[0], bias)


def depthwise_separable_conv2d(shape, depthwise, pointwise, *, bias=False, stride=1, padding=0, dilation=1):
    """A depthwise convolution, then a pointwise one that mixes the channels.

    Parameters
    ----------
    shape : tuple of int
        Of the image: (H, W), (H, W, C) or (N, H, W, C).
    depthwise : tuple of int
        (C, kH, kW), or (C, M, kH, kW) for M channels out of each one.
    pointwise : tuple of int
        (C_out, C*M).
    bias : bool
        Whether the pointwise convolution adds a number to each channel.
    stride, padding, dilation
        Of the depthwise convolution, as for `conv2d`.

    Returns
    -------
    Operation
        With the two as its stages.

    Raises
    ------
    ValueError, TypeError
        As `conv2d`.

    Examples
    --------
    >>> from imfilt import shapes
    >>> shapes.depthwise_separable_conv2d((224, 224, 16), (16, 3, 3), (32, 16), padding="same").parameters
    656
    """
    first = _depthwise(shape, depthwise, "depthwise", False, stride, padding, dilation)
    second = _pointwise(first.output, pointwise, "pointwise", bias)
    output = _result(first.input, _size(second.output), _channels(second.output))
    both = _chain("depthwise_separable_conv2d", (first, second))
    return replace(both, output=output, pads=first.pads)


def conv_transpose2d(
    shape, weight, *, bias=False, stride=1, padding=0, output_padding=0, output_size=None, dilation=1, groups=1
):
    """A transposed convolution: every pixel of the input adds its multiple of the kernel to the output.

    Parameters
    ----------
    shape : tuple of int
        Of the image: (H, W), (H, W, C) or (N, H, W, C).
    weight : tuple of int
        (C_in, C_out/groups, kH, kW).
    bias : bool
        Whether a number is added to each channel of the output.
    stride : int or (rows, columns)
        Output pixels from one input pixel to the next.
    padding : int, (rows, columns), ((top, bottom), (left, right)) or str
        Cropped from the output, see `transpose_pads_and_size`.
    output_padding : int or (rows, columns)
        Added at the bottom and at the right. Less than the stride, or less than the dilation.
    output_size : int or (rows, columns), optional
        Chooses `output_padding`.
    dilation : int or (rows, columns)
        Output pixels from one tap to the next.
    groups : int
        Groups of channels, each convolved by itself.

    Returns
    -------
    Operation

    Raises
    ------
    ValueError, TypeError
        If an argument is not as above, the channels do not fit, or nothing of the output is left.

    Notes
    -----
    The definition is PyTorch's. It undoes the shape of a convolution (`output_size` says which of
    several), not the convolution itself.

    Examples
    --------
    >>> from imfilt import shapes
    >>> down = shapes.conv2d((5, 5), (1, 1, 3, 3), stride=2)
    >>> up = shapes.conv_transpose2d(down.output, (1, 1, 3, 3), stride=2)
    >>> down.output, up.output
    ((2, 2), (5, 5))
    """
    shape = checks.image_shape(shape)
    weight = checks.weight_shape(weight, "weight", "(C_in, C_out/groups, kH, kW)")
    checks.weight_channels(weight, "weight", weight[0], shape, _channels(shape))
    groups = checks.groups(groups, weight[0])
    stride, padding, dilation = _steps(stride, padding, dilation)
    kernel, outputs = weight[2:], weight[1] * groups
    added = checks.steps(output_padding, "output_padding", 0)
    wanted = None if output_size is None else checks.steps(output_size, "output_size", 0)
    pads, size = transpose_pads_and_size(_size(shape), kernel, stride, padding, added, wanted, dilation)
    output = _result(shape, size, outputs)
    # Each pixel of the input, of all channels together, meets the whole weight once.
    macs = prod(shape[:-3]) * prod(_size(shape)) * prod(weight)
    reads = _transposed_reads(stride, pads, kernel, dilation)
    return Operation("conv_transpose2d", shape, output, pads, prod(weight) + bool(bias) * outputs, macs, reads)


def separable(shape, column, row, *, stride=1, dilation=1):
    """A column of taps, then a row of taps, on every channel: the same kernel in fewer multiplications.

    Parameters
    ----------
    shape : tuple of int
        Of the image: (H, W), (H, W, C) or (N, H, W, C).
    column, row : int
        Numbers of taps.
    stride : int or (rows, columns)
        The output has ceil(size / stride) rows and columns.
    dilation : int or (rows, columns)
        Input pixels from one tap to the next.

    Returns
    -------
    Operation
        Its pads put the middle tap (of an even number: the one after the middle, as SciPy does)
        on the pixel itself.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as above.

    Notes
    -----
    The column is counted for the rows that the stride keeps, in all columns; then the row.

    Examples
    --------
    >>> from imfilt import shapes
    >>> blur = shapes.separable((400, 600, 3), 9, 9)
    >>> blur.macs // (400 * 600 * 3), blur.parameters
    (18, 18)
    """
    shape = checks.image_shape(shape)
    kernel = checks.at_least(column, "column", 1), checks.at_least(row, "row", 1)
    stride, dilation = checks.steps(stride, "stride"), checks.steps(dilation, "dilation")
    size, channels = _size(shape), _channels(shape)
    rows, columns = conv_size(size, kernel, stride, "same", dilation)
    pads = _centred_pads(kernel, dilation)
    macs = prod(shape[:-3]) * channels * rows * (size[1] * kernel[0] + columns * kernel[1])
    reads = _conv_reads(stride, pads, kernel, dilation)
    return Operation("separable", shape, _result(shape, (rows, columns), channels), pads, sum(kernel), macs, reads)


def _centred_pads(kernel, dilation):
    return tuple((d * (k // 2), d * (k - 1 - k // 2)) for k, d in zip(kernel, dilation, strict=True))


def chain(shape, *functions):
    """Convolutions one after the other.

    Parameters
    ----------
    shape : tuple of int
        Of the image: (H, W), (H, W, C) or (N, H, W, C).
    *functions : callable
        Each is given the shape that the one before it puts out, and returns an `Operation` on it.

    Returns
    -------
    Operation
        Parameters and multiplications are the sums; the receptive field and the step are seen
        from the last output to the first input.

    Raises
    ------
    ValueError, TypeError
        If a function does not return an operation on the shape that it was given.

    Examples
    --------
    256 channels into 512, squeezed to 64 first:

    >>> from imfilt import shapes
    >>> print(
    ...     shapes.chain(
    ...         (14, 14, 256),
    ...         lambda shape: shapes.pointwise_conv2d(shape, (64, 256)),
    ...         lambda shape: shapes.conv2d(shape, (512, 64, 3, 3), padding="same"),
    ...     )
    ... )
    operation         input      output     pads      parameters        MACs  sees  step
    pointwise_conv2d  14x14x256  14x14x64   0+0, 0+0      16,384   3,211,264  1x1   1x1
    conv2d            14x14x64   14x14x512  1+1, 1+1     294,912  57,802,752  3x3   1x1
    chain             14x14x256  14x14x512               311,296  61,014,016  3x3   1x1
    """
    shape = checks.image_shape(shape)
    checks.functions(functions)
    stages = []
    for function in functions:
        stage = function(shape)
        checks.stage(stage, Operation, function, shape)
        stages.append(stage)
        shape = stage.output
    return _chain("chain", tuple(stages))


def _chain(name, stages):
    parameters, macs = sum(stage.parameters for stage in stages), sum(stage.macs for stage in stages)
    reads = tuple(one for stage in stages for one in stage.reads)
    return Operation(name, stages[0].input, stages[-1].output, None, parameters, macs, reads, stages)
