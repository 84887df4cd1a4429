"""True deconvolution: from a blurred image and what blurred it, back to the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imfilt._engine import chain, checks, frequencies, plan
from imfilt._engine.run import apply
from imfilt.convolution.direct import direct_kernel
from imfilt.convolution.single import convolve, correlate, ways_for
from imfilt.filters._text import fill

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

NO_ZERO = 1e-12  # scikit-image's: added to what is divided by
BYTE_NS = 0.15  # for a byte of an estimate that is divided, on one thread, at least
# A transform of numbers up to 1 leaves about 2**-52 of a frequency that is not there.
NOTHING = 4 * 2.0**-52
PIXEL = direct_kernel(((0, 0, 1.0),))


@fill
def wiener(
    image: ArrayLike, psf: ArrayLike, balance: float, reg: ArrayLike | None = None, is_real: bool = True,
    clip: bool = True, *, channel_axis: int | None = -1, preserve_range: bool = False,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Restore a blurred, noisy image by Wiener-Hunt deconvolution.

    Parameters
    ----------
    %(image)s
    psf : array-like
        What a point became, the point spread function: real, (rows, columns), of any size, with
        the point at [rows // 2, columns // 2]. Or complex: its transfer function, of the
        shape of ``np.fft.rfft2(channel)``. The same for every channel.
    balance : float
        From 0: how much smoothness counts beside the data. Larger values leave less noise and
        fewer details. With 0 the blur is divided out, and noise grows without limit.
    reg : array-like, optional
        The regularisation: what should be small in the result. Real or complex as `psf`. By default the
        Laplacian, [[0, -1, 0], [-1, 4, -1], [0, -1, 0]].
    is_real : bool, optional
        Whether transfer functions are given on the half of the frequencies that ``rfft2`` has;
        false for all those of ``fft2``. The result is real either way.
    clip : bool, optional
        Results below -1 and above 1 become -1 and 1.
    channel_axis : int or None, optional
        Where the channels of a three-dimensional image are. None says that there are none.
    preserve_range : bool, optional
        Take integers as they are; then `clip` hardly makes sense. By default they are scaled as
        ``img_as_float`` does, so that the largest number of their dtype is 1.
    dtype : dtype, optional
        Of the result. By default float64 for float64 and for 32- and 64-bit integers, else
        float32. An integer dtype receives the result at full scale (uint8: times 255),
        rounded half to even and saturated.
    out : ndarray, optional
        Receives the result; its dtype is then the result's. It may be `image`.

    Returns
    -------
    ndarray
        Of the shape of the image.

    %(raises)s

    See Also
    --------
    richardson_lucy, conv_transpose2d

    Notes
    -----
    For the image y = H x + n, with H the blur and n noise, the result is the x that makes
    ``|y - H x|**2 + balance * |D x|**2`` least, D being `reg`. Where Y, H and D are the Fourier transforms of
    the image, `psf` and `reg`, that is ::

        X = conj(H) Y / (|H|**2 + balance * |D|**2)

    (F. Orieux, J.-F. Giovannelli and T. Rodet, "Bayesian estimation of regularization and point spread function
    parameters for Wiener-Hunt deconvolution", Journal of the Optical Society of America A 27(7), 1593-1607, 2010).
    A frequency that the blur has removed stays 0 if D removes it, too, or `balance` is 0.

    `conv_transpose2d`, which is called deconvolution as well, is the numerator alone: the shape comes back, and the
    picture is blurred once more. The denominator is what takes the blur out.

    The image is taken to go on at its opposite border, as transforms have it. A photograph does not: extend it
    (``np.pad``) before and cut the result, or there are ripples along its border. The arithmetic is that of
    double precision for every dtype, since deconvolution enlarges what was rounded. One pixel that is NaN or
    infinite leaves nothing but NaN in its channel.

    With float images the numbers are scikit-image's, but for these: there, integers are not scaled; transfer functions
    lose their imaginary part, which displaces the result (scikit-image issue 7363), and so does that of a `reg`
    that is not symmetric; a real `psf` that has the shape of the spectrum is taken for a transfer function; a `psf`
    larger than the image is an error; the result is complex without `is_real`.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> picture = np.eye(8)
    >>> psf = np.ones((3, 3)) / 9
    >>> blurred = imfilt.convolve(picture, psf, mode="wrap")
    >>> blurred[4].round(2)
    array([0.  , 0.  , 0.11, 0.22, 0.33, 0.22, 0.11, 0.  ])
    >>> imfilt.wiener(blurred, psf, 1e-8)[4].round(2) + 0.0
    array([0., 0., 0., 0., 1., 0., 0., 0.])
    """
    array, axis, result, real = _asked(image, channel_axis, dtype, out)
    rows, columns, _ = checks.plane(array.shape, axis)
    spectrum = rows, columns // 2 + 1 if is_real else columns
    psf = checks.response(psf, "psf", spectrum)
    if reg is not None:
        reg = checks.response(reg, "reg", spectrum)
    balance = checks.not_negative(balance, "balance")

    restored = np.empty(array.shape, real)
    if array.size:
        along, back = (np.fft.rfft, np.fft.irfft) if is_real else (np.fft.fft, np.fft.ifft)
        with np.errstate(all="ignore"):  # NaN and infinity go where they go
            size = rows, columns
            blur = frequencies.Response(psf, size, along)
            rough = frequencies.Laplacian(size) if reg is None else frequencies.Response(reg, size, along)

            def each(x0, x1):
                return _divider(blur.block(x0, x1), rough.block(x0, x1), balance, NOTHING * blur.most)

            planes = [_numbers(one, None, np.dtype(np.float64), preserve_range) for one in _planes(array, axis)]
            frequencies.change(planes, _planes(restored, axis), along, back, each)
    return _result(restored, axis, result, out, clip, preserve_range)


