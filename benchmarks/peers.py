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
import skimage.feature
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
    grey: bool = False  # there is no such row for colour
    shape: callable = field(default=lambda image: image.shape)  # of the result


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


def cv_chain(*steps, factor=1.0, result=None):
    """Steps (image, so far, out) one after the other, each into a buffer of its own."""

    def make(image):
        dtype = result or image.dtype
        buffers = [np.empty(image.shape, dtype) for _ in steps]
        scale = 1 / 255 if image.dtype == np.uint8 and dtype != image.dtype else 1.0

        def run():
            done = []
            for step, out in zip(steps, buffers, strict=True):
                step(image, done, out)
                done.append(out)
            return done[-1]

        return run, factor * scale

    return make


def cv_taps(column, row, border):
    """One separable filter, correlating, into single precision."""
    column, row = (np.array(taps, "f4") for taps in (column, row))

    def step(image, done, out):
        cv2.sepFilter2D(image, cv2.CV_32F, row, column, dst=out, borderType=border)

    return step


def cv_blur(sigma, border):
    size = 2 * int(4 * sigma + 0.5) + 1
    return lambda image, done, out: cv2.GaussianBlur(image, (size, size), sigma, dst=out, borderType=border)


def cv_sharper(amount):
    def step(image, done, out):
        cv2.addWeighted(image, 1 + amount, done[-1], -amount, 0, dst=out)
        if out.dtype != np.uint8:  # which saturates by itself
            np.clip(out, 0, 1, out=out)

    return step


def cv_box(n, border):
    def step(image, done, out):
        cv2.boxFilter(image, cv2.CV_32F if out.dtype == np.float32 else -1, (n, n), dst=out, borderType=border)

    return step


def cv_gabor(frequency):
    kernel = skimage.filters.gabor_kernel(frequency)[::-1, ::-1]  # which convolves

    def make(image):
        out = np.empty((2, *image.shape), "f4")
        parts = [np.ascontiguousarray(part, "f4") for part in (kernel.real, kernel.imag)]

        def run():
            for part, one in zip(parts, out, strict=True):
                cv2.filter2D(image, cv2.CV_32F, part, dst=one, borderType=REFLECT)
            return out

        return run, 1 / 255 if image.dtype == np.uint8 else 1.0

    return make


def cv_canny(image):
    """On bytes, the only type that it takes: thresholds on its scale of 4 x 255."""
    levels = image if image.dtype == np.uint8 else np.rint(image * 255).astype(np.uint8)
    smooth, out = np.empty_like(levels), np.empty_like(levels)

    def run():
        cv2.GaussianBlur(levels, (9, 9), 1, dst=smooth, borderType=REFLECT)
        return cv2.Canny(smooth, 25.5, 51, edges=out, apertureSize=3, L2gradient=True)

    return run, 1 / 255


def whole(function, **options):
    """A function of scikit-image or SciPy, on images as it takes them: colour has its axis."""

    def make(image):
        as_float = image.astype(np.float32) / 255 if image.dtype == np.uint8 else image
        return lambda: function(as_float, **options), 1.0

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
    yield from second_derivatives()
    yield from boxes()
    yield Row("canny", lambda i, out: imfilt.canny(i, out=out), "bool",
              # OpenCV's is another detector of the same name, in integers: it is timed, not compared.
              {"OpenCV": cv_canny, "scikit-image": whole(skimage.feature.canny)}, tolerance=1, grey=True)  # fmt: skip
    yield Row("gabor 0.2", lambda i, out: imfilt.gabor(i, 0.2, out=tuple(out)), "float32",
              {"OpenCV": cv_gabor(0.2), "scikit-image": whole(skimage.filters.gabor, frequency=0.2)},
              tolerance=1e-4, grey=True, shape=lambda image: (2, *image.shape))  # fmt: skip


def second_derivatives():
    def of(function, *arguments):
        return lambda image, out: function(image, *arguments, out=out)

    def cv_laplace(image, done, out):
        cv2.Laplacian(image, cv2.CV_32F, dst=out, ksize=1, borderType=REFLECT)

    laplace = {"OpenCV": cv_chain(cv_laplace, factor=-1, result="f4"), "scikit-image": skimage_edges("laplace")}
    yield Row("laplace", of(imfilt.laplace), "float32", laplace)
    smooth, second = kernels.gaussian(2.0), kernels.gaussian(2.0, order=2)
    add = lambda image, done, out: cv2.add(done[0], done[1], dst=out)  # noqa: E731
    subtract = lambda image, done, out: cv2.subtract(done[0], done[1], dst=out)  # noqa: E731
    yield Row("gaussian_laplace 2", of(imfilt.gaussian_laplace, 2), "float32",
              {"OpenCV": cv_chain(cv_taps(smooth, second, REFLECT), cv_taps(second, smooth, REFLECT), add, result="f4"),
               "SciPy": lambda image: (lambda: per_channel(lambda c: ndi.gaussian_laplace(c, 2, output="f4"))(image),
                                       1 / 255 if image.dtype == np.uint8 else 1.0)})  # fmt: skip
    for low in (1.0, 3.0):
        taps = [kernels.gaussian(sigma) for sigma in (low, 1.6 * low)]
        blurs = [cv_taps(one, one, NEAREST) for one in taps]
        yield Row(f"difference_of_gaussians {low:g}", of(imfilt.difference_of_gaussians, low), "float32",
                  {"OpenCV": cv_chain(*blurs, subtract, result="f4"),
                   "scikit-image": skimage_channels(skimage.filters.difference_of_gaussians, low)})  # fmt: skip
    for radius in (1, 3):
        options = {"radius": radius, "amount": 1.0}

        def sharpened(image, out, options=options):
            return imfilt.unsharp_mask(image, **options, out=out)

        opencv = cv_chain(cv_blur(radius, REFLECT), cv_sharper(1.0))
        # scikit-image 0.26 takes the channel axis -1 for another one.
        skimage_ = skimage_channels(skimage.filters.unsharp_mask, last=2, **options)
        peers = {"OpenCV": opencv, "scikit-image": skimage_}
        yield Row(f"unsharp_mask {radius}", sharpened, "float32", peers, only="float32")
        # OpenCV rounds the blurred image before it subtracts.
        yield Row(
            f"unsharp_mask {radius} to uint8", sharpened, "uint8", {"OpenCV": opencv}, tolerance=4 / 255, only="uint8"
        )


def skimage_channels(function, *arguments, last=-1, **options):
    def make(image):
        axis = last if image.ndim == 3 else None
        return lambda: function(image, *arguments, channel_axis=axis, **options), 1.0

    return make


def boxes():
    for n in (3, 5, 9, 15, 31, 101):

        def ours(image, out, n=n):
            return imfilt.box(image, n, out=out)

        def scipy_box(image, n=n):
            out, size = np.empty_like(image), (n, n, 1)[: image.ndim]
            return lambda: ndi.uniform_filter(image, size, out), 1.0

        peers = {"OpenCV": cv_chain(cv_box(n, REFLECT)), "SciPy": scipy_box}
        yield Row(f"box {n}", ours, "same", peers, only="float32")
        # SciPy truncates integers, after each of its two passes.
        yield Row(f"box {n} to uint8", ours, "same", peers, tolerance=3 / 255, only="uint8")
