"""Rows: the convolution algebra, beside OpenCV, SciPy, NumPy and PyTorch.

PyTorch is not a package of the extra `bench`; without it its contenders are left out, with the rows where it is alone:

    pip install torch --index-url https://download.pytorch.org/whl/cpu
"""

from math import prod

import cv2
import numpy as np
import scipy.ndimage as ndi
import scipy.signal
from skimage.filters import gabor_kernel

import imfilt
from benchmarks import peers
from benchmarks.cases import SCREEN, SMALL, THUMBNAIL, UHD, Case, normal
from benchmarks.peers import pytorch
from benchmarks.rows import Contender, Row
from imfilt import shapes

if peers.torch is not None:
    import torch.nn.functional as nn
    from torch import pixel_shuffle, pixel_unshuffle

BILINEAR = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype("f4") / 16
SIZES = 3, 5, 9, 15  # of kernels that meet all kinds of images
THREE = THUMBNAIL, SCREEN, UHD


def rows():
    yield from on_pictures()
    yield from large_kernels()
    yield from layers()
    yield from shuffles()


# ── one kernel on pictures ───────────────────────────────────────────────────────────────────────────────────────────


def on_pictures():
    for k in SIZES:
        kernel = normal(k, k).astype(np.float64)
        yield single("correlate", kernel, f"{k}x{k}")
    yield single("convolve", normal(5, 5).astype(np.float64), "5x5")
    for k in (3, 7, 15, 31):
        yield separable(k)
    for dilation in (2, 4, 8):
        yield from dilated(dilation)


def single(operation, kernel, what, images=None, factors=None):
    """One kernel on every channel. PyTorch needs seconds for the larger ones: it is left out.

    To OpenCV a convolution is a correlation with the kernel turned, whose size is odd.
    """
    k = len(kernel)
    function, of_scipy = getattr(imfilt, operation), getattr(ndi, operation)
    laid = kernel if operation == "correlate" else kernel[::-1, ::-1]
    found = {"OpenCV filter2D": peers.cv_one(peers.cv_kernel(laid), rescaled=False)}
    if factors:
        found["OpenCV sepFilter2D"] = peers.cv_one(peers.cv_taps(*factors), rescaled=False)
    if k <= 7:
        found["SciPy"] = peers.ndi_planes(lambda plane, out: of_scipy(plane, kernel, out), rescaled=False)
    if k >= 11 and not factors:
        found["SciPy fftconvolve"] = transform(laid)
    return Row(
        operation=operation, name=f"{operation} {what}", family="single kernels",
        ours=lambda image, out: function(image, kernel, out=out), peers=found, kernel=kernel,
        **({"cases": images} if images else {}),
    )  # fmt: skip


def transform(kernel):
    """Grey only, on an image that is extended. (oaconvolve was never faster, measured from 11x11 to 31x31 on 4K.)"""
    around = len(kernel) // 2

    def make(image, empty):
        if image.ndim == 3:
            return None
        numbers = image.astype(peers.real(image), copy=False)
        turned = kernel[::-1, ::-1].astype(numbers.dtype)
        return Contender(
            lambda: scipy.signal.fftconvolve(np.pad(numbers, around, mode="symmetric"), turned, mode="valid")
        )

    return make


def separable(k):
    column, row = normal(2, k).astype(np.float64)

    def scipy_(plane, out):
        ndi.correlate1d(ndi.correlate1d(plane, column, 0, out.dtype), row, 1, out)

    return Row(
        operation="separable", name=f"separable {k}", family="single kernels",
        ours=lambda image, out: imfilt.separable(image, column, row, out=out), macs=2 * k,
        peers={"OpenCV sepFilter2D": peers.cv_one(peers.cv_taps(column, row), rescaled=False),
               "SciPy": peers.ndi_planes(scipy_, rescaled=False)},
    )  # fmt: skip


def dilated(dilation):
    """As a correlation of a picture, and as PyTorch has it, with zeros around."""
    kernel = normal(3, 3)
    stuffed = np.zeros((2 * dilation + 1, 2 * dilation + 1), "f4")
    stuffed[::dilation, ::dilation] = kernel
    name, weight = f"3x3 dilated by {dilation}", kernel[None, None]
    options = {"padding": dilation, "dilation": dilation}

    def others(mode):
        return {
            "OpenCV filter2D": peers.cv_one(peers.cv_kernel(stuffed, peers.MODES[mode])),
            "SciPy": peers.ndi_planes(lambda plane, out: ndi.correlate(plane, stuffed, out, mode)),
        }

    common = {"family": "single kernels", "cases": (Case(*UHD),)}
    yield Row(
        operation="correlate", name=f"correlate {name}", peers=others("reflect"), **common,
        ours=lambda image, out: imfilt.correlate(image, kernel, dilation=dilation, out=out),
    )  # fmt: skip
    yield Row(
        operation="conv2d", name=f"conv2d {name}", **common,
        ours=lambda image, out: imfilt.conv2d(image, weight, out=out, **options),
        peers={**others("constant"), **pytorch(1, lambda x, w: nn.conv2d(x, w, **options), weight)},
    )  # fmt: skip


