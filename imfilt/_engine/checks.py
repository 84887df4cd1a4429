"""Every check of an argument, and every message. Raised before any work is done."""

import math
import operator

import numpy as np

from imfilt._engine import dtypes


def as_image(image, channel_axis):
    """An array of two dimensions, or three with channels, and its channel axis (or None).

    Returns
    -------
    array : ndarray
    axis : int or None
        The axis of the channels, not negative.
    """
    if type(image) is not np.ndarray:
        image = _as_array(image)
    dtype = image.dtype
    if not dtypes.is_taken(dtype):
        raise TypeError(
            f"image has dtype {dtype}, which imfilt does not filter; it takes "
            f"{', '.join(d.name for d in dtypes.TAKEN)}" + _hint(dtype)
        )
    if image.ndim == 2:
        return image, None
    if image.ndim != 3:
        raise ValueError(
            f"image must have two dimensions, or three with channels, not shape {image.shape}"
            + ("; filter the images of a stack one by one" if image.ndim > 3 else "")
        )
    if channel_axis is None:
        raise ValueError(
            f"image of shape {image.shape} with channel_axis=None is a volume, which imfilt does not filter; "
            "name the channels' axis (channel_axis=-1), or filter the slices one by one"
        )
    return image, axis_number(channel_axis, 3, "channel_axis")


def _as_array(image):
    if isinstance(image, np.ma.MaskedArray):
        raise TypeError("image is a masked array; pass its .data, and its mask where the function takes one")
    try:
        if hasattr(image, "__array__") or not hasattr(image, "__dlpack__"):
            return np.asarray(image)
        return np.from_dlpack(image)
    except (TypeError, ValueError) as error:
        raise TypeError(f"image cannot be read as an array: {error}") from error


def _hint(dtype):
    if dtype.kind == "c":
        return "; filter its real and imaginary parts"
    if dtype.kind == "O":
        return "; is it a ragged list, or None?"
    return ""


def axis_number(axis, ndim, name):
    try:
        number = operator.index(axis)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {axis!r}") from None
    if not -ndim <= number < ndim:
        raise ValueError(f"{name} must be between {-ndim} and {ndim - 1} for {ndim} dimensions, not {number}")
    return number % ndim


def spatial_axes(axis):
    """`axis` of an edge filter as a tuple of 0 (down the rows) and 1 (along them)."""
    if axis is None:
        return (0, 1)
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    numbers = tuple(axis_number(one, 2, "axis") for one in axes)
    if not numbers or len(set(numbers)) != len(numbers):
        raise ValueError(f"axis must be None, 0, 1 or both of those, not {axis!r}")
    return tuple(sorted(numbers))


def real_number(value, name):
    """A finite float."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, not {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, not {value!r}")
    return number


def constant(cval):
    """A border constant: any float, infinite and NaN included."""
    try:
        return float(cval)
    except (TypeError, ValueError):
        raise TypeError(f"cval must be a number, not {cval!r}") from None


def pair(value, name, convert):
    """A number for both axes, or one for each (rows, columns)."""
    if isinstance(value, str) or not hasattr(value, "__len__"):
        one = convert(value, name)
        return one, one
    if len(value) != 2:
        raise ValueError(f"{name} must be a number or two (rows, columns), not {len(value)}: {value!r}")
    return convert(value[0], name), convert(value[1], name)


def not_negative(value, name):
    number = real_number(value, name)
    if number < 0:
        raise ValueError(f"{name} must not be negative, not {value!r}")
    return number


def whole(value, name):
    """A whole number, 0 or more."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None
    if number < 0:
        raise ValueError(f"{name} must not be negative, not {number}")
    return number


def result_type(dtype, out, source):
    """The dtype of the result: `dtype`, that of `out`, or the default for the source."""
    if out is not None:
        if not isinstance(out, np.ndarray):
            raise TypeError(f"out must be a NumPy array, not {type(out).__name__}")
        if dtype is not None and np.dtype(dtype) != out.dtype:
            raise ValueError(f"dtype is {np.dtype(dtype)} but out has {out.dtype}; give one of them")
        dtype = out.dtype.newbyteorder("=")
    if dtype is None:
        return dtypes.default_result(source)
    try:
        result = np.dtype(dtype).newbyteorder("=")
    except TypeError:
        raise TypeError(f"dtype must be a NumPy dtype, not {dtype!r}") from None
    if result.kind == "b" or not dtypes.is_taken(result):
        raise TypeError(
            f"dtype must be one of {', '.join(d.name for d in dtypes.TAKEN if d.kind != 'b')}, not {result}"
        )
    return result


def out_shape(out, shape):
    if out.shape != shape:
        raise ValueError(f"out must have the shape of the result, {shape}, not {out.shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")


def mask(mask, shape):
    """A boolean mask of the image's rows and columns."""
    array = np.asarray(mask)
    if array.shape != shape:
        raise ValueError(f"mask must have the image's rows and columns, {shape}, not shape {array.shape}")
    return array.astype(bool, copy=False)


LARGEST_RADIUS = 1_000_000
LARGEST_ORDER = 20  # beyond, the taps leave the range of float32 for a sigma of 1


def kernel_size(sigmas, truncate, orders):
    """A Gaussian that can be had: not larger than memory, and not a derivative of nothing."""
    for sigma, order in zip(sigmas, orders, strict=True):
        if truncate * sigma > LARGEST_RADIUS:
            raise ValueError(f"sigma {sigma} with truncate {truncate} gives a radius above {LARGEST_RADIUS}")
        if order > LARGEST_ORDER:
            raise ValueError(f"order must be at most {LARGEST_ORDER}, not {order}")
        if order and (sigma == 0 or int(truncate * sigma + 0.5) < 1):
            raise ValueError(f"order {order} needs a kernel of three taps or more: sigma {sigma}, truncate {truncate}")
