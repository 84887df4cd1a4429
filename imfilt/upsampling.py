"""Larger and smaller images: upsampling as transposed convolution, and its anti-aliased twin."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from imfilt import interpolants
from imfilt._engine import chain, checks
from imfilt._engine.packed import kept
from imfilt._engine.recall import recalled, shortcut
from imfilt._engine.run import apply
from imfilt.convolution.resample import resample_kernel, resampled_size, taps_kernel, transposed_kernel
from imfilt.filters._text import fill

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import ArrayLike, DTypeLike

    Factor = int | float | str | Fraction
    Method = str | tuple[str, float] | ArrayLike

BYTE_NS = 0.3  # to copy one, to where pixels are shuffled
LARGEST_STRIDE = 1024  # of a gain map, which has as many numbers squared


@shortcut
@fill
def upscale(
    image: ArrayLike, factor: Factor | tuple[Factor, Factor], method: Method = "bicubic", *,
    mode: str = "nearest", cval: float = 0.0, weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False, dtype: DTypeLike | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Enlarge an image by a transposed convolution that interpolates.

    Parameters
    ----------
    %(image)s
    factor : number, str or (rows, columns)
        1 or more: a whole number or a fraction of whole numbers up to 64, as 3, 1.5, "3/2" or
        ``Fraction(3, 2)``; or one for the rows and one for the columns.
    method : str, (str, float) or array-like, optional
        How much the pixels of the source around a pixel of the result count:

        - "nearest", the nearest one (halfway between two, the second): repetition, for whole factors;
        - "bilinear", the two on each axis;
        - "bicubic", the four on each axis by Keys' function with a = -0.5 (Pillow); "bicubic-0.75",
          with a = -0.75 (OpenCV, PyTorch); ``("bicubic", a)``, with any a from -2 to 0;
        - "lanczos2", "lanczos3" (Pillow), "lanczos4", that many on each side, by a windowed sinc;
        - "mitchell", Mitchell and Netravali's cubic with B = C = 1/3, which smooths a little;
        - "bspline", the cubic B-spline, which smooths: there is no prefilter, so it does not go through the pixels;
        - "area" or "box", by how much of them lies under the pixel of the result: repetition, for whole factors;
        - an array, for whole factors: the kernel of a transposed convolution with stride `factor`, in
          two dimensions, or in one, for both axes. Its gains are taken as they are, see `upsample_gain`.
    %(border)s
    %(common)s

    Returns
    -------
    ndarray
        Of n * factor rows and columns, halves rounded up. Bicubic and Lanczos results overshoot at edges: floats
        are not clipped, integers are saturated.

    %(raises)s

    See Also
    --------
    downscale, upsample_kernel, conv_transpose2d

    Notes
    -----
    Pixel y of the result lies at (y + 1/2) / factor - 1/2 in the source, as in Pillow, OpenCV and PyTorch (with
    align_corners=False). The weights of a pixel are scaled to sum to 1, so that a constant image stays
    constant: exactly as 8-bit integers, up to rounding as floats.

    Whole factors are the transposed convolution with ``upsample_kernel(method, factor)`` and that
    stride; a fraction p/q is one with stride p of which every q-th pixel is computed. A kernel lies
    in the middle of the pixels that its pixel becomes; if of the stride and the size of the kernel
    one is odd, half a pixel further down or to the right.

    NaN and infinity reach every pixel of the result that has taps on them, though such a tap be 0, if others lie on
    both sides of it. uint8 from uint8 is within 0.6 of the exact value.

    Keys: "Cubic convolution interpolation for digital image processing", IEEE Transactions on Acoustics, Speech, and
    Signal Processing 29(6), 1981. Mitchell and Netravali: "Reconstruction filters in computer graphics", SIGGRAPH 1988.
    Duchon: "Lanczos filtering in one and two dimensions", Journal of Applied Meteorology 18(8), 1979.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> ramp = np.array([[0.0, 4.0, 8.0]])
    >>> imfilt.upscale(ramp, (1, 2), "bilinear")
    array([[0., 1., 3., 5., 7., 8.]])
    >>> imfilt.upscale(ramp, (1, "3/2"), "nearest")
    array([[0., 4., 4., 8., 8.]])
    >>> imfilt.upscale(np.zeros((40, 60, 3), np.uint8), 1.5, "lanczos3", dtype=np.uint8).shape
    (60, 90, 3)
    """
    given, name = (method, None) if isinstance(method, np.ndarray) else (None, method)
    array, (kernel, axis, size) = _call(image, (given,), name, factor, False, channel_axis)
    return apply(
        kernel, array, mode=mode, cval=cval, weights=weights, alpha=alpha, channel_axis=axis,
        rescale=not preserve_range, dtype=dtype, out=out, size=size,
    )  # fmt: skip


