"""Pillow's images as arrays, whatever their mode."""

import numpy as np

from imfilt.images.formats import PictureError


def pixels_of(image, grey):
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
