"""Images changed frequency by frequency: two-dimensional transforms in bands, on threads, in double precision.

The transforms are NumPy's, of rows and of columns, at fixed places, so that results do not depend on threads.
"""

import numpy as np

from imfilt._engine import plan, threads

BLOCK = 32  # columns of a spectrum, whose transforms stay in a second-level cache
POINT_NS = 10.0  # for a number, on one thread, at least
ROWS_BYTES = 1 << 20  # of a spectrum, for each band of rows


class Response:
    """What a filter does to each frequency of an image.

    Parameters
    ----------
    given : ndarray
        Its impulse response, real, about [rows // 2, columns // 2]; or this itself, complex.
    size : tuple of int
        Rows and columns of the image.
    along : callable
        The transform of rows: ``np.fft.rfft`` or ``np.fft.fft``.
    """

    def __init__(self, given, size, along):
        self.is_known = given.dtype.kind == "c"
        self.most = float(np.abs(given).max() if self.is_known else np.abs(given).sum())  # no frequency has more
        self.rows = given
        if not self.is_known:
            down, right = ((np.arange(n) - n // 2) % period for n, period in zip(given.shape, size, strict=True))
            wide = np.zeros((len(given), size[1]))
            np.add.at(wide.T, right, given.T)
            self.height, self.down, self.rows = size[0], down, along(wide)

    def block(self, x0, x1):
        """Columns x0 to x1, as rows."""
        part = self.rows[:, x0:x1].T
        if self.is_known:
            return part
        wide = np.zeros((len(part), self.height), complex)
        np.add.at(wide.T, self.down, part.T)
        return np.fft.fft(wide, out=wide)


class Laplacian:
    """The Response of [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]: four times the sum of two squared sines."""

    def __init__(self, size):
        self.down, self.right = (4 * np.sin(np.pi / n * np.arange(n)) ** 2 for n in size)

    def block(self, x0, x1):
        """Columns x0 to x1, as rows."""
        return self.right[x0:x1, None] + self.down


def change(planes, targets, along, back, each):
    """Transforms planes of one shape, changes their spectra, and puts what comes back into targets.

    Parameters
    ----------
    planes, targets : sequence of ndarray
        Two-dimensional, of float64; and where results go.
    along, back : callable
        The transform of rows, and its inverse (rows, columns), see `Response`.
    each : callable
        (x0, x1) -> what changes columns x0 to x1 of a spectrum in place; they come as rows.
    """
    rows, columns = planes[0].shape
    count = threads.count() if rows * columns * POINT_NS > plan.SERIAL_NS else 1
    spectra = []
    tall = max(1, ROWS_BYTES // (16 * columns))
    bands = [(y, min(y + tall, rows)) for y in range(0, rows, tall)]

    for plane in planes:
        spectrum = np.empty((rows, along(plane[:1]).shape[1]), complex)
        spectra.append(spectrum)

        def transform(y0, y1, plane=plane, spectrum=spectrum):
            along(plane[y0:y1], out=spectrum[y0:y1])

        threads.run(transform, bands, count)

    def columns_of(x0, x1):
        alter = each(x0, x1)
        for spectrum in spectra:
            block = np.ascontiguousarray(spectrum[:, x0:x1].T)  # transforms of numbers side by side are faster
            np.fft.fft(block, out=block)
            alter(block)
            spectrum[:, x0:x1] = np.fft.ifft(block, out=block).T

    width = spectra[0].shape[1]
    threads.run(columns_of, [(x, min(x + BLOCK, width)) for x in range(0, width, BLOCK)], count)
    for spectrum, target in zip(spectra, targets, strict=True):

        def restore(y0, y1, spectrum=spectrum, target=target):
            target[y0:y1] = back(spectrum[y0:y1], columns).real

        threads.run(restore, bands, count)
