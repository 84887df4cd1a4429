"""Rows: the filters, beside OpenCV, scikit-image, SciPy and Pillow."""

import math

import cv2
import numpy as np
import scipy.ndimage as ndi
import skimage.feature
import skimage.filters
from PIL import Image, ImageFilter

import imfilt
from benchmarks import cases, peers
from benchmarks.rows import Contender, Row
from imfilt import kernels

INTEGERS = "uint8", "uint16"


def of(name, *arguments, **options):
    function = getattr(imfilt, name)
    return lambda image, out: function(image, *arguments, out=out, **options)


def several(out):
    """Of functions that have more than one result."""
    return None if out is None else tuple(out)


def rows():
    yield from edges("sobel", peers.cv_sobel, 1 / 4)
    yield from edges("scharr", peers.cv_scharr, 1 / 16)
    yield from edges("prewitt", peers.cv_crossed(*kernels.PREWITT[:2]), 1 / 3)
    yield from edges("farid", peers.cv_crossed(*kernels.FARID[:2]), 1.0)
    yield from edges("roberts", peers.cv_roberts, 1.0)
    yield gradient()
    yield from compass()
    yield Row(
        operation="canny", family="edges", ours=of("canny"), result="bool", cases=cases.of(grey=True), levels=1,
        # OpenCV's is another detector of the same name, in integers: it is timed, not compared.
        peers={"OpenCV": peers.cv_canny, "scikit-image": peers.sk_whole(skimage.feature.canny)},
    )  # fmt: skip
    yield from gaussians()
    yield from boxes()
    yield from blurs_by_kernel()
    yield from second_derivatives()
    yield from sharpening()
    yield gabor()


def edges(name, derive, factor):
    """Magnitude and both derivatives of one operator."""
    magnitude = factor / math.sqrt(2)
    yield Row(
        operation=name, family="edges", ours=of(name),
        peers={"OpenCV": peers.cv_magnitude(derive, magnitude), "scikit-image": peers.sk_edges(name)},
    )  # fmt: skip
    yield Row(
        operation=name, name=f"{name} to uint8", family="edges", ours=of(name), result="uint8", levels=1.01,
        cases=cases.of("uint8"), peers={"OpenCV": peers.cv_magnitude(derive, magnitude, True)},
    )  # fmt: skip
    for axis, part in enumerate(("_pos_diag", "_neg_diag") if name == "roberts" else ("_h", "_v")):
        yield Row(
            operation=name + part, family="edges", ours=of(name + part),
            peers={"OpenCV": peers.cv_one(derive(axis), factor), "scikit-image": peers.sk_edges(name + part)},
        )  # fmt: skip


def gradient():
    factor = 1 / 4 / math.sqrt(2)
    return Row(
        operation="gradient", family="edges", ours=lambda image, out: imfilt.gradient(image, out=several(out)),
        peers={"OpenCV": peers.cv_polar("OpenCV", factor), "NumPy arctan2, OpenCV": peers.cv_polar("NumPy", factor)},
        shape=lambda image: (2, *image.shape), tolerance=6e-3,  # OpenCV's angle is good to 0.3 degrees
        # Angles are on a circle, and mean nothing without a length.
        seen=lambda both: np.stack([both[0], both[0] * np.cos(both[1]), both[0] * np.sin(both[1])]),
    )  # fmt: skip


def compass():
    """OpenCV filters with each mask; of those that are four and their opposites, with four."""
    kirsch, robinson = kernels.compass("kirsch"), kernels.compass("robinson5")[:4]

    def largest(image, answers, out):
        most = answers[0] if out is None else out
        cv2.max(answers[0], answers[1], dst=most)
        for answer in answers[2:]:
            cv2.max(most, answer, dst=most)
        return most

    def largest_size(image, answers, out):
        for answer in answers:
            np.abs(answer, out=answer)
        return largest(image, answers, out)

    yield Row(
        operation="kirsch", family="edges", ours=of("kirsch"),
        peers={"OpenCV": peers.cv_many([peers.cv_kernel(mask) for mask in kirsch], largest, 1 / 15)},
    )  # fmt: skip
    yield Row(
        operation="compass", name="compass robinson5", family="edges", ours=of("compass", "robinson5"),
        peers={"OpenCV": peers.cv_many([peers.cv_kernel(mask) for mask in robinson], largest_size, 1 / 4)},
    )  # fmt: skip


def taps(sigma):
    return len(kernels.gaussian(sigma))


