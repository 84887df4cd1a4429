"""The writer of PNG: read back by Pillow, OpenCV and imagecodecs, which check every sum."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import imfilt
from imfilt.images import png

RNG = np.random.default_rng(12)
KINDS = {"grey": (1, False), "grey alpha": (2, True), "colour": (3, False), "colour alpha": (4, True)}
SHAPES = [(1, 1), (1, 9), (9, 1), (2, 3), (37, 53)]


def encoded(pixels, alpha=False, **options):
    with io.BytesIO() as file:
        png.write(file, pixels, alpha=alpha, **options)
        return file.getvalue()


def chunks(data):
    """Name and content of each, with its sum checked."""
    assert data[:8] == png.SIGNATURE
    place, found = 8, []
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        name, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", data, place + 8 + length) == (zlib.crc32(name + content),)
        found.append((name, content))
        place += 12 + length
    assert found[0][0] == b"IHDR"
    assert found[-1] == (b"IEND", b"")
    return found


def raw(data):
    """What was deflated: zlib checks its sum."""
    return zlib.decompress(b"".join(content for name, content in chunks(data) if name == b"IDAT"))


def assert_reads(data, pixels):
    """Every reader that there is sees these pixels."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if pixels.dtype == np.uint8 or channels == 1:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            assert image.size == pixels.shape[1::-1]
            np.testing.assert_array_equal(np.asarray(image), pixels)
    codecs = pytest.importorskip("imagecodecs")
    np.testing.assert_array_equal(codecs.png_decode(data).reshape(pixels.shape), pixels)
    cv2 = pytest.importorskip("cv2")
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if channels > 2:
        seen = seen[..., [2, 1, 0, 3][:channels]]
    if channels != 2:  # which it makes four
        np.testing.assert_array_equal(seen, pixels)


def smooth(shape, dtype):
    """What a photograph is like to a filter: every kind pays somewhere."""
    noise = RNG.integers(-9, 9, shape).cumsum(0).cumsum(1)
    return (noise % (np.iinfo(dtype).max + 1)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("compression", [0, 1, 6])
def test_all_kinds_and_shapes(dtype, kind, shape, compression):
    channels, alpha = KINDS[kind]
    pixels = smooth(shape if channels == 1 else (*shape, channels), dtype)
    assert_reads(encoded(pixels, alpha, compression=compression), pixels)


@pytest.mark.parametrize("compression", range(10))
def test_every_compression_and_smaller_is_smaller(compression, photo):
    pixels = photo[:200, :300]
    data = encoded(pixels, compression=compression)
    assert_reads(data, pixels)
    assert len(data) <= len(encoded(pixels, compression=max(0, compression - 1))) * 1.02


@pytest.mark.parametrize("filtering", range(5))
@pytest.mark.parametrize("kind", KINDS)
def test_every_filter(monkeypatch, filtering, kind):
    channels, alpha = KINDS[kind]
    pixels = smooth((23, 31) if channels == 1 else (23, 31, channels), "uint8")
    monkeypatch.setattr(png, "FAST", (filtering,))
    data = encoded(pixels, alpha)
    assert set(np.frombuffer(raw(data), np.uint8).reshape(23, -1)[:, 0]) == {filtering}
    assert_reads(data, pixels)


def test_the_paeth_predictor_is_the_specifications():
    a, b, c = (one.ravel() for one in np.meshgrid(*[np.arange(0, 256, 5, dtype=np.uint8)] * 3))
    p = a.astype(int) + b - c
    distances = np.abs([p - a, p - b, p - c])
    np.testing.assert_array_equal(png._paeth(a, b, c), np.choose(distances.argmin(0), [a, b, c]))


@pytest.mark.parametrize("size", [1, 60, 200, 1 << 20])
@pytest.mark.parametrize("compression", [0, 1, 4])
def test_strips_join_and_threads_do_not_matter(monkeypatch, size, compression):
    pixels = smooth((41, 50), "uint8")
    monkeypatch.setattr(png, "STRIP_BYTES", size)
    monkeypatch.setattr(png, "BLOCK_BYTES", 2 * size)
    with imfilt.num_threads(1):
        data = encoded(pixels, compression=compression)
    with imfilt.num_threads(3):
        assert encoded(pixels, compression=compression) == data
    assert_reads(data, pixels)
    assert sum(name == b"IDAT" for name, _ in chunks(data)) == -(-41 // max(1, size // 50))


def test_rows_choose_their_filters_where_there_is_time():
    pixels = np.vstack(
        [np.tile(np.arange(64, dtype=np.uint8), (8, 1)), np.repeat(RNG.integers(0, 255, (8, 1), np.uint8), 64, 1)]
    )
    kinds = np.frombuffer(raw(encoded(pixels, compression=9)), np.uint8).reshape(16, -1)[:, 0]
    assert len(set(kinds)) > 1


def test_flat_pictures_are_small():
    flat = np.zeros((1000, 1000), np.uint8)
    assert len(encoded(flat)) < 4000
    lines = flat.copy()
    lines[::50] = 255
    assert len(encoded(lines)) < 8000


def test_layouts():
    pixels = smooth((30, 40, 3), "uint16")
    for one in (pixels[::-1], pixels[:, ::2], np.asfortranarray(pixels), pixels.astype(">u2")):
        assert_reads(encoded(one), np.ascontiguousarray(one, dtype=np.uint16))


def test_chunks_stand_before_the_pixels():
    text = (b"tEXt", b"Comment\0hello")
    names = [name for name, _ in chunks(encoded(smooth((4, 4), "uint8"), chunks=[text]))]
    assert names == [b"IHDR", b"tEXt", b"IDAT", b"IEND"]


def test_the_sum_of_pieces_is_that_of_the_whole():
    data = RNG.integers(0, 256, 100_000, np.uint8).tobytes()
    for cut in (0, 1, 50_000, 99_999, 100_000):
        first, second = zlib.adler32(data[:cut]), zlib.adler32(data[cut:])
        assert png._joined(first, second, len(data) - cut) == zlib.adler32(data)
