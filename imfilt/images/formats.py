"""Which picture formats there are, what they hold, and how they are named. Nothing here imports NumPy or Pillow."""

import os
from dataclasses import dataclass


class PictureError(Exception):
    """A file that cannot be read or written, and why, in one line."""


@dataclass(frozen=True)
class Format:
    """A format of files; what it cannot hold is refused, not lost.

    Attributes
    ----------
    name : str
        As Pillow has it.
    suffixes : tuple of str
        The usual one first; none for a format that is only read.
    alpha, deep, floating, cmyk, frames : bool
        Transparency; 16 bits; floating point; four inks; several pictures.
    largest : int or None
        Pixels of width or height.
    """

    name: str
    suffixes: tuple[str, ...]
    alpha: bool = False
    deep: bool = False
    floating: bool = False
    cmyk: bool = False
    frames: bool = False
    largest: int | None = None


FORMATS = {
    one.name: one
    for one in (
        Format("PNG", (".png", ".apng"), alpha=True, deep=True, frames=True),
        Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), cmyk=True, largest=65500),
        Format("TIFF", (".tif", ".tiff"), alpha=True, deep=True, floating=True, cmyk=True, frames=True),
        Format("WEBP", (".webp",), alpha=True, frames=True, largest=16383),
        Format("AVIF", (".avif",), alpha=True, frames=True, largest=65536),
        Format("GIF", (".gif",), alpha=True, frames=True, largest=65535),
        Format("BMP", (".bmp",)),
        Format("PPM", (".ppm", ".pgm", ".pnm")),
        Format("NPY", (".npy",), alpha=True, deep=True, floating=True, cmyk=True),
    )
}
DEEPER = "pip install imagecodecs tifffile"  # the extra `deep`
SHOWN = "PNG, JPEG, TIFF, WebP, AVIF, GIF, BMP, PPM and .npy"


def by_suffix(path):
    """The format that a file name asks for.

    Raises
    ------
    PictureError
        If its suffix is that of no format.
    """
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    for one in FORMATS.values():
        if suffix in one.suffixes:
            return one
    name = f"end in {suffix}" if suffix else "have no suffix"
    known = ", ".join(one.suffixes[0] for one in FORMATS.values())
    raise PictureError(f"the output's name would {name}; choose one with -o that ends in {known}, or --format")


def by_name(text):
    """The format of a name such as png, JPG or tiff.

    Raises
    ------
    PictureError
        If there is none; it tells which there are.
    """
    word = text.lower().removeprefix(".")
    for one in FORMATS.values():
        if word == one.name.lower() or f".{word}" in one.suffixes:
            return one
    raise PictureError(f"there is no format {text!r}; choose one of {', '.join(one.lower() for one in FORMATS)}")


def check_holds(format, *, dtype, channels, inks, alpha, frames, size):
    """Refuse to write what a format would lose.

    Parameters
    ----------
    format : Format
    dtype : dtype
        Of the pixels.
    channels : int
        Without alpha: 1 is grey, 3 colour.
    inks : bool
        The channels are the four of CMYK; a format without inks gets colours.
    alpha : bool
    frames : int
    size : tuple of int
        Width and height.

    Raises
    ------
    PictureError
        Which tells the way out.
    """

    def refuse(what, holds, otherwise=""):
        suffixes = [one.suffixes[0] for one in FORMATS.values() if holds(one)]
        names = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}" if len(suffixes) > 1 else suffixes[0]
        raise PictureError(f"{format.name} cannot hold {what}; choose a name in {names} with -o{otherwise}")

    if alpha and not format.alpha:
        refuse("transparency", lambda one: one.alpha, ", or --alpha drop")
    if dtype.kind == "f" and not format.floating:
        refuse("floating point", lambda one: one.floating, ", or --depth 8")
    if dtype.kind != "f" and dtype.itemsize > 1 and not format.deep:
        refuse("16 bits", lambda one: one.deep, ", or --depth 8")
    if channels not in (1, 3) and not inks and format.name != "NPY":
        raise PictureError(f"{format.name} cannot hold {channels} channels; choose a name in .npy with -o")
    if frames > 1 and not format.frames:
        refuse(f"{frames} frames", lambda one: one.frames, ", or --frame 0")
    if format.largest and max(size) > format.largest:
        refuse(f"{size[0]} x {size[1]} pixels", lambda one: not one.largest)
