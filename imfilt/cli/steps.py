"""A function with its options chosen: what it makes of the pixels of a picture."""

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

import imfilt
from imfilt._engine import plan
from imfilt.cli import catalogue, kernels
from imfilt.images import formats, tones

# Functions that return several images: what can be asked for, the default first.
PARTS = {
    "gradient": {"magnitude": lambda parts: parts[0], "orientation": lambda parts: parts[1]},
    "gabor": {
        "magnitude": lambda parts: np.hypot(*parts),
        "real": lambda parts: parts[0],
        "imaginary": lambda parts: parts[1],
    },
    "hessian_matrix": {
        "rr": lambda parts: parts[0],
        "rc": lambda parts: parts[1],
        "cc": lambda parts: parts[2],
    },
}
DIRECTIONS = ("sobel", "scharr", "prewitt", "farid", "roberts", "gradient")  # operators that `gradient` knows
ZERO_SUM = 1e-6  # of the magnitudes: taps that sum to less make a response


@dataclass
class Step:
    """One function of a pipe.

    Attributes
    ----------
    name : str
        The command.
    function : callable
    options : dict
        What was given, by the names of the parameters.
    part : str
        Of several results.
    bias : float
        For `conv`: added to the result, white being 1.
    directions : bool
        The result is coloured by its direction.
    """

    name: str
    function: Callable
    options: dict
    part: str = ""
    bias: float = 0.0
    directions: bool = False
    pictures: dict = field(default_factory=dict)  # options that are pictures: path -> pixels

    def __post_init__(self):
        self.takes = set(inspect.signature(self.function).parameters)
        self.parts = PARTS.get(self.function.__name__, {})
        self.part = self.part or next(iter(self.parts), "")
        family = catalogue.family(self.name)
        # Numbers as they are, or scaled so that white is 1.
        self.scales = "preserve_range" in self.takes
        self.is_algebra = family == catalogue.FAMILIES["imfilt.convolution"] or self.name == "conv"
        derivative = self.name == "gaussian" and np.any(self.options.get("order", 0))
        # A flat picture leaves nothing; and what is made of a picture so that colours mean nothing in it.
        self.is_response = family in catalogue.RESPONSES or derivative or _is_zero_sum(self.options)
        self.wants_grey = family in catalogue.RESPONSES or derivative
        self.has_sign = self.is_response and self.part != "magnitude" and self._answers_below_zero()

    def check(self):
        """What is wrong for one pixel is wrong for every picture: raises ValueError or TypeError."""
        if not {"weight", "depthwise"} & self.options.keys():  # which want channels of their own
            self._call(np.zeros((1, 1)), **self._values(1.0, np.zeros((1, 1))))

    def _answers_below_zero(self):
        noise = np.sin(np.arange(256.0) ** 2).reshape(16, 16) / 2 + 0.5  # numpy.random takes long to load
        try:
            result = self._call(noise, **self._values(1.0, noise))
        except (ValueError, TypeError):  # `check` says so
            return True
        return bool(np.min(result) < 0)

    def _call(self, pixels, **more):
        result = self.function(pixels, **more)
        return self.parts[self.part](result) if self.parts else result

    def _values(self, white, pixels, alpha=False):
        """The options for these pixels: pictures read, the constant border in their numbers."""
        values = dict(self.options)
        for name, value in values.items():
            if isinstance(value, kernels.PictureFile):
                values[name] = self._picture(name, value, pixels.shape)
        if self.is_algebra and "cval" in values:
            values["cval"] = values["cval"] * white
        if "low_threshold" in self.takes and not values.get("use_quantiles"):  # in the numbers of the image
            for name in ("low_threshold", "high_threshold"):
                if values.get(name) is not None:
                    values[name] *= white
        if alpha:
            values["alpha"] = True
        return values

    def _picture(self, name, value, shape):
        found = self.pictures.get(value.path)
        if found is None:  # a probe, before any picture is read
            return np.ones(shape[:2], bool)
        return found > 0 if name == "mask" else found

    def takes_alpha(self):
        return "alpha" in self.takes

    def direct(self, pixels, dtype, alpha):
        """Pixels of `dtype` at once, rounded and saturated by the core; None where that is not possible."""
        if self.bias or self.parts or "dtype" not in self.takes or pixels.dtype.kind not in "uf":
            return None
        if not self.scales and pixels.dtype != dtype:
            return None
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            return None  # what NaN becomes is for `to_pixels` to say
        return self._call(pixels, dtype=dtype, **self._values(tones.full_scale(pixels.dtype), pixels, alpha))

    def numbers(self, pixels, alpha):
        """The result as floats, and the number that is white among them.

        Responses of integers stay on their scale: as fractions of it, what is half a level would be so no more.
        """
        white = tones.full_scale(pixels.dtype)
        values = self._values(white, pixels, alpha)
        if self.part == "orientation":
            return self._call(pixels, **values), np.pi
        if not self.scales:
            if "dtype" not in self.takes:  # yes or no, for each pixel
                return self._call(pixels, **values).astype(np.float32), 1.0
            return self._call(pixels, **values), white
        if self.is_response:
            if "cval" in values:
                values["cval"] *= white
            return self._call(pixels, preserve_range=True, **values), white
        return self._call(pixels, **values), 1.0

    def hues(self, pixels, dtype, contrast):
        """A picture of the directions of edges."""
        operator = self.options.get("operator", self.name if self.name != "gradient" else "sobel")
        values = {key: value for key, value in self.options.items() if key in ("mode", "cval", "gain", "weights")}
        gradient = Step("gradient", imfilt.gradient, {**values, "operator": operator}, pictures=self.pictures)
        values = gradient._values(1.0, pixels)
        magnitude, orientation = gradient.function(pixels, **values)
        return tones.hues(magnitude, orientation, dtype, contrast)

    def told(self):
        """The options as JSON has them."""
        return {name: _plain(value) for name, value in self.options.items()}


