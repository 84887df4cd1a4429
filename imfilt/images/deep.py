"""What Pillow would read as less than it is: more than 8 bits in several channels, and what it does not read at all."""

import re
from importlib import import_module

import numpy as np

from imfilt.images.formats import DEEPER, PictureError

DEEP = f"has 16 bits or more in each of several channels; reading that needs {{}}: {DEEPER}"


def png(file, frames, key):
    """A PNG of 16 bits in several channels; `key` is the colour that is transparent, if there is one."""
    if frames > 1:
        raise PictureError("is an animation with 16 bits in each of several channels, which cannot be read")
    codecs = library("imagecodecs")
    file.seek(0)
    pixels = np.asarray(codecs.png_decode(file.read()))
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 3 and isinstance(key, tuple):
        alpha = np.where((pixels == key).all(axis=-1), 0, 65535).astype(np.uint16)
        return np.dstack([pixels, alpha]), True, "rgb"
    return pixels, channels in (2, 4), "grey" if channels < 3 else "rgb"


def ppm(file, tile, size, largest):
    """A PPM of more than 8 bits; its numbers, up to `largest`, become 16 bits."""
    width, height = size
    count = 3 * width * height
    file.seek(tile.offset)
    if tile.codec_name == "ppm_plain":
        words = re.sub(rb"#[^\r\n]*", b"", file.read()).split()[:count]
        numbers = np.array([int(word) for word in words], np.int64)
    else:
        data = file.read(2 * count)
        numbers = np.frombuffer(data, ">u2", len(data) // 2).astype(np.int64)
    if numbers.size < count:
        raise PictureError("is damaged: it ends too early")
    if numbers.min() < 0 or numbers.max() > largest:
        raise PictureError(f"is damaged: it has numbers outside 0 to {largest}")
    pixels = (numbers * 65535 + largest // 2) // largest
    return pixels.astype(np.uint16).reshape(height, width, 3), False, "rgb"


def tiff(file, error=None):
    """A TIFF as tifffile has it; `error` is why Pillow has it not."""
    try:
        tifffile = import_module("tifffile")
    except ImportError:
        if error is not None:
            raise PictureError(f"cannot be read by Pillow ({error}); for others to read it: {DEEPER}") from None
        raise PictureError(DEEP.format("tifffile")) from None
    file.seek(0)
    return tifffile.TiffFile(file)


def pixels_of(page, warn):
    """The pixels of a page of a TIFF, whether their last channel is alpha, and the space.

    Parameters
    ----------
    page : tifffile.TiffPage
    warn : callable
        Is told what is left out.
    """
    try:
        pixels = page.asarray()
    except (ValueError, ImportError) as error:
        if isinstance(error, ImportError) or "imagecodecs" in str(error):
            raise PictureError(f"is compressed as {page.compression.name}; to read it: {DEEPER}") from None
        raise
    space, alpha = tiff_space(page)
    if pixels.ndim == 3 and page.planarconfig == 2:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim not in (2, 3):
        raise PictureError(f"has a page of shape {pixels.shape}, which is no picture")
    pixels = pixels.astype(tiff_dtype(page), copy=False)
    if pixels.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise PictureError(f"has pixels of {pixels.dtype}; uint8, uint16 and floating point can be read")
    if page.photometric == 0:  # white is zero
        pixels = inverted(pixels)
    channels = {"grey": 1, "rgb": 3, "cmyk": 4}[space] + alpha
    if pixels.ndim == 3 and pixels.shape[2] > channels:  # masks and the like
        warn(f"{pixels.shape[2] - channels} of {pixels.shape[2]} channels have no meaning, and are left out")
        pixels = pixels[..., :channels] if channels > 1 else pixels[..., 0]
    if alpha and 1 in page.extrasamples:
        pixels = _unpremultiplied(pixels)
    return np.ascontiguousarray(pixels), alpha, space


def is_there(name):
    """Whether an optional library can be loaded."""
    try:
        return bool(import_module(name))
    except ImportError:
        return False


def library(name):
    """An optional library, or who reads such files is told which one it is."""
    try:
        return import_module(name)
    except ImportError:
        raise PictureError(DEEP.format(name)) from None


def tag(page, name, default=None):
    """The value of a tag of a page."""
    return page.tags[name].value if name in page.tags else default


def tiff_dtype(page):
    """What its pixels are read as."""
    return np.dtype(np.float32 if page.dtype == np.float16 else page.dtype)


def tiff_space(page):
    """What the channels of a page mean, and whether the last is alpha."""
    colours = {0: ("grey", 1), 1: ("grey", 1), 2: ("rgb", 3), 5: ("cmyk", 4)}.get(int(page.photometric))
    if colours is None:
        raise PictureError(f"has colours in {page.photometric.name}, which cannot be filtered; convert it to RGB")
    space, count = colours
    return space, page.samplesperpixel > count and bool({1, 2} & set(map(int, page.extrasamples)))


def inverted(pixels):
    """Of pixels whose zero is white."""
    return np.iinfo(pixels.dtype).max - pixels if pixels.dtype.kind == "u" else 1 - pixels


def _unpremultiplied(pixels):
    full = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
    alpha = pixels[..., -1:].astype(np.float64) / full
    colours = np.divide(pixels[..., :-1], alpha, out=np.zeros_like(pixels[..., :-1], np.float64), where=alpha > 0)
    if pixels.dtype.kind != "f":
        colours = np.rint(np.minimum(colours, full))
    return np.concatenate([colours.astype(pixels.dtype), pixels[..., -1:]], axis=-1)
