"""What holds for every public function: inputs, layouts, results, threads, builds, memory, errors."""

import ctypes
import mmap
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from conftest import ARGUMENTS, DTYPES, EDGES, FILTERS, MODES, assert_same_bits, pixels
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import imfilt
from imfilt import kernels
from imfilt._engine import isa, plan, threads, twin
from imfilt.filters import edges

RESULTS = DTYPES[1:]
# The functions of the algebra that make an image of the size of the image, with taps to call them with.
SINGLE = {
    "correlate": ([[1.5, -2, 0.25], [0, 1, 3], [0.5, -1, 2]],),
    "convolve": (np.linspace(-1, 1, 20).reshape(4, 5) ** 3,),
    "separable": ([[1, -2, 3], [0.5, 0, 1]], [[1, 2, -1, 1, 0], [3, 1, 0, -1, 2]]),
}
EVERY = (*FILTERS, *SINGLE)


def call(name, image, **options):
    return getattr(imfilt, name)(image, *(SINGLE | ARGUMENTS).get(name, ()), **options)


@pytest.fixture
def grey():
    return np.random.default_rng(0).random((37, 53))


# ---- inputs ----------------------------------------------------------------------


def layouts(image):
    """The same pixels in other memory."""
    yield "Fortran", np.asfortranarray(image)
    yield "negative strides", np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1]
    every_other = np.zeros((image.shape[0] * 2, image.shape[1] * 3, *image.shape[2:]), image.dtype)
    every_other[1::2, ::3] = image
    yield "strided", every_other[1::2, ::3]
    yield "byte-swapped", image.astype(image.dtype.newbyteorder())
    raw = np.zeros(image.nbytes + 1, np.uint8)
    raw[1:] = np.frombuffer(image.tobytes(), np.uint8)
    yield "unaligned", np.frombuffer(raw.data, image.dtype, image.size, 1).reshape(image.shape)
    wide = np.zeros((image.shape[0], image.shape[1] + 3, *image.shape[2:]), image.dtype)
    wide[:, 2:-1] = image
    yield "row with a gap", wide[:, 2:-1]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_layout_gives_the_same_bits_and_no_input_is_written(build, name, dtype):
    rng = np.random.default_rng(1)
    for shape in ((9, 21), (7, 19, 3)):
        image = pixels(rng, shape, dtype)
        image.flags.writeable = False
        want = call(name, image)
        for layout, view in layouts(image):
            before = view.tobytes()
            assert_same_bits(call(name, view), want, f"{name} {dtype} {layout}")
            assert view.tobytes() == before


WITH_SHORTCUTS = [
    name for name in imfilt.__all__ if hasattr(getattr(imfilt, name), "__wrapped__") and name != "num_threads"
]
ALGEBRA = {
    "conv2d": (np.ones((2, 3, 3, 3)),),
    "depthwise_conv2d": (np.ones((3, 3, 3)),),
    "pointwise_conv2d": (np.ones((2, 3)),),
    "depthwise_separable_conv2d": (np.ones((3, 3, 3)), np.ones((2, 3))),
    "conv_transpose2d": (np.ones((3, 2, 2, 2)),),
    "upscale": (2,),
    "downscale": (2,),
    "kirsch": (),
    "emboss": (),
}


