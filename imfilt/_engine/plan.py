"""The plan: geometry, arithmetic and scratch sizes of a call, decided before it runs.

A plan depends on shapes, types and parameters, never on pixels, so it is frozen and cached.
It knows its halo (the rows and columns it reads on every side of a pixel).
"""

from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import ceil, inf
from typing import NamedTuple
from weakref import WeakSet

import numpy as np

from imfilt._calls import Calls, watch
from imfilt._engine import borders, dtypes, spectral

# Scratch. A line of 4 KiB and what it is made of stay in a first-level cache of 32 KiB. Where
# eight rows are made at a time, their 128 KiB are in the second level anyway, and longer lines
# cost less (measured: a tenth). The ring of rows may fill a quarter of a level of 1 MiB.
LINE_BYTES = 4096
BLOCK_LINE_BYTES = 16384
RING_BYTES = 256 * 1024
FEW_ROWS = 4
SHORT_BYTES = 1024  # of a row of the result, up to which eight rows together cost 10 to 30 % less (measured)
DENSE_ROWS = 6  # the core's tile for many taps
# Channels are mixed from rows that lie in the second level, beside the weights in use.
MIX_RING_BYTES = 512 * 1024
MIX_LINE_BYTES = 16384
# A box reads each row of the ring twice, whatever its size; what costs is the margins of strips (measured).
BOX_RING_BYTES = 1024 * 1024
MANY_WEIGHTS_BYTES = 512 * 1024  # past the second level: then several lines for each time they are read
MIX_BLOCK = 4
# Past this size a result that is made row by row is written around the caches (measured: a quarter to a half
# faster from there on, but for loops that wait for something else; below it, whoever reads the result next finds
# it in cache).
STREAM_BYTES = 16 * 1024 * 1024
# These put the border on lines, not on rows, of which small images have more. So may `separable`; but its cost is
# compared with that of `direct`, and what a small image is computed by should not change with its size.
BORDER_ON_SUMS = "box", "even"
NOT_STREAMED = "area", "gradient"
# A band is short enough for Ctrl-C to be prompt. Below SERIAL_NS two threads were no faster than
# one (measured on two cores). READ_NS: to widen one number.
BAND_NS = 10e6
SERIAL_NS = 60e3
READ_NS = 0.1
BETWEEN_NS = 5e3  # an array between two steps, and the interpreter
PLANS_KEPT = 64  # for each kernel, and as many calls
NOT_CLIPPED = -inf, inf
NONE = 0  # the border of an image that is read only inside


class Frame(NamedTuple):
    """The geometry of one sweep, as the core reads it.

    Output row y is made from source rows first ... first + rows, where first is
    y * stride_y // up_y - top; columns likewise.
    """

    wide: bool  # arithmetic in double, else in float
    streamed: bool  # write around the caches
    mode: int  # border, see borders.py
    cval: float  # the constant border, in the numbers of the source
    low: float  # smaller source numbers are read as this
    scale: float  # of the result, before rounding
    top: int
    left: int
    rows: int
    columns: int
    stride_y: int
    stride_x: int
    up_y: int
    up_x: int
    strip: int  # output columns swept at a time
    chunk: int  # of those, made and written at a time
    block: int  # output rows made at a time
    least: float = -inf  # smaller results are made this
    most: float = inf  # larger ones this


def _calls():
    return Calls(PLANS_KEPT)


@dataclass(frozen=True, eq=False, slots=True)
class Stage:
    """One sweep: a loop of the core, its taps, and what it reads around a pixel.

    For n rows (columns) the result has ceil(n / stride) + extra, unless the call names its size.
    """

    loop: str
    taps: tuple | Callable  # or what makes them: (arithmetic's dtype, numbers in a vector) -> tuple
    rows: int
    columns: int
    top: int
    left: int
    stride: tuple = (1, 1)
    up: tuple = (1, 1)
    extra: tuple = (0, 0)
    work: float = 1.0  # multiplications per number of the result, roughly
    rate: float = 0.05  # nanoseconds for one of them
    bytes_rate: float | None = None  # from bytes to bytes, if that is another
    channels: int | None = None  # of the result; None: those of the image
    cells: int | None = None  # numbers that a source pixel becomes in the ring; None: its channels
    weights: int = 0  # of the matrices that mix channels
    many: bool = False  # taps enough to make DENSE_ROWS lines at a time
    loading: float | None = None  # the part of the work that is done on reading rows; None: READ_NS for a number
    bytes_only: bool = False  # it takes and makes bytes, and nothing else


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Kernel:
    """What is to be computed, for an image of any size and type: one stage, or several in a row.

    Kernels are compared by identity: whoever makes them keeps them, so that plans are found again.
    """

    stages: tuple
    gain: float = 1.0  # of the result
    squares: bool = False  # 16-bit pixels are squared: exact in double only
    halo: tuple = (0, 0, 0, 0)  # rows above and below, columns left and right
    error: float = 0.0  # most that the result may be off, for pixels between -1 and 1
    reach: float = 0.0  # sum of absolute taps, if all are whole numbers: integer images stay exact
    others: tuple = ()  # kernels that may take its place: the plan takes the cheapest
    parts: tuple = ()  # where this is not linear: the linear kernels whose results it combines
    name: str = ""  # of the way it computes, for whoever asks
    plans: dict = field(default_factory=dict, init=False, repr=False)  # made so far
    calls: Calls = field(default_factory=_calls, init=False, repr=False)  # whose arguments were checked, see run.py


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """A stage with everything decided."""

    loop: str
    taps: tuple
    frame: Frame | None  # None if the stage cannot do it, at infinite cost
    shape: tuple  # rows and columns of its result
    dtype: np.dtype
    bands: tuple  # for several threads
    whole: tuple  # and for one, which need not share
    cost: float


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    name: str
    steps: tuple

    @property
    def cost(self):
        """An estimate, in nanoseconds on one thread."""
        return sum(step.cost for step in self.steps) + BETWEEN_NS * (len(self.steps) - 1)


