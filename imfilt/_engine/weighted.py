"""Normalised convolution: pixels that count for less than others, or not at all.

For taps k, weights w and pixels x, with sums over the taps of a pixel of the result:

    a = |k|                        the window
    m = sum(a w x) / sum(a w)      the local mean of the pixels that count
    result = sum(k w (x - m)) * sum(a) / sum(a w) + m sum(k)

Taps that are nowhere negative are their own window, and this is m sum(k): the mean of the pixels that count
(Knutsson and Westin, "Normalized and differential convolution", CVPR 1993). Others see how these pixels differ from
their mean, so that no edge appears where pixels do not count. Equal weights change nothing; where no pixel under the
window counts, nothing is known. A kernel that is there only as a sum of columns times rows has the sum of
|column| |row| for its window.

Beyond the border pixels count as those they repeat; a constant counts fully, unless it is NaN, or with alpha as much
as it says itself, since it is the alpha there, too.

Rows are gathered in bands, border and all, as x w beside w beside 1, so that the loops of the core do the sums.
"""

import numpy as np

from imfilt._engine import borders, checks, dtypes, isa, plan, threads, twin

# A band is at most so many rows, and so many numbers: what is made of them lies in a second-level cache.
BAND_ROWS = 64
BAND_NUMBERS = 1 << 17
# Sums of weights below this part of what they could be may have lost their digits to underflow: they count as 0.
LEAST = 1000
LEVEL_ERROR = 1e-3  # how far the sum of taps may be from 1


def apply(kernel, array, axis, target, size, *, weights, alpha, mode, cval, rescale, clip):
    """Into `target`, whose rows and columns are `size`: the image under a kernel, weighted.

    The image has been checked, as `target` has, which shares no memory with it. Weights are an array (H, W) or
    of the shape of the image, or "finite". With `alpha` the last channel weights the others, and is filtered itself
    by taps that sum to 1, else kept. Unknown pixels are NaN; with `alpha`, 0.
    """
    pixels = np.moveaxis(array, axis, -1) if axis is not None else array[:, :, None]
    result = np.moveaxis(target, axis, -1) if axis is not None else target[:, :, None]
    if alpha:
        checks.alpha(weights, pixels.shape)
    else:
        weights = checks.weights(weights, array.shape, pixels.shape, axis)
    if not target.size:
        return
    number = np.float64 if plan.is_wide(array.dtype, target.dtype) else np.float32
    real, least = np.dtype(number), LEAST * float(np.finfo(number).tiny)
    full = dtypes.full_scale(array.dtype) if rescale else 1.0
    border = borders.code(mode, cval)
    colours = pixels.shape[2] - bool(alpha)
    count = 1 if alpha or (weights is not None and weights.shape[2] == 1) else colours
    beyond = float(border == borders.MODES["constant"] and not np.isnan(cval))  # what the constant counts
    # The largest weight is made 1 to 2, so that it neither overflows nor vanishes in the arithmetic of the core.
    shift = 0 if weights is None else 1 - int(np.frexp(max(float(weights.max()), beyond))[1])
    shape = *pixels.shape[:2], colours + count + 1
    call = shape, real, real, plan.NONE, 0.0, False, size, isa.core.LANES
    steps = [_one(part, call) for part in kernel.parts or (kernel,)]
    plan.tell(steps)
    windows = [_window(step) for step in steps]
    ends = tuple(end * dtypes.full_scale(target.dtype) for end in clip) if rescale else clip
    scale = dtypes.full_scale(target.dtype) if rescale else 1.0
    frame = steps[0].frame
    closing = frame._replace(scale=scale, least=ends[0], most=ends[1])

    def gather(y0, y1, frame):
        """Under all taps of rows y0 to y1: x w, w and 1."""
        rows = _reach(y0, y1, frame.stride_y, frame.up_y, frame.top, frame.rows)
        columns = _reach(0, size[1], frame.stride_x, frame.up_x, frame.left, frame.columns)
        rows, columns = twin.fold(rows, shape[0], border), twin.fold(columns, shape[1], border)
        outside = (rows < 0)[:, None] | (columns < 0)
        values = pixels[rows][:, columns].astype(real)
        if full != 1:
            values = np.maximum(values, -full) / real.type(full)
        values[outside] = cval
        if alpha:
            values, counts = values[..., :-1], np.fmax(values[..., -1:], 0)  # NaN and less than nothing: nothing
        elif weights is None:
            counts = np.isfinite(values)
        else:
            counts = weights[rows][:, columns].astype(np.float64)
            counts[outside] = beyond
            counts = np.ldexp(counts, shift).astype(real)
        block = np.ones((len(rows), len(columns), shape[2]), real)
        with np.errstate(all="ignore"):
            block[..., :colours] = np.where(counts != 0, values * counts, 0)
        block[..., colours:-1] = counts
        return block

    def sums(step, block, y0, y1, taps):
        out = np.empty((y1 - y0, size[1], shape[2]), real)
        inside = step.frame._replace(top=0, left=0, streamed=False)
        getattr(isa.core, step.loop)(block, out, inside, *taps, 0, y1 - y0)
        return out[..., :colours], out[..., colours:-1], out[..., -1:]

    def linear(step, window, block, y0, y1):
        """The weighted result of one linear kernel, where it is known, and the sum of the weights."""
        kx, kw, k = ax, aw, a = sums(step, block, y0, y1, step.taps)
        with np.errstate(all="ignore"):
            if window is not None:
                ax, aw, a = sums(step, block, y0, y1, window)
            m = ax / aw
            values = m * k
            if window is not None:
                values += (kx - m * kw) * (a / aw)
        none = a == 0  # no taps: a phase that they do not reach
        return np.where(none, 0, values), none | (np.abs(aw) > least * np.abs(a)), kw

    def work(y0, y1):
        blocks = {}
        found = []
        for step, window in zip(steps, windows, strict=True):
            seen = step.frame.rows, step.frame.columns, step.frame.top, step.frame.left
            if seen not in blocks:
                blocks[seen] = gather(y0, y1, step.frame)
            found.append(linear(step, window, blocks[seen], y0, y1))
        values, known, made = found[0]
        if len(found) > 1:
            values = _combine([one[0] for one in found], kernel.stages[0].loop)
            known = np.logical_and.reduce([one[1] for one in found])
        values = np.where(known, values, real.type(0 if alpha else np.nan))
        if alpha:
            values = np.concatenate([values, made if filtered else kept(y0, y1)], axis=-1)
        twin.write(values, closing, result, y0, y1)

    def kept(y0, y1):
        """Alpha as it is at the pixels that rows y0 to y1 are centred on."""
        rows = np.arange(y0, y1) * frame.stride_y // frame.up_y
        columns = np.arange(size[1]) * frame.stride_x // frame.up_x
        return pixels[rows][:, columns, -1:].astype(real) / real.type(full)

    if alpha:
        y1 = min(size[0], frame.up_y)
        k = sums(steps[0], gather(0, y1, frame), 0, y1, steps[0].taps)[2]
        filtered = len(steps) == 1 and (np.abs(k - 1) < LEVEL_ERROR).all()
    threads.run(work, _bands(size[0], size[1] * shape[2], frame), threads.count())


