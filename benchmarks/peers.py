"""How other libraries compute what the rows ask for, each in its fastest correct form.

A peer of a row is make(image, empty): it returns a Contender, or None where the library cannot do this. `empty` is
`rows.reused`, which gives memory for a result, or `rows.fresh`, which gives None: then each call makes a new one. A
step is function(image, out) -> result, with an `out` that may be None.
"""

import cv2
import numpy as np
import scipy.ndimage as ndi
import skimage.filters

from benchmarks.cases import full_scale
from benchmarks.rows import Contender
from imfilt import kernels

try:
    import torch
except ImportError:
    torch = None

MODES = {"reflect": cv2.BORDER_REFLECT, "mirror": cv2.BORDER_REFLECT_101, "nearest": cv2.BORDER_REPLICATE,
         "constant": cv2.BORDER_CONSTANT, "wrap": cv2.BORDER_WRAP}  # fmt: skip
REFLECT, NEAREST = MODES["reflect"], MODES["nearest"]
DEPTHS = {"uint8": cv2.CV_8U, "uint16": cv2.CV_16U, "float32": cv2.CV_32F, "float64": cv2.CV_64F}


def real(image):
    """What filters compute this image in: double for double, else single precision."""
    return np.float64 if image.dtype == np.float64 else np.float32


def depth(image):
    return DEPTHS[np.dtype(real(image)).name]


def white(image):
    return full_scale(image.dtype)


# ── OpenCV: steps ────────────────────────────────────────────────────────────────────────────────────────────────────


def cv_sobel(axis, border=REFLECT):
    return lambda image, out: cv2.Sobel(image, depth(image), axis, 1 - axis, dst=out, borderType=border)


def cv_scharr(axis):
    return lambda image, out: cv2.Scharr(image, depth(image), axis, 1 - axis, dst=out, borderType=REFLECT)


def cv_taps(column, row, border=REFLECT):
    """A separable correlation."""
    column, row = (np.array(taps, "f4") for taps in (column, row))
    return lambda image, out: cv2.sepFilter2D(image, depth(image), row, column, dst=out, borderType=border)


def cv_crossed(smooth, difference):
    """Derivatives by taps: of each axis one."""
    turned = difference[::-1]
    return lambda axis: cv_taps(turned, smooth) if axis == 0 else cv_taps(smooth, turned)


def cv_roberts(axis):
    return cv_kernel([[-1, 0], [0, 1]] if axis == 0 else [[0, -1], [1, 0]], anchor=(0, 0))


def cv_kernel(kernel, border=REFLECT, anchor=(-1, -1), same=False, delta=0.0):
    """A correlation; `delta`, in parts of white, is added; `same` makes it of the image's type."""
    kernel = np.array(kernel, "f4")

    def step(image, out):
        to = -1 if same else depth(image)
        return cv2.filter2D(
            image, to, kernel, dst=out, anchor=anchor, delta=delta * white(image), borderType=border
        )  # fmt: skip

    return step


def cv_blur(sigma, border):
    size = 2 * int(4 * sigma + 0.5) + 1
    return lambda image, out: cv2.GaussianBlur(image, (size, size), sigma, dst=out, borderType=border)


def cv_blur_by_taps(sigma):
    taps = np.array(kernels.gaussian(sigma), "f4")
    return lambda image, out: cv2.sepFilter2D(image, -1, taps, taps, dst=out, borderType=NEAREST)


def cv_box(height, width, border=REFLECT):
    return lambda image, out: cv2.boxFilter(image, -1, (width, height), dst=out, borderType=border)


def cv_laplace(image, out):
    return cv2.Laplacian(image, depth(image), dst=out, ksize=1, borderType=REFLECT)


def cv_wrapped(step, pad):
    """OpenCV's filters refuse to wrap around: the same on an image that is extended first."""

    def run(image, out):
        wide = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_WRAP)
        return step(wide, None)[pad:-pad, pad:-pad]

    return run


# ── OpenCV: contenders ───────────────────────────────────────────────────────────────────────────────────────────────


def cv_one(step, factor=1.0, same=False, rescaled=True):
    """One step; `same` if its result is of the image's type, not `rescaled` if numbers stay as they are."""

    def make(image, empty):
        out = empty(image.shape, image.dtype if same else real(image))
        scale = 1.0 if same or not rescaled else 1 / white(image)
        return Contender(lambda: step(image, out), factor * scale)

    return make


def cv_many(steps, combine, factor=1.0, same=False):
    """Several steps from one image, into buffers of their own; then combine(image, results, out)."""

    def make(image, empty):
        dtype = image.dtype if same else real(image)
        buffers, out = [empty(image.shape, dtype) for _ in steps], empty(image.shape, dtype)

        def run():
            return combine(image, [step(image, one) for step, one in zip(steps, buffers, strict=True)], out)

        return Contender(run, factor * (1.0 if same else 1 / white(image)))

    return make


def cv_magnitude(derive, factor, to_bytes=False):
    """Two derivatives and their magnitude; optionally rounded to uint8."""

    def make(image, empty):
        h, v, m = (empty(image.shape, real(image)) for _ in range(3))
        b = empty(image.shape, np.uint8)
        steps = derive(0), derive(1)

        def run():
            length = cv2.magnitude(steps[0](image, h), steps[1](image, v), m)
            return cv2.convertScaleAbs(length, b, alpha=factor) if to_bytes else length

        return Contender(run, 1.0 if to_bytes else factor / white(image))

    return make


