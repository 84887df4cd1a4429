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

BAND_ROWS = 64
# Sums of weights below this part of what they could be may have lost their digits to underflow: they count as 0.
LEAST = 1000
# Alpha is filtered by taps whose sum is more than this part of the sum of their magnitudes; by others it is kept.
KEEPS_LEVEL = 1e-3


def apply(kernel, array, axis, target, size, *, weights, alpha, mode, cval, rescale, clip):
    """Into `target`, whose rows and columns are `size`: the image under a kernel, weighted.

    The image has been checked, as `target` has, which shares no memory with it. Weights are an array (H, W) or
    of the shape of the image, or "finite". With `alpha` the last channel weights the others, and is filtered itself
    unless the taps sum to 0, when it stays as it is. Unknown pixels are NaN; with `alpha`, 0.
    """
    pixels = np.moveaxis(array, axis, -1) if axis is not None else array[:, :, None]
    result = np.moveaxis(target, axis, -1) if axis is not None else target[:, :, None]
    if alpha:
        checks.alpha(alpha, weights, pixels.shape, size)
    else:
        weights = checks.weights(weights, array.shape, pixels.shape, axis)
    wide = plan.is_wide(array.dtype, target.dtype)
    real = np.dtype(np.float64 if wide else np.float32)
    least = LEAST * np.finfo(real).tiny
    full = dtypes.full_scale(array.dtype) if rescale else 1.0
    border = borders.code(mode, cval)
    colours = pixels.shape[2] - bool(alpha)
    count = 1 if alpha or (weights is not None and weights.shape[2] == 1) else colours
    # The largest weight is made 1 to 2, so that it neither overflows nor vanishes in the arithmetic of the core.
    shift = 0 if weights is None else 1 - int(np.frexp(np.float64(weights.max()))[1])
    shape = *pixels.shape[:2], colours + count + 1
    call = shape, real, real, plan.NONE, 0.0, False, size, isa.core.LANES
    steps = [_one(part, call) for part in kernel.parts or (kernel,)]
    windows = [_window(step) for step in steps]
    ends = tuple(end * dtypes.full_scale(target.dtype) for end in clip) if rescale else clip
    scale = dtypes.full_scale(target.dtype) if rescale else 1.0
    closing = steps[0].frame._replace(scale=scale, least=ends[0], most=ends[1])

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
            counts = np.ldexp(weights[rows][:, columns].astype(np.float64), shift).astype(real)
            counts[outside] = not np.isnan(cval)
        block = np.ones((len(rows), len(columns), shape[2]), real)
        block[..., :colours] = np.where(counts != 0, values * counts, 0)
        block[..., colours:-1] = counts
        return block

    def sums(step, block, y0, y1, taps):
        out = np.empty((y1 - y0, size[1], shape[2]), real)
        frame = step.frame._replace(top=0, left=0, streamed=False)
        getattr(isa.core, step.loop)(block, out, frame, *taps, 0, y1 - y0)
        return out[..., :colours], out[..., colours:-1], out[..., -1:]

    def linear(step, window, block, y0, y1):
        """The weighted result of one linear kernel, where it is known, and the sums of the weights and of the taps."""
        kx, kw, k = sums(step, block, y0, y1, step.taps)
        if window is None:
            return kx / kw * k, np.abs(kw) > least * np.abs(k), kw, k > 0
        ax, aw, a = sums(step, block, y0, y1, window)
        m = ax / aw
        return (kx - m * kw) * (a / aw) + m * k, np.abs(aw) > least * np.abs(a), kw, k > KEEPS_LEVEL * np.abs(a)

    def work(y0, y1):
        with np.errstate(all="ignore"):
            blocks = {}
            found = []
            for step, window in zip(steps, windows, strict=True):
                frame = step.frame
                seen = frame.rows, frame.columns, frame.top, frame.left
                if seen not in blocks:
                    blocks[seen] = gather(y0, y1, frame)
                found.append(linear(step, window, blocks[seen], y0, y1))
            values, known, made, level = found[0]
            if len(found) > 1:
                values = _combine([one[0] for one in found], kernel.stages[0].loop)
                known = np.logical_and.reduce([one[1] for one in found])
            values = np.where(known, values, real.type(0 if alpha else np.nan))
            if alpha:
                if len(found) > 1 or not level.all():
                    made = kept(y0, y1, steps[0].frame)
                values = np.concatenate([values, made], axis=-1)
            twin.write(values, closing, result, y0, y1)

    def kept(y0, y1, frame):
        """Alpha as it is at the pixels that rows y0 to y1 are centred on."""
        rows = np.arange(y0, y1) * frame.stride_y // frame.up_y
        columns = np.arange(size[1]) * frame.stride_x // frame.up_x
        return pixels[rows][:, columns, -1:].astype(real) / real.type(full)

    threads.run(work, _bands(size[0], steps[0].frame), threads.count())


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


def _bands(height, frame):
    """Whole periods of phases, and tall enough that what bands read twice is little."""
    rows = max(BAND_ROWS, 2 * frame.rows * frame.up_y // frame.stride_y)
    rows = -(-rows // frame.up_y) * frame.up_y
    return [(y, min(y + rows, height)) for y in range(0, height, rows)]