def gaussians():
    """To the type of the image; OpenCV's weights have eight bits for bytes, and it is off by some levels."""
    for sigma in (1, 2, 5, 10):
        yield Row(
            operation="gaussian", name=f"gaussian {sigma}", family="smoothing", ours=of("gaussian", sigma),
            result="same", levels=4, macs=2 * taps(sigma),
            peers={
                "OpenCV GaussianBlur": peers.cv_one(peers.cv_blur(sigma, peers.NEAREST), same=True),
                "OpenCV sepFilter2D": peers.cv_one(peers.cv_blur_by_taps(sigma), same=True),
                "SciPy": peers.ndi_gaussian(sigma, to="same"),
                "scikit-image": floats_only(peers.sk_channels(skimage.filters.gaussian, sigma=sigma)),
            },
        )  # fmt: skip
    yield Row(
        operation="gaussian", name="gaussian 2 to float", family="smoothing", ours=of("gaussian", 2),
        cases=cases.of(*INTEGERS), macs=2 * taps(2),
        peers={
            "OpenCV sepFilter2D": peers.cv_one(peers.cv_taps(*[kernels.gaussian(2)] * 2, peers.NEAREST)),
            "SciPy": peers.ndi_gaussian(2),
            "scikit-image": peers.sk_channels(skimage.filters.gaussian, sigma=2),
        },
    )  # fmt: skip
    derivative = kernels.gaussian(2.0, order=1)[::-1]
    yield Row(
        operation="gaussian", name="gaussian 2 order 1", family="smoothing", ours=of("gaussian", 2, order=1),
        cases=cases.of(*cases.FLOATS), macs=2 * taps(2),
        peers={
            "OpenCV sepFilter2D": peers.cv_one(peers.cv_taps(derivative, derivative, peers.NEAREST)),
            "SciPy": peers.ndi_gaussian(2, 1),
        },
    )  # fmt: skip


def floats_only(make):
    """scikit-image makes floats of integers: another result."""
    return lambda image, empty: None if image.dtype.kind == "u" else make(image, empty)


def boxes():
    """SciPy truncates integers, after each of its two passes."""
    for name, n in (*(("box", n) for n in (3, 5, 9, 15, 31, 101)), ("uniform", 4)):
        yield Row(
            operation=name, name=f"{name} {n}", family="smoothing", ours=of(name, n), result="same", levels=3,
            peers={"OpenCV": peers.cv_one(peers.cv_box(n, n), same=True), "SciPy": peers.ndi_box(n, n)},
        )  # fmt: skip


def blurs_by_kernel():
    for name, arguments, kernel in (
        ("motion_blur", (9, 30), kernels.line(9, 30)),
        ("disk_blur", (3.5,), kernels.disk(3.5)),
    ):

        def scipy_(plane, out, kernel=kernel):
            ndi.correlate(plane, kernel, out, "nearest")

        yield Row(
            operation=name, name=" ".join(map(str, (name, *arguments))), family="smoothing",
            ours=of(name, *arguments), kernel=kernel,
            peers={
                "OpenCV": peers.cv_one(peers.cv_kernel(kernel, peers.NEAREST)),
                "SciPy": floats_only(peers.ndi_planes(scipy_)),
            },
        )  # fmt: skip


def second_derivatives():
    yield Row(
        operation="laplace", family="second derivatives", ours=of("laplace"),
        peers={"OpenCV": peers.cv_one(peers.cv_laplace, -1), "scikit-image": peers.sk_edges("laplace")},
    )  # fmt: skip
    smooth, second = kernels.gaussian(2.0), kernels.gaussian(2.0, order=2)

    def laplacian(plane, out):
        ndi.gaussian_laplace(plane, 2, out)

    yield Row(
        operation="gaussian_laplace", name="gaussian_laplace 2", family="second derivatives",
        ours=of("gaussian_laplace", 2), macs=4 * taps(2),
        peers={
            "OpenCV": peers.cv_many([peers.cv_taps(smooth, second), peers.cv_taps(second, smooth)],
                                    lambda image, done, out: cv2.add(*done, dst=out)),
            "SciPy": peers.ndi_planes(laplacian),
        },
    )  # fmt: skip
    for low in (1.0, 3.0):
        pair = [kernels.gaussian(sigma) for sigma in (low, 1.6 * low)]
        yield Row(
            operation="difference_of_gaussians", name=f"difference_of_gaussians {low:g}", family="second derivatives",
            ours=of("difference_of_gaussians", low), macs=2 * sum(map(len, pair)),
            peers={
                "OpenCV": peers.cv_many([peers.cv_taps(one, one, peers.NEAREST) for one in pair],
                                        lambda image, done, out: cv2.subtract(*done, dst=out)),
                "scikit-image": peers.sk_channels(skimage.filters.difference_of_gaussians, low),
            },
        )  # fmt: skip
    yield hessian(2)


