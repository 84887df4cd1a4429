"""The convolution algebra against other people's numbers, and against the laws it must obey.

A failure prints its case, seed first: `Case(seed).check(...)`, or with names=TRANSPOSED, is that case again.
"""

import random
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from conftest import DTYPES, MODES, assert_same_bits, assert_within, begun_anywhere, pixels
from hypothesis import given
from hypothesis import strategies as st
from test_contract import force_bands, guarded, layouts

import imfilt
from imfilt._engine import isa, plan

FUNCTIONS = ("conv2d", "depthwise_conv2d", "pointwise_conv2d", "depthwise_separable_conv2d", "conv_transpose2d")
FAMILY, TRANSPOSED = ("conv2d", "conv2d", "conv2d", *FUNCTIONS[:4]), FUNCTIONS[4:]
PADDERS = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}
SAMES = ("same", "same_lower")
CHANNELS = (1, 1, 2, 3, 3, 4, 5, 7, 8, 12, 15, 16, 17, 24, 31, 32, 33, 48, 64, 70)
IMAGES = (*("float32", "float64", "uint8", "int16", "uint16") * 5, *DTYPES)
RESULTS = (None, None, None, "float32", "float64", "uint8", "int16", "uint16")
WIDE = ("float64", "int32", "uint32", "int64", "uint64")


def pairs(*axes):
    return zip(*axes, strict=True)


def call(name, *arrays, **options):
    return getattr(imfilt, name)(*arrays, **options)


def some(rng, low, high):
    return rng.randint(low, high), rng.randint(low, high)


# ---- what is right ---------------------------------------------------------------


def correlate(x, w, stride, dilation, groups):
    """Padded images (N, H, W, C) under weights (made, taken, kH, kW)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, spans_of(w, dilation), axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    n, rows, columns = windows.shape[:3]
    numbers = windows.reshape(n * rows * columns, groups, -1).swapaxes(0, 1)
    matrices = w.reshape(groups, w.shape[0] // groups, -1).swapaxes(1, 2)
    return (numbers @ matrices).swapaxes(0, 1).reshape(n, rows, columns, w.shape[0])


def lay(x, w, stride, dilation, groups):
    """Images whose pixels lay weights (taken, made, kH, kW) onto the result, of which nothing is cut."""
    n, rows, columns, taken = x.shape
    apart = np.zeros((n, (rows - 1) * stride[0] + 1, (columns - 1) * stride[1] + 1, taken))
    apart[:, :: stride[0], :: stride[1]] = x
    around = [(span - 1, span - 1) for span in spans_of(w, dilation)]
    turned = w.reshape(groups, taken // groups, *w.shape[1:]).swapaxes(1, 2)[..., ::-1, ::-1]
    turned = turned.reshape(-1, taken // groups, *w.shape[2:])
    return correlate(np.pad(apart, ((0, 0), *around, (0, 0))), turned, (1, 1), dilation, groups)


def torch_says(name, x, w, bias=None, **options):
    """What PyTorch makes of images (N, H, W, C), in double."""
    torch = pytest.importorskip("torch")
    x, w, bias = (None if a is None else torch.from_numpy(np.array(a, np.float64)) for a in (x, w, bias))
    result = getattr(torch.nn.functional, name)(x.permute(0, 3, 1, 2), w, bias, **options)
    return result.permute(0, 2, 3, 1).numpy()


def torch_correlate(x, w, stride, dilation, groups):
    return torch_says("conv2d", x, w, stride=stride, dilation=dilation, groups=groups)


def torch_lay(x, w, stride, dilation, groups):
    return torch_says("conv_transpose2d", x, w, stride=stride, dilation=dilation, groups=groups)


LOOPS = {"numpy": (correlate, lay), "torch": (torch_correlate, torch_lay)}


def spans_of(w, dilation):
    return tuple(d * (k - 1) + 1 for k, d in pairs(w.shape[-2:], dilation))


def same_pads(n, span, stride, padding):
    """TensorFlow's "Notes on padding" (www.tensorflow.org/api_docs/python/tf/nn); ONNX has the lower one too."""
    total = max(span - stride, 0) if n % stride == 0 else max(span - n % stride, 0)
    less, more = total // 2, total - total // 2
    return (less, more) if padding == "same" else (more, less)


def pads_of(padding, size, spans, stride):
    """((top, bottom), (left, right)) that a convolution adds."""
    if padding in SAMES:
        return tuple(same_pads(*axis, padding) for axis in pairs(size, spans, stride))
    if isinstance(padding, str):
        return tuple((span - 1, span - 1) if padding == "full" else (0, 0) for span in spans)
    both = (padding, padding) if isinstance(padding, int) else padding
    return tuple((one, one) if isinstance(one, int) else one for one in both)


def extended(x, pads, mode, cval):
    """Images with a border, in double."""
    constant = {"constant_values": cval} if mode == "constant" else {}
    return np.pad(x.astype(np.float64), ((0, 0), *pads, (0, 0)), PADDERS[mode], **constant)


# ---- random cases ----------------------------------------------------------------


