"""imfilt.images: every kind of picture in, the same kind out, what is kept, and what is refused."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageSequence, PngImagePlugin, features

from imfilt.images import formats, pillow, read, write
from imfilt.images.formats import PictureError
from imfilt.images.picture import Kept, Picture

RNG = np.random.default_rng(2)
GREY = RNG.integers(0, 256, (9, 13), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (9, 13), dtype=np.uint16)
COLOUR = RNG.integers(0, 256, (9, 13, 3), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (9, 13), dtype=np.uint8)
ALPHA[0] = 0
LOSSLESS = {".png": {}, ".tif": {}, ".webp": {"lossless": True, "exact": True}}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
AVIF = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")


def luminance(colour):
    return np.asarray(Image.fromarray(colour).convert("L"))


def saved(path, pixels, **options):
    """The path, after Pillow has written an array or one of its own images there."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def with_alpha(pixels):
    return Image.fromarray(np.dstack([pixels, ALPHA]))


def one(source, *, grey=False, **options):
    """The only picture in a file."""
    with read.open_pictures(source if isinstance(source, bytes) else str(source), **options) as pictures:
        (picture,) = pictures.read(grey=grey)
        colours = 1 if picture.pixels.ndim == 2 else picture.pixels.shape[2] - picture.alpha
        if not grey:
            assert (pictures.dtype, pictures.alpha) == (picture.pixels.dtype, picture.alpha)
            assert pictures.space == picture.space
        if picture.space:
            assert colours == {"grey": 1, "rgb": 3, "cmyk": 4}[picture.space]
        if options.get("upright", True):
            assert pictures.size == picture.pixels.shape[1::-1]
        picture.kept, picture.warnings = pictures.kept, pictures.warnings
    return picture


def written(path, *pictures, kept=None, **options):
    """The path, after imfilt has written pictures there."""
    with open(path, "w+b") as file:
        write.save(file, formats.by_suffix(path), iter(pictures), kept or Kept(), **options)
    return path


def assert_pixels(source, expected, *, alpha=False, grey=False):
    picture = one(source, grey=grey)
    assert picture.pixels.dtype == expected.dtype
    assert picture.alpha == alpha
    np.testing.assert_array_equal(picture.pixels, expected)
    return picture


def assert_refused(source, *words, **options):
    for grey in (False, True):
        with pytest.raises(PictureError) as caught:
            one(source, grey=grey, **options)
        assert all(word in str(caught.value) for word in words), caught.value
        assert "\n" not in str(caught.value)


def assert_one_line(error):
    assert str(error).strip()
    assert "\n" not in str(error)


