"""Every check of an argument, and every message. Raised before any work is done."""

import math
import operator

import numpy as np

from imfilt._engine import dtypes


def as_image(image, channel_axis, batch=False):
    """An array of two dimensions, or three with channels, and its channel axis (or None).

    With `batch`, also an array of four dimensions, images first.

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
    if image.ndim != 3 and not (batch and image.ndim == 4):
        raise ValueError(
            f"image must have two dimensions, or three with channels{', or four with images first' * batch}, "
            f"not shape {image.shape}" + ("; filter the images of a stack one by one" if image.ndim > 3 + batch else "")
        )
    if channel_axis is None:
        raise ValueError(
            f"image of shape {image.shape} with channel_axis=None is a volume, which imfilt does not filter; "
            "name the channels' axis (channel_axis=-1), or filter the slices one by one"
        )
    axis = axis_number(channel_axis, image.ndim, "channel_axis")
    if image.ndim == 4 and axis == 0:
        raise ValueError("channel_axis must not be 0 for four dimensions: the first is that of the images")
    return image, axis


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
        number = float(value) if not isinstance(value, str | bytes) else None
    except (TypeError, ValueError):
        number = None
    if number is None:
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, not {value!r}")
    return number


def constant(cval):
    """A border constant: any float, infinite and NaN included; 0 for -0, to which it is equal."""
    try:
        number = float(cval) if not isinstance(cval, str | bytes) else None
    except (TypeError, ValueError):
        number = None
    if number is None:
        raise TypeError(f"cval must be a number, not {cval!r}")
    return number + 0.0


def pair(value, name, convert):
    """A number for both axes, or one for each (rows, columns)."""
    if isinstance(value, str) or not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0:
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
        dtype = out.dtype
    if dtype is None:
        return dtypes.default_result(source)
    try:
        result = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype must be a NumPy dtype, not {dtype!r}") from None
    if not result.isnative:
        result = result.newbyteorder("=")
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


def may_overlap(out, image):
    """Whether their memory may be the same; arrays with memory of their own know without looking."""
    if out.base is None and image.base is None and out.flags.owndata:
        return out is image
    return np.may_share_memory(out, image)


def mask(mask, shape):
    """A boolean mask of the image's rows and columns."""
    array = np.asarray(mask)
    if array.shape != shape:
        raise ValueError(f"mask must have the image's rows and columns, {shape}, not shape {array.shape}")
    return array.astype(bool, copy=False)


def weights(value, shape, pixels, axis):
    """How much pixels count, as (H, W, 1) or (H, W, channels); None for those that are finite."""
    if isinstance(value, str):
        one_of(value, "weights", ("finite",))
        return None
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"weights cannot be read as an array: {error}") from error
    if array.dtype.kind not in "buif":
        raise TypeError(f"weights must be numbers or booleans, not {array.dtype}")
    if array.shape == pixels[:2]:
        array = array[:, :, None]
    elif array.shape == shape:
        array = np.moveaxis(array, axis, -1)
    else:
        raise ValueError(
            f"weights must have the image's rows and columns, {pixels[:2]}, or its shape, {shape}, not {array.shape}"
        )
    if array.dtype.kind in "if" and not ((array >= 0) & (array < np.inf)).all():
        raise ValueError("weights must be finite and not negative")
    return array


def flag(value, name):
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def alpha(weights, pixels):
    """An image whose last channel says how much the others count."""
    if weights is not None:
        raise ValueError("alpha and weights are both given; give one of them")
    if pixels[2] < 2:
        raise ValueError(f"alpha=True needs an image with colours and alpha, not {pixels[2]} channel")


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


def at_least(value, name, least):
    """A whole number, `least` or more, and not a bool."""
    wrong = f"{name} must be a whole number of {least} or more, not {value!r}"
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(wrong) from None
    if isinstance(value, bool):
        raise TypeError(wrong)
    if number < least:
        raise ValueError(wrong)
    return number


def steps(value, name, least=1):
    """Whole numbers for rows and columns: a stride, a dilation; from 0, an output_padding."""
    return pair(value, name, lambda one, name: at_least(one, name, least))


PADDINGS = ("valid", "same", "same_lower", "full")


def padding(value):
    """The name of a padding, or ((top, bottom), (left, right))."""
    wrong = (
        "padding must be a whole number of 0 or more, (rows, columns), ((top, bottom), (left, right)) or one of "
        f"{', '.join(map(repr, PADDINGS))}, not {value!r}"
    )
    if isinstance(value, str):
        if value not in PADDINGS:
            raise ValueError(wrong)
        return value
    try:
        return pair(value, "padding", lambda axis, name: steps(axis, name, 0))
    except (TypeError, ValueError) as error:
        raise type(error)(wrong) from None


