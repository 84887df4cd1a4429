"""Files -> pictures, frame by frame.

By Pillow, which never sees a format that is not in the table here; what Pillow would read as less than it is, by
optional libraries, or it is refused.
"""

import io
import logging
import math
import re
import struct
import warnings
from contextlib import contextmanager
from importlib import import_module

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from imfilt.images import metadata
from imfilt.images.formats import SHOWN, PictureError
from imfilt.images.picture import Picture

Image.MAX_IMAGE_PIXELS = None  # every file has a limit of its own here, which is checked before it is decoded
for _name in ("PIL", "tifffile"):  # what stops them they raise; the rest is not for stderr
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

# First bytes -> the format, and Pillow's class for it: importing one plugin is faster than all, and none is tried that
# could run another program.
OPENERS = {
    "PNG": ("PngImagePlugin", "PngImageFile"),
    "JPEG": ("JpegImagePlugin", "jpeg_factory"),  # which tells MPO
    "TIFF": ("TiffImagePlugin", "TiffImageFile"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile"),
    "AVIF": ("AvifImagePlugin", "AvifImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "PPM": ("PpmImagePlugin", "PpmImageFile"),
}
STARTS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"II+\0", "TIFF"), (b"MM\0+", "TIFF"),
    (b"GIF87a", "GIF"), (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    *((b"P%d" % n + space, "PPM") for n in range(1, 7) for space in (b" ", b"\n", b"\r", b"\t")),
    (b"\x93NUMPY", "NPY"),
)  # fmt: skip
# Orientation in EXIF, where a camera's first row and column are: what turns the pixels upright.
UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
DEEP = 'has 16 bits or more in each of several channels; reading that needs {}: pip install "imfilt[deep]"'


def open_pictures(source, *, max_pixels=None, upright=True):
    """The pictures in a file.

    Parameters
    ----------
    source : str or bytes
        A path, or what is in a file.
    max_pixels : int, optional
        Refuse frames of more, before they are decoded.
    upright : bool
        Turn pixels as EXIF says.

    Returns
    -------
    Pictures
        To be used with ``with``.

    Raises
    ------
    PictureError
        If it is none, or is damaged, or holds what would be lost.
    """
    file = None
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: SIM115
        with _errors():
            return _kind(file.read(32), file)(file, max_pixels, upright)
    except BaseException as error:
        if file is not None:
            file.close()
        if isinstance(error, OSError):
            raise PictureError((error.strerror or f"cannot be read: {error}").lower()) from None
        raise


def _kind(start, file):
    file.seek(0)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return _FromPillow.of("WEBP")
    if start[4:12] in (b"ftypavif", b"ftypavis"):
        return _FromPillow.of("AVIF")
    for first, name in STARTS:
        if start.startswith(first):
            return _FromArray if name == "NPY" else _FromPillow.of(name)
    if not start:
        raise PictureError("is empty")
    raise PictureError(f"is not a picture in {SHOWN}, or is damaged")


@contextmanager
def _errors():
    """Whatever a decoder raises for a damaged file, in one line. What it warns of is no news: it reads on."""

    def told(error):
        return " ".join(str(error).split())

    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except (PictureError, MemoryError):
        raise
    except (UnidentifiedImageError, SyntaxError) as error:
        raise PictureError(f"is damaged: {told(error) or 'its header makes no sense'}") from None
    except OSError as error:
        raise PictureError(error.strerror.lower() if error.strerror else f"cannot be read: {told(error)}") from None
    except (LookupError, EOFError, AttributeError, struct.error):  # what it looked for was not there
        raise PictureError("is damaged or cut short") from None
    except Exception as error:  # a decoder that meets a damaged file may raise anything
        raise PictureError(f"cannot be read: {told(error) or type(error).__name__}") from None


class Pictures:
    """What is in a file; pixels are decoded when they are asked for.

    Attributes
    ----------
    format : str
    frames : int
    size : tuple of int
        Width and height, upright, of the first.
    dtype : dtype
    space : str
        "grey", "rgb", "cmyk", or "" for an array.
    alpha : bool
    kept : Kept
        Complete after the first frame has been read: some formats have it at their end.
    warnings : list of str
    """

    format = ""
    frames = 1

    def __init__(self, file, max_pixels, upright):
        self._file, self._max_pixels, self._turn = file, max_pixels, upright
        self.warnings = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def _check_size(self, width, height):
        if self._max_pixels is not None and width * height > self._max_pixels:
            raise PictureError(
                f"has {width} x {height} = {width * height} pixels, more than --max-pixels {self._max_pixels} allows"
            )
        if width < 1 or height < 1:
            raise PictureError("has no pixels")

    def _frame(self, number, grey):
        raise NotImplementedError

    def read(self, *, grey=False, only=None):
        """Frame by frame.

        Parameters
        ----------
        grey : bool
            Colour as its luminance, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601, what JPEG stores), where Pillow can;
            more than eight bits stay colour.
        only : int, optional
            This frame and no other.

        Yields
        ------
        Picture

        Raises
        ------
        PictureError
        """
        if only is not None and only >= self.frames:
            raise PictureError(
                f"has {self.frames} frame{'s'[: self.frames > 1]}, counted from 0; there is no frame {only}"
            )
        for number in range(self.frames) if only is None else (only,):
            with _errors():
                picture = self._frame(number, grey)
            yield picture


class _FromArray(Pictures):
    """A file of NumPy."""

    format, space, alpha = "NPY", "", False

    def __init__(self, file, max_pixels, upright):
        super().__init__(file, max_pixels, upright)
        self.kept = metadata.Kept()
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        self.dtype = dtype if dtype.fields else dtype.newbyteorder("=")
        if self.dtype.kind not in "buif" or self.dtype.itemsize > 8:
            raise PictureError(f"is an array of {self.dtype}; pixels are booleans, integers or real numbers")
        if len(shape) not in (2, 3):
            raise PictureError(
                f"is an array of shape {shape}; a picture is (rows, columns) or (rows, columns, channels)"
            )
        self.size = shape[1], shape[0]
        self.channels = shape[2] if len(shape) == 3 else 1
        self._check_size(*self.size)
        if self.channels < 1:
            raise PictureError("has no channels")
        begin, end = file.tell(), file.seek(0, io.SEEK_END)
        if end - begin < math.prod(shape) * dtype.itemsize:  # or memory for all of it would be taken first
            raise PictureError("is damaged: it ends too early")

    def _frame(self, _number, _grey):
        self._file.seek(0)
        pixels = np.load(self._file, allow_pickle=False)
        return Picture(pixels.astype(pixels.dtype.newbyteorder("="), copy=False))

    def facts(self):
        """What the header tells, for people and JSON."""
        width, height = self.size
        return {"format": "NPY", "width": width, "height": height, "channels": self.channels, "dtype": str(self.dtype)}


class _FromPillow(Pictures):
    """A file that Pillow knows, at least its header."""

    name = ""

    @staticmethod
    def of(name):
        return type(name, (_FromPillow,), {"name": name})

    def __init__(self, file, max_pixels, upright):
        super().__init__(file, max_pixels, upright)
        self._png = self._read_png_header() if self.name == "PNG" else None
        if self.name == "WEBP":
            self._check_webp()
        file.seek(0)
        module, opener = OPENERS[self.name]
        self._tiff = self._kept = None
        try:
            plugin = import_module(f"PIL.{module}")
            if not getattr(plugin, "SUPPORTED", True):
                raise ImportError
            self._image = getattr(plugin, opener)(file, "")
        except ImportError:
            raise PictureError(f"is a picture in {self.name}, which this build of Pillow cannot read") from None
        except (SyntaxError, OSError, KeyError) as error:
            if self.name != "TIFF":
                raise
            self._image = None
            self._open_tiff(error)
        if self._image is None:
            return
        self.format = self._image.format
        # A phone's MPO is its photograph, followed by smaller or auxiliary pictures.
        self.frames = 1 if self.format == "MPO" else self._count()
        self._check_size(*self._image.size)
        self._orientation = self._find_orientation()
        if self.name == "AVIF":
            self._tell_bits()
        if self.name == "PPM":
            self._ppm = self._image.tile[0]
            self._ppm_largest = self._ppm.args[-1] if isinstance(self._ppm.args, tuple) else 255
        width, height = self._image.size
        # Pillow gives the size of a TIFF that a tag turns as it is upright.
        turned = self.name == "TIFF" and ExifTags.Base.Orientation in self._image.tag_v2
        swapped = self._orientation > 4 and self._turn != turned
        self.size = (height, width) if swapped else (width, height)
        self._describe()

    def _count(self):
        """How many frames there are."""
        try:
            count = getattr(self._image, "n_frames", 1)
        except (SyntaxError, OSError, KeyError) as error:
            if self.name != "TIFF":
                raise
            count = len(self._tiff_file(error).pages)  # one of them is nothing for Pillow
            self._image.seek(0)
        if self.name == "GIF":
            self._file.seek(0)
            if not self._file.read().rstrip(b"\0").endswith(b";"):  # some writers pad
                self.warnings.append("its end is missing, and with it perhaps frames")
        return count

    def _tell_bits(self):
        """Pillow reads eight bits of an AVIF, however many there are: https://aomediacodec.github.io/av1-isobmff/#av1c."""
        self._file.seek(0)
        start = self._file.read(1 << 16)
        at = start.find(b"av1C")
        if 0 < at < len(start) - 6 and start[at + 6] & 0x40:
            self.warnings.append("it has more than 8 bits in each channel, of which 8 are read")

    def _read_png_header(self):
        """Bits of a channel, and which channels."""
        start = self._file.read(26)
        if len(start) < 26 or start[12:16] != b"IHDR":
            raise PictureError("is damaged: its header makes no sense")
        return struct.unpack(">BB", start[24:])

    def _check_webp(self):
        """Pillow's decoder takes memory for a whole picture before it tells the size."""
        start = self._file.read(30)
        kind, width, height = start[12:16], 0, 0
        if kind == b"VP8X":
            width, height = (int.from_bytes(start[at : at + 3], "little") + 1 for at in (24, 27))
        elif kind == b"VP8L":
            bits = int.from_bytes(start[21:25], "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        elif kind == b"VP8 ":
            width, height = (int.from_bytes(start[at : at + 2], "little") & 0x3FFF for at in (26, 28))
        if len(start) < 25 or not (width and height):
            raise PictureError("is damaged: its header makes no sense")
        self._check_size(width, height)

    def _find_orientation(self):
        """Of the first frame, as far as the header tells. EXIF that no one can parse says nothing about pixels."""
        try:
            if self.name == "PNG" and not {"exif", "Raw profile type exif"} & self._image.info.keys():
                return 1  # or Pillow would decode the picture to look behind it
            value = self._image.getexif().get(ExifTags.Base.Orientation, 1)
            return value if value in UPRIGHT else 1
        except Exception:
            if metadata.DAMAGED not in self.warnings:
                self.warnings.append(metadata.DAMAGED)
            return 1

    def _describe(self):
        mode = self._image.mode
        self.dtype = np.dtype(
            np.uint16 if mode.startswith("I") or self._is_deep() else np.float32 if mode == "F" else np.uint8
        )  # fmt: skip
        self.space = {"C": "cmyk", "1": "grey", "L": "grey", "I": "grey", "F": "grey"}.get(mode[0], "rgb")
        self.alpha = bool(self._image.has_transparency_data)
        if mode == "P" and self._grey_palette():
            self.space = "grey"
        if self._png == (16, 4):
            self.space = "grey"
        if self._is_deep() and self.name == "TIFF":
            page = self._page(0)
            self.dtype = _tiff_dtype(page)
            self.space, self.alpha = _tiff_space(page)

    def _grey_palette(self):
        """Whether a single picture's colours are greys."""
        if self.frames > 1 or self.alpha:
            return False
        palette = np.array(self._image.getpalette("RGB") or [0, 1, 2], np.uint8).reshape(-1, 3)
        return bool((palette[:, :1] == palette).all())

    def _is_deep(self):
        """Whether Pillow would read less than there is, of the frame that it is at."""
        if self._png:
            depth, colours = self._png
            return depth == 16 and colours in (2, 4, 6)
        if self.name == "TIFF":
            bits = self._image.tag_v2.get(ExifTags.Base.BitsPerSample, (1,))
            return len(bits) > 1 and max(bits) > 8
        if self.name == "PPM":  # Pillow's decoder is told the largest number
            return self._image.mode == "RGB" and self._ppm_largest > 255
        return False

    def _is_negative(self):
        """Whether white is zero, of the frame that it is at; of bytes Pillow knows."""
        return self.name == "TIFF" and self._image.tag_v2.get(ExifTags.Base.PhotometricInterpretation) == 0

    @property
    def kept(self):
        if self._kept is None:
            with _errors():
                if self._image is None:
                    self._kept = metadata.of_tiff(self._tiff)
                else:
                    self._kept = metadata.of(self._image, self._orientation_kept(), self.frames, self.warnings)
        return self._kept

    def _orientation_kept(self):
        if self._turn:
            return 1
        if self.name == "PNG":  # where EXIF may lie behind the pixels
            self._image.load()
            self._orientation = self._find_orientation()
        return self._orientation

    def facts(self):
        """What the header tells, for people and JSON."""
        width, height = self.size
        found = {
            "format": self.format, "width": width, "height": height,
            "space": self.space, "bits": 8 * self.dtype.itemsize, "dtype": str(self.dtype), "alpha": self.alpha,
            "frames": self.frames,
        }  # fmt: skip
        if self._image is not None:
            found["orientation"] = self._orientation
            found.update(metadata.facts(self._image))
        return found

    def _frame(self, number, grey):
        if self._image is None:
            return self._deep_tiff(number)
        image = self._image
        if self.frames > 1:
            self.kept  # noqa: B018  # what the first page says is that of the file
            # Pictures of a GIF may grow, and those on the way are decoded.
            for step in range(min(image.tell() + 1, number) if self.name == "GIF" else number, number + 1):
                try:
                    image.seek(step)
                except (SyntaxError, OSError, KeyError) as error:
                    if self.name != "TIFF":
                        raise
                    return self._deep_tiff(number, error)
                self._check_size(*image.size)
            if self.name == "TIFF":  # each page lies as it says
                self._orientation = self._find_orientation()
        if self._is_deep():
            if self.name == "TIFF":
                pixels, alpha, space = self._deep_page(number)
            else:
                pixels, alpha, space = self._deep_png() if self.name == "PNG" else self._deep_ppm()
        else:
            if grey and self.name == "JPEG":
                image.draft("L", None)  # its luminance needs no decoding of its colour
            image.load()
            pixels, alpha, space = _pixels(image, grey or (self.space == "grey" and image.mode == "P"))
            if pixels.dtype != np.uint8 and self._is_negative():
                pixels = _inverted(pixels)
        about = {"duration": image.info["duration"]} if "duration" in image.info else {}
        dpi = metadata.resolution(image)
        if dpi:
            about["dpi"] = dpi
        orientation = self._orientation
        if self.name == "PNG":  # where EXIF may lie behind the pixels
            orientation = self._find_orientation()
        if self.name == "TIFF" and not self._is_deep():
            orientation = 1 if self._turn else {6: 8, 8: 6}.get(orientation, orientation)  # back
        elif not self._turn:
            orientation = 1
        if orientation in UPRIGHT:
            pixels = np.ascontiguousarray(UPRIGHT[orientation](pixels))
        return Picture(pixels, alpha=alpha, space=space, about=about)

    # --- what Pillow cannot ---

    def _deep_png(self):
        if self.frames > 1:
            raise PictureError("is an animation with 16 bits in each of several channels, which cannot be read")
        codecs = _library("imagecodecs")
        self._file.seek(0)
        pixels = np.asarray(codecs.png_decode(self._file.read()))
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        key = self._image.info.get("transparency")
        if channels == 3 and isinstance(key, tuple):
            alpha = np.where((pixels == key).all(axis=-1), 0, 65535).astype(np.uint16)
            return np.dstack([pixels, alpha]), True, "rgb"
        return pixels, channels in (2, 4), "grey" if channels < 3 else "rgb"

    def _deep_ppm(self):
        width, height = self._image.size
        count, largest = 3 * width * height, self._ppm_largest
        self._file.seek(self._ppm.offset)
        if self._ppm.codec_name == "ppm_plain":
            words = re.sub(rb"#[^\r\n]*", b"", self._file.read()).split()[:count]
            numbers = np.array([int(word) for word in words], np.int64)
        else:
            data = self._file.read(2 * count)
            numbers = np.frombuffer(data, ">u2", len(data) // 2).astype(np.int64)
        if numbers.size < count:
            raise PictureError("is damaged: it ends too early")
        if numbers.min() < 0 or numbers.max() > largest:
            raise PictureError(f"is damaged: it has numbers outside 0 to {largest}")
        pixels = (numbers * 65535 + largest // 2) // largest
        return pixels.astype(np.uint16).reshape(height, width, 3), False, "rgb"

    def _open_tiff(self, error):
        """A TIFF that Pillow does not know at all."""
        self._tiff = self._tifffile(error)
        self.format, self.frames = "TIFF", len(self._tiff.pages)
        page = self._tiff.pages[0]
        self.size = page.imagewidth, page.imagelength
        self._check_size(*self.size)
        self._orientation = 1
        self.dtype = _tiff_dtype(page)
        self.space, self.alpha = _tiff_space(page)

    def _tifffile(self, error=None):
        try:
            library = import_module("tifffile")
        except ImportError:
            if error is not None:
                raise PictureError(
                    f'cannot be read by Pillow ({error}); pip install "imfilt[deep]" reads more'
                ) from None
            raise PictureError(DEEP.format("tifffile")) from None
        self._file.seek(0)
        return library.TiffFile(self._file)

    def _tiff_file(self, error=None):
        place = self._file.tell()
        try:
            if self._tiff is None:
                self._tiff = self._tifffile(error)
            return self._tiff
        finally:
            self._file.seek(place)

    def _page(self, number, error=None):
        return self._tiff_file(error).pages[number]

    def _deep_tiff(self, number, error=None):
        self._tiff_file(error)
        pixels, alpha, space = self._deep_page(number)
        turn = UPRIGHT.get(_tag(self._page(number), "Orientation", 1)) if self._turn else None
        return Picture(np.ascontiguousarray(turn(pixels)) if turn else pixels, alpha=alpha, space=space)

    def _deep_page(self, number):
        page = self._page(number)
        self._check_size(page.imagewidth, page.imagelength)
        try:
            pixels = page.asarray()
        except (ValueError, ImportError) as error:
            if isinstance(error, ImportError) or "imagecodecs" in str(error):
                raise PictureError(
                    f'is compressed as {page.compression.name}; pip install "imfilt[deep]" reads it'
                ) from None
            raise
        space, alpha = _tiff_space(page)
        if pixels.ndim == 3 and page.planarconfig == 2:
            pixels = np.moveaxis(pixels, 0, -1)
        if pixels.ndim not in (2, 3):
            raise PictureError(f"has a page of shape {pixels.shape}, which is no picture")
        pixels = pixels.astype(_tiff_dtype(page), copy=False)
        if pixels.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
            raise PictureError(f"has pixels of {pixels.dtype}; uint8, uint16 and floating point can be read")
        if page.photometric == 0:  # white is zero
            pixels = _inverted(pixels)
        channels = {"grey": 1, "rgb": 3, "cmyk": 4}[space] + alpha
        if pixels.ndim == 3 and pixels.shape[2] > channels:  # masks and the like
            self.warnings.append(
                f"{pixels.shape[2] - channels} of {pixels.shape[2]} channels have no meaning, and are left out"
            )
            pixels = pixels[..., :channels]
        if alpha and 1 in page.extrasamples:
            pixels = _unpremultiplied(pixels)
        return np.ascontiguousarray(pixels), alpha, space


def _library(name):
    try:
        return import_module(name)
    except ImportError:
        raise PictureError(DEEP.format(name)) from None


def _tag(page, name, default=None):
    return page.tags[name].value if name in page.tags else default


def _tiff_dtype(page):
    """What its pixels are read as."""
    return np.dtype(np.float32 if page.dtype == np.float16 else page.dtype)


def _tiff_space(page):
    """What the channels of a page mean, and whether the last is alpha."""
    colours = {0: ("grey", 1), 1: ("grey", 1), 2: ("rgb", 3), 5: ("cmyk", 4)}.get(int(page.photometric))
    if colours is None:
        raise PictureError(f"has colours in {page.photometric.name}, which cannot be filtered; convert it to RGB")
    space, count = colours
    return space, page.samplesperpixel > count and bool({1, 2} & set(map(int, page.extrasamples)))


def _inverted(pixels):
    return np.iinfo(pixels.dtype).max - pixels if pixels.dtype.kind == "u" else 1 - pixels


def _unpremultiplied(pixels):
    full = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
    alpha = pixels[..., -1:].astype(np.float64) / full
    colours = np.divide(pixels[..., :-1], alpha, out=np.zeros_like(pixels[..., :-1], np.float64), where=alpha > 0)
    if pixels.dtype.kind != "f":
        colours = np.rint(np.minimum(colours, full))
    return np.concatenate([colours.astype(pixels.dtype), pixels[..., -1:]], axis=-1)


def _pixels(image, grey):
    """Pillow's pixels as an array, whether its last channel is alpha, and the space."""
    mode = image.mode
    if mode.startswith("I"):
        return _integers(image)
    if mode == "F":
        return np.asarray(image), False, "grey"
    alpha = image.has_transparency_data
    if mode == "CMYK":
        if not grey:
            return np.asarray(image), False, "cmyk"
        image = image.convert("RGB")
    elif mode in ("LAB", "HSV"):
        raise PictureError(f"has colours in {mode}, which cannot be filtered; convert it to RGB")
    one = mode in ("1", "L", "LA", "La")
    if mode == "La":
        image = image.convert("LA")
    target = ("LA" if alpha else "L") if one or grey else ("RGBA" if alpha else "RGB")
    if target == "LA" and image.mode not in ("LA", "RGBA"):
        image = image.convert("RGBA")  # there is no way from every mode
    if image.mode != target:
        image = image.convert(target)  # which copies whatever the mode
    return np.asarray(image), alpha, "grey" if target[0] == "L" else "rgb"


def _integers(image):
    pixels = np.asarray(image)
    if image.mode != "I":
        pixels = pixels.astype(np.uint16)
    elif pixels.size and (pixels.min() < 0 or pixels.max() > 65535):
        raise PictureError("has integers outside 0 to 65535; of integers 8 and 16 bits can be read")
    else:
        pixels = pixels.astype(np.uint16)
    key = image.info.get("transparency")
    if isinstance(key, int):
        return np.dstack([pixels, np.where(pixels == key, 0, 65535).astype(np.uint16)]), True, "grey"
    return pixels, False, "grey"
