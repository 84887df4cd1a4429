"""Weights as the channel-mixing loop reads them, and the ones that are kept for the next call."""

from collections import OrderedDict
from threading import Lock

import numpy as np

ALIGNMENT = 64  # bytes: a vector that lies across two lines of cache is read twice
KEPT_BYTES = 64 * 1024 * 1024


def starts(made, lanes):
    """Where the vectors of `made` channels begin: the last overlaps the one before rather than being cut."""
    return [min(v, max(made - lanes, 0)) for v in range(0, made, lanes)]


def pack(sets, lanes, dtype):
    """Weights in the order in which the core reads them.

    Parameters
    ----------
    sets : list of ndarray
        For each phase (groups, numbers, channels): what each number under a pixel gives to each
        channel of the result.
    lanes : int
        Numbers in a vector of the core; 0 for the readable twin, which has none.
    dtype : dtype
        Of the arithmetic; `lanes` counts numbers of single precision.

    Returns
    -------
    ndarray
        For each phase, group and pair of vectors: numbers x 2 vectors, (or x 1 for the last).
    """
    lanes = lanes * 4 // np.dtype(dtype).itemsize
    pieces = []
    for weights in sets:
        _, numbers, made = weights.shape
        first = starts(made, lanes or made)
        for group in weights:
            for v in range(0, len(first), 2):
                piece = np.zeros((numbers, len(first[v : v + 2]), lanes or made), dtype)
                for i, at in enumerate(first[v : v + 2]):
                    part = group[:, at : at + (lanes or made)]
                    with np.errstate(over="ignore"):  # beyond single precision: infinite
                        piece[:, i, : part.shape[1]] = part
                pieces.append(piece.ravel())
    numbers = sum(map(len, pieces))
    memory = np.zeros(numbers + ALIGNMENT, dtype)
    begin = -memory.ctypes.data % ALIGNMENT // memory.itemsize
    packed = memory[begin : begin + numbers]
    if pieces:
        np.concatenate(pieces, out=packed)
    packed.flags.writeable = False
    return packed


class Kept:
    """What was made of arrays, found again by their contents; the oldest is dropped first."""

    def __init__(self, most=KEPT_BYTES):
        self._most, self._bytes, self._items, self._lock = most, 0, OrderedDict(), Lock()

    def get(self, make, arrays, *key):
        """make(*arrays, *key), or what it gave for the same before."""
        import hashlib  # which takes longer to load than most images to filter

        digest = hashlib.sha256()
        for array in arrays:
            if array is not None:
                digest.update(np.ascontiguousarray(array).data if array.size else b"")
            digest.update(repr(None if array is None else (array.shape, array.dtype.str)).encode())
        name = (make, digest.digest(), *key)
        with self._lock:
            if name in self._items:
                self._items.move_to_end(name)
                return self._items[name][0]
        # Copies: what is made may look at them later, and they belong to the caller.
        value = make(*(None if array is None else array.copy() for array in arrays), *key)
        # As doubles, and packed once or twice.
        size = 4096 + 4 * sum(8 * array.size for array in arrays if array is not None)
        with self._lock:
            if name not in self._items and size <= self._most:
                self._items[name] = value, size
                self._bytes += size
            while self._bytes > self._most:
                self._bytes -= self._items.popitem(last=False)[1][1]
        return value


kept = Kept()
