"""Blurs by shapes: rectangles, lines, discs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from imfilt import kernels
from imfilt._engine import checks
from imfilt._engine.plan import Kernel, Stage
from imfilt._engine.recall import shortcut
from imfilt._engine.run import apply
from imfilt.convolution.separable import factors_stage
from imfilt.convolution.single import ways_for
from imfilt.filters._text import fill

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

LARGEST_SIZE = 10_000  # what is kept of the rows of a rectangle grows with its area
DOUBLE_FOR_16_BITS = 257.0  # times 2**16 is more than 2**24, times 2**8 it is not
LARGEST_LENGTH = 2000
LARGEST_RADIUS = 1000


@lru_cache(maxsize=256)
def _rectangle(size, origin):
    """The mean over a rectangle; its first pixel lies size // 2 + origin from that of the result."""
    (rows, columns), (top, left) = size, (n // 2 + o for n, o in zip(size, origin, strict=True))
    frame = {"rows": rows, "columns": columns, "top": top, "left": left}
    # Sums of whole numbers, which stay exact. In single precision a 16-bit mean is off by 2**-7 at most; one of
    # an odd number of pixels lies 1 / (2 * count) from halves, and one of 2**k pixels is exact. Others are taken in
    # double, to tell which of two levels is nearer.
    count = rows * columns
    single = count < 64 if count % 2 else count & (count - 1) == 0
    options = {"gain": 1 / count, "reach": float(count) if single else max(float(count), DOUBLE_FOR_16_BITS)}
    options["halo"] = top, rows - 1 - top, left, columns - 1 - left
    separable = Kernel(
        (factors_stage(np.ones((1, rows)), np.ones((1, columns)), (1, 1), frame),), **options, name="separable"
    )  # fmt: skip
    stage = Stage("box", (), **frame, work=9, rate=0.05, bytes_rate=0.0, loading=0.5)
    return Kernel((stage,), **options, others=(separable,), name="box")


@shortcut
@fill
def uniform(
    image: ArrayLike, size: int | Sequence[int] = 3, *, mode: str = "reflect", cval: float = 0.0,
    origin: int | Sequence[int] = 0, weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False, dtype: DTypeLike | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """The mean over a rectangle around each pixel, at a cost that hardly depends on its size; also called `box`.

    Parameters
    ----------
    %(image)s
    size : int or two ints, optional
        Pixels of the rectangle's sides, rows and columns: 1 to 10000.
    %(border)s
    origin : int or two ints, optional
        Moves the rectangle up and to the left by so many pixels. At 0 it begins size // 2 pixels before the pixel
        of the result.
    %(common)s

    Returns
    -------
    ndarray
        Of the shape of the image.

    %(raises)s

    See Also
    --------
    gaussian, disk_blur

    Notes
    -----
    The numbers are those of ``scipy.ndimage.uniform_filter``, and of OpenCV's ``blur``. Pillow's ``BoxBlur(radius)``
    is size 2 * radius + 1 with mode "nearest". Sums of integers are exact; a mean that lies halfway between two
    integers may become either, where the rectangle has an even number of pixels. Each is a sum of its own
    pixels only: NaN and infinity do not reach farther than the rectangle, and errors do not add up along the rows.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> step = np.repeat([[0.0, 0.0, 0.0, 3.0, 3.0]], 3, axis=0)
    >>> imfilt.uniform(step, 3)[1].round(3)
    array([0., 0., 1., 2., 3.])
    """
    if type(size) is int and 1 <= size <= LARGEST_SIZE and type(origin) is int and origin == 0:
        kernel = _rectangle((size, size), (0, 0))  # what most calls are
    else:
        sizes = checks.pair(size, "size", _side)
        kernel = _rectangle(sizes, checks.origin(origin, sizes))
    return apply(
        kernel, image, mode=mode, cval=cval, weights=weights, alpha=alpha,
        channel_axis=channel_axis, rescale=not preserve_range, dtype=dtype, out=out,
    )  # fmt: skip


box = uniform


def _side(value, name):
    return checks.within(checks.at_least(value, name, 1), name, 1, LARGEST_SIZE)


@lru_cache(maxsize=64)
def _line(length, angle, source, result):
    return ways_for(kernels.line(length, angle), source, result)


@lru_cache(maxsize=64)
def _disk(radius, source, result):
    return ways_for(kernels.disk(radius), source, result)


@shortcut
@fill
def motion_blur(
    image: ArrayLike, length: float, angle: float = 0.0, *, mode: str = "nearest", cval: float = 0.0,
    weights: ArrayLike | str | None = None, alpha: bool = False, channel_axis: int | None = -1,
    preserve_range: bool = False, dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Blur along a line, as a camera that moves.

    Parameters
    ----------
    %(image)s
    length : float
        Of the line in pixels, 1 to 2000.
    angle : float, optional
        Its direction, in degrees counterclockwise from the right.
    %(border)s
    %(common)s

    Returns
    -------
    ndarray
        Of the shape of the image.

    %(raises)s

    See Also
    --------
    uniform, disk_blur

    Notes
    -----
    The weight of a pixel is how much of it lies under a rectangle of `length` x 1 about the centre, turned by `angle`,
    over the rectangle's area. At 0 and 90 degrees an odd length is the mean of so many pixels.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> spot = np.zeros((3, 5))
    >>> spot[1, 2] = 1
    >>> imfilt.motion_blur(spot, 2).round(2)
    array([[0.  , 0.  , 0.  , 0.  , 0.  ],
           [0.  , 0.25, 0.5 , 0.25, 0.  ],
           [0.  , 0.  , 0.  , 0.  , 0.  ]])
    """
    length = checks.within(checks.real_number(length, "length"), "length", 1, LARGEST_LENGTH)
    angle = checks.real_number(angle, "angle") % 180
    array, axis = checks.as_image(image, channel_axis)
    ways = _line(length, angle, array.dtype, checks.result_type(dtype, out, array.dtype))
    return apply(
        ways.auto, array, mode=mode, cval=cval, weights=weights, alpha=alpha, channel_axis=axis,
        rescale=not preserve_range, dtype=dtype, out=out, spare=ways.without_fft,
    )  # fmt: skip


@shortcut
@fill
def disk_blur(
    image: ArrayLike, radius: float, *, mode: str = "nearest", cval: float = 0.0,
    weights: ArrayLike | str | None = None, alpha: bool = False, channel_axis: int | None = -1,
    preserve_range: bool = False, dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """The mean over a disc around each pixel, as a lens that is out of focus.

    Parameters
    ----------
    %(image)s
    radius : float
        Of the disc in pixels, up to 1000; up to 0.5 it lies in one pixel, and nothing is blurred.
    %(border)s
    %(common)s

    Returns
    -------
    ndarray
        Of the shape of the image.

    %(raises)s

    See Also
    --------
    uniform, gaussian

    Notes
    -----
    The weight of a pixel is how much of it lies under the disc, over the disc's area, exactly: there are no steps at
    its edge, and the radius may be any number.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> spot = np.zeros((3, 3))
    >>> spot[1, 1] = 1
    >>> imfilt.disk_blur(spot, 1).round(3)
    array([[0.025, 0.145, 0.025],
           [0.145, 0.318, 0.145],
           [0.025, 0.145, 0.025]])
    """
    radius = checks.within(checks.real_number(radius, "radius"), "radius", 0, LARGEST_RADIUS)
    array, axis = checks.as_image(image, channel_axis)
    ways = _disk(radius, array.dtype, checks.result_type(dtype, out, array.dtype))
    return apply(
        ways.auto, array, mode=mode, cval=cval, weights=weights, alpha=alpha, channel_axis=axis,
        rescale=not preserve_range, dtype=dtype, out=out, spare=ways.without_fft,
    )  # fmt: skip