def hessian(sigma):
    """Two Gaussians of sigma / sqrt(2), one after the other, are one kernel for OpenCV, too.

    scikit-image's first derivative goes on beyond the border by itself: results differ as far as the taps reach.
    """
    g, d = (kernels.gaussian(math.sqrt(0.5) * sigma, 8.0, order) for order in (0, 1))
    orders = np.convolve(g, g), np.convolve(g, d)[::-1], np.convolve(d, d)
    elements = [peers.cv_taps(orders[2 - k], orders[k], cv2.BORDER_CONSTANT) for k in range(3)]
    cut = len(orders[0])

    def scikit_image(image, empty):
        if image.shape[0] < 3 * cut:
            return None
        find = skimage.feature.hessian_matrix
        as_float = image / np.float32(peers.white(image)) if image.dtype.kind == "u" else image
        run = peers.per_channel(lambda plane: np.stack(find(plane, sigma, use_gaussian_derivatives=True)))
        return Contender(lambda: run(as_float), cut=cut)

    return Row(
        operation="hessian_matrix", name=f"hessian_matrix {sigma}", family="second derivatives",
        ours=lambda image, out: imfilt.hessian_matrix(image, sigma, out=several(out)),
        peers={"OpenCV": peers.cv_several(elements), "scikit-image": scikit_image},
        shape=lambda image: (3, *image.shape), macs=2 * len(orders[0]),
    )  # fmt: skip


def sharpening():
    for radius in (1, 3):
        options = {"radius": radius, "amount": 1.0}
        blur = peers.cv_blur(radius, peers.REFLECT)

        def sharper(image, done, out):
            result = cv2.addWeighted(image, 2.0, done[0], -1.0, 0, dst=out)
            # Integers saturate by themselves.
            return np.clip(result, 0, 1, out=result) if result.dtype.kind == "f" else result

        yield Row(
            operation="unsharp_mask", name=f"unsharp_mask {radius}", family="sharpening",
            # OpenCV rounds the blurred image before it subtracts.
            ours=of("unsharp_mask", **options), result="same", levels=4, macs=2 * taps(radius),
            peers={
                "OpenCV": peers.cv_many([blur], sharper, same=True),
                # scikit-image 0.26 takes the channel axis -1 for another one.
                "scikit-image": floats_only(peers.sk_channels(skimage.filters.unsharp_mask, last=2, **options)),
            },
        )  # fmt: skip
    grey = 128 / 255  # what a flat image becomes
    for name, kernel, delta, pillow_filter in (
        ("sharpen", kernels.sharpen(1.0), 0.0, ImageFilter.SHARPEN),
        ("emboss", kernels.emboss(225.0, 1.0), grey, ImageFilter.EMBOSS),
    ):
        step = peers.cv_kernel(kernel, delta=delta)
        yield Row(operation=name, family="sharpening", ours=of(name), peers={"OpenCV": peers.cv_one(step)})
        yield Row(
            operation=name, name=f"{name} to uint8", family="sharpening", ours=of(name), result="uint8", levels=1.01,
            cases=cases.of("uint8"),
            peers={"OpenCV": peers.cv_one(peers.cv_kernel(kernel, same=True, delta=delta), same=True),
                   "Pillow": pillow(pillow_filter)},
        )  # fmt: skip


def pillow(kernel):
    """It copies the pixels of the border."""

    def make(image, empty):
        picture = Image.fromarray(image)
        return Contender(lambda: picture.filter(kernel), cut=1)

    return make


def gabor():
    """Its waves run along the rows, so that both parts are a column times a row, for OpenCV, too."""
    kernel = skimage.filters.gabor_kernel(0.2)
    parts = [part[::-1, ::-1] for part in (kernel.real, kernel.imag)]  # which convolve
    factors = [imfilt.separate(part, rank=1) for part in parts]
    steps = [peers.cv_taps(one.columns[0], one.rows[0]) for one in factors]

    return Row(
        operation="gabor", name="gabor 0.2", family="texture",
        ours=lambda image, out: imfilt.gabor(image, 0.2, out=several(out)),
        peers={
            "OpenCV filter2D": peers.cv_several([peers.cv_kernel(part) for part in parts]),
            "OpenCV sepFilter2D": peers.cv_several(steps),
            "scikit-image": peers.sk_whole(skimage.filters.gabor, frequency=0.2),
        },
        tolerance=1e-4,
        cases=cases.of(grey=True), shape=lambda image: (2, *image.shape),
        macs=sum(kernel.shape),
    )  # fmt: skip
