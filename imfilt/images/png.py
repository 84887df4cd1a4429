"""PNG, written fast: rows filtered with NumPy, strips deflated on several threads.

Pillow tries every filter on every row, byte by byte, on one thread: 90 ms for the edges of a photograph of 2560x1600
that are computed in 3. Here a strip chooses its filter from a few of its rows, and is deflated by itself, as pigz does;
its bytes do not depend on the number of threads. Only whole pictures of one frame are written so.

The format: ISO/IEC 15948, https://www.w3.org/TR/png-3/. Deflate in pieces: RFC 1950 and 1951.
"""

import struct
import zlib

import numpy as np

from imfilt._engine import threads

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {(1, False): 0, (1, True): 4, (3, False): 2, (3, True): 6}
STRIP_BYTES = 1 << 20  # a window of deflate is a thirty-second of it: little is lost where strips begin
SAMPLED_ROWS = 16  # of a strip, of which the filter is chosen
NONE, SUB, UP, AVERAGE, PAETH = range(5)
BLOCK_BYTES = 1 << 18  # what is predicted at a time, and all on the way there, lies in a second-level cache
FAST = (NONE, SUB, UP, PAETH)
# Bytes that repeat: below this part of a strip Huffman codes alone are a quarter faster, and nothing larger (measured).
FEW_REPEATS = 0.1


def write(file, pixels, *, alpha, compression=1, chunks=()):
    """Write a picture.

    Parameters
    ----------
    file : binary file
    pixels : ndarray
        (H, W) or (H, W, C) of uint8 or uint16; grey or RGB, with alpha as the last channel or without.
    alpha : bool
    compression : int
        0: stored. 1: run lengths and Huffman codes, the filter chosen for each strip. 2 to 9: zlib's levels too, where
        they are smaller, and the filter chosen for each row.
    chunks : iterable of (bytes, bytes)
        What stands between header and pixels.
    """
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    depth = 8 * pixels.itemsize
    rows = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder(">")).reshape(height, -1).view(np.uint8)
    header = struct.pack(">IIBBBBB", width, height, depth, COLOUR_TYPES[channels - alpha, alpha], 0, 0, 0)
    file.write(SIGNATURE + _chunk(b"IHDR", header))
    for name, data in chunks:
        file.write(_chunk(name, data))
    step = max(1, STRIP_BYTES // rows.shape[1])
    bands = [(y, min(y + step, height)) for y in range(0, height, step)]
    made = {}

    def work(y0, y1):
        strip = filtered(rows, y0, y1, channels * pixels.itemsize, compression)
        made[y0] = _deflated(strip, compression, last=y1 == height), zlib.adler32(strip), strip.size

    threads.run(work, bands, threads.count())
    total = 1
    for y0, _ in bands:
        data, adler, size = made.pop(y0)
        total = _joined(total, adler, size)
        begin = b"\x78\x01" if y0 == 0 else b""
        end = struct.pack(">I", total) if not made else b""
        file.write(_chunk(b"IDAT", begin + data + end))
    file.write(_chunk(b"IEND", b""))


def _chunk(name, data):
    return b"".join((struct.pack(">I", len(data)), name, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))))


