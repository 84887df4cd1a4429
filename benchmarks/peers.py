"""The rows: what imfilt computes, and how each peer computes the same, in its fastest correct form.

A peer is (name, make): make(image, threads) returns a callable that reuses its buffers, and
the factor that brings its result to imfilt's scale. `tolerance` is the largest difference,
as a fraction of the result's range, at which the results count as the same.
"""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import scipy.ndimage as ndi
import skimage.filters

import imfilt
from imfilt import kernels

REFLECT, NEAREST = cv2.BORDER_REFLECT, cv2.BORDER_REPLICATE


@dataclass
class Row:
    name: str
    ours: callable  # (image, out) -> result
    result: str  # dtype, or "same" as the image
    peers: dict = field(default_factory=dict)
    tolerance: float = 1e-5
    only: str = ""  # dtype of the image that the row is for


def per_channel(function):
    def run(image):
        if image.ndim == 2:
            return function(image)
        return np.stack([function(image[..., c]) for c in range(image.shape[2])], axis=-1)

    return run


def cv_magnitude(derive, factor, to_bytes=False):
    """Two derivatives and their magnitude, all buffers reused; optionally rounded to uint8."""

    def make(image):
        shape = image.shape
        h, v, m, b = (np.empty(shape, t) for t in ("f4", "f4", "f4", "u1"))

        def run():
            derive(image, 0, h)
            derive(image, 1, v)
            cv2.magnitude(h, v, m)
            if to_bytes:
                return cv2.convertScaleAbs(m, b, alpha=factor)
            return m

        scale = 1.0 if to_bytes else factor / (255 if image.dtype == np.uint8 else 1)
        return run, scale

    return make


def cv_sobel(image, axis, out):
    cv2.Sobel(image, cv2.CV_32F, axis, 1 - axis, dst=out, borderType=REFLECT)


def cv_scharr(image, axis, out):
    cv2.Scharr(image, cv2.CV_32F, axis, 1 - axis, dst=out, borderType=REFLECT)


def cv_separable(smooth, difference):
    smooth, difference = (np.array(taps, "f4") for taps in (smooth, difference[::-1]))

    def derive(image, axis, out):
        x, y = (smooth, difference) if axis == 0 else (difference, smooth)
        cv2.sepFilter2D(image, cv2.CV_32F, x, y, dst=out, borderType=REFLECT)

    return derive


def cv_roberts(image, axis, out):
    kernel = np.array([[-1, 0], [0, 1]] if axis == 0 else [[0, -1], [1, 0]], "f4")
    cv2.filter2D(image, cv2.CV_32F, kernel, dst=out, anchor=(0, 0), borderType=REFLECT)


def cv_one(derive, axis, factor):
    def make(image):
        out = np.empty(image.shape, "f4")

        def run():
            derive(image, axis, out)
            return out

        return run, factor / (255 if image.dtype == np.uint8 else 1)

    return make


def cv_gaussian(sigma):
    size = 2 * int(4 * sigma + 0.5) + 1

    def make(image):
        out = np.empty_like(image)
        return lambda: cv2.GaussianBlur(image, (size, size), sigma, dst=out, borderType=NEAREST), 1.0

    return make


def cv_gaussian_by_taps(sigma):
    taps = np.array(kernels.gaussian(sigma), "f4")

    def make(image):
        out = np.empty_like(image)
        return lambda: cv2.sepFilter2D(image, -1, taps, taps, dst=out, borderType=NEAREST), 1.0

    return make


def skimage_edges(name):
    function = per_channel(getattr(skimage.filters, name))
    return lambda image: (lambda: function(image), 1.0)


def scipy_gaussian(sigma, order=0):
    def make(image):
        out = np.empty(image.shape, "f4")
        sigmas = (sigma, sigma) if image.ndim == 2 else (sigma, sigma, 0)
        orders = (order, order) if image.ndim == 2 else (order, order, 0)
        factor = 1 / 255 if image.dtype == np.uint8 else 1.0
        return lambda: ndi.gaussian_filter(image, sigmas, orders, out, mode="nearest"), factor

    return make


def edges(name, derive, factor):
    """Magnitude and both derivatives of one operator."""
    magnitude = factor / math.sqrt(2)

    def ours(function, **options):
        return lambda image, out: function(image, out=out, **options)

    yield Row(name, ours(getattr(imfilt, name)), "float32",
              {"OpenCV": cv_magnitude(derive, magnitude), "scikit-image": skimage_edges(name)})  # fmt: skip
    yield Row(f"{name} to uint8", ours(getattr(imfilt, name)), "uint8",
              {"OpenCV": cv_magnitude(derive, magnitude, True)}, tolerance=1.01 / 255, only="uint8")  # fmt: skip
    parts = ("_pos_diag", "_neg_diag") if name == "roberts" else ("_h", "_v")
    for axis, part in enumerate(parts):
        yield Row(name + part, ours(getattr(imfilt, name + part)), "float32",
                  {"OpenCV": cv_one(derive, axis, factor), "scikit-image": skimage_edges(name + part)})  # fmt: skip


def rows():
    yield from edges("sobel", cv_sobel, 1 / 4)
    yield from edges("scharr", cv_scharr, 1 / 16)
    yield from edges("prewitt", cv_separable(*kernels.PREWITT[:2]), 1 / 3)
    yield from edges("farid", cv_separable(*kernels.FARID[:2]), 1.0)
    yield from edges("roberts", cv_roberts, 1.0)
    for sigma in (1, 2, 5, 10):

        def ours(image, out, sigma=sigma):
            return imfilt.gaussian(image, sigma, out=out)

        both = {"OpenCV GaussianBlur": cv_gaussian(sigma), "OpenCV sepFilter2D": cv_gaussian_by_taps(sigma)}
        yield Row(f"gaussian {sigma}", ours, "float32", {**both, "SciPy": scipy_gaussian(sigma)}, only="float32")
        # OpenCV's weights have eight bits: its own results are off by some levels.
        yield Row(f"gaussian {sigma} to uint8", ours, "uint8", both, tolerance=4 / 255, only="uint8")
    yield Row("gaussian 2 from uint8", lambda i, out: imfilt.gaussian(i, 2, out=out), "float32",
              {"SciPy": scipy_gaussian(2)}, only="uint8")  # fmt: skip
    yield Row("gaussian 2 order 1", lambda i, out: imfilt.gaussian(i, 2, order=1, out=out), "float32",
              {"SciPy": scipy_gaussian(2, 1)}, only="float32")  # fmt: skip
