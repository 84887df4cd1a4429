"""Compass operators: the strongest of the differences in eight directions."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from imfilt import kernels
from imfilt._engine import checks
from imfilt._engine.recall import shortcut
from imfilt._engine.run import apply
from imfilt.convolution.strongest import strongest_kernel
from imfilt.filters._text import fill

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


@cache
def _kernel(name):
    masks = kernels.compass(name).tolist()
    return strongest_kernel(tuple(tuple(map(tuple, mask)) for mask in masks), kernels.COMPASS[name][2])


@fill
def compass(
    image: ArrayLike, kernel: str = "kirsch", *, mode: str = "reflect", cval: float = 0.0,
    return_direction: bool = False, weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Edge strength by compass masks: the largest answer of eight, each turned by 45 degrees.

    Parameters
    ----------
    %(image)s
    kernel : {"kirsch", "prewitt", "robinson3", "robinson5"}, optional
        The mask that is turned; see Notes.
    %(border)s
    return_direction : bool, optional
        Also return which mask it was, at the cost of one pass for each.
    %(common)s

    Returns
    -------
    strength : ndarray
        Of the shape of the image.
    direction : ndarray of uint8
        Only with `return_direction`: 0 to 7, the direction in which the image grows, in
        eighths of a turn: 0 to the right, 2 downwards, 4 to the left, 6 upwards. It is the
        first of equals, and 0 where nothing is known.

    %(raises)s

    See Also
    --------
    gradient : the direction as an angle.

    Notes
    -----
    Where the image grows to the right the masks are::

        kirsch -3 -3  5   prewitt -1  1  1   robinson3 -1  0  1   robinson5 -1  0  1
               -3  0  5           -1 -2  1             -1  0  1             -2  0  2
               -3 -3  5           -1  1  1             -1  0  1             -1  0  1

    divided by 15, 5, 3 and 4: positive taps sum to 1. A step of 1 along a row or a column answers
    1, with "prewitt" 0.6. The largest answer has its sign, which can be negative with "kirsch" and
    "prewitt", whose eight masks are not four and their opposites. From R. Kirsch, "Computer
    determination of the constituent structure of biological images", Computers and Biomedical
    Research 4, 315-328, 1971; G. S. Robinson, "Edge detection by compass gradient masks",
    Computer Graphics and Image Processing 6, 492-501, 1977; W. K. Pratt, "Digital image processing".

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> step = np.repeat([[0.0, 0.0, 1.0, 1.0]], 4, axis=0)
    >>> strength, direction = imfilt.compass(step, "robinson5", return_direction=True)
    >>> strength[1], direction[1]
    (array([0., 1., 1., 0.]), array([0, 0, 0, 0], dtype=uint8))
    """
    strongest = _kernel(checks.one_of(kernel, "kernel", tuple(kernels.COMPASS)))
    options = {
        "mode": mode, "cval": cval, "channel_axis": channel_axis, "rescale": not preserve_range,
        "weights": weights, "alpha": alpha,
    }  # fmt: skip
    if not return_direction:
        return apply(strongest, image, dtype=dtype, out=out, **options)
    array = checks.as_image(image, channel_axis)[0]
    result = checks.result_type(dtype, out, array.dtype)
    if out is not None:
        checks.out_shape(out, array.shape)
    direction = _directions(strongest.parts, array, options)  # before `out`, which may be the image
    return apply(strongest, array, dtype=result, out=out, **options), direction


def _directions(parts, image, options):
    """Which of the kernels answers most, the first of equals."""
    real = checks.result_type(None, None, image.dtype)
    direction = np.zeros(image.shape, np.uint8)
    most = apply(parts[0], image, dtype=real, **options)
    for turn, part in enumerate(parts[1:], 1):
        answer = apply(part, image, dtype=real, **options)
        direction[answer > most] = turn
        np.maximum(most, answer, out=most)
    return direction


@shortcut
@fill
def kirsch(
    image: ArrayLike, *, mode: str = "reflect", cval: float = 0.0, weights: ArrayLike | str | None = None,
    alpha: bool = False, channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Edge strength by Kirsch's operator, the largest answer of eight masks.

    Parameters
    ----------
    %(image)s
    %(border)s
    %(common)s

    Returns
    -------
    ndarray
        Of the shape of the image. A step of 1 along a row or a column answers 1.

    %(raises)s

    See Also
    --------
    compass : also with other masks, and the direction.

    Notes
    -----
    Taps 5 on three neighbouring pixels of the eight around one, -3 on the others, over 15, from
    R. Kirsch, "Computer determination of the constituent structure of biological images",
    Computers and Biomedical Research 4, 315-328, 1971.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> step = np.repeat([[0.0, 0.0, 1.0, 1.0]], 4, axis=0)
    >>> imfilt.kirsch(step)[1].round(3) + 0.0
    array([0. , 1. , 0.6, 0. ])
    """
    return apply(
        _kernel("kirsch"), image, mode=mode, cval=cval, weights=weights, alpha=alpha, channel_axis=channel_axis,
        rescale=not preserve_range, dtype=dtype, out=out,
    )  # fmt: skip
