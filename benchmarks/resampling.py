"""Rows: upscaling and downscaling, beside OpenCV, Pillow, PyTorch and scikit-image.

Peers are compared up to the border where they treat it in another way. OpenCV reuses its result; the others make a new
one each time, as they cannot do otherwise.
"""

import cv2
import numpy as np
from PIL import Image
from skimage.transform import rescale

import imfilt
from benchmarks import cases
from benchmarks.cases import SMALL, UHD, Case
from benchmarks.peers import torch
from benchmarks.rows import Contender, Row

if torch is not None:
    from torch.nn.functional import interpolate

OPENCV = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic-0.75": cv2.INTER_CUBIC,
          "lanczos4": cv2.INTER_LANCZOS4}  # fmt: skip
PILLOW = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR,
          "bicubic": Image.Resampling.BICUBIC, "lanczos3": Image.Resampling.LANCZOS}  # fmt: skip
TORCH = {"nearest": "nearest-exact", "bilinear": "bilinear", "bicubic-0.75": "bicubic"}
SKIMAGE = {"nearest": 0, "bilinear": 1}
# The methods of which at least one peer has the same.
METHODS = ("nearest", "bilinear", "bicubic", "bicubic-0.75", "lanczos3", "lanczos4")


def rows():
    # Sizes are those of the source: the larger of source and result is a thumbnail, a screen, 4K.
    up = (*cases.resized(cases.of(), {UHD[0]: None}), Case(*SMALL, 3, "uint8"), Case(*SMALL))
    few = (Case(*SMALL, 3, "uint8"), Case(*SMALL), Case(*SMALL, 3))
    for factor in (2, 3, 4):
        for method in METHODS:
            yield row("upscale", method, factor, up if factor == 2 else few)
    down = cases.resized(cases.of(), {480: (480, 642), 1080: (1080, 1920)})
    for method in ("area", "bilinear", "bicubic", "lanczos3"):
        yield row("downscale", method, 2, down)


def row(operation, method, factor, images):
    function, down = getattr(imfilt, operation), operation == "downscale"

    def size(image):
        rows, columns = image.shape[:2]
        return (rows // factor, columns // factor) if down else (rows * factor, columns * factor)

    found = {"OpenCV": opencv, "Pillow": pillow, "PyTorch": pytorch, "scikit-image": scikit_image}
    return Row(
        operation=operation, name=f"{operation} {'/' if down else 'x'}{factor} {method}", family="resampling",
        ours=lambda image, out: function(image, factor, method, out=out), cases=images, result="same",
        shape=lambda image: (*size(image), *image.shape[2:]),
        peers={name: make(method, factor, down, size) for name, make in found.items()},
        # OpenCV's and Pillow's weights for bytes are rounded, and Pillow and PyTorch saturate between two passes.
        tolerance=1e-3, levels=16,
    )  # fmt: skip


def opencv(method, factor, down, size):
    flag = {"area": cv2.INTER_AREA}.get(method) if down else OPENCV.get(method)

    def make(image, empty):
        if flag is None:
            return None
        rows, columns = size(image)
        out = empty((rows, columns, *image.shape[2:]), image.dtype)
        return Contender(lambda: cv2.resize(image, (columns, rows), dst=out, interpolation=flag), cut=4 * down)

    return make


def pillow(method, factor, down, size):
    """It lets the kernel end at the border, weights colours by alpha, and knows bytes, and floats without channels."""
    how = Image.Resampling.BOX if method == "area" else PILLOW.get(method)
    cut = 4 if down else 0 if method == "nearest" else 4 * factor

    def make(image, empty):
        known = image.dtype == np.uint8 or (image.dtype == np.float32 and image.ndim == 2)
        if how is None or not known or image.shape[2:] == (4,):
            return None
        rows, columns = size(image)
        picture = Image.fromarray(image)
        return Contender(lambda: picture.resize((columns, rows), how), cut=cut)

    return make


def pytorch(method, factor, down, size):
    mode = {"bicubic": "bicubic", "bilinear": "bilinear"}.get(method) if down else TORCH.get(method)

    def make(image, empty):
        # Its uint8 is for bilinear and bicubic, channels last.
        missing = image.dtype == np.uint16 or (image.dtype == np.uint8 and method == "nearest")
        if torch is None or mode is None or missing:
            return None
        last = image if image.ndim == 3 else image[..., None]
        tensor = torch.from_numpy(last).permute(2, 0, 1)[None]
        options = {} if mode == "nearest-exact" else {"align_corners": False, "antialias": down}
        return Contender(lambda: interpolate(tensor, size(image), mode=mode, **options), cut=4 * down)

    return make


def scikit_image(method, factor, down, size):
    order = None if down else SKIMAGE.get(method)

    def make(image, empty):
        if order is None:
            return None
        axis = -1 if image.ndim == 3 else None
        options = {"mode": "edge", "channel_axis": axis, "preserve_range": True}
        return Contender(lambda: rescale(image, factor, order, **options))

    return make
