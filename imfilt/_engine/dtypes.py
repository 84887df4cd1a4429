"""Types at the edge: which are taken, what they widen to, and what full scale means."""

import numpy as np

TAKEN = tuple(
    np.dtype(name)
    for name in ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
                 "float16", "float32", "float64")
)  # fmt: skip
_TAKEN = frozenset(TAKEN)
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def is_taken(dtype):
    return dtype in _TAKEN or dtype.newbyteorder("=") in _TAKEN


def is_wide(dtype):
    """Whether float32 cannot hold the numbers of this type."""
    return dtype.itemsize == 8 or (dtype.itemsize == 4 and dtype.kind in "iu")


def is_16_bit(dtype):
    return dtype.itemsize == 2 and dtype.kind in "iu"


def default_result(dtype):
    return FLOAT64 if is_wide(dtype) else FLOAT32


def full_scale(dtype):
    """The number that stands for 1.0, as in scikit-image's img_as_float and img_as_ubyte."""
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