def _shape(value, name, forms, least):
    """A tuple of whole numbers, as many as one of the forms has."""
    error: type[Exception] = ValueError
    try:
        numbers = tuple(at_least(number, name, least) for number in value)
        if any(len(numbers) == form.count(",") + 1 for form in forms):
            return numbers
    except (TypeError, ValueError) as wrong:
        error = type(wrong)
    raise error(f"{name} must be {' or '.join(forms)}, whole numbers of {least} or more, not {value!r}")


def image_shape(shape):
    """The shape of an image or a batch of images, channels last."""
    return _shape(shape, "shape", ("(H, W)", "(H, W, C)", "(N, H, W, C)"), 0)


def weight_shape(weight, name, *forms):
    """The shape of a weight, in one of the forms, as in "(C, kH, kW)"."""
    return _shape(weight, name, forms, 1)


def groups(value, *channels):
    """A whole number that divides each number of channels."""
    number = at_least(value, "groups", 1)
    if any(count % number for count in channels):
        raise ValueError(
            f"groups must divide the numbers of channels ({', '.join(map(str, channels))}), not be {number}"
        )
    return number


def weight_channels(weight, name, takes, shape, has):
    if takes != has:
        raise ValueError(f"{name} {weight} takes images of {takes} channels, but shape {shape} has {has}")


def kernel_fits(kernel, dilation, padded):
    """A dilated kernel that is not larger than the padded image."""
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    if any(span > n for span, n in zip(spans, padded, strict=True)):
        raise ValueError(
            f"kernel {kernel} with dilation {dilation} spans {spans} rows and columns, "
            f"but the padded image has only {padded}"
        )


def output_padding(value, stride, dilation):
    """Rows and columns added to the output of a transposed convolution: PyTorch's rule."""
    if any(added >= max(both) for added, *both in zip(value, stride, dilation, strict=True)):
        raise ValueError(
            f"output_padding must be smaller than stride {stride} or than dilation {dilation}, "
            f"for rows and for columns, not {value}"
        )


def output_size(value, least, most, output_padding):
    """A size that a transposed convolution can have."""
    if any(output_padding):
        raise ValueError(f"output_size {value} and output_padding {output_padding} are both given; give one of them")
    if any(not low <= n <= high for low, n, high in zip(least, value, most, strict=True)):
        raise ValueError(f"output_size must be between {least} and {most} (rows, columns), not {value}")


def something_left(size, result, pads):
    """A transposed convolution whose padding does not crop everything."""
    if any(n and out < 1 for n, out in zip(size, result, strict=True)):
        raise ValueError(f"padding {pads} crops everything: the output would have {result} (rows, columns)")


def functions(values):
    """Something to chain: functions of a shape."""
    if not values:
        raise ValueError("chain takes one function of a shape or more, not none")
    for value in values:
        if not callable(value):
            raise TypeError(f"chain takes functions of a shape, not {value!r}")


def stage(operation, kind, function, shape):
    """What a function in a chain returned: an operation on the shape that it was given."""
    if not isinstance(operation, kind):
        raise TypeError(f"functions in a chain return an {kind.__name__}, but {function!r} returned {operation!r}")
    if operation.input != shape:
        raise ValueError(
            f"the operations of a chain must fit: {operation.name} takes {operation.input}, "
            f"but what comes before it gives {shape}"
        )


def plane(shape, axis):
    """Rows, columns and channels of an image or a batch whose channels are on `axis`."""
    if axis is None:
        return (*shape, 1)
    rows, columns = [n for i, n in enumerate(shape) if i != axis][-2:]
    return rows, columns, shape[axis]


def weight(value, name, *forms):
    """Weights as contiguous float64, of one of the forms."""
    array = _numbers(value, name)
    weight_shape(array.shape, f"the shape of {name}", *forms)
    return array


def bias(value, channels):
    """A number for each channel of the result, or None."""
    if value is None:
        return None
    array = _numbers(value, "bias")
    if array.shape != (channels,):
        raise ValueError(
            f"bias must have a number for each of the {channels} channels of the result, not {array.shape}"
        )
    return array


