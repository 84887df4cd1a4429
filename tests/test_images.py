"""imfilt.images: every kind of picture in, the same kind out, and what is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from imfilt import images

RNG = np.random.default_rng(2)
GREY = RNG.integers(0, 256, (9, 13), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (9, 13), dtype=np.uint16)
COLOUR = RNG.integers(0, 256, (9, 13, 3), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (9, 13), dtype=np.uint8)
ALPHA[0] = 0
LOSSLESS = {".png": {}, ".tif": {}, ".webp": {"lossless": True, "exact": True}}


def luminance(colour):
    return np.asarray(Image.fromarray(colour).convert("L"))


def saved(path, pixels, **options):
    """The path, after Pillow has written an array or one of its own images there."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def opened(path):
    """What Pillow reads, with the file closed."""
    with Image.open(path) as image:
        image.load()
        return image


def with_alpha(pixels):
    return Image.fromarray(np.dstack([pixels, ALPHA]))


def png(depth, colour_type, rows, *chunks):
    """A PNG by hand: `rows` are the packed bytes of each row, as an array of two dimensions."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    width = rows.shape[1] * 8 // (depth * channels)
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    every = [(b"IHDR", header), *chunks, (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in every
    )


def profile(space):
    """As much of an ICC profile as says which colours it is about."""
    return bytes(16) + space + bytes(108)


def assert_pixels(path, expected, *, grey=False):
    picture = images.read(path, grey=grey)
    assert picture.pixels.dtype == expected.dtype
    np.testing.assert_array_equal(picture.pixels, expected)
    return picture


def assert_refused(path, *words):
    for grey in (False, True):
        with pytest.raises(images.PictureError) as caught:
            images.read(path, grey=grey)
        assert all(word in str(caught.value) for word in words), caught.value


# --- reading ---


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_colour_is_read_as_it_is_or_as_luminance(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", COLOUR, **LOSSLESS[suffix])
    assert assert_pixels(path, COLOUR).alpha is None
    assert assert_pixels(path, luminance(COLOUR), grey=True).alpha is None


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("grey", [False, True])
def test_grey_stays_grey(tmp_path, suffix, grey):
    assert_pixels(saved(tmp_path / f"a{suffix}", GREY), GREY, grey=grey)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"keep_rgb": True}])
def test_jpeg_gives_its_own_luminance(tmp_path, photo, options):
    path = saved(tmp_path / "a.jpg", photo[:64, :80], quality=95, subsampling=0, **options)
    decoded = np.asarray(opened(path).convert("RGB"))
    assert_pixels(path, decoded)
    grey = images.read(path, grey=True).pixels.astype(int)
    assert abs(grey - luminance(decoded)).max() <= 2  # without the rounding of the way over RGB


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("suffix", LOSSLESS)
def test_alpha_comes_apart_and_comes_back(tmp_path, suffix, pixels):
    path = saved(tmp_path / f"a{suffix}", with_alpha(pixels), **LOSSLESS[suffix])
    picture = images.read(path, grey=pixels.ndim == 2)
    np.testing.assert_array_equal(picture.pixels, pixels)
    np.testing.assert_array_equal(picture.alpha, ALPHA)

    images.write(tmp_path / f"b{suffix}", picture)
    again = opened(tmp_path / f"b{suffix}")
    assert again.getchannel("A").tobytes() == ALPHA.tobytes()
    colours = pixels if pixels.ndim == 3 else np.dstack([pixels] * 3)
    np.testing.assert_array_equal(np.asarray(again.convert("RGBA"))[..., :3], colours)


def test_luminance_keeps_the_alpha_of_colour(tmp_path):
    path = saved(tmp_path / "a.png", with_alpha(COLOUR))
    np.testing.assert_array_equal(assert_pixels(path, luminance(COLOUR), grey=True).alpha, ALPHA)


def test_palette_becomes_its_colours(tmp_path):
    indexed = Image.fromarray(COLOUR).quantize(16)
    colours = np.asarray(indexed.convert("RGB"))
    path = saved(tmp_path / "a.png", indexed)
    assert assert_pixels(path, colours).alpha is None
    assert_pixels(path, luminance(colours), grey=True)


@pytest.mark.parametrize("transparency", [3, bytes([0, 40, 255, 128])], ids=["one", "several"])
def test_transparent_palette_entries_become_alpha(tmp_path, transparency):
    indexed = Image.fromarray(COLOUR).quantize(16)
    path = saved(tmp_path / "a.png", indexed, transparency=transparency)
    table = np.full(256, 255, np.uint8)
    if isinstance(transparency, bytes):
        table[: len(transparency)] = list(transparency)
    else:
        table[transparency] = 0
    picture = assert_pixels(path, np.asarray(indexed.convert("RGB")))
    np.testing.assert_array_equal(picture.alpha, table[np.asarray(indexed)])


def test_a_transparent_colour_becomes_alpha(tmp_path):
    path = saved(tmp_path / "a.png", COLOUR, transparency=tuple(COLOUR[4, 5].tolist()))
    expected = np.where((COLOUR[4, 5] == COLOUR).all(axis=2), 0, 255)
    np.testing.assert_array_equal(assert_pixels(path, COLOUR).alpha, expected)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_bilevel_is_black_and_white(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(GREY > 127))
    assert_pixels(path, np.where(GREY > 127, 255, 0).astype(np.uint8), grey=True)


@pytest.mark.parametrize("depth", [2, 4])
def test_few_bits_fill_the_scale(tmp_path, depth):
    rows = np.frombuffer(bytes(range(256)), np.uint8).reshape(16, 16)
    (tmp_path / "a.png").write_bytes(png(depth, 0, rows))
    bits = np.unpackbits(rows, axis=1).reshape(16, -1, depth)
    values = bits @ (1 << np.arange(depth)[::-1])
    assert_pixels(tmp_path / "a.png", (values * 255 // (2**depth - 1)).astype(np.uint8))


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_of_grey_stay_sixteen(tmp_path, suffix, order, grey):
    path = saved(tmp_path / f"a{suffix}", DEEP.astype(f"{order}u2"))
    picture = assert_pixels(path, DEEP, grey=grey)
    assert picture.pixels.dtype.isnative
    images.write(tmp_path / f"b{suffix}", picture)
    assert_pixels(tmp_path / f"b{suffix}", DEEP)


@pytest.mark.parametrize("grey", [False, True])
def test_floating_point_stays(tmp_path, grey):
    numbers = (GREY.astype(np.float32) - 128) / 7
    path = saved(tmp_path / "a.tif", numbers)
    images.write(tmp_path / "b.tif", assert_pixels(path, numbers, grey=grey))
    assert_pixels(tmp_path / "b.tif", numbers)


def test_wider_integers_are_read_if_sixteen_bits_hold_them(tmp_path):
    path = saved(tmp_path / "a.tif", DEEP.astype(np.int32))
    assert_pixels(path, DEEP)
    for wrong in (-1, 65536):
        numbers = DEEP.astype(np.int32)
        numbers[2, 3] = wrong
        assert_refused(saved(path, numbers), "outside 0 to 65535")


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
@pytest.mark.parametrize("suffix", LOSSLESS)
def test_thin_pictures(tmp_path, suffix, size):
    pixels = RNG.integers(0, 256, (*size, 3), dtype=np.uint8)
    picture = assert_pixels(saved(tmp_path / f"a{suffix}", pixels, **LOSSLESS[suffix]), pixels)
    images.write(tmp_path / f"b{suffix}", picture)
    assert_pixels(tmp_path / f"b{suffix}", pixels)


def test_cmyk_becomes_red_green_and_blue(tmp_path, photo):
    path = saved(tmp_path / "a.jpg", Image.fromarray(photo[:64, :80]).convert("CMYK"), quality=95)
    decoded = np.asarray(opened(path).convert("RGB"))
    assert abs(decoded.astype(int) - photo[:64, :80]).mean() < 12  # not inverted
    assert_pixels(path, decoded)
    assert_pixels(path, luminance(decoded), grey=True)


# What a viewer shows for EXIF's orientations, in NumPy's words.
SHOWN = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("suffix", [*LOSSLESS, ".jpg"])
def test_orientation_is_applied_once(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    plain = saved(tmp_path / f"plain{suffix}", COLOUR, **LOSSLESS.get(suffix, {}))
    path = saved(tmp_path / f"a{suffix}", COLOUR, exif=exif, **LOSSLESS.get(suffix, {}))
    for grey in (False, True):
        upright = SHOWN[orientation](images.read(plain, grey=grey).pixels)
        picture = assert_pixels(path, upright, grey=grey)
        images.write(tmp_path / "b.png", picture)
        assert_pixels(tmp_path / "b.png", upright, grey=grey)
        assert 0x112 not in opened(tmp_path / "b.png").getexif()


def test_alpha_is_turned_with_the_picture(tmp_path):
    exif = Image.Exif()
    exif[0x112] = 6
    path = saved(tmp_path / "a.png", with_alpha(COLOUR), exif=exif)
    np.testing.assert_array_equal(assert_pixels(path, SHOWN[6](COLOUR)).alpha, SHOWN[6](ALPHA))


@pytest.mark.parametrize("exif", [b"Exif\0\0no such header", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"Exif\0\0"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_broken_exif_says_nothing(tmp_path, suffix, exif):
    plain, path = saved(tmp_path / f"plain{suffix}", GREY), saved(tmp_path / f"a{suffix}", GREY, exif=exif)
    assert_pixels(path, images.read(plain, grey=True).pixels, grey=True)


def test_the_name_of_a_file_does_not_say_its_format(tmp_path):
    assert_pixels(saved(tmp_path / "a.jpg", COLOUR, format="PNG"), COLOUR)


def test_the_photograph_of_a_phones_several_pictures(tmp_path, photo):
    first, second = Image.fromarray(photo[:64, :80]), Image.fromarray(photo[:16, :20])
    path = saved(tmp_path / "a.jpg", first, format="MPO", save_all=True, append_images=[second])
    with Image.open(path) as image:
        assert image.n_frames == 2
    assert images.read(path, grey=False).pixels.shape == (64, 80, 3)
    assert images.read(path, grey=True).pixels.shape == (64, 80)


# --- refused, by name ---


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.gif", {}), ("a.png", {}), ("a.tif", {}), ("a.webp", {"lossless": True})],
)
def test_several_frames_are_refused(tmp_path, name, options):
    second = Image.fromarray(COLOUR[::-1])
    assert_refused(saved(tmp_path / name, COLOUR, save_all=True, append_images=[second], **options), "2 frames")


@pytest.mark.parametrize("colour_type", [2, 4, 6])
def test_sixteen_bit_colour_is_refused(tmp_path, colour_type):
    rows = RNG.integers(0, 256, (5, 48), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(png(16, colour_type, rows))
    assert np.asarray(opened(tmp_path / "a.png")).dtype == np.uint8  # Pillow does not mind
    assert_refused(tmp_path / "a.png", "16 bits")


def test_sixteen_bit_colour_tiff_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([DEEP] * 3), photometric="rgb")
    assert_refused(tmp_path / "a.tif", "16 bits")


def test_sixteen_bits_with_a_transparent_level_are_refused(tmp_path):
    rows = DEEP.astype(">u2").view(np.uint8)
    (tmp_path / "a.png").write_bytes(png(16, 0, rows, (b"tRNS", b"\x12\x34")))
    assert_refused(tmp_path / "a.png", "16 bits and transparency")


def test_other_formats_are_refused(tmp_path):
    assert_refused(saved(tmp_path / "a.ppm", COLOUR), "PPM", "imfilt reads PNG, JPEG, TIFF and WebP")


@pytest.mark.parametrize("content", [b"", b"\0", b"hello, world\n" * 40, b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_what_is_not_a_picture_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    assert_refused(tmp_path / "a.png", "is not a PNG, JPEG, TIFF or WebP picture")


def test_missing_files_and_folders_are_named_plainly(tmp_path):
    assert_refused(tmp_path / "a.png", "no such file or directory")
    assert_refused(tmp_path, "is a directory")
    assert_refused(tmp_path / ("a" * 300), "name too long")


def test_sizes_between_large_and_absurd(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", GREY)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", GREY.size - 1)  # Pillow warns
    assert_pixels(path, GREY)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", GREY.size // 2 - 1)  # Pillow refuses
    assert_refused(path, "too large")


ENCODINGS = {
    "png": ("PNG", COLOUR, {}),
    "palette": ("PNG", Image.fromarray(COLOUR).quantize(16), {"transparency": 3}),
    "deep": ("TIFF", DEEP, {}),
    "jpeg": ("JPEG", COLOUR, {"dpi": (72, 72)}),
    "webp": ("WEBP", COLOUR, {"lossless": True}),
    "tiff": ("TIFF", COLOUR, {}),
    "lzw": ("TIFF", GREY, {"compression": "tiff_lzw"}),
    "zip": ("TIFF", GREY, {"compression": "tiff_adobe_deflate"}),
    "fax": ("TIFF", Image.fromarray(GREY > 127), {"compression": "group4"}),
    "jpeg in tiff": ("TIFF", COLOUR, {"compression": "jpeg"}),
}


def encoded(kind):
    name, pixels, options = ENCODINGS[kind]
    file = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(file, name, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ENCODINGS)
def test_damage_is_refused_or_survived_in_silence(tmp_path, capfd, kind):
    whole = encoded(kind)
    path = tmp_path / "a"
    path.write_bytes(whole)
    images.read(path, grey=True)
    rng = np.random.default_rng(3)
    refused = 0
    for trial in range(60):
        damaged = bytearray(whole[: rng.integers(len(whole))] if trial % 3 == 0 else whole)
        for at in rng.integers(0, max(len(damaged), 1), 4) if damaged else ():
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            images.read(path, grey=bool(trial % 2))
        except images.PictureError:
            refused += 1
    assert refused >= 10
    assert capfd.readouterr() == ("", "")


# --- writing ---


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.jpg", "a.JPEG", "a.tif", "a.tiff", "a.webp", "a.b.png"])
def test_the_suffix_chooses_the_format(tmp_path, name):
    images.write(tmp_path / name, images.Picture(COLOUR))
    assert opened(tmp_path / name).format == images.output_format(name)
    assert {"p": "PNG", "j": "JPEG", "t": "TIFF", "w": "WEBP"}[name.lower().split(".")[-1][0]] == (
        images.output_format(name)
    )


@pytest.mark.parametrize("name", ["a", "a.", "a.gif", "a.txt", ".png", "a.png "])
def test_other_suffixes_are_refused(tmp_path, name):
    with pytest.raises(images.PictureError, match=r"\.png, \.jpg"):
        images.write(tmp_path / name, images.Picture(COLOUR))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "picture", "words"),
    [
        ("a.jpg", images.Picture(COLOUR, ALPHA), "transparency"),
        ("a.jpg", images.Picture(DEEP), "16 bits"),
        ("a.webp", images.Picture(DEEP), "16 bits"),
        ("a.jpg", images.Picture(DEEP.astype(np.float32)), "floating point"),
        ("a.png", images.Picture(DEEP.astype(np.float32)), "floating point"),
        ("a.webp", images.Picture(DEEP.astype(np.float32)), "floating point"),
        ("a.jpg", images.Picture(np.zeros((1, 65501), np.uint8)), "65501 x 1"),
        ("a.webp", images.Picture(np.zeros((16384, 1), np.uint8)), "1 x 16384"),
    ],
)
def test_what_a_format_would_lose_is_refused(tmp_path, name, picture, words):
    with pytest.raises(images.PictureError, match=f"cannot hold .*{words}"):
        images.write(tmp_path / name, picture)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_the_largest_sides_are_written(tmp_path, name):
    width = {"a.jpg": 65500, "a.webp": 16383}[name]
    images.write(tmp_path / name, images.Picture(np.zeros((1, width), np.uint8)))
    assert opened(tmp_path / name).size == (width, 1)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_resolution_and_profile_are_kept(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", COLOUR, dpi=(300, 200), icc_profile=profile(b"RGB "))
    images.write(tmp_path / f"b{suffix}", images.read(path, grey=False))
    info = opened(tmp_path / f"b{suffix}").info
    assert tuple(round(float(number)) for number in info["dpi"]) == (300, 200)
    assert info["icc_profile"] == profile(b"RGB ")


@pytest.mark.parametrize(
    ("name", "pixels", "space", "grey", "kept"),
    [
        ("a.png", COLOUR, b"RGB ", False, True),
        ("a.png", COLOUR, b"RGB ", True, False),
        ("a.jpg", COLOUR, b"RGB ", True, False),
        ("a.jpg", Image.fromarray(COLOUR).convert("CMYK"), b"CMYK", False, False),
        ("a.jpg", GREY, b"GRAY", True, True),
        ("a.png", DEEP, b"GRAY", True, True),
    ],
)
def test_a_profile_is_kept_for_the_colours_it_is_about(tmp_path, name, pixels, space, grey, kept):
    path = saved(tmp_path / name, pixels, icc_profile=profile(space))
    assert ("icc_profile" in images.read(path, grey=grey).keep) == kept


def test_a_resolution_that_cannot_be_is_dropped(tmp_path):
    for number in (0, 1e9):
        path = saved(tmp_path / "a.tif", GREY, dpi=(number, 72))
        picture = images.read(path, grey=True)
        assert "dpi" not in picture.keep
        images.write(tmp_path / "b.jpg", picture)


class Stopped(BaseException):
    """As KeyboardInterrupt, which would end the test run."""


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("no"), Stopped()])
@pytest.mark.parametrize("before", [None, b"as it was"])
def test_a_failed_write_leaves_things_as_they_were(tmp_path, monkeypatch, error, before):
    def fail(self, file, *_, **__):
        file.write(b"half")
        file.flush()
        assert len(list(tmp_path.iterdir())) == 1 + (before is not None)
        raise error

    monkeypatch.setattr(Image.Image, "save", fail)
    path = tmp_path / "a.png"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises((images.PictureError, Stopped)) as caught:
        images.write(path, images.Picture(GREY))
    if isinstance(error, OSError):
        assert str(caught.value) == f"cannot write {path}: no space left on device"
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([] if before is None else [before])


def test_the_longest_name_is_written(tmp_path):
    name = "a" * 251 + ".png"
    images.write(tmp_path / name, images.Picture(GREY))
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path):
    images.write(tmp_path / "a.png", images.Picture(GREY))
    (tmp_path / "b.png").touch()
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b.png").stat().st_mode


# --- numbers with a sign ---


def test_signs_become_absolute_values():
    numbers = np.array([[-255, -127.5, 0, 63.75, 255.5, 300, -1e9, 0.5, -1.5, 2.5]])
    np.testing.assert_array_equal(images.to_depth(numbers, np.uint8), [[255, 128, 0, 64, 255, 255, 255, 0, 2, 2]])
    np.testing.assert_array_equal(images.to_depth(257 * numbers[:, :4], np.uint16), [[65535, 32768, 0, 16384]])
    assert images.to_depth(numbers, np.uint8).dtype == np.uint8


def test_floating_point_keeps_signs_and_nan():
    numbers = np.array([[-1.5, 0, np.nan, np.inf]])
    kept = images.to_depth(numbers, np.dtype(np.float32))
    assert kept.dtype == np.float32
    np.testing.assert_array_equal(kept, numbers)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_integers_cannot_show_what_is_not_a_number(number):
    with pytest.raises(images.PictureError, match="floating point"):
        images.to_depth(np.array([[0.0, number]]), np.uint8)
