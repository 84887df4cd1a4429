"""Resampling: a set of taps for each phase of the result, on every so many pixels of the source."""

from functools import lru_cache

import numpy as np

from imfilt import interpolants
from imfilt._engine.plan import Kernel, Stage
from imfilt.convolution import mixing
from imfilt.convolution.separable import factors_stage, taps
from imfilt.convolution.transposed import phases

LARGEST_BLEND = 4  # taps of a phase that the loop for bytes takes
LARGEST_GAIN = 1.99  # 128 * 128 times this fits into 16 bits
INVISIBLE = 0.1  # of a level


def resampled_size(size, up, stride):
    """Rows and columns: n * up / stride, halves rounded up; of something, at least one."""
    return tuple(max((2 * n * u + s) // (2 * s), min(n, 1)) for n, u, s in zip(size, up, stride, strict=True))


@lru_cache(maxsize=256)
def resample_kernel(method, up, stride):
    """Interpolation for up[i] pixels of the result to stride[i] pixels of the source, for rows and columns.

    Parameters
    ----------
    method : str or tuple
        As `interpolants.phases` has it.
    up, stride : tuple of two ints

    Returns
    -------
    Kernel
        For a result of `resampled_size`.
    """
    return _by_phases([interpolants.phases(method, u, s) for u, s in zip(up, stride, strict=True)], up, stride)


def taps_kernel(one, stride):
    """Transposed convolution, both down and along, with one set of taps; the result has n * stride pixels."""
    return _by_phases([_dense(one, s) for s in stride], stride, (1, 1))


def transposed_kernel(kernel, stride):
    """Transposed convolution of each channel with a two-dimensional kernel; the result has n * stride pixels."""
    down, along = (_laid(n, s) for n, s in zip(kernel.shape, stride, strict=True))
    (top, rows), (left, columns) = map(_span, (down, along))
    matrices = kernel[:, :, None, None, None]
    sets = [
        [(i - top, j - left, matrices[r, c]) for r, i in below for c, j in beside]
        for below in down
        for beside in along
    ]  # fmt: skip
    frame = _frame((top, left), (rows, columns), stride, (1, 1))
    stage = Stage("direct", (*mixing.direct_arrays(sets, None, 1), False), **frame, work=max(map(len, sets)))
    return Kernel((stage,), halo=_halo(frame), reach=mixing.whole_reach(kernel[None, None], None), name="transposed")


def _by_phases(axes, up, stride):
    """Pairs (first, taps) for rows and columns, as `interpolants.phases` gives them."""
    (top, column), (left, row) = axes
    frame = _frame((top, left), (column.shape[1], row.shape[1]), up, stride)
    if _are_blocks((column, row), up, stride):
        count = column.size * row.size
        stage = Stage("area", (), **frame, work=count, rate=0.03, bytes_rate=0.01)
        return Kernel((stage,), 1 / count, halo=_halo(frame), reach=float(count), name="area")
    if up == (1, 1):
        stage = factors_stage(column, row, (1, 1), frame)
    else:
        work = (column.shape[1] + row.shape[1]) / 2
        stage = Stage("resample", (taps(column.ravel()), taps(row.ravel())), **frame, work=work)
    others = _byte_kernel(column, row, frame) if stride == (1, 1) else ()
    whole = all((one == np.rint(one)).all() for one in (column, row))
    reach = float(np.prod([np.abs(one).sum(axis=1).max() for one in (column, row)])) if whole else 0.0
    return Kernel((stage,), halo=_halo(frame), reach=reach, others=others, name="resample")


def _are_blocks(tables, up, stride):
    """Whether each pixel of the result is the mean of pixels that no other one has."""
    return up == (1, 1) and all(
        one.size == step and (one == 1 / step).all() for one, step in zip(tables, stride, strict=True)
    )


def _byte_kernel(column, row, frame):
    """The same in whole numbers, where that is within a tenth of a level of the exact result, before its rounding.

    Pixels, counted from 128, have seven bits behind the point, so that each product is off by 1/256 at most; weights
    have fifteen. Sums must fit into 16 bits.
    """
    tables = column, row
    if all(one.shape[1] == 1 for one in tables):  # repetition, which `resample` does with the bytes themselves
        return ()
    if not all(np.allclose(one.sum(axis=1), 1, rtol=0, atol=1e-12) for one in tables):
        return ()
    parts = [_quantized(one) for one in tables]
    off = [np.abs(part / 2**15 - one).sum(axis=1).max() for part, one in zip(parts, tables, strict=True)]
    down, along = (np.abs(one).sum(axis=1).max() for one in tables)
    counts = [max(_spread(one)) for one in tables]
    error = counts[0] / 256 + counts[1] / 256 * down + 128 * (off[0] * along + off[1] * down)
    if max(counts) > LARGEST_BLEND or down * along > LARGEST_GAIN or error > INVISIBLE:
        return ()
    stage = Stage("blend", tuple(taps(part.ravel()) for part in parts), **frame,
                  work=(column.shape[1] + row.shape[1]) / 2, rate=0.0, bytes_only=True)  # fmt: skip
    return (Kernel((stage,), halo=_halo(frame), name="blend"),)


def _spread(table):
    """For each phase how many taps there are from the first that is not 0 to the last."""
    return [int(np.ptp(np.flatnonzero(one))) + 1 for one in table]


def _quantized(table):
    """Weights in parts of 2**15, whose sums are as they were; 2**15 itself does not fit into 16 bits."""
    parts = np.rint(table * 2.0**15)
    for one, exact in zip(parts, table.sum(axis=1), strict=True):
        one[np.abs(one).argmax()] += exact * 2**15 - one.sum()
    return np.minimum(parts, 2**15 - 1)


def _frame(first, counts, up, stride):
    return {"rows": counts[0], "columns": counts[1], "top": -first[0], "left": -first[1], "stride": stride, "up": up}


def _halo(frame):
    rows, columns, top, left = frame["rows"], frame["columns"], frame["top"], frame["left"]
    return tuple(max(n, 0) for n in (top, rows - 1 - top, left, columns - 1 - left))


def _laid(count, stride):
    """For each phase its taps, of a kernel in the middle of what its pixel becomes, or half a pixel further on."""
    return phases(count, stride, 1, (count - stride) // 2)


def _span(sets):
    """The first source pixel that any phase reads, and how many there are from it on."""
    pixels = [i for one in sets for _, i in one]
    return min(pixels), max(pixels) - min(pixels) + 1


def _dense(one, stride):
    sets = _laid(len(one), stride)
    first, count = _span(sets)
    table = np.zeros((stride, count))
    for phase, found in enumerate(sets):
        for k, i in found:
            table[phase, i - first] = one[k]
    return first, table
