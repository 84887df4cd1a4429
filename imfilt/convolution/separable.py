"""Separable correlation: a column of taps, then a row of taps, in one sweep."""

from functools import lru_cache

import numpy as np

from imfilt._engine.plan import Kernel, Stage


def taps(values):
    """Taps as the core reads them: contiguous float64, not to be changed."""
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


@lru_cache(maxsize=512)
def separable_kernel(column, row, gain=1.0):
    """Correlation with the outer product of `column` and `row`, both odd and centred.

    Parameters
    ----------
    column, row : tuple of float
        Taps down the rows and along them.
    gain : float
        Factor of the result. Kept apart, so that integer taps stay exact.

    Returns
    -------
    Kernel
    """
    top, left = len(column) // 2, len(row) // 2
    stage = Stage(
        "separable", (taps(column), taps(row)), len(column), len(row), top, left, work=(len(column) + len(row)) / 2
    )  # fmt: skip
    return Kernel((stage,), gain, halo=(top, top, left, left))
