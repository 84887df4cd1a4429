"""The gradient in polar form: how steep an image is, and in which direction it grows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from imfilt import kernels
from imfilt._engine import checks, isa, plan, threads
from imfilt._engine.run import apply, single_step
from imfilt.filters._text import fill
from imfilt.filters.edges import CROSS, GAINS, cross_kernel, derivative_kernel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

OPERATORS = {"sobel": kernels.SOBEL, "scharr": kernels.SCHARR, "prewitt": kernels.PREWITT, "farid": kernels.FARID}
BAND_NUMBERS = 1 << 15  # in a second-level cache
NUMBER_NS = 1.5  # for one number in both results, on one thread


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
    operator = checks.one_of(operator, "operator", (*OPERATORS, "roberts"))
    gain = checks.one_of(gain, "gain", GAINS)
    array, axis = checks.as_image(image, channel_axis)
    if operator == "roberts":
        first, second = (cross_kernel((diagonal,), gain) for diagonal in CROSS)
    else:
        first, second = (derivative_kernel(OPERATORS[operator], (one,), gain) for one in (0, 1))
    outs = checks.outputs(out, 2, dtype, array)
    for one in outs:
        if one is None or one.dtype.kind != "f":
            checks.float_type(dtype, one, array.dtype)
    options = {
        "mode": mode, "cval": cval, "weights": weights, "alpha": alpha, "channel_axis": axis,
        "rescale": not preserve_range, "dtype": dtype,
    }  # fmt: skip
    diagonal = operator == "roberts"
    # The sum and the difference of diagonal derivatives are longer than they are.
    factor = (1.0 if gain == "unit" else math.sqrt(0.5)) * (math.sqrt(0.5) if diagonal else 1.0)
    made = _together((second, first), array, outs, options, diagonal, factor)
    if made is not None:
        return made
    magnitude, orientation = (
        apply(kernel, array, out=one, **options) for kernel, one in zip((second, first), outs, strict=True)
    )
    views = (one if axis is None else np.moveaxis(one, axis, -1) for one in (orientation, magnitude))
    a, b = (one[..., :-1] if alpha else one for one in views)
    _polar(a, b, diagonal, factor)
    return magnitude, orientation


def _together(kernels, array, outs, options, diagonal, factor):
    """Both results in bands of rows, in cache from their derivatives to the end; None where that cannot be."""
    options = dict(options)
    if options.pop("weights") is not None or options.pop("alpha") or array.size < BAND_NUMBERS:
        return None
    steps, results = zip(
        *(single_step(kernel, array, out=one, **options) for kernel, one in zip(kernels, outs, strict=True)),
        strict=True,
    )
    if None in steps or any(one.dtype.itemsize < 4 or not one.flags.carray for one in results):
        return None
    if results[0].dtype != results[1].dtype:
        return None
    steps = [replace(step, frame=step.frame._replace(streamed=False)) for step in steps]
    loops = [getattr(isa.core, step.loop) for step in steps]
    along, down = results

    def work(y0, y1):
        for loop, step, result in zip(loops, steps, results, strict=True):
            loop(array, result, step.frame, *step.taps, y0, y1)
        isa.core.polar(down[y0:y1], along[y0:y1], diagonal, factor)

    rows = max(1, BAND_NUMBERS // array[:1].size)
    bands = [(y, min(y + rows, len(array))) for y in range(0, len(array), rows)]
    threads.run(work, bands, threads.count())
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

    if first.size * NUMBER_NS <= plan.SERIAL_NS:
        work(0, len(first))
        return
    rows = max(1, BAND_NUMBERS // max(1, first[:1].size))
    bands = [(y, min(y + rows, len(first))) for y in range(0, len(first), rows)]
    threads.run(work, bands, threads.count())