def gabor(k):
    """Of rank 2, whatever its angle, as its envelope is round."""
    kernel = gabor_kernel(2 / k, theta=0.6, sigma_x=k / 6, sigma_y=k / 6, n_stds=5).real
    top, left = ((n - k) // 2 for n in kernel.shape)
    return np.ascontiguousarray(kernel[top : top + k, left : left + k])


def laplacian_of_gaussian(k):
    r = (np.arange(k) - k // 2) / (k / 7)
    square = r[:, None] ** 2 + r**2
    return (square - 2) * np.exp(-square / 2)


def large_kernels():
    """Kernels of every kind and size, on one large picture."""
    images = (Case(*UHD),)
    for k in range(3, 33, 2):
        column, row = normal(2, k).astype(np.float64)
        if k not in SIZES:
            yield single("correlate", normal(k, k).astype(np.float64), f"{k}x{k}", images)
        yield single("correlate", np.outer(column, row), f"{k}x{k} rank 1", images, (column, row))
        yield single("correlate", gabor(k), f"{k}x{k} Gabor", images)
        yield single("correlate", laplacian_of_gaussian(k), f"{k}x{k} LoG", images)


# ── layers of networks ───────────────────────────────────────────────────────────────────────────────────────────────


def layer(name, what, taken, sizes, ours, others, planned, dtypes=("float32",)):
    """A layer: `planned` is what `shapes` says of it on a size."""

    def shape(image):
        rows, columns, channels = planned((*image.shape[:2], taken)).output
        return (rows, columns) if image.ndim == 2 and channels == 1 else (rows, columns, channels)

    operation = planned((*sizes[0], taken))
    return Row(
        operation=name, name=f"{name} {what}", family="layers", ours=ours, peers=others, shape=shape,
        cases=tuple(Case(*size, taken, dtype) for dtype in dtypes for size in sizes),
        macs=operation.macs / prod(operation.output),
    )  # fmt: skip


def layers():
    yield conv2d(THREE, 3, 3)
    yield conv2d((THUMBNAIL, SCREEN), 3, 16)
    yield conv2d((SCREEN,), 3, 16, dtypes=("uint8", "uint16", "float64"))
    yield conv2d(((480, 641), (1080, 1919)), 3, 16)
    yield conv2d((SCREEN,), 4, 16)
    yield conv2d((SCREEN,), 3, 32, stride=2)
    yield conv2d(((256, 256),), 16, 32)
    yield conv2d(((256, 256),), 64, 64)
    yield conv2d(((128, 128),), 256, 512)
    yield pointwise(THREE, 3, 3)
    yield pointwise(((256, 256),), 256, 64)
    for k in (3, 5):
        yield depthwise(THREE, 3, k)
        yield depthwise((SCREEN,), 16, k)
        yield depthwise((SMALL,), 32, k)
    yield depthwise_separable(THREE, 3, 3)
    for taken, made in ((16, 32), (32, 64)):
        yield depthwise_separable(((256, 256), SMALL), taken, made)
    for channels in (1, 3):
        yield transposed((THUMBNAIL, SCREEN), channels, dense=False)
        yield bilinear((THUMBNAIL, SCREEN), channels)
    yield transposed(((256, 256),), 16, dense=False)
    yield transposed(((256, 256),), 16, dense=True)
    yield transposed(((256, 256),), 64, dense=True)


def conv2d(sizes, taken, made, stride=1, dtypes=("float32",)):
    weight, options = normal(made, taken, 3, 3), {"stride": stride, "padding": 1}
    return layer(
        "conv2d", f"3x3 {taken}->{made}" + f" stride {stride}" * (stride > 1), taken, sizes,
        lambda image, out: imfilt.conv2d(image, weight, out=out, **options),
        pytorch(taken, lambda x, w: nn.conv2d(x, w, **options), weight),
        lambda shape: shapes.conv2d(shape, weight.shape, **options), dtypes,
    )  # fmt: skip


def pointwise(sizes, taken, made):
    weight = normal(made, taken)
    others = pytorch(taken, lambda x, w: nn.conv2d(x, w), weight[:, :, None, None])

    def matmul(image, empty):
        out = empty((*image.shape[:2], made), "f4")
        pixels, results = image.reshape(-1, taken), out.reshape(-1, made)
        return Contender(lambda: np.matmul(pixels, weight.T, out=results).reshape(out.shape))

    def opencv(image, empty):
        out = empty((*image.shape[:2], made), "f4")
        return Contender(lambda: cv2.transform(image, weight, dst=out))

    others["NumPy matmul"] = matmul
    if max(taken, made) <= 4:
        others["OpenCV transform"] = opencv
    return layer(
        "pointwise_conv2d", f"{taken}->{made}", taken, sizes,
        lambda image, out: imfilt.pointwise_conv2d(image, weight, out=out), others,
        lambda shape: shapes.pointwise_conv2d(shape, weight.shape),
    )  # fmt: skip


def depthwise(sizes, channels, k):
    weight = normal(channels, k, k)
    others = pytorch(channels, lambda x, w: nn.conv2d(x, w, padding=k // 2, groups=channels), weight[:, None])
    if channels == 3:
        others["OpenCV filter2D, planes"] = peers.cv_planes(weight)
    return layer(
        "depthwise_conv2d", f"{k}x{k} on {channels}", channels, sizes,
        lambda image, out: imfilt.depthwise_conv2d(image, weight, padding=k // 2, out=out), others,
        lambda shape: shapes.depthwise_conv2d(shape, weight.shape, padding=k // 2),
    )  # fmt: skip


def depthwise_separable(sizes, taken, made):
    first, second = normal(taken, 3, 3), normal(made, taken)

    def both(x, first, second):
        return nn.conv2d(nn.conv2d(x, first, padding=1, groups=taken), second)

    return layer(
        "depthwise_separable_conv2d", f"3x3 {taken}->{made}", taken, sizes,
        lambda image, out: imfilt.depthwise_separable_conv2d(image, first, second, padding=1, out=out),
        pytorch(taken, both, first[:, None], second[:, :, None, None]),
        lambda shape: shapes.depthwise_separable_conv2d(shape, first.shape, second.shape, padding=1),
    )  # fmt: skip


def transposed(sizes, channels, dense):
    weight = normal(channels, channels if dense else 1, 4, 4)
    options = {"stride": 2, "padding": 1, "groups": 1 if dense else channels}
    return layer(
        "conv_transpose2d", f"4x4 {channels}->{channels} {'dense' if dense else 'depthwise'}", channels, sizes,
        lambda image, out: imfilt.conv_transpose2d(image, weight, out=out, **options),
        pytorch(channels, lambda x, w: nn.conv_transpose2d(x, w, **options), weight),
        lambda shape: shapes.conv_transpose2d(shape, weight.shape, **options),
    )  # fmt: skip


def bilinear(sizes, channels):
    """A transposed convolution that others have by name: pixels beyond the border as the nearest."""
    weight, options = np.repeat(BILINEAR[None, None], channels, 0), {"stride": 2, "padding": 1, "groups": channels}

    def resize(image, empty):
        size = 2 * image.shape[1], 2 * image.shape[0]
        out = empty((*size[::-1], *image.shape[2:]), "f4")
        return Contender(lambda: cv2.resize(image, size, dst=out, interpolation=cv2.INTER_LINEAR))

    others = pytorch(channels, lambda x: nn.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
    return layer(
        "conv_transpose2d", f"4x4 bilinear on {channels}", channels, sizes,
        lambda image, out: imfilt.conv_transpose2d(image, weight, mode="nearest", out=out, **options),
        {"OpenCV resize": resize, **others},
        lambda shape: shapes.conv_transpose2d(shape, weight.shape, **options),
    )  # fmt: skip


def shuffles():
    """No function has an `out` for these, imfilt's neither: NumPy's copy, which has one, is another contender."""

    def numpy_shuffle(image, empty):
        rows, columns, channels = image.shape
        out = empty((2 * rows, 2 * columns, channels // 4), image.dtype)
        apart = image.reshape(rows, columns, channels // 4, 2, 2).transpose(0, 3, 1, 4, 2)
        return Contender(lambda: filled(out, apart))

    def numpy_unshuffle(image, empty):
        rows, columns, channels = (image.shape[0] // 2, image.shape[1] // 2, image.shape[2])
        out = empty((rows, columns, channels * 4), image.dtype)
        apart = image.reshape(rows, 2, columns, 2, channels).transpose(0, 2, 4, 1, 3)
        return Contender(lambda: filled(out, apart))

    def filled(out, apart):
        np.copyto(out.reshape(apart.shape), apart)
        return out

    yield Row(
        operation="pixel_shuffle", name="pixel_shuffle 2", family="layers",
        ours=lambda image, out: imfilt.pixel_shuffle(image, 2),
        peers={"NumPy": numpy_shuffle, **pytorch(12, lambda x: pixel_shuffle(x, 2))},
        shape=lambda image: (2 * image.shape[0], 2 * image.shape[1], image.shape[2] // 4),
        cases=tuple(Case(*size, 12) for size in ((32, 32), SMALL, SCREEN)),
    )  # fmt: skip
    yield Row(
        operation="pixel_unshuffle", name="pixel_unshuffle 2", family="layers",
        ours=lambda image, out: imfilt.pixel_unshuffle(image, 2),
        peers={"NumPy": numpy_unshuffle, **pytorch(3, lambda x: pixel_unshuffle(x, 2))},
        shape=lambda image: (image.shape[0] // 2, image.shape[1] // 2, image.shape[2] * 4),
        cases=tuple(Case(*size, 3) for size in THREE),
    )  # fmt: skip