def _one(kernel, call):
    """The one step of a kernel: never a transform, which would spread what does not count.

    Sums of several columns times rows are taken only if there is nothing else: their window is not |k|.
    """
    ways = [one for one in (kernel, *kernel.others) if len(one.stages) == 1 and one.stages[0].loop != "fft"]
    plans = [plan.make(plan.alone(one), *call).steps[0] for one in ways]
    return min(plans, key=lambda step: (_terms(step) > 1, step.cost))


def _terms(step):
    return len(step.taps[-1]) - 1 if step.loop == "separable" else 1


def _window(step):
    """The taps of the window; None if they are those of the step."""
    taps = tuple(np.abs(one) if isinstance(one, np.ndarray) and one.dtype.kind == "f" else one for one in step.taps)
    if all(one is other or np.array_equal(one, other) for one, other in zip(taps, step.taps, strict=True)):
        return None
    if step.loop != "separable":
        return taps
    column, row, down, along, tall, wide = taps
    (column, down, tall), (row, along, wide) = _used(column, down, tall), _used(row, along, wide)
    return column, row, down, along, tall, wide


def _used(values, places, first):
    """Without taps that are 0, which odd factors have in their middle: what those see may be NaN."""
    used = values != 0
    begins = np.concatenate([[0], np.cumsum(used)])[first]
    return (values[used], places[used], begins) if np.diff(begins).all() else (values, places, first)


def _combine(values, loop):
    if loop in ("gradient", "norm"):
        return twin.root_mean_square(*values)
    return np.maximum.reduce(values)


def _reach(first, last, stride, up, before, taps):
    """The source pixels that results first ... last read."""
    return np.arange(first * stride // up - before, (last - 1) * stride // up - before + taps)


def _bands(height, numbers, frame):
    """Whole periods of phases, and tall enough that what bands read twice is little; `numbers` of a row."""
    rows = max(min(BAND_ROWS, BAND_NUMBERS // numbers), 2 * frame.rows * frame.up_y // frame.stride_y)
    rows = -(-rows // frame.up_y) * frame.up_y
    return [(y, min(y + rows, height)) for y in range(0, height, rows)]