@pytest.mark.parametrize("name", WITH_SHORTCUTS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_what_is_done_to_an_image_was_not_chosen_by_the_pixels_of_another(name, dtype):
    """Calls that come again skip what the function does before its sweep: that may not depend on pixels."""
    rng, function = np.random.default_rng(7), getattr(imfilt, name)
    arguments = (SINGLE | ARGUMENTS | ALGEBRA).get(name, ())
    shape = (23, 31, 3) if name in ALGEBRA else (23, 31)
    first, second = pixels(rng, shape, dtype), pixels(rng, shape, dtype)
    first = np.abs(first) // 2 if dtype[0] in "ui" else np.abs(first) / (1 + np.abs(first))
    if dtype[0] == "f":
        second[3, 4], second[11, 20] = np.nan, -np.inf
    for image, other in ((first, second), (second, first)):
        plan.forget()
        with np.errstate(invalid="ignore"):  # NumPy's own loops say so where infinities meet
            function(image, *arguments)
            got, want = function(other, *arguments), function.__wrapped__(other, *arguments)
        assert_same_bits(got, want, f"{name} {dtype}")


@pytest.mark.parametrize("name", EVERY)
def test_channels_may_be_anywhere_and_are_filtered_one_by_one(build, name):
    for dtype in ("uint8", "float32"):
        image = pixels(np.random.default_rng(2), (11, 30, 4), dtype)
        want = np.stack([call(name, np.ascontiguousarray(image[..., c])) for c in range(4)], axis=-1)
        assert_same_bits(call(name, image), want, name)
        for axis in (0, 1, 2, -1, -2, -3):
            moved = np.ascontiguousarray(np.moveaxis(image, -1, axis))
            got = call(name, moved, channel_axis=axis)
            assert got.flags.c_contiguous
            assert_same_bits(np.moveaxis(got, axis, -1), want, f"{name} {axis}")


@pytest.mark.parametrize("name", EVERY)
def test_array_likes(name, tmp_path):
    image = np.random.default_rng(3).integers(0, 256, (8, 9), np.uint8)
    want = call(name, image)
    on_disk = np.memmap(tmp_path / "image", np.uint8, "w+", shape=(8, 9))
    on_disk[:] = image

    class Dlpack:
        def __dlpack__(self, **options):
            return image.__dlpack__(**options)

        def __dlpack_device__(self):
            return image.__dlpack_device__()

    for other in (Image.fromarray(image), on_disk, memoryview(image), Dlpack()):
        got = call(name, other)
        assert type(got) is np.ndarray
        assert_same_bits(got, want, type(other).__name__)
    assert_same_bits(call(name, image.astype(float).tolist()), call(name, image.astype(float)))


# ---- results ---------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_type_of_the_result(name, dtype):
    image = pixels(np.random.default_rng(4), (5, 6), dtype)
    wide = dtype in ("float64", "int32", "uint32", "int64", "uint64")
    assert call(name, image).dtype == (np.float64 if wide else np.float32)
    for result in RESULTS:
        assert call(name, image, dtype=result).dtype == np.dtype(result)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("source", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize("result", RESULTS)
def test_results_are_rounded_half_to_even_and_saturated(build, name, source, result):
    image = pixels(np.random.default_rng(5), (12, 40), source)
    rescales = name in FILTERS
    options = {"preserve_range": True} if rescales and np.dtype(source).kind != "f" else {}
    if np.dtype(source).kind == "f":
        image = (image * np.array(3, source)).astype(source)  # beyond full scale
    elif result == "float16":
        image = image // 64  # within its range
    exact = call(name, image, dtype="float64", **options)
    got = call(name, image, dtype=result, **options)
    kind = np.dtype(result)
    if kind.kind == "f":
        tolerance = 2 * np.finfo(min(kind, np.dtype("f4"), key=lambda d: d.itemsize)).eps
        largest = max(np.abs(exact).max(), np.abs(image.astype(float)).max())
        np.testing.assert_allclose(got.astype(float), exact, rtol=tolerance, atol=largest * 1e-6 + 1e-7)
        return
    limits = np.iinfo(kind)
    scaled = exact * float(limits.max) if rescales and not options else exact
    want = [min(max(round(v), limits.min), limits.max) for v in scaled.ravel().tolist()]
    # Where the arithmetic is float32 a number near a tie may fall on either side of it.
    slack = np.abs(scaled.ravel()) * 2e-6 + 1
    assert all(abs(int(g) - w) <= s for g, w, s in zip(got.ravel().tolist(), want, slack.tolist(), strict=True))
    if limits.bits < 32:
        sure = np.abs(scaled.ravel() - np.floor(scaled.ravel()) - 0.5) > 0.02
        assert (got.ravel() == np.array(want))[sure & (np.abs(scaled.ravel()) < 1e4)].all()


def test_not_a_number_becomes_zero_in_integers(build):
    image = np.full((4, 70), np.nan, np.float32)
    for result in ("uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "uint64"):
        assert not imfilt.gaussian(image, dtype=result).any()
        assert not imfilt.gaussian(image.astype(float), dtype=result).any()


@pytest.mark.parametrize("name", EVERY)
def test_out_is_filled_and_returned_in_any_layout(build, name):
    for image in (np.random.default_rng(6).random((9, 31)), np.random.default_rng(6).random((9, 31, 3))):
        for dtype in ("float64", "float32", "uint8"):
            want = call(name, image, dtype=dtype)
            outs = [
                np.full_like(want, 7),
                np.asfortranarray(want) * 0,
                np.full((9 * 2, 31 * 2, *want.shape[2:]), 7, dtype),
            ]
            outs[2] = outs[2][::2, ::2]
            outs.append(np.full((9, 40, *want.shape[2:]), 7, dtype)[:, 3:34])
            outs.append(np.full_like(want, 7).astype(want.dtype.newbyteorder()))
            for out in outs:
                got = call(name, image, out=out)
                assert got is out
                assert_same_bits(got.astype(want.dtype), want, f"{name} {dtype} {out.strides}")


def test_out_beside_the_result_is_left_alone(build):
    frame = np.full((12, 50), 7.0, np.float32)
    imfilt.sobel(np.random.default_rng(7).random((6, 33)), out=frame[3:9, 5:38])
    frame[3:9, 5:38] = 7
    assert (frame == 7).all()


@pytest.mark.parametrize("name", EVERY)
def test_out_may_be_the_image_or_overlap_it(build, name):
    memory = np.random.default_rng(8).random((20, 33))
    for shift in (0, 1, 3, -2):
        block = memory.copy()
        image, out = block[4:14], block[4 + shift : 14 + shift]
        want = call(name, image.copy())
        assert call(name, image, out=out) is out
        assert_same_bits(out.copy(), want, f"{name} {shift}")


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    "shape", [(0, 5), (5, 0), (0, 0), (4, 4, 0), (0, 4, 3), (1, 1), (1, 1, 1), (1, 7), (7, 1), (2, 1, 5)]
)
def test_empty_and_tiny_images(build, name, shape):
    for mode in MODES if name != "roberts" else ("reflect",):
        result = call(name, np.ones(shape, np.float32), mode=mode, cval=1)
        assert result.shape == shape
        assert np.isfinite(result).all()
        out = np.empty(shape, np.float32)
        assert call(name, np.ones(shape), out=out) is out


@pytest.mark.parametrize("name", FILTERS)
def test_aliases_of_modes_and_the_constant_in_units_of_the_result(build, name):
    image = pixels(np.random.default_rng(9), (6, 8), "uint8")
    pairs = [("symmetric", "reflect"), ("edge", "nearest"), ("replicate", "nearest"), ("circular", "wrap"),
             ("zeros", "constant"), ("reflect101", "mirror"), ("grid-mirror", "reflect"), ("grid-wrap", "wrap"),
             ("grid-constant", "constant")]  # fmt: skip
    for alias, mode in pairs:
        assert_same_bits(call(name, image, mode=alias), call(name, image, mode=mode), alias)
    framed = np.full((16, 18), 255, np.uint8)
    framed[5:11, 5:13] = image
    assert_same_bits(call(name, image, mode="constant", cval=1.0), call(name, framed)[5:11, 5:13], name)


def test_a_constant_image_has_no_edges_and_stays_constant(build):
    image = np.full((13, 40, 3), 0.3)
    for name in EDGES:
        assert np.abs(call(name, image)).max() < 1e-16
    np.testing.assert_allclose(imfilt.gaussian(image, 3), image, rtol=1e-15)


# ---- the same bits ---------------------------------------------------------------


CASES = [(name, {}) for name in EDGES] + [
    ("gaussian", {"sigma": 2}), ("gaussian", {"sigma": (0.7, 5)}), ("gaussian", {"sigma": 1.5, "order": (1, 2)}),
    ("gaussian", {"sigma": 9, "max_error": 1e-3}), ("gaussian", {"sigma": (12, 1), "max_error": 1e-2}),
    ("correlate", {}), ("correlate", {"plan": "direct", "dilation": (2, 3)}), ("convolve", {}),
    ("convolve", {"plan": "direct"}), ("separable", {}), ("separable", {"dilation": (3, 1)}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), CASES)
def test_builds_of_the_core_agree_with_the_readable_twin_bit_by_bit(photo, name, options):
    before = isa.active
    rng = np.random.default_rng(10)
    images = [photo[:40, :75], pixels(rng, (23, 131), "float32"), pixels(rng, (17, 40, 3), "float64"),
              pixels(rng, (9, 300, 4), "uint16"), pixels(rng, (30, 33), "int16"), pixels(rng, (12, 20), "int64"),
              pixels(rng, (5, 37, 2), "float16")]  # fmt: skip
    tiny = pixels(rng, (8, 30), "float32") * np.float32(1e-25)
    tiny[3, 10:14] = [np.nan, np.inf, 1e30, -1e30]
    images.append(tiny)
    try:
        for image in images:
            for mode in MODES:
                for result in (None, "uint8", "float16", "int32"):
                    isa.use("numpy")
                    with np.errstate(all="ignore"):
                        want = call(name, image, mode=mode, cval=0.25, dtype=result, **options)
                    for build in isa.usable()[1:]:
                        isa.use(build)
                        got = call(name, image, mode=mode, cval=0.25, dtype=result, **options)
                        assert_same_bits(got, want, f"{name} {options} {build} {image.dtype} {mode} {result}")
    finally:
        isa.use(before)


def force_bands(monkeypatch, tall):
    """Bands of a given height, on threads, whatever the size of the image."""

    def bands(height, *more):
        return tuple((y, min(y + tall, height)) for y in range(0, height, tall))

    monkeypatch.setattr(plan, "_bands", bands)
    monkeypatch.setattr(plan, "SERIAL_NS", -1.0)
    plan.forget()


@pytest.mark.parametrize(("name", "options"), CASES)
def test_threads_bands_and_strips_do_not_change_a_bit(build, photo, monkeypatch, name, options):
    image = photo[:70, :90] if build == "numpy" else photo[:200]
    for view in (image, image[..., 0] / np.float32(255)):
        want = call(name, view, **options)
        with monkeypatch.context() as patch:
            for tall, line, ring in ((1, 64, 1), (7, 400, 3000), (64, 4096, 1 << 20)):
                patch.setattr(plan, "LINE_BYTES", line)
                patch.setattr(plan, "BLOCK_LINE_BYTES", line)
                patch.setattr(plan, "RING_BYTES", ring)
                force_bands(patch, tall)
                for n in (1, 2, 3, 7):
                    with imfilt.num_threads(n):
                        assert_same_bits(
                            call(name, view, **options), want, f"{name} {options} bands {tall} threads {n}"
                        )
                if build == "numpy":
                    break
        plan.forget()


def test_streamed_results_have_the_same_bits(build, photo, monkeypatch):
    """Separable loops stream line by line, the direct one a vector at a time; each of them as numbers and as bytes."""
    calls = {
        "sobel_h": lambda image: imfilt.sobel_h(image),
        "sobel_h of numbers": lambda image: imfilt.sobel_h(image / 255),
        "roberts": lambda image: imfilt.roberts(image, dtype=np.uint8),
        "laplace": lambda image: imfilt.laplace(image, mode="reflect"),
        "gaussian": lambda image: imfilt.gaussian(image / 255, 1.5),
        "gaussian of bytes": lambda image: imfilt.gaussian(image, 1.5, dtype=np.uint8),
        "emboss": lambda image: imfilt.emboss(image, dtype=np.uint8),
    }
    want = {name: call(photo) for name, call in calls.items()}
    monkeypatch.setattr(plan, "STREAM_BYTES", 0)
    plan.forget()
    for width in (600, 599, 7):
        for name, call in calls.items():
            got = call(photo[:, :width])[:, : width - 6]
            assert_same_bits(got, np.ascontiguousarray(want[name][:, : width - 6]), name)
    plan.forget()


@pytest.mark.parametrize("name", ["sobel", "sobel_h", "gaussian", "laplace", "box"])
def test_result_may_take_the_place_of_an_image_with_memory_of_its_own(build, name):
    """Rows so long that they are read in place, and bands that read rows of each other."""
    shape = (90, 2200) if build == "numpy" else (400, 2200)
    image = np.random.default_rng(31).random(shape, dtype=np.float32)
    assert image.base is None
    want = call(name, image.copy())
    for n in (1, 2):
        one = image.copy()
        with imfilt.num_threads(n):
            assert call(name, one, out=one) is one
        assert_same_bits(one, want, f"{name} {n} threads")


@given(shape=st.tuples(st.integers(1, 50), st.integers(1, 200)), offset=st.integers(0, 63), seed=st.integers(0, 99))
def test_alignment_does_not_change_a_bit(shape, offset, seed):
    image = np.random.default_rng(seed).random(shape, dtype=np.float32)
    memory = np.zeros(image.nbytes + 256, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    view = memory[start : start + image.nbytes].view("f4" if offset % 4 == 0 else "V4")
    if offset % 4:
        view = np.frombuffer(memory.data, np.float32, image.size, start)
    view = view.reshape(shape)
    view[:] = image
    for name in ("sobel", "farid", "roberts", "gaussian"):
        assert_same_bits(call(name, view), call(name, image), name)


# ---- memory ----------------------------------------------------------------------


def guarded(array, at_end):
    """A copy that ends (or begins) where an unreadable page begins (or ends)."""
    page = mmap.PAGESIZE
    room = -(-max(array.nbytes, 1) // page) * page
    memory = mmap.mmap(-1, room + 2 * page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    assert libc.mprotect(address, page, mmap.PROT_READ & 0) == 0
    assert libc.mprotect(address + page + room, page, 0) == 0
    offset = page + (room - array.nbytes if at_end else 0)
    copy = np.frombuffer(memory, array.dtype, array.size, offset).reshape(array.shape)
    copy[...] = array
    return copy


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses mprotect")
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("at_end", [False, True])
def test_no_byte_beside_the_arrays_is_touched(build, name, at_end):
    rng = np.random.default_rng(11)
    options = [{}]
    if name == "gaussian":
        options = [{"sigma": 1}, {"sigma": 6}, {"sigma": 6, "max_error": 1e-2}]
    elif name in SINGLE:
        options = [{"dilation": (1, 4)}, {"origin": -1}]
    for dtype in ("uint8", "float32", "float64"):
        for shape in [(1, 1), (3, 15), (2, 16), (4, 17), (5, 63), (4, 65), (1, 1030), (3, 7, 3), (6, 90, 4)]:
            image = guarded(pixels(rng, shape, dtype), at_end)
            for kind in ("uint8", "float32", "float64"):
                out = guarded(np.zeros(shape, kind), at_end)
                for mode in ("reflect", "wrap", "constant"):
                    for more in options:
                        call(name, image, mode=mode, out=out, **more)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses mprotect")
@pytest.mark.parametrize("loop", ["separable", "direct"])
def test_long_rows_that_are_read_in_place_end_where_they_end(build, loop):
    """Strips of all widths, also where a plan would not cut; results that begin anywhere, written around the caches."""
    if build == "numpy":
        pytest.skip("NumPy's own loops")
    kernel = {
        "separable": edges.derivative_kernel(kernels.SOBEL, (0,), "unit"),
        "direct": edges.cross_kernel(edges.CROSS[:1], "unit"),
    }[loop]
    rng, f4 = np.random.default_rng(12), np.dtype("f4")
    image = guarded(rng.standard_normal((3, 2518), np.float32), True)
    step = plan.make(kernel, (3, 2518, 1), f4, f4, 1, 0.0, False, (3, 2518), isa.core.LANES).steps[0]
    assert step.loop == loop
    want = np.zeros_like(image)
    getattr(twin, loop)(image, want, step.frame, *step.taps, 0, 3)
    for strip in range(70, 170):
        frame = step.frame._replace(strip=strip, chunk=strip, streamed=True)
        for offset in range(1, 16, 2):
            out = np.zeros(3 * 2518 + offset, np.float32)[offset:].reshape(3, 2518)
            getattr(isa.core, loop)(image, out, frame, *step.taps, 0, 3)
            assert_same_bits(out, want, f"{loop} {strip} {offset}")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses mprotect")
@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_blocks_end_where_they_end(build, dtype, at_end):
    rng = np.random.default_rng(13)
    for shape in ((2, 2), (4, 66), (6, 130, 3), (8, 2062), (3, 71), (4, 36, 17)):
        for factor in (2, (2, 1), 3, (1, 4)):
            image = guarded(pixels(rng, shape, dtype), at_end)
            want = imfilt.downscale(image.copy(), factor, "area", dtype=dtype)
            out = guarded(np.zeros(want.shape, dtype), at_end)
            assert_same_bits(imfilt.downscale(image, factor, "area", out=out), want, f"{shape} {factor}")


def test_each_build_is_its_own_module(build):
    """Cython enters a build into sys.modules under the name of the source too, where the baseline is looked for."""
    names = {"numpy": "_engine.twin", "baseline": "_core", "v3": "_core_v3", "v4": "_core_v4"}
    assert isa.core.__name__ == f"imfilt.{names[build]}"


@pytest.mark.parametrize("build_of", [name for name in isa.usable() if name != "numpy"])
def test_the_core_itself_refuses_what_would_leave_the_arrays(build_of):
    before = isa.active
    isa.use(build_of)
    try:
        image = np.zeros((8, 9), np.float32)
        kernel = imfilt.filters.edges.gradient_kernel((1.0, 2.0, 1.0), (1.0, 0.0, -1.0))
        step = plan.make(kernel, (8, 9, 1), image.dtype, image.dtype, 2, 0.0, False, (8, 9), isa.core.LANES).steps[0]
        smooth, difference = step.taps
        core = isa.core

        def refused(src=image, dst=None, frame=step.frame, taps=(smooth, difference), y0=0, y1=8):
            dst = np.zeros((8, 9), np.float32) if dst is None else dst
            with pytest.raises((ValueError, TypeError)):
                core.gradient(src, dst, frame, *taps, y0, y1)
            with pytest.raises((ValueError, TypeError)):
                core.separable(src, dst, frame, *taps, *[np.arange(3)] * 2, *[np.array([0, len(taps[0])])] * 2, y0, y1)

        refused(y1=9)
        refused(y0=-1)
        refused(y0=5, y1=4)
        refused(taps=(smooth[:2], difference))
        refused(taps=(smooth.astype("f4"), difference))
        refused(taps=(smooth, np.repeat(difference, 2)[::2]))
        refused(src=np.zeros(8, np.float32))
        refused(src=np.zeros((8, 9, 2), np.float32))
        refused(src=np.zeros((0, 9), np.float32))
        refused(src=np.zeros((8, 9), complex))
        refused(dst=np.zeros((8, 18), np.float32)[:, ::2])
        refused(dst=np.zeros((8, 9), "c8"))
        read_only = np.zeros((8, 9), np.float32)
        read_only.flags.writeable = False
        refused(dst=read_only)
        for field in ("rows", "columns", "strip", "chunk", "block", "stride_y", "up_x"):
            refused(frame=step.frame._replace(**{field: 0}))
        with pytest.raises(ValueError, match="outside the frame"):
            core.direct(
                image,
                image.copy(),
                step.frame,
                np.array([0, 3, 0], np.intp),
                np.ones(1),
                np.array([0, 1], np.intp),
                np.zeros(0, np.intp),
                False,
                0,
                8,
            )
    finally:
        isa.use(before)


def test_scratch_memory_is_small():
    """The image and the result are 128 MiB; a padded copy or an intermediate image would be as much again."""
    code = """
        import numpy as np, resource, imfilt
        image = np.ones((4096, 4096), np.float32)
        out = np.ones_like(image)
        small = image[:64, :64].copy()
        for call in (imfilt.sobel, imfilt.farid, imfilt.roberts, lambda i, **o: imfilt.gaussian(i, 10, **o)):
            call(small)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for call in (imfilt.sobel, imfilt.farid, imfilt.roberts, lambda i, **o: imfilt.gaussian(i, 10, **o)):
            call(image, out=out)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    # The readable twin holds whole images; the promise is the compiled core's.
    environment = {**os.environ, "IMFILT_ISA": "baseline" if isa.active == "numpy" else isa.active}
    grown = int(subprocess.check_output([sys.executable, "-c", textwrap.dedent(code)], env=environment))
    assert grown < 8 * 1024, f"{grown} KiB"


def test_importing_leaves_denormals_alone():
    code = "import numpy as np, imfilt; imfilt.sobel(np.ones((3, 3))); print(np.float32(1e-45) / 1 > 0, 5e-324 > 0)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["True", "True"]


# ---- threads, forks, interrupts --------------------------------------------------


def test_many_threads_share_one_image(photo):
    want = imfilt.sobel(photo)
    failures = []

    def work():
        for _ in range(5):
            if not np.array_equal(imfilt.sobel(photo), want):
                failures.append(1)

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_computes_on_threads_of_its_own():
    code = """
        import os, signal, sys, numpy as np, imfilt
        image = np.random.default_rng(0).random((1500, 1500))
        with imfilt.num_threads(3):
            want = imfilt.gaussian(image)
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                os._exit(0 if (imfilt.gaussian(image) == want).all() else 1)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    # Python 3.12 warns of fork in a process with threads, which is what is tested.
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)], check=True, timeout=60)


@pytest.fixture
def interruptible():
    """Ctrl-C as at a terminal: a process that a shell started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_stops_the_call_and_nothing_writes_afterwards(monkeypatch, interruptible, workers):
    """The signal comes while the first band is at work."""
    done = []

    def slow(src, dst, frame, *rest):
        y0, y1 = rest[-2:]
        if not done:
            signal.raise_signal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None
        time.sleep(0.01)
        dst[y0:y1] = 1
        done.append(y0)

    monkeypatch.setattr(isa, "core", type("Core", (), {"gradient": staticmethod(slow), "LANES": 16}))
    force_bands(monkeypatch, 4)
    out = np.zeros((400, 20))
    with imfilt.num_threads(workers), pytest.raises(KeyboardInterrupt):
        imfilt.sobel(np.zeros((400, 20)), out=out)
    count = len(done)
    assert count < 100
    time.sleep(0.05)
    assert len(done) == count
    plan.forget()


def test_an_error_on_another_thread_reaches_the_caller():
    def work(y0, y1):
        if threading.current_thread() is not threading.main_thread():
            raise MemoryError("no rows")
        time.sleep(0.02)

    with pytest.raises(MemoryError, match="no rows"):
        threads.run(work, [(0, 1)] * 20, 3)


def test_num_threads_is_checked_and_ends_with_its_block():
    outside = threads.count()
    with imfilt.num_threads(5):
        assert threads.count() == 5
        with imfilt.num_threads(2):
            assert threads.count() == 2
        assert threads.count() == 5
    assert threads.count() == outside
    for wrong in (0, -1, 1.5, "2", None, True):
        with pytest.raises(ValueError, match="whole number"), imfilt.num_threads(wrong):
            pass


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


def test_the_environment_chooses_threads_and_build():
    code = "import imfilt; c = imfilt.show_config('dicts'); print(c['threads'], c['build'])"
    for name in isa.usable():
        assert run_python(code, IMFILT_NUM_THREADS="3", IMFILT_ISA=name).stdout.split() == ["3", name]
    assert run_python(code, IMFILT_ISA="").stdout.split()[1] == isa.usable()[-1]
    wrong = run_python(code, IMFILT_ISA="sse9")
    assert wrong.returncode == 1
    assert f"this machine can run: {', '.join(isa.usable())}" in wrong.stderr
    assert "whole number" in run_python(code, IMFILT_NUM_THREADS="many").stderr


def test_a_build_that_is_missing_is_passed_over_and_a_broken_one_is_not(monkeypatch):
    monkeypatch.setattr(isa, "_built", lambda name: name in ("numpy", "baseline"))
    assert isa.choose() == "baseline"
    with pytest.raises(ImportError, match="not installed"):
        isa.choose("v3")
    monkeypatch.setattr(isa, "_built", lambda name: name == "numpy")
    with pytest.raises(ImportError, match="compiled core is missing"):
        isa.choose()
    monkeypatch.undo()
    monkeypatch.setattr(isa._cpu, "features", lambda: ())
    with pytest.raises(ImportError, match="not for this processor"):
        isa.choose("v4")
    monkeypatch.undo()
    for name in isa.usable()[2:]:
        monkeypatch.setitem(sys.modules, f"imfilt._core_{name}", None)
        monkeypatch.delattr(imfilt, f"_core_{name}", raising=False)
        with pytest.raises(ImportError):
            isa.use(name)
        monkeypatch.undo()


# ---- errors ----------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_bad_arguments_are_named_and_nothing_is_written(name, grey):
    out = np.full(grey.shape, 7.0)

    def refused(error, match, image=grey, **options):
        options.setdefault("out", out)
        with pytest.raises(error, match=match):
            call(name, image, **options)
        assert (out == 7).all()

    refused(TypeError, r"image has dtype complex128.*uint8", grey.astype(complex))
    refused(TypeError, "image has dtype object", np.array([[1, None]], dtype=object))
    refused(TypeError, "image has dtype <U1", np.array([["a"]]))
    refused(TypeError, "image", [[1.0, 2.0], [3.0]])
    refused(TypeError, "masked array", np.ma.masked_array(grey, grey > 0.5))
    refused(ValueError, r"two dimensions.*\(37,\)", grey[:, 0])
    refused(ValueError, "one by one", np.zeros((2, 3, 4, 5)))
    refused(ValueError, "volume", np.zeros((3, 4, 5)), channel_axis=None)
    refused(ValueError, "channel_axis must be between", np.zeros((3, 4, 5)), channel_axis=3)
    refused(TypeError, "channel_axis", np.zeros((3, 4, 5)), channel_axis=1.0)
    refused(ValueError, "mode must be one of constant.*'strange'", mode="strange")
    refused(ValueError, "mode", mode=["reflect", "wrap"])
    refused(ValueError, "zeros", mode="zeros", cval=1)
    refused(TypeError, "cval must be a number", cval="1x")
    refused(TypeError, "dtype must be", dtype="nonsense", out=None)
    refused(TypeError, "dtype must be one of uint8", dtype=complex, out=None)
    refused(TypeError, "dtype must be one of uint8", dtype=bool, out=None)
    refused(ValueError, "dtype is float32 but out has float64", dtype="float32")
    refused(ValueError, r"out must have the shape of the result, \(37, 53\)", out=np.zeros((3, 3)))
    refused(TypeError, "out must be a NumPy array", out=[[0.0]])
    frozen = np.zeros(grey.shape)
    frozen.flags.writeable = False
    refused(ValueError, "read-only", out=frozen)
    if name in EDGES:
        refused(ValueError, r"mask must have the image's rows and columns, \(37, 53\)", mask=np.ones((2, 2)))
    if name in ("sobel", "scharr", "prewitt", "farid"):
        for wrong in (2, -3, (), (0, 0), (0, 1, 1)):
            refused(ValueError, "axis", axis=wrong)
        refused(TypeError, "axis", axis="rows")


def test_bad_arguments_of_gaussian(grey):
    for options, error, match in [
        ({"sigma": -1}, ValueError, "sigma must not be negative"),
        ({"sigma": float("nan")}, ValueError, "sigma must be finite"),
        ({"sigma": float("inf")}, ValueError, "sigma must be finite"),
        ({"sigma": "wide"}, TypeError, "sigma must be a number"),
        ({"sigma": (1, 2, 3)}, ValueError, "sigma must be a number or two"),
        ({"sigma": 1e9}, ValueError, "radius"),
        ({"truncate": -1}, ValueError, "truncate"),
        ({"order": -1}, ValueError, "order must not be negative"),
        ({"order": 21}, ValueError, "order must be at most 20"),
        ({"order": 1.5}, TypeError, "order must be a whole number"),
        ({"order": 1, "sigma": 0}, ValueError, "order 1 needs"),
        ({"max_error": -0.1}, ValueError, "max_error"),
        ({"max_error": "low"}, TypeError, "max_error"),
    ]:
        with pytest.raises(error, match=match):
            imfilt.gaussian(grey, **options)
    with pytest.raises(ValueError, match="stdout"):
        imfilt.show_config("xml")


def test_sizes_are_counted_in_64_bits():
    """More than 2**31 pixels, without the memory: every row is the same one."""
    row = np.random.default_rng(12).integers(0, 256, (1, 1 << 16), np.uint8)
    tall = np.broadcast_to(row, (1 << 16, 1 << 16))
    kernel = edges.cross_kernel(edges.CROSS[:1], "scikit-image")
    step = plan.make(
        kernel, (*tall.shape, 1), tall.dtype, np.dtype("u1"), 2, 0.0, False, tall.shape, isa.core.LANES
    ).steps[0]
    out = np.lib.stride_tricks.as_strided(np.zeros(row.shape, np.uint8), tall.shape, (0, 1))
    step_function = getattr(isa.core, step.loop)
    step_function(tall, out, step.frame, *step.taps, (1 << 16) - 4, 1 << 16)
    want = imfilt.roberts_pos_diag(np.repeat(row, 2, axis=0), preserve_range=True, dtype="u1")[:1]
    np.testing.assert_array_equal(out[-1:], want)
