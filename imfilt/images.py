"""Image files <-> arrays, by Pillow. The command line is the only caller.

A picture is read as pixels to filter and an alpha channel that is kept apart, and written
back as the same kind of picture.
"""

import os
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

# Level 1 with run lengths: within a tenth of the size of Pillow's default on edge images,
# in a fifth of the time; filtered photographs hardly repeat longer strings.
PNG_OPTIONS = {"compress_level": 1, "compress_type": 3}
OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": PNG_OPTIONS,
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},  # exact: colours where it is transparent, too
    "TIFF": {},
}
READS = ("PNG", "JPEG", "MPO", "TIFF", "WEBP", "GIF", "BMP")
SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP"}
HOLDS_ALPHA = ("PNG", "WEBP", "TIFF")
LARGEST = {"JPEG": 65500, "WEBP": 16383}  # pixels of width or height

# Orientation in EXIF: where a camera's first row and column are.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PictureError(Exception):
    """A file that cannot be read or written, and why, in one line."""


@dataclass
class Picture:
    """Pixels (H, W) or (H, W, 3), alpha (H, W) or None, and what is put back on writing."""

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    keep: dict = field(default_factory=dict)  # ICC profile, resolution


def _refuse_what_would_be_lost(image):
    """Say which pictures Pillow reads without a word as something smaller."""
    if image.format not in READS:
        raise PictureError(f"is a picture in format {image.format}; imfilt reads PNG, JPEG, TIFF and WebP")
    # A phone's MPO is its photograph, followed by smaller or auxiliary pictures.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise PictureError(f"has {image.n_frames} frames; imfilt filters single pictures")
    deep = False
    if len(image.getbands()) > 1:
        if image.format == "PNG":
            deep = "16" in image.tile[0].args
        elif image.format == "TIFF":
            deep = max(image.tag_v2.get(ExifTags.Base.BitsPerSample, (8,))) > 8
    if deep:
        raise PictureError("has 16 bits in each of several channels; imfilt reads 8 bits of colour, or 16 of grey")
    if image.mode.startswith("I") and image.has_transparency_data:
        raise PictureError("has 16 bits and transparency, which no output format here can hold together")


def _upright(image):
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # EXIF that no one can parse says nothing about pixels that are whole
        return image
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _as_mode(image, mode):
    return image if image.mode == mode else image.convert(mode)  # which copies whatever the mode


def _kept(info, pixels):
    """What belongs to the result as well: the resolution, and a colour profile for such pixels."""
    keep = {}
    dpi, profile = info.get("dpi"), info.get("icc_profile")
    if dpi and all(0 < number < 65536 for number in dpi):
        keep["dpi"] = tuple(map(float, dpi))
    if profile and profile[16:20] == (b"GRAY" if pixels.ndim == 2 else b"RGB "):
        keep["icc_profile"] = profile
    return keep


@contextmanager
def _libraries_muted():
    """For what libtiff prints, past Python, and Pillow then raises: an error is one line."""
    try:
        stderr = os.dup(2)
    except OSError:  # there is none
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


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
        # A large photograph is no warning (above twice that size Pillow refuses it), nor is an odd header.
        with warnings.catch_warnings(action="ignore"), _libraries_muted(), Image.open(path) as image:
            _refuse_what_would_be_lost(image)
            return _decode(image, grey)
    except (PictureError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise PictureError("is not a PNG, JPEG, TIFF or WebP picture, or is damaged") from None
    except Image.DecompressionBombError as error:
        raise PictureError(f"is too large: {error}") from None
    except OSError as error:
        raise PictureError(error.strerror.lower() if error.strerror else f"cannot be read: {error}") from None
    except Exception as error:  # a decoder that meets a damaged file may raise anything
        raise PictureError(f"cannot be read: {error}") from None


def _decode(image, grey):
    if grey:
        image.draft("L", None)  # a JPEG's luminance needs no decoding of its colour
    image.load()
    info, mode, alpha = image.info, image.mode, None
    image = _upright(image)
    if mode.startswith("I"):
        pixels = np.asarray(image)
        if mode == "I" and (pixels.min() < 0 or pixels.max() > 65535):
            raise PictureError("has integers outside 0 to 65535, which no output format here can hold")
        pixels = pixels.astype(np.uint16)
    elif mode == "F":
        pixels = np.asarray(image)
    else:
        if image.has_transparency_data:
            image = image.convert("RGBA")
            alpha = np.asarray(image.getchannel("A"))
        image = _as_mode(image, "L" if mode in ("L", "1", "LA", "La") else "RGB")
        pixels = np.asarray(_as_mode(image, "L") if grey else image)
    return Picture(pixels, alpha, _kept(info, pixels))


def output_format(path):
    """The format that a file name asks for.

    Raises
    ------
    PictureError
        If its suffix is none of SUFFIXES.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        name = f"end in {suffix}" if suffix else "have no suffix"
        raise PictureError(f"the output's name would {name}; choose one with -o that ends in {', '.join(SUFFIXES)}")
    return SUFFIXES[suffix]


def check_holds(kind, picture):
    """Refuse to write what a format would lose."""
    if picture.alpha is not None and kind not in HOLDS_ALPHA:
        raise PictureError(f"{kind} cannot hold transparency; choose a name in .png, .tif or .webp with -o")
    if picture.pixels.dtype == np.uint16 and kind not in ("PNG", "TIFF"):
        raise PictureError(f"{kind} cannot hold 16 bits; choose a name in .png or .tif with -o")
    if picture.pixels.dtype == np.float32 and kind != "TIFF":
        raise PictureError(f"{kind} cannot hold floating point; choose a name in .tif with -o")
    height, width = picture.pixels.shape[:2]
    if max(height, width) > LARGEST.get(kind, max(height, width)):
        raise PictureError(f"{kind} cannot hold {width} x {height} pixels; choose a name in .png or .tif with -o")


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
    partial = path.with_name(f".imfilt.{os.getpid()}.part")
    try:
        try:
            with open(partial, "xb") as file:
                image.save(file, kind, **OPTIONS[kind], **picture.keep)
            os.replace(partial, path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else error
        raise PictureError(f"cannot write {path}: {reason}") from None


def full_scale(dtype):
    """White, in pixels of this dtype."""
    return 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)


def to_depth(numbers, dtype):
    """Signed results as pixels: their absolute value, rounded half to even; float keeps the sign.

    Parameters
    ----------
    numbers : ndarray of float
        On the scale of `dtype`. Fractions of it would not do: times 255, what was half a
        level is so no more, and is rounded to the wrong side.
    dtype : dtype
        Of the picture: uint8, uint16 or float32.

    Returns
    -------
    ndarray

    Raises
    ------
    PictureError
        If integers are asked for and a number is not finite.
    """
    if dtype == np.float32:
        return numbers.astype(np.float32, copy=False)
    if not np.isfinite(numbers).all():
        raise PictureError("has a derivative of this order that floating point cannot hold")
    return np.rint(np.minimum(np.abs(numbers), full_scale(dtype))).astype(dtype)