def png(depth, colour_type, rows, *more):
    """A PNG by hand: `rows` are the packed bytes of each row, as an array of two dimensions."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    width = rows.shape[1] * 8 // (depth * channels)
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    every = [(b"IHDR", header), *more, (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in every
    )


def deep_png(pixels, *more):
    colours = {1: 0, 2: 4, 3: 2, 4: 6}[1 if pixels.ndim == 2 else pixels.shape[2]]
    return png(16, colours, pixels.astype(">u2").reshape(len(pixels), -1).view(np.uint8), *more)


# --- reading ---


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_colour_is_read_as_it_is_or_as_luminance(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", COLOUR, **LOSSLESS[suffix])
    assert_pixels(path, COLOUR)
    assert_pixels(path, luminance(COLOUR), grey=True)
    assert_pixels(path.read_bytes(), COLOUR)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".gif", ".bmp", ".pgm"])
@pytest.mark.parametrize("grey", [False, True])
def test_grey_stays_grey(tmp_path, suffix, grey):
    assert_pixels(saved(tmp_path / f"a{suffix}", GREY), GREY, grey=grey)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"keep_rgb": True}])
def test_jpeg_gives_its_own_luminance(tmp_path, photo, options):
    path = saved(tmp_path / "a.jpg", photo[:64, :80], quality=95, subsampling=0, **options)
    with Image.open(path) as image:
        decoded = np.asarray(image.convert("RGB"))
    assert_pixels(path, decoded)
    grey = one(path, grey=True).pixels.astype(int)
    assert abs(grey - luminance(decoded)).max() <= 2  # without the rounding of the way over RGB


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("suffix", LOSSLESS)
def test_alpha_is_the_last_channel_and_comes_back(tmp_path, suffix, pixels):
    path = saved(tmp_path / f"a{suffix}", with_alpha(pixels), **LOSSLESS[suffix])
    expected = np.dstack([pixels, ALPHA])
    if suffix == ".webp" and pixels.ndim == 2:  # which has no grey
        assert_pixels(path, expected, alpha=True, grey=True)
        return
    picture = assert_pixels(path, expected, alpha=True)
    assert_pixels(written(tmp_path / f"b{suffix}", picture), expected, alpha=True)
    if pixels.ndim == 3:
        assert_pixels(path, np.dstack([luminance(COLOUR), ALPHA]), alpha=True, grey=True)


@pytest.mark.parametrize("transparency", [None, 3, bytes([0, 40, 255, 128])], ids=["none", "one", "several"])
def test_palettes(tmp_path, transparency):
    indexed = Image.fromarray(COLOUR).quantize(16)
    colours = np.asarray(indexed.convert("RGB"))
    path = saved(tmp_path / "a.png", indexed, **({} if transparency is None else {"transparency": transparency}))
    if transparency is None:
        assert_pixels(path, colours)
        assert_pixels(path, luminance(colours), grey=True)
        return
    table = np.full(256, 255, np.uint8)
    if isinstance(transparency, bytes):
        table[: len(transparency)] = list(transparency)
    else:
        table[transparency] = 0
    assert_pixels(path, np.dstack([colours, table[np.asarray(indexed)]]), alpha=True)


def test_one_colour_that_is_transparent(tmp_path):
    key = tuple(int(n) for n in COLOUR[4, 5])
    path = saved(tmp_path / "a.png", COLOUR, transparency=key)
    assert_pixels(path, np.dstack([COLOUR, np.where((key == COLOUR).all(-1), 0, 255).astype(np.uint8)]), alpha=True)
    path = saved(tmp_path / "b.png", GREY, transparency=int(GREY[2, 2]))
    assert_pixels(path, np.dstack([GREY, np.where(GREY[2, 2] == GREY, 0, 255).astype(np.uint8)]), alpha=True)
    key = int(DEEP[2, 2])
    data = deep_png(DEEP, (b"tRNS", struct.pack(">H", key)))
    assert_pixels(data, np.dstack([DEEP, np.where(key == DEEP, 0, 65535).astype(np.uint16)]), alpha=True)


@pytest.mark.parametrize("mode", ["1", "RGBa", "YCbCr"])
def test_other_modes(tmp_path, mode):
    if mode == "1":
        assert_pixels(
            saved(tmp_path / "a.png", Image.fromarray(GREY > 99)), np.where(GREY > 99, 255, 0).astype(np.uint8)
        )
    elif mode == "YCbCr":
        image = Image.fromarray(COLOUR).convert("YCbCr")
        assert_pixels(saved(tmp_path / "a.tif", image), np.asarray(image.convert("RGB")))
    else:
        image = with_alpha(COLOUR).convert("RGBa")
        stored = np.frombuffer(image.tobytes(), np.uint8).reshape(9, 13, 4)
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=["assocalpha"])
        assert_pixels(tmp_path / "a.tif", np.asarray(image.convert("RGBA")), alpha=True)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_four_inks_stay_four(tmp_path, suffix):
    image = Image.fromarray(COLOUR).convert("CMYK")
    path = saved(tmp_path / f"a{suffix}", image, **({"quality": 100, "subsampling": 0} if suffix == ".jpg" else {}))
    with Image.open(path) as stored:
        inks, grey = np.asarray(stored), np.asarray(stored.convert("RGB").convert("L"))
    picture = assert_pixels(path, inks)
    assert picture.space == "cmyk"
    assert_pixels(path, grey, grey=True)
    assert_pixels(written(tmp_path / "b.tif", picture), inks)
    again = written(tmp_path / "c.png", picture)
    with Image.open(path) as stored:
        assert_pixels(again, np.asarray(stored.convert("RGB")))


def test_colours_that_are_no_light_are_refused(tmp_path):
    image = Image.merge("LAB", [Image.fromarray(COLOUR[..., i]) for i in range(3)])
    assert_refused(saved(tmp_path / "a.tif", image), "LAB")


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_of_grey(tmp_path, name):
    assert_pixels(saved(tmp_path / name, DEEP), DEEP)
    assert_pixels(saved(tmp_path / name, DEEP), DEEP, grey=True)
    assert_pixels(written(tmp_path / f"b{name}", Picture(DEEP, space="grey")), DEEP)


def test_sixteen_bits_of_either_byte_order_and_more_that_fit(tmp_path):
    for order in "<>":
        tifffile.imwrite(tmp_path / "a.tif", DEEP, byteorder=order)
        assert_pixels(tmp_path / "a.tif", DEEP)
    assert_pixels(saved(tmp_path / "i.tif", Image.fromarray(DEEP.astype(np.int32))), DEEP)
    for wrong in (-1, 65536):
        numbers = DEEP.astype(np.int32)
        numbers[2, 3] = wrong
        assert_refused(saved(tmp_path / "i.tif", Image.fromarray(numbers)), "outside 0 to 65535")


def test_floating_point(tmp_path, monkeypatch):
    numbers = (GREY / np.float32(70) - 1).astype(np.float32)
    numbers[0, 0] = np.nan
    picture = assert_pixels(saved(tmp_path / "a.tif", numbers), numbers)
    assert_pixels(written(tmp_path / "b.tif", picture), numbers)
    monkeypatch.setattr(write, "find_spec", lambda name: None)  # without tifffile
    assert_pixels(written(tmp_path / "c.tif", Picture(numbers.astype(np.float64), space="grey")), numbers)


# --- more than Pillow reads ---

DEEP_PIXELS = {
    "rgb": RNG.integers(0, 65536, (7, 5, 3), dtype=np.uint16),
    "rgba": RNG.integers(0, 65536, (7, 5, 4), dtype=np.uint16),
    "la": RNG.integers(0, 65536, (7, 5, 2), dtype=np.uint16),
}


@pytest.mark.parametrize("kind", DEEP_PIXELS)
def test_sixteen_bits_of_colour_in_png(tmp_path, kind):
    pytest.importorskip("imagecodecs")
    pixels = DEEP_PIXELS[kind]
    picture = assert_pixels(deep_png(pixels), pixels, alpha=kind != "rgb")
    assert_pixels(written(tmp_path / "b.png", picture), pixels, alpha=kind != "rgb")
    if kind == "rgb":
        key = pixels[2, 3]
        data = deep_png(pixels, (b"tRNS", struct.pack(">3H", *(int(n) for n in key))))
        alpha = np.where((pixels == key).all(-1), 0, 65535).astype(np.uint16)
        assert_pixels(data, np.dstack([pixels, alpha]), alpha=True)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("kind", ["rgb", "rgba"])
@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_deep_colour_in_tiff(tmp_path, planar, kind, dtype):
    pixels = DEEP_PIXELS[kind].astype(dtype)
    stored = pixels if planar == "contig" else np.moveaxis(pixels, -1, 0)
    extra = {"extrasamples": ["unassalpha"]} if kind == "rgba" else {}
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, **extra)
    picture = assert_pixels(tmp_path / "a.tif", pixels, alpha=kind == "rgba")
    for compression in (None, 6):
        again = written(tmp_path / "b.tif", picture, compression=compression, kept=Kept(dpi=(300, 300), icc=SRGB))
        kept = assert_pixels(again, pixels, alpha=kind == "rgba").kept
        assert kept.dpi == (300, 300)
        assert kept.icc == SRGB


def test_premultiplied_alpha_of_deep_tiff(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint16)
    pixels[..., 3] = [[0, 65535], [32768, 16384]]
    pixels[..., 0] = [[0, 1000], [1000, 1000]]
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["assocalpha"])
    picture = one(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.pixels[..., 0], [[0, 1000], [2000, 4000]])


def test_white_that_is_zero(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="miniswhite")
    assert_pixels(tmp_path / "a.tif", 255 - GREY)


@pytest.mark.parametrize("library", ["imagecodecs", "tifffile"])
def test_without_the_library_deep_colour_is_refused_by_name(tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    if library == "imagecodecs":
        assert_refused(deep_png(DEEP_PIXELS["rgb"]), "16 bits", "imagecodecs", "imagecodecs tifffile")
        return
    monkeypatch.delitem(sys.modules, "tifffile")
    tifffile.imwrite(tmp_path / "a.tif", DEEP_PIXELS["rgb"], photometric="rgb")
    tifffile.imwrite(tmp_path / "f.tif", DEEP_PIXELS["rgb"].astype(np.float32), photometric="rgb")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    assert_refused(tmp_path / "a.tif", "16 bits", "tifffile", "imagecodecs tifffile")
    assert_refused(tmp_path / "f.tif", "imagecodecs tifffile")
    with read.open_pictures(str(tmp_path / "a.tif")) as pictures:  # what its header says can be told
        assert pictures.facts()["needs"] == "tifffile"
    with pytest.raises(PictureError, match="tifffile"):
        written(tmp_path / "b.tif", Picture(DEEP_PIXELS["rgb"], space="rgb"))


# --- arrays ---


@pytest.mark.parametrize("dtype", ["?", "u1", ">u2", "<i4", "u8", "f2", ">f8"])
def test_arrays_of_numpy(tmp_path, dtype):
    array = np.asfortranarray(RNG.integers(0, 2, (4, 6, 3)).astype(dtype))
    for version in ((1, 0), (2, 0)):
        with open(tmp_path / "a.npy", "wb") as file:
            np.lib.format.write_array(file, array, version)
        picture = one(tmp_path / "a.npy")
        np.testing.assert_array_equal(picture.pixels, array)
        assert picture.pixels.dtype.isnative
    again = written(tmp_path / "b.npy", picture)
    np.testing.assert_array_equal(np.load(again), array)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 2), complex), "complex128"),
        (np.array([[None]]), "object"),
        (np.zeros((2, 2, 2, 2)), "(2, 2, 2, 2)"),
        (np.zeros(3), "(3,)"),
        (np.zeros((2, 0)), "no pixels"),
        (np.zeros((2, 2, 0)), "no channels"),
        (np.zeros((2, 2), "U3"), "<U3"),
        (np.zeros((2, 2), [("a", "u1")]), "a"),
    ],
)
def test_arrays_that_are_no_pictures(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    assert_refused(tmp_path / "a.npy", words)


# --- what is kept ---


def exif(orientation=1, **more):
    found = Image.Exif()
    found[0x10F] = "Camera works"
    found[0x13B] = "A. Photographer"
    found[0x112] = orientation
    block = found.get_ifd(0x8769)
    block[0x829A] = 0.01
    block[0xA002], block[0xA003] = 13, 9
    found.get_ifd(0x8825)[1] = "N"
    found.get_ifd(0x8825)[2] = (47.0, 22.0, 30.0)
    return found


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
SUFFIXES = [".jpg", ".png", ".tif", ".webp", pytest.param(".avif", marks=AVIF)]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path, suffix, orientation):
    """Pixels as Pillow turns them; the tag is gone, the rest of EXIF is not."""
    blocks = np.kron(COLOUR[:3, :4], np.ones((8, 8, 1), np.uint8))
    path = saved(
        tmp_path / f"a{suffix}", blocks, exif=exif(orientation).tobytes(), **LOSSLESS.get(suffix, {"quality": 100})
    )
    from PIL import ImageOps

    with Image.open(path) as image:
        lying, upright = np.asarray(image.convert("RGB")), np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    picture = assert_pixels(path, upright)
    for target in (".jpg", ".png", ".tif", ".webp"):
        with Image.open(written(tmp_path / f"b{target}", picture, kept=picture.kept)) as again:
            assert again.size == upright.shape[1::-1]
            found = again.getexif()
            assert found.get(0x112, 1) == 1
            assert found[0x13B] == "A. Photographer"
            block = found.get_ifd(0x8769)
            assert (block[0xA002], block[0xA003]) == upright.shape[1::-1]
            assert float(block[0x829A]) == pytest.approx(0.01)
            assert found.get_ifd(0x8825)[1] == "N"
    if suffix != ".avif":  # whose decoder turns by itself
        lying = blocks if suffix == ".tif" else lying  # which Pillow has turned
        picture = one(path, upright=False)
        np.testing.assert_array_equal(picture.pixels, lying)
        with Image.open(written(tmp_path / "c.png", picture, kept=picture.kept)) as again:
            assert again.getexif().get(0x112, 1) == orientation


def test_a_thumbnail_of_another_picture_is_left_out(tmp_path, photo):
    thumbnail = io.BytesIO()
    Image.fromarray(photo[:60, :80]).save(thumbnail, "JPEG")
    block = exif()
    data = block.tobytes()[6:]
    # The next directory after the first, by hand: compression, place and length of a JPEG.
    (offset,) = struct.unpack_from("<I" if data[:2] == b"II" else ">I", data, 4)
    order = "<" if data[:2] == b"II" else ">"
    (count,) = struct.unpack_from(order + "H", data, offset)
    at = len(data) + len(data) % 2
    place = at + 2 + 3 * 12 + 4
    entries = [(0x103, 3, 6), (0x201, 4, place), (0x202, 4, len(thumbnail.getvalue()))]
    table = struct.pack(order + "H", 3)
    for tag, kind, value in entries:
        table += struct.pack(order + "HHI", tag, kind, 1) + struct.pack(
            order + ("HH" if kind == 3 else "I"), *([value, 0] if kind == 3 else [value])
        )
    data = bytearray(data.ljust(at, b"\0"))
    struct.pack_into(order + "I", data, offset + 2 + 12 * count, at)
    whole = b"Exif\0\0" + bytes(data) + table + struct.pack(order + "I", 0) + thumbnail.getvalue()
    path = saved(tmp_path / "a.jpg", photo[:64, :80], exif=whole)
    assert thumbnail.getvalue() in path.read_bytes()
    picture = one(path)
    again = written(tmp_path / "b.jpg", picture, kept=picture.kept)
    assert thumbnail.getvalue() not in again.read_bytes()
    with Image.open(again) as image:
        assert image.getexif()[0x13B] == "A. Photographer"


def test_damaged_exif_is_a_warning(tmp_path, photo):
    path = saved(tmp_path / "a.jpg", photo[:64, :80], exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(20))
    picture = one(path)
    assert picture.pixels.shape == (64, 80, 3)
    assert picture.kept.exif is None
    path = saved(tmp_path / "a.jpg", photo[:64, :80], exif=b"Exif\0\0nonsense")
    picture = one(path)
    assert any("EXIF" in warning for warning in picture.warnings)


@pytest.mark.parametrize("source", SUFFIXES)
@pytest.mark.parametrize("target", SUFFIXES)
def test_profile_resolution_and_xmp(tmp_path, source, target):
    options = {"icc_profile": SRGB, **LOSSLESS.get(source, {})}
    options |= {"dpi": (300, 300)} if source in (".jpg", ".png", ".tif") else {}
    if source == ".png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"] = info
    elif source == ".tif":
        options["tiffinfo"] = {700: XMP}
    else:
        options["xmp"] = XMP
    picture = one(saved(tmp_path / f"a{source}", np.kron(COLOUR, np.ones((8, 8, 1), np.uint8)), **options))
    with Image.open(written(tmp_path / f"b{target}", picture, kept=picture.kept)) as image:
        image.load()
        assert image.info["icc_profile"] == SRGB
        found = image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode()
        # Pillow turns a TIFF as this says, and takes it out.
        assert found == (
            XMP.replace(b' tiff:Orientation="6"', b"  "[:1]) if source == ".tif" else XMP.replace(b'"6"', b'"1"')
        )
        if "dpi" in options and target in (".jpg", ".png", ".tif"):
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    bare = written(tmp_path / f"c{target}", picture, kept=picture.kept.without_metadata())
    with Image.open(bare) as image:
        image.load()
        assert not {"icc_profile", "xmp", "exif", "XML:com.adobe.xmp"} & image.info.keys()
        assert not image.getexif().get(0x13B)
    # A grey result has no use for a profile of colours.
    with Image.open(written(tmp_path / f"d{target}", Picture(GREY, space="grey"), kept=picture.kept)) as image:
        assert "icc_profile" not in image.info


def test_texts_of_png_and_what_its_numbers_mean(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "A picture")
    info.add_text("Long", "long " * 100, zip=True)
    info.add_itxt("Author", "Übel", "de", "Autor")
    info.add(b"gAMA", struct.pack(">I", 45455))
    info.add(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    info.add(b"sRGB", b"\0")
    picture = one(saved(tmp_path / "a.png", COLOUR, pnginfo=info))
    with Image.open(written(tmp_path / "b.png", picture, kept=picture.kept)) as image:
        image.load()
        assert image.text["Title"] == "A picture"
        assert image.text["Long"] == "long " * 100
        assert (image.text["Author"], image.text["Author"].lang) == ("Übel", "de")
        assert image.info["gamma"] == pytest.approx(0.45455)
        assert image.info["chromaticity"][0] == pytest.approx(0.3127)
        assert image.info["srgb"] == 0


def test_comments(tmp_path, photo):
    picture = one(saved(tmp_path / "a.jpg", photo[:8, :8], comment=b"hello"))
    with Image.open(written(tmp_path / "b.jpg", picture, kept=picture.kept)) as image:
        assert image.info["comment"] == b"hello"
    with Image.open(written(tmp_path / "b.gif", picture, kept=picture.kept)) as image:
        assert image.info["comment"] == b"hello"
    with Image.open(written(tmp_path / "b.png", picture, kept=picture.kept)) as image:
        image.load()
        assert image.text["Comment"] == "hello"


# --- several frames ---


def frames_of(path):
    with Image.open(path) as image:
        return [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(image)]


def animated(path, alpha=False, **options):
    rng = np.random.default_rng(1)
    palette = rng.integers(0, 256, (8, 3), dtype=np.uint8)
    images = []
    for _ in range(4):
        pixels = palette[rng.integers(0, 8, (12, 10))]
        if alpha:
            pixels = np.dstack([pixels, np.where(rng.random((12, 10)) > 0.5, 255, 0).astype(np.uint8)])
        images.append(Image.fromarray(pixels))
    options = {"save_all": True, "append_images": images[1:], "duration": [40, 80, 120, 200], "loop": 3, **options}
    images[0].save(path, **options)
    return path


@pytest.mark.parametrize("source", [".gif", ".png", ".webp"])
@pytest.mark.parametrize("target", [".gif", ".png", ".webp"])
@pytest.mark.parametrize("alpha", [False, True])
def test_animations_keep_frames_times_and_loops(tmp_path, source, target, alpha):
    options = {"lossless": True, "exact": True} if source == ".webp" else {"disposal": 2} if source == ".gif" else {}
    path = animated(tmp_path / f"a{source}", alpha, **options)
    before = frames_of(path)
    with read.open_pictures(str(path)) as pictures:
        assert pictures.frames == 4
        made = list(pictures.read())
        again = written(tmp_path / f"b{target}", *made, kept=pictures.kept)
    after = frames_of(again)
    assert len(after) == 4
    for x, y in zip(before, after, strict=True):
        np.testing.assert_array_equal(x[..., 3], y[..., 3])
        shown = x[..., 3] > 0
        np.testing.assert_array_equal(x[shown], y[shown])
    with Image.open(again) as image:
        # A GIF says how often it is repeated, others how often it is shown.
        assert image.info["loop"] == 3 + (source == ".gif") - (target == ".gif")
        durations = []
        for frame in ImageSequence.Iterator(image):
            frame.load()
            durations.append(frame.info["duration"])
        assert durations == [40, 80, 120, 200]


def test_a_first_picture_that_is_not_of_the_animation(tmp_path):
    path = animated(tmp_path / "a.png", default_image=True, duration=[40, 80, 120])
    with read.open_pictures(str(path)) as pictures:
        again = written(tmp_path / "b.png", *pictures.read(), kept=pictures.kept)
    with Image.open(again) as image:
        assert image.default_image
        assert image.n_frames == 4


def test_pages_of_all_kinds(tmp_path):
    pages = [
        Image.fromarray(GREY),
        Image.fromarray(COLOUR[:5]),
        with_alpha(COLOUR),
        Image.fromarray(DEEP),
        Image.fromarray(GREY > 9),
    ]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], dpi=(100, 100))
    with read.open_pictures(str(tmp_path / "a.tif")) as pictures:
        assert pictures.frames == 5
        found = list(pictures.read())
        np.testing.assert_array_equal(next(pictures.read(only=3)).pixels, DEEP)
        with pytest.raises(PictureError, match="has 5 frames, counted from 0; there is no frame 5"):
            next(pictures.read(only=5))
        again = written(tmp_path / "b.tif", *found, kept=pictures.kept)
    for picture, page in zip(found, pages, strict=True):
        np.testing.assert_array_equal(picture.pixels, np.asarray(page.convert("L") if page.mode == "1" else page))
    with Image.open(again) as image:
        assert image.n_frames == 5
        for number, picture in enumerate(found):
            image.seek(number)
            np.testing.assert_array_equal(np.asarray(image), picture.pixels)


def test_deep_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(DEEP_PIXELS["rgb"], photometric="rgb")
        writer.write(GREY, photometric="minisblack")
        writer.write(DEEP_PIXELS["rgb"] // 2, photometric="rgb")
    with read.open_pictures(str(tmp_path / "a.tif")) as pictures:
        found = list(pictures.read())
        again = written(tmp_path / "b.tif", *found, kept=pictures.kept)
    np.testing.assert_array_equal(found[1].pixels, GREY)
    np.testing.assert_array_equal(found[2].pixels, DEEP_PIXELS["rgb"] // 2)
    with tifffile.TiffFile(again) as stored:
        assert [page.shape for page in stored.pages] == [(7, 5, 3), (9, 13), (7, 5, 3)]


def test_frames_are_read_one_by_one(tmp_path, monkeypatch):
    """Two are needed to know that there are several."""
    path = animated(tmp_path / "a.gif")
    seen = []

    def telling():
        with read.open_pictures(str(path)) as pictures:
            for picture in pictures.read():
                seen.append(len(seen))
                yield picture

    made = []
    convert = write._image
    monkeypatch.setattr(write, "_image", lambda *args: made.append(len(seen)) or convert(*args))
    with open(tmp_path / "b.gif", "w+b") as file:
        write.save(file, formats.FORMATS["GIF"], telling(), Kept(animation={"plays": 0}))
    assert made == [2, 2, 3, 4]
    assert len(frames_of(tmp_path / "b.gif")) == 4


# --- writing ---


@pytest.mark.parametrize(
    ("name", "picture", "words"),
    [
        (
            "a.jpg",
            Picture(np.dstack([GREY, ALPHA]), alpha=True, space="grey"),
            ("transparency", ".png", "--alpha drop"),
        ),
        ("a.bmp", Picture(np.dstack([COLOUR, ALPHA]), alpha=True, space="rgb"), ("transparency",)),
        ("a.jpg", Picture(DEEP, space="grey"), ("16 bits", ".tif", "--depth 8")),
        ("a.webp", Picture(DEEP, space="grey"), ("16 bits",)),
        ("a.gif", Picture(DEEP, space="grey"), ("16 bits",)),
        ("a.png", Picture(np.zeros((2, 2), np.float32), space="grey"), ("floating point", ".npy", "--depth 8")),
        ("a.png", Picture(np.zeros((2, 2, 7), np.uint8)), ("7 channels", ".npy")),
        ("a.png", Picture(np.zeros((2, 2), np.int32)), ("int32",)),
        ("a.png", Picture(np.zeros((0, 2), np.uint8)), ("no pixels",)),
        ("a.webp", Picture(np.zeros((1, 16384), np.uint8), space="grey"), ("16384 x 1", ".png")),
        ("a.jpg", Picture(np.zeros((65501, 1), np.uint8), space="grey"), ("1 x 65501",)),
    ],
)
def test_what_a_format_would_lose_is_refused(tmp_path, name, picture, words):
    with pytest.raises(PictureError) as caught:
        written(tmp_path / name, picture)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("name", ["a.jpg", "a.bmp", "a.ppm", "a.npy"])
def test_several_frames_for_a_format_of_one(tmp_path, name):
    with pytest.raises(PictureError, match=r"2 frames; .*--frame 0"):
        written(tmp_path / name, Picture(GREY, space="grey"), Picture(GREY, space="grey"))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.bmp", "a.ppm", "a.npy", "a.gif"])
def test_every_format_holds_grey_and_colour(tmp_path, name):
    few = np.kron(COLOUR[:2, :2], np.ones((5, 5, 1), np.uint8))
    for pixels, space in ((GREY, "grey"), (few, "rgb")):
        picture = one(written(tmp_path / name, Picture(pixels, space=space)))
        found = picture.pixels
        if name == "a.webp" and space == "grey":
            found = luminance(found)
        if name == "a.gif" and found.shape != pixels.shape:
            found = luminance(found)
        np.testing.assert_array_equal(found, pixels)


def test_quality_and_compression(tmp_path, photo):
    picture = Picture(photo[:128, :128], space="rgb")

    def size(name, **options):
        return written(tmp_path / name, picture, **options).stat().st_size

    assert size("a.jpg", quality=10) < size("a.jpg") < size("a.jpg", quality=100)
    assert size("a.webp", quality=10) < size("a.webp", quality=90) < size("a.webp")
    assert size("a.tif", compression=1) < size("a.tif")
    assert size("a.png", compression=9) < size("a.png") < size("a.png", compression=0)
    with Image.open(written(tmp_path / "a.jpg", picture)) as image:
        assert [one_[1:3] for one_ in image.layer] == [(1, 1)] * 3  # colour at full resolution


def test_names_of_formats():
    assert formats.by_suffix("x/y.TIFF").name == "TIFF"
    assert formats.by_name("JPG").name == "JPEG"
    with pytest.raises(PictureError, match=r"would end in \.xyz; choose one with -o that ends in \.png"):
        formats.by_suffix("a.xyz")
    with pytest.raises(PictureError, match="would have no suffix"):
        formats.by_suffix("a")
    with pytest.raises(PictureError, match="no format 'docx'; choose one of png"):
        formats.by_name("docx")


# --- damage ---


def whole_files(tmp_path, photo):
    small = Image.fromarray(photo[:40, :60])
    for name, options in [
        ("a.png", {}), ("a.jpg", {}), ("a.tif", {}), ("b.tif", {"compression": "tiff_adobe_deflate"}), ("a.webp", {}),
        ("a.gif", {}), ("a.bmp", {}), ("a.ppm", {}), *([("a.avif", {})] if features.check("avif") else []),
    ]:  # fmt: skip
        yield saved(tmp_path / name, small, **options)
    np.save(tmp_path / "a.npy", photo[:40, :60])
    yield tmp_path / "a.npy"


def test_pieces_of_files_are_refused_or_whole(tmp_path, photo):
    for path in whole_files(tmp_path, photo):
        data = path.read_bytes()
        expected = one(data).pixels
        for cut in (0, 1, 3, 8, 12, 20, 33, 60, len(data) // 3, len(data) // 2, len(data) - 30):
            try:
                found = one(data[:cut])
            except PictureError as error:
                assert_one_line(error)
            else:
                np.testing.assert_array_equal(found.pixels, expected, f"{path} cut at {cut}")


def test_flipped_bytes_never_raise_anything_else(tmp_path, photo):
    rng = np.random.default_rng(5)
    for path in whole_files(tmp_path, photo):
        data = path.read_bytes()
        for _ in range(60):
            damaged = bytearray(data)
            for place in rng.integers(0, min(len(data), 400), 3):
                damaged[place] = rng.integers(0, 256)
            try:
                with read.open_pictures(bytes(damaged), max_pixels=1 << 22) as pictures:
                    pictures.facts()
                    for picture in pictures.read():
                        assert picture.pixels.size
                    pictures.kept  # noqa: B018
            except PictureError as error:
                assert_one_line(error)


@pytest.mark.parametrize("data", [b"", b"no picture\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0" * 100, b"BM", b"P6"])
def test_what_is_no_picture(data, tmp_path):
    assert_refused(data, "is empty" if not data else "")
    (tmp_path / "a.png").write_bytes(data)
    assert_refused(tmp_path / "a.png")


def test_files_that_are_not_there(tmp_path):
    assert_refused(tmp_path / "none.png", "no such file")
    assert_refused(tmp_path, "is a directory")


def test_bombs_are_refused_before_they_are_decoded(tmp_path):
    size = (50_000, 50_000)
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    )
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "|u1", "fortran_order": False, "shape": size})
    tiff = struct.pack("<2sHIH", b"II", 42, 8, 3) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in ((256, size[0]), (257, size[1]), (273, 8))
    )
    gif = saved(tmp_path / "a.gif", GREY).read_bytes()
    gif = gif[:6] + struct.pack("<HH", *size) + gif[10:]
    for data in (bomb, array.getvalue(), tiff + bytes(4), gif):
        assert_refused(
            data, "50000 x 50000 = 2500000000 pixels, more than --max-pixels 1000000 allows", max_pixels=10**6
        )
    path = saved(tmp_path / "a.png", GREY)
    assert one(path, max_pixels=9 * 13).pixels.shape == (9, 13)
    assert_refused(path, "117 pixels", max_pixels=9 * 13 - 1)


def test_facts_need_no_pixels(tmp_path, photo):
    path = saved(tmp_path / "a.jpg", photo[:64, :80], exif=exif(6), icc_profile=SRGB, dpi=(72, 72))
    with read.open_pictures(str(path)) as pictures:
        facts = pictures.facts()
    assert (facts["format"], facts["width"], facts["height"], facts["orientation"]) == ("JPEG", 64, 80, 6)
    assert "sRGB" in facts["profile"]
    assert facts["dpi"] == [72, 72]


# --- corners ---


def adam7(pixels):
    """The bytes of an interlaced picture, pass by pass: https://www.w3.org/TR/png-3/#8Interlace."""
    passes = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)]
    for top, down, left, right in passes:
        for row in pixels[top::down, left::right]:
            if len(row):
                yield b"\0" + row.astype(">u2").tobytes()


