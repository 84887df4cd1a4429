"""Loops that read rows of the image itself: every width near that of a vector, all borders, against the twin."""

import numpy as np
import pytest
from conftest import MODES, assert_same_bits, begun_anywhere, pixels

import imfilt
from imfilt._engine import isa, plan

SQUARE = np.random.default_rng(3).standard_normal((3, 3))
FAR = [[1.5, 2], [-1, 0.25]]
# A call for each kind of row: sums of columns with taps of each parity and count, both derivatives, all places of a
# square, a few taps, and a few with a bias.
CALLS = {
    "even 3": lambda image, **o: imfilt.box(image, 3, **o),
    "even 5": lambda image, **o: imfilt.gaussian(image, 0.5, **o),
    "even 7": lambda image, **o: imfilt.box(image, 7, **o),
    "even 9": lambda image, **o: imfilt.gaussian(image, 1, **o),
    "plain 3": lambda image, **o: imfilt.separable(image, [1.5, -0.5, 2], [-1, 0.25, 3], **o),
    "plain 4": lambda image, **o: imfilt.uniform(image, 4, **o),
    "odd columns 3": lambda image, **o: imfilt.sobel_h(image, **o),
    "odd rows 3": lambda image, **o: imfilt.scharr_v(image, **o),
    "odd columns 5": lambda image, **o: imfilt.farid_h(image, **o),
    "odd rows 5": lambda image, **o: imfilt.farid_v(image, **o),
    "gradient 3": lambda image, **o: imfilt.sobel(image, **o),
    "gradient 5": lambda image, **o: imfilt.farid(image, **o),
    "diagonals": lambda image, **o: imfilt.roberts(image, **o),
    "added": lambda image, **o: imfilt.unsharp_mask(image, 1, **o),
    "square": lambda image, **o: imfilt.correlate(image, SQUARE, plan="direct", **o),
    "cross": lambda image, **o: imfilt.laplace(image, **o),
    "diagonal": lambda image, **o: imfilt.roberts_neg_diag(image, **o),
    "bias": lambda image, **o: imfilt.emboss(image, **o),
    "far taps": lambda image, **o: imfilt.correlate(image, FAR, dilation=(12, 5), origin=(0, 1), **o),
    "many taps": lambda image, **o: imfilt.motion_blur(image, 9, 30, **o),
}


def both(build, call):
    """What a build gives, and what the twin does."""
    got = call()
    isa.use("numpy")
    try:
        with np.errstate(all="ignore"):
            want = call()
    finally:
        isa.use(build)
    return got, want


@pytest.mark.parametrize("dtype", ["uint8", "bool", "uint16", "float32", "float64"])
@pytest.mark.parametrize("name", CALLS)
def test_bits_of_every_width(build, name, dtype):
    if build == "numpy":
        pytest.skip("the twin itself")
    rng = np.random.default_rng(5)
    real = np.float64 if dtype == "float64" else np.float32
    for number, width in enumerate((1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 47, 63, 64, 65, 130, 257)):
        shape = (7, width) if number % 4 == 0 else (7, width, (1, 3, 4)[number % 3])
        image = pixels(rng, shape, dtype)
        result = ("uint8", real, None)[number % 3]
        for mode in MODES:
            for cval in (0.0, 2.5, np.inf) if mode == "constant" else (0.0,):
                options = {"mode": mode, "cval": cval, "dtype": result}
                got, want = both(build, lambda image=image, options=options: CALLS[name](image, **options))
                assert_same_bits(got, want, f"{name} {shape} {options}")


@pytest.mark.parametrize("name", CALLS)
def test_results_that_begin_anywhere(build, name, streamed):
    if build == "numpy":
        pytest.skip("the twin itself")
    rng = np.random.default_rng(6)
    for dtype in ("float32", "float64"):
        for width in (33, 64, 144, 300):
            image = pixels(rng, (5, width, 3), dtype)
            want = CALLS[name](image)
            for out in begun_anywhere(want, range(17)):
                assert_same_bits(CALLS[name](image, out=out), want, f"{name} {width} {out.ctypes.data % 64}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", [0, 3, 9])
