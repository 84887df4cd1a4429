"""Edge operators: first derivatives and their magnitude, with scikit-image's names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from imfilt import kernels
from imfilt._engine import checks
from imfilt._engine.run import apply
from imfilt.convolution.direct import direct_kernel
from imfilt.convolution.gradient import gradient_kernel
from imfilt.convolution.separable import separable_kernel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

_PAPER = """Five taps each way, from H. Farid and E. P. Simoncelli, "Differentiation of discrete
    multidimensional signals", IEEE Transactions on Image Processing 13(4), 496-508, 2004."""
_CORNER = """The responses belong to the corner between four pixels; they are put at the upper left."""
_NOTES = {
    "sobel": "Smoothing taps [1, 2, 1] / 4, difference taps [1, 0, -1].",
    "scharr": """Smoothing taps [3, 10, 3] / 16, difference taps [1, 0, -1]: nearer to rotation
    invariance than Sobel's.""",
    "prewitt": "Smoothing taps [1, 1, 1] / 3, difference taps [1, 0, -1].",
    "farid": _PAPER,
    "roberts": _CORNER,
}
_AXIS = """
    axis : int or sequence of int, optional
        0 for the derivative down the rows, 1 for the one along them, both signed; None or
        both for the magnitude."""
_TEXT = """{summary}

    Parameters
    ----------
    image : array-like
        Grey (H, W), or with channels (H, W, C), which are filtered one by one. Of any
        boolean, integer or real dtype; it is not changed.
    mask : array-like of bool, optional
        (H, W). The result is 0 where it is false, and next to such pixels and the frame of
        the image, so that no pixel that is masked out has a part in the result.{axis}
    mode : str, optional
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
        Of the shape of the image: {returns}.

    Raises
    ------
    TypeError
        If the dtype of the image is complex or object, or an argument has the wrong type.
    ValueError
        If the image is not two-dimensional with or without channels, or an argument is out
        of its range. Nothing has been written then.

    Notes
    -----
    {notes}

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> step = np.repeat([[0.0, 0.0, 1.0, 1.0]], 4, axis=0)
    >>> imfilt.{name}(step)[1].round(3) + 0.0
    {example}
    """


def _document(returns, example):
    """Decorator: the docstring of an edge operator, of which most is the same for all."""

    def put(function):
        family, _, part = function.__name__.partition("_")
        titles = {"farid": "the Farid and Simoncelli operator", "roberts": "Roberts' cross"}
        by = titles.get(family, f"the {family.capitalize()} operator")
        what = {
            "": "Edge magnitude" + (", or a derivative," if "axis" in function.__annotations__ else ""),
            "h": "Derivative down the rows, which answers horizontal edges,",
            "v": "Derivative along the rows, which answers vertical edges,",
            "pos_diag": "Difference along the diagonal from upper left to lower right",
            "neg_diag": "Difference along the diagonal from upper right to lower left",
        }[part]
        function.__doc__ = _TEXT.format(
            summary=f"{what} by {by}.",
            axis=_AXIS if "axis" in function.__annotations__ else "",
            returns=returns, notes=_NOTES[family], name=function.__name__, example=example,
        )  # fmt: skip
        return function

    return put


def _shrink(mask):
    """The mask without its outermost pixels, 8-connected; beyond the image all is masked out."""
    padded = np.pad(mask, 1)
    rows = padded[:-2] & padded[1:-1] & padded[2:]
    return rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]


def _apply(kernel, image, mask, mode, cval, channel_axis, preserve_range, dtype, out):
    finish = None
    if mask is not None:
        image, axis = checks.as_image(image, channel_axis)
        shape = tuple(n for i, n in enumerate(image.shape) if i != axis)
        keep = _shrink(checks.mask(mask, shape))

        def finish(result):
            result[~keep] = 0

    return apply(
        kernel, image, mode=mode, cval=cval, channel_axis=channel_axis, rescale=not preserve_range,
        dtype=dtype, out=out, finish=finish,
    )  # fmt: skip


