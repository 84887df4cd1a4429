"""Canny's edges: one pixel wide, linked from strong ones along weak ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from imfilt._calls import Calls
from imfilt._engine import borders, chain, checks, dtypes, isa, plan
from imfilt.convolution.separable import separable_kernel
from imfilt.filters._masks import shrink
from imfilt.filters._text import fill

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

TRUNCATE = 4.0
LEAST = 1e-14  # a threshold of 0 means this, so that flat pixels are not edges
# Sobel's three taps, and one pixel on every side whose magnitudes are compared.
_MAXIMA = plan.Kernel((plan.Stage("suppress", (), 5, 5, 2, 2, work=30),), halo=(2, 2, 2, 2), name="suppress")
_HALO = 2
WHOLE_NUMBERS = 1 << 14  # of an image so small that one division of all costs less than those of nine parts
_known = Calls(64)  # calls with such images, and what `_at_once` needs for them
plan.caches.append(_known)


def _taps(sigma):
    """The Gaussian, in the operations of scipy.ndimage: `kernels.gaussian` differs in the last bits."""
    if sigma <= 1e-15:
        return (1.0,)
    radius = int(TRUNCATE * sigma + 0.5)
    x = np.arange(-radius, radius + 1)
    taps = np.exp(-0.5 / (sigma * sigma) * x**2)
    return tuple((taps / taps.sum()).tolist())


@lru_cache(maxsize=256)
def _kernels(sigmas, apart):
    """The Gaussian; or, `apart`, that down the rows and that along them."""
    column, row = map(_taps, sigmas)
    if apart:
        return separable_kernel(column, (1.0,)), separable_kernel((1.0,), row)
    return (separable_kernel(column, row),)


def _steps(kernels, shape, source, real, border, cval):
    """Plans of kernels one after the other, each for the result of the one before."""
    sources = source, *[real] * (len(kernels) - 1)
    call = real, border, cval, True, shape, isa.core.LANES
    steps = [plan.make(kernel, (*shape, 1), one, *call).steps[0] for kernel, one in zip(kernels, sources, strict=True)]
    plan.tell(steps)
    return steps


def _through(steps, source, first, strip, y0):
    """Rows from y0 on of the last step's result into `strip`; all but the first step read no rows beside their own."""
    for step in steps[:-1]:
        between = np.empty_like(strip)
        chain.rows(step, source, first, between, y0)
        source, first = between, y0
    chain.rows(steps[-1], source, first, strip, y0)


def _parts(first, last, n, small):
    """Rows first ... last of n, in slices counted from `first`, and the rows of a small image that stand for them."""
    if small == n:
        yield slice(0, last - first), slice(first, last)
        return
    near, far = small // 2, n - (small - small // 2 - 1)
    for begin, end, shift in ((0, near, 0), (near, far, None), (far, n, n - small)):
        begin, end = max(begin, first), min(end, last)
        if begin < end:
            at = slice(near, near + 1) if shift is None else slice(begin - shift, end - shift)
            yield slice(begin - first, end - first), at


@lru_cache(maxsize=64)
def _given_back(kernels, shape, real, cval):
    """The Gaussian of an image of ones inside a constant border."""
    ones = np.empty(shape, real)
    steps = _steps(kernels, shape, np.dtype(bool), real, borders.MODES["constant"], cval)
    _through(steps, np.ones(shape, bool), 0, ones, 0)
    ones += np.finfo(real).eps
    ones.flags.writeable = False
    return ones


def _smoother(array, sigmas, mask, border, cval, real):
    """What fills a strip with rows of the smoothed image, the plans that it follows, and the Gaussian of ones or None.

    What masked pixels and a constant border took from a pixel is given back, in proportion to the rest.
    """
    shape, eps = array.shape, np.finfo(real).eps
    constant = border == borders.MODES["constant"]
    # A constant that is not 0 lies around the columns' result itself, not around what that would be.
    kernels = _kernels(sigmas, constant and cval != 0)
    steps = _steps(kernels, shape, array.dtype, real, border, cval)
    counting = [] if mask is None else _steps(kernels, shape, np.dtype(bool), real, border, cval)
    # Without a mask the Gaussian of ones is the same in all pixels that are far from the border.
    radii = steps[0].frame.top, steps[-1].frame.left
    small = shape
    if array.size > WHOLE_NUMBERS:
        small = tuple(min(n, 2 * radius + 1) for n, radius in zip(shape, radii, strict=True))
    ones = _given_back(kernels, small, real, cval) if constant and mask is None else None

    def smooth(strip, first):
        if mask is None:
            _through(steps, array, 0, strip, first)
        else:
            begin, indices = chain.under(steps[0], first, first + len(strip), shape[0])
            block, counts = array[indices], mask[indices]
            block[~counts] = 0
            known = np.empty_like(strip)
            _through(steps, block, begin, strip, first)
            _through(counting, counts, begin, known, first)
        with np.errstate(all="ignore"):
            if mask is not None:
                strip /= known + eps
            elif ones is not None:
                for ys, small_ys in _parts(first, first + len(strip), shape[0], small[0]):
                    for xs, small_xs in _parts(0, shape[1], shape[1], small[1]):
                        strip[ys, xs] /= ones[small_ys, small_xs]

    return smooth, steps, ones


