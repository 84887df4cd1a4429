"""Options of a command from the signature and the docstring of its function."""

import argparse
import ast
import inspect
import re
from typing import NamedTuple

from imfilt._engine.borders import ALIASES, MODES
from imfilt.cli import kernels

# What the command decides by itself, for a picture as it is in its file.
NOT_OPTIONS = {"image", "alpha", "channel_axis", "preserve_range", "dtype", "out", "return_direction", "is_real"}


class Option(NamedTuple):
    """A parameter, as the shell sees it."""

    name: str
    convert: object  # text -> value; None for a flag
    default: object
    required: bool
    choices: tuple
    metavar: str
    help: str

    @property
    def flag(self):
        return "--" + self.name.replace("_", "-")


def number(text):
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    return value


def whole(text):
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def yes_or_no(text):
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if text.lower() not in words:
        raise argparse.ArgumentTypeError(f"{text!r} is neither yes nor no")
    return words[text.lower()]


def one_or_two(convert):
    """A number, or two with a comma between: of rows and columns."""

    def parse(text):
        values = tuple(convert(part.strip()) for part in text.split(","))
        if len(values) > 2:
            raise argparse.ArgumentTypeError(f"{text!r} is more than two numbers")
        return values if len(values) == 2 else values[0]

    return parse


def fraction(text):
    return text.strip()


def padding(text):
    """A word, a number, two (rows, columns), or four (top, bottom, left, right)."""
    if not re.fullmatch(r"[-+0-9, ]+", text):
        return text
    values = [whole(part.strip()) for part in text.split(",")]
    if len(values) == 4:
        return (values[0], values[1]), (values[2], values[3])
    if len(values) > 2:
        raise argparse.ArgumentTypeError(f"{text!r}: give one number, two (rows, columns) or four")
    return tuple(values) if len(values) == 2 else values[0]


def method(text):
    """The name of an interpolation, bicubic:A, or a kernel."""
    name, colon, a = text.partition(":")
    if name == "bicubic" and colon:
        return name, number(a)
    return kernels.parse(text) if kernels.looks_like_one(text) else text


def picture(text):
    """A file that is read as grey when the work begins."""
    return kernels.PictureFile(text)


def picture_or_finite(text):
    return text if text == "finite" else picture(text)