@fill
def richardson_lucy(
    image: ArrayLike, psf: ArrayLike, num_iter: int = 50, clip: bool = True, filter_epsilon: float | None = None, *,
    channel_axis: int | None = -1, preserve_range: bool = False, dtype: DTypeLike | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Restore a blurred image by Richardson-Lucy deconvolution, which keeps light from becoming negative.

    Parameters
    ----------
    %(image)s
    psf : array-like
        What a point became, the point spread function: real, (rows, columns), of any size, with
        the point at [(rows - 1) // 2, (columns - 1) // 2]. Its sum makes no difference,
        except to `filter_epsilon`. The same for every channel.
    num_iter : int, optional
        How often the estimate is improved, from 0 (grey, 0.5). More iterations bring back finer details,
        and then noise: stopping is the regularisation.
    clip : bool, optional
        Results below -1 and above 1 become -1 and 1.
    filter_epsilon : float, optional
        Where the estimate, blurred, is less than this, it is made 0, rather than dividing by a small
        number. None and 0 never do.
    channel_axis, preserve_range, dtype, out : optional
        As those of `wiener`.

    Returns
    -------
    ndarray
        Of the shape of the image.

    %(raises)s

    See Also
    --------
    wiener, conv_transpose2d

    Notes
    -----
    With H the blur, H' its transpose, y the image and x = 0.5 to begin with, an iteration is ::

        x = x * H'(y / (H x + 1e-12))

    (W. H. Richardson, "Bayesian-based iterative method of image restoration", Journal of the Optical Society of
    America 62(1), 55-59, 1972; L. B. Lucy, "An iterative technique for the rectification of observed
    distributions", The Astronomical Journal 79, 745-754, 1974). It climbs to the picture under which the image is most
    likely, pixels being counts of light, and no number of a result is negative if none of `image` and `psf` is.

    H' alone is `conv_transpose2d`, which is called deconvolution as well: the shape comes back, and the picture is
    blurred once more. Here it carries what H x lacks back to where it came from.

    Beyond its border the picture is taken to be black, and there are ripples along the border unless that is so:
    extend the image (``np.pad``) before, and cut the result. A pixel that is NaN spoils what H' reaches from there,
    and two steps of `psf` more with every further iteration. The arithmetic is single precision for results of single
    precision or less from images of the same, else double.

    With float images and a `psf` of odd sizes the numbers are scikit-image's. There, integers are not scaled, and
    with an even size H' is not the transpose of H but lies a pixel off, so that the picture breaks up with more
    iterations: imfilt gives what scikit-image does for `psf` with a row or column of zeros before the first,
    which is the same blur. That of `convolve` has the point at n // 2: there the zeros come after the last.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> star = np.zeros((9, 9))
    >>> star[4, 4] = 1
    >>> psf = np.outer([1, 2, 1], [1, 2, 1]) / 16
    >>> blurred = imfilt.convolve(star, psf, mode="constant")
    >>> blurred[4, 2:7].round(2)
    array([0.  , 0.12, 0.25, 0.12, 0.  ])
    >>> imfilt.richardson_lucy(blurred, psf, 10)[4, 2:7].round(2)
    array([0.  , 0.03, 0.86, 0.03, 0.  ])
    """
    array, axis, result, real = _asked(image, channel_axis, dtype, out)
    psf = checks.weight(psf, "psf", "(rows, columns)")
    num_iter = checks.at_least(num_iter, "num_iter", 0)
    least = 0.0 if filter_epsilon is None else checks.not_negative(filter_epsilon, "filter_epsilon")
    seen = _numbers(array, axis, real, preserve_range)
    estimate = _iterate(seen, psf, num_iter, least, axis)
    return _result(estimate, axis, result, out, clip, preserve_range)


def _asked(image, channel_axis, dtype, out):
    """The image, its axis of channels, the dtype of the result, and that of the arithmetic."""
    array, axis = checks.as_image(image, channel_axis)
    result = checks.result_type(dtype, out, array.dtype)
    if out is not None:
        checks.out_shape(out, array.shape)
    return array, axis, result, np.dtype(np.float64 if plan.is_wide(array.dtype, result) else np.float32)


def _numbers(array, axis, real, preserve_range):
    """The pixels as numbers, scaled as those of the filters."""
    if array.dtype == real:
        return array
    return apply(PIXEL, array, mode="constant", cval=0.0, channel_axis=axis, rescale=not preserve_range, dtype=real)


def _result(values, axis, result, out, clip, preserve_range):
    return apply(
        PIXEL, values, mode="constant", cval=0.0, channel_axis=axis, rescale=not preserve_range,
        dtype=None if out is not None else result, out=out, clip=(-1.0, 1.0) if clip else plan.NOT_CLIPPED,
    )  # fmt: skip


def _planes(array, axis):
    return [array] if axis is None else np.moveaxis(array, axis, 0)


def _divider(blur, rough, balance, nothing):
    """What divides a spectrum in place; 0 where blur and regularisation both leave nothing but rounding."""
    power = blur.real**2 + blur.imag**2
    power += balance * (rough.real**2 + rough.imag**2 if rough.dtype.kind == "c" else rough**2)
    power[~(power > nothing**2)] = np.inf
    inverse = np.conj(blur) / power

    def divide(spectrum):
        spectrum *= inverse

    return divide


def _iterate(seen, psf, num_iter, least, axis):
    estimate = np.full(seen.shape, 0.5, seen.dtype)
    ratio, correction = np.empty_like(estimate), np.empty_like(estimate)
    # The centre of an even size is that of scipy.signal's "same", and the same pixel both ways.
    origin = tuple(n % 2 - 1 for n in psf.shape)
    options = {"mode": "constant", "origin": origin, "plan": _steady(psf, seen.dtype), "channel_axis": axis}
    down = int(axis == 0)  # the axis of the rows
    seen_rows, estimate_rows, ratio_rows, correction_rows = (
        np.moveaxis(one, down, 0) for one in (seen, estimate, ratio, correction)
    )

    def divide(y0, y1):
        blurred = ratio_rows[y0:y1]
        blurred += NO_ZERO
        small = blurred < least if least else None
        np.divide(seen_rows[y0:y1], blurred, out=blurred)
        if least:
            np.copyto(blurred, 0.0, where=small)

    def correct(y0, y1):
        estimate_rows[y0:y1] *= correction_rows[y0:y1]

    with np.errstate(all="ignore"):  # NaN and infinity go where they go
        for _ in range(num_iter):
            convolve(estimate, psf, out=ratio, **options)
            chain.each_band(divide, len(ratio_rows), ratio.nbytes, ratio.nbytes * BYTE_NS)
            correlate(ratio, psf, out=correction, **options)
            chain.each_band(correct, len(ratio_rows), ratio.nbytes, ratio.nbytes * BYTE_NS / 2)
    return estimate


def _steady(psf, real):
    """The cheapest plan that never makes a negative sum of numbers that are not: it would be divided by.

    Transforms do, and sums of separable terms with signs.
    """
    ways = ways_for(psf, real, real)
    stages = {name: one.stages[0] for name, one in ways.kernels.items() if name not in ways.refused and name != "fft"}
    if "separable" in stages and min(factors.min() for factors in stages["separable"].taps[:2]) < 0:
        del stages["separable"]
    return min(stages, key=lambda name: stages[name].work * stages[name].rate)
