"""Resampling: a set of taps for each phase of the result, on every so many pixels of the source."""

from functools import lru_cache

import numpy as np

from imfilt import interpolants
from imfilt._engine.plan import Kernel, Stage
from imfilt.convolution import mixing
from imfilt.convolution.separable import factors_stage, taps
from imfilt.convolution.transposed import phases


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
    if up == (1, 1):
        stage = factors_stage(column, row, (1, 1), frame)
    else:
        work = (column.shape[1] + row.shape[1]) / 2
        stage = Stage("resample", (taps(column.ravel()), taps(row.ravel())), **frame, work=work)
    whole = all((one == np.rint(one)).all() for one in (column, row))
    reach = float(np.prod([np.abs(one).sum(axis=1).max() for one in (column, row)])) if whole else 0.0
    return Kernel((stage,), halo=_halo(frame), reach=reach, name="resample")


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
