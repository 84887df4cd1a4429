"""The loops of imfilt/_core.pyx once more, in plain NumPy: slow, short, same signatures.

This is documentation (what the core computes), oracle (tests compare bits) and an
instruction set of its own (IMFILT_ISA=numpy). Additions are done in the core's order.
"""

import numpy as np

CONSTANT, NEAREST, REFLECT, MIRROR, WRAP = range(5)
FEW = 9  # columns of a box whose bytes are added up one by one


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
    if (frame.least, frame.most) != (-np.inf, np.inf):
        numbers = np.clip(numbers, numbers.dtype.type(frame.least), numbers.dtype.type(frame.most))
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


def products(parts, weights):
    """What `weighted` adds up: symmetric taps are paired, the centre first, then from the outside in."""
    w = np.asarray(weights).astype(parts[0].dtype)
    last = len(w) - 1
    sign = parity(np.asarray(weights))
    if sign == 0:
        yield from (part * one for part, one in zip(parts, w, strict=True))
        return
    if sign > 0:
        yield parts[last // 2] * w[last // 2]
    for t in range(last // 2):
        yield (parts[t] + sign * parts[last - t]) * w[t]


def weighted(parts, weights):
    """Sum of weights[t] * parts[t]."""
    return sum_in_order(products(parts, weights))


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
    """What the taps of rows y0 to y1 read: part(r, c) is the image under tap (r, c).

    part(r, c, ys, xs) is that for some of these rows and columns only.
    """
    y = np.arange(y0, y1) * frame.stride_y // frame.up_y - frame.top
    x = np.arange(dst.shape[1]) * frame.stride_x // frame.up_x - frame.left
    rows = np.arange(y[0], y[-1] + frame.rows)
    columns = np.arange(x[0], x[-1] + frame.columns)
    numbers = read(src, frame, rows, columns)

    def part(r=None, c=None, ys=slice(None), xs=slice(None)):
        picked = numbers if r is None else numbers[y[ys] - y[0] + r]
        return picked if c is None else picked[:, x[xs] - x[0] + c]

    return part


def separable(src, dst, frame, column, row, down, along, tall, wide, y0, y1):
    part = around(src, dst, frame, y0, y1)
    x = np.arange(dst.shape[1]) * frame.stride_x

    def terms():
        for r in range(len(tall) - 1):
            d, a = slice(tall[r], tall[r + 1]), slice(wide[r], wide[r + 1])
            middle = weighted([part(t) for t in down[d]], column[d])
            yield from products([middle[:, x + c] for c in along[a]], row[a])

    write(sum_in_order(terms()), frame, dst, y0, y1)


def box(src, dst, frame, y0, y1):
    """Sums over rectangles of frame.rows x frame.columns."""
    part = around(src, dst, frame, y0, y1)
    rows = part()
    # Down the columns: rows fall into blocks of frame.rows. A window is the end of one, summed from its last row
    # upwards, and the beginning of the next, summed downwards.
    n, first = frame.rows, y0 - frame.top
    columns = np.empty((y1 - y0, *rows.shape[1:]), rows.dtype)
    for y in range(y1 - y0):
        edge = -(-(first + y + 1) // n) * n - first  # the next block begins here
        above = sum_in_order(rows[r] for r in range(edge - 1, y - 1, -1))
        below = sum_in_order(rows[r] for r in range(edge, y + n))
        columns[y] = above if below is None else above + below
    # Along a row: windows of 4, 16, 64 ... numbers, each the sum of four of the ones before; then the digits of n to
    # base 4, the largest first.
    n, x = frame.columns, np.arange(dst.shape[1])
    windows, width, done = [columns], 1, 0
    while 4 * width <= n:
        last, count = windows[-1], windows[-1].shape[1] - 3 * width
        windows.append(sum_in_order(last[:, i * width : i * width + count] for i in range(4)))
        width *= 4
    parts = []
    for window in reversed(windows):
        while done + width <= n:
            parts.append(window[:, x + done])
            done += width
        width //= 4
    result = sum_in_order(parts)
    if frame.columns <= FEW:
        write_means(result, src, frame, dst, y0, y1)
    else:
        write(result, frame, dst, y0, y1)


def area(src, dst, frame, y0, y1):
    """Sums over rectangles of frame.rows x frame.columns that lie one beside the other."""
    part = around(src, dst, frame, y0, y1)
    columns = sum_in_order(part(r) for r in range(frame.rows))
    x = np.arange(dst.shape[1]) * frame.columns
    write_means(sum_in_order(columns[:, x + c] for c in range(frame.columns)), src, frame, dst, y0, y1)


def write_means(sums, src, frame, dst, y0, y1):
    """Scaled sums, as `write` has it; means of bytes, whose sums fit into 16 bits, are rounded like exact ones."""
    n = frame.rows * frame.columns
    whole = frame.mode != CONSTANT or frame.cval in range(256)
    bytes_only = src.dtype.kind + str(src.dtype.itemsize) in ("u1", "b1") and dst.dtype == np.uint8
    if not (bytes_only and whole and 255 * n <= 65535 and abs(frame.scale * n - 1) < 1e-9) or frame.wide:
        write(sums, frame, dst, y0, y1)
        return
    dst[y0:y1] = np.rint(sums.astype(np.float64) / n).reshape(dst[y0:y1].shape)


def gradient(src, dst, frame, smooth, difference, y0, y1):
    part = around(src, dst, frame, y0, y1)
    down = [part(r) for r in range(frame.rows)]
    smoothed, differed = weighted(down, smooth), weighted(down, difference)
    x = np.arange(dst.shape[1])
    g = weighted([smoothed[:, x + c] for c in range(frame.columns)], difference)
    h = weighted([differed[:, x + c] for c in range(frame.columns)], smooth)
    write(root_mean_square(g, h), frame, dst, y0, y1)


def plain(parts, weights):
    """Sum of weights[t] * parts[t], in this order."""
    weights = np.asarray(weights).astype(parts[0].dtype)
    total = parts[0] * weights[0]
    for one, w in zip(parts[1:], weights[1:], strict=True):
        total = total + one * w
    return total


def phases(dst, frame, y0, y1):
    """For each phase: its number, and which of the rows y0 to y1 and of the columns belong to it."""
    y, x = np.arange(y0, y1), np.arange(dst.shape[1])
    for n in range(frame.up_y * frame.up_x):
        yield n, np.flatnonzero(y % frame.up_y == n // frame.up_x), np.flatnonzero(x % frame.up_x == n % frame.up_x)


def channels_of(array):
    return array.shape[2] if array.ndim == 3 else 1


def sums(src, dst, frame, channels, offsets, weights, first, picks, y0, y1):
    """The sums of `direct`, as numbers (rows, columns, channels) for each set of taps."""
    part = around(src, dst, frame, y0, y1)
    offsets, weights = offsets.reshape(-1, 3), weights.reshape(first[-1], -1)
    picks = picks.reshape(-1, channels) if picks.size else [slice(None)]

    def of(n, ys=slice(None), xs=slice(None)):
        taps = range(first[n], first[n + 1])
        seen = [part(*offsets[t, :2], ys, xs) for t in taps]
        parts = [
            one[:, :, picks[offsets[t, 2]]] if offsets[t, 2] >= 0 else np.ones((*one.shape[:2], channels), one.dtype)
            for t, one in zip(taps, seen, strict=True)
        ]
        if are_mirrored(offsets, weights, frame, first):  # both of a pair, multiplied once, from the outside in
            middle = len(parts) // 2
            pairs = [a + b for a, b in zip(parts[:middle], parts[:middle:-1], strict=True)]
            return plain([parts[middle], *pairs], weights[[middle, *range(middle)]])
        return plain(parts, weights[first[n] : first[n + 1]])

    return of


PAIRED_TAPS = 10


def are_mirrored(offsets, weights, frame, first):
    """Whether tap t of the only set lies opposite to the t-th from the end, with the same weight."""
    return (
        len(first) == 2 and weights.shape[1] == 1 and len(weights) >= PAIRED_TAPS and len(weights) % 2 == 1
        and frame.block == 1 and not offsets[:, 2].any() and (weights == weights[::-1]).all()
        and (offsets + offsets[::-1] == offsets[0] + offsets[-1]).all()
    )  # fmt: skip


def direct(src, dst, frame, offsets, weights, first, picks, fused, y0, y1):
    channels = channels_of(dst)
    of = sums(src, dst, frame, channels, offsets, weights, first, picks, y0, y1)
    result = np.empty((y1 - y0, dst.shape[1], channels), np.float64 if frame.wide else np.float32)
    for n, ys, xs in phases(dst, frame, y0, y1):
        if len(ys) and len(xs):
            result[ys[:, None], xs] = of(n, ys, xs)
    write(result, frame, dst, y0, y1)


def norm(src, dst, frame, offsets, weights, first, picks, y0, y1):
    of = sums(src, dst, frame, channels_of(dst), offsets, weights, first, picks, y0, y1)
    write(root_mean_square(of(0), of(1)), frame, dst, y0, y1)


def strongest(src, dst, frame, offsets, weights, first, picks, y0, y1):
    """The largest of the sums of `direct`, over all sets of taps; NaN where one is."""
    of = sums(src, dst, frame, channels_of(dst), offsets, weights, first, picks, y0, y1)
    most = of(0)
    for n in range(1, len(first) - 1):
        other = of(n)
        most = np.where((most > other) | np.isnan(most), most, other)
    write(most, frame, dst, y0, y1)


LANES = 0  # weights are not cut into vectors: groups x numbers x channels for each phase


def mixed(numbers, weights, bias):
    """Bias + numbers @ weights, the numbers one after the other; last axes: numbers, channels."""
    total = np.broadcast_to(bias, (*numbers.shape[:-1], weights.shape[-1]))
    for k in range(weights.shape[0]):
        total = total + numbers[..., k, None] * weights[k]
    return total


def mix(src, dst, frame, offsets, first, weights, bias, length, groups, y0, y1):
    part = around(src, dst, frame, y0, y1)
    offsets, bias = offsets.reshape(-1, 2), bias.reshape(groups, -1)
    taken, made = channels_of(src) // groups, bias.shape[1]
    weights = weights.reshape(first[-1] * length * groups, made)
    result = np.empty((y1 - y0, dst.shape[1], groups * made), weights.dtype)
    for n, ys, xs in phases(dst, frame, y0, y1):
        if not (len(ys) and len(xs)):
            continue
        count = first[n + 1] - first[n]
        of_phase = weights[first[n] * length * groups :][: count * length * groups].reshape(groups, -1, made)
        for g in range(groups):
            numbers = np.zeros((len(ys), len(xs), 0), weights.dtype)
            for r, c in offsets[first[n] : first[n + 1]]:
                # A run may reach over several pixels, when no channel of theirs is left out.
                wide = [part(r, c + i, ys, xs) for i in range(-(-length // channels_of(src)))]
                run = np.concatenate(wide, axis=-1)[..., g * taken : g * taken + length]
                numbers = np.concatenate([numbers, run], axis=-1)
            result[ys[:, None], xs, g * made : (g + 1) * made] = mixed(numbers, of_phase[g], bias[g])
    write(result, frame, dst, y0, y1)


def depthwise_mix(src, dst, frame, offsets, weights, first, picks, mixing, bias, channels, y0, y1):
    middle = sums(src, dst, frame, channels, offsets, weights, first, picks, y0, y1)(0)
    write(mixed(middle, mixing.reshape(channels, -1), bias), frame, dst, y0, y1)


def resample(src, dst, frame, column, row, y0, y1):
    y, x = np.arange(y0, y1), np.arange(dst.shape[1])
    part = around(src, dst, frame, y0, y1)
    numbers = part()
    real = numbers.dtype
    row, column = row.reshape(frame.up_x, -1).astype(real), column.reshape(frame.up_y, -1).astype(real)
    x_at = x * frame.stride_x // frame.up_x
    y_at = y * frame.stride_y // frame.up_y - y0 * frame.stride_y // frame.up_y
    wide = np.empty((len(numbers), len(x), numbers.shape[2]), real)
    for phase, weights in enumerate(row):
        of = x % frame.up_x == phase
        wide[:, of] = sum_in_order(numbers[:, x_at[of] + c] * weights[c] for c in used(weights))
    result = np.empty((y1 - y0, *wide.shape[1:]), real)
    for phase, weights in enumerate(column):
        of = y % frame.up_y == phase
        result[of] = sum_in_order(wide[y_at[of] + r] * weights[r] for r in used(weights))
    write(result, frame, dst, y0, y1)


def blend(src, dst, frame, column, row, y0, y1):
    """`resample` from bytes to bytes: pixels less 128, times 128, weights in parts of 2**15, each product rounded."""
    y, x = np.arange(y0, y1), np.arange(dst.shape[1])
    numbers = around(src, dst, frame, y0, y1)().astype(np.int64) * 128 - 2**14
    row, column = row.reshape(frame.up_x, -1).astype(np.int64), column.reshape(frame.up_y, -1).astype(np.int64)

    def share(a, b):
        return (a * b + 2**14) >> 15

    wide = np.empty((len(numbers), len(x), numbers.shape[2]), np.int64)
    for phase, weights in enumerate(row):
        of = x % frame.up_x == phase
        wide[:, of] = sum(share(numbers[:, x[of] // frame.up_x + c], weights[c]) for c in used(weights))
    result = np.empty((y1 - y0, *wide.shape[1:]), np.int64)
    for phase, weights in enumerate(column):
        of = y % frame.up_y == phase
        rows = y[of] // frame.up_y - y0 // frame.up_y
        result[of] = sum(share(wide[rows + r], weights[r]) for r in used(weights))
    dst[y0:y1] = np.clip(((result + 64) >> 7) + 128, 0, 255).reshape(dst[y0:y1].shape)


def even(src, dst, frame, column, row, y0, y1):
    """`separable` for an even column and row, from bytes to bytes: weights in parts of 2**15, columns to 1/128."""
    numbers, x = around(src, dst, frame, y0, y1)().astype(np.int64), np.arange(dst.shape[1])
    column, row = column.astype(np.int64), row.astype(np.int64)
    middle = sum(numbers[r : r + y1 - y0] * weight for r, weight in enumerate(column))
    middle = (middle + 2**7) >> 8
    result = sum(middle[:, x + c] * weight for c, weight in enumerate(row))
    dst[y0:y1] = ((result + 2**21) >> 22).reshape(dst[y0:y1].shape)


def used(weights):
    """From the first that is not 0 to the last; one at least."""
    places = np.flatnonzero(weights)
    return range(places[0], places[-1] + 1) if len(places) else range(1)


ARCTANGENT = {  # coefficients of P, where arctan(q) is q + q * z * P(z), with z = q * q, for q from 0 to 1
    4: (
        -0.3333333173, 0.1999973933, -0.1427856875, 0.1103376412, -0.0865688043, 0.06250169445, -0.03587153898,
        0.01350777143, -0.002386997317,
    ),
    8: (
        -0.3333333333333333025, 0.199999999999975322, -0.1428571428538413154, 0.111111110934908281,
        -0.09090908590891934225, 0.07692298971033216917, -0.06666564699289104211, 0.05881506877793656067,
        -0.05257973334284110807, 0.04737749579527778972, -0.04260356632601652133, 0.03749486812535247112,
        -0.03127718906699638479, 0.02369673158004862201, -0.01553515247541417613, 0.008368931178450162136,
        -0.00349588597391630952, 0.001049603508496851507, -0.0001999618937790138206, 0.0000180619546186121522,
    ),
}  # fmt: skip


def polar(down, along, diagonal, factor):
    """In place: derivatives down and along become the angle, and the length times a factor."""
    real = down.dtype.type
    with np.errstate(all="ignore"):
        y, x = (down + along, down - along) if diagonal else (down, along)
        a, b = np.abs(x), np.abs(y)
        large, small = np.where(b > a, b, a), np.where(b > a, a, b)
        q = np.where(large + small == 0, real(0), np.where(small == large, real(1), small / large))
        z = q * q
        p = real(0)
        for coefficient in reversed(ARCTANGENT[down.itemsize]):
            p = p * z + real(coefficient)
        p = q + q * z * p
        p = np.where(b > a, real(np.pi / 2) - p, p)
        p = np.where(x < 0, real(np.pi) - p, p)
        down[...], along[...] = np.where(y < 0, -p, p), large * np.sqrt(1 + z) * real(factor)


def suppress(src, dst, frame, low, high, y0, y1):
    """1 where the gradient of src (by Sobel's taps, magnitudes not halved) is a maximum across the edge and at least
    `low`, 2 where it is also at least `high`, else 0. Magnitudes between pixels are interpolated linearly.
    """
    numbers = around(src, dst, frame, y0, y1)()[:, :, 0]  # two more on every side
    down, along = numbers[2:] - numbers[:-2], numbers[:, 2:] - numbers[:, :-2]
    two = numbers.dtype.type(2)
    i = down[:, 1:-1] * two + (down[:, :-2] + down[:, 2:])
    j = along[1:-1] * two + (along[:-2] + along[2:])
    # Seen from the second pixel to the second but one; infinite numbers have no maxima.
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        m = np.sqrt(i * i + j * j)
        i, j = i[1:-1, 1:-1], j[1:-1, 1:-1]
        steep = np.abs(i) > np.abs(j)
        w = np.where(steep, np.abs(j) / np.abs(i), np.abs(i) / np.abs(j))

        def at(dy, dx):
            return m[1 + dy : m.shape[0] - 1 + dy, 1 + dx : m.shape[1] - 1 + dx]

        same = (i > 0) == (j > 0)  # the gradient points down and right, or up and left
        plus = np.where(same, at(1, 1), at(-1, 1)) * w
        minus = np.where(same, at(-1, -1), at(1, -1)) * w
        rest = 1 - w
        plus = plus + np.where(steep, np.where(same, at(1, 0), at(-1, 0)), at(0, 1)) * rest
        minus = minus + np.where(steep, np.where(same, at(-1, 0), at(1, 0)), at(0, -1)) * rest
        here = at(0, 0)
        edge = (here >= m.dtype.type(low)) & (plus <= here) & (minus <= here)
        dst[y0:y1] = (edge * (1 + (here >= m.dtype.type(high)))).reshape(dst[y0:y1].shape)


def link(labels):
    """In place: 1 for the pixels that are 2, and those that are 1 and touch one of them, as often as it takes; else 0.

    The outermost pixels are 0.
    """
    strong, weak = labels == 2, labels > 0
    while True:
        grown = strong.copy()
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                grown |= np.roll(strong, (dy, dx), (0, 1))
        grown &= weak
        if (grown == strong).all():
            labels[...] = strong
            return
        strong = grown


def sum_in_order(parts):
    total = None
    for one in parts:
        total = one if total is None else total + one
    return total
