"""Shapes, pads, counts and receptive fields, against PyTorch, ONNX, TensorFlow's formula and brute force."""

import pickle
import random
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from imfilt.shapes import (
    chain,
    conv2d,
    conv_pads,
    conv_size,
    conv_transpose2d,
    depthwise_conv2d,
    depthwise_separable_conv2d,
    pointwise_conv2d,
    separable,
    transpose_pads_and_size,
)

SAMES = ("same", "same_lower")


def some(rng, low, high):
    """Two whole numbers, for rows and columns."""
    return rng.randint(low, high), rng.randint(low, high)


def image(rng, channels):
    """A shape, and the same as PyTorch orders it."""
    n, size = rng.randint(0, 3), some(rng, 1, 20)
    choices = [((*size, channels), (1, channels, *size)), ((n, *size, channels), (n, channels, *size))]
    if channels == 1:
        choices.append((size, (1, 1, *size)))
    return rng.choice(choices)


def or_none(call, *args, **options):
    """What PyTorch returns, or None where it refuses."""
    try:
        return call(*args, **options)
    except RuntimeError:
        return None


def same_shape(operation, expected):
    """Whether an output is what PyTorch gave, a tensor (N, C, H, W)."""
    n, channels, *size = expected.shape
    output = operation.output
    if len(output) == 2:
        return output == tuple(size) and n == channels == 1 and len(operation.input) == 2
    front = (n,) if len(operation.input) == 4 else ()
    return output == (*front, *size, channels) and not (len(operation.input) == 2 and channels == 1)


# The examples of the articles on kinds of convolutions.


def test_a_stride_of_two_halves_and_its_transpose_gives_back():
    down = conv2d((5, 5), (1, 1, 3, 3), stride=2)
    up = conv_transpose2d(down.output, (1, 1, 3, 3), stride=2)
    assert (down.output, up.output) == ((2, 2), (5, 5))
    assert (down.parameters, down.macs, up.macs) == (9, 36, 36)
    assert down.pads == up.pads == ((0, 0), (0, 0))
    assert (down.step, up.step) == ((2, 2), (Fraction(1, 2), Fraction(1, 2)))


def test_a_dilation_of_two_sees_five_by_five_with_nine_parameters():
    dilated = conv2d((9, 9), (1, 1, 3, 3), dilation=2)
    assert (dilated.receptive_field, dilated.parameters, dilated.output) == ((5, 5), 9, (5, 5))


def test_depthwise_separable_needs_656_parameters_where_standard_needs_4608():
    standard = conv2d((10, 12, 16), (32, 16, 3, 3), padding="same")
    cheap = depthwise_separable_conv2d((10, 12, 16), (16, 3, 3), (32, 16), padding="same")
    assert (standard.parameters, cheap.parameters) == (4608, 656)
    assert (standard.macs, cheap.macs) == (4608 * 120, 656 * 120)
    assert standard.output == cheap.output == (10, 12, 32)
    assert cheap.pads == ((1, 1), (1, 1))
    assert cheap.receptive_field == (3, 3)
    assert [stage.name for stage in cheap.stages] == ["depthwise_conv2d", "pointwise_conv2d"]


def test_a_squeeze_before_saves_parameters():
    plain = conv2d((14, 14, 256), (512, 256, 3, 3), padding=1)
    squeezed = chain(
        (14, 14, 256), partial(pointwise_conv2d, weight=(64, 256)), partial(conv2d, weight=(512, 64, 3, 3), padding=1)
    )
    assert (plain.parameters, squeezed.parameters) == (1_179_648, 311_296)
    assert plain.output == squeezed.output == (14, 14, 512)
    assert squeezed.macs == 311_296 * 14 * 14
    assert squeezed.pads is None


def test_depthwise_keeps_the_channels():
    assert depthwise_conv2d((6, 6, 16), (16, 3, 3)).output == (4, 4, 16)
    assert depthwise_conv2d((6, 6, 16), (16, 2, 3, 3)).output == (4, 4, 32)


# Shapes and counts, against PyTorch.