def cv_polar(angle, factor):
    """Sobel's derivatives as magnitude and angle: by OpenCV, good to 0.3 degrees, or by NumPy."""

    def make(image, empty):
        h, v, m, a = (empty(image.shape, real(image)) for _ in range(4))
        down, along = cv_sobel(0), cv_sobel(1)

        def run():
            x, y = along(image, v), down(image, h)
            if angle == "OpenCV":
                length, turned = cv2.cartToPolar(x, y, m, a)
            else:
                length, turned = cv2.magnitude(x, y, m), np.arctan2(y, x, out=a)
            return length, turned

        return Contender(run, np.array([factor / white(image), 1.0]).reshape(2, *[1] * image.ndim))

    return make


def cv_several(steps):
    """Several results."""

    def make(image, empty):
        outs = [empty(image.shape, real(image)) for _ in steps]

        def run():
            return [step(image, out) for step, out in zip(steps, outs, strict=True)]

        return Contender(run, 1 / white(image))

    return make


def cv_canny(image, empty):
    """On bytes, the only type that it takes: thresholds on its scale of 4 x 255."""
    levels = image if image.dtype == np.uint8 else np.rint(image * (255 / white(image))).astype(np.uint8)
    smooth, out = empty(levels.shape, np.uint8), empty(levels.shape, np.uint8)

    def run():
        blurred = cv2.GaussianBlur(levels, (9, 9), 1, dst=smooth, borderType=REFLECT)
        return cv2.Canny(blurred, 25.5, 51, edges=out, apertureSize=3, L2gradient=True)

    return Contender(run, 1 / 255)


def cv_planes(kernel_of, border=cv2.BORDER_CONSTANT):
    """OpenCV has no depthwise filter: the planes one by one, each with its kernel."""

    def make(image, empty):
        channels = image.shape[2]
        planes, results = ([empty(image.shape[:2], "f4") for _ in range(channels)] for _ in range(2))
        out = empty(image.shape, "f4")

        def run():
            cv2.split(image, planes)
            for i, (plane, result) in enumerate(zip(planes, results, strict=True)):
                cv2.filter2D(plane, -1, kernel_of[i], dst=result, borderType=border)
            return cv2.merge(results, out)

        return Contender(run)

    return make


# ── scikit-image and SciPy ───────────────────────────────────────────────────────────────────────────────────────────


def per_channel(function):
    def run(image):
        if image.ndim == 2:
            return function(image)
        return np.stack([function(image[..., c]) for c in range(image.shape[2])], axis=-1)

    return run


def sk_edges(name):
    """By name, which scales integers by itself."""
    function = per_channel(getattr(skimage.filters, name))
    return lambda image, empty: Contender(lambda: function(image))


def sk_channels(function, *arguments, last=-1, **options):
    """A function that knows a channel axis."""

    def make(image, empty):
        axis = last if image.ndim == 3 else None
        return Contender(lambda: function(image, *arguments, channel_axis=axis, **options))

    return make


def sk_whole(function, **options):
    """A function that does not scale integers: it gets a float image."""

    def make(image, empty):
        as_float = image / np.float32(white(image)) if image.dtype.kind == "u" else image
        return Contender(lambda: function(as_float, **options))

    return make


def ndi_planes(function, rescaled=True):
    """function(plane, output) of SciPy on each channel."""

    def make(image, empty):
        dtype = np.dtype(real(image))
        out = empty(image.shape, dtype)

        def run():
            result = np.empty(image.shape, dtype) if out is None else out
            if image.ndim == 2:
                function(image, result)
            else:
                for c in range(image.shape[2]):
                    function(image[..., c], result[..., c])
            return result

        return Contender(run, 1 / white(image) if rescaled and dtype != image.dtype else 1.0)

    return make


def ndi_gaussian(sigma, order=0, to="float"):
    """All channels in one call; `to` is "float", or "same" as the image."""

    def make(image, empty):
        dtype = np.dtype(image.dtype if to == "same" else real(image))
        out = empty(image.shape, dtype)
        sigmas, orders = ((one, one, 0)[: image.ndim] for one in (sigma, order))

        def run():
            return ndi.gaussian_filter(image, sigmas, orders, dtype if out is None else out, mode="nearest")

        return Contender(run, 1 / white(image) if dtype != image.dtype else 1.0)

    return make


def ndi_box(height, width, mode="reflect"):
    def make(image, empty):
        out, size = empty(image.shape, image.dtype), (height, width, 1)[: image.ndim]
        return Contender(lambda: ndi.uniform_filter(image, size, out, mode))

    return make


# ── PyTorch ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def pytorch(channels, function, *weights):
    """function(image, *weights) on tensors, in PyTorch's two layouts (which are one for one channel).

    Each has the image as it likes it; integers become single precision in each call.
    """
    if torch is None:
        return {}

    def contender(layout):
        def make(image, empty):
            pixels = torch.from_numpy(image.reshape(*image.shape[:2], -1)).permute(2, 0, 1)[None]
            # PyTorch's own memory is aligned, a NumPy array's is not: oneDNN is slow on that.
            tensor = torch.empty(pixels.shape, dtype=pixels.dtype, memory_format=layout).copy_(pixels)
            numbers = torch.float64 if image.dtype == np.float64 else torch.float32
            tensors = [torch.from_numpy(weight).to(numbers, copy=True) for weight in weights]
            if tensor.dtype == numbers:
                return Contender(lambda: function(tensor, *tensors))
            return Contender(lambda: function(tensor.to(numbers), *tensors))

        return make

    if channels == 1:
        return {"PyTorch": contender(torch.contiguous_format)}
    return {
        "PyTorch channels last": contender(torch.channels_last),
        "PyTorch channels first": contender(torch.contiguous_format),
    }


def numbers_of(result):
    """A contender's result, with its channels last: of a tensor, of several results, of a picture."""
    if torch is not None and isinstance(result, torch.Tensor):
        return result[0].permute(1, 2, 0).numpy()
    return np.asarray(result)