@pytest.mark.parametrize("gradient", [imfilt.sobel, imfilt.roberts])
def test_gradient_goes_on_from_a_row_whose_squares_are_out_of_range(build, dtype, row, gradient):
    if build == "numpy":
        pytest.skip("the twin itself")
    image = np.random.default_rng(7).standard_normal((10, 50)).astype(dtype)
    for value in (1e-30, 1e30, np.inf, np.nan):
        image[row, 20:24] = value if dtype == "float32" or not np.isfinite(value) else value**10
        if value == 1e-30:
            image[max(row - 3, 0) : row + 4] *= image.dtype.type(image[row, 20])
        for threads in (1, 2):
            with imfilt.num_threads(threads):
                got, want = both(build, lambda: gradient(image))
                assert_same_bits(got, want, f"{value} {threads}")


@pytest.mark.parametrize("operator", ["sobel", "farid", "roberts"])
def test_gradient_in_bands_has_the_bits_of_its_parts(build, operator):
    if build == "numpy":
        pytest.skip("the readable twin is slow")
    image = np.random.default_rng(8).random((160, 400), np.float32)
    whole = imfilt.gradient(image, operator)
    for y in range(0, 160, 40):  # parts that are made at once
        first, last = max(y - 3, 0), min(y + 43, 160)
        part = imfilt.gradient(image[first:last], operator)
        for got, want in zip(part, whole, strict=True):
            assert_same_bits(got[y - first :][:40], want[y : y + 40], f"{operator} {y}")
    outs = np.empty((2, 160, 800), np.float32)[..., ::2]  # not packed: made elsewhere, then copied
    for got, want in zip(imfilt.gradient(image, operator, out=tuple(outs)), whole, strict=True):
        assert_same_bits(np.ascontiguousarray(got), want, operator)


def numbers(count):
    return np.random.default_rng(count).standard_normal(count)


# Sums of columns that several lines share: even and other taps, several terms, and one that is the image itself.
SHARED = {
    "even": lambda image, **o: imfilt.gaussian(image, 2, **o),
    "odd along": lambda image, **o: imfilt.gaussian(image, 1.5, order=(0, 1), **o),
    "plain 5": lambda image, **o: imfilt.separable(image, numbers(5), numbers(5), **o),
    "plain 8": lambda image, **o: imfilt.separable(image, numbers(8), numbers(6), **o),
    "two terms": lambda image, **o: imfilt.gaussian_laplace(image, 1.5, **o),
    "terms of two sizes": lambda image, **o: imfilt.difference_of_gaussians(image, 1, 2, **o),
    "added": lambda image, **o: imfilt.unsharp_mask(image, 2, **o),
    "apart": lambda image, **o: imfilt.separable(image, numbers(5), numbers(7), dilation=(2, 3), **o),
    "strides": lambda image, **o: imfilt.separable(image, numbers(7), numbers(7), stride=(1, 2), **o),
}


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("name", SHARED)
def test_lines_that_share_their_rows(build, name, dtype):
    """Rows that are copied, read where they are, and copied since they lie a power of two apart."""
    if build == "numpy":
        pytest.skip("the twin itself")
    rng = np.random.default_rng(13)
    for number, shape in enumerate(
        [(1, 5), (3, 40), (19, 65), (9, 23, 3), (21, 2049), (12, 1024, 3), (20, 2048), (11, 4096)]
    ):
        image = pixels(rng, shape, dtype)
        options = {"mode": MODES[number % len(MODES)], "cval": 0.5}
        for threads in (1, 2):
            with imfilt.num_threads(threads):
                got, want = both(build, lambda image=image, o=options: SHARED[name](image, **o))
            assert_same_bits(got, want, f"{name} {shape} {options} {threads}")