def _is_zero_sum(options):
    """Whether a kernel, or one of two rows of taps, leaves nothing of a flat picture."""
    for name in ("kernel", "column", "row"):
        taps = options.get(name)
        if isinstance(taps, np.ndarray) and abs(taps.sum()) <= ZERO_SUM * np.abs(taps).sum():
            return True
    return False


def _plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype.kind != "c" else str(value.shape)
    if isinstance(value, kernels.PictureFile):
        return value.path
    return value


def develop(picture, steps, settings, *, dtype, rule, ends=None, measure=False):
    """The pixels of a picture after all steps.

    Parameters
    ----------
    picture : Picture
    steps : list of Step
    settings : Settings
    dtype : dtype or None
        Of the result: integers, or None for floating point, as wide as the arithmetic is.
    rule : str or None
        What becomes of a result's sign, see tones.py; None: its absolute value if it is a response, else saturated.
    ends : (float, float), optional
        For the rule "minmax".
    measure : bool
        Also find the least and the largest number.

    Returns
    -------
    pixels : ndarray
    alpha : bool
        Whether their last channel is alpha.
    facts : dict
        minimum, maximum and clipped where they were measured, and the seconds that only `measuring` took.
    """
    pixels, alpha = picture.pixels, picture.alpha
    kept = None
    if alpha and settings.alpha == "drop":
        pixels, alpha = _colours(pixels), False
    elif alpha and (settings.alpha == "keep" or (pixels[..., -1] == tones.full_scale(pixels.dtype)).all()):
        kept, pixels, alpha = pixels[..., -1], _colours(pixels), False
    if settings.linear:
        pixels = tones.to_light(pixels, alpha)
    for step in steps[:-1]:
        pixels, alpha, kept = _separated(step, pixels, alpha, kept)
        pixels = _as_grey(step, pixels, alpha, settings)
        numbers, white = step.numbers(pixels, alpha)
        pixels = tones.to_pixels(numbers, white, numbers.dtype, "raw", alpha=alpha, offset=step.bias)[0]
    step = steps[-1]
    pixels, alpha, kept = _separated(step, pixels, alpha, kept)
    pixels = _as_grey(step, pixels, alpha, settings)
    made, facts = _last(step, pixels, alpha, settings, dtype, rule, ends, measure)
    if kept is not None:
        made = _put_back(made, kept, step)
    return made, alpha or kept is not None, facts


