"""Edge operators: first derivatives and their magnitude, with scikit-image's names and numbers."""

import math

import numpy as np

from imfilt import kernels
from imfilt._engine import checks
from imfilt._engine.run import apply
from imfilt.convolution.direct import direct_kernel
from imfilt.convolution.gradient import gradient_kernel
from imfilt.convolution.separable import separable_kernel

_PARAMETERS = """
    Parameters
    ----------
    image : array-like
        Grey (H, W), or with channels (H, W, C), which are filtered one by one. Of any
        boolean, integer or real dtype; it is not changed.
    mask : array-like of bool, optional
        (H, W). The result is 0 where it is false, and next to such pixels and the frame of
        the image, so that no pixel that is masked out has a part in the result.
    {axis}mode : str, optional
        What lies beyond the border of ``a b c d``: "reflect" (``b a | a b c d | d c``),
        "mirror" (``c b | a b c d | c b``), "nearest" (``a a | a b c d | d d``), "wrap"
        (``c d | a b c d | a b``) or "constant". Aliases: symmetric, edge, replicate,
        circular, zeros, reflect101, grid-mirror, grid-wrap, grid-constant.
    cval : float, optional
        The constant of mode "constant", on the scale of the result.
    channel_axis : int or None, optional
        Where the channels of a three-dimensional image are. None says that there are none.
    preserve_range : bool, optional
        Take integers as they are. By default they are scaled as ``img_as_float`` does, so
        that the largest number of their dtype is 1.
    dtype : dtype, optional
        Of the result. By default float64 for float64 and for 32- and 64-bit integers, else
        float32. An integer dtype receives the result at full scale (uint8: times 255),
        rounded half to even and saturated.
    out : ndarray, optional
        Receives the result; its dtype is then the result's. It may be `image`.

    Returns
    -------
    ndarray
        {returns}

    Raises
    ------
    TypeError
        If the dtype of the image is complex or object, or an argument has the wrong type.
    ValueError
        If the image is not two-dimensional with or without channels, or an argument is out
        of its range. Nothing has been written then.
"""

_AXIS = """axis : int or sequence of int, optional
        0 for the derivative down the rows, 1 for the one along them, both signed; None or
        both for the magnitude.
    """

_MAGNITUDE = "Edge magnitude, of the shape of the image: sqrt((h**2 + v**2) / 2)."
_SIGNED = "The derivative, of the shape of the image; positive where the image grows {}."


def _document(summary, notes, axis="", returns=_MAGNITUDE, name="sobel"):
    """The docstring of an edge operator: they share all but these."""
    example = f"""
    Examples
    --------
    >>> import numpy as np, imfilt
    >>> step = np.repeat([[0.0, 0.0, 1.0, 1.0]], 3, axis=0)
    >>> imfilt.{name}(step).shape
    (3, 4)
    """
    text = f"{summary}\n{_PARAMETERS.format(axis=axis, returns=returns)}\n    Notes\n    -----\n    {notes}\n{example}"

    def put(function):
        function.__doc__ = text
        return function

    return put


def _shrink(mask):
    """The mask less its 8-neighbourhood's edge: what lies beyond the image counts as masked."""
    padded = np.pad(mask, 1)
    rows = padded[:-2] & padded[1:-1] & padded[2:]
    return rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]


def _apply(kernel, image, mask, mode, cval, channel_axis, preserve_range, dtype, out):
    finish = None
    if mask is not None:
        array, axis = checks.as_image(image, channel_axis)
        shape = array.shape if axis is None else tuple(np.delete(array.shape, axis))
        keep, image = _shrink(checks.mask(mask, shape)), array

        def finish(result):
            result[~keep] = 0

    return apply(
        kernel, image, mode=mode, cval=cval, channel_axis=channel_axis, rescale=not preserve_range,
        dtype=dtype, out=out, finish=finish,
    )  # fmt: skip


def _derivative(operator, axis):
    """The kernel of a signed derivative. Correlation taps are the flipped convolution taps."""
    smooth, difference, gain = operator
    flipped = difference[::-1]
    return separable_kernel(*((flipped, smooth) if axis == 0 else (smooth, flipped)), gain)