def filtered(rows, y0, y1, pixel, compression=1):
    """Rows y0 to y1 as they are deflated: each with its filter's number before it.

    Parameters
    ----------
    rows : ndarray of uint8
        (H, bytes of a row).
    pixel : int
        Bytes of a pixel.
    compression : int

    Returns
    -------
    ndarray of uint8
        (y1 - y0, 1 + bytes of a row).
    """
    out = np.empty((y1 - y0, 1 + rows.shape[1]), np.uint8)
    if compression == 0:
        out[:, 0], out[:, 1:] = NONE, rows[y0:y1]
    elif compression == 1:
        sample = np.arange(y0, y1, max(1, (y1 - y0) // SAMPLED_ROWS))
        above = np.where((sample > 0)[:, None], rows[sample - 1], 0).astype(np.uint8)
        best = min(FAST, key=lambda kind: int(_sizes(_filter(kind, rows[sample], above, pixel)).sum()))
        out[:, 0] = best
        _filter(best, rows[y0:y1], _above(rows, y0, y1), pixel, out[:, 1:])
    else:
        here, above = rows[y0:y1], _above(rows, y0, y1)
        least = np.full(y1 - y0, np.iinfo(np.int64).max)
        for kind in range(5):
            made = _filter(kind, here, above, pixel)
            size = _sizes(made)
            better = size < least
            out[better, 0], out[better, 1:] = kind, made[better]
            least = np.minimum(least, size)
    return out


def _above(rows, y0, y1):
    if y0:
        return rows[y0 - 1 : y1 - 1]
    return np.concatenate([np.zeros((1, rows.shape[1]), np.uint8), rows[: y1 - 1]])


def _sizes(made):
    """Sums of the magnitudes of bytes, taken as signed, for each row: the usual guess of what deflate makes of it."""
    return np.abs(made.view(np.int8).astype(np.int16)).sum(axis=1, dtype=np.int64)


def _filter(kind, here, above, pixel, out=None):
    """Bytes less what a filter predicts of them, from those to the left, above, and to the left above."""
    out = np.empty_like(here) if out is None else out
    if kind == NONE:
        out[...] = here
    elif kind == UP:
        np.subtract(here, above, out=out)
    elif kind == SUB:
        out[:, :pixel] = here[:, :pixel]
        np.subtract(here[:, pixel:], here[:, :-pixel], out=out[:, pixel:])
    else:
        predict = _average if kind == AVERAGE else _paeth
        none = np.zeros((1, pixel), np.uint8)  # to the left of the first pixel
        step = max(1, BLOCK_BYTES // here.shape[1])
        for y in range(0, len(here), step):
            a, b = here[y : y + step], above[y : y + step]
            out[y : y + step, :pixel] = a[:, :pixel] - predict(none, b[:, :pixel], none)
            out[y : y + step, pixel:] = a[:, pixel:] - predict(a[:, :-pixel], b[:, pixel:], b[:, :-pixel])
    return out


def _average(a, b, _c):
    """The mean of a and b, rounded down, without a ninth bit."""
    return (a & b) + ((a ^ b) >> 1)


def _paeth(a, b, c):
    """Of a, b, c the one nearest to a + b - c; the first of equals. All in bytes, which NumPy computes by many at once.

    With p = a + b - c: |p - a| = |b - c|, |p - b| = |a - c|. Only if c lies between a and b is |p - c| less than
    their sum: it is their difference.
    """
    to_a, to_b = np.maximum(b, c), np.maximum(a, c)
    to_a -= np.minimum(b, c)
    to_b -= np.minimum(a, c)
    to_c = np.maximum(to_a, to_b)
    to_c -= np.minimum(to_a, to_b)
    use_c = (a > c) ^ (b > c)  # c = a or c = b needs no c: the other of them is as near
    use_c &= to_c < to_a
    use_c &= to_c < to_b
    pick = -(to_b < to_a).view(np.uint8)  # 255 for b
    best = (a ^ b) & pick
    best ^= a
    pick = -use_c.view(np.uint8)
    best ^= (best ^ c) & pick
    return best


def _deflated(strip, compression, last):
    """A piece of a deflate stream that ends at a byte."""
    if compression == 1:
        sample = strip[:: max(1, len(strip) // SAMPLED_ROWS)]
        repeats = np.count_nonzero(sample[:, 1:] == sample[:, :-1])
        strategies = [zlib.Z_RLE if repeats > FEW_REPEATS * sample.size else zlib.Z_HUFFMAN_ONLY]
    else:
        # Edges of photographs hardly repeat: looking for longer strings than runs makes them larger (6 % at level 6).
        strategies = [zlib.Z_FILTERED, zlib.Z_RLE] if compression else [zlib.Z_FILTERED]
    ends = zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH
    made = []
    for strategy in strategies:
        maker = zlib.compressobj(compression, zlib.DEFLATED, -15, 9, strategy)
        made.append(maker.compress(strip) + maker.flush(ends))
    return min(made, key=len)


def _joined(first, second, size):
    """The Adler-32 of two pieces, from those of each and the size of the second."""
    base = 65521
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + size * ((first & 0xFFFF) - 1)
    return (high % base) << 16 | low % base
