"""Edge operators: first derivatives and their magnitude, with scikit-image's names and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from imfilt import kernels
from imfilt._engine import checks
from imfilt._engine.recall import shortcut
from imfilt._engine.run import apply
from imfilt.convolution.direct import direct_kernel
from imfilt.convolution.gradient import gradient_kernel
from imfilt.convolution.separable import separable_kernel
from imfilt.filters._masks import shrink
from imfilt.filters._text import fill

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
    %(image)s
    mask : array-like of bool, optional
        (H, W). The result is 0 where it is false, and next to such pixels and the frame of
        the image, so that no pixel that is masked out has a part in the result. (With
        `weights` there is a result next to them, too.){axis}
    %(border)s
    gain : {{"scikit-image", "unit"}}, optional
        "unit" answers a ramp with its slope per pixel, and a magnitude is the length of the
        gradient, so that operators can be compared; otherwise factors are scikit-image's.
    %(common)s

    Returns
    -------
    ndarray
        Of the shape of the image: {returns}.

    %(raises)s

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
        return fill(function)

    return put


GAINS = ("scikit-image", "unit")
BOTH, ONE = (0, 1), ((0,), (1,))  # axes
CROSS = kernels.ROBERTS_POSITIVE, kernels.ROBERTS_NEGATIVE


def _factor(gain, usual, moment, directions):
    """The factor of a result: the usual one, or that for unit gain.

    An operator answers a ramp that rises by 1 a pixel in its direction with its `moment`, the sum of its taps
    times their places; the root mean square of two directions is the length of the gradient over sqrt(2).
    """
    return usual if gain == "scikit-image" else math.sqrt(directions) / moment


@lru_cache(maxsize=64)
def derivative_kernel(operator, axes, gain):
    """Correlation with an operator of kernels.py: its derivative along one axis, or the root mean square of both."""
    smooth, difference, usual = operator
    flipped = difference[::-1]  # the core correlates
    moment = math.fsum(smooth) * math.fsum(tap * (place - len(flipped) // 2) for place, tap in enumerate(flipped))
    factor = _factor(gain, usual, moment, len(axes))
    if len(axes) == 2:
        return gradient_kernel(smooth, difference, factor)
    return separable_kernel(*((flipped, smooth) if axes == (0,) else (smooth, flipped)), gain=factor)


@lru_cache(maxsize=64)
def cross_kernel(diagonals, gain):
    """Correlation with one of the lists of taps of Roberts' cross, or the root mean square of both."""
    moment = math.hypot(*(math.fsum(tap[axis] * tap[2] for tap in diagonals[0]) for axis in (0, 1)))
    return direct_kernel(*diagonals, gain=_factor(gain, 1.0, moment, len(diagonals)))


def _apply(kernel, image, mask, mode, cval, weights, alpha, channel_axis, preserve_range, dtype, out):
    finish = None
    if mask is not None:
        image, axis = checks.as_image(image, channel_axis)
        keep = shrink(checks.mask(mask, checks.plane(image.shape, axis)[:2]))

        def finish(result):
            (result[..., :-1] if alpha else result)[~keep] = 0

    return apply(
        kernel, image, mode=mode, cval=cval, weights=weights, alpha=alpha, channel_axis=channel_axis,
        rescale=not preserve_range, dtype=dtype, out=out, finish=finish,
    )  # fmt: skip


def _edges(operator, axis, image, mask, mode, cval, gain, *common):
    axes = BOTH if axis is None else ONE[axis] if type(axis) is int and 0 <= axis <= 1 else checks.spatial_axes(axis)
    kernel = derivative_kernel(operator, axes, checks.one_of(gain, "gain", GAINS))
    return _apply(kernel, image, mask, mode, cval, *common)


def _cross(diagonals, image, mask, mode, cval, gain, *common):
    kernel = cross_kernel(diagonals, checks.one_of(gain, "gain", GAINS))
    return _apply(kernel, image, mask, mode, cval, *common)


