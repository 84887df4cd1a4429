"""Sharpening, and relief."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from imfilt import kernels
from imfilt._engine import checks, dtypes
from imfilt._engine.plan import Kernel, Stage
from imfilt._engine.recall import recalled, shortcut
from imfilt._engine.run import apply
from imfilt.convolution.direct import NONE, direct_kernel
from imfilt.convolution.separable import indices, separable_kernel, taps
from imfilt.convolution.single import ways_for
from imfilt.filters._text import fill

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

TRUNCATE = 4.0
MIDDLE_GREY = 128 / 255
_SAME = direct_kernel(((0, 0, 1.0),))


MOST = 1e9  # beyond, float32 has no digits left for the image itself


def _strength(value, name):
    return checks.within(checks.real_number(value, name), name, -MOST, MOST)


@lru_cache(maxsize=256)
def _unsharp(sigmas, amount):
    checks.kernel_size(sigmas, TRUNCATE, (0, 0))
    column, row = (kernels.gaussian(sigma, TRUNCATE) for sigma in sigmas)
    return separable_kernel((1.0,), (1 + amount,), tuple((-amount * column).tolist()), tuple(row.tolist()))


@fill
def unsharp_mask(
    image: ArrayLike, radius: float | Sequence[float] = 1.0, amount: float = 1.0, preserve_range: bool = False, *,
    mode: str = "reflect", cval: float = 0.0, weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Sharpen: add what a Gaussian would take away.

    Parameters
    ----------
    %(image)s
    radius : float or two floats, optional
        Standard deviation of the Gaussian in pixels, or one for the rows' direction and one for the columns'
        (vertical, horizontal). 0 leaves that axis alone.
    amount : float, optional
        How much of the difference of the image and the smoothed one is added; negative to smooth.
    %(border)s
    %(common)s

    Returns
    -------
    ndarray
        Of the shape of the image. Clipped to [0, 1], or to [-1, 1] if any pixel of the image is negative; with
        `preserve_range` not clipped.

    %(raises)s

    See Also
    --------
    sharpen, gaussian

    Notes
    -----
    image + amount * (image - gaussian(image, radius, truncate=4)), as ``skimage.filters.unsharp_mask`` has it, in one
    sweep. That one's channel_axis must count from the front: for -1 it returns memory that was never set (0.26).

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> step = np.repeat([[0.2, 0.2, 0.2, 0.8, 0.8, 0.8]], 3, axis=0)
    >>> imfilt.unsharp_mask(step, radius=0.5)[1].round(3)
    array([0.2  , 0.2  , 0.136, 0.864, 0.8  , 0.8  ])
    """
    sigmas = checks.pair(radius, "radius", checks.not_negative)
    kernel = _unsharp(sigmas, _strength(amount, "amount"))
    array, axis = checks.as_image(image, channel_axis)
    clip = {}
    if not preserve_range:
        clip["clip"] = (-1.0 if _any_negative(array) else 0.0, 1.0)
    return apply(
        kernel, array, mode=mode, cval=cval, weights=weights, alpha=alpha, channel_axis=axis,
        rescale=not preserve_range, dtype=dtype, out=out, **clip,
    )  # fmt: skip


def _any_negative(array):
    """NaN is not; nothing of the image's size is made to find out."""
    return array.dtype.kind in "if" and np.fmin.reduce(array, axis=None, initial=0) < 0


@lru_cache(maxsize=64)
def _sharpen(amount, source, result):
    return ways_for(kernels.sharpen(amount), source, result).kernels["direct"]


