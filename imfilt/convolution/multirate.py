"""Gaussians of large sigma at a cost that does not grow with sigma, and a hard bound on the error.

Smooth and keep every f-th pixel; filter that small image; interpolate back. Smoothing and
interpolation use four boxes of width f (a cubic B-spline), whose zeros fall on the
frequencies that keeping every f-th pixel folds onto low ones. The taps of the small filter
are fitted, by least squares over the phases, to the Gaussian that is wanted. Since all three
are linear, the impulse response at each of the f phases is known, and the sum of its
absolute differences from the wanted taps bounds the error for every image.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from imfilt import kernels
from imfilt._engine.plan import Kernel, Stage
from imfilt.convolution.separable import taps, terms

BOXES = 4
FEWEST_SIGMA = 4.0  # below, the direct sum is as cheap
RATIOS = (1.9, 2.1, 2.3, 2.6, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0)  # sigma / f that are tried, coarsest first


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of the scheme."""

    factor: int
    before: np.ndarray  # taps before decimation, 2 * reach + 1 of them
    small: np.ndarray  # taps on the small image, 2 * radius + 1
    after: np.ndarray  # (factor, n): interpolation, a set for each phase
    first: int  # small pixels before pixel y // factor that the interpolation begins at
    error: float  # sum of |response - wanted|, for the worst phase


def _spline(factor):
    box = np.full(factor, 1 / factor)
    taps_ = np.ones(1)
    for _ in range(BOXES):
        taps_ = np.convolve(taps_, box)
    return taps_


def _interpolation(spline, factor):
    """Weights of small pixels first ... first + n around each phase, which sum to 1."""
    reach = len(spline) // 2
    first, last = -(reach // factor), (factor - 1 + reach) // factor
    weights = np.zeros((factor, last - first + 1))
    for phase in range(factor):
        for j in range(first, last + 1):
            at = phase - factor * j + reach
            if 0 <= at < len(spline):
                weights[phase, j - first] = factor * spline[at]
    return weights, -first


@lru_cache(maxsize=256)
def axis(sigma, truncate, factor):
    """The scheme for one axis; with factor 1 it is the exact Gaussian."""
    wanted = kernels.gaussian(sigma, truncate)
    if factor == 1:
        return Axis(1, np.ones(1), wanted, np.ones((1, 1)), 0, 0.0)
    spline = _spline(factor)
    after, before_first = _interpolation(spline, factor)
    radius, reach = -(-len(wanted) // 2 // factor), len(spline) // 2
    span = len(wanted) // 2 + factor * (radius + after.shape[1] + 2) + reach
    # Unit responses before interpolation: the spline at +-factor * k.
    units = np.zeros((radius + 1, 2 * span + 1))
    for k in range(radius + 1):
        for centre in {span - factor * k, span + factor * k}:
            units[k, centre - reach : centre + reach + 1] += spline
    target = np.zeros(2 * span + 1)
    target[span - len(wanted) // 2 : span + len(wanted) // 2 + 1] = wanted

    def response(rows, phase):
        """Seen from a pixel of this phase; no shift leaves the span."""
        return sum(
            weight * np.roll(rows, factor * (j - before_first) - phase, axis=-1)
            for j, weight in enumerate(after[phase])
        )

    phases = sorted({0, factor // 4, factor // 2, factor - 1})
    equations = np.concatenate([response(units, phase).T for phase in phases])
    half = np.linalg.lstsq(equations, np.tile(target, len(phases)), rcond=None)[0]
    half /= half[0] + 2 * half[1:].sum()
    small = np.concatenate([half[:0:-1], half])
    error = max(float(np.abs(response(half @ units, phase) - target).sum()) for phase in range(factor))
    return Axis(factor, spline, small, after, before_first, error)


@lru_cache(maxsize=256)
def coarsest(sigma, truncate, error):
    """The scheme with the largest factor whose error is at most `error`."""
    if sigma >= FEWEST_SIGMA:
        for factor in dict.fromkeys(int(sigma / ratio) for ratio in RATIOS):
            if factor > 1 and axis(sigma, truncate, factor).error <= error:
                return axis(sigma, truncate, factor)
    return axis(sigma, truncate, 1)


def _stage(loop, pair, first, *, stride=(1, 1), up=(1, 1), extra=(0, 0), share=1):
    """A stage whose taps are the last axis of a pair of arrays."""
    rows, columns = (array.shape[-1] for array in pair)
    work = (rows + columns * share) / 2
    arrays = tuple(map(taps, pair))
    if loop == "separable":
        arrays = terms([pair])
    return Stage(loop, arrays, rows, columns, first[0], first[1], stride, up, extra, work)


@lru_cache(maxsize=256)
def multirate_kernel(sigmas, truncate, error, exact=None):
    """A Gaussian by decimation, or None where nothing is gained.

    Parameters
    ----------
    sigmas : tuple of two floats
        Down the rows and along them.
    truncate : float
    error : float
        The most that the result may be off, for pixels between -1 and 1.
    exact : Kernel, optional
        The direct one, which the plan takes for an image too small to gain by this.

    Returns
    -------
    Kernel or None
    """
    large = sum(sigma >= FEWEST_SIGMA for sigma in sigmas)
    if not large:
        return None
    # (1 + e)**2 - 1 <= error for two axes
    each = error if large == 1 else (1 + error) ** 0.5 - 1
    axes = tuple(coarsest(sigma, truncate, each) for sigma in sigmas)
    factors = tuple(a.factor for a in axes)
    if factors == (1, 1):
        return None
    radii = tuple(len(a.small) // 2 for a in axes)
    reaches = tuple(len(a.before) // 2 for a in axes)
    starts = tuple(a.factor * (a.first + radius) + reach for a, radius, reach in zip(axes, radii, reaches, strict=True))
    more = tuple(a.after.shape[1] - 1 for a in axes)
    decimate = _stage(
        "separable", [a.before for a in axes], starts, stride=factors,
        extra=tuple(m + 2 * r for m, r in zip(more, radii, strict=True)), share=factors[1],
    )  # fmt: skip
    smooth = _stage("separable", [a.small for a in axes], (0, 0), extra=tuple(-2 * r for r in radii))
    interpolate = _stage("resample", [a.after for a in axes], (0, 0), up=factors)
    # Interpolation and decimation reach as far as their taps, whatever the phase.
    around = tuple(2 * reach + a.factor * radius for a, radius, reach in zip(axes, radii, reaches, strict=True))
    bound = (1 + axes[0].error) * (1 + axes[1].error) - 1
    return Kernel(
        (decimate, smooth, interpolate),
        halo=(around[0], around[0], around[1], around[1]),
        error=bound,
        others=(exact,) if exact else (),
    )