@shortcut
@_document("sqrt((h**2 + v**2) / 2), or the derivative", "array([0.   , 0.707, 0.707, 0.   ])")
def sobel(
    image: ArrayLike, mask: ArrayLike | None = None, *, axis: int | Sequence[int] | None = None,
    mode: str = "reflect", cval: float = 0.0, gain: str = "scikit-image", weights: ArrayLike | str | None = None,
    alpha: bool = False, channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(
        kernels.SOBEL, axis, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("positive where the image grows downwards", "array([0., 0., 0., 0.])")
def sobel_h(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    gain: str = "scikit-image", weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(
        kernels.SOBEL, 0, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("positive where the image grows to the right", "array([0., 1., 1., 0.])")
def sobel_v(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    gain: str = "scikit-image", weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(
        kernels.SOBEL, 1, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("sqrt((h**2 + v**2) / 2), or the derivative", "array([0.   , 0.707, 0.707, 0.   ])")
def scharr(
    image: ArrayLike, mask: ArrayLike | None = None, *, axis: int | Sequence[int] | None = None,
    mode: str = "reflect", cval: float = 0.0, gain: str = "scikit-image", weights: ArrayLike | str | None = None,
    alpha: bool = False, channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(
        kernels.SCHARR, axis, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("positive where the image grows downwards", "array([0., 0., 0., 0.])")
def scharr_h(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    gain: str = "scikit-image", weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(
        kernels.SCHARR, 0, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("positive where the image grows to the right", "array([0., 1., 1., 0.])")
def scharr_v(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    gain: str = "scikit-image", weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(
        kernels.SCHARR, 1, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("sqrt((h**2 + v**2) / 2), or the derivative", "array([0.   , 0.707, 0.707, 0.   ])")
def prewitt(
    image: ArrayLike, mask: ArrayLike | None = None, *, axis: int | Sequence[int] | None = None,
    mode: str = "reflect", cval: float = 0.0, gain: str = "scikit-image", weights: ArrayLike | str | None = None,
    alpha: bool = False, channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(
        kernels.PREWITT, axis, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("positive where the image grows downwards", "array([0., 0., 0., 0.])")
def prewitt_h(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    gain: str = "scikit-image", weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(
        kernels.PREWITT, 0, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("positive where the image grows to the right", "array([0., 1., 1., 0.])")
def prewitt_v(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    gain: str = "scikit-image", weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(
        kernels.PREWITT, 1, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("sqrt((h**2 + v**2) / 2), or the derivative", "array([0.078, 0.273, 0.273, 0.078])")
def farid(
    image: ArrayLike, mask: ArrayLike | None = None, *, axis: int | Sequence[int] | None = None,
    mode: str = "reflect", cval: float = 0.0, gain: str = "scikit-image", weights: ArrayLike | str | None = None,
    alpha: bool = False, channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(
        kernels.FARID, axis, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("positive where the image grows downwards", "array([0., 0., 0., 0.])")
def farid_h(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    gain: str = "scikit-image", weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(
        kernels.FARID, 0, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("positive where the image grows to the right", "array([0.11 , 0.386, 0.386, 0.11 ])")
def farid_v(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    gain: str = "scikit-image", weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _edges(
        kernels.FARID, 1, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("sqrt((p**2 + n**2) / 2)", "array([0., 1., 0., 0.])")
def roberts(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    gain: str = "scikit-image", weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _cross(
        CROSS, image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("image[y + 1, x + 1] - image[y, x] at pixel (y, x)", "array([0., 1., 0., 0.])")
def roberts_pos_diag(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    gain: str = "scikit-image", weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _cross(
        CROSS[:1], image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip


@shortcut
@_document("image[y + 1, x] - image[y, x + 1] at pixel (y, x)", "array([ 0., -1.,  0.,  0.])")
def roberts_neg_diag(
    image: ArrayLike, mask: ArrayLike | None = None, *, mode: str = "reflect", cval: float = 0.0,
    gain: str = "scikit-image", weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _cross(
        CROSS[1:], image, mask, mode, cval, gain, weights, alpha, channel_axis, preserve_range, dtype, out
    )  # fmt: skip