def _last(step, pixels, alpha, settings, dtype, rule, ends, measure):
    if step.directions:
        dtype = np.dtype(np.float32) if dtype is None else dtype
        made = step.hues(_colours(pixels) if alpha else pixels, dtype, settings.contrast)
        return (_put_back(made, pixels[..., -1], step) if alpha else made), {}
    if rule is None:
        rule = "raw" if dtype is None or not step.is_response else "shift" if step.part == "orientation" else "abs"
    light = settings.linear and not step.is_response
    saturates = rule == "raw" or (rule == "abs" and step.is_response and not step.has_sign)  # as the core does
    made = None
    if saturates and dtype is not None and settings.contrast == 1 and not light:
        made = step.direct(pixels, dtype, alpha)
        if made is not None and not measure:
            return made, {}
    if made is None:
        numbers, white = step.numbers(pixels, alpha)
    else:
        begun = time.perf_counter()
        with plan.watched():  # whoever watches wants to know how the pixels were made
            numbers, white = step.numbers(pixels, alpha)
    facts = {}
    if measure:
        least, most = tones.extremes(numbers, white, alpha)
        facts = {"minimum": least + step.bias, "maximum": most + step.bias}
    if dtype is None:
        dtype = numbers.dtype
        white = 1.0 if step.part == "orientation" and rule == "raw" else white  # radians
    if light:
        numbers = tones.to_pixels(numbers, white, numbers.dtype, "raw", alpha=alpha, offset=step.bias)[0]
        mapped, clipped = tones.from_light(numbers, dtype, alpha)
    else:
        with plan.watched():
            mapped, clipped = tones.to_pixels(
                numbers, white, dtype, rule, alpha=alpha, ends=ends, offset=step.bias, contrast=settings.contrast
            )  # fmt: skip
    if measure:
        facts["clipped"] = clipped
    if made is None:
        return mapped, facts
    return made, {**facts, "measuring": time.perf_counter() - begun}


def _colours(pixels):
    """Without the last channel; one that is left is grey."""
    return pixels[..., 0] if pixels.shape[2] == 2 else pixels[..., :-1]


def _separated(step, pixels, alpha, kept):
    """Alpha apart from the colours, for a step that does not know of it."""
    if alpha and not step.takes_alpha():
        return _colours(pixels), False, pixels[..., -1]
    return pixels, alpha, kept


def _put_back(made, kept, step):
    """Alpha beside what was made without it, at the same depth."""
    if kept.shape != made.shape[:2]:
        if (kept == kept.flat[0]).all():
            kept = np.full(made.shape[:2], kept.flat[0], kept.dtype)
        else:
            raise formats.PictureError(
                f"has transparency, which {step.name} cannot carry to another size; --alpha drop leaves it out"
            )
    if kept.dtype != made.dtype:
        kept = tones.to_pixels(tones.as_float(kept).astype(np.float32), 1.0, made.dtype, "raw")[0]
    return np.dstack([made, kept])


LUMINANCE = ((0.299, 0.587, 0.114),)  # ITU-R BT.601, what JPEG stores


def _as_grey(step, pixels, alpha, settings):
    """Colour as its luminance, for a step that makes one response of it; a first step's is read so."""
    colours = pixels.shape[2] - alpha if pixels.ndim == 3 else 1
    if colours != 3 or not settings.grey_for(step):
        return pixels
    grey = imfilt.pointwise_conv2d(pixels[..., :3], LUMINANCE, dtype=pixels.dtype)
    return np.dstack([grey, pixels[..., -1]]) if alpha else grey[..., 0]
