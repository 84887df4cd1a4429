"""Separable correlation: columns of taps, then rows of taps, in one sweep."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from imfilt._engine import checks
from imfilt._engine.packed import kept
from imfilt._engine.plan import Kernel, Stage
from imfilt._engine.recall import recalled, shortcut
from imfilt._engine.run import apply

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


def taps(values):
    """Taps as the core reads them: contiguous float64, not to be changed."""
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


def indices(values):
    """Indices as the core reads them, not to be changed."""
    array = np.ascontiguousarray(values, dtype=np.intp)
    array.flags.writeable = False
    return array


def factors_stage(columns, rows, dilation, frame):
    """Correlation with a sum of columns times rows, (terms, taps) each."""
    arrays = terms(zip(columns, rows, strict=True), dilation)
    return Stage("separable", arrays, **frame, work=(len(arrays[0]) + len(arrays[1])) / 2, rate=0.06)


def terms(pairs, dilation=(1, 1)):
    """Pairs of a column and a row as the core reads them: taps, the places of these, where each term begins."""
    columns, rows = zip(*pairs, strict=True)
    (column, down, tall), (row, along, wide) = _packed(columns, dilation[0]), _packed(rows, dilation[1])
    return column, row, down, along, tall, wide


def _packed(factors, dilation):
    factors = [np.asarray(one, np.float64) for one in factors]
    used = [_used(one) for one in factors]
    numbers = np.concatenate([one[at] for one, at in zip(factors, used, strict=True)])
    return taps(numbers), indices(np.concatenate(used) * dilation), indices(np.cumsum([0, *map(len, used)]))


def _used(factor):
    """The taps that are not 0, in the order in which the core takes them: what those would multiply by 0 may be NaN.

    Odd taps go in pairs, which leave out the one in the middle by themselves; the positive end comes first,
    so that equal pixels give 0 and not -0.
    """
    used = np.flatnonzero(factor)
    count = len(factor)
    if len(used) == count - 1 and count % 2 and (factor == -factor[::-1]).all():
        return np.arange(count)[:: 1 if factor[0] > 0 else -1]
    return used if len(used) else np.zeros(1, np.intp)


@lru_cache(maxsize=512)
def separable_kernel(*factors, gain=1.0):
    """Correlation with the sum of the outer products of columns and rows of taps, all odd and centred.

    Parameters
    ----------
    *factors : tuple of float
        Taps down the rows and along them, and again for each further term.
    gain : float
        Factor of the result. Kept apart, so that integer taps stay exact.

    Returns
    -------
    Kernel
    """
    columns, rows = _centred(factors[::2]), _centred(factors[1::2])
    top, left = columns.shape[1] // 2, rows.shape[1] // 2
    frame = {"rows": columns.shape[1], "columns": rows.shape[1], "top": top, "left": left}
    stage = factors_stage(columns, rows, (1, 1), frame)
    return Kernel((stage,), gain, halo=(top, top, left, left), name="separable")


def _centred(factors):
    """Taps of odd lengths in rows of one length, zeros around the shorter ones."""
    longest = max(map(len, factors))
    return np.array([np.pad(one, (longest - len(one)) // 2) for one in factors], np.float64)


@shortcut
def separable(
    image: ArrayLike, column: ArrayLike, row: ArrayLike, *, mode: str = "reflect", cval: float = 0.0,
    origin: int | tuple[int, int] = 0, dilation: int | tuple[int, int] = 1, stride: int | tuple[int, int] = 1,
    channel_axis: int | None = -1, dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Correlate an image with a column of taps and a row of taps, in one sweep.

    That is `correlate` with their outer product, for rows + columns products a pixel instead of rows x columns.

    Parameters
    ----------
    image : array-like
        Grey (H, W), or with channels (H, W, C), which are filtered one by one. Not changed.
    column, row : array-like
        Taps down the rows and along them; or (terms, taps), as `separate` gives them, for the sum of the products.
    mode, cval, origin, dilation, stride, channel_axis, dtype, out
        As those of `correlate`.

    Returns
    -------
    ndarray
        Of the shape of the image, or of its ceil(n / stride) rows and columns. Numbers are not rescaled.

    Raises
    ------
    TypeError, ValueError
        As `correlate`.

    See Also
    --------
    separate, correlate, depthwise_separable_conv2d

    Notes
    -----
    Results have the same bits on every machine. They lie within (taps + 4) * eps * sum|w||x| of the exact ones,
    with the sum over the magnitudes of all terms.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> ramp = np.arange(5.0) * np.ones((3, 1))
    >>> imfilt.separable(ramp, [1, 2, 1], [-1, 0, 1])[1]
    array([4., 8., 8., 8., 4.])
    """
    array, (kernel, axis, size) = _call(image, (column, row), origin, dilation, stride, channel_axis)
    return apply(kernel, array, mode=mode, cval=cval, channel_axis=axis, dtype=dtype, out=out, size=size)


@recalled
def _call(image, arrays, origin, dilation, stride, axis):
    """The kernel for an image, the axis of its channels, the size of the result."""
    array, axis = checks.as_image(image, axis)
    column, row = arrays
    columns, rows = checks.one_dimensional(column, "column"), checks.one_dimensional(row, "row")
    checks.terms(columns, rows)
    steps, distances = checks.steps(stride, "stride"), checks.steps(dilation, "dilation")
    spans = tuple(d * (taps.shape[1] - 1) + 1 for taps, d in zip((columns, rows), distances, strict=True))
    moved = checks.origin(origin, spans)
    size = tuple(-(-n // s) for n, s in zip(checks.plane(array.shape, axis)[:2], steps, strict=True))
    return array, (kept.get(_kernel, (columns, rows), distances, steps, spans, moved), axis, size)


def _kernel(columns, rows, dilation, stride, spans, origin):
    (tall, wide), (top, left) = spans, (n // 2 + o for n, o in zip(spans, origin, strict=True))
    frame = {"rows": tall, "columns": wide, "top": top, "left": left, "stride": stride}
    whole = (columns == np.rint(columns)).all() and (rows == np.rint(rows)).all()
    reach = float(np.abs(columns).sum(axis=1) @ np.abs(rows).sum(axis=1)) if whole else 0.0
    stage = factors_stage(columns, rows, dilation, frame)
    return Kernel((stage,), halo=(top, tall - 1 - top, left, wide - 1 - left), reach=reach, name="separable")
