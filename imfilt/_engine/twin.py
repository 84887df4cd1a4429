"""The loops of imfilt/_core.pyx once more, in plain NumPy: slow, short, same signatures.

This is documentation (what the core computes), oracle (tests compare bits) and an
instruction set of its own (IMFILT_ISA=numpy). Additions are done in the core's order.
"""

import numpy as np

CONSTANT, NEAREST, REFLECT, MIRROR, WRAP = range(5)


def fold(i, n, mode):
    """Indices i as indices of an axis of n pixels, folded as often as it takes; -1: constant."""
    i = np.asarray(i)
    if mode == CONSTANT:
        return np.where((i >= 0) & (i < n), i, -1)
    if mode == NEAREST:
        return np.clip(i, 0, n - 1)
    if mode == WRAP:
        return i % n
    if mode == REFLECT:
        i = i % (2 * n)
        return np.minimum(i, 2 * n - 1 - i)
    i = i % max(2 * n - 2, 1)
    return np.minimum(i, 2 * n - 2 - i)


def read(src, frame, rows, columns):
    """Rows and columns of src, inside or outside it, as float32 or float64 (rows, columns, C)."""
    real = np.float64 if frame.wide else np.float32
    plane = src if src.ndim == 3 else src[:, :, None]
    rows, columns = fold(rows, plane.shape[0], frame.mode), fold(columns, plane.shape[1], frame.mode)
    numbers = np.maximum(plane[rows][:, columns].astype(real), real(frame.low))
    numbers[rows < 0] = frame.cval
    numbers[:, columns < 0] = frame.cval
    return numbers


def write(numbers, frame, dst, y0, y1):
    """Scaled numbers into rows of dst: integers rounded half to even, saturated, NaN to 0."""
    numbers = numbers * numbers.dtype.type(frame.scale)
    if dst.dtype.kind in "iu":
        limits = np.iinfo(dst.dtype)
        numbers = np.rint(np.where(np.isnan(numbers), 0, numbers).astype(np.float64))
        low, high = numbers <= float(limits.min), numbers >= float(limits.max)
        with np.errstate(invalid="ignore"):
            numbers = np.where(low, limits.min, np.where(high, limits.max, numbers.astype(dst.dtype)))
    with np.errstate(over="ignore"):
        dst[y0:y1] = numbers.reshape(dst[y0:y1].shape)


def parity(weights):
    """+1 for w[t] == w[-t], -1 for w[t] == -w[-t], 0 for neither."""
    if len(weights) % 2 and (weights == weights[::-1]).all():
        return 1
    if len(weights) % 2 and len(weights) > 1 and (weights == -weights[::-1]).all():
        return -1
    return 0


def weighted(parts, weights):
    """Sum of weights[t] * parts[t]; symmetric taps are paired from the outside in."""
    w = np.asarray(weights).astype(parts[0].dtype)
    last = len(w) - 1
    sign = parity(np.asarray(weights))
    if sign == 0:
        total = parts[0] * w[0]
        for t in range(1, len(w)):
            total = total + parts[t] * w[t]
        return total
    if sign > 0:
        total = parts[last // 2] * w[last // 2]
        for t in range(last // 2):
            total = total + (parts[t] + parts[last - t]) * w[t]
        return total
    total = (parts[0] - parts[last]) * w[0]
    for t in range(1, last // 2):
        total = total + (parts[t] - parts[last - t]) * w[t]
    return total


def root_mean_square(a, b):
    """sqrt((a * a + b * b) / 2), scaled by a power of two where the squares leave the safe range."""
    least, most, down, up = (2.0**-900, 2.0**900, 2.0**-600, 2.0**800)
    if a.dtype == np.float32:
        least, most, down, up = (2.0**-96, 2.0**96, 2.0**-70, 2.0**100)
    half = a.dtype.type(0.5)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        square = (a * a + b * b) * half
        unsafe = ~((square >= least) & (square < most)) & ((a != 0) | (b != 0))
        big = np.where(np.abs(a) > np.abs(b), np.abs(a), np.abs(b))
        factor = np.where(big < 1, up, down).astype(a.dtype)
        scaled = np.sqrt(((a * factor) * (a * factor) + (b * factor) * (b * factor)) * half) * (1 / factor)
        return np.where(unsafe, scaled, np.sqrt(square))


def around(src, dst, frame, y0, y1):
    """What the taps of rows y0 to y1 read: part(r, c) is the image under tap (r, c)."""
    width = dst.shape[1]
    y, x = np.arange(y0, y1) * frame.stride_y, np.arange(width) * frame.stride_x
    rows = np.arange(y0 * frame.stride_y - frame.top, (y[-1] if len(y) else 0) - frame.top + frame.rows)
    columns = np.arange(-frame.left, x[-1] - frame.left + frame.columns)
    numbers = read(src, frame, rows, columns)
    y, x = y - y0 * frame.stride_y, x

    def part(r=None, c=None):
        picked = numbers if r is None else numbers[y + r]
        return picked if c is None else picked[:, x + c]

    return part


def separable(src, dst, frame, column, row, y0, y1):
    part = around(src, dst, frame, y0, y1)
    middle = weighted([part(r) for r in range(frame.rows)], column)
    x = np.arange(dst.shape[1]) * frame.stride_x
    write(weighted([middle[:, x + c] for c in range(frame.columns)], row), frame, dst, y0, y1)


def gradient(src, dst, frame, smooth, difference, y0, y1):
    part = around(src, dst, frame, y0, y1)
    down = [part(r) for r in range(frame.rows)]
    smoothed, differed = weighted(down, smooth), weighted(down, difference)
    x = np.arange(dst.shape[1])
    g = weighted([smoothed[:, x + c] for c in range(frame.columns)], difference)
    h = weighted([differed[:, x + c] for c in range(frame.columns)], smooth)
    write(root_mean_square(g, h), frame, dst, y0, y1)


def direct(src, dst, frame, offsets, weights, split, y0, y1):
    part = around(src, dst, frame, y0, y1)
    parts = [part(r, c) for r, c in offsets.reshape(-1, 2)]

    def plain(parts, weights):
        total = parts[0] * parts[0].dtype.type(weights[0])
        for one, w in zip(parts[1:], weights[1:], strict=True):
            total = total + one * one.dtype.type(w)
        return total

    result = plain(parts[:split], weights[:split])
    if split < len(weights):
        result = root_mean_square(result, plain(parts[split:], weights[split:]))
    write(result, frame, dst, y0, y1)


def upsample(src, dst, frame, column, row, y0, y1):
    y, x = np.arange(y0, y1), np.arange(dst.shape[1])
    first_row, first_column = y[0] // frame.up_y - frame.top, -frame.left
    rows = np.arange(first_row, y[-1] // frame.up_y - frame.top + frame.rows)
    columns = np.arange(first_column, x[-1] // frame.up_x - frame.left + frame.columns)
    numbers = read(src, frame, rows, columns)
    real = numbers.dtype
    row, column = row.reshape(frame.up_x, -1).astype(real), column.reshape(frame.up_y, -1).astype(real)
    wide = sum_in_order(numbers[:, x // frame.up_x + c] * row[x % frame.up_x, c, None] for c in range(frame.columns))
    y_at = y // frame.up_y - frame.top - first_row
    write(
        sum_in_order(wide[y_at + r] * column[y % frame.up_y, r, None, None] for r in range(frame.rows)),
        frame, dst, y0, y1,
    )  # fmt: skip


def sum_in_order(parts):
    total = None
    for one in parts:
        total = one if total is None else total + one
    return total
