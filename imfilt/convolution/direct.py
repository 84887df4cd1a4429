"""Direct correlation with a list of taps, or the root mean square of two such."""

from functools import lru_cache

import numpy as np

from imfilt._engine.plan import Kernel, Stage
from imfilt.convolution.separable import indices, taps

NONE = np.zeros(0, np.intp)
NONE.flags.writeable = False


@lru_cache(maxsize=64)
def direct_kernel(*lists, gain=1.0):
    """Correlation with a list of taps; with two lists, the root mean square of the two results.

    Parameters
    ----------
    *lists : one or two tuples of (row, column, weight)
        Rows and columns count from the output pixel downwards and to the right, from 0.
    gain : float
        Factor of the result.

    Returns
    -------
    Kernel
    """
    every = [tap for one in lists for tap in one]
    offsets = indices([(*tap[:2], 0) for tap in every])
    rows, columns = (int(n) for n in offsets.max(axis=0)[:2] + 1)
    first = indices(np.cumsum([0, *map(len, lists)]))
    arrays = offsets, taps([tap[2] for tap in every]), first, NONE
    loop, more = ("direct", (False,)) if len(lists) == 1 else ("norm", ())
    stage = Stage(loop, (*arrays, *more), rows, columns, 0, 0, work=len(every) + 4)
    parts = tuple(direct_kernel(one, gain=gain) for one in lists) if len(lists) > 1 else ()
    return Kernel((stage,), gain, squares=len(lists) > 1, halo=(0, rows - 1, 0, columns - 1), parts=parts)