class Case:
    """A random call: some function, some arrays, some options.

    The image is `pixels` (N, H, W, C). The oracles read weights as `kernel` and `mixer`.
    """

    def __init__(self, seed, names=FAMILY):
        self.seed, self.rng, self.data = seed, random.Random(seed), np.random.default_rng(seed)
        rng = self.rng
        self.name = rng.choice(names)
        self.transposed = self.name in TRANSPOSED
        self.groups, taken, made = self.some_channels()
        self.some_image(taken, made)
        self.options, self.stride, self.dilation, self.added = {}, (1, 1), (1, 1), (0, 0)
        self.padding, self.mode, self.cval = 0, "constant", 0
        if self.name != "pointwise_conv2d":
            self.some_steps()
        self.some_weights(taken, made)
        if self.transposed:
            self.some_output()
        if self.axis not in (None, -1):
            self.options["channel_axis"] = self.axis
        self.result, self.given = rng.choice(RESULTS), rng.random() < 0.5

    def some_channels(self):
        """Groups, and the channels that each takes and makes."""
        rng = self.rng
        if self.name.startswith("depthwise"):
            return rng.choice(CHANNELS), 1, rng.choice((1, 1, 1, 2, 3))
        if self.name == "pointwise_conv2d" or rng.random() < 0.6:
            return 1, rng.choice(CHANNELS), rng.choice(CHANNELS)
        few = rng.randint(2, 8), *some(rng, 1, 5)
        return rng.choice([few, few, (2, 16, 17), (3, 5, 16), (rng.choice(CHANNELS), 1, rng.choice((1, 1, 2)))])

    def some_image(self, taken, made):
        rng = self.rng
        heavy = self.groups * taken * made > 200
        self.size = some(rng, 1, (9 if heavy else 24) // (1 + self.transposed))
        if not heavy and rng.random() < 0.05:
            self.size = rng.randint(1, 3), rng.randint(60, 200)
        dtype = np.dtype(rng.choice(IMAGES))
        # Whole numbers, whose sums a double holds.
        self.whole = dtype.kind in "iu" and dtype.itemsize <= 4 and rng.random() < 0.7
        self.pixels = pixels(self.data, (rng.choice((1, 1, 2)), *self.size, self.groups * taken), dtype)
        self.batch = len(self.pixels) > 1 or rng.random() < 0.2
        grey = not self.batch and self.groups * taken == 1 and rng.random() < 0.8
        self.axis = None if grey else -1 if rng.random() < 0.7 else rng.choice((-2, -3))

    def some_steps(self):
        rng = self.rng
        self.stride = some(rng, 1, 4) if rng.random() < 0.6 else (1, 1)
        self.dilation = some(rng, 1, 3) if rng.random() < 0.5 else (1, 1)
        self.padding = rng.choice(
            [*SAMES, "valid", "full", rng.randint(0, 3), some(rng, 0, 4), (some(rng, 0, 4), some(rng, 0, 4))]
        )
        self.mode = rng.choice(("constant", *MODES))
        self.options = {"stride": self.stride, "dilation": self.dilation, "padding": self.padding, "mode": self.mode}
        if self.mode == "constant":
            self.cval = self.options["cval"] = rng.choice((0, 0, 0, 1, 3) if self.whole else (0, 0, 0, 1, -1.5))
        if self.name.startswith("conv"):
            self.options["groups"] = self.groups

    def some_weights(self, taken, made):
        rng, groups = self.rng, self.groups
        shape = (1, 1) if self.name == "pointwise_conv2d" else some(rng, 1, 8 if rng.random() < 0.1 else 5)
        shape = (groups * taken, made, *shape) if self.transposed else (groups * made, taken, *shape)
        weight = self.numbers(shape)
        self.kernel, self.mixer, self.made = weight.astype(np.float64), None, groups * made
        if self.name == "pointwise_conv2d":
            weight = weight[:, :, 0, 0]
        elif self.name.startswith("depthwise"):
            weight = weight.reshape(groups, made, *shape[2:]) if made > 1 or rng.random() < 0.3 else weight[:, 0]
        self.weights = [weight]
        if self.name == "depthwise_separable_conv2d":
            self.made = rng.choice(CHANNELS)
            self.weights.append(self.numbers((self.made, groups * made)))
            self.mixer = self.weights[1].astype(np.float64)
        self.bias = self.numbers((self.made,)) if rng.random() < 0.4 else None
        self.spans = spans_of(self.kernel, self.dilation)
        self.taps = self.kernel.size // (made * groups) + (self.bias is not None)
        self.taps += 0 if self.mixer is None else self.mixer.shape[1]

    def numbers(self, shape):
        if self.whole:
            return self.data.integers(-9, 10, shape).astype(self.rng.choice(["int8", "int64", "float32", "float64"]))
        return self.data.standard_normal(shape).astype(self.rng.choice(["float32", "float64"]))

    def some_output(self):
        """Which of the sizes that a transposed convolution can have."""
        rng, most = self.rng, [max(both) - 1 for both in pairs(self.stride, self.dilation)]
        asked = rng.choice(("", "output_padding", "output_size"))
        if asked == "output_padding":
            self.added = self.options[asked] = rng.randint(0, most[0]), rng.randint(0, most[1])
        elif asked and self.padding in SAMES:
            self.options[asked] = tuple(rng.randint((n - 1) * s + 1, n * s) for n, s in pairs(self.size, self.stride))
        elif asked and min(self.laid()[1]) > 0:
            self.options[asked] = tuple(n + rng.randint(0, more) for n, more in pairs(self.laid()[1], most))

    def fits(self):
        """Whether there is a result: a kernel may be larger than the image with its border, or all of it cut off."""
        if self.transposed:
            return min(self.laid()[1]) > 0
        return all(span <= n + sum(sides) for span, n, sides in pairs(self.spans, self.size, self.pads()))

    def pads(self):
        return pads_of(self.padding, self.size, self.spans, self.stride)

    def laid(self):
        """Rows and columns cut off at the top and left of a transposed convolution, and those that are left."""
        axes = pairs(self.size, self.stride, self.spans, self.added)
        whole = [(n - 1) * s + span + more for n, s, span, more in axes]
        if self.padding not in SAMES:
            least = tuple(n - sum(sides) for n, sides in pairs(whole, self.pads()))
            return [before for before, _ in self.pads()], self.options.get("output_size", least)
        size = self.options.get("output_size", tuple(n * s for n, s in pairs(self.size, self.stride)))
        # ONNX's formula. But where a kernel shorter than the stride leaves something empty, that is at the end,
        # as in TensorFlow: "same" of a convolution, whose adjoint this is, has no negative pads.
        totals = [max(n - out, 0) for n, out in pairs(whole, size)]
        return [total // 2 if self.padding == "same" else total - total // 2 for total in totals], size

    def placed(self, array):
        """(N, H, W, C) as the call takes and gives it."""
        if self.axis is None:
            return array[0, :, :, 0] if array.shape[-1] == 1 else array[0]
        return np.ascontiguousarray(np.moveaxis(array if self.batch else array[0], -1, self.axis))

    def exact(self, loops, of=np.array):
        """The result in double; with of=np.abs, the sum of the magnitudes behind each number of it."""
        if self.transposed:
            # The image goes on as far as any pixel of the result can see.
            far = [(span + max(s, d)) // s + 2 for span, s, d in pairs(self.spans, self.stride, self.dilation)]
            cut, size = self.laid()
            top, left = (n * s + c for n, s, c in pairs(far, self.stride, cut))
            pads, loop, part = [(n, n) for n in far], loops[1], np.s_[:, top : top + size[0], left : left + size[1]]
        else:
            pads, loop, part = self.pads(), loops[0], np.s_[:]
        x = of(extended(self.pixels, pads, self.mode, self.cval))
        result = loop(x, of(self.kernel), self.stride, self.dilation, self.groups)[part]
        result = result if self.mixer is None else result @ of(self.mixer).T
        return self.placed(result if self.bias is None else result + of(self.bias))

    def run(self, **more):
        arrays = [self.placed(self.pixels), *self.weights, self.bias]
        before = [a.tobytes() for a in arrays if a is not None]
        got = call(self.name, *arrays, **self.options | more)
        assert [a.tobytes() for a in arrays if a is not None] == before, f"{self}: an input was written"
        return got

    def check(self, loops):
        """One call, to the bound of DESIGN.md, section 3."""
        exact = self.exact(loops)
        wide = self.pixels.dtype.name in WIDE
        result = np.dtype(self.result or ("float64" if wide else "float32"))
        more = {"out": np.full(exact.shape, 7, result)} if self.given else {"dtype": self.result}
        got = self.run(**more)
        assert got.dtype == result, f"{self}: {got.dtype}"
        assert got.flags.c_contiguous, str(self)
        assert not self.given or got is more["out"], str(self)
        single = result.name == "float32" or not (wide or result.name == "float64")
        eps = np.finfo(np.float32 if single else np.float64).eps
        bound = 0.0 if self.whole else (self.taps + 4) * eps * self.exact(loops, np.abs)
        if result.kind in "iu":
            limits = np.iinfo(result)
            exact = np.clip(np.rint(exact) if self.whole else exact, limits.min, limits.max)
            bound = bound + (0 if self.whole else 0.5)
        elif self.whole:
            exact = exact.astype(result)
        assert_within(got, exact, bound, str(self))

    def __str__(self):
        words = [f"{a.dtype.name}{a.shape}" for a in (self.placed(self.pixels), *self.weights)]
        words += ["bias"] * (self.bias is not None) + [f"{k}={v!r}" for k, v in self.options.items()]
        result = f"{'out=' * self.given}{self.result}{', whole numbers' * self.whole}"
        return f"seed {self.seed}: {self.name}({', '.join(words)}) -> {result}"


def seeds(build, oracle, most):
    """Other cases for every build and oracle; fewer for the readable twin, which is slow."""
    first = 100_000 * isa.NAMES.index(build) + 50_000 * (oracle == "torch")
    return range(first, first + (most // 6 if build == "numpy" else most))


# ---- thousands of cases ----------------------------------------------------------


@pytest.mark.parametrize("oracle", LOOPS)
def test_convolutions(build, oracle):
    if oracle == "torch":
        pytest.importorskip("torch")
    refused, every = 0, seeds(build, oracle, 1200)
    for seed in every:
        case = Case(seed)
        if case.fits():
            case.check(LOOPS[oracle])
        else:
            refused += 1
            with pytest.raises(ValueError, match="padded image has only"):
                case.run()
    assert 0.03 < refused / len(every) < 0.2


@pytest.mark.parametrize("oracle", LOOPS)
def test_transposed_convolutions(build, oracle):
    if oracle == "torch":
        pytest.importorskip("torch")
    refused, every = 0, seeds(build, oracle, 800)
    for seed in every:
        case = Case(seed, TRANSPOSED)
        if case.fits():
            case.check(LOOPS[oracle])
        else:
            refused += 1
            with pytest.raises(ValueError, match="crops everything"):
                case.run()
    assert 0.05 < refused / len(every) < 0.4


def test_the_comparison_fails_for_a_kernel_upside_down():
    for names in (FAMILY, TRANSPOSED):
        wrong = tuple(lambda x, w, *steps, loop=loop: loop(x, w[:, :, ::-1], *steps) for loop in LOOPS["numpy"])
        cases = [Case(seed, names) for seed in range(60)]
        cases = [case for case in cases if case.padding in ("full", "valid") and case.result is None and case.fits()]
        cases = [case for case in cases if min(case.kernel.shape[2], case.size[0]) > 1]
        assert cases
        for case in cases:
            with pytest.raises(AssertionError, match=f"seed {case.seed}: .* instead of .* past the bound"):
                case.check(wrong)


def test_conv2d_takes_pytorchs_arguments_as_they_are(build):
    """Nothing of this file's rules for padding in between."""
    rng = random.Random(1)
    for seed in range(60 if build == "numpy" else 300):
        data, groups = np.random.default_rng(seed), rng.randint(1, 4)
        x = data.standard_normal((2, *some(rng, 10, 15), groups * rng.randint(1, 4)))
        w = data.standard_normal((groups * rng.randint(1, 4), x.shape[3] // groups, *some(rng, 1, 4)))
        bias = data.standard_normal(len(w)) if rng.random() < 0.5 else None
        options = {"dilation": some(rng, 1, 3), "groups": groups}
        if rng.random() < 0.3:
            rows, columns = (n - 1 | 1 for n in w.shape[2:])  # of even ones PyTorch warns that it makes a copy
            w, options["padding"] = w[:, :, :rows, :columns], rng.choice(("same", "valid"))
        else:
            options |= {"stride": some(rng, 1, 3), "padding": rng.choice((rng.randint(0, 3), some(rng, 0, 3)))}
        want = torch_says("conv2d", x, w, bias, **options)
        assert_within(imfilt.conv2d(x, w, bias, **options), want, 1e-12, f"{seed} {x.shape} {w.shape} {options}")


def test_conv_transpose2d_takes_pytorchs_arguments_as_they_are(build):
    rng = random.Random(2)
    for seed in range(60 if build == "numpy" else 400):
        data, groups = np.random.default_rng(seed), rng.randint(1, 4)
        x = data.standard_normal((2, *some(rng, 4, 9), groups * rng.randint(1, 4)))
        w = data.standard_normal((x.shape[3], rng.randint(1, 4), *some(rng, 2, 5)))
        bias = data.standard_normal(w.shape[1] * groups) if rng.random() < 0.5 else None
        stride, dilation = some(rng, 1, 4), some(rng, 1, 3)
        added = tuple(rng.randint(0, max(both) - 1) for both in pairs(stride, dilation))
        padding = rng.choice((rng.randint(0, 2), some(rng, 0, 2)))
        options = {
            "stride": stride,
            "dilation": dilation,
            "groups": groups,
            "padding": padding,
            "output_padding": added,
        }
        want, got = (
            torch_says("conv_transpose2d", x, w, bias, **options),
            imfilt.conv_transpose2d(x, w, bias, **options),
        )
        assert_within(got, want, 1e-12, f"{seed} {x.shape} {w.shape} {options}")


def test_the_transposed_convolution_is_the_adjoint(build):
    """<conv2d(x, w), y> == <x, conv_transpose2d(y, w)>, exactly, since whole numbers are added in double."""
    tried = 0
    for seed in range(80 if build == "numpy" else 400):
        case = Case(seed, TRANSPOSED)
        options = {name: case.options[name] for name in ("stride", "dilation", "padding", "groups")}
        size = case.laid()[1]
        within = all(more < s for more, s in pairs(case.added, case.stride))
        if not case.fits() or not within or (case.padding in SAMES and any(case.added)):
            continue
        y = case.data.integers(-99, 100, case.pixels.shape).astype(np.float64)
        w = case.data.integers(-99, 100, case.kernel.shape).astype(np.float64)
        x = case.data.integers(-99, 100, (len(y), *size, case.made)).astype(np.float64)
        forth = imfilt.conv2d(x, w, **options)
        if forth.shape != y.shape:  # an output_size past the stride, which a dilation allows
            continue
        back = imfilt.conv_transpose2d(y, w, output_size=size, **options)
        assert (forth * y).sum() == (x * back).sum(), str(case)
        tried += 1
    assert tried > 0.4 * (80 if build == "numpy" else 400)


def test_depthwise_separable_is_depthwise_and_then_pointwise(build):
    for seed in range(80 if build == "numpy" else 400):
        case = Case(seed, ("depthwise_separable_conv2d",))
        if not case.fits():
            continue
        image, axis = case.placed(case.pixels), case.options.get("channel_axis", -1)
        middle = imfilt.depthwise_conv2d(image, case.weights[0], dtype=np.float64, **case.options)
        if middle.ndim == 3 and image.ndim == 2:
            axis = -1
        both = imfilt.pointwise_conv2d(middle, case.weights[1], case.bias, channel_axis=axis)
        got = case.run()
        eps = np.finfo(got.dtype).eps
        bound = 2 * (case.taps + 4) * eps * case.exact(LOOPS["numpy"], np.abs)
        assert_within(got.reshape(both.shape), both, bound.reshape(both.shape), str(case))


def test_groups_of_several_channels_where_a_stride_is_wider_than_what_is_read(build):
    image = np.arange(1.0, 9).reshape(1, 2, 4)
    for columns in (1, 2):
        for stride in (1, 2, 3, 4):
            got = imfilt.conv2d(image[:, :columns], np.ones((2, 2, 1, 1)), groups=2, stride=(1, stride))
            np.testing.assert_array_equal(got[0, 0], [3, 7])


# ---- other people's --------------------------------------------------------------


def onnx_says(operator, x, w, bias=None, **attributes):
    """What ONNX's reference makes of images (N, H, W, C)."""
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    given = {"X": np.ascontiguousarray(np.moveaxis(x, -1, 1)), "W": w} | ({} if bias is None else {"B": bias})
    node = onnx.helper.make_node(operator, list(given), ["Y"], **attributes)
    return np.moveaxis(reference.ReferenceEvaluator(node).run(None, given)[0], 1, -1)


def onnx_pads(padding):
    """The attribute that says the same as a padding: a name or ((top, bottom), (left, right))."""
    if isinstance(padding, str):
        return {"auto_pad": {"same": "SAME_UPPER", "same_lower": "SAME_LOWER", "valid": "VALID"}[padding]}
    return {"auto_pad": "NOTSET", "pads": [axis[side] for side in (0, 1) for axis in padding]}


def test_conv2d_is_onnx():
    rng = random.Random(3)
    for seed in range(300):
        data, groups = np.random.default_rng(seed), rng.randint(1, 3)
        x = data.standard_normal((rng.randint(1, 2), *some(rng, 7, 12), groups * rng.randint(1, 3)))
        w = data.standard_normal((groups * rng.randint(1, 3), x.shape[3] // groups, *some(rng, 1, 4)))
        bias = data.standard_normal(len(w)) if rng.random() < 0.5 else None
        stride, dilation, sides = some(rng, 1, 4), some(rng, 1, 2), (some(rng, 0, 3), some(rng, 0, 3))
        padding = rng.choice(("same", "same_lower", "valid", sides, sides))
        steps = {"strides": stride, "dilations": dilation, "group": groups}
        want = onnx_says("Conv", x, w, bias, **steps, **onnx_pads(padding))
        options = {"stride": stride, "dilation": dilation, "groups": groups, "padding": padding}
        assert_within(imfilt.conv2d(x, w, bias, **options), want, 1e-12, f"{seed} {x.shape} {w.shape} {options}")


def test_conv_transpose2d_is_onnx():
    """Where the reference is right: with groups it is for one channel in each and no bias."""
    rng = random.Random(4)
    for seed in range(200):
        data, groups = np.random.default_rng(seed), rng.choice((1, 1, 2, 3))
        channels = (groups, 1) if groups > 1 else some(rng, 1, 3)
        x = data.standard_normal((rng.randint(1, 2), *some(rng, 3, 5), channels[0]))
        stride, dilation, sides = some(rng, 1, 3), some(rng, 1, 2), (some(rng, 0, 1), some(rng, 0, 1))
        # At least as long as the stride: of a shorter one the reference leaves part of the gap at the beginning.
        w = data.standard_normal((*channels, *(rng.randint(s, 4) for s in stride)))
        bias = data.standard_normal(channels[1]) if groups == 1 and rng.random() < 0.5 else None
        padding = rng.choice(("same", "same_lower", "valid", sides, sides))
        added = tuple(rng.randint(0, s - 1) if rng.random() < 0.4 else 0 for s in stride)
        steps = {"strides": stride, "dilations": dilation, "group": groups, "output_padding": added}
        want = onnx_says("ConvTranspose", x, w, bias, **steps, **onnx_pads(padding))
        options = {
            "stride": stride,
            "dilation": dilation,
            "groups": groups,
            "padding": padding,
            "output_padding": added,
        }
        got = imfilt.conv_transpose2d(x, w, bias, **options)
        assert_within(got, want, 1e-12, f"{seed} {x.shape} {w.shape} {options}")


def test_same_is_the_rule_that_tensorflow_documents():
    """A weight of one at the first tap shows which pixel it is on."""
    for n in range(1, 12):
        row = np.arange(1.0, n + 1)[None]
        for k in range(1, 6):
            for s in range(1, 5):
                for d in (1, 2):
                    before, after = same_pads(n, d * (k - 1) + 1, s, "same")
                    padded = np.pad(row, ((0, 0), (before, after)))
                    weight = np.zeros((1, 1, 1, k))
                    weight[..., 0] = 1
                    got = imfilt.conv2d(row, weight, stride=(1, s), padding="same", dilation=(1, d))
                    assert got.shape == (1, -(-n // s))
                    np.testing.assert_array_equal(got, padded[:, ::s][:, : got.shape[1]], f"{n} {k} {s} {d}")
    # Six taps on 13 pixels with stride 5: three results, one pixel before and two after.
    assert same_pads(13, 6, 5, "same") == (1, 2)


@pytest.mark.parametrize(("boundary", "mode"), [("fill", "constant"), ("symm", "reflect"), ("wrap", "wrap")])
def test_one_channel_is_scipys(build, boundary, mode):
    signal = pytest.importorskip("scipy.signal")
    rng = np.random.default_rng(5)
    for _ in range(60):
        x, k = rng.standard_normal(rng.integers(5, 20, 2)), rng.standard_normal(rng.integers(1, 6, 2))
        cval = float(rng.integers(0, 3)) if mode == "constant" else 0.0
        for padding in ("valid", "full", "same"):
            if padding == "same" and k.shape[0] * k.shape[1] % 2 == 0:
                continue
            theirs = {"mode": padding, "boundary": boundary, "fillvalue": cval}
            ours = {"padding": padding, "mode": mode, "cval": cval}
            want = signal.correlate2d(x, k, **theirs)
            assert_within(imfilt.conv2d(x, k[None, None], **ours), want, 1e-12, padding)
            assert_within(imfilt.depthwise_conv2d(x, k[None], **ours), want, 1e-12, padding)
            flipped = signal.convolve2d(x, k[::-1, ::-1], **theirs)
            assert_within(imfilt.conv2d(x, k[None, None], **ours), flipped, 1e-12, padding)
        laid = signal.convolve2d(x, k)
        assert_within(imfilt.conv_transpose2d(x, k[None, None]), laid, 1e-12)


# ---- layouts ---------------------------------------------------------------------


def weights_of(name, channels, made, rng, kernel=(3, 3)):
    """Weights of a function for an image of so many channels."""
    shapes = {
        "conv2d": [(made, channels, *kernel)],
        "depthwise_conv2d": [(channels, *kernel)],
        "pointwise_conv2d": [(made, channels)],
        "depthwise_separable_conv2d": [(channels, *kernel), (made, channels)],
        "conv_transpose2d": [(channels, made, *kernel)],
    }[name]
    return [rng.standard_normal(shape) for shape in shapes]


OPTIONS = {name: {"padding": "same", "mode": "mirror"} for name in FUNCTIONS}
OPTIONS |= {"pointwise_conv2d": {}, "conv_transpose2d": {"stride": 2, "padding": 1}}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_every_layout_gives_the_same_bits_and_no_input_is_written(build, name, dtype):
    rng = np.random.default_rng(6)
    for shape in ((7, 19), (7, 19, 3), (6, 9, 17), (2, 5, 9, 4)):
        image, channels = pixels(rng, shape, dtype), 1 if len(shape) == 2 else shape[-1]
        image.flags.writeable = False
        weights = weights_of(name, channels, 5, rng)
        want = call(name, image, *weights, **OPTIONS[name])
        for layout, view in layouts(image):
            before = view.tobytes()
            assert_same_bits(call(name, view, *weights, **OPTIONS[name]), want, f"{name} {dtype} {shape} {layout}")
            assert view.tobytes() == before
        for layout, out in layouts(np.zeros_like(want)):
            if out.flags.writeable:
                assert call(name, image, *weights, out=out, **OPTIONS[name]) is out
                assert_same_bits(out.astype(want.dtype), want, f"{name} {dtype} {shape} out {layout}")
        for layout, view in layouts(weights[0]):
            assert_same_bits(call(name, image, view, *weights[1:], **OPTIONS[name]), want, f"{name} weight {layout}")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_channels_may_be_anywhere(build, name):
    rng = np.random.default_rng(7)
    for dtype in ("uint8", "float32", "float64"):
        for shape in ((8, 11, 3), (2, 8, 11, 3)):
            image = pixels(rng, shape, dtype)
            for made in (1, 3, 18):
                weights = weights_of(name, 3, made, rng)
                want = call(name, image, *weights, **OPTIONS[name])
                for axis in range(len(shape) == 4, len(shape)):
                    moved = np.ascontiguousarray(np.moveaxis(image, -1, axis))
                    for number in (axis, axis - len(shape)):
                        got = call(name, moved, *weights, channel_axis=number, **OPTIONS[name])
                        assert got.flags.c_contiguous
                        assert_same_bits(np.moveaxis(got, axis, -1), want, f"{name} {dtype} {shape} {number}")
                        out = np.zeros_like(got)
                        call(name, moved, *weights, channel_axis=number, out=out, **OPTIONS[name])
                        assert_same_bits(out, got, f"{name} {dtype} {shape} {number} out")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_out_may_be_the_image_or_overlap_it(build, name):
    rng = np.random.default_rng(8)
    weights = weights_of(name, 3, 3, rng)
    options = OPTIONS[name] | ({"stride": 1} if name == "conv_transpose2d" else {})
    for dtype in ("float32", "float64"):
        memory = pixels(rng, (24, 33, 3), dtype)
        for shift in (0, 1, 3, -2):
            block = memory.copy()
            image, out = block[4:16], block[4 + shift : 16 + shift]
            want = call(name, image.copy(), *weights, **options)
            assert call(name, image, *weights, out=out, **options) is out
            assert_same_bits(out.copy(), want, f"{name} {shift}")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_out_beside_the_result_is_left_alone(build, name):
    rng = np.random.default_rng(9)
    for channels, made in ((3, 5), (16, 17), (1, 33)):
        image = pixels(rng, (6, 23, channels), "float32")
        weights = weights_of(name, channels, made, rng)
        shape = call(name, image, *weights, **OPTIONS[name]).shape
        for dtype in ("float32", "uint8"):
            frame = np.full((shape[0] + 6, shape[1] + 7, shape[2]), 7, dtype)
            inside = frame[3:-3, 4:-3]
            call(name, image, *weights, out=inside, **OPTIONS[name])
            inside[...] = 7
            assert (frame == 7).all()


# ---- laws ------------------------------------------------------------------------


@contextmanager
def running(build):
    before = isa.active
    isa.use(build)
    try:
        yield
    finally:
        isa.use(before)


def whole(rng, *shape):
    """Whole numbers, whose sums of products are exact in double: laws hold to the bit."""
    return rng.integers(-9, 10, shape).astype(np.float64)


def two(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def problems(draw, name="conv2d", **fixed):
    """A build, an image (N, H, W, C), and a weight and options that fit it."""
    groups = fixed.get("groups") or draw(st.integers(1, 3))
    (taken, made), kernel = draw(two(1, 5)), draw(two(1, 4))
    options = {"groups": groups, "stride": draw(two(1, 3)), "dilation": draw(two(1, 3))}
    if name == "conv2d":
        options["mode"] = draw(st.sampled_from(MODES))
        options["padding"] = draw(st.sampled_from(("valid", "full", ((1, 0), (2, 3)))))
    options |= fixed
    size = [d * (k - 1) + 1 + draw(st.integers(0, 9)) for k, d in pairs(kernel, options["dilation"])]
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    x = whole(rng, draw(st.integers(1, 2)), *size, groups * taken)
    shape = (groups * made, taken) if name == "conv2d" else (groups * taken, made)
    return draw(st.sampled_from(isa.usable())), x, whole(rng, *shape, *kernel), options


@given(problems(), problems("conv_transpose2d"), st.integers(-5, 5))
def test_they_are_linear_in_the_image_and_in_the_weight(convolution, transposition, factor):
    for name, (build, x, w, options) in (("conv2d", convolution), ("conv_transpose2d", transposition)):
        with running(build):
            y, v = x[::-1, ::-1, ::-1] * 3 - 1, w[::-1, :, ::-1] * 2 + 1
            result = call(name, x, w, **options)
            sums = factor * result + call(name, y, w, **options)
            np.testing.assert_array_equal(call(name, factor * x + y, w, **options), sums)
            sums = factor * result + call(name, x, v, **options)
            np.testing.assert_array_equal(call(name, x, factor * w + v, **options), sums)
            bias = np.arange(result.shape[-1]) - 2.0
            np.testing.assert_array_equal(call(name, x, w, bias, **options), result + bias)


@given(problems(groups=1, padding="full", mode="constant", stride=(1, 1)), problems("conv_transpose2d", groups=1))
def test_an_impulse_gives_the_kernel(convolution, transposition):
    """Turned by a convolution, which is a correlation; as it is by a transposed one."""
    for name, (build, x, w, options) in (("conv2d", convolution), ("conv_transpose2d", transposition)):
        x[...] = 0
        at = tuple(n // 2 for n in x.shape)
        x[at] = 1
        with running(build):
            got = call(name, x, w, **options)
        (_, row, column, channel), stride, dilation = at, options["stride"], options["dilation"]
        spans, want = spans_of(w, dilation), np.zeros_like(got)
        taps = w[:, channel, ::-1, ::-1] if name == "conv2d" else w[channel]
        rows, columns = (slice(i * s, i * s + n, d) for i, s, n, d in pairs((row, column), stride, spans, dilation))
        want[at[0], rows, columns] = np.moveaxis(taps, 0, -1)
        np.testing.assert_array_equal(got, want)


@given(problems(), problems("conv_transpose2d"))
def test_groups_are_convolutions_side_by_side(convolution, transposition):
    for name, (build, x, w, options) in (("conv2d", convolution), ("conv_transpose2d", transposition)):
        groups = options["groups"]
        with running(build):
            parts = [
                call(name, np.ascontiguousarray(one), part, **options | {"groups": 1})
                for one, part in pairs(np.split(x, groups, axis=-1), np.split(w, groups))
            ]
            np.testing.assert_array_equal(call(name, x, w, **options), np.concatenate(parts, axis=-1))


@given(problems(), problems("conv_transpose2d"))
def test_a_dilation_is_zeros_between_the_taps(convolution, transposition):
    for name, (build, x, w, options) in (("conv2d", convolution), ("conv_transpose2d", transposition)):
        dilation = options["dilation"]
        stuffed = np.zeros((*w.shape[:2], *spans_of(w, dilation)))
        stuffed[:, :, :: dilation[0], :: dilation[1]] = w
        with running(build):
            want = call(name, x, stuffed, **options | {"dilation": 1})
            np.testing.assert_array_equal(call(name, x, w, **options), want)


@given(problems())
def test_a_stride_keeps_some_of_the_pixels(problem):
    build, x, w, options = problem
    rows, columns = options["stride"]
    with running(build):
        want = imfilt.conv2d(x, w, **options | {"stride": 1})[:, ::rows, ::columns]
        np.testing.assert_array_equal(imfilt.conv2d(x, w, **options), want)


@given(problems("conv_transpose2d"))
def test_a_transposed_convolution_is_one_of_zeros_between_the_pixels(problem):
    build, x, w, options = problem
    n, rows, columns, channels = x.shape
    (sy, sx), groups = options["stride"], options["groups"]
    apart = np.zeros((n, (rows - 1) * sy + 1, (columns - 1) * sx + 1, channels))
    apart[:, ::sy, ::sx] = x
    turned = [part.swapaxes(0, 1)[..., ::-1, ::-1] for part in np.split(w, groups)]
    with running(build):
        want = imfilt.conv2d(apart, np.concatenate(turned), padding="full", dilation=options["dilation"], groups=groups)
        np.testing.assert_array_equal(imfilt.conv_transpose2d(x, w, **options), want)


@given(problems(), problems("conv_transpose2d"), st.sampled_from(["float32", "float64", "uint8"]))
def test_a_batch_is_its_images_one_by_one(convolution, transposition, dtype):
    for name, (build, x, w, options) in (("conv2d", convolution), ("conv_transpose2d", transposition)):
        images = np.concatenate([x, x * 3 + 1]).astype(np.int64).astype(dtype)
        w = w / 7
        with running(build):
            want = np.stack([call(name, one, w, **options) for one in images])
            assert_same_bits(call(name, images, w, **options), want)


@given(problems(stride=(1, 1)), problems("conv_transpose2d"))
def test_flipped_and_turned(convolution, transposition):
    for name, (build, x, w, options) in (("conv2d", convolution), ("conv_transpose2d", transposition)):
        turned = options | {key: options[key][::-1] for key in ("stride", "dilation")}
        flipped, padding = dict(options), options.get("padding")
        if isinstance(padding, tuple):
            turned["padding"] = padding[::-1]
            flipped["padding"] = (padding[0][::-1], padding[1])
        with running(build):
            want = call(name, x, w, **options)
            got = call(name, x.swapaxes(1, 2), w.swapaxes(2, 3), **turned)
            np.testing.assert_array_equal(got.swapaxes(1, 2), want)
            np.testing.assert_array_equal(call(name, x[:, ::-1], w[:, :, ::-1], **flipped)[:, ::-1], want)


@given(problems(padding="same", stride=(1, 1)), two(-9, 9))
def test_shifts_and_constants(problem, shift):
    build, x, w, options = problem
    with running(build):
        options["mode"] = "wrap"
        want = np.roll(imfilt.conv2d(x, w, **options), shift, (1, 2))
        np.testing.assert_array_equal(imfilt.conv2d(np.roll(x, shift, (1, 2)), w, **options), want)
        for mode in MODES:
            got = imfilt.conv2d(np.full_like(x, 3), w, **options | {"mode": mode, "cval": 3 * (mode == "constant")})
            np.testing.assert_array_equal(got, np.broadcast_to(3 * w.sum(axis=(1, 2, 3)), got.shape))


@given(problems(groups=1))
def test_pointwise_is_a_matrix_and_depthwise_a_group_for_each_channel(problem):
    build, x, w, _ = problem
    matrix, each = w[:, :, 0, 0], np.resize(w, (x.shape[-1], 2, *w.shape[2:]))
    with running(build):
        np.testing.assert_array_equal(imfilt.pointwise_conv2d(x, matrix), x @ matrix.T)
        np.testing.assert_array_equal(imfilt.conv2d(x, matrix[:, :, None, None]), x @ matrix.T)
        want = imfilt.conv2d(x, each.reshape(-1, 1, *w.shape[2:]), groups=x.shape[-1])
        np.testing.assert_array_equal(imfilt.depthwise_conv2d(x, each), want)
        mixed = imfilt.depthwise_separable_conv2d(x, each, np.eye(want.shape[-1]))
        np.testing.assert_array_equal(mixed, want)


@given(two(1, 4), st.integers(0, 99), st.sampled_from(isa.usable()))
def test_ones_laid_side_by_side_repeat_the_pixels(stride, seed, build):
    x = whole(np.random.default_rng(seed), 5, 6)
    with running(build):
        got = imfilt.conv_transpose2d(x, np.ones((1, 1, *stride)), stride=stride)
    np.testing.assert_array_equal(got, np.kron(x, np.ones(stride)))


@pytest.mark.parametrize("names", [FAMILY, TRANSPOSED], ids=["convolutions", "transposed"])
@pytest.mark.parametrize("strange", [np.nan, np.inf])
def test_not_a_number_reaches_the_footprint_of_its_pixel_and_no_other(build, names, strange):
    tried = 0
    for seed in range(30 if build == "numpy" else 150):
        case = Case(seed, names)
        if not case.fits() or case.mixer is not None:
            continue
        case.result = None
        case.pixels = np.zeros(case.pixels.shape, case.rng.choice(("float32", "float64")))
        at = tuple(case.rng.randrange(n) for n in case.pixels.shape)
        case.weights, case.kernel = [np.ones_like(case.weights[0])], np.ones_like(case.kernel)
        case.bias, case.cval = None, 0
        case.options |= {"cval": 0} if "cval" in case.options else {}
        case.pixels[at] = 1
        want = case.exact(LOOPS["numpy"]) != 0
        case.pixels[at] = strange
        np.testing.assert_array_equal(~np.isfinite(case.run()), want, str(case))
        tried += 1
    assert tried > 15


# ---- the same bits, the same memory ----------------------------------------------


def large(rng, dtype, rows, columns):
    """Calls whose results have several bands, strips and chunks."""
    for channels, made in ((1, 1), (3, 16), (5, 33), (16, 3), (17, 17)):
        image = pixels(rng, (rows, columns, channels), dtype)
        for name in FUNCTIONS:
            weights = weights_of(name, channels, made, rng, (3, 4))
            yield name, (image, *weights), OPTIONS[name]
        yield "conv2d", (image, *weights_of("conv2d", channels, made, rng)), {"stride": (3, 2), "mode": "wrap"}
        for name in ("depthwise_conv2d", "depthwise_separable_conv2d"):
            yield name, (image, *weights_of(name, channels, made, rng, (5, 2))), {"stride": 2, "dilation": (1, 3)}
        groups = {"groups": channels, "padding": "full"}
        yield "conv2d", (image, rng.standard_normal((channels * 2, 1, 3, 3))), groups
        yield "conv_transpose2d", (image, rng.standard_normal((channels, 2, 5, 3)), np.ones(channels * 2)), groups | {
            "stride": (3, 4), "mode": "mirror", "padding": 2,
        }  # fmt: skip
    image = pixels(rng, (rows, columns, 12), dtype)
    yield "conv2d", (image, rng.standard_normal((20, 3, 3, 3)), np.ones(20)), {"groups": 4, "stride": (1, 2)}
    yield "conv2d", (image, rng.standard_normal((4, 3, 2, 3))), {"groups": 4, "dilation": 2}


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_threads_bands_and_strips_do_not_change_a_bit(build, monkeypatch, dtype):
    size = (9, 40) if build == "numpy" else (29, 141)
    calls = list(large(np.random.default_rng(10), dtype, *size))
    wants = [call(name, *arrays, **options) for name, arrays, options in calls]
    scratch = [name for name in vars(plan) if name.endswith(("LINE_BYTES", "RING_BYTES", "WEIGHTS_BYTES"))]
    assert scratch
    with monkeypatch.context() as patch:
        for tall, room in ((1, 1), (4, 3000), (7, None)):
            for name in scratch if room else ():
                patch.setattr(plan, name, room)
            force_bands(patch, tall)
            for n in (1,) if build == "numpy" else (1, 2, 3):
                with imfilt.num_threads(n):
                    for (name, arrays, options), want in pairs(calls, wants):
                        what = f"{name} {[a.shape for a in arrays]} {options} bands {tall} room {room} threads {n}"
                        assert_same_bits(call(name, *arrays, **options), want, what)
            patch.undo()
    plan.forget()


def test_threads_do_not_change_a_bit_of_a_large_image(build):
    if build == "numpy":
        pytest.skip("the readable twin is slow")
    rng = np.random.default_rng(11)
    image = pixels(rng, (500, 300, 8), "float32")
    for name in FUNCTIONS:
        weights = weights_of(name, 8, 8, rng)
        with imfilt.num_threads(1):
            want = call(name, image, *weights, **OPTIONS[name])
        for n in (2, 3):
            with imfilt.num_threads(n):
                assert_same_bits(call(name, image, *weights, **OPTIONS[name]), want, f"{name} {n}")


@pytest.mark.parametrize("multiplier", [1, 2, 3, 8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 16, 33])
def test_depthwise_has_the_same_bits_from_every_build(channels, multiplier):
    rng = np.random.default_rng(12)
    calls = []
    for dtype in ("uint8", "float32", "float64"):
        image = pixels(rng, (9, 17, channels), dtype)
        for kernel, options in [((3, 3), {}), ((5, 5), {"padding": "same", "mode": "mirror"}), ((1, 1), {}),
                                ((5, 3), {"stride": (2, 3), "dilation": (1, 2)})]:  # fmt: skip
            weight = rng.standard_normal((channels, multiplier, *kernel))
            for bias in (None, rng.standard_normal(channels * multiplier)):
                calls.append(("depthwise_conv2d", (image, weight, bias), options))
            if multiplier == 1:
                calls.append(("conv2d", (image, weight), {"groups": channels, **options}))
                calls.append(("conv_transpose2d", (image, weight), {"groups": channels, **options}))
    with running("numpy"):
        wants = [call(name, *arrays, **options) for name, arrays, options in calls]
    for build in isa.usable()[1:]:
        with running(build):
            for (name, arrays, options), want in pairs(calls, wants):
                what = f"{build} {name} {arrays[0].dtype} {arrays[1].shape} {options}"
                assert_same_bits(call(name, *arrays, **options), want, what)


@pytest.mark.parametrize("channels", [16, 20, 32, 49])
def test_depthwise_results_that_begin_anywhere(build, channels, streamed):
    if build == "numpy":
        pytest.skip("the twin itself")
    rng = np.random.default_rng(14)
    for dtype, kernel in (("float32", (3, 3)), ("float32", (5, 7)), ("float64", (5, 3)), ("uint8", (4, 3))):
        image = pixels(rng, (15, 90, channels), dtype)
        weight, bias = rng.standard_normal((channels, *kernel)), rng.standard_normal(channels)
        for added in (None, bias):
            with running("numpy"):
                want = imfilt.depthwise_conv2d(image, weight, added, padding="same", mode="mirror")
            for out in begun_anywhere(want, (0, 1, 4, 8, 16)):
                imfilt.depthwise_conv2d(image, weight, added, padding="same", mode="mirror", out=out)
                assert_same_bits(out, want, f"{dtype} {kernel} {out.ctypes.data % 64}")
    zeros, negative = np.zeros((15, 90, channels), np.float32), -1 - rng.random((channels, 3, 3))
    assert np.signbit(imfilt.depthwise_conv2d(zeros, negative)).all()  # -0, without a bias


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses mprotect")
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("at_end", [False, True])
def test_no_byte_beside_the_arrays_is_touched(build, name, at_end):
    if build == "numpy":
        pytest.skip("NumPy's own loops")
    rng = random.Random(13)
    steps = [{}, {"padding": "same", "mode": "wrap"}, {"stride": 3, "mode": "mirror"}]
    steps.append({"stride": (2, 3), "padding": "same_lower" if name == "conv_transpose2d" else 1})
    for channels in (1, 3, 5, 15, 16, 17, 31, 33):
        for shape in ((1, 1), (2, 3), (4, 17), (3, 70)):
            for dtype in ("float32", "float64", "uint8"):
                data = np.random.default_rng(channels)
                image = guarded(pixels(data, (*shape, channels), dtype), at_end)
                for options in steps if name != "pointwise_conv2d" else steps[:1]:
                    kernel = [rng.randint(1, min(n, 5)) for n in shape]
                    weights = weights_of(name, channels, rng.choice((1, 3, 5, 15, 16, 17, 31, 33)), data, kernel)
                    want = call(name, np.array(image), *weights, **options)
                    for result in (None, "float32", "uint8"):
                        out = guarded(np.zeros(want.shape, result or want.dtype), at_end)
                        got = call(name, image, *weights, out=out, **options)
                        assert result or (got == want).all()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses mprotect")
@pytest.mark.parametrize("at_end", [False, True])
def test_no_byte_beside_the_arrays_is_touched_by_groups(build, at_end):
    if build == "numpy":
        pytest.skip("NumPy's own loops")
    for names in (("conv2d",), TRANSPOSED):
        for seed in range(200):
            case = Case(seed, names)
            if case.fits() and case.groups > 1:
                image, want = guarded(case.placed(case.pixels), at_end), case.run(dtype=case.result)
                got = call(case.name, image, *case.weights, case.bias, out=guarded(want * 0, at_end), **case.options)
                assert_same_bits(got, want, str(case))


# ---- whole numbers ---------------------------------------------------------------


@pytest.mark.parametrize(("image", "taps", "options"), [
    (np.array([[255, 255, 1]], np.uint8), [65793, -65793, 1], {}),
    (np.array([[65535, 65535, 1]], np.uint16), [257, -257, 1], {}),
    (np.array([[-32768, -32768, 1]], np.int16), [513, -513, 1], {}),
    (np.array([[2**31 - 1, 2**31 - 1, 1]], np.int32), [2**20, -(2**20), 1], {}),
    (np.array([[-128, -127, -127, -127, 127]], np.int8), [132100, 1, 1, 1, 1], {}),
    (np.array([[True, True]]), [2**24 + 1, -(2**24)], {}),
    (np.array([[1]], np.uint8), [1, 1, -1], {"padding": ((0, 0), (1, 1)), "cval": 2**24}),
], ids=["uint8", "uint16", "int16", "int32", "int8", "bool", "cval"])  # fmt: skip
def test_sums_past_the_whole_numbers_of_float32_are_exact(build, image, taps, options):
    """Bound of DESIGN.md, section 3: integer images with integer taps are exact until the final rounding."""
    row, cval = image[0].astype(object), options.get("cval")
    row = row if cval is None else np.array([cval, *row, cval], object)
    want = sum(int(a) * b for a, b in pairs(row, taps))
    for dtype in ("float32", "float64"):
        weight = np.array(taps)[None, None, None]
        assert imfilt.conv2d(image, weight, dtype=dtype, **options) == np.array(want, dtype)
        got = imfilt.conv2d(image[..., None], np.repeat(weight, 3, axis=0), dtype=dtype, **options)
        assert (got == np.array(want, dtype)).all()


# ---- weights that change ---------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_weight_that_was_changed_in_place_gives_the_new_result(build, name, dtype):
    rng = np.random.default_rng([15, *map(ord, build + name + dtype)])  # weights that no other test has used
    image = pixels(rng, (7, 9, 4), dtype)
    arrays = [*weights_of(name, 4, 6, rng), np.zeros(4 if name == "depthwise_conv2d" else 6)]
    for array in arrays:
        for _ in range(3):
            before, copies = call(name, image, *arrays), [one.copy() for one in arrays]
            array.flat[-1] += 1
            after = call(name, image, *arrays)
            assert (after != before).any()
            assert_same_bits(call(name, image, *copies), before, name)
            assert_same_bits(call(name, image, *(one.copy() for one in arrays)), after, name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_kept_of_a_weight_does_not_change_with_it(build, name):
    """The other arithmetic packs its own copy, when it is first used."""
    rng = np.random.default_rng([16, *map(ord, build + name)])
    image = pixels(rng, (7, 9, 4), "float64")
    arrays = [*weights_of(name, 4, 6, rng), np.zeros(4 if name == "depthwise_conv2d" else 6)]
    copies = [one.copy() for one in arrays]
    want = call(name, image, *arrays)
    for array in arrays:
        array += 1
    got = call(name, image.astype(np.float32), *copies)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4)


def test_the_same_bytes_in_another_shape_are_another_weight(build):
    image = pixels(np.random.default_rng(14), (7, 9, 4), "float64")
    for kernel in ((1, 4), (4, 1), (2, 2)):
        weight = np.arange(16.0 * 4).reshape(4, 4, *kernel)
        want = correlate(image[None], weight, (1, 1), (1, 1), 1)[0]
        for stride in (1, 2):
            np.testing.assert_allclose(imfilt.conv2d(image, weight, stride=stride), want[::stride, ::stride], 1e-12)


# ---- refusals --------------------------------------------------------------------


ANY = np.random.default_rng(15).random((9, 11, 4))
W, D, P, T = (np.ones(shape) for shape in ((6, 4, 3, 3), (4, 3, 3), (6, 4), (4, 6, 3, 3)))
FROZEN = np.zeros((7, 9, 6))
FROZEN.flags.writeable = False
WRONG = [
    ("conv2d", (ANY, W[0]), {}, ValueError, r"weight.*\(C_out, C_in ?/ ?groups, kH, kW\).*\(4, 3, 3\)"),
    ("conv2d", (ANY, W[:, :3]), {}, ValueError, r"weight \(6, 3, 3, 3\) takes images of 3 channels.* has 4"),
    ("conv2d", (ANY[..., 0], W), {}, ValueError, r"takes images of 4 channels, but shape \(9, 11\) has 1"),
    ("conv2d", (ANY, W), {"groups": 2}, ValueError, "takes images of 8 channels.* has 4"),
    ("conv2d", (ANY, W), {"groups": 3}, ValueError, r"groups must divide.*\(4, 6\), not be 3"),
    ("conv2d", (ANY, W), {"groups": 0}, ValueError, "groups must be a whole number of 1 or more, not 0"),
    ("conv2d", (ANY, W), {"groups": 1.0}, TypeError, "groups must be a whole number"),
    ("conv2d", (ANY, W * np.nan), {}, ValueError, "weight must be finite"),
    ("conv2d", (ANY, W + np.inf), {}, ValueError, "weight must be finite"),
    ("conv2d", (ANY, W + 0j), {}, TypeError, "weight must hold real numbers, not complex128"),
    ("conv2d", (ANY, [[1.0], [2.0, 3.0]]), {}, TypeError, "weight cannot be read"),
    ("conv2d", (ANY, W[:0]), {}, ValueError, "weight"),
    ("conv2d", (ANY, W[..., :0]), {}, ValueError, "weight"),
    ("conv2d", (ANY, W, np.ones(4)), {}, ValueError, r"bias must have a number for each of the 6.*\(4,\)"),
    ("conv2d", (ANY, W, np.full(6, np.nan)), {}, ValueError, "bias must be finite"),
    ("conv2d", (ANY, W, 1.0), {}, ValueError, "bias"),
    ("conv2d", (ANY + 0j, W), {}, TypeError, "image has dtype complex128"),
    ("conv2d", (ANY.astype(object), W), {}, TypeError, "image has dtype object"),
    ("conv2d", (ANY[0, 0], W), {}, ValueError, "two dimensions"),
    ("conv2d", (ANY[None, None], W), {}, ValueError, "four with images first"),
    ("conv2d", (ANY, W), {"channel_axis": None}, ValueError, "volume"),
    ("conv2d", (ANY[None], W), {"channel_axis": 0}, ValueError, "channel_axis must not be 0"),
    ("conv2d", (ANY, W), {"channel_axis": 3}, ValueError, "channel_axis must be between -3 and 2"),
    ("conv2d", (ANY, W), {"channel_axis": 0}, ValueError, "takes images of 4 channels.* has 9"),
    ("conv2d", (ANY, W), {"padding": "some"}, ValueError, "padding must be .*'valid', 'same', 'same_lower', 'full'"),
    ("conv2d", (ANY, W), {"padding": -1}, ValueError, "padding must be"),
    ("conv2d", (ANY, W), {"padding": 1.5}, TypeError, "padding must be"),
    ("conv2d", (ANY, W), {"padding": (1, 2, 3)}, ValueError, "padding must be"),
    ("conv2d", (ANY, W), {"padding": ((1, 2), (3, 4, 5))}, ValueError, "padding must be"),
    ("conv2d", (ANY, W), {"stride": 0}, ValueError, "stride must be a whole number of 1 or more, not 0"),
    ("conv2d", (ANY, W), {"stride": (1, 2, 3)}, ValueError, "stride must be a number or two"),
    ("conv2d", (ANY, W), {"dilation": -1}, ValueError, "dilation must be a whole number of 1 or more"),
    ("conv2d", (ANY, W), {"dilation": 5}, ValueError, r"spans \(11, 11\).*the padded image has only \(9, 11\)"),
    ("conv2d", (ANY[:2], W), {}, ValueError, r"the padded image has only \(2, 11\)"),
    ("conv2d", (ANY, W), {"mode": "odd"}, ValueError, "mode must be one of constant.*'odd'"),
    ("conv2d", (ANY, W), {"mode": "zeros", "cval": 1}, ValueError, "zeros"),
    ("conv2d", (ANY, W), {"cval": "high"}, TypeError, "cval must be a number"),
    ("conv2d", (ANY, W), {"dtype": complex, "out": None}, TypeError, "dtype must be one of uint8"),
    ("conv2d", (ANY, W), {"dtype": "float32"}, ValueError, "dtype is float32 but out has float64"),
    ("conv2d", (ANY, W), {"out": FROZEN}, ValueError, "out is read-only"),
    ("conv2d", (ANY[:0], W), {}, ValueError, "the padded image has only"),
    ("conv2d", (ANY[:0], W), {"padding": 2}, ValueError, r"image of shape \(0, 11, 4\) is empty"),
    ("conv2d", (ANY, W), {"out": np.zeros((7, 9, 4))}, ValueError, r"out must have the shape.*\(7, 9, 6\), not"),
    ("conv2d", (ANY, W), {"out": [[0.0]]}, TypeError, "out must be a NumPy array"),
    ("depthwise_conv2d", (ANY, D[:3]), {}, ValueError, r"weight \(3, 3, 3\) takes images of 3 channels.* has 4"),
    ("depthwise_conv2d", (ANY, P), {}, ValueError, r"\(C, kH, kW\) or \(C, M, kH, kW\)"),
    ("depthwise_conv2d", (ANY, D, np.ones(3)), {}, ValueError, "bias must have a number for each of the 4"),
    ("depthwise_conv2d", (ANY, D), {"padding": "lower"}, ValueError, "padding must be"),
    ("pointwise_conv2d", (ANY, P[:, :2]), {}, ValueError, r"weight.*takes images of 2 channels.* has 4"),
    ("pointwise_conv2d", (ANY, W), {}, ValueError, r"\(C_out, C_in\)"),
    ("depthwise_separable_conv2d", (ANY, D[:2], P), {}, ValueError, "depthwise .* takes images of 2 channels.* has 4"),
    ("depthwise_separable_conv2d", (ANY, D, P[:, :3]), {}, ValueError, "pointwise .* takes 3 channels.* makes 4"),
    ("depthwise_separable_conv2d", (ANY, D, W), {}, ValueError, r"pointwise must be \(C_out, C \* M\)"),
    ("depthwise_separable_conv2d", (ANY, D * np.nan, P), {}, ValueError, "depthwise must be finite"),
    ("depthwise_separable_conv2d", (ANY, D, P * np.nan), {}, ValueError, "pointwise must be finite"),
    ("depthwise_separable_conv2d", (ANY, D, P, np.ones(4)), {}, ValueError, "bias must have a number"),
    ("conv_transpose2d", (ANY, T[:3]), {}, ValueError, r"weight \(3, 6, 3, 3\) takes images of 3 channels.* has 4"),
    ("conv_transpose2d", (ANY, T), {"groups": 3}, ValueError, "groups must divide"),
    ("conv_transpose2d", (ANY, T, np.ones(6)), {"groups": 2}, ValueError, "bias must have a number for each of the 12"),
    ("conv_transpose2d", (ANY, T), {"output_padding": 1}, ValueError, "output_padding must be smaller than stride"),
    ("conv_transpose2d", (ANY, T), {"output_padding": -1}, ValueError, "output_padding must be a whole number of 0"),
    ("conv_transpose2d", (ANY, T), {"output_size": (5, 5)}, ValueError, r"output_size must be between \(11, 13\)"),
    ("conv_transpose2d", (ANY, T), {"output_size": (20, 23), "output_padding": 1, "stride": 2}, ValueError, "both"),
    ("conv_transpose2d", (ANY, T), {"padding": 6}, ValueError, "crops everything"),
    ("conv_transpose2d", (ANY, T), {"padding": "Same"}, ValueError, "padding must be"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "options", "error", "match"), WRONG)
def test_bad_arguments_are_named_and_nothing_is_written(name, arrays, options, error, match):
    out = np.full({"depthwise_conv2d": (7, 9, 4), "pointwise_conv2d": (9, 11, 6)}.get(name, (7, 9, 6)), 7.0)
    with pytest.raises(error, match=match):
        call(name, *arrays, **{"out": out} | options)
    assert (out == 7).all()


@pytest.mark.parametrize("shape", [(0, 5, 4), (5, 0, 4), (0, 5, 6, 4), (2, 0, 6, 4), (2, 5, 0, 4)])
def test_empty_images_have_empty_results(build, shape):
    image, front = np.zeros(shape), shape[:-1]
    for padding in SAMES:
        assert imfilt.conv2d(image, W, padding=padding).shape == (*front, 6)
        assert imfilt.depthwise_conv2d(image, D, padding=padding).shape == (*front, 4)
        assert imfilt.depthwise_separable_conv2d(image, D, P, padding=padding).shape == (*front, 6)
        assert imfilt.conv_transpose2d(image, T, padding=padding).shape == (*front, 6)
    if 0 not in shape[-3:]:
        assert imfilt.conv2d(image, W).shape == (0, 3, 4, 6)
        assert imfilt.pointwise_conv2d(image, P).shape == (*front, 6)


@pytest.mark.parametrize("taken", [1, 2, 3, 4])
@pytest.mark.parametrize("made", [1, 2, 3, 4])
def test_few_channels_are_picked_by_vectors(build, taken, made):
    """Of single precision, without fused products: the same bits from every build; of doubles, where they are right."""
    rng = np.random.default_rng(taken * 5 + made)
    weight, bias = rng.standard_normal((made, taken, 2, 3)), rng.standard_normal(made)
    for width in (3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 18, 31, 33, 48, 50, 100, 2000):
        image = rng.random((5, width, taken))
        with plan.watched() as steps:
            got = imfilt.conv2d(image.astype(np.float32), weight, bias, padding=1, mode="wrap")
        assert [step.loop for step in steps] == ["direct"]
        one = imfilt.conv2d(image, weight, bias, padding=1, mode="wrap")
        assert_within(got, one, 1e-5, f"{width}")
        before = isa.active
        isa.use("numpy")
        try:
            want = imfilt.conv2d(image.astype(np.float32), weight, bias, padding=1, mode="wrap")
        finally:
            isa.use(before)
        assert_same_bits(got, want, f"{width}")