def _numbers(value, name):
    """Finite real numbers as contiguous float64."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} cannot be read as an array: {error}") from error
    if not dtypes.is_taken(array.dtype):
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, but holds NaN or infinity")
    return array


def depthwise(weight, name, shape, axis):
    """The channels of an image, when a depthwise weight has as many."""
    channels = plane(shape, axis)[2]
    weight_channels(weight, name, weight[0], shape, channels)
    return channels


def pointwise_follows(weight, channels):
    if weight[1] != channels:
        raise ValueError(f"pointwise {weight} takes {weight[1]} channels, but the depthwise part makes {channels}")


def not_empty(shape, result):
    """An image with pixels, unless none are asked for."""
    if 0 in shape[-3:] and 0 not in result:
        raise ValueError(f"image of shape {shape} is empty, but the result would not be: {result}")


def origin(value, spans):
    """Where the centre of a kernel is moved to: it stays inside the kernel."""
    numbers = pair(value, "origin", _signed)
    for number, n in zip(numbers, spans, strict=True):
        if not -(n // 2) <= number <= (n - 1) // 2:
            raise ValueError(
                f"origin must be between {-(n // 2)} and {(n - 1) // 2} for a kernel that spans {n}, not {number}"
            )
    return numbers


def _signed(value, name):
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None


def one_of(value, name, choices):
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")
    return value


def plan_there_is(name, there, refused):
    if name not in there:
        raise ValueError(f"plan {name!r} cannot do this: {refused[name]}")


def image_dtype(dtype):
    try:
        result = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype must be a NumPy dtype, not {dtype!r}") from None
    if not dtypes.is_taken(result):
        raise TypeError(f"dtype must be one of {', '.join(d.name for d in dtypes.TAKEN)}, not {result}")
    return result


def grey_or_channels(shape):
    """The shape of one image, channels last."""
    return _shape(shape, "shape", ("(H, W)", "(H, W, C)"), 1)


def one_dimensional(value, name):
    """Taps of a column or a row, or of several: (count,) or (terms, count)."""
    array = _numbers(value, name)
    if array.ndim not in (1, 2) or not array.size:
        raise ValueError(f"{name} must hold taps in one dimension, or (terms, taps), not shape {array.shape}")
    return np.atleast_2d(array)


def terms(columns, rows):
    if len(columns) != len(rows):
        raise ValueError(f"column and row must have as many terms, not {len(columns)} and {len(rows)}")


LARGEST_TERM = 64  # of a factor: as many phases are kept


def factor(value, name):
    """A number of 1 or more as a fraction of small whole numbers: (numerator, denominator)."""
    if type(value) is int and 1 <= value <= LARGEST_TERM:
        return value, 1
    from fractions import Fraction  # which takes longer to load than most images to filter

    wrong = f"{name} must be a number of 1 or more, as in 2, 1.5 or '3/2', not {value!r}"
    if isinstance(value, np.ndarray | np.generic) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | complex):
        raise TypeError(wrong)
    try:
        exact = Fraction(value)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(wrong) from None
    except TypeError:
        raise TypeError(wrong) from None
    if exact < 1:
        raise ValueError(wrong)
    below = range(1, LARGEST_TERM + 1)
    near = min((Fraction(min(round(exact * d), LARGEST_TERM), d) for d in below), key=lambda one: abs(one - exact))
    if float(near) != float(exact):
        raise ValueError(
            f"{name} must be a fraction of whole numbers up to {LARGEST_TERM}, not {value!r}; the nearest is {near}"
        )
    return near.numerator, near.denominator


def whole_factors(factors, name, why):
    """The numerators of factors that have no denominators."""
    if any(denominator != 1 for _, denominator in factors):
        shown = ", ".join(f"{n}/{d}" if d != 1 else f"{n}" for n, d in factors)
        raise ValueError(f"{name} must be whole numbers for {why}, not ({shown})")
    return tuple(numerator for numerator, _ in factors)


SHARPEST = -2.0  # bicubic's a: twice that of the sharpest in use


def interpolation(value, names, kernels, name="method"):
    """The name of an interpolation function, or ("bicubic", a); with `kernels`, also taps or a kernel, as float64."""
    wrong = (
        f"{name} must be one of {', '.join(map(repr, names))}, ('bicubic', a) with {SHARPEST:g} <= a <= 0"
        + ", taps or a two-dimensional kernel" * kernels + f", not {value!r}"
    )  # fmt: skip
    if isinstance(value, str):
        if value not in names:
            raise ValueError(wrong)
        return value
    if isinstance(value, tuple | list) and value and isinstance(value[0], str):
        a = real_number(value[1], f"a of {name}") if len(value) == 2 else math.nan
        if value[0] != "bicubic" or not SHARPEST <= a <= 0:
            raise ValueError(wrong)
        return "bicubic", a
    if not kernels or value is None:
        raise TypeError(wrong)
    array = _numbers(value, name)
    if array.ndim not in (1, 2) or not array.size:
        raise ValueError(f"{name}, as a kernel, must have one dimension or two, and a tap, not shape {array.shape}")
    return array


def shuffled_channels(channels, factors):
    """Channels that are as many for each pixel of the result; how many of them."""
    count = factors[0] * factors[1]
    if channels % count:
        raise ValueError(f"image must have a multiple of {count} channels for factor {factors}, not {channels}")
    return channels // count


def unshuffled_size(size, factors):
    """Rows and columns that factors divide."""
    if any(n % f for n, f in zip(size, factors, strict=True)):
        raise ValueError(f"image must have rows and columns that factor {factors} divides, not {size}")


def grey(image):
    """An array of two dimensions."""
    array = image if type(image) is np.ndarray else _as_array(image)
    if array.ndim != 2:
        why = "; edges of channels cannot be merged, make it grey first" if array.ndim == 3 else ""
        raise ValueError(f"image must have two dimensions (grey), not shape {array.shape}{why}")
    return as_image(array, None)[0]


def thresholds(low, high, quantiles, full):
    """The two thresholds of an edge: fractions of full scale, or quantiles."""
    numbers = []
    for value, name, default in ((low, "low_threshold", 0.1), (high, "high_threshold", 0.2)):
        number = default if value is None else real_number(value, name)
        if quantiles and not 0 <= number <= 1:
            raise ValueError(f"{name} must be between 0 and 1 with use_quantiles=True, not {value!r}")
        numbers.append(number if quantiles or value is None else number / full)
    if numbers[1] < numbers[0]:
        raise ValueError(
            f"low_threshold must not be above high_threshold, not {low!r} and {high!r} "
            f"(by default 0.1 and 0.2 of full scale, here {full:g})"
        )
    return numbers


def flags_out(out, shape):
    """Where true and false go."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array, not {type(out).__name__}")
    if out.dtype not in (np.bool_, np.uint8):
        raise TypeError(f"out must be of dtype bool or uint8, not {out.dtype}")
    out_shape(out, shape)