@recalled
def _call(image, arrays, method, factor, smaller, axis):
    """The kernel for an image, the axis of its channels, the size of the result."""
    array, axis = checks.as_image(image, axis)
    given = method if arrays[0] is None else arrays[0]
    factors = checks.pair(factor, "factor", checks.factor)
    chosen = checks.interpolation(given, interpolants.NAMES, not smaller)
    up, stride = zip(*factors, strict=True)
    if smaller:
        up, stride = stride, up
    if isinstance(chosen, np.ndarray):
        up, stride = checks.whole_factors(factors, "factor", "a kernel"), (1, 1)
        kernel = kept.get(taps_kernel if chosen.ndim == 1 else transposed_kernel, (chosen,), up)
    else:
        kernel = resample_kernel(chosen, up, stride)
    return array, (kernel, axis, resampled_size(checks.plane(array.shape, axis)[:2], up, stride))


@shortcut
@fill
def downscale(
    image: ArrayLike, factor: Factor | tuple[Factor, Factor], method: str | tuple[str, float] = "bicubic", *,
    mode: str = "nearest", cval: float = 0.0, weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False, dtype: DTypeLike | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Make an image smaller by a strided convolution that lets no high frequencies alias.

    Parameters
    ----------
    %(image)s
    factor : number, str or (rows, columns)
        1 or more, as that of `upscale`: 2 halves rows and columns, "3/2" leaves two thirds.
    method : str or (str, float), optional
        A method of `upscale`, except a kernel. The function is stretched by the factor. "area" (or
        "box") takes the mean of what a pixel of the result covers, pixels that are cut counting by
        what lies inside (OpenCV's INTER_AREA; for whole factors Pillow's BOX). "nearest" picks the
        pixel in the middle (of two, the second), and does alias.
    %(border)s
    %(common)s

    Returns
    -------
    ndarray
        Of n / factor rows and columns, halves rounded up, and one at least.

    %(raises)s

    See Also
    --------
    upscale, correlate

    Notes
    -----
    Away from the border this is what Pillow's ``resize`` and PyTorch's
    ``interpolate(..., antialias=True)`` compute. There, taps beyond the border are left out and the
    others scaled up; here, they lie on what `mode` says.

    What `upscale` says of constant images, overshoot and NaN holds; pixel y of the result lies at
    (y + 1/2) * factor - 1/2 in the source. ``correlate(..., stride=...)`` is the strided
    convolution with a kernel of one's own.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> imfilt.downscale(np.array([[0.0, 4.0, 8.0, 4.0]]), (1, 2), "area")
    array([[2., 6.]])
    >>> imfilt.downscale(np.zeros((40, 60, 3), np.uint8), 1.5, dtype=np.uint8).shape
    (27, 40, 3)
    """
    array, (kernel, axis, size) = _call(image, (None,), method, factor, True, channel_axis)
    return apply(
        kernel, array, mode=mode, cval=cval, weights=weights, alpha=alpha, channel_axis=axis,
        rescale=not preserve_range, dtype=dtype, out=out, size=size,
    )  # fmt: skip


def upsample_kernel(method: str | tuple[str, float], factor: Factor | tuple[Factor, Factor]) -> np.ndarray:
    """The kernel whose transposed convolution is `upscale`.

    Parameters
    ----------
    method : str or (str, float)
        A name that `upscale` knows, or ("bicubic", a).
    factor : int or (rows, columns)
        Whole numbers of 1 or more.

    Returns
    -------
    ndarray
        (rows, columns), float64. Rows and columns both are even for an even factor, and odd for an odd one.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above. A fraction has no single kernel.

    See Also
    --------
    upscale, upsample_gain, conv_transpose2d

    Notes
    -----
    ``conv_transpose2d(image, kernel[None, None], stride=factor, padding=p, mode="nearest")``, with p the half of what
    the kernel's size is more than the factor, is ``upscale(image, factor, method)`` for a grey image of floats.

    With K taps for a factor s, tap i is the interpolation function at (i - (K - 1) / 2) / s, scaled so
    that every s-th taps sum to 1.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> imfilt.upsample_kernel("bilinear", 2)[0]
    array([0.0625, 0.1875, 0.1875, 0.0625])
    >>> kernel, image = imfilt.upsample_kernel("bicubic", 3), np.random.default_rng(0).random((4, 5))
    >>> cut = (len(kernel) - 3) // 2
    >>> laid = imfilt.conv_transpose2d(image, kernel[None, None], stride=3, padding=cut, mode="nearest")
    >>> np.allclose(laid, imfilt.upscale(image, 3), atol=1e-14)
    True
    """
    chosen = checks.interpolation(method, interpolants.NAMES, False)
    factors = checks.whole_factors(checks.pair(factor, "factor", checks.factor), "factor", "one kernel")
    return np.outer(*(interpolants.transposed(chosen, one) for one in factors))


def upsample_gain(kernel: Method, stride: int | tuple[int, int]) -> np.ndarray:
    """What a transposed convolution makes of a constant image of ones: a checkerboard, unless all numbers are equal.

    Parameters
    ----------
    kernel : array-like, str or (str, float)
        (rows, columns); taps for both axes; or a method of `upscale`.
    stride : int or (rows, columns)

    Returns
    -------
    ndarray
        (stride of the rows, stride of the columns), float64: the sums of the taps of each phase.
        Phase (0, 0) is that of the first pixel of the whole result, before `padding` cuts any off.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    See Also
    --------
    upsample_kernel, conv_transpose2d

    Notes
    -----
    Strides that do not divide the size of the kernel leave some phases with fewer taps. That is why such
    layers of a network draw checkerboards (Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts",
    Distill, 2016). Where they do divide it, the sums can still differ.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> imfilt.upsample_gain(np.ones((3, 3)), 2)
    array([[4., 2.],
           [2., 1.]])
    >>> imfilt.upsample_gain(np.ones((4, 4)), 2)
    array([[4., 4.],
           [4., 4.]])
    """
    chosen = checks.interpolation(kernel, interpolants.NAMES, True, "kernel")
    steps = checks.steps(stride, "stride")
    for one in steps:
        checks.within(one, "stride", 1, LARGEST_STRIDE)
    if not isinstance(chosen, np.ndarray):
        chosen = upsample_kernel(chosen, steps)
    elif chosen.ndim == 1:
        chosen = np.outer(chosen, chosen)
    gain = np.zeros(steps)
    rows, columns = (np.arange(n) % step for n, step in zip(chosen.shape, steps, strict=True))
    np.add.at(gain, (rows[:, None], columns), chosen)
    return gain


def pixel_shuffle(image: ArrayLike, factor: int | tuple[int, int], *, channel_axis: int = -1) -> np.ndarray:
    """Spread channels over the pixels of a larger image: (H, W, C * r * r) to (H * r, W * r, C).

    Parameters
    ----------
    image : array-like
        (H, W, C * r * r), or (N, H, W, C * r * r), N images. Not changed.
    factor : int or (rows, columns)
        r, or one for the rows and one for the columns.
    channel_axis : int, optional
        Where the channels are. Those of the result are at the same place.

    Returns
    -------
    ndarray
        Of the dtype of the image: pixel (y * r + i, x * r + j) of channel c is pixel (y, x) of channel
        c * r * r + i * r + j, as PyTorch's ``pixel_shuffle`` has it.

    Raises
    ------
    TypeError, ValueError
        If the image is not as above, or r * r does not divide its channels.

    See Also
    --------
    pixel_unshuffle, conv_transpose2d

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> imfilt.pixel_shuffle(np.arange(8).reshape(1, 2, 4), 2)[..., 0]
    array([[0, 1, 4, 5],
           [2, 3, 6, 7]])
    """
    return _shuffled(*_spread(image, (), factor, channel_axis))


@recalled
def _spread(image, arrays, factor, axis):
    array, axis = checks.as_image(image, axis, True)
    (rows, columns, channels), (i, j) = checks.plane(array.shape, axis), checks.steps(factor, "factor")
    made = checks.shuffled_channels(channels, (i, j))
    sizes = {"n": array.shape[0], "h": rows, "w": columns, "c": made, "i": i, "j": j}
    return array, _shuffle(array.ndim, axis, sizes, {"c": "cij"}, {"h": "hi", "w": "wj"})


def pixel_unshuffle(image: ArrayLike, factor: int | tuple[int, int], *, channel_axis: int = -1) -> np.ndarray:
    """Gather the pixels of each r x r into channels: (H * r, W * r, C) to (H, W, C * r * r).

    Parameters
    ----------
    image : array-like
        (H * r, W * r), (H * r, W * r, C), or (N, H * r, W * r, C), N images. Not changed.
    factor, channel_axis
        As those of `pixel_shuffle`, which this undoes.

    Returns
    -------
    ndarray
        Of the dtype of the image.

    Raises
    ------
    TypeError, ValueError
        If the image is not as above, or r does not divide its rows and columns.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> imfilt.pixel_unshuffle(np.arange(8).reshape(2, 4), 2)
    array([[[0, 1, 4, 5],
            [2, 3, 6, 7]]])
    """
    return _shuffled(*_gathered(image, (), factor, channel_axis))


@recalled
def _gathered(image, arrays, factor, axis):
    array, axis = checks.as_image(image, axis, True)
    (rows, columns, channels), (i, j) = checks.plane(array.shape, axis), checks.steps(factor, "factor")
    checks.unshuffled_size((rows, columns), (i, j))
    sizes = {"n": array.shape[0], "h": rows // i, "w": columns // j, "c": channels, "i": i, "j": j}
    grey = axis is None
    return array, _shuffle(array.ndim + grey, 2 if grey else axis, sizes, {"h": "hi", "w": "wj"}, {"c": "cij"})


def _shuffle(dimensions, axis, sizes, apart, together):
    """Axes, by their letters, taken apart, put in another order and together again: shapes, order, what to copy."""
    letters = list("nhw"[4 - dimensions :])
    letters.insert(axis, "c")
    before = "".join(apart.get(one, one) for one in letters)
    after = [together.get(one, one) for one in letters]
    split, order = [sizes[one] for one in before], [before.index(one) for one in "".join(after)]
    # NumPy copies planes of one (i, j) up to three times as fast, unless channels of the result lie side by side.
    every = [slice(None)] * len(order)
    planes = [every]
    if "c" in together or sizes["c"] == 1:
        at = ["".join(after).index(one) for one in "ij"]
        planes = [every.copy() for _ in range(sizes["i"] * sizes["j"])]
        for plane, place in zip(planes, np.ndindex(sizes["i"], sizes["j"]), strict=True):
            for axis, index in zip(at, place, strict=True):
                plane[axis] = index
    return split, order, [tuple(one) for one in planes], [math.prod(sizes[one] for one in group) for group in after]


def _shuffled(array, axes):
    split, order, planes, shape = axes
    source = array.reshape(split).transpose(order)
    result = np.empty(source.shape, array.dtype)

    def copy(y0, y1):
        for plane in planes:
            result[y0:y1][plane] = source[y0:y1][plane]

    chain.each_band(copy, len(result), result.nbytes, result.nbytes * BYTE_NS)
    return result.reshape(shape)
