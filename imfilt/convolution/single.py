"""One kernel on every channel: correlate and convolve, and the plan that chooses how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from imfilt._engine import borders, checks, isa, kernel_checks, plan, spectral
from imfilt._engine.packed import kept
from imfilt._engine.plan import Kernel, Stage
from imfilt._engine.recall import recalled, shortcut
from imfilt._engine.run import apply
from imfilt.convolution.direct import NONE
from imfilt.convolution.mixing import lie_close
from imfilt.convolution.separable import factors_stage, indices, taps
from imfilt.separability import separate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

PLANS = ("auto", "direct", "fused", "separable", "fft")
# Up to here the plan keeps to loops that have the same bits on every machine; from here on these
# are slower than other people's transforms (measured: level at 22 x 22), and fused products are not.
FUSED_TAPS = 21 * 21
# Up to so many taps, on less than half of their places, a kernel that is the same upside down and back to front is
# faster a line at a time: two pixels are then multiplied at once (measured).
PAIRED_TAPS = 32

_OPTIONS = """
    mode : str, optional
        What lies beyond the border of ``a b c d``: "reflect" (``b a | a b c d | d c``),
        "mirror" (``c b | a b c d | c b``), "nearest" (``a a | a b c d | d d``), "wrap"
        (``c d | a b c d | a b``) or "constant". Aliases: symmetric, edge, replicate,
        circular, zeros, reflect101, grid-mirror, grid-wrap, grid-constant.
    cval : float, optional
        The constant of mode "constant".
    origin : int or (rows, columns), optional
        Moves the centre of the kernel, which is tap n // 2 of n.
    dilation : int or (rows, columns), optional
        Distance of neighbouring taps: as a kernel with zeros between them, none of which is multiplied.
    stride : int or (rows, columns), optional
        Only every so many pixels have a result: ``result[::stride]``, at the cost of those.
    plan : {"auto", "direct", "fused", "separable", "fft"}, optional
        How: the cheapest that keeps the bound on the error; or tap by tap; the same with products and sums
        rounded once, where the machine can; as a sum of columns times rows; by Fourier transform.
        `explain_plan` says which, and why. With `weights` or `alpha` there is no "fft".
    weights : array-like or "finite", optional
        How much each pixel counts, from 0: normalised convolution, as the filters have it.
    alpha : bool, optional
        The last channel is alpha: the others count as much as they are opaque, and it is filtered itself if the taps
        sum to 1, else kept.
    channel_axis : int or None, optional
        Where the channels of a three-dimensional image are; they are filtered one by one.
    dtype : dtype, optional
        Of the result. By default float64 for float64 and for 32- and 64-bit integers, else float32.
        Integers are rounded half to even and saturated.
    out : ndarray, optional
        Receives the result; its dtype is then the result's. It may be `image`.

    Returns
    -------
    ndarray
        Of the shape of the image, or of its ceil(n / stride) rows and columns. Numbers are not rescaled.

    Raises
    ------
    TypeError
        If a dtype is complex or object, or an argument has the wrong type.
    ValueError
        If an argument is out of its range, or the plan asked for cannot do this. Nothing has been written then.

    See Also
    --------
    explain_plan, separate, separable, conv2d
