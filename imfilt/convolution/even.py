"""Smoothing of bytes in whole numbers."""

import numpy as np

from imfilt._engine.plan import Kernel, Stage
from imfilt.convolution.separable import taps

ONE = 2**15  # what weights of the core sum to
HALF_RANGE = 127.5  # pixels count from the middle of their range, as the weights' errors sum to 0
ROUNDING = 0.5 / 128  # of the sums of columns, in levels
RATE = 0.02  # nanoseconds for a tap and its mirror image (measured)


def even_kernel(column, row, most):
    """Correlation with even taps that sum to 1, from bytes to bytes, or None if `most` is not kept.

    Parameters
    ----------
    column, row : tuple of float
        Taps down the rows and along them, centred.
    most : float
        How far a result may be from the exact one before it is rounded, in levels.

    Returns
    -------
    Kernel or None
    """
    parts = [_whole(one) for one in (column, row)]
    error = ROUNDING + sum(
        HALF_RANGE * float(np.abs(part / ONE - one).sum()) for part, one in zip(parts, (column, row), strict=True)
    )
    if error > most or any(part.min() < 0 or part.max() >= ONE for part in parts):
        return None
    top, left = len(column) // 2, len(row) // 2
    arrays = tuple(map(taps, parts))
    stage = Stage(
        "even", arrays, len(column), len(row), top, left, work=top + left + 2, rate=RATE, bytes_only=True,
    )  # fmt: skip
    return Kernel((stage,), halo=(top, top, left, left), error=error / HALF_RANGE, name="even")


def _whole(weights):
    """Weights as whole parts, the middle one such that they sum to ONE."""
    parts = np.rint(np.array(weights) * ONE)
    parts[len(parts) // 2] += ONE - parts.sum()
    return parts