def png_of(*more):
    """A PNG of these chunks."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in more
    )


def test_interlaced_sixteen_bits():
    pytest.importorskip("imagecodecs")
    pixels = RNG.integers(0, 65536, (11, 9, 3), dtype=np.uint16)
    header = struct.pack(">IIBBBBB", 9, 11, 16, 2, 0, 0, 1)
    data = png_of((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(adam7(pixels)))), (b"IEND", b""))
    assert_pixels(data, pixels)


def test_an_animation_of_sixteen_bits_is_refused():
    pixels = DEEP_PIXELS["rgb"]
    control = struct.pack(">5I2H2B", 0, 5, 7, 0, 0, 1, 10, 0, 0)
    again = struct.pack(">5I2H2B", 1, 5, 7, 0, 0, 1, 10, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels))
    data = png_of(
        (b"IHDR", struct.pack(">IIBBBBB", 5, 7, 16, 2, 0, 0, 0)), (b"acTL", struct.pack(">2I", 2, 0)),
        (b"fcTL", control), (b"IDAT", rows), (b"fcTL", again), (b"fdAT", struct.pack(">I", 2) + rows), (b"IEND", b""),
    )  # fmt: skip
    with read.open_pictures(data) as pictures:
        assert pictures.frames == 2
        with pytest.raises(PictureError, match="animation with 16 bits"):
            next(pictures.read())


def test_chunks_before_the_header_are_no_way_to_hide_it():
    """Of which Pillow would read eight bits."""
    pixels = deep_png(DEEP_PIXELS["rgb"])
    assert_refused(pixels[:8] + png_of((b"teXt", b"a"))[8:] + pixels[8:], "damaged")


@pytest.mark.parametrize("largest", [256, 1000, 65535])
def test_sixteen_bits_of_colour_in_ppm(largest):
    numbers = RNG.integers(0, largest + 1, (4, 5, 3))
    numbers[0, 0] = 0, 1, largest
    expected = np.rint(numbers / largest * 65535).astype(np.uint16)
    header = b"# of no camera\n5 4\n%d\n" % largest
    assert_pixels(b"P6\n" + header + numbers.astype(">u2").tobytes(), expected)
    text = "\n".join(" ".join(map(str, row)) for row in numbers.reshape(4, -1)).replace("\n", " # a remark 7 7\n", 1)
    assert_pixels(b"P3\n" + header + text.encode(), expected)
    assert_refused(b"P6\n" + header + numbers.astype(">u2").tobytes()[:-1], "damaged")
    assert_refused(b"P3\n" + header + text.encode()[:-6], "damaged")
    if largest < 65535:
        numbers[2, 2, 2] = largest + 1
        assert_refused(b"P6\n" + header + numbers.astype(">u2").tobytes(), f"outside 0 to {largest}")


def test_other_kinds_of_ppm():
    assert_pixels(b"P5 2 1 65535\n\1\2\3\4", np.array([[0x102, 0x304]], np.uint16))
    assert_pixels(b"P5 2 1 1023\n\3\xff\0\0", np.array([[65535, 0]], np.uint16))
    assert_pixels(b"P6 1 1 15\n\0\5\x0f", np.array([[[0, 85, 255]]], np.uint8))
    assert_pixels(b"P2 3 1 255\n1 2 3", np.array([[1, 2, 3]], np.uint8))
    assert_pixels(b"P4 3 1\n\xa0", np.array([[0, 255, 0]], np.uint8))
    assert_refused(b"P7\nWIDTH 1\n", "is not a picture")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_white_that_is_zero_of_every_depth(tmp_path, dtype):
    pixels = (RNG.random((6, 7)) * 255).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    full = np.iinfo(dtype).max if pixels.dtype.kind == "u" else pixels.dtype.type(1)
    assert_pixels(tmp_path / "a.tif", full - pixels)
    with tifffile.TiffWriter(tmp_path / "b.tif") as writer:  # whose second page Pillow does not know
        writer.write(pixels, photometric="miniswhite")
        writer.write(np.dstack([pixels] * 3).astype(np.float32), photometric="rgb")
    with read.open_pictures(str(tmp_path / "b.tif")) as pictures:
        np.testing.assert_array_equal(next(pictures.read()).pixels, full - pixels)


@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey_with_alpha_in_tiff(tmp_path, extra, dtype):
    full = np.iinfo(dtype).max
    alpha = np.array([[0, full, full // 5]], dtype)
    grey = np.array([[0, 30, 20]], dtype)
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([grey, alpha]), photometric="minisblack", extrasamples=[extra])
    expected = np.array([[0, 30, 20 if extra == "unassalpha" else 100]], dtype)
    assert_pixels(tmp_path / "a.tif", np.dstack([expected, alpha]), alpha=True)


def test_palette_of_tiff(tmp_path):
    table = RNG.integers(0, 256, (3, 256))
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="palette", colormap=(table * 257).astype(np.uint16))
    assert_pixels(tmp_path / "a.tif", table.T[GREY].astype(np.uint8))


@pytest.mark.parametrize(
    "how", [{"compression": "lzw"}, {"compression": "zlib", "predictor": 2}, {"tile": (16, 16)}, {"bigtiff": True}]
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_ways_that_tiff_lies(tmp_path, how, dtype):
    pytest.importorskip("imagecodecs")
    pixels = RNG.integers(0, 256, (33, 21, 3)).astype(dtype)
    for order in "<>":
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", byteorder=order, **how)
        assert_pixels(tmp_path / "a.tif", pixels)


@pytest.mark.parametrize("dtype", ["int16", "uint32", "int8"])
def test_other_numbers_in_colour_are_refused(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5, 3), dtype), photometric="rgb")
    assert_refused(tmp_path / "a.tif", dtype)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_more_than_eight_bits_of_avif_are_told():
    codecs = pytest.importorskip("imagecodecs")
    many = codecs.avif_encode(np.full((8, 8, 3), 600, np.uint16), bitspersample=10)
    assert one(many).warnings == ["it has more than 8 bits in each channel, of which 8 are read"]
    assert not one(codecs.avif_encode(np.full((8, 8, 3), 200, np.uint8))).warnings


def test_pages_that_pillow_does_not_know_among_those_it_does(tmp_path, monkeypatch):
    deep = DEEP_PIXELS["rgb"]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(GREY, photometric="minisblack", software="Looms")
        writer.write(deep.astype(np.float32), photometric="rgb", extratags=[(274, "H", 1, 6, True)])
        writer.write(DEEP, photometric="miniswhite")
    expected = [GREY, np.rot90(deep.astype(np.float32), -1), 65535 - DEEP]
    with read.open_pictures(str(tmp_path / "a.tif")) as pictures:
        assert pictures.frames == 3
        for picture, pixels in zip(pictures.read(), expected, strict=True):
            np.testing.assert_array_equal(picture.pixels, pixels)
        np.testing.assert_array_equal(next(pictures.read(only=1)).pixels, expected[1])
        assert Image.Exif().load(pictures.kept.exif) is None
        assert b"Looms" in pictures.kept.exif
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(PictureError, match="pip install imagecodecs tifffile"):
        read.open_pictures(str(tmp_path / "a.tif"))


def test_every_page_lies_as_it_says(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for pixels, orientation in ((COLOUR, 6), (COLOUR, 1), (DEEP_PIXELS["rgb"], 8), (GREY, 5)):
            writer.write(
                pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack",
                extratags=[(274, "H", 1, orientation, True), (315, "s", 0, f"page {orientation}", True)],
            )  # fmt: skip
    expected = [np.rot90(COLOUR, -1), COLOUR, np.rot90(DEEP_PIXELS["rgb"]), GREY.T]
    with read.open_pictures(str(tmp_path / "a.tif")) as pictures:
        assert pictures.size == (9, 13)
        for picture, pixels in zip(pictures.read(), expected, strict=True):
            np.testing.assert_array_equal(picture.pixels, pixels)
        assert b"page 6" in pictures.kept.exif  # what the first says
    with read.open_pictures(str(tmp_path / "a.tif"), upright=False) as pictures:
        for picture, pixels in zip(pictures.read(), [COLOUR, COLOUR, DEEP_PIXELS["rgb"], GREY], strict=True):
            np.testing.assert_array_equal(picture.pixels, pixels)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("upright", [False, True])
def test_exif_behind_the_pixels(deep, upright):
    """Where libpng may put it."""
    if deep:
        pytest.importorskip("imagecodecs")
    pixels = DEEP_PIXELS["rgb"] if deep else COLOUR
    depth = 16 if deep else 8
    whole = png(depth, 2, pixels.astype(f">u{depth // 8}").reshape(len(pixels), -1).view(np.uint8))
    end = png_of((b"IEND", b""))[8:]
    assert whole.endswith(end)
    data = whole.removesuffix(end) + png_of((b"eXIf", exif(6).tobytes()[6:]))[8:] + end
    with read.open_pictures(data, upright=upright) as pictures:
        kept = pictures.kept
        picture = next(pictures.read())
        np.testing.assert_array_equal(picture.pixels, np.rot90(pixels, -1) if upright else pixels)
    found = Image.Exif()
    found.load(kept.exif)
    assert found.get(0x112, 1) == (1 if upright else 6)
    assert found[0x13B] == "A. Photographer"


def test_a_phones_second_picture_is_not_a_frame(tmp_path, photo):
    first, second = Image.fromarray(photo[:64, :80]), Image.fromarray(photo[:16, :20])
    path = saved(tmp_path / "a.jpg", first, format="MPO", save_all=True, append_images=[second])
    assert one(path).pixels.shape == (64, 80, 3)


def test_exif_of_an_animation(tmp_path):
    path = animated(tmp_path / "a.png", exif=exif(3).tobytes())
    with read.open_pictures(str(path)) as pictures:
        again = written(tmp_path / "b.webp", *pictures.read(), kept=pictures.kept)
    data = again.read_bytes()
    assert b"Exif\0\0" not in data  # which belongs to JPEG; Pillow would write it
    with Image.open(again) as image:
        assert image.getexif()[0x13B] == "A. Photographer"
        assert image.n_frames == 4


@pytest.mark.parametrize("loop", [None, 0, 1, 5])
def test_how_often_a_gif_plays(tmp_path, loop):
    path = animated(tmp_path / "a.gif", loop=loop)
    with read.open_pictures(str(path)) as pictures:
        frames, kept = list(pictures.read()), pictures.kept
    for suffix, expected in ((".gif", loop), (".webp", {None: 1, 0: 0}.get(loop, (loop or 0) + 1))):
        with Image.open(written(tmp_path / f"b{suffix}", *frames, kept=kept)) as image:
            assert image.info.get("loop") == expected
    with Image.open(written(tmp_path / "b.png", *frames, kept=kept)) as image:
        assert image.info["loop"] == (0 if loop == 0 else (loop or 0) + 1)


@AVIF
def test_animations_in_avif(tmp_path):
    path = animated(tmp_path / "a.png", alpha=True)
    with read.open_pictures(str(path)) as pictures:
        frames = list(pictures.read())
        again = written(tmp_path / "b.avif", *frames, kept=pictures.kept, quality=100)
    with read.open_pictures(str(again)) as pictures:
        assert pictures.frames == 4
        found = list(pictures.read())
    for number, (before, after) in enumerate(zip(frames, found, strict=True)):
        assert after.about["duration"] == before.about["duration"]
        np.testing.assert_array_equal(after.pixels[..., 3], before.pixels[..., 3])
        # Colours lose half their resolution, but each frame is itself.
        assert np.argmin([abs(after.pixels.astype(int) - one_.pixels).mean() for one_ in frames]) == number


@pytest.mark.parametrize("suffix", [".gif", pytest.param(".avif", marks=AVIF), ".webp"])
def test_grey_with_alpha_where_pillow_would_lose_it(tmp_path, suffix):
    pixels = np.dstack([np.full((8, 8), 90, np.uint8), np.zeros((8, 8), np.uint8)])
    pixels[:, 4:, 1] = 255
    found = one(written(tmp_path / f"a{suffix}", Picture(pixels, alpha=True, space="grey"))).pixels
    np.testing.assert_array_equal(found[..., -1], pixels[..., 1])
    assert abs(found[:, 4:, 0].astype(int) - 90).max() < 3


def test_resolution_of_each_page(tmp_path):
    pages = [Image.fromarray(GREY), Image.fromarray(COLOUR)]
    pages[1].encoderinfo = {"dpi": (72, 72)}
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], dpi=(300, 300))
    for deep in (False, True):
        with read.open_pictures(str(tmp_path / "a.tif")) as pictures:
            found = list(pictures.read())
            if deep:
                found[1].pixels = found[1].pixels.astype(np.uint16)
            again = written(tmp_path / "b.tif", *found, kept=pictures.kept)
        with Image.open(again) as image:
            assert image.info["dpi"] == (300, 300)
            image.seek(1)
            assert image.info["dpi"] == (72, 72)


def test_a_file_and_memory_are_the_same(tmp_path, photo):
    for name in ("a.png", "a.jpg", "a.tif", "a.webp", "a.gif", "a.npy"):
        picture = Picture(photo[:30, :40], space="rgb")
        with io.BytesIO() as file:
            write.save(file, formats.by_suffix(name), [picture], Kept(), compression=2)
            assert written(tmp_path / name, picture, compression=2).read_bytes() == file.getvalue()


@pytest.mark.parametrize("name", ["WEBP", "AVIF"])
def test_a_pillow_without_a_format(tmp_path, monkeypatch, name):
    from importlib import import_module

    data = {"WEBP": b"RIFF\x1a\0\0\0WEBPVP8L" + bytes(30), "AVIF": b"\0\0\0\x1cftypavif" + bytes(30)}[name]
    monkeypatch.setattr(import_module(f"PIL.{pillow.OPENERS[name][0]}"), "SUPPORTED", False)
    if name == "WEBP":
        data = saved(tmp_path / "a.webp", COLOUR).read_bytes()
    assert_refused(data, f"is a picture in {name}, which this build of Pillow cannot read")


def test_what_must_be_installed_for_a_compression(tmp_path):
    pytest.importorskip("imagecodecs")
    tifffile.imwrite(tmp_path / "a.tif", DEEP_PIXELS["rgb"], photometric="rgb", compression="lzw")
    code = (
        "import sys; sys.modules['imagecodecs'] = None\n"
        "from imfilt.images.read import open_pictures\n"
        "try:\n    list(open_pictures(sys.argv[1]).read())\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, tmp_path / "a.tif"], capture_output=True, text=True, check=True)
    assert ran.stdout == "PictureError is compressed as LZW; to read it: pip install imagecodecs tifffile\n"


def test_no_other_plugin_of_pillow_is_tried(tmp_path):
    """Of which that for EPS runs Ghostscript."""
    path = saved(tmp_path / "a.png", COLOUR)
    (tmp_path / "b.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    code = (
        "import sys\nfrom imfilt.images.read import open_pictures\nfor path in sys.argv[1:]:\n"
        "    try:\n        list(open_pictures(path).read())\n    except Exception as error:\n        print(error)\n"
        "print(*(name for name in sys.modules if name.startswith('PIL.') and name.endswith('Plugin')))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, path, tmp_path / "b.png"], capture_output=True, text=True, check=True
    )
    told, plugins = ran.stdout.splitlines()
    assert told.startswith("is not a picture in PNG, ")
    assert plugins == "PIL.PngImagePlugin"


@pytest.mark.parametrize("colours", [1, 3])
def test_half_floats_become_floats(tmp_path, colours):
    numbers = RNG.random((5, 6, 3)[: 2 + (colours == 3)]).astype(np.float16)
    tifffile.imwrite(tmp_path / "a.tif", numbers, photometric="rgb" if colours == 3 else "minisblack")
    np.testing.assert_array_equal(one(tmp_path / "a.tif").pixels, numbers.astype(np.float32), strict=True)


def test_channels_without_a_meaning_are_told(tmp_path):
    pixels = RNG.integers(0, 65536, (5, 6, 5), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unspecified"] * 2)
    picture = assert_pixels(tmp_path / "a.tif", pixels[..., :3])
    assert picture.warnings == ["2 of 5 channels have no meaning, and are left out"]


def test_an_animation_whose_palette_is_grey(tmp_path):
    images = [Image.fromarray(one_).convert("P", palette=Image.Palette.ADAPTIVE) for one_ in (GREY, GREY[::-1])]
    images[0].save(tmp_path / "a.png", save_all=True, append_images=images[1:], duration=10)
    with read.open_pictures(str(tmp_path / "a.png")) as pictures:
        found = list(pictures.read())
        assert {picture.space for picture in found} == {pictures.space}
    for picture, expected in zip(found, (GREY, GREY[::-1]), strict=True):
        np.testing.assert_array_equal(picture.pixels, np.dstack([expected] * 3))


@pytest.mark.parametrize("number", [0, 1e9])
def test_a_resolution_that_cannot_be_is_dropped(tmp_path, number):
    picture = one(saved(tmp_path / "a.tif", GREY, dpi=(number, 72)))
    assert picture.kept.dpi is None
    written(tmp_path / "b.jpg", picture, kept=picture.kept)


def test_what_a_deep_tiff_says_of_itself(tmp_path):
    """Of a kind that Pillow does not know."""
    pixels = DEEP_PIXELS["rgb"].astype(np.float32)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", software="Looms", resolution=(100, 50), iccprofile=SRGB,
        resolutionunit="CENTIMETER",
    )  # fmt: skip
    picture = assert_pixels(tmp_path / "a.tif", pixels)
    assert picture.kept.dpi == pytest.approx((254, 127))
    plain = written(tmp_path / "b.tif", picture, kept=picture.kept)
    with tifffile.TiffFile(plain) as again:
        assert again.pages[0].tags["Software"].value == "Looms"
        assert again.pages[0].tags["XResolution"].value[0] == 254
        assert again.pages[0].iccprofile == SRGB
        assert again.pages[0].compression == 1
    with tifffile.TiffFile(written(tmp_path / "c.tif", picture, compression=5)) as again:
        assert again.pages[0].compression == 8


def test_profiles_stand_alone_and_greys_keep_gamma(tmp_path):
    chunks = [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 45455))]
    colour, grey = Picture(COLOUR, space="rgb"), Picture(GREY, space="grey")

    def names(picture, **kept):
        data = written(tmp_path / "a.png", picture, kept=Kept(chunks=chunks, **kept)).read_bytes()
        return {name for name in (b"sRGB", b"gAMA", b"iCCP") if name in data}

    assert names(colour) == {b"sRGB", b"gAMA"}
    assert names(colour, icc=SRGB) == {b"iCCP"}
    assert names(grey) == {b"gAMA"}
    assert names(grey, icc=SRGB) == {b"gAMA"}


def test_raw_profiles_are_not_texts(tmp_path):
    """ImageMagick's, which tell an orientation that is no longer."""
    data = exif(6).tobytes()
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n", zip=True)
    picture = assert_pixels(saved(tmp_path / "a.png", COLOUR, pnginfo=info), np.rot90(COLOUR, -1))
    with Image.open(written(tmp_path / "b.png", picture, kept=picture.kept)) as image:
        image.load()
        assert not image.text
        assert image.getexif()[0x13B] == "A. Photographer"
        assert 0x112 not in image.getexif()


