"""Runs a plan: arrays in, planes and bands through the core, an array out."""

import numpy as np

from imfilt._engine import borders, checks, isa, plan, threads


def apply(
    kernel, image, *, mode, cval, channel_axis=-1, rescale=False, dtype=None, out=None, finish=None
):  # fmt: skip
    """The image under a kernel.

    Parameters
    ----------
    kernel : Kernel
    image : array-like
        (H, W), or three dimensions with channels on `channel_axis`.
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

    Returns
    -------
    ndarray
        `out`, or a new C-contiguous array.
    """
    array, axis = checks.as_image(image, channel_axis)
    cval = cval if type(cval) is float else checks.constant(cval)
    border = borders.code(mode, cval)
    result = checks.result_type(dtype, out, array.dtype)
    if out is not None:
        checks.out_shape(out, array.shape)
    steps = plan.make(kernel, _plane_shape(array.shape, axis), array.dtype, result, border, cval, rescale).steps

    target = out
    if out is None or not _fits(out, axis) or np.may_share_memory(out, array):
        target = np.empty(array.shape, result)
    if target.size:
        if axis == 0:  # planes one after the other: grey images
            for source, plane in zip(array, target, strict=True):
                _run(steps, source, plane)
        elif axis == 1:
            for c in range(array.shape[1]):
                _run(steps, array[:, c], target[:, c])
        else:
            _run(steps, array, target)
    if finish is not None:
        finish(target if axis is None else np.moveaxis(target, axis, -1))
    if out is not None and target is not out:
        out[...] = target
        return out
    return target


def _plane_shape(shape, axis):
    """Rows, columns and channels of what one sweep sees: channels that are not last are planes."""
    if axis == 2:
        return shape
    return (*shape, 1) if axis is None else (shape[1 - axis], shape[2], 1)


def _fits(out, axis):
    """Whether the core can write into `out`: native, aligned, the pixels of a row packed."""
    if not (out.flags.aligned and out.dtype.isnative):
        return False
    item, strides, shape = out.itemsize, out.strides, out.shape
    if axis == 2:
        return (strides[2] == item or shape[2] == 1) and (strides[1] == shape[2] * item or shape[1] == 1)
    return strides[-1] == item or shape[-1] == 1


def _run(steps, source, result):
    """All steps on one plane; what is between two steps is small, and dropped at once."""
    for step in steps:
        target = result
        if step is not steps[-1]:
            target = np.empty(step.shape + source.shape[2:], step.dtype)
        function = getattr(isa.core, step.loop)
        if step.cost <= plan.SERIAL_NS:
            for y0, y1 in step.bands:
                function(source, target, step.frame, *step.taps, y0, y1)
        else:

            def work(y0, y1, function=function, source=source, target=target, step=step):
                function(source, target, step.frame, *step.taps, y0, y1)

            threads.run(work, step.bands, threads.count())
        source = target