"""


@shortcut
def correlate(
    image: ArrayLike, kernel: ArrayLike, *, mode: str = "reflect", cval: float = 0.0,
    origin: int | tuple[int, int] = 0, dilation: int | tuple[int, int] = 1, stride: int | tuple[int, int] = 1,
    plan: str = "auto", weights: ArrayLike | str | None = None, alpha: bool = False, channel_axis: int | None = -1,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _apply(
        image, kernel, False, mode, cval, origin, dilation, stride, plan, weights, alpha, channel_axis, dtype, out
    )  # fmt: skip


@shortcut
def convolve(
    image: ArrayLike, kernel: ArrayLike, *, mode: str = "reflect", cval: float = 0.0,
    origin: int | tuple[int, int] = 0, dilation: int | tuple[int, int] = 1, stride: int | tuple[int, int] = 1,
    plan: str = "auto", weights: ArrayLike | str | None = None, alpha: bool = False, channel_axis: int | None = -1,
    dtype: DTypeLike | None = None, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    return _apply(
        image, kernel, True, mode, cval, origin, dilation, stride, plan, weights, alpha, channel_axis, dtype, out
    )  # fmt: skip


correlate.__doc__ = f"""Correlate an image with a kernel: the sum of the pixels under its taps, times these.

    Parameters
    ----------
    image : array-like
        Grey (H, W), or with channels (H, W, C), which are filtered one by one. Not changed.
    kernel : array-like
        (rows, columns), real and finite.{_OPTIONS}
    Notes
    -----
    Centre, flip and origin are those of ``scipy.ndimage.correlate``. Under plan "direct", integer images with
    integer taps are exact, results have the same bits on every machine, and a result lies within (taps + 4) *
    eps * sum|w||x| of the exact one; "separable" and "fft" keep to (taps + 4) * eps * sum|w| * max|x|.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> image = np.eye(3)
    >>> imfilt.correlate(image, [[0, 0, 0], [0, 0, 1], [0, 0, 0]])
    array([[0., 0., 0.],
           [1., 0., 0.],
           [0., 1., 1.]])
    """
convolve.__doc__ = f"""Convolve an image with a kernel: each pixel lays the kernel, times itself, onto the result.

    Parameters
    ----------
    image : array-like
        Grey (H, W), or with channels (H, W, C), which are filtered one by one. Not changed.
    kernel : array-like
        (rows, columns), real and finite.{_OPTIONS}
    Notes
    -----
    Centre, flip and origin are those of ``scipy.ndimage.convolve``; it is `correlate` with the kernel rotated by 180
    degrees.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> impulse = np.zeros((3, 4))
    >>> impulse[1, 1] = 1
    >>> imfilt.convolve(impulse, [[1, 2, 3]])[1]
    array([1., 2., 3., 0.])
    """


def _geometry(kernel, flip, origin, dilation, stride):
    """The kernel as a correlation, and where its first tap lies from the pixel of the result."""
    stride, dilation = checks.steps(stride, "stride"), checks.steps(dilation, "dilation")
    spans = tuple(d * (n - 1) + 1 for n, d in zip(kernel.shape, dilation, strict=True))
    origin = checks.origin(origin, spans)
    if flip:
        kernel = np.ascontiguousarray(kernel[::-1, ::-1])
        origin = tuple(-o - (n % 2 == 0) for o, n in zip(origin, spans, strict=True))
    corner = tuple(n // 2 + o for n, o in zip(spans, origin, strict=True))
    return kernel, dilation, stride, corner


def _apply(image, kernel, flip, mode, cval, origin, dilation, stride, name, weights, alpha, axis, dtype, out):
    result = out.dtype if isinstance(out, np.ndarray) else dtype
    plain = weights is None and not alpha
    array, (one, spare, axis, size) = _call(
        image, (kernel,), flip, origin, dilation, stride, name, plain, result, axis
    )  # fmt: skip
    return apply(
        one, array, mode=mode, cval=cval, weights=weights, alpha=alpha, channel_axis=axis, dtype=dtype, out=out,
        size=size, spare=spare,
    )  # fmt: skip


@recalled
def _call(image, arrays, flip, origin, dilation, stride, name, plain, result, axis):
    """The kernel for an image, the one to take where there is NaN, the axis of the channels, the result's size."""
    array, axis = checks.as_image(image, axis)
    kernel, dilation, stride, corner = _geometry(kernel_checks.as_kernel(*arrays), flip, origin, dilation, stride)
    size = tuple(-(-n // s) for n, s in zip(checks.plane(array.shape, axis)[:2], stride, strict=True))
    ways = _find(array.dtype, checks.result_type(result, None, array.dtype), kernel, dilation, stride, corner)
    one = ways.choose(checks.one_of(name, "plan", PLANS if plain else PLANS[:-1]))
    return array, (one, ways.without_fft if name == "auto" else None, axis, size)


def _find(source, result, kernel, dilation, stride, corner):
    """The ways to compute this, for these types."""
    wide = plan.is_wide(source, result)
    return kept.get(_ways, (kernel,), dilation, stride, corner, wide, source.kind in "iub")


def ways_for(kernel, source, result):
    """The ways to correlate images of one dtype with a kernel, (rows, columns) about its centre, into another."""
    taps_, distances, steps, corner = _geometry(kernel_checks.as_kernel(kernel), False, 0, 1, 1)
    return _find(source, result, taps_, distances, steps, corner)


@dataclass(frozen=True)
class Ways:
    """What a correlation can be computed by."""

    kernels: dict  # by the name of the plan
    bounds: dict  # on the error, as a part of sum|w| * max|x|
    refused: dict  # why the plan does not take a way by itself, or why there is none
    auto: Kernel
    without_fft: Kernel

    def choose(self, name):
        if name == "auto":
            return self.auto
        checks.plan_there_is(name, self.kernels, self.refused)
        return self.kernels[name]


def _ways(kernel, dilation, stride, corner, wide, whole_image):
    tall, broad = (d * (n - 1) + 1 for n, d in zip(kernel.shape, dilation, strict=True))
    frame = {"rows": tall, "columns": broad, "top": corner[0], "left": corner[1], "stride": stride}
    halo = corner[0], tall - 1 - corner[0], corner[1], broad - 1 - corner[1]
    unit = 2.0**-53 if wide else 2.0**-24
    whole = bool((kernel == np.rint(kernel)).all())
    total = float(np.abs(kernel).sum())
    count = int(np.count_nonzero(kernel))
    allowed = 2 * (count + 4) * unit
    kernels, bounds, refused = {}, {}, {}

    def add(name, stage, bound, growth=1.0):
        reach = total * growth if whole else 0.0
        kernels[name], bounds[name] = Kernel((stage,), halo=halo, reach=reach, name=name), bound

    paired = count % 2 and count <= PAIRED_TAPS and 2 * count < tall * broad and (kernel == kernel[::-1, ::-1]).all()
    many = lie_close(count, frame) and not paired
    for name in ("direct", "fused") if many else ("direct",):
        add(name, _direct_stage(kernel, dilation, frame, many, name == "fused"), (count + 1) * unit)
    if not many:
        refused["fused"] = "it is for many taps that lie close together, without a stride"
    if count <= FUSED_TAPS and many:
        refused["fused"] = f"its bits depend on the machine, and direct is fast enough up to {FUSED_TAPS} taps"

    separation = separate(kernel)
    if separation.rank > 1 and not wide and not whole:  # perhaps it was rounded to float32
        separation = min(separation, separate(kernel, tol=count * unit), key=lambda s: s.rank)
    if separation.rank:
        steps = kernel.shape[0] + separation.rank * kernel.shape[1] + 4
        bound = (separation.error / total) + steps * unit * separation.growth
        add("separable", factors_stage(separation.columns, separation.rows, dilation, frame), bound, separation.growth)
        factors = np.concatenate([separation.columns.ravel(), separation.rows.ravel()])
        if whole and whole_image and not (separation.exact and (factors == np.rint(factors)).all()):
            refused["separable"] = "whole numbers would not stay exact"
        elif bound > allowed:
            refused["separable"] = f"rank {separation.rank}: its error may be {bound:.1e}, more than {allowed:.1e}"
    else:
        refused["separable"] = "all taps are 0"

    if stride != (1, 1) or max(tall, broad) > spectral.TILES[-1] // 2:
        refused["fft"] = f"it is for kernels up to {spectral.TILES[-1] // 2} rows and columns, without a stride"
    else:
        # Twice eight passes of rounding, on tiles of up to 512 x 512 numbers, in double precision.
        add("fft", _fft_stage(kernel, dilation, frame), 100 * spectral.TILES[-1] * 2.0**-53 + unit)
        if whole and whole_image:
            refused["fft"] = "whole numbers would not stay exact"
        elif bounds["fft"] > allowed:
            refused["fft"] = f"its error may be {bounds['fft']:.1e}, more than {allowed:.1e}"
    if "fused" in kernels and count > FUSED_TAPS:
        refused["direct"] = "fused is the same with half the arithmetic"

    first, *others = (one for name, one in kernels.items() if name not in refused)
    auto = replace(first, others=tuple(others))
    without = tuple(one for one in others if one.name != "fft")
    return Ways(kernels, bounds, refused, auto, replace(first, others=without))


def _direct_stage(kernel, dilation, frame, many, fused):
    r, c = np.nonzero(kernel)
    weights = taps(kernel[r, c])
    offsets = np.stack([r * dilation[0], c * dilation[1], np.zeros_like(r)], axis=1)
    if not len(r):  # all zeros: the sum of a row of ones, times 0
        offsets, weights = np.array([[0, 0, -1]]), taps([0.0])
    arrays = indices(offsets), weights, indices([0, len(weights)]), NONE, fused
    rate = 0.0135 if fused else 0.02 if many else 0.018
    return Stage("direct", arrays, **frame, work=len(weights), many=many, rate=rate)


def _fft_stage(kernel, dilation, frame):
    dilated = np.zeros((frame["rows"], frame["columns"]))
    dilated[:: dilation[0], :: dilation[1]] = kernel
    return Stage("fft", (spectral.Spectrum(dilated),), **frame)


@dataclass(frozen=True)
class PlanReport:
    """What `explain_plan` found; its text is a table.

    Attributes
    ----------
    plan : str
        What plan="auto" takes.
    milliseconds : dict
        For each plan that can do it: an estimate, for one thread of the machine that the plan was tuned on.
    errors : dict
        For each of these: the most that a result may be off, as a part of sum|w| * max|x|.
    refused : dict
        Why a plan is not taken, where that is not its cost.
    """

    plan: str
    milliseconds: dict[str, float]
    errors: dict[str, float]
    refused: dict[str, str]

    def __str__(self):
        lines = [f"plan {self.plan}"]
        for name in PLANS[1:]:
            numbers = " " * 27
            if name in self.milliseconds:
                numbers = f"{self.milliseconds[name]:10.3f} ms, error {self.errors[name]:.0e}"
            lines.append(f"  {name:10}{numbers}  {self.refused.get(name, '')}".rstrip())
        return "\n".join(lines)


def explain_plan(
    kernel: ArrayLike, shape: tuple[int, ...], dtype: DTypeLike = np.float32, *,
    dilation: int | tuple[int, int] = 1, stride: int | tuple[int, int] = 1,
) -> PlanReport:  # fmt: skip
    """Which plan `correlate` takes for a kernel and an image, and why.

    Parameters
    ----------
    kernel : array-like
        (rows, columns), real and finite.
    shape : tuple of int
        Of the image: (H, W) or (H, W, C).
    dtype : dtype, optional
        Of the image.
    dilation, stride : int or (rows, columns), optional
        As those of `correlate`.

    Returns
    -------
    PlanReport
        Printed, a table: for each plan its estimated time and its bound, or why it is not taken.

    Raises
    ------
    TypeError, ValueError
        As `correlate`.

    Notes
    -----
    An image that holds NaN or infinity never takes "fft", which would spread them.

    Examples
    --------
    >>> import numpy as np, imfilt
    >>> print(imfilt.explain_plan(np.ones((9, 9)), (1080, 1920)).plan)
    separable
    """
    size = checks.grey_or_channels(shape)
    source = checks.image_dtype(dtype)
    taps_, distances, steps, corner = _geometry(kernel_checks.as_kernel(kernel), False, 0, dilation, stride)
    result = checks.result_type(None, None, source)
    ways = _find(source, result, taps_, distances, steps, corner)
    plane = size if len(size) == 3 else (*size, 1)
    kept_ = tuple(-(-n // s) for n, s in zip(size[:2], steps, strict=True))
    call = plane, source, result, borders.MODES["reflect"], 0.0, False, kept_, isa.core.LANES
    costs = {name: plan.make(one, *call).cost * 1e-6 for name, one in ways.kernels.items()}
    return PlanReport(plan.make(ways.auto, *call).name, costs, ways.bounds, ways.refused)