def test_pages_play_once(tmp_path):
    images = [Image.fromarray(GREY), Image.fromarray(GREY[::-1])]
    images[0].save(tmp_path / "a.tif", save_all=True, append_images=images[1:])
    with read.open_pictures(str(tmp_path / "a.tif")) as pictures:
        again = written(tmp_path / "b.gif", *pictures.read(), kept=pictures.kept)
    with Image.open(again) as image:
        assert image.n_frames == 2
        assert "loop" not in image.info


@pytest.mark.parametrize(("name", "largest"), [("a.jpg", 65500), ("a.webp", 16383), ("a.gif", 65535)])
def test_the_largest_sides_are_written(tmp_path, name, largest):
    with Image.open(written(tmp_path / name, Picture(np.zeros((1, largest), np.uint8), space="grey"))) as image:
        assert image.size == (largest, 1)
    with pytest.raises(PictureError, match=f"{largest + 1} x 1 pixels"):
        written(tmp_path / name, Picture(np.zeros((1, largest + 1), np.uint8), space="grey"))


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (KeyError("AVIF"), PictureError, "this build of Pillow cannot write AVIF"),
        (OSError("encoder error -2"), PictureError, "cannot be written as AVIF: encoder error -2"),
        (ValueError("no"), PictureError, "cannot be written as AVIF: no"),
        (struct.error("no"), PictureError, "cannot be written as AVIF: no"),
        (OSError(28, "No space left on device"), OSError, "No space left"),
    ],
)
def test_what_pillow_raises_on_writing(tmp_path, monkeypatch, error, expected, words):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(expected, match=words):
        written(tmp_path / "a.avif", Picture(COLOUR, space="rgb"))


