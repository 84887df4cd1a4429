"""Checks of a two-dimensional kernel and of what is asked of its factors."""

import numpy as np

from imfilt._engine import checks, dtypes

LARGEST_SUM = 1e300  # of magnitudes: leaves room for the bounds on errors


def as_kernel(kernel):
    """A kernel as float64, with two dimensions and nothing rounded."""
    if isinstance(kernel, np.ma.MaskedArray):
        raise TypeError("kernel is a masked array; pass its .data, with zeros for the taps that are not there")
    try:
        array = np.asarray(kernel)
    except (TypeError, ValueError) as error:
        raise TypeError(f"kernel cannot be read as an array: {error}") from error
    if not dtypes.is_taken(array.dtype):
        raise TypeError(
            f"kernel must hold real numbers that float64 holds, not dtype {array.dtype}"
            + ("; separate its real and imaginary parts" if array.dtype.kind == "c" else "")
        )
    if array.ndim != 2 or not array.size:
        raise ValueError(f"kernel must have two dimensions, at least 1 x 1, not shape {array.shape}")
    if array.dtype.kind in "iu" and max(int(array.max()), -int(array.min())) > 2**53:
        raise ValueError("kernel holds whole numbers beyond 2**53, which float64 would round; pass floats")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError("kernel must be finite, without NaN or infinity")
    with np.errstate(over="ignore"):
        if np.abs(array).sum() > LARGEST_SUM:
            raise ValueError(f"kernel is too large: the magnitudes of its taps sum to more than {LARGEST_SUM}")
    return array


def rank_or_tolerance(rank, tol, shape):
    """The number of terms of a kernel of this shape, or the error that decides it; never both."""
    if rank is not None and tol is not None:
        raise ValueError(f"rank {rank!r} and tol {tol!r} are both given; give one of them")
    if rank is not None:
        rank = checks.whole(rank, "rank")
        if rank > min(shape):
            raise ValueError(f"rank must be at most {min(shape)} for a kernel of shape {shape}, not {rank}")
    if tol is not None:
        tol = checks.not_negative(tol, "tol")
    return rank, tol
