"""The largest of several direct correlations, in one sweep."""

from functools import lru_cache

import numpy as np

from imfilt._engine.plan import Kernel, Stage
from imfilt.convolution.direct import NONE
from imfilt.convolution.separable import indices, taps


@lru_cache(maxsize=64)
def strongest_kernel(masks, gain=1.0):
    """The largest result of several masks, pixel by pixel.

    Parameters
    ----------
    masks : tuple of masks
        Each a tuple of rows of taps, all of one shape with odd sides, centred; as a correlation has them.
    gain : float
        Factor of the result, not negative. Kept apart, so that integer taps stay exact.

    Returns
    -------
    Kernel
        Its `parts` are the correlations with each mask.
    """
    array = np.array(masks, np.float64)
    rows, columns = array.shape[1:]
    frame = {"rows": rows, "columns": columns, "top": rows // 2, "left": columns // 2}
    halo = (rows // 2,) * 2 + (columns // 2,) * 2
    reach = float(np.abs(array).sum(axis=(1, 2)).max()) if (array == np.rint(array)).all() else 0.0

    def kernel(loop, some, more=()):
        n, r, c = np.nonzero(some)
        first = indices(np.searchsorted(n, np.arange(len(some) + 1)))
        arrays = indices(np.stack([r, c, np.zeros_like(r)], axis=1)), taps(some[n, r, c]), first, NONE
        return Stage(loop, (*arrays, *more), **frame, work=len(n))

    parts = tuple(
        Kernel((kernel("direct", one[None], (False,)),), gain, halo=halo, reach=reach) for one in array
    )  # fmt: skip
    return Kernel((kernel("strongest", array),), gain, halo=halo, reach=reach, parts=parts)
