"""Rows: deconvolution, beside scikit-image, SciPy's transforms and OpenCV."""

import cv2
import numpy as np
import scipy.fft
import skimage.restoration

import imfilt
from benchmarks import cases, peers
from benchmarks.rows import Contender, Row

SIZE, BALANCE, ITERATIONS = 5, 0.1, 10
PSF = np.ones((SIZE, SIZE), "f4") / SIZE**2
IMAGES = (
    *(cases.Case(*size, channels) for size in (cases.THUMBNAIL, cases.SCREEN) for channels in (1, 3)),
    cases.Case(*cases.UHD),
    cases.Case(*cases.SCREEN, 1, "float64"),
    cases.Case(480, 641),
)


def rows():
    yield Row(
        operation="wiener", family="restoration", cases=IMAGES, tolerance=1e-3,
        ours=lambda image, out: imfilt.wiener(image, PSF, BALANCE, out=out),
        peers={"SciPy fft": scipy_wiener, "scikit-image": scikit_image("wiener", BALANCE)},
    )  # fmt: skip
    yield Row(
        operation="richardson_lucy", name=f"richardson_lucy {ITERATIONS}", family="restoration", cases=IMAGES,
        tolerance=1e-3, ours=lambda image, out: imfilt.richardson_lucy(image, PSF, ITERATIONS, out=out),
        # In each iteration two correlations, which are separable here, a quotient and a product.
        macs=4 * SIZE * ITERATIONS,
        peers={"OpenCV": opencv_richardson_lucy, "scikit-image": scikit_image("richardson_lucy", ITERATIONS)},
    )  # fmt: skip


def scikit_image(name, argument):
    run = peers.per_channel(lambda plane: getattr(skimage.restoration, name)(plane, PSF, argument))
    return lambda image, empty: Contender(lambda: run(image))


def scipy_wiener(image, empty):
    """In the image's own precision, where imfilt computes in double."""

    def transfer(response, size):
        plane = np.zeros(size, image.dtype)
        plane[: response.shape[0], : response.shape[1]] = response
        return scipy.fft.rfft2(np.roll(plane, [-(n // 2) for n in response.shape], (0, 1)))

    def restore(plane):
        blur = transfer(PSF, plane.shape)
        rough = transfer(np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]), plane.shape)
        power = blur.real**2 + blur.imag**2 + plane.dtype.type(BALANCE) * (rough.real**2 + rough.imag**2)
        spectrum = scipy.fft.rfft2(plane)
        spectrum *= np.conj(blur)
        spectrum /= power
        return np.clip(scipy.fft.irfft2(spectrum, plane.shape, overwrite_x=True), -1, 1)

    run = peers.per_channel(restore)
    return Contender(lambda: run(image))


def opencv_richardson_lucy(image, empty):
    """The blur by boxFilter: that of this point spread function is a mean, and cheaper so than as a kernel."""
    estimate, ratio, correction = (empty(image.shape, image.dtype) for _ in range(3))

    def mean(source, out):
        return cv2.boxFilter(source, -1, (SIZE, SIZE), dst=out, borderType=cv2.BORDER_CONSTANT)

    def run():
        estimate[...] = 0.5
        for _ in range(ITERATIONS):
            mean(estimate, ratio)
            np.add(ratio, 1e-12, out=ratio)
            cv2.divide(image, ratio, dst=ratio)
            mean(ratio, correction)
            cv2.multiply(estimate, correction, dst=estimate)
        return np.clip(estimate, -1, 1, out=estimate)

    return Contender(run)