WHOLE = {
    "box": lambda image, size, **o: imfilt.box(image, size, dtype=image.dtype, **o),
    "box from elsewhere": lambda image, size, **o: imfilt.box(image, size, origin=(0, 1), dtype=image.dtype, **o),
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("name", WHOLE)
def test_means_in_whole_numbers(build, name, dtype):
    if build == "numpy":
        pytest.skip("the twin itself")
    rng = np.random.default_rng(9)
    for number, shape in enumerate(
        [(1, 1), (3, 2), (12, 40), (9, 33, 3), (5, 64, 4), (2, 700, 3), (40, 7), (6, 65), (6, 129)]
    ):
        image = pixels(rng, shape, dtype)
        image[: shape[0] // 2] = np.iinfo(dtype).max  # the largest sums there are
        for size in (
            3,
            (2, 9),
            9,
            5,
            7,
            (12, 3),
            (3, 8),
            15,
            (5, 40),
            101,
            *[(400, 401)] * (number in (5, 6)),
        ):  # the last past 32 bits
            mode = MODES[(number + size if isinstance(size, int) else number) % len(MODES)]
            options = {"mode": mode, "cval": float(number)}
            with imfilt.num_threads(1 + number % 2):
                got, want = both(build, lambda image=image, size=size, o=options: WHOLE[name](image, size, **o))
            assert_same_bits(got, want, f"{name} {shape} {size} {options}")


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int16", "uint16", "float16", "uint32", "uint64", "float32", "float64"]
)
def test_pixels_that_are_repeated_and_their_means(build, dtype):
    if build == "numpy":
        pytest.skip("the twin itself")
    rng = np.random.default_rng(10)
    for shape in [(1, 1), (2, 2), (6, 34), (4, 66, 3), (2, 130, 4), (4, 8, 7)]:
        image = pixels(rng, shape, dtype)
        for factor in (2, 3, (1, 4), (5, 2)):
            for result in (None, image.dtype if dtype != "bool" else np.uint8):
                for call in (imfilt.upscale, imfilt.downscale):
                    method = "nearest" if call is imfilt.upscale else "area"
                    got, want = both(
                        build,
                        lambda c=call, i=image, f=factor, m=method, r=result: c(i, f, m, dtype=r, preserve_range=True),
                    )
                    assert_same_bits(got, want, f"{method} {shape} {factor} {result}")


def test_repetition_of_any_rows(build):
    """Bands begin where a source row does, or in the middle of one."""
    image = np.random.default_rng(12).random((5, 40, 3), np.float32)
    with plan.watched() as steps:
        whole = imfilt.upscale(image, 3, "nearest")
    for y0, y1 in ((0, 15), (1, 5), (2, 3), (7, 15)):
        part = np.zeros_like(whole)
        getattr(isa.core, steps[0].loop)(image, part, steps[0].frame, *steps[0].taps, y0, y1)
        assert_same_bits(part[y0:y1], whole[y0:y1], f"{y0} {y1}")
        assert not np.delete(part, slice(y0, y1), axis=0).any()


@pytest.mark.parametrize("streamed", [False, True])
def test_few_channels_of_one_pixel(build, streamed, monkeypatch):
    if build == "numpy":
        pytest.skip("the twin itself")
    monkeypatch.setattr(plan, "STREAM_BYTES", 0 if streamed else 1 << 40)
    rng = np.random.default_rng(11)
    for taken, made in [(1, 3), (2, 2), (3, 3), (3, 4), (4, 3), (4, 4), (4, 1)]:
        weight, bias = rng.standard_normal((made, taken)), rng.standard_normal(made)
        for shape in [(1, 1), (3, 5), (2, 16), (5, 17), (4, 43), (3, 130)]:
            image = rng.random((*shape, taken), np.float32)
            for given in (image, np.pad(image, ((0, 0), (2, 1), (0, 0)))[:, 2:-1]):
                for out in (
                    None,
                    np.zeros((*shape, made + 1), np.float32)[..., :made],
                    np.zeros((*shape, made), np.uint8),
                ):
                    for b in (None, bias):
                        got, want = both(
                            build, lambda g=given, w=weight, o=out, b=b: imfilt.pointwise_conv2d(g, w, b, out=o) + 0
                        )
                        assert_same_bits(got, want, f"{taken} {made} {shape}")
    plan.forget()