def test_conv2d_has_the_shape_that_pytorch_gives():
    torch = pytest.importorskip("torch")
    rng = random.Random(1)
    refused = 0
    for _ in range(1000):
        groups = rng.randint(1, 3)
        inputs, outputs = groups * rng.randint(1, 2), groups * rng.randint(1, 2)
        shape, theirs = image(rng, inputs)
        weight = (outputs, inputs // groups, *some(rng, 1, 6))
        stride, padding, dilation = some(rng, 1, 4), some(rng, 0, 4), some(rng, 1, 3)
        arrays = torch.empty(theirs, device="meta"), torch.empty(weight, device="meta")
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        expected = or_none(torch.nn.functional.conv2d, *arrays, **options)
        if expected is None:
            refused += 1
            with pytest.raises(ValueError, match="but the padded image has only"):
                conv2d(shape, weight, **options)
        else:
            assert same_shape(conv2d(shape, weight, **options), expected), (shape, weight, options)
    assert 20 < refused < 300


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_same_without_a_stride_is_pytorchs():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    rng = random.Random(2)
    for _ in range(30):
        size, kernel, dilation = some(rng, 1, 9), some(rng, 1, 5), some(rng, 1, 3)
        operation = conv2d(size, (1, 1, *kernel), padding="same", dilation=dilation)
        (top, bottom), (left, right) = operation.pads
        x, w = torch.randn(1, 1, *size, dtype=torch.float64), torch.randn(1, 1, *kernel, dtype=torch.float64)
        padded = functional.conv2d(functional.pad(x, (left, right, top, bottom)), w, dilation=dilation)
        expected = functional.conv2d(x, w, padding="same", dilation=dilation)
        assert torch.allclose(padded, expected, atol=1e-12), (size, kernel, dilation)
        assert operation.output == size


def test_conv_transpose2d_has_the_shape_that_pytorch_gives():
    torch = pytest.importorskip("torch")
    rng = random.Random(3)
    refused = 0
    for _ in range(1000):
        groups = rng.randint(1, 3)
        inputs = groups * rng.randint(1, 2)
        shape, theirs = image(rng, inputs)
        weight = (inputs, rng.randint(1, 2), *some(rng, 1, 6))
        stride, padding, dilation = some(rng, 1, 4), some(rng, 0, 4), some(rng, 1, 3)
        added = tuple(rng.randrange(max(both)) for both in zip(stride, dilation, strict=True))
        arrays = torch.empty(theirs, device="meta"), torch.empty(weight, device="meta")
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        options["output_padding"] = added
        expected = or_none(torch.nn.functional.conv_transpose2d, *arrays, **options)
        if expected is None or 0 in expected.shape[2:]:  # empty: on other devices PyTorch refuses that, too
            refused += 1
            with pytest.raises(ValueError, match="crops everything"):
                conv_transpose2d(shape, weight, **options)
            continue
        assert same_shape(conv_transpose2d(shape, weight, **options), expected), (shape, weight, options)
        del options["output_padding"]
        wanted = tuple(expected.shape[2:])
        assert same_shape(conv_transpose2d(shape, weight, output_size=wanted, **options), expected)
    assert 20 < refused < 300


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (1, 3), (3, 1), (2, 3)])
def test_output_padding_is_refused_where_pytorch_refuses_it(stride, dilation):
    torch = pytest.importorskip("torch")
    for added in range(5):
        call = partial(
            torch.nn.functional.conv_transpose2d, torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3),
            stride=stride, dilation=dilation, output_padding=added,
        )  # fmt: skip
        ours = partial(conv_transpose2d, (4, 4), (1, 1, 3, 3), stride=stride, dilation=dilation, output_padding=added)
        if added < max(stride, dilation):
            assert same_shape(ours(), call())
        else:
            with pytest.raises(RuntimeError, match="must be smaller than either stride or dilation"):
                call()
            with pytest.raises(ValueError, match="output_padding must be smaller than stride"):
                ours()


