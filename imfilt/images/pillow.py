"""Files that Pillow knows, or at least their headers, as pictures."""

import logging
import struct
from importlib import import_module

import numpy as np
from PIL import ExifTags, Image

from imfilt.images import deep, metadata, modes
from imfilt.images.formats import PictureError
from imfilt.images.picture import Picture
from imfilt.images.source import Pictures, errors

Image.MAX_IMAGE_PIXELS = None  # every file has a limit of its own here, which is checked before it is decoded
for _name in ("PIL", "tifffile"):  # what stops them they raise; the rest is not for stderr
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

# Pillow's class for a format: importing one plugin is faster than all, and none is tried that could run another
# program.
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


class FromPillow(Pictures):
    """A file that Pillow knows, at least its header."""

    def __init__(self, name, file, max_pixels, upright):
        super().__init__(file, max_pixels, upright)
        self.name = name
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
        if self._is_deep() and self.name == "TIFF" and not self._needs():
            page = self._page(0)
            self.dtype = deep.tiff_dtype(page)
            self.space, self.alpha = deep.tiff_space(page)

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
            return self._image.tag_v2.get(ExifTags.Base.SamplesPerPixel, 1) > 1 and max(bits) > 8
        if self.name == "PPM":  # Pillow's decoder is told the largest number
            return self._image.mode == "RGB" and self._ppm_largest > 255
        return False

    def _needs(self):
        """The library that is missing to read the pixels, or None."""
        name = {"PNG": "imagecodecs", "TIFF": "tifffile"}.get(self.name) if self._is_deep() else None
        return name if name and not deep.is_there(name) else None

    def _is_negative(self):
        """Whether white is zero, of the frame that it is at; of bytes Pillow knows."""
        return self.name == "TIFF" and self._image.tag_v2.get(ExifTags.Base.PhotometricInterpretation) == 0

    @property
    def kept(self):
        if self._kept is None:
            with errors():
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
            found["needs"] = self._needs()
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
            pixels, alpha, space = self._deep_pixels(number)
        else:
            if grey and self.name == "JPEG":
                image.draft("L", None)  # its luminance needs no decoding of its colour
            image.load()
            pixels, alpha, space = modes.pixels_of(image, grey or (self.space == "grey" and image.mode == "P"))
            if pixels.dtype != np.uint8 and self._is_negative():
                pixels = deep.inverted(pixels)
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

    def _deep_pixels(self, number):
        if self.name == "PNG":
            return deep.png(self._file, self.frames, self._image.info.get("transparency"))
        if self.name == "PPM":
            return deep.ppm(self._file, self._ppm, self._image.size, self._ppm_largest)
        page = self._page(number)
        self._check_size(page.imagewidth, page.imagelength)
        return deep.pixels_of(page, self.warnings.append)

    def _open_tiff(self, error):
        """A TIFF that Pillow does not know at all."""
        self._tiff = deep.tiff(self._file, error)
        self.format, self.frames = "TIFF", len(self._tiff.pages)
        page = self._tiff.pages[0]
        self.size = page.imagewidth, page.imagelength
        self._check_size(*self.size)
        self._orientation = 1
        self.dtype = deep.tiff_dtype(page)
        self.space, self.alpha = deep.tiff_space(page)

    def _tiff_file(self, error=None):
        place = self._file.tell()
        try:
            if self._tiff is None:
                self._tiff = deep.tiff(self._file, error)
            return self._tiff
        finally:
            self._file.seek(place)

    def _page(self, number, error=None):
        return self._tiff_file(error).pages[number]

    def _deep_tiff(self, number, error=None):
        self._tiff_file(error)
        pixels, alpha, space = self._deep_pixels(number)
        turn = UPRIGHT.get(deep.tag(self._page(number), "Orientation", 1)) if self._turn else None
        return Picture(np.ascontiguousarray(turn(pixels)) if turn else pixels, alpha=alpha, space=space)
