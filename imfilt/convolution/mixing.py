"""Kernels that make channels of their own: taps with a matrix of weights each, for every phase.

A *set* is the list of taps of one phase, as (row, column, weights), rows and columns counted from
the first that the frame reads; weights are (groups, channels taken, channels made). A convolution has
one set, a transposed convolution with stride s has s x s: real polyphase, nothing is ever multiplied by
a zero that was put in between.
"""

from functools import lru_cache

import numpy as np

from imfilt._engine.packed import pack
from imfilt._engine.plan import Stage
from imfilt.convolution.direct import NONE
from imfilt.convolution.separable import indices, taps

VECTOR = 16  # numbers of the widest vector; so that every build of the core goes the same way
FEW = 4  # channels, and taps
MANY = 12  # taps from which several lines are made at a time (measured)
MANY_OF_PIXELS = 9  # with weights for each channel


def lie_close(count, frame, many=MANY):
    """Whether so many taps are made for several lines at a time, by a loop that visits every place in the frame."""
    return frame["stride"] == (1, 1) and count >= many and 4 * count >= frame["rows"] * frame["columns"]


def of_groups(weight, groups):
    """A weight (made, taken, kH, kW) as (kH, kW, groups, taken, made of a group)."""
    made, taken, tall, wide = weight.shape
    return weight.reshape(groups, made // groups, taken, tall, wide).transpose(3, 4, 0, 2, 1)


def stage(sets, bias, channels, frame, same_bits=False, wide=True):
    """The stage of these sets: channel by channel in vectors of the result, or by mixing.

    Parameters
    ----------
    sets : list
        One for each phase.
    bias : ndarray or None
        (made,)
    channels : int
        Of the image.
    frame : dict
        rows, columns, top, left, stride and up of the stage.
    same_bits : bool
        Do not mix, whatever that gains: the loop that mixes may use fused multiply-add.
    wide : bool
        Whether it is computed in double precision, or may be.
    """
    groups, taken, made = next(one[0][2].shape for one in sets if one)
    if groups == 1:
        few = _are_few(sets, taken, made, frame, wide)
    else:
        most = max(map(len, sets))
        # Vector operations for a pixel, roughly: direct has two for a tap and picks channels first; mixing has
        # one, whose vectors are not full unless a group makes enough channels.
        direct = 2 * most * taken * groups * made / VECTOR + (taken * groups * made if taken > 1 else 0)
        few = direct <= most * taken * groups * -(-made // VECTOR) + groups * made / 4
    if same_bits or few:
        return _direct(sets, bias, channels, frame)
    return _mixed(sets, bias, groups, taken, made, frame)


def _are_few(sets, taken, made, frame, wide):
    """Channels so few that most of a vector of those of one pixel would be empty (measured)."""
    if taken == made == 1:
        return True
    if len(sets) > 1 or frame["stride"] != (1, 1) or 1 < len(sets[0]) < FEW:
        return False
    return made == 1 or (max(taken, made) <= FEW and not wide)


def direct_arrays(sets, bias, channels):
    """The arguments of the loop `direct` for these sets: offsets, weights, first, picks."""
    groups, taken, made = next(one[0][2].shape for one in sets if one)
    offsets, weights, first = [], [], [0]
    for one in sets:
        for r, c, matrix in one:
            for j in range(taken):
                offsets.append((r, c, j))
                weights.append(matrix[:, j].ravel())
        if bias is not None or not one:  # a phase without taps: its sum is 0
            offsets.append((0, 0, -1))
            weights.append(np.zeros(groups * made) if bias is None else bias)
        first.append(len(offsets))
    table = np.array(weights, dtype=np.float64)
    if (table == table[:, :1]).all():
        table = table[:, :1]
    # Part j holds, for each channel of the result, the j-th channel that its group takes.
    picks = np.repeat(np.arange(groups) * taken, made) + np.arange(taken)[:, None]
    same = taken == 1 and made == 1 and groups == channels
    return indices(offsets), taps(table), indices(first), NONE if same else indices(picks.ravel())


def _direct(sets, bias, channels, frame):
    arrays = direct_arrays(sets, bias, channels)
    groups, taken, made = next(one[0][2].shape for one in sets if one)
    most = max(map(len, sets)) * taken
    kinds = arrays[1].shape[1]
    many = (
        len(sets) == 1 and (kinds >= VECTOR or (kinds == 1 and bias is None)) and not arrays[3].size
        and lie_close(most, frame, MANY if kinds == 1 else MANY_OF_PIXELS)
    )  # fmt: skip
    return Stage(
        "direct", (*arrays, False), **frame, work=most, channels=groups * made, cells=taken * groups * made,
        many=many, rate=0.02 if many else 0.018,
    )  # fmt: skip


def _mixed(sets, bias, groups, taken, made, frame):
    runs = [_runs(one, groups) for one in sets]
    counts = {len(one) // (len(run) or 1) for one, run in zip(sets, runs, strict=True) if one}
    if len(counts) > 1:  # runs of one length, or of one pixel each
        runs, counts = [[tap[:2] for tap in one] for one in sets], {1}
    offsets = indices([run for one in runs for run in one])
    first = indices(np.cumsum([0, *map(len, runs)]))
    tables = [
        np.concatenate([tap[2] for tap in one], axis=1) if one else np.zeros((groups, 0, made)) for one in sets
    ]  # fmt: skip
    every = np.zeros((groups, 1, made)) if bias is None else bias.reshape(groups, 1, made)
    length = counts.pop() * taken

    @lru_cache(maxsize=4)
    def arrays(dtype, lanes):
        return offsets, first, pack(tables, lanes, dtype), pack([every], lanes, dtype), length, groups

    work = max(map(len, sets)) * taken
    return Stage("mix", arrays, **frame, work=work, channels=groups * made, rate=0.01, weights=work * groups * made)


def _runs(one, groups):
    """Where runs of numbers begin that lie side by side: pixels of a row without a gap, of one group."""
    if groups > 1:
        return [tap[:2] for tap in one]
    begins: list[tuple[int, int]] = []
    lengths: list[int] = []
    for r, c, _ in one:
        if begins and begins[-1][0] == r and begins[-1][1] + lengths[-1] == c:
            lengths[-1] += 1
        else:
            begins.append((r, c))
            lengths.append(1)
    return begins if len(set(lengths)) == 1 else [tap[:2] for tap in one]


def whole_reach(weight, bias):
    """The largest sum that whole weights make of pixels between -1 and 1; 0 when they are not whole."""
    if not (weight == np.rint(weight)).all() or (bias is not None and not (bias == np.rint(bias)).all()):
        return 0.0
    return float(np.abs(weight).sum(axis=(1, 2, 3)).max() + (0 if bias is None else np.abs(bias).max()))
