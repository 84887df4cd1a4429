"""Pictures -> files. By Pillow, but for what it writes slowly (PNG) or not at all (several channels of 16 bits)."""

import struct
import warnings
from collections.abc import Iterable
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from itertools import chain

import numpy as np
from PIL import Image

from imfilt.images import metadata, png
from imfilt.images.formats import DEEPER, PictureError, check_holds

JPEG_QUALITY = 95
AVIF_QUALITY = 90
DEFLATE = "tiff_adobe_deflate"


def save(file, format, pictures, kept, *, quality=None, compression=None):
    """Write pictures: one, or the frames of an animation, or pages.

    Parameters
    ----------
    file : binary file
        That can be read, written and seeked in.
    format : Format
    pictures : iterable of Picture
        At least one. GIF holds 256 colours of each frame; Pillow chooses them.
    kept : Kept
        What the format can hold of it is written.
    quality : int, optional
        1 to 100: of JPEG (by default 95, with colour at full resolution), AVIF (90) and WebP (lossless).
    compression : int, optional
        0 to 9: of PNG (1), see png.py; of TIFF, where any but 0 is deflate (by default none).

    Raises
    ------
    PictureError
        If the format would lose something, or a library is missing.
    OSError
        From the disk.
    """
    frames = iter(pictures)
    first = next(frames)
    second = next(frames, None)
    several = second is not None
    _check(format, first, 2 if several else 1)
    if format.name != "NPY" and first.space == "cmyk" and not format.cmyk:
        first = without_inks(first)
    space = first.space or ("grey" if first.pixels.ndim == 2 else "rgb")
    kept = kept.for_space(space)
    if format.name == "NPY":
        np.save(file, first.pixels, allow_pickle=False)
        return
    size = first.pixels.shape[1::-1]
    if format.name == "PNG" and not several:
        chunks = metadata.png_chunks(kept, size, space == "grey")
        png.write(
            file, first.pixels, alpha=first.alpha, compression=1 if compression is None else compression, chunks=chunks
        )
        return
    rest: Iterable = chain([first], [] if not several else chain([second], frames))
    if format.name == "TIFF":
        pages = list(rest)
        if any(map(_is_deep, pages)):
            _save_deep_tiff(file, pages, kept, compression)
            return
        rest = pages
    options = {**metadata.options(kept, format.name, size), **_options(format.name, quality, compression)}
    image, *later = (_image(_checked(format, one), format.name) for one in rest)
    if several:
        if format.name != "TIFF":
            image, *later = _of_one_kind([image, *later], format.name)
        options |= {"save_all": True, "append_images": later, **_animation(format.name, kept, image)}
        if format.name in ("WEBP", "AVIF"):
            options["duration"] = [round(one.info.get("duration", 0)) for one in (image, *later)]
    with _errors(format.name):
        image.save(file, format.name, **options)


def _check(format, picture, frames):
    pixels = picture.pixels
    channels = (1 if pixels.ndim == 2 else pixels.shape[2]) - picture.alpha
    check_holds(
        format, dtype=pixels.dtype, channels=channels, inks=picture.space == "cmyk", alpha=picture.alpha, frames=frames,
        size=pixels.shape[1::-1],
    )  # fmt: skip
    if not pixels.size:
        raise PictureError("the result has no pixels")
    if format.name != "NPY" and pixels.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise PictureError(
            f"{format.name} cannot hold pixels of {pixels.dtype}; choose a name in .npy with -o, or --depth 8"
        )


def _checked(format, picture):
    _check(format, picture, 1)
    return without_inks(picture) if picture.space == "cmyk" and not format.cmyk else picture