def test_multiplications_are_those_that_pytorchs_profiler_counts():
    torch = pytest.importorskip("torch")
    counter = pytest.importorskip("torch.utils.flop_counter").FlopCounterMode
    rng = random.Random(4)
    for _ in range(60):
        groups = rng.randint(1, 3)
        inputs, outputs = groups * rng.randint(1, 2), groups * rng.randint(1, 2)
        shape, theirs = image(rng, inputs)
        kernel, stride, transposed = some(rng, 1, 4), some(rng, 1, 3), rng.random() < 0.5
        pair = (inputs, outputs // groups) if transposed else (outputs, inputs // groups)
        ours = conv_transpose2d if transposed else conv2d
        call = getattr(torch.nn.functional, ours.__name__)
        arrays = torch.empty(theirs, device="meta"), torch.empty((*pair, *kernel), device="meta")
        padding = 0 if transposed else 2
        with counter(display=False) as counted:
            call(*arrays, stride=stride, padding=padding, groups=groups)
        operation = ours(shape, (*pair, *kernel), stride=stride, padding=padding, groups=groups)
        assert 2 * operation.macs == counted.get_total_flops()
        assert operation.parameters == arrays[1].numel()


def test_depthwise_and_pointwise_are_special_cases():
    options = {"stride": (2, 1), "padding": ((0, 1), (2, 1)), "dilation": (1, 2), "bias": True}
    one = depthwise_conv2d((2, 9, 8, 4), (4, 3, 3, 2), **options)
    other = conv2d((2, 9, 8, 4), (12, 1, 3, 2), groups=4, **options)
    for name in ("output", "pads", "parameters", "macs", "receptive_field", "step"):
        assert getattr(one, name) == getattr(other, name), name
    one, other = pointwise_conv2d((2, 9, 8, 4), (6, 4), bias=True), conv2d((2, 9, 8, 4), (6, 4, 1, 1), bias=True)
    assert (one.output, one.parameters, one.macs) == (other.output, other.parameters, other.macs)
    assert one.parameters == 30


def test_a_bias_is_a_number_for_each_channel_of_the_output():
    assert conv2d((5, 5, 4), (6, 2, 3, 3), groups=2, bias=True).parameters == 6 * 2 * 9 + 6
    assert conv_transpose2d((5, 5, 4), (4, 3, 3, 3), groups=2, bias=True).parameters == 4 * 3 * 9 + 6
    assert depthwise_separable_conv2d((5, 5, 4), (4, 3, 3), (7, 4), bias=True).parameters == 36 + 28 + 7


def test_a_flat_image_stays_flat_with_one_channel_out():
    assert conv2d((5, 6), (2, 1, 3, 3)).output == (3, 4, 2)
    assert conv2d((5, 6, 1), (1, 1, 3, 3)).output == (3, 4, 1)
    assert depthwise_separable_conv2d((5, 6), (1, 2, 3, 3), (1, 2)).output == (3, 4)
    assert depthwise_separable_conv2d((5, 6), (1, 2, 3, 3), (3, 2)).output == (3, 4, 3)


# Pads.


def test_same_is_the_formula_that_tensorflow_documents():
    rng = random.Random(5)
    for _ in range(500):
        n, k, s, d = rng.randint(1, 20), rng.randint(1, 6), rng.randint(1, 5), rng.randint(1, 3)
        extent = (k - 1) * d + 1
        total = max(extent - s, 0) if n % s == 0 else max(extent - n % s, 0)
        axes = (n, n), (k, k), (s, s)
        assert conv_pads(*axes, "same", (d, d)) == ((total // 2, total - total // 2),) * 2
        assert conv_pads(*axes, "same_lower", (d, d)) == ((total - total // 2, total // 2),) * 2
        for padding in SAMES:
            pads = conv_pads(*axes, padding, (d, d))
            size = conv_size(*axes, padding, (d, d))
            assert size == ((n + s - 1) // s,) * 2
            assert conv_size(*axes, pads, (d, d)) == size


def test_valid_and_full():
    axes = (7, 9), (3, 2), (1, 1)
    assert conv_pads(*axes, "valid", (2, 3)) == ((0, 0), (0, 0))
    assert conv_pads(*axes, "full", (2, 3)) == ((4, 4), (3, 3))
    assert conv_size(*axes, "full", (2, 3)) == (11, 12)
    assert conv_pads(*axes, ((1, 2), (3, 4)), (2, 3)) == ((1, 2), (3, 4))


def onnx_run(operator, x, w, **attributes):
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    names = {"X": x.shape, "W": w.shape, "Y": None}
    values = {
        name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in names.items()
    }
    node = onnx.helper.make_node(operator, ["X", "W"], ["Y"], kernel_shape=w.shape[2:], **attributes)
    graph = onnx.helper.make_graph([node], "one", [values["X"], values["W"]], [values["Y"]])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 22)])
    return reference.ReferenceEvaluator(model).run(None, {"X": x, "W": w})[0][0, 0]


def first_tap(kernel):
    """A weight that is one at its first tap: the result shows where the kernel was put."""
    weight = np.zeros((1, 1, *kernel), np.float32)
    weight[..., 0, 0] = 1
    return weight


@pytest.mark.parametrize("padding", SAMES)
def test_same_of_a_convolution_is_onnx(padding):
    rng = random.Random(6)
    for _ in range(20):
        size, kernel, stride, dilation = some(rng, 2, 9), some(rng, 1, 5), some(rng, 1, 4), some(rng, 1, 2)
        x = np.arange(1, 1 + size[0] * size[1], dtype=np.float32).reshape(1, 1, *size)
        auto_pad = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER"}[padding]
        result = onnx_run("Conv", x, first_tap(kernel), auto_pad=auto_pad, strides=stride, dilations=dilation)
        operation = conv2d(size, (1, 1, *kernel), stride=stride, padding=padding, dilation=dilation)
        assert result.shape == operation.output
        (top, bottom), (left, right) = operation.pads
        padded = np.pad(x[0, 0], ((top, bottom), (left, right)))
        placed = padded[:: stride[0], :: stride[1]][: result.shape[0], : result.shape[1]]
        np.testing.assert_array_equal(result, placed)


@pytest.mark.parametrize("padding", SAMES)
def test_same_of_a_transposed_convolution_is_onnx(padding):
    """Where the kernel is as long as the stride; below, it is the adjoint (see the next but one)."""
    rng = random.Random(7)
    compared = 0
    while compared < 20:
        size, kernel, stride, dilation = some(rng, 1, 5), some(rng, 1, 4), some(rng, 1, 4), some(rng, 1, 2)
        if any(d * (k - 1) + 1 < s for k, s, d in zip(kernel, stride, dilation, strict=True)):
            continue
        compared += 1
        x = np.arange(1, 1 + size[0] * size[1], dtype=np.float32).reshape(1, 1, *size)
        auto_pad = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER"}[padding]
        result = onnx_run("ConvTranspose", x, first_tap(kernel), auto_pad=auto_pad, strides=stride, dilations=dilation)
        operation = conv_transpose2d(size, (1, 1, *kernel), stride=stride, padding=padding, dilation=dilation)
        assert result.shape == operation.output == tuple(n * s for n, s in zip(size, stride, strict=True))
        expected = np.zeros_like(result)
        (top, _), (left, _) = operation.pads
        for row, column in np.ndindex(size):
            y, x_ = row * stride[0] - top, column * stride[1] - left
            if 0 <= y < result.shape[0] and 0 <= x_ < result.shape[1]:
                expected[y, x_] = x[0, 0, row, column]
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("padding", SAMES)
def test_output_padding_of_same_is_onnx(padding):
    """The output stays as large; what is added is cropped, in ONNX's shares."""
    args = (4, 4), (3, 3), (2, 2), padding, (1, 1), None, (1, 1)
    assert transpose_pads_and_size(*args) == (((1, 1), (1, 1)), (8, 8))
    x = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
    auto_pad = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER"}[padding]
    result = onnx_run(
        "ConvTranspose", x, first_tap((3, 3)), auto_pad=auto_pad, strides=(2, 2), output_padding=(1, 1)
    )  # fmt: skip
    assert result.shape == (8, 8)
    np.testing.assert_array_equal(result[1::2, 1::2][:3, :3], x[0, 0, 1:, 1:])


def test_a_transposed_convolution_gives_back_every_size():
    """For any convolution, its transpose with output_size has the size and the pads that it came from."""
    rng = random.Random(8)
    for _ in range(500):
        size, kernel, stride, dilation = some(rng, 1, 20), some(rng, 1, 5), some(rng, 1, 4), some(rng, 1, 3)
        padding = rng.choice(["valid", "full", *SAMES, (some(rng, 0, 3), some(rng, 0, 3))])
        try:
            small = conv_size(size, kernel, stride, padding, dilation)
        except ValueError:
            continue
        pads, back = transpose_pads_and_size(small, kernel, stride, padding, (0, 0), size, dilation)
        assert back == size
        before = conv_pads(size, kernel, stride, padding, dilation)
        # Where the stride leaves pixels out at the end, rows that no tap reaches stand for them.
        assert all(p == q or (p[0] == q[0] == q[1] == 0 > p[1]) for p, q in zip(pads, before, strict=True))


@pytest.mark.parametrize("padding", SAMES)
def test_output_size_of_same_may_be_any_that_a_stride_makes_the_same_of(padding):
    for n in range(30):
        call = partial(conv_transpose2d, (4, 4), (1, 1, 5, 5), stride=4, padding=padding, output_size=n)
        if conv_size((n, n), (5, 5), (4, 4), padding, (1, 1)) == (4, 4):
            assert call().output == (n, n)
        else:
            with pytest.raises(ValueError, match=r"output_size must be between \(13, 13\) and \(16, 16\)"):
                call()


# Empty images.


def test_empty_images():
    assert conv2d((0, 7, 3), (2, 3, 3, 3), stride=2, padding="same").output == (0, 4, 2)
    assert conv2d((0, 7), (1, 1, 1, 1), stride=2, padding="same_lower").output == (0, 4)
    assert conv2d((0, 7), (1, 1, 3, 3), padding=2).output == (2, 9)
    assert separable((0, 7), 5, 5, stride=2).output == (0, 4)
    assert conv_transpose2d((0, 4), (1, 1, 3, 3), stride=2, output_padding=1).output == (0, 10)
    assert conv_transpose2d((0, 4), (1, 1, 3, 3), stride=2, output_size=(0, 10)).output == (0, 10)
    assert conv_transpose2d((0, 4), (1, 1, 3, 3), stride=2, padding="same").output == (0, 8)
    none = conv2d((0, 5, 5, 3), (2, 3, 3, 3))
    assert (none.output, none.macs) == ((0, 3, 3, 2), 0)
    with pytest.raises(ValueError, match=r"padded image has only \(0, 7\)"):
        conv2d((0, 7), (1, 1, 1, 1))


# What an output pixel sees.


def layer(rng, most):
    """An operation as a function of a shape, and a function that says, for an axis, which output reads which input."""
    transposed = rng.random() < 0.6
    kernel, stride, dilation, padding = some(rng, 1, 3), some(rng, 1, most), some(rng, 1, 3), some(rng, 0, 1)
    options = {"weight": (1, 1, *kernel), "stride": stride, "padding": padding, "dilation": dilation}

    def reads(operation, axis):
        outputs, inputs = operation.output[axis], operation.input[axis]
        matrix = np.zeros((outputs, inputs), np.float32)
        few, many = (matrix.T, outputs) if transposed else (matrix, inputs)
        for one in range(len(few)):
            for tap in range(kernel[axis]):
                other = one * stride[axis] + tap * dilation[axis] - padding[axis]
                if 0 <= other < many:
                    few[one, other] = 1
        return matrix

    if transposed:
        options["output_padding"] = tuple(s - 1 for s in stride)
    return partial(conv_transpose2d if transposed else conv2d, **options), reads


def longest(matrix):
    windows = [np.flatnonzero(row) for row in matrix]
    return max((window[-1] - window[0] + 1 for window in windows if window.size), default=0)


def test_the_receptive_field_is_what_brute_force_finds():
    rng = random.Random(9)
    for _ in range(100):
        function, reads = layer(rng, 5)
        operation = function((40, 41))
        assert operation.receptive_field == tuple(longest(reads(operation, axis)) for axis in (0, 1)), operation


def test_the_receptive_field_of_a_chain_is_what_brute_force_finds():
    rng = random.Random(10)
    blind = 0
    for _ in range(120):
        layers, most = rng.choice([(2, 3), (3, 2)])
        functions, readers = zip(*[layer(rng, most) for _ in range(layers)], strict=True)
        whole = chain((70, 71), *functions)
        for axis in (0, 1):
            matrix = np.eye(whole.input[axis], dtype=np.float32)
            for stage, reads in zip(whole.stages, readers, strict=True):
                matrix = np.minimum(reads(stage, axis) @ matrix, 1)
            assert whole.receptive_field[axis] == longest(matrix), str(whole)
            blind += not matrix[len(matrix) // 2].any()
    assert blind  # outputs that see only the zeros between samples were among them


def test_a_chain_of_ordinary_convolutions_follows_the_textbook():
    rng = random.Random(11)
    for _ in range(50):
        layers = [
            partial(conv2d, weight=(1, 1, *some(rng, 1, 5)), stride=some(rng, 1, 3), padding="same", dilation=d)
            for d in (1, 2, (3, 1), 1)
        ]
        whole = chain((50, 50), *layers)
        fields, steps = (1, 1), (1, 1)
        for stage in whole.stages:
            fields = tuple(f + (g - 1) * s for f, g, s in zip(fields, stage.receptive_field, steps, strict=True))
            steps = tuple(s * t for s, t in zip(steps, stage.step, strict=True))
        assert (whole.receptive_field, whole.step) == (fields, steps)


def test_transposed_convolutions_see_as_many_samples_as_overlap():
    for kernel, stride, sees in [(3, 2, 2), (2, 2, 1), (4, 2, 2), (1, 3, 1), (5, 2, 3), (4, 1, 4)]:
        operation = conv_transpose2d((6, 6), (1, 1, kernel, kernel), stride=stride)
        assert operation.receptive_field == (sees, sees)
        assert operation.step == (Fraction(1, stride),) * 2


def test_down_and_up_again_is_a_step_of_one():
    weight = (1, 1, 4, 4)
    there = partial(conv2d, weight=weight, stride=2, padding=1)
    back = partial(conv_transpose2d, weight=weight, stride=2, padding=1)
    hourglass = chain((32, 32), there, there, back, back)
    assert (hourglass.output, hourglass.step) == ((32, 32), (1, 1))
    assert [str(s) for s in chain((8, 8), there, back, back).step] == ["1/2", "1/2"]


# Separable.


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), ((2, 3), 1), ((3, 2), (1, 2))])
def test_separable_counts_what_the_two_passes_multiply(stride, dilation):
    operation = separable((2, 11, 13, 3), 5, 4, stride=stride, dilation=dilation)
    down, along = (stride, stride) if stride == 1 else stride
    rows, columns = len(range(0, 11, down)), len(range(0, 13, along))
    assert operation.output == (2, rows, columns, 3)
    assert operation.macs == 2 * 3 * (rows * 13 * 5 + rows * columns * 4)
    assert operation.parameters == 9
    across = dilation if dilation == 1 else dilation[1]
    assert operation.receptive_field == (5, 3 * across + 1)
    assert operation.pads == ((2, 2), (2 * across, across))
    assert operation.step == (down, along)


def test_separable_keeps_the_dimensions():
    assert separable((11, 13), 3, 3).output == (11, 13)
    assert separable((11, 13, 1), 3, 3).output == (11, 13, 1)


# Chains and tables.


def test_a_chain_adds_up():
    parts = [
        conv2d((9, 9, 3), (8, 3, 3, 3), bias=True),
        conv_transpose2d((7, 7, 8), (8, 2, 2, 2), stride=2),
    ]
    whole = chain((9, 9, 3), lambda _: parts[0], lambda _: parts[1])
    assert whole.stages == tuple(parts)
    assert (whole.input, whole.output) == ((9, 9, 3), (14, 14, 2))
    assert whole.parameters == sum(part.parameters for part in parts)
    assert whole.macs == sum(part.macs for part in parts)
    assert chain((9, 9, 3), lambda _: whole).receptive_field == whole.receptive_field == (3, 3)


def test_the_table_has_a_line_for_each_stage():
    lines = str(depthwise_separable_conv2d((224, 224, 16), (16, 3, 3), (32, 16), padding="same")).split("\n")
    assert lines == [
        "operation                   input       output      pads      parameters        MACs  sees  step",
        "depthwise_conv2d            224x224x16  224x224x16  1+1, 1+1         144   7,225,344  3x3   1x1",
        "pointwise_conv2d            224x224x16  224x224x32  0+0, 0+0         512  25,690,112  1x1   1x1",
        "depthwise_separable_conv2d  224x224x16  224x224x32  1+1, 1+1         656  32,915,456  3x3   1x1",
    ]


def test_an_operation_is_a_value():
    one, same = conv2d((5, 5), (1, 1, 3, 3)), conv2d([np.int64(5), 5], [1, 1, 3, 3], stride=[1, 1])
    assert one == same == pickle.loads(pickle.dumps(one))
    assert hash(one) == hash(same)
    assert one != conv2d((5, 5), (1, 1, 3, 3), dilation=2)
    assert repr(one) == (
        "Operation(name='conv2d', input=(5, 5), output=(3, 3), pads=((0, 0), (0, 0)), parameters=9, macs=81)"
    )


# What is refused, and what is said.

W = (1, 1, 3, 3)
PADDING = (
    r"padding must be a whole number of 0 or more, \(rows, columns\), \(\(top, bottom\), \(left, right\)\) or one of "
    "'valid', 'same', 'same_lower', 'full', not "
)


@pytest.mark.parametrize("call", [conv2d, conv_transpose2d])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"stride": 0}, ValueError, "stride must be a whole number of 1 or more, not 0"),
        ({"stride": (1, -2)}, ValueError, "stride must be a whole number of 1 or more, not -2"),
        ({"stride": 1.5}, TypeError, "stride must be a whole number of 1 or more, not 1.5"),
        ({"stride": True}, TypeError, "stride must be a whole number of 1 or more, not True"),
        ({"stride": (1, 2, 3)}, ValueError, r"stride must be a number or two \(rows, columns\), not 3"),
        ({"stride": "2"}, TypeError, "stride must be a whole number of 1 or more, not '2'"),
        ({"dilation": 0}, ValueError, "dilation must be a whole number of 1 or more, not 0"),
        ({"dilation": None}, TypeError, "dilation must be a whole number of 1 or more, not None"),
        ({"groups": 0}, ValueError, "groups must be a whole number of 1 or more, not 0"),
        ({"groups": 1.0}, TypeError, "groups must be a whole number of 1 or more, not 1.0"),
        ({"groups": 2}, ValueError, r"groups must divide the numbers of channels \(1.*\), not be 2"),
        ({"padding": "SAME"}, ValueError, PADDING + "'SAME'"),
        ({"padding": -1}, ValueError, PADDING + "-1"),
        ({"padding": (1, 1, 1, 1)}, ValueError, PADDING + r"\(1, 1, 1, 1\)"),
        ({"padding": ((1, 2), (3, -4))}, ValueError, PADDING + r"\(\(1, 2\), \(3, -4\)\)"),
        ({"padding": 0.5}, TypeError, PADDING + "0.5"),
        ({"padding": None}, TypeError, PADDING + "None"),
        ({"padding": True}, TypeError, PADDING + "True"),
    ],
)
def test_options_that_are_refused(call, options, error, message):
    with pytest.raises(error, match=message):
        call((5, 5), W, **options)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: conv2d((5,), W),
            ValueError,
            r"shape must be \(H, W\) or \(H, W, C\) or \(N, H, W, C\), whole numbers of 0 or more, not \(5,\)",
        ),
        (lambda: conv2d((1, 2, 5, 5, 3), W), ValueError, r"shape must be .*, not \(1, 2, 5, 5, 3\)"),
        (lambda: conv2d((5, -5), W), ValueError, r"shape must be .*, not \(5, -5\)"),
        (lambda: conv2d((5, 5.0), W), TypeError, r"shape must be .*, not \(5, 5.0\)"),
        (lambda: conv2d((5, True), W), TypeError, r"shape must be .*, not \(5, True\)"),
        (lambda: conv2d(5, W), TypeError, "shape must be .*, not 5"),
        (
            lambda: conv2d((5, 5), (3, 3)),
            ValueError,
            r"weight must be \(C_out, C_in/groups, kH, kW\), whole numbers of 1 or more, not \(3, 3\)",
        ),
        (lambda: conv2d((5, 5), (1, 1, 0, 3)), ValueError, r"weight must be .* not \(1, 1, 0, 3\)"),
        (lambda: conv_transpose2d((5, 5), (3, 3)), ValueError, r"weight must be \(C_in, C_out/groups, kH, kW\)"),
        (lambda: depthwise_conv2d((5, 5), (3, 3)), ValueError, r"weight must be \(C, kH, kW\) or \(C, M, kH, kW\)"),
        (lambda: pointwise_conv2d((5, 5), (3,)), ValueError, r"weight must be \(C_out, C_in\), .* not \(3,\)"),
        (lambda: depthwise_separable_conv2d((5, 5), 3, (1, 1)), TypeError, "depthwise must be .* not 3"),
        (
            lambda: depthwise_separable_conv2d((5, 5, 4), (4, 3, 3), (8, 3)),
            ValueError,
            r"pointwise \(8, 3\) takes images of 3 channels, but shape \(3, 3, 4\) has 4",
        ),
        (
            lambda: conv2d((5, 5, 4), (8, 3, 3, 3)),
            ValueError,
            r"weight \(8, 3, 3, 3\) takes images of 3 channels, but shape \(5, 5, 4\) has 4",
        ),
        (lambda: conv2d((5, 5, 4), (8, 4, 3, 3), groups=2), ValueError, "takes images of 8 channels"),
        (lambda: conv_transpose2d((5, 5), (3, 1, 3, 3)), ValueError, "takes images of 3 channels"),
        (lambda: depthwise_conv2d((5, 5, 2), (3, 3, 3)), ValueError, "takes images of 3 channels"),
        (
            lambda: conv2d((5, 5, 4), (9, 1, 3, 3), groups=4),
            ValueError,
            r"groups must divide the numbers of channels \(4, 9\), not be 4",
        ),
        (
            lambda: conv2d((3, 9), W, dilation=2, padding=((0, 1), (0, 0))),
            ValueError,
            r"kernel \(3, 3\) with dilation \(2, 2\) spans \(5, 5\) rows and columns, "
            r"but the padded image has only \(4, 9\)",
        ),
        (
            lambda: conv_transpose2d((5, 5), W, stride=2, output_padding=(0, 2)),
            ValueError,
            r"output_padding must be smaller than stride \(2, 2\) or than dilation \(1, 1\), "
            r"for rows and for columns, not \(0, 2\)",
        ),
        (
            lambda: conv_transpose2d((5, 5), W, output_padding=-1),
            ValueError,
            "output_padding must be a whole number of 0 or more, not -1",
        ),
        (
            lambda: conv_transpose2d((5, 5), W, stride=2, padding=1, output_size=11),
            ValueError,
            r"output_size must be between \(9, 9\) and \(10, 10\) \(rows, columns\), not \(11, 11\)",
        ),
        (
            lambda: conv_transpose2d((5, 5), W, stride=2, output_padding=1, output_size=12),
            ValueError,
            r"output_size \(12, 12\) and output_padding \(1, 1\) are both given",
        ),
        (lambda: conv_transpose2d((5, 5), W, output_size=7.0), TypeError, "output_size must be a whole number"),
        (
            lambda: conv_transpose2d((1, 5), W, padding=((1, 2), (0, 0))),
            ValueError,
            r"padding \(\(1, 2\), \(0, 0\)\) crops everything: the output would have \(0, 7\)",
        ),
        (lambda: separable((5, 5), 0, 3), ValueError, "column must be a whole number of 1 or more, not 0"),
        (lambda: separable((5, 5), 3, [1, 2, 1]), TypeError, r"row must be a whole number .*, not \[1, 2, 1\]"),
        (lambda: separable((5, 5), 3, 3, stride=0), ValueError, "stride must be"),
        (lambda: separable((5, 5), 3, 3, dilation=0), ValueError, "dilation must be"),
        (lambda: chain((5, 5)), ValueError, "chain takes one function of a shape or more, not none"),
        (lambda: chain((5,), partial(conv2d, weight=W)), ValueError, "shape must be"),
        (lambda: chain((5, 5), conv2d((5, 5), W)), TypeError, "chain takes functions of a shape, not Operation"),
        (lambda: chain((5, 5), lambda shape: shape), TypeError, r"return an Operation, but .* returned \(5, 5\)"),
        (
            lambda: chain((5, 5), lambda _: conv2d((6, 5), W)),
            ValueError,
            r"chain must fit: conv2d takes \(6, 5\), but what comes before it gives \(5, 5\)",
        ),
    ],
)
def test_calls_that_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