def _edges(operator, axis, image, mask, mode, cval, channel_axis, preserve_range, dtype, out):
    smooth, difference, gain = operator
    axes = checks.spatial_axes(axis)
    if len(axes) == 2:
        kernel = gradient_kernel(smooth, difference, gain)
    else:
        flipped = difference[::-1]  # the core correlates
        kernel = separable_kernel(*((flipped, smooth) if axes == (0,) else (smooth, flipped)), gain=gain)
    return _apply(kernel, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


_ROBERTS = direct_kernel(kernels.ROBERTS_POSITIVE, kernels.ROBERTS_NEGATIVE)
_ROBERTS_POSITIVE = direct_kernel(kernels.ROBERTS_POSITIVE)
_ROBERTS_NEGATIVE = direct_kernel(kernels.ROBERTS_NEGATIVE)


@_document("sqrt((h**2 + v**2) / 2), or the derivative", "array([0.   , 0.707, 0.707, 0.   ])")
def sobel(
    image: ArrayLike, mask: ArrayLike | None = None, *, axis: int | Sequence[int] | None = None,
    mode: str = "reflect", cval: float = 0.0, channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(kernels.SOBEL, axis, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("positive where the image grows downwards", "array([0., 0., 0., 0.])")
def sobel_h(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(kernels.SOBEL, 0, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("positive where the image grows to the right", "array([0., 1., 1., 0.])")
def sobel_v(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(kernels.SOBEL, 1, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("sqrt((h**2 + v**2) / 2), or the derivative", "array([0.   , 0.707, 0.707, 0.   ])")
def scharr(
    image: ArrayLike, mask: ArrayLike | None = None, *, axis: int | Sequence[int] | None = None,
    mode: str = "reflect", cval: float = 0.0, channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(kernels.SCHARR, axis, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("positive where the image grows downwards", "array([0., 0., 0., 0.])")
def scharr_h(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(kernels.SCHARR, 0, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("positive where the image grows to the right", "array([0., 1., 1., 0.])")
def scharr_v(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(kernels.SCHARR, 1, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("sqrt((h**2 + v**2) / 2), or the derivative", "array([0.   , 0.707, 0.707, 0.   ])")
def prewitt(
    image: ArrayLike, mask: ArrayLike | None = None, *, axis: int | Sequence[int] | None = None,
    mode: str = "reflect", cval: float = 0.0, channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(kernels.PREWITT, axis, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("positive where the image grows downwards", "array([0., 0., 0., 0.])")
def prewitt_h(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(kernels.PREWITT, 0, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("positive where the image grows to the right", "array([0., 1., 1., 0.])")
def prewitt_v(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(kernels.PREWITT, 1, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("sqrt((h**2 + v**2) / 2), or the derivative", "array([0.078, 0.273, 0.273, 0.078])")
def farid(
    image: ArrayLike, mask: ArrayLike | None = None, *, axis: int | Sequence[int] | None = None,
    mode: str = "reflect", cval: float = 0.0, channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(kernels.FARID, axis, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("positive where the image grows downwards", "array([0., 0., 0., 0.])")
def farid_h(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(kernels.FARID, 0, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("positive where the image grows to the right", "array([0.11 , 0.386, 0.386, 0.11 ])")
def farid_v(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(kernels.FARID, 1, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("sqrt((p**2 + n**2) / 2)", "array([0., 1., 0., 0.])")
def roberts(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _apply(_ROBERTS, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("image[y + 1, x + 1] - image[y, x] at pixel (y, x)", "array([0., 1., 0., 0.])")
def roberts_pos_diag(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _apply(_ROBERTS_POSITIVE, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)


@_document("image[y + 1, x] - image[y, x + 1] at pixel (y, x)", "array([ 0., -1.,  0.,  0.])")
def roberts_neg_diag(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _apply(_ROBERTS_NEGATIVE, image, mask, mode, cval, channel_axis, preserve_range, dtype, out)
