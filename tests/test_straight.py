"""Rows read straight from the image: every width near that of a vector, all borders, against the readable twin."""

import numpy as np
import pytest
from conftest import MODES, assert_same_bits, pixels

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
    "plain 4": lambda image, **o: imfilt.uniform(image, 4, **o),
    "odd columns 3": lambda image, **o: imfilt.sobel_h(image, **o),
    "odd rows 3": lambda image, **o: imfilt.scharr_v(image, **o),
    "odd columns 5": lambda image, **o: imfilt.farid_h(image, **o),
    "odd rows 5": lambda image, **o: imfilt.farid_v(image, **o),
    "gradient 3": lambda image, **o: imfilt.sobel(image, **o),
    "gradient 5": lambda image, **o: imfilt.farid(image, **o),
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
    plan.forget()
    isa.use("numpy")
    try:
        with np.errstate(all="ignore"):
            want = call()
    finally:
        isa.use(build)
        plan.forget()
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


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_results_that_begin_anywhere(build, name, streamed, monkeypatch):
    if build == "numpy":
        pytest.skip("the twin itself")
    monkeypatch.setattr(plan, "STREAM_BYTES", 0 if streamed else 1 << 40)
    plan.forget()
    rng = np.random.default_rng(6)
    for dtype in ("float32", "float64"):
        for width in (33, 64, 144, 300):
            image = pixels(rng, (5, width, 3), dtype)
            want = CALLS[name](image)
            for offset in range(17):
                out = np.full(image.size + offset, 9, dtype)[offset:].reshape(image.shape)
                assert_same_bits(CALLS[name](image, out=out), want, f"{name} {width} {offset}")
    plan.forget()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", [0, 3, 9])
def test_gradient_goes_on_from_a_row_whose_squares_are_out_of_range(build, dtype, row):
    if build == "numpy":
        pytest.skip("the twin itself")
    image = np.random.default_rng(7).standard_normal((10, 50)).astype(dtype)
    for value in (1e-30, 1e30, np.inf, np.nan):
        image[row, 20:24] = value if dtype == "float32" or not np.isfinite(value) else value**10
        if value == 1e-30:
            image[max(row - 3, 0) : row + 4] *= image.dtype.type(image[row, 20])
        for threads in (1, 2):
            with imfilt.num_threads(threads):
                got, want = both(build, lambda: imfilt.sobel(image))
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
