"""What tests share: the photograph, the builds of the core, how results are compared."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

import imfilt
from imfilt._engine import isa, plan

settings.register_profile("imfilt", deadline=None, max_examples=60, derandomize=True, print_blob=True)
settings.load_profile("imfilt")

ROOT = Path(__file__).parent.parent
MODES = ("reflect", "mirror", "nearest", "wrap", "constant")
EDGES = imfilt._PLACES["imfilt.filters.edges"]
# The filters that need more than an image.
ARGUMENTS = {
    "gaussian_laplace": (1.2,),
    "difference_of_gaussians": (1.0,),
    "motion_blur": (4.5, 30),
    "disk_blur": (2.5,),
    "uniform": ((5, 6),),
}
FILTERS = (*EDGES, "gaussian", "laplace", "sharpen", "unsharp_mask", "emboss", "kirsch", *ARGUMENTS)
DTYPES = (
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64",
)  # fmt: skip


@pytest.fixture(scope="session")
def photo():
    """The photograph of the repository, (400, 600, 3) uint8."""
    pixels = np.asarray(Image.open(ROOT / "photos" / "coffee.png").convert("RGB"))
    pixels.flags.writeable = False
    return pixels


@pytest.fixture(params=isa.usable())
def build(request):
    """Runs a test on every build of the core that this machine can run; its name is in the test's."""
    before = isa.active
    isa.use(request.param)
    yield request.param
    isa.use(before)


@pytest.fixture(params=[False, True], ids=["in cache", "streamed"])
def streamed(request, monkeypatch):
    """Writes results of any size through the caches, or around them."""
    monkeypatch.setattr(plan, "STREAM_BYTES", 0 if request.param else 1 << 40)
    plan.forget()
    yield request.param
    plan.forget()


def begun_anywhere(like, offsets):
    """Arrays like one, each so many numbers behind the beginning of its memory."""
    for offset in offsets:
        yield np.full(like.size + offset, 9, like.dtype)[offset:].reshape(like.shape)


def pixels(rng, shape, dtype):
    """Random pixels that use the whole range of their type."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return rng.standard_normal(shape).astype(dtype)


def assert_within(actual, exact, bound, what=""):
    """Every pixel of `actual` within `bound` (a number, or one per pixel) of `exact`."""
    actual, exact = np.asarray(actual, np.float64), np.asarray(exact, np.float64)
    assert actual.shape == exact.shape, f"{what}: shape {actual.shape}, not {exact.shape}"
    excess = np.abs(actual - exact) - bound
    assert not np.isnan(excess).any(), f"{what}: NaN"
    if excess.size:
        at = np.unravel_index(np.argmax(excess), excess.shape)
        assert excess[at] <= 0, f"{what}: {actual[at]} instead of {exact[at]} at {at}, {excess[at]} past the bound"


def assert_same_bits(actual, expected, what=""):
    """Same dtype, shape and bytes; but any NaN equals any NaN."""
    assert actual.dtype == expected.dtype, f"{what}: dtype {actual.dtype}, not {expected.dtype}"
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, not {expected.shape}"
    same = np.ascontiguousarray(actual).view(f"u{actual.itemsize}") == np.ascontiguousarray(expected).view(
        f"u{actual.itemsize}"
    )
    if actual.dtype.kind == "f":
        same |= np.isnan(actual) & np.isnan(expected)
    if not same.all():
        at = np.unravel_index(np.argmin(same), same.shape)
        raise AssertionError(f"{what}: {actual[at]!r}, not {expected[at]!r}, at {at}; {(~same).sum()} pixels differ")
