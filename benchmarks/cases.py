"""The images that rows are measured on: three sizes in full, and from the middle one a step aside at a time."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from PIL import Image

THUMBNAIL, SMALL, SCREEN, UHD = (64, 64), (540, 960), (1080, 1920), (2160, 3840)
DTYPES = ("uint8", "uint16", "float32", "float64")
FLOATS = ("float32", "float64")
# Pixels of the image or its result, whichever is larger, up to which it belongs to a class.
CLASSES = {"thumbnail": 128 * 128, "below a megapixel": 10**6, "screen": 3 * 10**6, "4K": float("inf")}


@dataclass(frozen=True)
class Case:
    rows: int
    columns: int
    channels: int = 1
    dtype: str = "float32"
    fresh: bool = False  # every contender that can reuse its result makes a new one each time


CORE = tuple(
    Case(*size, channels, dtype)
    for size in (THUMBNAIL, SCREEN, UHD)
    for dtype in ("uint8", "float32")
    for channels in (1, 3)
)
# Widths that no vector divides, the other types, a fourth channel, new results.
ASIDE = (
    *(Case(*size, 1, dtype) for size in ((480, 641), (1080, 1919)) for dtype in ("uint8", "float32")),
    Case(*SCREEN, 1, "uint16"),
    Case(*SCREEN, 1, "float64"),
    Case(*SCREEN, 4, "uint8"),
    Case(*SCREEN, 1, "uint8", fresh=True),
    Case(*SCREEN, 1, "float32", fresh=True),
)


def of(*dtypes, grey=False):
    """The cases of a filter that has these types; `grey` if it has no colour."""
    return tuple(case for case in CORE + ASIDE if case.dtype in (dtypes or DTYPES) and not (grey and case.channels > 1))


def resized(cases, sizes):
    """The same cases on other sizes: {rows: (rows, columns), or None to leave it out}."""
    found = []
    for case in cases:
        size = sizes.get(case.rows, (case.rows, case.columns))
        if size is not None:
            found.append(replace(case, rows=size[0], columns=size[1]))
    return tuple(dict.fromkeys(found))


def size_class(pixels):
    return next(name for name, most in CLASSES.items() if pixels <= most)


def image(case):
    """The photograph up to four channels, else noise."""
    if case.channels > 4:
        return normal(case.rows, case.columns, case.channels).astype(case.dtype, copy=False)
    return photograph((case.rows, case.columns), case.dtype, case.channels)


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype="f4")


@lru_cache(maxsize=32)
def photograph(shape, dtype, channels):
    """The repository's photograph at this size, with a little noise so that it is not smooth.

    Grey is its green; a fourth channel is the mean of the three.
    """
    picture = Image.open("photos/coffee.png").convert("RGB").resize(shape[::-1], Image.Resampling.BICUBIC)
    pixels = np.asarray(picture) + np.random.default_rng(0).normal(0, 4, (*shape, 3))
    if channels == 4:
        pixels = np.dstack([pixels, pixels.mean(axis=2)])
    pixels = np.clip(pixels if channels > 1 else pixels[..., 1], 0, 255)
    full = full_scale(dtype)
    pixels = np.rint(pixels * (full / 255)) if full > 1 else pixels / 255
    return np.ascontiguousarray(pixels, dtype)


def full_scale(dtype):
    """The number that is white."""
    return float(np.iinfo(dtype).max) if np.dtype(dtype).kind in "iu" else 1.0