def _step(stage, shape, channels, source, dtype, wide, streamed, border, low, scale, clip, lanes):
    """A stage whose result has `shape` rows and columns of `dtype`."""
    if stage.loop == "fft":
        return _spectral_step(stage, shape, channels, dtype, wide, border, low, scale, clip)
    if stage.bytes_only and not (
        source == dtype == np.uint8 and scale == 1 and clip == NOT_CLIPPED and _is_byte(border)
    ):
        return Step(stage.loop, (), None, shape, dtype, (), (), inf)
    (sy, sx), (uy, ux) = stage.stride, stage.up
    size, made = 8 if wide else 4, stage.channels or channels
    cell = max(stage.cells or channels, 1) * size
    pixel = max(made, 1) * size
    # Eight rows share their source rows in the first-level cache, which pays with many of them; and what is done once
    # for each block, which counts where rows are short.
    shared = stage.loop == "separable" and (stage.rows > FEW_ROWS or shape[1] * pixel <= SHORT_BYTES)
    block = 8 if shared else DENSE_ROWS if stage.many else 1
    if stage.weights * size > MANY_WEIGHTS_BYTES and uy == 1:
        block = MIX_BLOCK
    numbers = shape[0] * shape[1] * made
    streamed = streamed and stage.loop not in NOT_STREAMED and numbers * dtype.itemsize >= STREAM_BYTES
    if stage.loop == "resample" and uy < 8 and not streamed:  # one by one they are aligned, to go around the caches
        block = uy
    ring_rows = (block - 1) * sy // uy + stage.rows
    ring = {"mix": MIX_RING_BYTES, "box": BOX_RING_BYTES}.get(stage.loop, RING_BYTES)
    chunk = max((BLOCK_LINE_BYTES if block == 8 else LINE_BYTES) // pixel, 32)
    if stage.loop == "depthwise_mix":
        chunk = max(MIX_LINE_BYTES // cell, 12)
    strip = max(ring // (ring_rows * cell) * ux // sx, 4 * stage.columns * ux // sx, chunk)
    # Strips of one width, and of whole source pixels where there are phases.
    strips = max(1, ceil(shape[1] / strip))
    strip = max(1, ceil(ceil(shape[1] / strips) / ux)) * ux
    frame = Frame(
        wide=wide,
        streamed=streamed and block < 8,
        mode=border[0],
        cval=border[1],
        low=low,
        scale=scale,
        top=stage.top,
        left=stage.left,
        rows=stage.rows,
        columns=stage.columns,
        stride_y=sy,
        stride_x=sx,
        up_y=uy,
        up_x=ux,
        strip=strip,
        chunk=strip if stage.loop == "mix" else chunk,
        block=block,
        least=clip[0],
        most=clip[1],
    )
    bytes_only = source == dtype == np.uint8 and stage.bytes_rate is not None
    rate = stage.bytes_rate if bytes_only else stage.rate
    cost = numbers * (0.2 + rate * stage.work) * (2 if wide else 1)
    # A call, its rows, and the pixels of their borders: what counts in small images.
    read, bordered = shape[0] * sy // uy + stage.rows, 0.8 * stage.columns * channels
    cost += 4000 + read * 50 + (shape[0] if stage.loop in BORDER_ON_SUMS and sx == 1 else read) * bordered
    taps = stage.taps(np.float64 if wide else np.float32, lanes) if callable(stage.taps) else stage.taps
    bands, whole = (_bands(shape[0], numbers, cost, stage.rows, stage.loading, many) for many in (True, False))
    return Step(stage.loop, taps, frame, shape, dtype, bands, whole, cost)


def _is_byte(border):
    mode, constant = border
    return mode != borders.MODES["constant"] or (0 <= constant <= 255 and constant == int(constant))


def _spectral_step(stage, shape, channels, dtype, wide, border, low, scale, clip):
    """Bands are rows of tiles, so that results do not depend on them."""
    side, cost = spectral.tile((stage.rows, stage.columns), shape)
    frame = Frame(
        wide, False, border[0], border[1], low, scale, stage.top, stage.left, stage.rows, stage.columns,
        1, 1, 1, 1, strip=side, chunk=side, block=1, least=clip[0], most=clip[1],
    )  # fmt: skip
    down = side - stage.rows + 1
    bands = tuple((y, min(y + down, shape[0])) for y in range(0, shape[0], down))
    return Step("fft", (*stage.taps, side), frame, shape, dtype, bands, bands, cost * max(channels, 1) + 100e3)


def _bands(height, numbers, cost, rows, loading, many):
    """Rows split so that a band takes about BAND_NS, and if `many` at least a few bands to share out."""
    if height == 0:
        return ()
    wanted = max(cost / BAND_NS, 1 if not many else 8 if cost > 4 * SERIAL_NS else 2 if cost > SERIAL_NS else 1)
    # Every band reads `rows` source rows before its first line: a fifth of its work at most, unless that would leave
    # Ctrl-C waiting.
    worth = 5 * rows * (READ_NS * numbers / max(cost, 1) if loading is None else loading)
    tall = max(ceil(height / wanted), min(ceil(worth), ceil(height / 2)), 8)
    return tuple((y, min(y + tall, height)) for y in range(0, height, tall))


_planned: WeakSet[Kernel] = WeakSet()  # the kernels that keep something
caches: list = []  # and what else does, for as long as the process lives
_watching: ContextVar[list | None] = ContextVar("imfilt_watching", default=None)


def make(kernel, *call, clip=NOT_CLIPPED):
    """The plan of a call, which is kept as long as the kernel is. Arguments: see `_make`."""
    call = *call, clip
    plan = kernel.plans.get(call)
    if plan is None:
        _planned.add(kernel)
        plan = _make(kernel, *call)
        if len(kernel.plans) >= PLANS_KEPT:
            kernel.plans.clear()
        kernel.plans[call] = plan
    return plan


@contextmanager
def watched():
    """The steps that are run in this context, as they come: for whoever asks how something was computed."""
    steps: list[Step] = []
    token = _watching.set(steps)
    watch(1)
    try:
        yield steps
    finally:
        watch(-1)
        _watching.reset(token)


def tell(steps):
    """Steps are about to run."""
    watching = _watching.get()
    if watching is not None:
        watching.extend(steps)


def alone(kernel):
    """The kernel without those that may take its place."""
    return kernel if not kernel.others else _alone(kernel)


@lru_cache(maxsize=64)
def _alone(kernel):
    return replace(kernel, others=())


def forget():
    """Drop every plan that is kept."""
    for kernel in _planned:
        kernel.plans.clear()
        kernel.calls.clear()
    for cache in caches:
        cache.clear()


def _make(kernel, shape, source, result, border, cval, rescale, size, lanes, clip):
    """The plan for planes of `shape` (rows, columns, channels) of dtype `source`.

    `border` is a code of borders.py, `cval` counts in the units of the result. `size` are the rows and columns
    of the result, `lanes` the numbers of single precision in a vector of the core that will run; `clip` are
    the least and the most that a result may be, in its units.
    """
    plan = _steps(kernel, shape, source, result, border, cval, rescale, size, lanes, clip)
    for other in kernel.others:  # the first of equals
        other_plan = make(other, shape, source, result, border, cval, rescale, size, lanes, clip=clip)
        plan = min(plan, other_plan, key=lambda p: p.cost)
    return plan


def is_wide(source, result):
    """Whether a call computes in double precision, whatever its kernel."""
    return dtypes.is_wide(source) or dtypes.is_wide(result)


def _steps(kernel, shape, source, result, border, cval, rescale, size, lanes, clip):
    channels = shape[2]
    full = dtypes.full_scale(source) if rescale else 1.0
    wide = is_wide(source, result) or (kernel.squares and dtypes.is_16_bit(source))
    # Sums of whole numbers are exact up to 2**24. (A constant border that is not finite has no whole numbers.)
    most = max(2.0 ** (8 * source.itemsize), abs(cval) if abs(cval) < inf else 0.0)
    wide = wide or (source.kind in "iub" and kernel.reach * most > 2**24)
    scale = kernel.gain * (dtypes.full_scale(result) / full if rescale else 1.0)
    low = -full if rescale and source.kind == "i" else -inf
    outside = border, cval * full
    real = np.dtype(np.float64 if wide else np.float32)
    steps: list[Step] = []
    between = shape[:2]
    for stage in kernel.stages[:-1]:
        between = tuple(ceil(n / s) + e for n, s, e in zip(between, stage.stride, stage.extra, strict=True))
        steps.append(_step(stage, between, channels, source, real, wide, False, outside, low, 1.0, NOT_CLIPPED, lanes))
        source = real
        outside, low = (borders.MODES["constant"], 0.0), -inf  # the margins are in the small image
    ends = tuple(end * dtypes.full_scale(result) for end in clip) if rescale else clip
    if result.kind in "iu" and ends[0] <= np.iinfo(result).min and ends[1] >= np.iinfo(result).max:
        ends = NOT_CLIPPED  # what is written saturates anyway
    steps.append(_step(kernel.stages[-1], size, channels, source, result, wide, True, outside, low, scale, ends, lanes))
    return Plan(kernel.name, tuple(steps))
