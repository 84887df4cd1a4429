"""Numbers <-> pixels: what a result with a sign looks like, light as sRGB stores it, directions as hues."""

import numpy as np

import imfilt
from imfilt.images.formats import PictureError

LINEAR_BITS = 16  # of the table back to bytes: a step of it is 0.05 of a level where sRGB is steepest


def full_scale(dtype):
    """White, in pixels of this dtype."""
    dtype = np.dtype(dtype)
    return 1.0 if dtype.kind in "fb" else float(np.iinfo(dtype).max)


def as_float(pixels):
    """Pixels as floats on which white is 1."""
    if pixels.dtype.kind == "f":
        return pixels
    return pixels * np.float32(1 / full_scale(pixels.dtype))


def extremes(numbers, white, alpha):
    """The least and the largest number of a result that is finite, white being 1; (nan, nan) if there is none."""
    colours = numbers[..., :-1] if alpha else numbers
    least, most = (float(find(colours)) for find in (np.min, np.max))
    if not (np.isfinite(least) and np.isfinite(most)):
        finite = colours[np.isfinite(colours)]
        least, most = (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)
    return least / white, most / white


def to_pixels(numbers, white, dtype, rule, *, alpha=False, ends=None, offset=0.0, contrast=1.0):
    """A result as the pixels of a picture.

    Parameters
    ----------
    numbers : ndarray of float
        (H, W) or (H, W, C). It may be overwritten.
    white : float
        The number that is white.
    dtype : dtype
        Of the picture: uint8 or uint16, or floating point, on which white is 1.
    rule : {"abs", "shift", "minmax", "raw"}
        abs: the absolute value. shift: half of it added to the middle of the range, so that no edge is grey.
        minmax: `ends` become black and white. raw: as they are, so that integers have no negative ones.
    alpha : bool
        The last channel is alpha, to which no rule applies.
    ends : (float, float), optional
        For minmax, white being 1.
    offset : float
        Added before, white being 1.
    contrast : float
        Then multiplied with.

    Returns
    -------
    pixels : ndarray
    clipped : int
        How many numbers (not of alpha) were below black or above white by more than rounding; 0 for floats.

    Raises
    ------
    PictureError
        If a number is not finite and integers are asked for.
    """
    dtype = np.dtype(dtype)
    colours, full, one = numbers[..., :-1] if alpha else numbers, full_scale(dtype), white
    if offset:
        colours += colours.dtype.type(offset * white)
    white /= contrast
    if rule == "abs":
        np.abs(colours, out=colours)
    elif rule == "shift":
        colours += colours.dtype.type(white)
        white *= 2
    elif rule == "minmax":
        least, most = ends
        colours -= colours.dtype.type(least * one)
        white = one * (most - least or 1.0)
    clipped = 0
    if dtype.kind != "f" and colours.size:
        least, most = (float(find(colours)) * (full / white) for find in (np.min, np.max))
        if not (np.isfinite(least) and np.isfinite(most)):
            raise PictureError(
                f"the result holds NaN or infinity, which {8 * dtype.itemsize}-bit pixels cannot; "
                "choose a name in .tif or .npy with -o, or --depth float"
            )
        if least < -0.5 or most > full + 0.5:
            levels = colours * (full / white)
            clipped = int(np.count_nonzero((levels < -0.5) | (levels > full + 0.5)))
    if not alpha:
        return _scaled(numbers, full / white, dtype), clipped
    made = _scaled(colours, full / white, dtype), _scaled(numbers[..., -1:], full / one, dtype)
    return np.concatenate(made, axis=-1), clipped


def _scaled(numbers, gain, dtype):
    """Times `gain`; for integers rounded half to even and saturated."""
    if dtype.kind == "f":
        return (numbers if gain == 1 else numbers * numbers.dtype.type(gain)).astype(dtype, copy=False)
    return imfilt.correlate(numbers, [[gain]], dtype=dtype)


# --- light ---


def _decoded(stored):
    """SRGB -> light (IEC 61966-2-1)."""
    return np.where(stored <= 0.04045, stored / 12.92, ((np.maximum(stored, 0.04045) + 0.055) / 1.055) ** 2.4)


def _encoded(light):
    """Light -> sRGB."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055)


def to_light(pixels, alpha):
    """Pixels as sRGB stores them -> floats in proportion to light, white being 1. Alpha stays in proportion."""
    if pixels.dtype in (np.uint8, np.uint16):
        levels = np.arange(full_scale(pixels.dtype) + 1) / full_scale(pixels.dtype)
        light = _decoded(levels).astype(np.float32)[pixels]
        if alpha:
            light[..., -1] = levels.astype(np.float32)[pixels[..., -1]]
        return light
    numbers = as_float(pixels)
    light = _decoded(numbers).astype(numbers.dtype, copy=False)
    if alpha:
        light[..., -1] = numbers[..., -1]
    return light


def from_light(light, dtype, alpha):
    """Floats in proportion to light -> pixels as sRGB stores them, and how many were clipped."""
    dtype = np.dtype(dtype)
    if dtype != np.uint8:
        stored = _encoded(light).astype(light.dtype, copy=False)
        if alpha:
            stored[..., -1] = light[..., -1]
        return to_pixels(stored, 1.0, dtype, "raw", alpha=alpha)
    steps, clipped = to_pixels(light.copy(), 1.0, np.uint16, "raw", alpha=alpha)
    table = np.rint(255 * _encoded(np.arange(1 << LINEAR_BITS) / ((1 << LINEAR_BITS) - 1))).astype(np.uint8)
    pixels = table[steps]
    if alpha:
        pixels[..., -1:] = _scaled(light[..., -1:], 255.0, dtype)
    return pixels, clipped


# --- directions ---


def hues(magnitude, orientation, dtype, contrast=1.0):
    """A gradient as colours: the hue is the direction in which the picture grows brighter, the value how steeply.

    Red to the right, then clockwise as on a screen: yellow-green downwards, cyan to the left, violet upwards.

    Parameters
    ----------
    magnitude : ndarray of float
        (H, W), white being 1.
    orientation : ndarray of float
        (H, W), in radians.
    dtype : dtype
        uint8, uint16 or floating point.
    contrast : float
        Of the magnitude; what is more than white is as bright as it can be.

    Returns
    -------
    ndarray
        (H, W, 3).
    """
    magnitude = np.minimum(magnitude * magnitude.dtype.type(contrast), 1)
    sixths = orientation * (3 / np.pi)  # of the circle: the corners of HSV's hexagon
    colours = np.empty((*magnitude.shape, 3), magnitude.dtype)
    for channel, corner in enumerate((5, 3, 1)):  # A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978
        place = (sixths + corner) % 6
        colours[..., channel] = magnitude * (1 - np.clip(np.minimum(place, 4 - place), 0, 1))
    return to_pixels(colours, 1.0, dtype, "raw")[0]
