"""Correlation by the Fourier transform: overlapping tiles, in double precision, for kernels that are large and full.

The transforms are NumPy's. Tiles lie at fixed places, so that results do not depend on threads. A number that is
not finite spoils its tile: the plan keeps such images away from here.
"""

from functools import lru_cache

import numpy as np

from imfilt._engine import twin

TILES = (64, 128, 256)  # powers of two, of which transforms are fastest
POINT_NS = 21.0  # all that is done to a point of a tile (measured)


class Spectrum:
    """A kernel, and its transform for every size of tile that was asked for."""

    def __init__(self, kernel):
        self.shape = kernel.shape
        self.of = lru_cache(maxsize=8)(lambda tile: np.conj(np.fft.rfft2(kernel, (tile, tile))))


def tile(kernel_shape, size):
    """The tile that costs least for a result of so many rows and columns, and that cost in nanoseconds."""
    best = None
    for n in TILES:
        rows, columns = (n - k + 1 for k in kernel_shape)
        if min(rows, columns) > 0:
            cost = -(-size[0] // rows) * -(-size[1] // columns) * n * n * POINT_NS
            best = min(best or (cost, n), (cost, n))
    return best and (best[1], best[0])


def correlate(src, dst, frame, spectrum, side, y0, y1):
    """Rows y0 to y1 of the correlation, y0 being where a tile of `side` x `side` begins."""
    down, along = (side - k + 1 for k in spectrum.shape)
    for top in range(y0, y1, down):
        bottom = min(top + down, y1)
        rows = np.arange(top - frame.top, top - frame.top + side)
        for left in range(0, dst.shape[1], along):
            right = min(left + along, dst.shape[1])
            columns = np.arange(left - frame.left, left - frame.left + side)
            block = np.moveaxis(twin.read(src, frame, rows, columns), -1, 0).astype(np.float64)
            with np.errstate(invalid="ignore"):  # where the caller wants this for numbers that are not finite
                product = np.fft.rfft2(block, axes=(1, 2))
                product *= spectrum.of(side)
                result = np.fft.irfft2(product, (side, side), axes=(1, 2))[:, : bottom - top, : right - left]
            twin.write(np.moveaxis(result, 0, -1), frame, dst[:, left:right], top, bottom)
