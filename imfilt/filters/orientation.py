"""The gradient in polar form: how steep an image is, and in which direction it grows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imfilt import kernels
from imfilt._engine import chain, checks, isa, plan
from imfilt._engine.recall import recalled
from imfilt._engine.run import apply, single_step
from imfilt.filters._text import fill
from imfilt.filters.edges import CROSS, GAINS, cross_kernel, derivative_kernel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

OPERATORS = {"sobel": kernels.SOBEL, "scharr": kernels.SCHARR, "prewitt": kernels.PREWITT, "farid": kernels.FARID}
BYTE_NS = 0.2  # for one byte of a result, both made on one thread, at least


@fill
def gradient(
    image: ArrayLike, operator: str = "sobel", *, mode: str = "reflect", cval: float = 0.0,
    gain: str = "scikit-image", weights: ArrayLike | str | None = None, alpha: bool = False,
    channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Edge magnitude, and the direction in which the image grows.

    Parameters
    ----------
    %(image)s
    operator : {"sobel", "scharr", "prewitt", "farid", "roberts"}, optional
        What takes the derivatives.
    %(border)s
    gain : {"scikit-image", "unit"}, optional
        Of the magnitude: scikit-image's, or "unit" for the slope per pixel.
    %(weights)s
    %(channels)s
    dtype : dtype, optional
        Of both results, a floating-point one. By default float64 for float64 and for 32- and
        64-bit integers, else float32.
    out : tuple of two ndarrays, optional
        Receive the results; they share no memory with `image`.

    Returns
    -------
    magnitude : ndarray
        Of the shape of the image: what the function with the name of the operator returns.
    orientation : ndarray
        Of that shape: arctan2(down, along), in radians from -pi to pi. Rows count downwards,
        so it turns clockwise: 0 where pixels to the right are brighter, pi / 2 where those
        below are, pi on the left, -pi / 2 above. An edge runs at right angles to it. 0 where
        both derivatives are.

    %(raises)s

    See Also
    --------
    compass : the strongest of eight directions.

    Notes
    -----
    With `alpha` the alpha channel of both results is that of the image.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> ramp = np.arange(4.0)[:, None] + np.arange(4.0)  # grows to the lower right
    >>> magnitude, orientation = imfilt.gradient(ramp, gain="unit")
    >>> magnitude[1, 1].round(3), np.degrees(orientation[1, 1])
    (np.float64(1.414), np.float64(45.0))
    """
    array, call = _call(image, (), operator, mode, cval, gain, channel_axis, preserve_range, dtype, isa.core)
    outs = checks.outputs(out, 2, dtype, array)
    if call.steps and weights is None and alpha is False:
        results = [np.empty(array.shape, call.result) if one is None else one for one in outs]
        if out is None or all(one.dtype == call.result and one.flags.carray for one in outs):
            return _together(call, array, *results)
    for one in outs:
        if one is not None:
            checks.float_type(dtype, one, array.dtype)
    magnitude, orientation = (
        apply(
            kernel, array, mode=mode, cval=cval, weights=weights, alpha=alpha, channel_axis=call.axis,
            rescale=not preserve_range, dtype=dtype, out=one,
        ) for kernel, one in zip(call.kernels, outs, strict=True)
    )  # fmt: skip
    along, down = (one if call.axis is None else np.moveaxis(one, call.axis, -1) for one in (magnitude, orientation))
    if alpha:
        along, down = along[..., :-1], down[..., :-1]
    _polar(down, along, call.diagonal, call.factor)
    return magnitude, orientation


class Call(NamedTuple):
    """What arguments mean that have passed the checks."""

    kernels: tuple  # of the derivatives along and down, or along both diagonals
    axis: int | None  # of the channels
    diagonal: bool
    factor: float  # of the length
    result: np.dtype
    steps: tuple  # of the derivatives; () if one sweep of the image as it is does not do for each


@recalled
def _call(image, arrays, operator, mode, cval, gain, channel_axis, preserve_range, dtype, core):
    operator = checks.one_of(operator, "operator", (*OPERATORS, "roberts"))
    gain = checks.one_of(gain, "gain", GAINS)
    array, axis = checks.as_image(image, channel_axis)
    result = checks.float_type(dtype, None, array.dtype)
    diagonal = operator == "roberts"
    if diagonal:
        first, second = (cross_kernel((one,), gain) for one in CROSS)
    else:
        first, second = (derivative_kernel(OPERATORS[operator], (one,), gain) for one in (0, 1))
    # The sum and the difference of diagonal derivatives are longer than they are.
    factor = (1.0 if gain == "unit" else math.sqrt(0.5)) * (math.sqrt(0.5) if diagonal else 1.0)
    steps = []
    for kernel in (second, first):
        step = single_step(
            kernel, array, mode=mode, cval=cval, channel_axis=axis, rescale=not preserve_range, dtype=dtype
        )
        if step is not None and result.itemsize >= 4:
            steps.append(replace(step, frame=step.frame._replace(streamed=False)))
    return array, Call((second, first), axis, diagonal, factor, result, tuple(steps) if len(steps) == 2 else ())


def _together(call, array, along, down):
    """Both results in bands of rows, which are in cache from their derivatives to the end."""

    def work(y0, y1):
        for step, result in zip(call.steps, (along, down), strict=True):
            getattr(isa.core, step.loop)(array, result, step.frame, *step.taps, y0, y1)
        isa.core.polar(down[y0:y1], along[y0:y1], call.diagonal, call.factor)

    plan.tell(call.steps)
    chain.each_band(work, len(array), along.nbytes, along.nbytes * BYTE_NS)
    return along, down


def _polar(first, second, diagonal, factor):
    """In place: a derivative down becomes the angle, one along the length times a factor.

    Diagonal ones are those to the lower right and to the lower left.
    """
    real = np.promote_types(first.dtype, np.float32)

    def work(y0, y1):
        parts = [one[y0:y1] for one in (first, second)]
        given = [np.ascontiguousarray(part, real) for part in parts]
        isa.core.polar(*given, diagonal, factor)
        for part, made in zip(parts, given, strict=True):
            if part is not made:
                part[...] = made

    chain.each_band(work, len(first), first.nbytes, first.nbytes * BYTE_NS)