@contextmanager
def _errors(name):
    """What Pillow raises for pictures that it cannot write, in one line; the disk's errors as they are."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except KeyError:
        raise PictureError(f"this build of Pillow cannot write {name}") from None
    except OSError as error:
        if error.errno is None:
            raise PictureError(f"cannot be written as {name}: {error}") from None
        raise
    except (ValueError, TypeError, RuntimeError, struct.error) as error:
        raise PictureError(f"cannot be written as {name}: {error}") from None


def _of_one_kind(images, name):
    """Frames of an animation, which have one size, and transparency if one of them has."""
    if len({image.size for image in images}) > 1:
        raise PictureError(f"{name} cannot hold frames of several sizes; choose a name in .tif with -o, or --frame 0")
    modes = {image.mode for image in images}
    if any(mode.startswith("I") for mode in modes):
        raise PictureError(f"{name} cannot hold frames of 16 bits here; choose a name in .tif with -o, or --depth 8")
    if len(modes) == 1:
        return images
    mode = "RGBA" if modes & {"LA", "RGBA"} else "RGB"
    made = []
    for image in images:
        one = image.convert(mode)
        one.info.update(image.info)
        made.append(one)
    return made


def without_inks(picture):
    """CMYK as RGB, as Pillow does it, for formats that have no inks."""
    picture.pixels, picture.space = np.asarray(_inks(picture.pixels).convert("RGB")), "rgb"
    return picture


def _inks(pixels):
    """As Pillow has them; four channels would be RGBA to it."""
    return Image.frombytes("CMYK", pixels.shape[1::-1], np.ascontiguousarray(pixels).tobytes())


def _image(picture, name):
    """As Pillow has it."""
    pixels = np.ascontiguousarray(picture.pixels)
    if pixels.dtype == np.float64:
        pixels = pixels.astype(np.float32)  # which is all that Pillow knows
    image = _inks(pixels) if picture.space == "cmyk" else Image.fromarray(pixels)
    if image.mode == "LA" and name in ("GIF", "AVIF"):  # which would lose the alpha
        image = image.convert("RGBA")
    image.info.update(picture.about)
    if "dpi" in picture.about and name == "TIFF":
        image.encoderinfo = {"dpi": picture.about["dpi"]}
    return image


def _options(name, quality, compression):
    if name == "JPEG":
        return {"quality": quality or JPEG_QUALITY, "subsampling": 0}
    if name == "WEBP":
        # exact: colours where it is transparent, too
        return {"quality": quality} if quality else {"lossless": True, "exact": True}
    if name == "AVIF":
        return {"quality": quality or AVIF_QUALITY}
    if name == "PNG":
        return {"compress_level": 1 if compression is None else compression}
    if name == "TIFF" and compression:
        return {"compression": DEFLATE}
    return {}


def _animation(name, kept, image):
    """How often it repeats, and what becomes of a frame; frames are whole, whatever they were in the source."""
    transparent = image.mode in ("LA", "RGBA")
    plays = min(kept.animation.get("plays", 1), 65535)
    if name == "GIF":
        # It tells how often it is repeated, if it is. Pixels that become transparent must be cleared.
        return {"disposal": 2 if transparent else 1, **({"loop": max(0, plays - 1)} if plays != 1 else {})}
    if name in ("PNG", "WEBP"):
        found = {"loop": plays}
        if name == "WEBP" and transparent:
            found |= {"kmin": 0, "kmax": 1}  # or libwebp may drop the alpha of what is black
        if name == "PNG":
            found |= {"default_image": bool(kept.animation.get("default_image")), "disposal": 0, "blend": 0}
        return found
    return {}


def _is_deep(picture):
    """Whether it is more than Pillow can hold in one image."""
    pixels = picture.pixels
    if pixels.dtype == np.float64 and find_spec("tifffile"):
        return True  # else single precision has to do
    return pixels.ndim == 3 and pixels.dtype != np.uint8


def _save_deep_tiff(file, pages, kept, compression):
    try:
        tifffile = import_module("tifffile")
    except ImportError:
        raise PictureError(
            f"cannot be written as TIFF: more than 8 bits in several channels need tifffile: {DEEPER}"
        ) from None
    words = _words(kept)
    with tifffile.TiffWriter(file) as writer:
        for page in pages:
            colours = page.pixels.shape[2] - page.alpha if page.pixels.ndim == 3 else 1
            dpi = page.about.get("dpi") or kept.dpi
            writer.write(
                np.ascontiguousarray(page.pixels),
                photometric={1: "minisblack", 3: "rgb"}.get(colours, "separated"),
                planarconfig="contig" if page.pixels.ndim == 3 else None,
                extrasamples=["unassalpha"] if page.alpha else None,
                compression="adobe_deflate" if compression else None,
                iccprofile=kept.icc,
                resolution=tuple(map(float, dpi)) if dpi else None,
                resolutionunit="INCH" if dpi else None,
                extratags=words,
                metadata=None,
                software=False,
            )


def _words(kept):
    """Tags of TIFF that are texts, as tifffile takes them."""
    if not kept.exif:
        return []
    exif = Image.Exif()
    exif.load(kept.exif)
    return [(int(tag), "s", 0, str(exif[tag]), True) for tag in metadata.TAGS if tag in exif]