@shortcut
@fill
def sharpen(
    image: ArrayLike, amount: float = 1.0, *, mode: str = "reflect", cval: float = 0.0,
    weights: ArrayLike | str | None = None, alpha: bool = False, channel_axis: int | None = -1,
    preserve_range: bool = False, dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Sharpen with 3 x 3 taps: add how much a pixel differs from its eight neighbours.

    Parameters
    ----------
    %(image)s
    amount : float, optional
        How much of the difference of a pixel and the mean of its neighbours is added.
    %(border)s
    %(common)s

    Returns
    -------
    ndarray
        Of the shape of the image. It is not clipped, but an integer dtype saturates.

    %(raises)s

    See Also
    --------
    unsharp_mask

    Notes
    -----
    The taps are 1 + amount in the centre and -amount / 8 around it. An amount of 1 is Pillow's ``ImageFilter.SHARPEN``,
    except that Pillow copies the pixels of the border.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> spot = np.zeros((3, 3))
    >>> spot[1, 1] = 1
    >>> imfilt.sharpen(spot)
    array([[-0.125, -0.125, -0.125],
           [-0.125,  2.   , -0.125],
           [-0.125, -0.125, -0.125]])
    """
    amount = _strength(amount, "amount")
    array, axis = checks.as_image(image, channel_axis)
    return apply(
        _sharpen(amount, array.dtype, checks.result_type(dtype, out, array.dtype)), array, mode=mode, cval=cval,
        weights=weights, alpha=alpha, channel_axis=axis, rescale=not preserve_range, dtype=dtype, out=out,
    )  # fmt: skip


@lru_cache(maxsize=64)
def _emboss(angle, strength, offset):
    """The taps, and a number that is added, in the units of the source."""
    kernel = kernels.emboss(angle, strength)
    at = np.argwhere(kernel)
    places = [(row, column, 0) for row, column in at] + [(0, 0, -1)]
    numbers = taps([*kernel[at[:, 0], at[:, 1]], offset])
    arrays = indices(places), numbers, indices([0, len(numbers)]), NONE, False
    stage = Stage("direct", arrays, 3, 3, 1, 1, work=len(numbers), rate=0.02)
    return Kernel((stage,), halo=(1, 1, 1, 1), name="direct")


@recalled
def _relief(image, arrays, angle, strength, offset, preserve_range, axis):
    """The kernel for an image, that without the offset, this, and the axis of the channels."""
    angle, offset = checks.real_number(angle, "angle"), checks.real_number(offset, "offset")
    strength = _strength(strength, "strength")
    array, axis = checks.as_image(image, axis)
    full = 1.0 if preserve_range else dtypes.full_scale(array.dtype)
    return array, (_emboss(angle, strength, offset * full), _emboss(angle, strength, 0.0), offset, axis)


@shortcut
@fill
def emboss(
    image: ArrayLike, angle: float = 225.0, strength: float = 1.0, offset: float = MIDDLE_GREY, *,
    mode: str = "reflect", cval: float = 0.0, weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False, dtype: DTypeLike | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Relief: what is bright stands out from grey, lit from one side.

    Parameters
    ----------
    %(image)s
    angle : float, optional
        Where the light comes from, in degrees counterclockwise from the right: 225 is the lower left.
    strength : float, optional
        Factor of the relief.
    offset : float, optional
        What a flat image becomes, on the scale of the result: 128 of 255 if not given, and with `preserve_range` to be
        given.
    %(border)s
    %(common)s

    Returns
    -------
    ndarray
        Of the shape of the image. It is not clipped, but an integer dtype saturates.

    %(raises)s

    Notes
    -----
    offset + strength * (a pixel less its neighbour towards the light), that neighbour on the ring of eight,
    interpolated between the nearest two. The default is Pillow's ``ImageFilter.EMBOSS``, as it looks: a pixel less
    the one to its lower left. (Pillow turns kernels upside down, so that its list of taps has the upper left one; and
    it copies the pixels of the border.)

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> spot = np.zeros((3, 3), np.uint8)
    >>> spot[1, 1] = 100
    >>> imfilt.emboss(spot, dtype=np.uint8)
    array([[128, 128,  28],
           [128, 228, 128],
           [128, 128, 128]], dtype=uint8)
    """
    array, (kernel, relief, offset, axis) = _relief(image, (), angle, strength, offset, preserve_range, channel_axis)
    scale = {"channel_axis": axis, "rescale": not preserve_range}
    if weights is None and not alpha:
        return apply(kernel, array, mode=mode, cval=cval, dtype=dtype, out=out, **scale)

    def add(values):  # what is added is not weighted
        values[..., : -1 if alpha else None] += offset

    kernel, to = relief, {"dtype": dtype, "out": out}
    if checks.result_type(dtype, out, array.dtype).kind == "f":
        return apply(kernel, array, mode=mode, cval=cval, weights=weights, alpha=alpha, finish=add, **to, **scale)
    if out is not None:
        checks.out_shape(out, array.shape)
    values = apply(kernel, array, mode=mode, cval=cval, weights=weights, alpha=alpha, finish=add, **scale)
    return apply(_SAME, values, mode=mode, cval=cval, **to, **scale)  # rounded last
