"""Several loops one after the other, in bands that stay in cache: nothing between them is as large as the image.

`run` is for a stage that reads what others have made. A band of result rows needs the rows of the stage before from
`halo` above to `halo` below. These are made into a strip of scratch, which is read at once, while it is in cache.
Strips end where the image does, so that a border is put on at the image's border and nowhere else. `each_band` is for
loops that work on the same rows.
"""

from collections import deque
from math import ceil

import numpy as np

from imfilt._engine import borders, isa, plan, threads, twin

BAND_ROWS = 64  # at least: strips overlap; with two rows above and below, a sixteenth is made twice
BAND_BYTES = 1 << 19  # of a strip: it stays in a second-level cache, and threads seldom meet between loops
MEETING_NS = 300e3  # up to which two threads were no faster than one: each band is several calls, which meet in Python


def run(make, use, shape, dtype, halo, cost):
    """use(strip, first, y0, y1) for bands of rows y0 to y1, after make(strip, first).

    Parameters
    ----------
    make : callable
        Fills a strip, whose row 0 is row `first` of the image.
    use : callable
        Makes rows y0 to y1 of the result from the rows of the strip.
    shape, dtype
        Rows and columns of what `make` makes, and its numbers.
    halo : int
        The rows above and below a row that `use` reads.
    cost : float
        Of all this, in nanoseconds on one thread.
    """
    height, width = shape
    workers = threads.count() if cost > MEETING_NS else 1
    tall = max(BAND_ROWS, BAND_BYTES // max(1, width * np.dtype(dtype).itemsize))
    tall = ceil(height / (ceil(height / (tall * workers)) * workers))  # as many bands for each thread
    spare: deque = deque()  # strips that no thread uses; append and pop are atomic

    def work(y0, y1):
        first, last = max(0, y0 - halo), min(height, y1 + halo)
        try:
            scratch = spare.pop()
        except IndexError:
            scratch = np.empty((min(height, tall + 2 * halo), width), dtype)
        strip = scratch[: last - first]
        make(strip, first)
        use(strip, first, y0, y1)
        spare.append(scratch)

    threads.run(work, [(y, min(y + tall, height)) for y in range(0, height, tall)], workers)


def each_band(work, height, nbytes, cost):
    """work(y0, y1) for bands of the rows of an array, which stay in cache from one loop to the next.

    Parameters
    ----------
    work : callable
    height, nbytes : int
        Of the array.
    cost : float
        Of all this, in nanoseconds on one thread.
    """
    workers = threads.count() if cost > plan.SERIAL_NS else 1
    tall = max(1, min(BAND_BYTES * height // max(1, nbytes), ceil(height / workers)))
    threads.run(work, [(y, min(y + tall, height)) for y in range(0, height, tall)], workers)


def rows(step, source, first, target, y0, *more):
    """Into `target`, the rows from y0 on of what a step makes, from a source whose row 0 is row `first` of its image.

    The source holds all rows that are read, or ends where the image does. `more` are taps that are not the step's own.
    """
    frame = step.frame._replace(top=step.frame.top + first - y0, streamed=False)
    getattr(isa.core, step.loop)(source, target, frame, *step.taps, *more, 0, len(target))


def under(step, y0, y1, height):
    """The rows of an image of `height` rows that a step reads for rows y0 to y1, as `rows` takes them.

    Returns
    -------
    first : int
        Of which row the first one takes the place; negative above the image.
    indices : ndarray
        Which rows these are, with the border put on by repeating rows; a constant border is left to the loop.
    """
    frame = step.frame
    wanted = np.arange(y0 - frame.top, y1 - 1 - frame.top + frame.rows)
    if frame.mode == borders.MODES["constant"]:
        wanted = wanted[(wanted >= 0) & (wanted < height)]
    return int(wanted[0]), twin.fold(wanted, height, frame.mode)
