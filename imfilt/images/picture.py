"""What is between a file and the filters: pixels, and what is kept beside them."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np


@dataclass
class Picture:
    """One picture, or one frame of several.

    Attributes
    ----------
    pixels : ndarray
        (H, W) grey, or (H, W, C); uint8, uint16 or floating point, and from an array whatever it is.
    alpha : bool
        The last channel is alpha, not premultiplied.
    space : str
        "grey", "rgb", "cmyk"; or "", any channels of an array.
    about : dict
        Of this frame: its `duration` in milliseconds, its own `dpi`.
    """

    pixels: np.ndarray
    alpha: bool = False
    space: str = ""
    about: dict = field(default_factory=dict)


@dataclass
class Kept:
    """What a result keeps of its source beside pixels.

    Attributes
    ----------
    exif : bytes or None
        Without orientation, if pixels were turned upright, and without a thumbnail.
    icc : bytes or None
        A colour profile.
    dpi : tuple of float or None
    xmp : bytes or None
    comment : bytes or None
        Of JPEG and GIF.
    text : dict
        Of PNG.
    chunks : list of (bytes, bytes)
        Of PNG: what its numbers mean as colours.
    animation : dict
        How often it `plays`, 0 for ever; and `default_image`, if its first picture stands apart.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    xmp: bytes | None = None
    comment: bytes | None = None
    text: dict[str, Any] = field(default_factory=dict)
    chunks: list[tuple[bytes, bytes]] = field(default_factory=list)
    animation: dict[str, Any] = field(default_factory=dict)

    def without_metadata(self):
        """Only what an animation needs."""
        return Kept(animation=self.animation)

    def for_space(self, space):
        """With the profile only if it is one for such pixels."""
        fits = {"grey": b"GRAY", "rgb": b"RGB ", "cmyk": b"CMYK"}.get(space)
        icc = self.icc if self.icc and self.icc[16:20] == fits else None
        chunks = self.chunks if space == "rgb" else [one for one in self.chunks if one[0] == b"gAMA"]
        return replace(self, icc=icc, chunks=chunks)