# --- more damage ---


def test_bombs_of_webp_are_refused_before_memory_is_taken(monkeypatch):
    """Pillow's decoder would take it as soon as it is made."""
    from PIL import WebPImagePlugin

    monkeypatch.delattr(WebPImagePlugin, "WebPImageFile")
    width, height = 16000, 15000
    bits = (width - 1) | (height - 1) << 14
    for kind, body in [
        (b"VP8X", bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")),
        (b"VP8L", b"\x2f" + bits.to_bytes(4, "little") + bytes(9)),
        (b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width, height)),
    ]:
        data = b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBP" + kind + struct.pack("<I", len(body)) + body
        assert_refused(data, "16000 x 15000 = 240000000 pixels", max_pixels=10**6)
        assert_refused(data[:22], "damaged", max_pixels=10**6)


@pytest.mark.parametrize("only", [None, 1, 2])
def test_a_gif_that_grows(tmp_path, only):
    frame = b",\0\0\0\0%s\0\x02\x02L\x01\0"
    start = b"GIF89a\x04\0\x04\0\x80\0\0\0\0\0\xff\xff\xff"
    data = start + frame % b"\1\0\1\0" + frame % b"\xff\xff\xff\xff" + frame % b"\1\0\1\0" + b";"
    with read.open_pictures(data, max_pixels=10**6) as pictures:
        assert pictures.frames == 3
        with pytest.raises(PictureError, match="65535 x 65535"):
            list(pictures.read(only=only))