def _magnitude(strip, above, below):
    """Sobel's, in the operations of scipy.ndimage; `above` and `below`: rows to put on at the image's border."""
    image = np.pad(strip, ((above, below), (1, 1)), "symmetric")
    down, along = image[2:] - image[:-2], image[:, 2:] - image[:, :-2]
    i = 2 * down[:, 1:-1] + (down[:, :-2] + down[:, 2:])
    j = 2 * along[1:-1] + (along[:-2] + along[2:])
    return np.sqrt(i * i + j * j)


def _quantiles(smooth, shape, real, cost, low, high):
    """The thresholds under which these fractions of the magnitudes lie."""
    magnitude = np.empty(shape, real)

    def use(strip, first, y0, y1):
        with np.errstate(all="ignore"):
            magnitude[y0:y1] = _magnitude(strip, int(first == y0), int(first + len(strip) == y1))

    chain.run(smooth, use, shape, real, 1, cost)
    with np.errstate(all="ignore"):
        return np.percentile(magnitude, [100.0 * low, 100.0 * high], overwrite_input=True).tolist()


@fill
def canny(
    image: ArrayLike, sigma: float | Sequence[float] = 1.0, low_threshold: float | None = None,
    high_threshold: float | None = None, mask: ArrayLike | None = None, use_quantiles: bool = False, *,
    mode: str = "constant", cval: float = 0.0, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Edges by Canny's algorithm: lines one pixel wide.

    Parameters
    ----------
    image : array-like
        Grey (H, W). Of any boolean, integer or real dtype; integers are scaled as
        ``img_as_float`` does, so that the largest number of their dtype is 1.
    sigma : float or two floats, optional
        Standard deviation in pixels of the Gaussian that smooths the image first, or one for
        the rows' direction and one for the columns' (vertical, horizontal). 0 does not smooth.
    low_threshold, high_threshold : float, optional
        The least magnitudes of a pixel of an edge, and of one pixel or more of each edge, on
        the scale of the image: those for uint8 count in levels. By default 0.1 and 0.2 of
        full scale. See the notes on what a magnitude is.
    mask : array-like of bool, optional
        (H, W). Pixels where it is false have no part in the result, whatever they hold, and
        neither they nor those beside them are edges.
    use_quantiles : bool, optional
        The thresholds are fractions of the pixels, between 0 and 1, whose magnitudes lie
        below them; by default 0.1 and 0.2.
    %(border)s
        It concerns the Gaussian. With "constant" a pixel near the border is the mean of those
        that lie in the image (where `cval` is 0), so that the border is not an edge itself.
    out : ndarray, optional
        Receives the result; bool or uint8 (0 and 1), of the shape of the image. It may be
        `image` or `mask`.

    Returns
    -------
    ndarray
        Bool, of the shape of the image: true on edges. The outermost pixels are false.

    Raises
    ------
    TypeError
        If the dtype of the image is complex or object, or an argument has the wrong type.
    ValueError
        If the image is not two-dimensional (the edges of several channels are not one image
        of edges: make it grey first), or an argument is out of its range. Nothing has been
        written then.

    See Also
    --------
    sobel : the magnitude, not thinned.

    Notes
    -----
    The steps are those of J. Canny, "A Computational Approach to Edge Detection", IEEE
    Transactions on Pattern Analysis and Machine Intelligence 8(6), 679-698, 1986, as
    scikit-image has them:

    1. Smooth with a Gaussian, cut off at 4 sigma. With a mask, or with mode "constant", divide
       by the Gaussian of the mask or of ones, which gives back what did not count.
    2. Take Sobel's derivatives i and j, down the rows and along them, with taps [1, 2, 1] and
       [-1, 0, 1]. The magnitude is sqrt(i**2 + j**2). Neither is divided by anything: i and j
       are 4 times `sobel_h` and `sobel_v`, the magnitude 4 sqrt(2) = 5.66 times `sobel`. A
       step of height 1 has a magnitude of 4 if it is not smoothed.
    3. Keep pixels whose magnitude is not below `low_threshold` nor below those one pixel away
       on both sides across the edge, which are interpolated linearly between two pixels.
    4. Of these, keep the ones at or above `high_threshold`, and all that are linked to one of
       them by others, through any of the eight neighbours.

    float64 images have the edges of ``skimage.feature.canny``, pixel by pixel (and 32- and
    64-bit integers but for ties, as these are scaled after smoothing). Others are computed in
    float32, where scikit-image has float64 for parts or for all: where two numbers are the
    same up to rounding, a pixel may differ. A `low_threshold` near 0 lets this rounding be
    seen as edges in flat areas.

    No image is held between these steps, only strips of rows; but quantiles need all
    magnitudes at once, and smooth twice.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> square = np.zeros((8, 8))
    >>> square[2:6, 2:6] = 1
    >>> imfilt.canny(square).astype(int)
    array([[0, 0, 0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0, 0, 0],
           [0, 0, 1, 1, 1, 1, 0, 0],
           [0, 0, 1, 0, 0, 1, 0, 0],
           [0, 0, 1, 0, 0, 1, 0, 0],
           [0, 0, 1, 1, 1, 1, 0, 0],
           [0, 0, 0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0, 0, 0]])
    """
    call = sigma, low_threshold, high_threshold, use_quantiles, mode, cval, isa.core
    known = _known.find(image, out, call) if mask is None else None
    if known is not None and (out is None or out.flags.carray):
        return _at_once(image, out, *known)
    array = checks.grey(image)
    sigmas = checks.pair(sigma, "sigma", checks.not_negative)
    checks.kernel_size(sigmas, TRUNCATE, (0, 0))
    cval = checks.constant(cval)
    border = borders.code(mode, cval)
    low, high = checks.thresholds(low_threshold, high_threshold, use_quantiles, dtypes.full_scale(array.dtype))
    if mask is not None:
        mask = checks.mask(mask, array.shape)
    if out is not None:
        checks.flags_out(out, array.shape)

    real = dtypes.default_result(array.dtype)
    inputs = (array,) if mask is None else (array, mask)
    if out is not None and out.strides[1] == 1 and not any(np.may_share_memory(out, one) for one in inputs):
        labels = out.view(np.uint8)
    else:
        labels = np.empty(array.shape, np.uint8)
    if labels.size:
        steps = _label(labels, array, sigmas, mask, border, cval, real, low, high, use_quantiles)
        isa.core.link(labels)
        if mask is None and not use_quantiles and array.size <= WHOLE_NUMBERS:
            _known.keep(image, out, call, steps)
    if out is None:
        return labels.view(bool)
    if not np.may_share_memory(labels, out):
        out[...] = labels
    return out


def _at_once(image, out, steps, ones, maxima, low, high):
    """The edges of a small image, in one strip; the arguments are what `_label` returned."""
    plan.tell((*steps, maxima))
    labels = np.empty(image.shape, np.uint8) if out is None else out.view(np.uint8)
    for step in steps:
        strip = np.empty(image.shape, step.dtype)
        getattr(isa.core, step.loop)(image, strip, step.frame, *step.taps, 0, len(strip))
        image = strip
    if ones is not None:
        with np.errstate(all="ignore"):
            image /= ones
    isa.core.suppress(image, labels, maxima.frame, *maxima.taps, low, high, 0, len(labels))
    _clear_frame(labels)
    isa.core.link(labels)
    return labels.view(bool) if out is None else out


def _clear_frame(labels):
    for frame in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        frame[...] = 0


def _label(labels, array, sigmas, mask, border, cval, real, low, high, use_quantiles):
    """0 for pixels that are no edges, 1 for weak ones, 2 for strong ones.

    Returns
    -------
    tuple
        The plans of the Gaussian, that of ones (or None), the plan of the maxima, and the thresholds, as numbers.
    """
    smooth, steps, ones = _smoother(array, sigmas, mask, border, cval, real)
    [maxima] = _steps([_MAXIMA], array.shape, real, labels.dtype, borders.MODES["reflect"], 0.0)
    cost = sum(step.cost for step in (*steps, maxima))
    if use_quantiles:
        low, high = _quantiles(smooth, array.shape, real, cost, low, high)
    with np.errstate(over="ignore", under="ignore"):
        low = float(np.float32(low)) or float(np.float32(LEAST))  # scikit-image compares with single precision

    def use(strip, first, y0, y1):
        chain.rows(maxima, strip, first, labels[y0:y1], y0, low, high)
        if mask is not None:
            begin, end = max(0, y0 - 1), y1 + 1
            labels[y0:y1] *= shrink(mask[begin:end])[y0 - begin : y1 - begin]

    chain.run(smooth, use, array.shape, real, _HALO, cost)
    _clear_frame(labels)
    return steps, ones, maxima, low, high
