"""Runs a plan: arrays in, planes and bands through the core, an array out."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from imfilt._engine import borders, checks, isa, plan, recall, spectral, threads, weighted


def apply(
    kernel, image, *, mode, cval, channel_axis=-1, rescale=False, dtype=None, out=None, finish=None,
    size=None, channels=None, spare=None, weights=None, alpha=False, clip=plan.NOT_CLIPPED,
):  # fmt: skip
    """The image under a kernel.

    Parameters
    ----------
    kernel : Kernel
    image : array-like
        (H, W), or three dimensions with channels on `channel_axis`; four with images first, for a kernel that
        makes channels of its own.
    mode, cval
        The border; `cval` in the units of the rescaled image.
    rescale : bool
        Read integers as fractions of their full scale, and write them so.
    dtype : dtype, optional
        Of the result.
    out : ndarray, optional
        Where the result goes; it may be the image, or share memory with it.
    finish : callable, optional
        Called with the result, as (H, W) or (H, W, C), before `out` is touched for good.
    size : tuple of int, optional
        Rows and columns of the result; those of the image if not given.
    channels : int, optional
        Of the result, for a kernel that makes channels of its own. One channel of a grey image
        is a grey image.
    spare : Kernel, optional
        Takes the place of a kernel that the plan would transform, when the image holds NaN or infinity.
    weights : array-like or "finite", optional
        How much each pixel counts, see weighted.py.
    alpha : bool, optional
        The last channel says how much the others count.
    clip : tuple of two floats, optional
        The least and the most that a result may be, in its units before an integer's full scale.

    Returns
    -------
    ndarray
        `out`, or a new C-contiguous array.
    """
    parameters = mode, cval, channel_axis, rescale, dtype, clip, size, channels, isa.core
    known, given, told = None, image, recall.listener()
    if is_plain := weights is None and alpha is False:
        known = (kernel.calls.run if finish is None and told is None else kernel.calls.find)(image, out, parameters)
        if type(known) is np.ndarray:
            return known
    if known is None:
        array, known = _checked(
            kernel, image, mode, cval, channel_axis, rescale, dtype, out, size, channels, spare, weights, alpha, clip
        )
        if is_plain and known.lasting:
            kernel.calls.keep(image, out, parameters, known, *_function(known))
        image = array
    axis = known.axis
    plan.tell(known.steps)

    target = out
    if out is None:
        target = np.empty(known.shape, known.result)
    elif not (known.native and out.flags.carray) or checks.may_overlap(out, image):
        checks.out_shape(out, known.shape)
        if not _fits(out, axis, channels is not None) or checks.may_overlap(out, image):
            target = np.empty(known.shape, known.result)
    if known.counted:
        weighted.apply(
            kernel, image, axis, target, known.size, weights=weights, alpha=alpha, mode=mode, cval=known.cval,
            rescale=rescale, clip=clip,
        )  # fmt: skip
    elif known.empty:
        pass
    elif channels is not None:
        _mixed(known.steps, image, target, axis)
    elif axis == 0:  # planes one after the other: grey images
        for source, one in zip(image, target, strict=True):
            _run(known.steps, source, one)
    elif axis == 1:
        for c in range(image.shape[1]):
            _run(known.steps, image[:, c], target[:, c])
    else:
        _run(known.steps, image, target)
    if finish is not None:
        finish(target if axis is None else np.moveaxis(target, axis, -1))
    if told is not None:
        told.append((given, target, _function(known) if is_plain and known.lasting and finish is None else ()))
    if out is not None and target is not out:
        out[...] = target
        return out
    return target


class Call(NamedTuple):
    """What arguments mean that have passed the checks. It does not depend on pixels if it is `lasting`."""

    steps: tuple
    axis: int | None  # of the channels
    shape: tuple  # of the result
    result: np.dtype
    size: tuple  # rows and columns of the result
    cval: float
    native: bool  # `out`, if there is one, has the machine's order of bytes
    empty: bool
    counted: bool  # pixels have weights
    lasting: bool


def _checked(
    kernel, image, mode, cval, channel_axis, rescale, dtype, out, size, channels, spare, weights, alpha, clip
):  # fmt: skip
    """The image as an array, and what the call is."""
    array, axis = checks.as_image(image, channel_axis, channels is not None)
    cval = checks.constant(cval)
    border = borders.code(mode, cval)
    result = checks.result_type(dtype, out, array.dtype)
    if size is None and channels is None:
        shape, size = array.shape, _plane_shape(array.shape, axis)[:2]
    else:
        shape, size = _result_shape(array.shape, axis, size, channels)
    if out is not None:
        checks.out_shape(out, shape)
    mixed = channels is not None
    plane = _last(array.shape, axis)[-3:] if mixed and axis is not None else _plane_shape(array.shape, axis)
    call = plane, array.dtype, result, border, cval, rescale, size, isa.core.LANES
    counted = weights is not None or (alpha is not False and checks.flag(alpha, "alpha"))
    steps, lasting = (), not counted
    if not counted:
        steps = plan.make(kernel, *call, clip=clip).steps
        if spare is not None and steps[0].loop == "fft":
            lasting = False
            if not (np.isfinite(cval) and np.isfinite(array).all()):
                steps = plan.make(spare, *call, clip=clip).steps
    native = out is None or out.dtype.isnative
    return array, Call(steps, axis, shape, result, size, cval, native, 0 in shape, counted, lasting)


def _only(call):
    """The only sweep of a call, or None: where it is more than one of the image as it is."""
    is_one = len(call.steps) == 1 and call.steps[0].loop != "fft"
    return call.steps[0] if is_one and not call.empty and len(call.shape) < 4 and call.axis in (None, 2) else None


def _function(call):
    """The shape and the dtype of the result, and what makes it: a loop and its arguments. () if threads may help."""
    step = _only(call)
    if step is None or step.cost > plan.SERIAL_NS or len(step.bands) > 1:
        return ()
    return call.shape, call.result, getattr(isa.core, step.loop), (step.frame, *step.taps, *step.bands[0])


def single_step(kernel, image, *, mode, cval, channel_axis, rescale, dtype):
    """The only sweep of a call like that of `apply`, or None: where it is more than one of the image as it is."""
    _, call = _checked(
        kernel, image, mode, cval, channel_axis, rescale, dtype, None, None, None, None, None, False, plan.NOT_CLIPPED
    )
    return _only(call)


def _plane_shape(shape, axis):
    """Rows, columns and channels of what one sweep sees: channels that are not last are planes."""
    if axis == 2:
        return shape
    return (*shape, 1) if axis is None else (shape[1 - axis], shape[2], 1)


def _last(shape, axis):
    """The shape with its channels last."""
    return (*shape[:axis], *shape[axis + 1 :], shape[axis])


def _result_shape(shape, axis, size, channels):
    """The shape of a result of `size` rows and columns (or those of the image), and these."""
    if axis is None:
        size = size or shape
        return (size if channels in (None, 1) else (*size, channels)), size
    moved = _last(shape, axis)
    size = size or moved[-3:-1]
    result = [*moved[:-3], *size]
    result.insert(axis, moved[-1] if channels is None else channels)
    return tuple(result), size


def _fits(out, axis, mixed):
    """Whether the core can write into `out`: native, aligned, the pixels of a row packed."""
    if not (out.flags.aligned and out.dtype.isnative):
        return False
    item, strides, shape = out.itemsize, out.strides, out.shape
    if (axis is not None and axis == out.ndim - 1) or (axis is None and out.ndim == 3):
        return (strides[-1] == item or shape[-1] == 1) and (strides[-2] == shape[-1] * item or shape[-2] == 1)
    return not (mixed and axis is not None) and (strides[-1] == item or shape[-1] == 1)


def _mixed(steps, array, target, axis):
    """Channels of the result from all those of the image: pixels hold theirs side by side."""
    if axis is None or (array.ndim == 3 and axis == 2):
        _run(steps, array, target)
        return
    moved = np.moveaxis(array, axis, -1)
    packed = target if axis == array.ndim - 1 else np.empty(_last(target.shape, axis), target.dtype)
    for source, one in zip(moved, packed, strict=True) if array.ndim == 4 else [(moved, packed)]:
        _run(steps, source, one)
    if packed is not target:
        target[...] = np.moveaxis(packed, -1, axis)


def _run(steps, source, result):
    """All steps on one plane; what is between two steps is small, and dropped at once."""
    for step in steps:
        target = result
        if step is not steps[-1]:
            target = np.empty(step.shape + source.shape[2:], step.dtype)
        function: Callable = spectral.correlate if step.loop == "fft" else getattr(isa.core, step.loop)
        if step.cost <= plan.SERIAL_NS:
            for y0, y1 in step.bands:
                function(source, target, step.frame, *step.taps, y0, y1)
        else:

            def work(y0, y1, function=function, source=source, target=target, step=step):
                function(source, target, step.frame, *step.taps, y0, y1)

            count = threads.count()
            threads.run(work, step.bands if count > 1 else step.whole, count)
        source = target