def positive(value, name):
    number = real_number(value, name)
    if number <= 0:
        raise ValueError(f"{name} must be positive, not {value!r}")
    return number


def within(number, name, least, most):
    """A number that has been checked, and is not too large for what is made of it."""
    if not least <= number <= most:
        raise ValueError(f"{name} must be between {least} and {most}, not {number}")
    return number


def odd(value, name, least, most):
    number = within(at_least(value, name, least), name, least, most)
    if number % 2 == 0:
        raise ValueError(f"{name} must be odd, not {number}")
    return number


def ordered(low, high, low_name, high_name):
    """Pairs of which the second is nowhere smaller than the first."""
    if any(large < small for small, large in zip(low, high, strict=True)):
        raise ValueError(f"{high_name} must not be smaller than {low_name}, {low}, for rows or columns, not {high}")


def complex_dtype(dtype):
    try:
        result = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype must be a complex NumPy dtype, not {dtype!r}") from None
    if result.kind != "c":
        raise ValueError(f"dtype must be complex, not {result}")
    return result


def outputs(out, count, dtype, image):
    """Where several results of the shape of an image go: as many arrays that share no memory, or None for each."""
    if out is None:
        return (None,) * count
    if not isinstance(out, tuple | list):
        raise TypeError(f"out must be a tuple or a list of {count} arrays, not {type(out).__name__}")
    if len(out) != count:
        raise ValueError(f"out must hold {count} arrays, not {len(out)}")
    for i, one in enumerate(out):
        result_type(dtype, one, image.dtype)
        if one is None:
            raise TypeError(f"out must hold {count} arrays, not None")
        out_shape(one, image.shape)
        for other in (image, *out[:i]):
            if may_overlap(one, other) and np.shares_memory(one, other):
                raise ValueError("the arrays in out must share no memory with the image or each other")
    return tuple(out)


def float_type(dtype, out, source):
    """The dtype of a result that has fractions at any scale, such as an angle."""
    result = result_type(dtype, out, source)
    if result.kind != "f":
        raise TypeError(f"dtype must be float16, float32 or float64, not {result}")
    return result


def response(value, name, spectrum):
    """An impulse response (real, rows x columns) or, if complex, a transfer function of the shape of a spectrum."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} cannot be read as an array: {error}") from error
    if array.dtype.kind != "c":
        return weight(array, name, "(rows, columns)")
    if array.shape != spectrum:
        raise ValueError(
            f"{name} is complex, a transfer function, and must have the shape of the image's spectrum, {spectrum}, "
            f"not {array.shape} (is_real says whether that is half of it, of rfft2, or all, of fft2)"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, but holds NaN or infinity")
    return array.astype(np.complex128)