def test_arrays_without_their_numbers(tmp_path):
    np.save(tmp_path / "a.npy", GREY)
    data = (tmp_path / "a.npy").read_bytes()
    assert_refused(data[:-1], "damaged", "ends too early")
    for shape in ((1, 1, 10**13), (10**9, 10**9), (-1, 4), (2, 2, -1)):
        with io.BytesIO() as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
            assert_refused(file.getvalue() + bytes(64))
    with io.BytesIO() as file:
        np.lib.format.write_array_header_2_0(file, {"descr": "<f8", "fortran_order": False, "shape": (1,) * 9000})
        assert_refused(file.getvalue())


def test_the_end_of_a_gif(tmp_path):
    data = animated(tmp_path / "a.gif").read_bytes()
    assert data.endswith(b";")
    for padding in (b"", b"\0"):
        with read.open_pictures(data + padding) as pictures:
            assert (pictures.frames, pictures.warnings) == (4, [])
    with read.open_pictures(data[:-1]) as pictures:
        assert pictures.warnings == ["its end is missing, and with it perhaps frames"]


def more_files(tmp_path):
    for name in ("a.gif", "a.png", "a.webp", "a.tif"):
        options = {"compression": "tiff_lzw"} if name == "a.tif" else {}
        yield animated(tmp_path / name, **options)
    tifffile.imwrite(tmp_path / "d.tif", DEEP_PIXELS["rgb"], photometric="rgb")
    yield tmp_path / "d.tif"
    tifffile.imwrite(tmp_path / "f.tif", DEEP_PIXELS["rgb"].astype(np.float32), photometric="rgb", compression="zlib")
    yield tmp_path / "f.tif"
    (tmp_path / "d.png").write_bytes(deep_png(DEEP_PIXELS["rgba"]))
    yield tmp_path / "d.png"
    (tmp_path / "d.ppm").write_bytes(b"P6 5 7 65535\n" + DEEP_PIXELS["rgb"].astype(">u2").tobytes())
    yield tmp_path / "d.ppm"
    yield saved(tmp_path / "k.jpg", Image.fromarray(COLOUR).convert("CMYK"), exif=exif(6).tobytes(), icc_profile=SRGB)


