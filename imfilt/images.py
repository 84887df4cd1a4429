"""Image files <-> arrays, by Pillow. The command line is the only caller.

A picture is read as pixels to filter and an alpha channel that is kept apart, and written
back as the same kind of picture.
"""

import os
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

# Level 1 with run lengths: within a tenth of the size of Pillow's default on edge images,
# in a fifth of the time; filtered photographs hardly repeat longer strings.
PNG_OPTIONS = {"compress_level": 1, "compress_type": 3}
OPTIONS = {
    "PNG": PNG_OPTIONS,
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "TIFF": {},
}
SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP"}
HOLDS_ALPHA = ("PNG", "WEBP", "TIFF")


class PictureError(Exception):
    """A file that cannot be read or written, and why, in one line."""


@dataclass
class Picture:
    """Pixels (H, W) or (H, W, 3), alpha (H, W) or None, and what is put back on writing."""

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    keep: dict = field(default_factory=dict)  # ICC profile, resolution


def _refuse_sixteen_bit_colour(path, image):
    """Pillow reads 16 bits for each of several channels as 8 bits, without a word."""
    deep = False
    if image.format == "PNG":
        with open(path, "rb") as file:
            header = file.read(26)
        deep = header[24:25] == b"\x10" and header[25:26] != b"\x00"
    elif image.format == "TIFF" and isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (8,))
        deep = len(bits) > 1 and max(bits) > 8
    if deep:
        raise PictureError("has 16 bits for each of several channels, which Pillow would cut to 8; convert it first")


def read(path, *, grey):
    """The picture in a file, turned upright as its EXIF orientation says.

    Parameters
    ----------
    path : str or Path
    grey : bool
        Colour as its luminance, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601, what JPEG stores).

    Returns
    -------
    Picture
        uint8, uint16 (16-bit grey) or float32 (TIFF).

    Raises
    ------
    PictureError
        If the file cannot be read, or holds what cannot be filtered without loss.
    """
    try:
        with warnings.catch_warnings():
            # Above twice this size Pillow refuses the file; a large photograph is no warning.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _decode(path, image, grey)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise PictureError((error.strerror or "cannot be read").lower()) from None
    except UnidentifiedImageError:
        raise PictureError("is not an image that Pillow can read") from None
    except Image.DecompressionBombError as error:
        raise PictureError(f"is too large: {error}") from None
    except (OSError, SyntaxError, ValueError, EOFError, OverflowError) as error:
        raise PictureError(f"cannot be read: {error}") from None


def _decode(path, image, grey):
    if getattr(image, "n_frames", 1) > 1:
        raise PictureError(f"has {image.n_frames} frames; imfilt filters single pictures")
    _refuse_sixteen_bit_colour(path, image)
    if grey:
        image.draft("L", None)  # a JPEG's luminance needs no decoding of its colour
    keep = {key: image.info[key] for key in ("dpi", "icc_profile") if image.info.get(key)}
    image = ImageOps.exif_transpose(image)
    mode = image.mode
    if mode.startswith("I;16"):
        return Picture(np.asarray(image).astype(np.uint16), None, keep)
    if mode == "F":
        return Picture(np.asarray(image), None, keep)
    if mode == "I":
        pixels = np.asarray(image)
        if pixels.size and (pixels.min() < 0 or pixels.max() > 65535):
            raise PictureError("has 32-bit integer pixels, which no output format here can hold")
        return Picture(pixels.astype(np.uint16), None, keep)
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
    if mode in ("L", "1", "LA", "La"):
        image = image.convert("L")
    else:
        image = image.convert("RGB")
        if grey:
            image = image.convert("L")
            keep.pop("icc_profile", None)  # it describes colour
    return Picture(np.asarray(image), alpha, keep)


def output_format(path):
    """The format that a file name asks for.

    Raises
    ------
    PictureError
        If its suffix is none of SUFFIXES.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise PictureError(f"cannot write {suffix or 'a file without suffix'}; use {', '.join(SUFFIXES)}")
    return SUFFIXES[suffix]


def check_holds(kind, picture):
    """Refuse to write what a format would lose."""
    if picture.alpha is not None and kind not in HOLDS_ALPHA:
        raise PictureError(f"{kind} cannot hold transparency; write PNG, TIFF or WebP (-o)")
    if picture.pixels.dtype == np.uint16 and kind not in ("PNG", "TIFF"):
        raise PictureError(f"{kind} cannot hold 16 bits; write PNG or TIFF (-o)")
    if picture.pixels.dtype == np.float32 and kind != "TIFF":
        raise PictureError(f"{kind} cannot hold floating point; write TIFF (-o)")


def write(path, picture):
    """Write a picture under its name, whole or not at all.

    Raises
    ------
    PictureError
        If it cannot be written. What stood at `path` is then as it was.
    """
    path = Path(path)
    kind = output_format(path)
    check_holds(kind, picture)
    image = Image.fromarray(picture.pixels)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with open(partial, "xb") as file:
                image.save(file, kind, **OPTIONS[kind], **picture.keep)
            os.replace(partial, path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise PictureError(f"cannot write {path}: {reason}") from None


def to_depth(numbers, dtype):
    """Signed results as pixels: their absolute value at full scale; float keeps the sign.

    Parameters
    ----------
    numbers : ndarray of float
        Between -1 and 1 for full scale.
    dtype : dtype
        Of the picture: uint8, uint16 or float32.

    Returns
    -------
    ndarray
    """
    if dtype == np.float32:
        return numbers.astype(np.float32, copy=False)
    full = np.iinfo(dtype).max
    return np.rint(np.minimum(np.abs(numbers) * full, full)).astype(dtype)
