"""Rows: every border, on a handful of operations."""

import math

import cv2
import numpy as np
import scipy.ndimage as ndi

import imfilt
from benchmarks import peers
from benchmarks.cases import SCREEN, Case, normal
from benchmarks.rows import Contender, Row
from imfilt import kernels


def rows():
    for mode in peers.MODES:
        yield sobel(mode)
        yield gaussian(mode)
        yield box(mode)
        yield correlate(mode)
        if peers.torch is not None:
            yield conv2d(mode)


def row(operation, what, mode, ours, others, pictures=("uint8", "float32"), channels=1, **more):
    return Row(
        operation=operation, name=f"{operation} {what} {mode}".replace("  ", " "), family="borders",
        ours=ours, peers=others, cases=tuple(Case(*SCREEN, channels, dtype) for dtype in pictures), **more,
    )  # fmt: skip


def stepped(make, mode, pad):
    """make(border) is a step of OpenCV."""
    return peers.cv_wrapped(make(peers.REFLECT), pad) if mode == "wrap" else make(peers.MODES[mode])


def sobel(mode):
    def derive(axis):
        return stepped(lambda border: peers.cv_sobel(axis, border), mode, 1)

    def scipy_(plane, out):
        down, along = (ndi.sobel(plane, axis, out.dtype, mode) for axis in (0, 1))
        np.hypot(down, along, out=out)
        out *= 1 / 4 / math.sqrt(2)

    return row(
        "sobel", "", mode, lambda image, out: imfilt.sobel(image, mode=mode, out=out),
        {"OpenCV": peers.cv_magnitude(derive, 1 / 4 / math.sqrt(2)), "SciPy": peers.ndi_planes(scipy_)},
    )  # fmt: skip


def gaussian(mode):
    taps = kernels.gaussian(2.0)
    step = stepped(lambda border: peers.cv_taps(taps, taps, border), mode, len(taps) // 2)

    def scipy_(plane, out):
        ndi.gaussian_filter(plane, 2, output=out, mode=mode)

    return row(
        "gaussian", "2", mode, lambda image, out: imfilt.gaussian(image, 2, mode=mode, out=out),
        {"OpenCV sepFilter2D": peers.cv_one(step), "SciPy": peers.ndi_planes(scipy_)}, macs=2 * len(taps),
    )  # fmt: skip


def box(mode):
    step = stepped(lambda border: peers.cv_box(5, 5, border), mode, 2)
    return row(
        "box", "5", mode, lambda image, out: imfilt.box(image, 5, mode=mode, out=out),
        {"OpenCV": peers.cv_one(step, same=True), "SciPy": peers.ndi_box(5, 5, mode)}, result="same", levels=3,
    )  # fmt: skip


def correlate(mode):
    kernel = normal(5, 5).astype(np.float64)
    step = stepped(lambda border: peers.cv_kernel(kernel, border), mode, 2)

    def scipy_(plane, out):
        ndi.correlate(plane, kernel, out, mode)

    return row(
        "correlate", "5x5", mode, lambda image, out: imfilt.correlate(image, kernel, mode=mode, out=out),
        {"OpenCV filter2D": peers.cv_one(step, rescaled=False), "SciPy": peers.ndi_planes(scipy_, rescaled=False)},
        kernel=kernel,
    )  # fmt: skip


def conv2d(mode):
    """PyTorch pads with zeros by itself; for the others OpenCV writes the larger image into a tensor's memory."""
    torch, convolve = peers.torch, peers.torch.nn.functional.conv2d
    weight = normal(16, 3, 3, 3)

    def padded(image, empty):
        rows, columns, channels = image.shape
        wide = torch.empty((1, channels, rows + 2, columns + 2), memory_format=torch.channels_last)
        pixels, taps = wide[0].permute(1, 2, 0).numpy(), torch.from_numpy(weight).clone()

        def run():
            cv2.copyMakeBorder(image, 1, 1, 1, 1, peers.MODES[mode], dst=pixels)
            return convolve(wide, taps)

        return Contender(run)

    others = {"PyTorch channels last, OpenCV's border": padded}
    if mode == "constant":
        others |= peers.pytorch(3, lambda x, w: convolve(x, w, padding=1), weight)
    return row(
        "conv2d", "3x3 3->16", mode, lambda image, out: imfilt.conv2d(image, weight, padding=1, mode=mode, out=out),
        others, ("float32",), 3, shape=lambda image: (*image.shape[:2], 16), macs=27,
    )  # fmt: skip
