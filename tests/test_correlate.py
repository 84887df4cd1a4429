"""One kernel on every channel, whatever the plan: against the definition, against SciPy, and against the laws.

A failure prints its case, seed first: `Case(seed).check(...)` is that case again.
"""

import collections
import random
from functools import partial

import numpy as np
import pytest
import scipy.ndimage
from conftest import MODES, assert_same_bits, assert_within, pixels
from hypothesis import given
from hypothesis import strategies as st
from skimage.filters import gabor_kernel
from test_contract import force_bands, layouts

import imfilt
from imfilt._engine import isa, plan, spectral

PLANS = ("auto", "direct", "fused", "separable", "fft")
PADDERS = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}
SCIPY_WRAPS = {"wrap": "grid-wrap"}
LARGEST = spectral.TILES[-1] // 2  # kernel of a transform
DTYPES = ("bool", "uint8", "int16", "uint16", "int32", "float16", "float32", "float64")


def pairs(*axes):
    return zip(*axes, strict=True)


def eps(dtype):
    return np.finfo(dtype).eps


@pytest.fixture
def taken(monkeypatch):
    """The names of the plans that were taken, the last one last."""
    names, make = [], plan.make

    def spy(kernel, *call, **options):
        made = make(kernel, *call, **options)
        names.append(made.name)
        return made

    monkeypatch.setattr(plan, "make", spy)
    return names


# ---- what is right ---------------------------------------------------------------


def stuffed(kernel, dilation):
    """The kernel with zeros between its taps."""
    taps = np.zeros([d * (n - 1) + 1 for n, d in pairs(np.shape(kernel), dilation)])
    taps[:: dilation[0], :: dilation[1]] = kernel
    return taps


def define(image, kernel, mode="reflect", cval=0.0, origin=(0, 0), dilation=(1, 1), stride=(1, 1), flip=False):
    """The definition in double, channels last: the result, sum|w||x| of each of its pixels, and max|x|.

    Pixels under a tap of 0 are not read. What lies beyond the border counts for max|x|.
    """
    taps = stuffed(kernel, dilation)
    before = [(n - 1) // 2 - o if flip else n // 2 + o for n, o in pairs(taps.shape, origin)]
    taps = taps[::-1, ::-1] if flip else taps
    pads = [(b, n - 1 - b) for b, n in pairs(before, taps.shape)] + [(0, 0)] * (image.ndim - 2)
    constant = {"constant_values": cval} if mode == "constant" else {}
    padded = np.pad(image.astype(np.float64), pads, PADDERS[mode], **constant)
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps.shape, axis=(0, 1))
    at = np.nonzero(taps)
    seen = windows[:: stride[0], :: stride[1]][(..., *at)]
    return seen @ taps[at], np.abs(seen) @ np.abs(taps[at]), max(np.abs(padded).max(), *map(abs, constant.values()), 0)


def scipy_says(image, kernel, mode, cval, origin, dilation, flip):
    function = scipy.ndimage.convolve if flip else scipy.ndimage.correlate
    planes = np.moveaxis(np.atleast_3d(image).astype(np.float64), -1, 0)
    taps, mode = stuffed(kernel, dilation), SCIPY_WRAPS.get(mode, mode)
    results = [function(plane, taps, mode=mode, cval=cval, origin=origin) for plane in planes]
    return np.stack(results, axis=-1).reshape(image.shape)


def bound(kernel, dtype, name, size, most):
    """What a result may be off: by pixel where there are products of taps and pixels only, else by the largest."""
    factors = imfilt.separate(kernel) if name == "separable" else None
    by_pixel = name == "direct" or (factors is not None and factors.rank == 1 and factors.exact)
    return (np.count_nonzero(kernel) + 4) * eps(dtype) * (size if by_pixel else np.abs(kernel).sum() * most)


# ---- random cases ----------------------------------------------------------------


def tap_values(kind, shape, rng):
    if kind == "rank 1":
        return np.outer(*(rng.standard_normal(n) for n in shape))
    if kind == "rank 2":
        return rng.standard_normal((shape[0], 2)) @ rng.standard_normal((2, shape[1]))
    if kind == "whole":
        return rng.integers(-9, 10, shape).astype(float)
    if kind == "whole, rank 2":
        return (rng.integers(-5, 6, (shape[0], 2)) @ rng.integers(-5, 6, (2, shape[1]))).astype(float)
    if kind == "all zeros":
        return np.zeros(shape)
    taps = rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4)
    if kind == "many zeros":
        return taps * (rng.random(shape) < 0.3)
    if kind == "single tap":
        one = np.zeros(shape)
        one[tuple(rng.integers(0, n) for n in shape)] = taps[0, 0]
        return one
    return taps


KINDS = (*("random", "rank 1", "rank 2", "whole", "whole, rank 2", "many zeros") * 4, "single tap", "all zeros")