def _edges(operator, image, mask, axis, mode, cval, channel_axis, preserve_range, dtype, out):
    if axis is None:
        smooth, difference, gain = operator
        kernel = gradient_kernel(smooth, difference, gain / math.sqrt(2))
    else:
        axes = checks.spatial_axes(axis)
        if len(axes) == 2:
            return _edges(operator, image, mask, None, mode, cval, channel_axis, preserve_range, dtype, out)
        kernel = _derivative(operator, axes[0])
    return _apply(kernel, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("Edge magnitude, or a derivative, by the Sobel operator.", """Smoothing taps [1, 2, 1] / 4, difference taps [1, 0, -1].""", _AXIS, name="sobel")
def sobel(
    image, mask=None, *, axis=None, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    return _edges(kernels.SOBEL, image, mask, axis, mode, cval, channel_axis, preserve_range, dtype, out)


@_document(
    "Derivative down the rows, which answers horizontal edges, by the Sobel operator.",
    """Smoothing taps [1, 2, 1] / 4, difference taps [1, 0, -1].""", returns=_SIGNED.format("downwards"), name="sobel_h",
)  # fmt: skip
def sobel_h(
    image, mask=None, *, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    return _edges(kernels.SOBEL, image, mask, 0, mode, cval, channel_axis, preserve_range, dtype, out)


@_document(
    "Derivative along the rows, which answers vertical edges, by the Sobel operator.",
    """Smoothing taps [1, 2, 1] / 4, difference taps [1, 0, -1].""", returns=_SIGNED.format("to the right"), name="sobel_v",
)  # fmt: skip
def sobel_v(
    image, mask=None, *, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    return _edges(kernels.SOBEL, image, mask, 1, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("Edge magnitude, or a derivative, by the Scharr operator.", """Smoothing taps [3, 10, 3] / 16, difference taps [1, 0, -1]: nearer to rotation
    invariance than Sobel's.""", _AXIS, name="scharr")
def scharr(
    image, mask=None, *, axis=None, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    return _edges(kernels.SCHARR, image, mask, axis, mode, cval, channel_axis, preserve_range, dtype, out)


@_document(
    "Derivative down the rows, which answers horizontal edges, by the Scharr operator.",
    """Smoothing taps [3, 10, 3] / 16, difference taps [1, 0, -1]: nearer to rotation
    invariance than Sobel's.""", returns=_SIGNED.format("downwards"), name="scharr_h",
)  # fmt: skip
def scharr_h(
    image, mask=None, *, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    return _edges(kernels.SCHARR, image, mask, 0, mode, cval, channel_axis, preserve_range, dtype, out)


@_document(
    "Derivative along the rows, which answers vertical edges, by the Scharr operator.",
    """Smoothing taps [3, 10, 3] / 16, difference taps [1, 0, -1]: nearer to rotation
    invariance than Sobel's.""", returns=_SIGNED.format("to the right"), name="scharr_v",
)  # fmt: skip
def scharr_v(
    image, mask=None, *, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    return _edges(kernels.SCHARR, image, mask, 1, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("Edge magnitude, or a derivative, by the Prewitt operator.", """Smoothing taps [1, 1, 1] / 3, difference taps [1, 0, -1].""", _AXIS, name="prewitt")
def prewitt(
    image, mask=None, *, axis=None, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    return _edges(kernels.PREWITT, image, mask, axis, mode, cval, channel_axis, preserve_range, dtype, out)


@_document(
    "Derivative down the rows, which answers horizontal edges, by the Prewitt operator.",
    """Smoothing taps [1, 1, 1] / 3, difference taps [1, 0, -1].""", returns=_SIGNED.format("downwards"), name="prewitt_h",
)  # fmt: skip
def prewitt_h(
    image, mask=None, *, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    return _edges(kernels.PREWITT, image, mask, 0, mode, cval, channel_axis, preserve_range, dtype, out)


@_document(
    "Derivative along the rows, which answers vertical edges, by the Prewitt operator.",
    """Smoothing taps [1, 1, 1] / 3, difference taps [1, 0, -1].""", returns=_SIGNED.format("to the right"), name="prewitt_v",
)  # fmt: skip
def prewitt_v(
    image, mask=None, *, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    return _edges(kernels.PREWITT, image, mask, 1, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("Edge magnitude, or a derivative, by the Farid and Simoncelli operator.", """Five taps each way, from H. Farid and E. P. Simoncelli, "Differentiation of discrete
    multidimensional signals", IEEE Transactions on Image Processing 13(4), 496-508, 2004.""", _AXIS, name="farid")
def farid(
    image, mask=None, *, axis=None, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    return _edges(kernels.FARID, image, mask, axis, mode, cval, channel_axis, preserve_range, dtype, out)


@_document(
    "Derivative down the rows, which answers horizontal edges, by the Farid and Simoncelli operator.",
    """Five taps each way, from H. Farid and E. P. Simoncelli, "Differentiation of discrete
    multidimensional signals", IEEE Transactions on Image Processing 13(4), 496-508, 2004.""", returns=_SIGNED.format("downwards"), name="farid_h",
)  # fmt: skip
def farid_h(
    image, mask=None, *, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    return _edges(kernels.FARID, image, mask, 0, mode, cval, channel_axis, preserve_range, dtype, out)


@_document(
    "Derivative along the rows, which answers vertical edges, by the Farid and Simoncelli operator.",
    """Five taps each way, from H. Farid and E. P. Simoncelli, "Differentiation of discrete
    multidimensional signals", IEEE Transactions on Image Processing 13(4), 496-508, 2004.""", returns=_SIGNED.format("to the right"), name="farid_v",
)  # fmt: skip
def farid_v(
    image, mask=None, *, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    return _edges(kernels.FARID, image, mask, 1, mode, cval, channel_axis, preserve_range, dtype, out)


@_document(
    "Edge magnitude by Roberts' cross operator.",
    """The responses belong to the corner between four pixels; they are put at the upper left.""",
    returns="Edge magnitude, of the shape of the image: sqrt((p**2 + n**2) / 2).", name="roberts",
)  # fmt: skip
def roberts(
    image, mask=None, *, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    kernel = direct_kernel(kernels.ROBERTS_POSITIVE, kernels.ROBERTS_NEGATIVE, gain=1 / math.sqrt(2))
    return _apply(kernel, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document(
    "Difference along the positive diagonal, by Roberts' cross operator.",
    """The responses belong to the corner between four pixels; they are put at the upper left.""",
    returns="image[y + 1, x + 1] - image[y, x] at pixel (y, x).", name="roberts_pos_diag",
)  # fmt: skip
def roberts_pos_diag(
    image, mask=None, *, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    kernel = direct_kernel(kernels.ROBERTS_POSITIVE)
    return _apply(kernel, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document(
    "Difference along the negative diagonal, by Roberts' cross operator.",
    """The responses belong to the corner between four pixels; they are put at the upper left.""",
    returns="image[y + 1, x] - image[y, x + 1] at pixel (y, x).", name="roberts_neg_diag",
)  # fmt: skip
def roberts_neg_diag(
    image, mask=None, *, mode="reflect", cval=0.0,
    channel_axis=-1, preserve_range=False, dtype=None, out=None,
):  # fmt: skip
    kernel = direct_kernel(kernels.ROBERTS_NEGATIVE)
    return _apply(kernel, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)