def literal(text):
    """A number, or a word: for annotations that are not in the table."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


# The annotation of a parameter -> how its text is read, and what stands for it in the help.
CONVERTERS = {
    "float": (number, "X"),
    "float | None": (number, "X"),
    "float | Sequence[float]": (one_or_two(number), "X[,X]"),
    "float | Sequence[float] | None": (one_or_two(number), "X[,X]"),
    "int": (whole, "N"),
    "int | None": (whole, "N"),
    "int | Sequence[int]": (one_or_two(whole), "N[,N]"),
    "int | tuple[int, int]": (one_or_two(whole), "N[,N]"),
    "tuple[int, int] | None": (one_or_two(whole), "N,N"),
    "int | Sequence[int] | None": (one_or_two(whole), "N"),
    "str": (str, "WORD"),
    "bool": (yes_or_no, "YES"),
    "ArrayLike": (kernels.parse, "KERNEL"),
    "ArrayLike | None": (kernels.parse, "KERNEL"),
    "ArrayLike | str | None": (picture_or_finite, "FILE"),
    "Factor | tuple[Factor, Factor]": (one_or_two(fraction), "X[,X]"),
    "Method": (method, "METHOD"),
    "str | tuple[str, float]": (method, "METHOD"),
    "int | str | tuple": (padding, "PADDING"),
}
HELP = {  # where the docstring speaks of arrays
    "mode": f"what lies beyond the border: {', '.join(MODES)}, or an alias",
    "cval": "the border of --mode constant; 0 is black, 1 is white",
    "mask": "a picture: no result where it is black",
    "psf": "what a point became: gaussian:SIGMA, disk:RADIUS, motion:LENGTH,ANGLE, box:SIZE, or a kernel",
    "low_threshold": "weaker edges are none; white is 1 (default: 0.1), or with --use-quantiles a part of all pixels",
    "high_threshold": "stronger edges are some for certain; white is 1 (default: 0.2), or with --use-quantiles a part "
    "of all pixels",
    "factor": "how many times as large (downscale: as small); a fraction, as 3/2, or two (rows, columns)",
    "method": "nearest, bilinear, bicubic, bicubic-0.75 (OpenCV's), bicubic:A for any A from -2 to 0, lanczos2, "
    "lanczos3, lanczos4, mitchell, bspline or area; upscale also takes the KERNEL of a transposed convolution",
    "weights": 'a picture of how much each pixel counts, or the word "finite": NaN counts for nothing',
}


ELSEWHERE = {  # where the docstring only tells which other function's it is like
    "stride": "only every so many pixels have a result, or two numbers (rows, columns)",
    "dilation": "distance of neighbouring taps, or two numbers (rows, columns)",
    "origin": "moves the centre of the taps, or two numbers (rows, columns)",
    "padding": "a number, two (rows, columns), four (top, bottom, left, right), or valid, same, same_lower, full",
}


def documented(function):
    """The parameters in a numpydoc docstring: name -> (type, sentences)."""
    found: dict[str, tuple[str, list[str]]] = {}
    names: list[str] = []
    section = re.search(r"\n\s*Parameters\n\s*-+\n(.*?)(?=\n\s*\w[\w ]*\n\s*---|\Z)", function.__doc__ or "", re.S)
    for line in inspect.cleandoc("\n" + section.group(1)).splitlines() if section else ():
        head = re.match(r"(\w+(?:, \w+)*) : (.*)", line)
        if head:
            names = head.group(1).split(", ")
            found.update({name: (head.group(2), []) for name in names})
        else:
            for name in names:
                found[name][1].append(line.strip())
    plain = {name: re.sub(r"[`*]+", "", " ".join(lines)).strip() for name, (_, lines) in found.items()}
    return {name: (kind, plain[name]) for name, (kind, _) in found.items()}


def summary(function):
    """The first line of its docstring, without the stop."""
    return re.sub(r"`+", "", (function.__doc__ or "").strip().partition("\n")[0]).rstrip(".")


def options_of(function):
    """What can be chosen of a function that filters an image.

    Parameters
    ----------
    function : callable
        With annotations as text, and a numpydoc docstring.

    Returns
    -------
    list of Option
    """
    told = documented(function)
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name in NOT_OPTIONS:
            continue
        kind, text = told.get(name, ("", ""))
        convert, metavar = CONVERTERS.get(parameter.annotation, (literal, "VALUE"))
        required = parameter.default is inspect.Parameter.empty
        choices = tuple(re.findall(r'"([^"]+)"', kind)) if kind.startswith("{") else ()
        if name == "mode":
            choices = (*MODES, *ALIASES)
        if name == "mask":
            convert, metavar = picture, "FILE"
        if name in ELSEWHERE and len(text) < 40:
            text = ELSEWHERE[name]
        if name == "kernel" and not choices:
            text = "the taps, typed or from a file"
        if choices and not all(one in text for one in choices) and name not in HELP:
            text = f"{text.rstrip('.')}; one of {', '.join(choices)}"
        if name in ("column", "row", "bias"):
            convert, metavar = kernels.parse_row, "TAPS"
        if name == "psf":
            convert, metavar = kernels.parse_psf, "KERNEL"
        found.append(
            Option(
                name,
                convert,
                None if required else parameter.default,
                required,
                choices,
                "WORD" if choices else metavar,
                HELP.get(name) or text or told.get(name, ("", ""))[0],
            )
        )
    return found


def add_options(parser, options):
    """As options of a parser; what is given comes back from `given`."""
    group = parser.add_argument_group("the filter")
    for option in options:
        settings = {
            "dest": f"of_{option.name}", "default": argparse.SUPPRESS, "required": option.required,
            "help": _help(option),
        }  # fmt: skip
        if option.convert is yes_or_no:
            group.add_argument(option.flag, action=argparse.BooleanOptionalAction, **settings)
            continue
        if option.choices:
            settings["choices"] = option.choices
        group.add_argument(option.flag, type=option.convert, metavar=option.metavar, **settings)


def _help(option):
    text = option.help.replace("%", "%%")
    if option.default not in (None, ""):
        default = option.default
        if isinstance(default, bool):
            default = "yes" if default else "no"
        elif isinstance(default, float):
            default = f"{default:.6g}"
        text += f" (default: {default})"
    return text


def given(arguments):
    """The values of the options that were given, by the names of their parameters."""
    return {name[3:]: value for name, value in vars(arguments).items() if name.startswith("of_")}