class Case:
    """A random call: an image, a kernel, and options."""

    def __init__(self, seed):
        self.seed, rng, data = seed, random.Random(seed), np.random.default_rng(seed)
        self.kind, self.dtype, self.flip = rng.choice(KINDS), rng.choice(DTYPES), rng.random() < 0.5
        shape = rng.randint(1, 12), rng.randint(1, 12)
        self.kernel = tap_values(self.kind, shape, data)
        large = 5 if rng.random() < 0.2 else 40
        self.size = rng.randint(1, large), rng.randint(1, rng.choice((large, 70)))
        self.channels = rng.choice((None, None, None, 1, 2, 3, 4))
        self.axis = -1 if self.channels is None else rng.choice((0, 1, 2, -1, -2, -3))
        self.image = pixels(data, self.size if self.channels is None else (*self.size, self.channels), self.dtype)
        dilation = (1, 1) if rng.random() < 0.6 else (rng.randint(1, 3), rng.randint(1, 3))
        stride = (1, 1) if rng.random() < 0.6 else (rng.randint(1, 4), rng.randint(1, 4))
        self.spans = tuple(d * (n - 1) + 1 for n, d in pairs(shape, dilation))
        self.options = {
            "mode": rng.choice(MODES),
            "cval": rng.choice((0.0, 1.0, 7.0, -3.0 if self.is_exact else -2.625)),
            "origin": tuple(rng.choice((0, rng.randint(-(n // 2), (n - 1) // 2))) for n in self.spans),
            "dilation": dilation,
            "stride": stride,
        }

    def __str__(self):
        name = "convolve" if self.flip else "correlate"
        options = ", ".join(f"{key}={value}" for key, value in self.options.items())
        return (
            f"Case({self.seed}): {name} {self.size} x {self.channels} channels on axis {self.axis}, {self.dtype}, "
            f"with {self.kernel.shape} {self.kind}, {options}, on {isa.active}"
        )

    @property
    def is_exact(self):
        return self.kind.startswith("whole") and np.dtype(self.dtype).kind in "iub"

    def call(self, name):
        function = imfilt.convolve if self.flip else imfilt.correlate
        image = self.image if self.channels is None else np.moveaxis(self.image, -1, self.axis)
        got = function(image, self.kernel, plan=name, channel_axis=self.axis, **self.options)
        return got if self.channels is None else np.moveaxis(got, self.axis, -1)

    def check(self, plans=PLANS):
        """Every plan that can do it; their names."""
        exact, size, most = define(self.image, self.kernel, flip=self.flip, **self.options)
        if self.options["stride"] == (1, 1) and all(n >= span for n, span in pairs(self.size, self.spans)):
            options = {key: value for key, value in self.options.items() if key != "stride"}
            says = scipy_says(self.image, self.kernel, flip=self.flip, **options)
            assert_within(says, exact, bound(self.kernel, "f8", "direct", size, most), f"SciPy and {self}")
        shape = self.image.shape if self.axis in (2, -1) else self.size
        steps = {key: self.options[key] for key in ("dilation", "stride")}
        report = imfilt.explain_plan(self.kernel, shape, self.dtype, **steps)
        done = []
        for name in plans:
            what = f"{name} plan of {self}"
            if name not in ("auto", *report.errors):
                with pytest.raises(ValueError, match=f"plan '{name}' cannot do this: .+"):
                    self.call(name)
                continue
            done.append(name)
            got = self.call(name)
            assert got.dtype == (np.float64 if self.dtype in ("int32", "float64") else np.float32), what
            if self.is_exact and name in ("auto", "direct"):
                np.testing.assert_array_equal(got, exact.astype(got.dtype), what)
            assert_within(got, exact, bound(self.kernel, got.dtype, name, size, most), what)
            known = report.errors[report.plan if name == "auto" else name]
            assert_within(got, exact, known * np.abs(self.kernel).sum() * most, f"explained {what}")
        return done


def test_random_cases(build):
    count, first = (150, 0) if build == "numpy" else (1000, 1000 * isa.NAMES.index(build))
    ran = collections.Counter()
    for seed in range(first, first + count):
        ran.update(Case(seed).check())
    assert ran["auto"] == ran["direct"] == count
    assert ran["separable"] > 0.9 * count, ran
    assert ran["fft"] > 0.5 * count, ran
    assert ran["fused"] > 0.3 * count, ran


def test_whole_numbers_stay_exact_in_large_kernels(build):
    """Sums that float32 cannot hold, and the largest pixels of each type."""
    rng = np.random.default_rng(1)
    many = rng.integers(-3, 4, (31, 31)).astype(float)
    columns, rows = rng.integers(-3, 4, (2, 5, 31))
    product = columns.T @ rows
    for kernel in (many, np.ones((31, 31)), np.outer(columns[0], rows[0]), product, many[:9, :9], many[:2, :3]):
        for dtype in ("bool", "uint8", "int16", "uint16", "int32"):
            image = pixels(rng, (20, 33), dtype)
            image[3:9, 5:20] = 1 if dtype == "bool" else np.iinfo(dtype).max
            exact = define(image, kernel)[0]
            for name in ("auto", "direct"):
                got = imfilt.correlate(image, kernel, plan=name, dtype="float64")
                np.testing.assert_array_equal(got, exact, f"{name} {dtype} {kernel.shape}")
                got = imfilt.correlate(image, kernel, plan=name)
                np.testing.assert_array_equal(got, exact.astype(got.dtype), f"{name} {dtype} {kernel.shape}")
            if kernel is product:
                got = imfilt.separable(image, columns, rows)
                np.testing.assert_array_equal(got, exact.astype(got.dtype), f"factors {dtype}")
    assert imfilt.correlate([[True, True, True]], [[2**24, 1, -(2**24)]], dtype="float32", mode="wrap")[0, 1] == 1


# ---- laws ------------------------------------------------------------------------

sizes = st.tuples(st.integers(1, 24), st.integers(1, 40))
shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
steps = st.tuples(st.integers(1, 3), st.integers(1, 3))
modes, seeds = st.sampled_from(MODES), st.integers(0, 2**32 - 1)


def whole(seed, *shapes_):
    """Arrays of small whole numbers, with which every law holds to the bit."""
    rng = np.random.default_rng(seed)
    return [rng.integers(-50, 50, shape).astype(float) for shape in shapes_]


def real(seed, *shapes_):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes_]


def origins(shape, seed):
    rng = random.Random(seed)
    return tuple(rng.randint(-(n // 2), (n - 1) // 2) for n in shape)


def mirrored(origin, shape):
    return tuple(-o - (n % 2 == 0) for o, n in pairs(origin, shape))


@given(sizes, shapes, modes, seeds)
def test_convolution_is_correlation_with_the_kernel_rotated(size, shape, mode, seed):
    image, kernel = real(seed, size, shape)
    origin = origins(shape, seed)
    want = imfilt.correlate(image, kernel[::-1, ::-1], mode=mode, origin=mirrored(origin, shape))
    assert_same_bits(imfilt.convolve(image, kernel, mode=mode, origin=origin), want)


@given(sizes, shapes, modes, seeds, st.integers(-9, 9))
def test_linear_in_the_image_and_in_the_kernel(size, shape, mode, seed, times):
    a, b, v, w = whole(seed, size, size, shape, shape)

    def correlate(image, kernel):
        return imfilt.correlate(image, kernel, mode=mode)

    np.testing.assert_array_equal(correlate(a + times * b, v), correlate(a, v) + times * correlate(b, v))
    np.testing.assert_array_equal(correlate(a, v + times * w), correlate(a, v) + times * correlate(a, w))


@given(shapes, seeds, st.sampled_from(("auto", "direct", "separable", "fft")))
def test_an_impulse_becomes_the_kernel(shape, seed, name):
    (kernel,) = real(seed, shape)
    impulse, want = np.zeros((2, 25, 27))
    impulse[12, 13] = 1
    want[12 - shape[0] // 2 :, 13 - shape[1] // 2 :][: shape[0], : shape[1]] = kernel
    got = imfilt.convolve(impulse, kernel, plan=name)
    assert_within(got, want, 0 if name == "direct" else bound(kernel, "f8", name, np.abs(want), 1), name)


@given(sizes, shapes, modes, seeds)
def test_flips_and_transposes(size, shape, mode, seed):
    image, kernel = whole(seed, size, shape)
    origin = origins(shape, seed)
    want = imfilt.correlate(image, kernel, mode=mode, cval=3, origin=origin)
    got = imfilt.correlate(image.T, kernel.T, mode=mode, cval=3, origin=origin[::-1])
    np.testing.assert_array_equal(got.T, want)
    moved = mirrored(origin[:1], shape[:1]) + origin[1:]
    got = imfilt.correlate(image[::-1], kernel[::-1], mode=mode, cval=3, origin=moved)
    np.testing.assert_array_equal(got[::-1], want)
    got = imfilt.correlate(image[::-1, ::-1], kernel[::-1, ::-1], mode=mode, cval=3, origin=mirrored(origin, shape))
    np.testing.assert_array_equal(got[::-1, ::-1], want)


@given(sizes, shapes, modes, steps, steps, seeds, st.sampled_from(("direct", "separable")))
def test_a_stride_leaves_pixels_out_and_a_dilation_puts_zeros_in(size, shape, mode, stride, dilation, seed, name):
    image, kernel = real(seed, size, shape)
    spread = stuffed(kernel, dilation)
    options = {"mode": mode, "cval": 2, "origin": origins(spread.shape, seed)}
    want = imfilt.correlate(image, kernel, plan=name, dilation=dilation, **options)
    got = imfilt.correlate(image, kernel, plan=name, dilation=dilation, stride=stride, **options)
    assert_same_bits(got, np.ascontiguousarray(want[:: stride[0], :: stride[1]]), name)
    got = imfilt.correlate(image, spread, plan=name, **options)
    most = max(np.abs(image).max(), 2)
    assert_within(got, want, 0 if name == "direct" else 2 * bound(kernel, "f8", "fft", 0, most), name)


@given(sizes, shapes, st.integers(1, 3), modes, steps, steps, seeds)
def test_separable_is_correlation_with_the_outer_product(size, shape, terms, mode, dilation, stride, seed):
    image, columns, rows = real(seed, size, (terms, shape[0]), (terms, shape[1]))
    image, kernel = image.astype(np.float32), columns.T @ rows
    origin = origins(stuffed(kernel, dilation).shape, seed)
    options = {"mode": mode, "origin": origin, "dilation": dilation, "stride": stride}
    exact, _, most = define(image, kernel, **options)
    sums = sum(define(image, np.outer(u, v), **options)[1] for u, v in pairs(columns, rows))
    got = imfilt.separable(image, *((columns[0], rows[0]) if terms == 1 else (columns, rows)), **options)
    assert_within(got, exact, (kernel.size + 4) * eps(np.float32) * sums)
    factors = imfilt.separate(kernel)
    got = imfilt.separable(image, factors.columns, factors.rows, **options)
    assert_within(got, exact, factors.growth * bound(kernel, "f4", "fft", 0, most))
    spread = imfilt.correlate(image, kernel, **options)
    assert_within(got, spread, (factors.growth + 1) * bound(kernel, "f4", "fft", 0, most))


@given(st.integers(8, 40), st.integers(8, 40), modes, seeds, st.sampled_from(("float32", "float64")))
def test_plans_agree(rows, columns, mode, seed, dtype):
    rng = np.random.default_rng(seed)
    terms = rng.integers(1, 4)
    image = pixels(rng, (rng.integers(1, 90), rng.integers(1, 150)), dtype)
    kernel = rng.standard_normal((rows, terms)) @ rng.standard_normal((terms, columns))
    exact, size, most = define(image, kernel, mode)
    for name in PLANS:
        got = imfilt.correlate(image, kernel, mode=mode, plan=name)
        assert_within(got, exact, bound(kernel, dtype, name, size, most), name)


@given(sizes, st.tuples(st.integers(4, 9), st.integers(3, 9)), modes, seeds, st.sampled_from(PLANS))
def test_a_constant_image_stays_constant(size, shape, mode, seed, name):
    kernel = np.random.default_rng(seed).random(shape) + 0.1
    kernel /= kernel.sum()
    image = np.full(size, 0.7)
    got = imfilt.correlate(image, kernel, mode=mode, cval=0.7, plan=name)
    assert_within(got, image, bound(kernel, "f8", "fft", 0, 0.7), name)
    got = imfilt.correlate(np.full(size, 200, np.uint8), np.ones(shape) / 4, mode=mode, cval=200, plan="direct")
    assert (got == 50 * kernel.size).all()


# ---- the same bits ---------------------------------------------------------------


def ways():
    """Calls that take every way through the core: (name, function of an image)."""
    rng = np.random.default_rng(2)
    holes = rng.standard_normal((6, 8)) * (rng.random((6, 8)) < 0.6)
    sparse = rng.standard_normal((9, 9)) * (rng.random((9, 9)) < 0.1)
    few, many = rng.standard_normal((3, 3)), rng.standard_normal((5, 5))
    even = np.exp(-(np.arange(-3, 4) ** 2) / 5)
    terms = rng.standard_normal((2, 2, 5))
    kernels = [
        ("few taps", few, {}), ("taps far apart", sparse, {}), ("few taps, dilated", few, {"dilation": (3, 4)}),
        ("many taps", many, {}), ("many taps, some zero", holes, {}), ("many, dilated", many, {"dilation": (1, 2)}),
        ("stride 2", many, {"stride": 2}), ("stride 3", few, {"stride": (1, 3), "dilation": (1, 2)}),
        ("stride (3, 2)", holes, {"stride": (3, 2)}),
    ]  # fmt: skip
    for name, kernel, options in kernels:
        yield name, partial(imfilt.correlate, kernel=kernel, plan="direct", **options)
    factors = [
        ("even", even, even, {}), ("odd", [1, 2, 1], [-1, -2, 0, 2, 1], {}), ("plain", even[:4], [1, 2.5, -3], {}),
        ("two terms", *terms, {}), ("two terms, dilated", *terms, {"dilation": (2, 3)}),
        ("even, stride 2", even, even, {"stride": 2}), ("plain, stride 3", even[:4], [1, 2.5, -3], {"stride": 3}),
        ("two terms, stride (3, 2)", *terms, {"stride": (3, 2), "dilation": (1, 3)}),
    ]  # fmt: skip
    for name, column, row, options in factors:
        yield f"factors: {name}", partial(imfilt.separable, column=column, row=row, **options)
    yield "auto", partial(imfilt.correlate, kernel=many)
    yield "auto, separable", partial(imfilt.convolve, kernel=np.outer(even, even), origin=(2, -3))


WAYS = dict(ways())
WIDTHS = (*range(1, 71), *range(255, 259), *range(1023, 1027), 8192, 8209)


def assert_builds_agree(call, *image, what=""):
    before = isa.active
    try:
        isa.use("numpy")
        want = call(*image)
        for name in isa.usable()[1:]:
            isa.use(name)
            assert_same_bits(call(*image), want, f"{what} on {name}")
    finally:
        isa.use(before)


@pytest.mark.parametrize("name", WAYS)
def test_builds_agree_at_every_width(name):
    rng = np.random.default_rng(3)
    for width in WIDTHS:
        for dtype in ("float32", "float64", "uint8"):
            image = pixels(rng, (8, width), dtype)
            mode = MODES[width % 5]
            assert_builds_agree(partial(WAYS[name], mode=mode), image, what=f"{name}, width {width}, {dtype}, {mode}")


@pytest.mark.parametrize("name", WAYS)
def test_threads_bands_and_strips_do_not_change_a_bit(build, monkeypatch, name):
    rng = np.random.default_rng(4)
    for image in (pixels(rng, (31, 67), "float32"), pixels(rng, (14, 29, 3), "uint16")):
        want = WAYS[name](image)
        with monkeypatch.context() as patch:
            patch.setattr(plan, "STREAM_BYTES", 0)
            for tall, line, ring in ((1, 64, 1), (5, 400, 3000), (64, 4096, 1 << 20)):
                patch.setattr(plan, "LINE_BYTES", line)
                patch.setattr(plan, "BLOCK_LINE_BYTES", line)
                patch.setattr(plan, "RING_BYTES", ring)
                force_bands(patch, tall)
                for n in (1, 2, 3):
                    with imfilt.num_threads(n):
                        assert_same_bits(WAYS[name](image), want, f"{name}, bands of {tall}, {n} threads")
        plan.forget()


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13, 20, 21])
def test_builds_agree_under_plan_auto(taken, n):
    rng = np.random.default_rng(n)
    kernels = [tap_values(kind, shape, rng) for kind in KINDS[:6] for shape in ((n, n), (n, 22 - n))]
    for kernel in kernels:
        for dtype in ("float32", "float64", "uint8"):
            image = pixels(rng, (23, 49), dtype)
            assert_builds_agree(lambda image, kernel=kernel: imfilt.correlate(image, kernel), image, what=kernel.shape)
            assert taken[-1] in ("direct", "separable")


def test_transforms_do_not_depend_on_threads(build, monkeypatch):
    rng = np.random.default_rng(5)
    kernel = rng.standard_normal((9, 8))
    monkeypatch.setattr(plan, "SERIAL_NS", -1.0)
    for image in (pixels(rng, (250, 150), "float32"), pixels(rng, (120, 70, 3), "uint8")):
        results = []
        for n in (1, 2, 3):
            with imfilt.num_threads(n):
                results.append(imfilt.correlate(image, kernel, plan="fft"))
        assert_same_bits(results[1], results[0])
        assert_same_bits(results[2], results[0])


# ---- not a number ----------------------------------------------------------------


def reached(bad, kernel, **options):
    """Where the result has a pixel of `bad` under a tap that is not 0."""
    return define(bad, np.asarray(kernel) != 0, **options)[0] > 0


def assert_reaches(call, image, value, kernel, **options):
    """Pixels of this value spoil what is under a tap, and the rest keeps its bits."""
    bad = np.zeros(image.shape, bool)
    bad[image.shape[0] // 2, image.shape[1] // 3] = bad[0, -1] = True
    with np.errstate(invalid="ignore"):
        got = call(np.where(bad, np.float32(value), image), **options)
    spoilt = reached(bad, kernel, **options)
    np.testing.assert_array_equal(~np.isfinite(got), spoilt, f"{value} {options} {isa.active}")
    assert_same_bits(got[~spoilt], call(image, **options)[~spoilt], f"{value} {options} {isa.active}")


def assert_spoils(kernel, name, value):
    image, call = (
        pixels(np.random.default_rng(6), (20, 45), "float32"),
        partial(imfilt.correlate, kernel=kernel, plan=name),
    )
    for mode in MODES:
        assert_reaches(call, image, value, kernel, mode=mode)
    assert_reaches(call, image, value, kernel, dilation=(2, 3))
    assert_reaches(call, image, value, kernel, stride=(2, 1), origin=(1, -1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_under_a_tap_is_spoilt_and_nothing_else(build, value):
    rng = np.random.default_rng(7)
    for shape in ((3, 2), (6, 7)):
        assert_spoils(rng.standard_normal(shape) * (rng.random(shape) < 0.6), "direct", value)
    assert_spoils(np.zeros((3, 3)), "direct", value)
    for column, row in ([1, 2, -3, 4], [0.5, 1.5, 1, -1, 2]), ([1, 2, 1], [3, 1, 1, 1, 3]), ([1, 2, 1], [-1, 0, 1]):
        assert_spoils(np.outer(column, row), "separable", value)


@pytest.mark.parametrize("row", [[1, 0, 0, 3], [1, 0, 1], [3, 1, 0]])
def test_factors_that_hold_zeros_spoil_no_more_than_taps_do(row):
    assert_spoils(np.outer([1, 2, 1], row), "separable", np.nan)


@pytest.mark.parametrize("n", [61, LARGEST])
def test_no_transform_of_an_image_that_holds_nan(taken, n):
    rng = np.random.default_rng(8)
    image, kernel = pixels(rng, (600, 600), "float32"), rng.standard_normal((n, n))
    says = imfilt.explain_plan(kernel, image.shape).plan
    assert says == "fft" or n == 61
    imfilt.correlate(image, kernel)
    assert taken[-1] == says
    image[300, 200] = np.nan
    got = imfilt.correlate(image, kernel)
    assert taken[-1] != "fft"
    want = np.zeros(image.shape, bool)
    want[301 + n // 2 - n : 301 + n // 2, 201 + n // 2 - n : 201 + n // 2] = True
    np.testing.assert_array_equal(np.isnan(got), want)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_border_that_is_not_finite_reaches_as_far_as_the_taps(build, monkeypatch, taken, value):
    """With transforms for nothing, so that the plan would take one."""
    monkeypatch.setattr(spectral, "POINT_NS", -1e9)
    plan.forget()
    rng = np.random.default_rng(9)
    image, kernel = pixels(rng, (30, 41), "float32"), rng.standard_normal((7, 6))
    want = imfilt.correlate(image, kernel, mode="constant")
    assert taken[-1] == "fft"
    assert_within(imfilt.correlate(image, kernel, mode="constant", plan="direct"), want, 1e-4)
    for options in ({}, {"origin": (-2, 2)}, {"dilation": (2, 1)}):
        for name in ("auto", "direct", "separable"):
            with np.errstate(invalid="ignore"):
                got = imfilt.correlate(image, kernel, mode="constant", cval=value, plan=name, **options)
            outside = define(np.zeros(image.shape), np.ones(kernel.shape), "constant", 1.0, **options)[0] > 0
            np.testing.assert_array_equal(~np.isfinite(got), outside, name)
            assert taken[-1] == ("direct" if name == "auto" else name)
    image[4, 5] = value
    assert (~np.isfinite(imfilt.correlate(image, kernel))).sum() == kernel.size
    monkeypatch.undo()
    plan.forget()


# ---- the plan --------------------------------------------------------------------


def random_taps(n, m=None):
    return np.random.default_rng(10).standard_normal((n, m or n))


def gauss(sigma):
    x = np.arange(-int(4 * sigma), int(4 * sigma) + 1)
    taps = np.exp(-(x**2) / (2 * sigma**2))
    return np.outer(taps, taps) / taps.sum() ** 2


def laplacian_of_gaussian(sigma):
    x = np.arange(-int(4 * sigma), int(4 * sigma) + 1)
    squares = x[:, None] ** 2 + x**2
    return (squares - 2 * sigma**2) * np.exp(-squares / (2 * sigma**2)) / sigma**6


SCREEN = 1080, 1920
WHOLE_RANK_6 = sum(np.outer(*np.random.default_rng(n).integers(-5, 6, (2, 12))) for n in range(6))


@pytest.mark.parametrize(
    ("kernel", "shape", "dtype", "options", "name"),
    [
        (np.ones((9, 9)), SCREEN, "float32", {}, "separable"),
        (np.ones((9, 9)), SCREEN, "uint8", {}, "separable"),
        (gauss(3), SCREEN, "float64", {}, "separable"),
        (laplacian_of_gaussian(4), SCREEN, "float32", {}, "separable"),
        (random_taps(5), SCREEN, "float32", {}, "direct"),
        (random_taps(21), SCREEN, "float32", {}, "direct"),
        (random_taps(25), SCREEN, "float32", {}, "fused"),
        (random_taps(61), SCREEN, "float32", {}, "fft"),
        (random_taps(61), SCREEN, "float64", {}, "fused"),  # where transforms are not good enough
        (random_taps(61), (16, 16), "float32", {}, "fused"),
        (random_taps(61), SCREEN, "float32", {"stride": 2}, "direct"),
        (np.rint(9 * random_taps(61)), SCREEN, "uint8", {}, "fused"),
        (np.rint(9 * random_taps(61)), SCREEN, "float32", {}, "fft"),
        (WHOLE_RANK_6, SCREEN, "uint8", {}, "direct"),
        (random_taps(3), SCREEN, "float32", {"dilation": 30}, "direct"),
        (np.zeros((9, 9)), SCREEN, "float32", {}, "direct"),
    ],
)
def test_the_plan_for(kernel, shape, dtype, options, name):
    report = imfilt.explain_plan(kernel, shape, dtype, **options)
    assert report.plan == name, f"\n{report}"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_report_is_a_table_that_says_what_correlate_does(taken, dtype, stride):
    rng = np.random.default_rng(11)
    kernels = [tap_values(kind, (n, n + 1), rng) for kind in KINDS[-8:] for n in (1, 3, 9, 23)]
    for kernel in (*kernels, random_taps(200, 7), random_taps(7, 300)):
        for shape in ((5, 7), (40, 300), (100, 90, 3)):
            report = imfilt.explain_plan(kernel, shape, dtype, stride=stride)
            imfilt.correlate(pixels(rng, shape, dtype), kernel, stride=stride)
            assert taken[-1] == report.plan
            title, *lines = str(report).splitlines()
            assert title == f"plan {report.plan}"
            for name, line in pairs(PLANS[1:], lines):
                assert line.split()[0] == name
                assert len(line) <= 120
                assert (" ms, error " in line) == (name in report.milliseconds)
                assert line.endswith(report.refused.get(name, line))
                assert name in report.milliseconds or report.refused[name]
            costs = {name: cost for name, cost in report.milliseconds.items() if name not in report.refused}
            assert report.plan == min(costs, key=costs.get)
            assert report.milliseconds.keys() == report.errors.keys()
            wide = dtype == "float64"
            assert report.errors[report.plan] <= (np.count_nonzero(kernel) + 4) * eps("f8" if wide else "f4")


@pytest.mark.parametrize("sigma", [1, 1.5, 3, 5])
def test_gaussians_that_were_rounded_to_float32_are_separable(taken, sigma):
    kernel = gauss(sigma).astype(np.float32)
    for one in (kernel, kernel * np.linspace(1, 2, len(kernel), dtype=np.float32)):
        image = pixels(np.random.default_rng(12), (200, 300), "float32")
        got = imfilt.correlate(image, one)
        assert taken[-1] == "separable", f"\n{imfilt.explain_plan(one, image.shape)}"
        exact, size, most = define(image[:30], one.astype(float))
        assert_within(got[:10], exact[:10], bound(one, "f4", "separable", size[:10], most))
        image = image[:30, :60].astype(float)
        exact, size, most = define(image, one.astype(float))
        assert_within(imfilt.correlate(image, one), exact, bound(one, "f8", "auto", size, most))


def test_why_a_plan_is_not_taken():
    def refused(kernel, dtype="float32", **options):
        return imfilt.explain_plan(kernel, SCREEN, dtype, **options).refused

    assert "whole numbers" in refused(WHOLE_RANK_6, "uint8")["separable"]
    assert "separable" not in refused(WHOLE_RANK_6, "float32")
    assert "separable" not in refused(np.ones((9, 9)), "uint8")
    assert "whole numbers" in refused(np.ones((9, 9)), "bool")["fft"]
    assert "error" in refused(random_taps(9), "float64")["fft"]
    assert "stride" in refused(random_taps(25), stride=(1, 2))["fused"]
    assert "stride" in refused(random_taps(25), stride=(1, 2))["fft"]
    assert "all taps are 0" in refused(np.zeros((3, 3)))["separable"]
    shapes = (50, 60), (500, 600), (500, 600, 3)
    costs = [imfilt.explain_plan(THREE, shape).milliseconds["direct"] for shape in shapes]
    assert costs == sorted(costs)
    assert costs[2] > 2 * costs[1]
    assert "depend on the machine" in refused(random_taps(21))["fused"]
    assert "fused" in refused(random_taps(22))["direct"]


# ---- errors ----------------------------------------------------------------------

THREE = np.ones((3, 3))


@pytest.mark.parametrize(
    ("kernel", "options", "error", "match"),
    [
        (np.ones(3), {}, ValueError, r"kernel must have two dimensions.*\(3,\)"),
        (np.ones((3, 3, 3)), {}, ValueError, "kernel must have two dimensions"),
        (2.0, {}, ValueError, "kernel must have two dimensions"),
        (np.ones((0, 3)), {}, ValueError, r"kernel.*\(0, 3\)"),
        ([[]], {}, ValueError, "kernel"),
        ([[1, np.nan]], {}, ValueError, "kernel must be finite"),
        ([[1], [np.inf]], {}, ValueError, "kernel must be finite"),
        ([[1, 2j]], {}, TypeError, "kernel must hold real numbers.*complex128"),
        ([[1, None]], {}, TypeError, "kernel must hold real numbers.*object"),
        ([[1, 2], [3]], {}, TypeError, "kernel cannot be read"),
        (THREE, {"origin": 2}, ValueError, "origin must be between -1 and 1 for a kernel that spans 3, not 2"),
        (THREE, {"origin": (0, -2)}, ValueError, "origin must be between -1 and 1"),
        (np.ones((4, 1)), {"origin": (2, 0)}, ValueError, "origin must be between -2 and 1"),
        (np.ones((4, 1)), {"origin": (0, 1)}, ValueError, "origin must be between 0 and 0"),
        (THREE, {"origin": (0, 0, 0)}, ValueError, "origin must be a number or two"),
        (THREE, {"origin": 0.5}, TypeError, "origin must be a whole number, not 0.5"),
        (THREE, {"origin": 5, "dilation": 5}, None, ""),
        (THREE, {"origin": 6, "dilation": 5}, ValueError, "origin must be between -5 and 5 for a kernel that spans 11"),
        *[
            (THREE, {name: wrong}, error, f"{name} must be")
            for name in ("stride", "dilation")
            for wrong, error in (
                (0, ValueError), (-1, ValueError), ((1, 0), ValueError), ((1, 1, 1), ValueError), (1.5, TypeError),
                ("2", TypeError), (None, TypeError), (True, TypeError), ((1, 2.0), TypeError),
            )
        ],
        (THREE, {"plan": "quick"}, ValueError, "plan must be one of 'auto', 'direct', .*not 'quick'"),
        (THREE, {"plan": None}, ValueError, "plan must be one of"),
        (THREE, {"plan": "fused"}, ValueError, "plan 'fused' cannot do this: it is for many taps"),
        (random_taps(9), {"plan": "fused", "stride": 2}, ValueError, "plan 'fused' cannot do this.*stride"),
        (random_taps(9), {"plan": "fft", "stride": (1, 2)}, ValueError, "plan 'fft' cannot do this.*stride"),
        (np.ones((1, LARGEST + 1)), {"plan": "fft"}, ValueError, f"plan 'fft' cannot do this.*up to {LARGEST} rows"),
        (THREE, {"plan": "fft", "dilation": LARGEST}, ValueError, f"plan 'fft' cannot do this.*up to {LARGEST} rows"),
        (np.zeros((3, 3)), {"plan": "separable"}, ValueError, "plan 'separable' cannot do this: all taps are 0"),
        (THREE, {"stride": (2, 3), "out": (8, 9)}, ValueError, r"out must have the shape of the result, \(4, 3\)"),
        (THREE, {"stride": 3, "out": (4, 3)}, ValueError, r"out must have the shape of the result, \(3, 3\)"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named_and_nothing_is_written(kernel, options, error, match):
    image, shape = np.ones((8, 9)), options.get("out", (8, 9))
    for function in (imfilt.correlate, imfilt.convolve):
        out = np.full(shape, 7.0)
        if error is None:
            function(image, kernel, **{**options, "out": out})
            continue
        with pytest.raises(error, match=match):
            function(image, kernel, **{**options, "out": out})
        assert (out == 7).all()
    if error and not {"plan", "out", "origin"} & set(options):
        with pytest.raises(error, match=match):
            imfilt.explain_plan(kernel, (8, 9), **options)


def test_bad_factors_and_bad_images_to_explain_are_named():
    out = np.full((8, 9), 7.0)
    for column, row, error, match in [
        (np.ones((1, 2, 3)), [1], ValueError, "column must hold taps"),
        ([1], [], ValueError, "row must hold taps"),
        ([1, np.nan], [1], ValueError, "column must be finite"),
        ([1], [1j], TypeError, "row must hold real numbers"),
        (np.ones((2, 3)), np.ones((3, 2)), ValueError, "as many terms, not 2 and 3"),
    ]:
        with pytest.raises(error, match=match):
            imfilt.separable(out, column, row, out=out)
    for options, error, match in [({"origin": 2}, ValueError, "origin"), ({"stride": 0}, ValueError, "stride"),
                                  ({"stride": 2}, ValueError, r"out must.*\(4, 5\)")]:  # fmt: skip
        with pytest.raises(error, match=match):
            imfilt.separable(out, [1, 2, 1], [1, 2, 1], out=out, **options)
    assert (out == 7).all()
    for shape in ((8,), (8, 9, 3, 2), (8, 0), (8, -1), (8, 9.5), 8):
        with pytest.raises((ValueError, TypeError), match="shape must be"):
            imfilt.explain_plan(THREE, shape)
    with pytest.raises(TypeError, match="complex"):
        imfilt.explain_plan(THREE, (8, 9), complex)


# ---- images of every kind --------------------------------------------------------


def possible(kernel, **options):
    """The plans that can do this."""
    options.pop("origin", None)
    return ("auto", *imfilt.explain_plan(kernel, (9, 9), **options).errors)


def test_out_may_be_the_image_or_overlap_it(build):
    memory = np.random.default_rng(13).random((20, 33))
    kernel = random_taps(5, 4)
    for name in PLANS:
        block = memory.copy()
        want = imfilt.correlate(memory, kernel, plan=name)
        assert imfilt.correlate(block, kernel, plan=name, out=block) is block
        assert_same_bits(block, want, name)
        if name in possible(kernel, stride=2):
            block = memory.copy()
            want, out = imfilt.correlate(memory, kernel, plan=name, stride=2), block[3:13, 5:22]
            imfilt.correlate(block, kernel, plan=name, stride=2, out=out)
            assert_same_bits(np.ascontiguousarray(out), want, name)


def test_every_layout_gives_the_same_bits(build):
    kernel = random_taps(5, 4)
    for dtype, shape in (("float32", (9, 21)), ("uint16", (7, 19, 3)), ("float64", (8, 40))):
        image = pixels(np.random.default_rng(14), shape, dtype)
        for options in ({}, {"stride": (2, 3)}, {"dilation": (1, 3)}):
            for name in possible(kernel, dtype=dtype, **options):
                call = partial(imfilt.correlate, kernel=kernel, plan=name, **options)
                want = call(image)
                for layout, view in layouts(image):
                    before = view.tobytes()
                    view.flags.writeable = False
                    assert_same_bits(call(view), want, f"{name} {dtype} {layout} {options}")
                    assert view.tobytes() == before


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (4, 4, 0), (0, 4, 3)])
def test_empty_images(build, shape):
    kernel = random_taps(5, 4)
    for stride in (1, 2, (3, 1)):
        size = np.ceil(np.array(shape[:2]) / stride).astype(int)
        for name in possible(kernel, stride=stride):
            for mode in MODES:
                got = imfilt.correlate(np.ones(shape, np.uint8), kernel, mode=mode, plan=name, stride=stride)
                assert got.shape == (*size, *shape[2:])
                assert got.dtype == np.float32


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 1), (2, 2), (1, 2, 3), (3, 2)])
@pytest.mark.parametrize("mode", MODES)
def test_images_smaller_than_the_kernel(build, mode, shape):
    rng = np.random.default_rng(15)
    for spans in ((1, 1), (5, 4), (4, 12), (17, 2), (24, 19)):
        kernel = rng.standard_normal(spans)
        for dtype in ("uint8", "float64"):
            image = pixels(rng, shape, dtype)
            for options in ({"origin": origins(spans, 15)}, {"dilation": (2, 1)}):
                exact, size, most = define(image, kernel, mode, 3.0, **options)
                for name in possible(kernel, **options):
                    got = imfilt.correlate(image, kernel, mode=mode, cval=3, plan=name, **options)
                    what = f"{name} {dtype} {spans} {options}"
                    assert_within(got, exact, bound(kernel, got.dtype, name, size, most), what)


# ---- the photograph --------------------------------------------------------------

PHOTO_KERNELS = {
    "laplacian": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "unsharp": (np.arange(25).reshape(5, 5) == 12) * 2 - gauss(0.6),
    "LoG": laplacian_of_gaussian(2),
    "gabor": gabor_kernel(0.2, theta=0.7, sigma_x=3, sigma_y=2).real,
    "gabor along the rows": gabor_kernel(0.15, theta=0).imag,
}


@pytest.mark.parametrize("name", PHOTO_KERNELS)
@pytest.mark.parametrize("mode", ["reflect", "wrap"])
def test_the_photograph_against_scipy(build, photo, name, mode):
    kernel, crop = PHOTO_KERNELS[name], photo[150:230, 200:310]
    for image in (crop, crop / np.float32(255)):
        want = scipy_says(image, kernel, mode, 0.0, 0, (1, 1), False)
        sums = scipy_says(np.abs(image), np.abs(kernel), mode, 0.0, 0, (1, 1), False)
        for way in possible(kernel):
            got = imfilt.correlate(image, kernel, mode=mode, plan=way)
            assert_within(got, want, bound(kernel, "f4", way, sums, np.abs(image).max()), f"{name} {way}")
            if image.dtype == np.uint8 and kernel.dtype.kind == "i" and way in ("auto", "direct"):
                np.testing.assert_array_equal(got, want)
                saturated = imfilt.correlate(image, kernel, mode=mode, plan=way, dtype=np.uint8)
                np.testing.assert_array_equal(saturated, np.clip(want, 0, 255))


@pytest.mark.parametrize("taps", [
    [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    [[-1, -1, -1], [-1, 16, -1], [-1, -1, -1]],
    [[0.5, 0.25, -0.125]],
    [[1.5], [0.5], [-3.25]],
    [[127, 0, 1]],  # 255 * 128 + 1 is 32641; a level more, 32896, is too much for 16 bits
    [[127, 1, 1]],
    [[0.9921875, 0.0078125]],  # 1/128: seven bits behind the point, and (255 + 1) * 128 is too much
    [[0.4921875, 0.0078125]],
    [[0.498046875, 0.001953125]],
    [[1, 0.1]],
    [[-100, 28]],
], ids=str)  # fmt: skip
def test_bytes_under_taps_over_powers_of_two_are_exact_and_rounded_half_to_even(build, taps):
    taps = np.array(taps, float)
    rng = np.random.default_rng(21)
    shapes = (1, 1), (3, 5), (4, 15), (5, 16), (6, 63), (7, 64), (3, 65), (9, 128), (5, 131), (6, 40, 3), (4, 9, 4)
    for shape in shapes:
        image = rng.integers(0, 256, shape, np.uint8)
        image[: len(image) // 2] = 255 * rng.integers(0, 2, image[: len(image) // 2].shape, np.uint8)
        for mode, cval in (("reflect", 0), ("constant", 255), ("constant", 0.5)):
            planes = np.atleast_3d(image).astype(float)
            want = [scipy.ndimage.correlate(planes[..., c], taps, mode=mode, cval=cval) for c in range(planes.shape[2])]
            want = np.rint(np.stack(want, axis=-1)).clip(0, 255).reshape(shape)
            got = imfilt.correlate(image, taps, mode=mode, cval=cval, dtype=np.uint8, plan="direct")
            if 0.1 in taps:
                assert_within(got, want, 1)
            else:
                np.testing.assert_array_equal(got, want, f"{shape} {mode} {cval}")


def test_bytes_around_the_caches_are_the_same(build, monkeypatch):
    image = np.random.default_rng(22).integers(0, 256, (40, 1003), np.uint8)
    want = imfilt.sharpen(image, dtype=np.uint8)
    monkeypatch.setattr(plan, "STREAM_BYTES", 0)
    plan.forget()
    assert_same_bits(imfilt.sharpen(image, dtype=np.uint8), want)
    plan.forget()