def assert_silent(capfd, caplog):
    """But for libtiff, which Pillow lets write to stderr by itself."""
    told = capfd.readouterr()
    assert not told.out
    own = ("TIFF", "Decode:", "tempfile.tif")
    assert [line for line in told.err.splitlines() if not any(word in line for word in own)] == []
    assert not caplog.records


def everything(data):
    with read.open_pictures(data, max_pixels=1 << 20) as pictures:
        pictures.facts()
        found = [picture.pixels for picture in pictures.read()]
        pictures.kept  # noqa: B018
        return found, pictures.warnings


def test_pieces_of_animations_and_of_deep_pictures(tmp_path, capfd, caplog):
    pytest.importorskip("imagecodecs")
    for path in more_files(tmp_path):
        data = path.read_bytes()
        expected = everything(data)[0]
        for cut in {*range(0, 80, 7), *range(80, len(data), max(1, len(data) // 25)), len(data) - 1, len(data) - 13}:
            try:
                found, warnings = everything(data[:cut])
            except PictureError as error:
                assert_one_line(error)
            else:
                assert len(found) == len(expected) or warnings, (path, cut)
                for one_found, one_expected in zip(found, expected, strict=False):
                    np.testing.assert_array_equal(one_found, one_expected, f"{path} cut at {cut}")
    assert_silent(capfd, caplog)


def test_flipped_bytes_of_animations_and_of_deep_pictures(tmp_path, capfd, caplog):
    pytest.importorskip("imagecodecs")
    rng = np.random.default_rng(6)
    for path in more_files(tmp_path):
        data = path.read_bytes()
        refused = 0
        for trial in range(80):
            damaged = bytearray(data)
            for place in rng.integers(0, min(len(data), 300 if trial % 2 else len(data)), 3):
                damaged[place] = rng.integers(0, 256)
            try:
                found, _ = everything(bytes(damaged))
            except PictureError as error:
                refused += 1
                assert_one_line(error)
            else:
                assert all(pixels.size for pixels in found)
        assert refused or path.suffix == ".ppm", path
    assert_silent(capfd, caplog)


# --- frames of several kinds ---


def test_frames_some_of_which_are_transparent(tmp_path):
    hole = np.full((8, 8, 4), 255, np.uint8)
    hole[2:6, 2:6] = 0
    solid = np.full((8, 8, 3), 90, np.uint8)
    frames = [
        Picture(solid, space="rgb", about={"duration": 50}),
        Picture(hole, alpha=True, space="rgb", about={"duration": 50}),
    ]
    for order in (frames, frames[::-1]):
        for name in ("a.gif", "a.png", "a.webp", *(["a.avif"] if features.check("avif") else [])):
            found = frames_of(written(tmp_path / name, *order, kept=Kept()))
            assert len(found) == 2, name
            if name == "a.gif" and order is frames:
                continue  # Pillow, unlike browsers, clears to a colour where the first frame has no transparent one
            for picture, pixels in zip(order, found, strict=True):
                alpha = picture.pixels[..., 3] if picture.alpha else np.full((8, 8), 255)
                np.testing.assert_array_equal(pixels[..., 3], alpha, err_msg=name)


def test_frames_of_several_sizes_or_sixteen_bits_are_refused_but_by_tiff(tmp_path):
    sizes = [Picture(GREY, space="grey"), Picture(GREY[:5], space="grey")]
    deep = [Picture(DEEP, space="grey"), Picture(DEEP[::-1], space="grey")]
    for name in ("a.gif", "a.png", "a.webp"):
        with pytest.raises(PictureError, match=r"several sizes.*\.tif"):
            written(tmp_path / name, *sizes)
    with pytest.raises(PictureError, match=r"16 bits.*\.tif"):
        written(tmp_path / "a.png", *deep)
    for pictures in (sizes, deep):
        with read.open_pictures(str(written(tmp_path / "a.tif", *pictures))) as pages:
            for page, picture in zip(pages.read(), pictures, strict=True):
                np.testing.assert_array_equal(page.pixels, picture.pixels)


def test_double_precision_stays_double_with_the_library(tmp_path):
    numbers = RNG.random((5, 6))
    assert_pixels(written(tmp_path / "a.tif", Picture(numbers, space="grey")), numbers)


def test_a_description_of_a_layout_is_not_passed_on(tmp_path):
    for text in ('{"shape": [9, 13, 3]}', "ImageJ=1.11a\nimages=5", "<?xml version='1.0'?><OME/>"):
        tifffile.imwrite(tmp_path / "a.tif", COLOUR, photometric="rgb", description=text, metadata=None)
        picture = one(tmp_path / "a.tif")
        with Image.open(written(tmp_path / "b.tif", picture, kept=picture.kept)) as image:
            assert 270 not in image.getexif()
    tifffile.imwrite(tmp_path / "a.tif", COLOUR, photometric="rgb", description="A cup", metadata=None)
    picture = one(tmp_path / "a.tif")
    with Image.open(written(tmp_path / "b.tif", picture, kept=picture.kept)) as image:
        assert image.getexif()[270] == "A cup"


def test_no_resolution_is_made_up(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY)
    data = (tmp_path / "a.tif").read_bytes()
    for tag in (282, 283, 296):  # tifffile writes them; other tags in their place
        data = data.replace(struct.pack("<H", tag), struct.pack("<H", 65000 + tag), 1)
    picture = one(data)
    assert picture.kept.dpi is None
    assert "dpi" not in picture.about
    with read.open_pictures(data) as pictures:
        assert "dpi" not in pictures.facts()


def test_bits_of_all_samples_written_once(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", DEEP_PIXELS["rgb"], photometric="rgb")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = data.index(struct.pack("<HH", 258, 3))  # bits of a sample: one number for three
    struct.pack_into("<IHH", data, at + 4, 1, 16, 0)
    assert_pixels(bytes(data), DEEP_PIXELS["rgb"])


def test_webp_keeps_the_alpha_of_what_is_black(tmp_path, photo):
    """libwebp may write frames with what is hidden as black, and no sign of alpha."""
    frames = []
    for half in np.indices((20, 20)) < 10:
        pixels = np.dstack([photo[:20, :20], half.astype(np.uint8) * 255])
        pixels[~half] = 0
        frames.append(Picture(pixels, alpha=True, space="rgb", about={"duration": 50}))
    found = frames_of(written(tmp_path / "a.webp", *frames, kept=Kept()))
    assert len(found) == 2
    for picture, pixels in zip(frames, found, strict=True):
        np.testing.assert_array_equal(pixels, picture.pixels)
