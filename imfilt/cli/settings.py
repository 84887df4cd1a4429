"""The options that all filters share: which files, what of a picture, what is told."""

import argparse
import re
from dataclasses import dataclass

from imfilt.images.formats import FORMATS, PictureError, by_name

MOST_PIXELS = 1 << 28  # of a frame; the largest sensors of telephones have 200 million
RANGES = ("abs", "shift", "minmax", "raw")
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
DEPTHS = {"8": "uint8", "16": "uint16", "float": "float"}


@dataclass(frozen=True)
class Settings:
    """What was chosen for a call; the fields are the options."""

    output: str | None = None
    format: str | None = None
    force: bool = False
    in_place: bool = False
    skip_existing: bool = False
    recursive: bool = False
    strip: bool = False
    quality: int | None = None
    compression: int | None = None
    depth: str | None = None
    range: str | None = None
    contrast: float = 1.0
    grey: bool = False
    per_channel: bool = False
    alpha: str = "premultiply"
    linear: bool = False
    frame: int | None = None
    orient: bool = True
    max_pixels: int | None = MOST_PIXELS
    jobs: int | None = None
    json: bool = False
    dry_run: bool = False
    quiet: bool = False
    verbose: bool = False

    def grey_for(self, step):
        """Whether a step sees colour as its luminance."""
        return self.grey or (step.wants_grey and not self.per_channel)


def chosen(arguments):
    """The Settings among parsed arguments."""
    return Settings(**{name: getattr(arguments, name) for name in Settings.__dataclass_fields__})


def _counted(least, most=None):
    def parse(text):
        if not (text.isascii() and text.isdigit()) or int(text) < least or (most is not None and int(text) > most):
            bounds = f"from {least} to {most}" if most is not None else f"{least} or more"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, {bounds}")
        return int(text)

    return parse


def _contrast(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _pixels(text):
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "")
    try:
        if not re.fullmatch("[0-9.]+", number):
            raise ValueError
        value = int(float(number) * UNITS[unit])
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of pixels, such as 500M") from None
    return value or None


def _format(text):
    try:
        return by_name(text).name
    except PictureError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_options(parser, name):
    """All shared options; `name` is the command's, for the help."""
    group = parser.add_argument_group("files")
    add = group.add_argument
    add(
        "-o", "--output", metavar="PATH",
        help="a file, whose suffix chooses the format; a folder (one whose name ends in / is made); a template, such "
        "as '{parent}/small/{stem}-{n:03}{suffix}', with also {name} and {filter}; or - for stdout (default: beside "
        f"the picture, with .{name} before its suffix)",
    )  # fmt: skip
    add(
        "--format", type=_format, metavar="FORMAT",
        help=f"of the result, whatever its name: {', '.join(one.lower() for one in FORMATS if FORMATS[one].suffixes)}",
    )  # fmt: skip
    add(
        "-f",
        "--force",
        action="store_true",
        help="write over files that exist, though never over a picture that is read",
    )
    add("--in-place", action="store_true", help="the result takes the place of the picture")
    add("--skip-existing", action="store_true", help="leave out pictures whose result is there")
    add("-r", "--recursive", action="store_true", help="take all pictures in folders, and the folders in them")
    add(
        "-j", "--jobs", type=_counted(1), metavar="N",
        help="pictures at a time (default: as many as there are processors)",
    )  # fmt: skip
    add("-n", "--dry-run", action="store_true", help="tell what would be written, and write nothing")

    group = parser.add_argument_group("pictures")
    add = group.add_argument
    add(
        "--range", choices=RANGES, metavar="RULE",
        help="what becomes of negative results: abs, their absolute value (default for edges); shift, no edge is grey "
        "and half the contrast is left; minmax, the least and the largest result of all files become black and white; "
        "raw, black, or as they are in floating point (default for pictures, and for floating point)",
    )  # fmt: skip
    add(
        "--contrast", type=_contrast, default=1.0, metavar="X",
        help="make edges and other responses X times as strong (default: 1, so that white is scikit-image's 1.0)",
    )  # fmt: skip
    colour = group.add_mutually_exclusive_group()
    colour.add_argument(
        "--grey", action="store_true",
        help="filter the luminance of colour, 0.299 R + 0.587 G + 0.114 B (default for edges)",
    )  # fmt: skip
    colour.add_argument("--per-channel", action="store_true", help="filter each channel (default, but for edges)")
    add(
        "--alpha", choices=("premultiply", "keep", "drop"), default="premultiply", metavar="HOW",
        help="transparency: premultiply, colours count as much as they are opaque (default); keep, it is put back as "
        "it was; drop, it is left out",
    )  # fmt: skip
    add(
        "--linear", action="store_true",
        help="filter light, not what sRGB stores; edges then are edges of light, and are not encoded again",
    )  # fmt: skip
    add("--depth", choices=DEPTHS, metavar="BITS", help="of the result: 8, 16 or float (default: that of the picture)")
    add("--frame", type=_counted(0), metavar="N", help="only frame or page N of several, counted from 0")
    add(
        "--no-orient",
        dest="orient",
        action="store_false",
        help="leave a picture lying as it is stored, and its EXIF so",
    )
    add("--strip", action="store_true", help="leave out EXIF, profile, resolution and texts")
    add(
        "--quality",
        type=_counted(1, 100),
        metavar="Q",
        help="of JPEG (default: 95), AVIF (90), WebP (default: lossless)",
    )
    add(
        "--compression", type=_counted(0, 9), metavar="N",
        help="of PNG: 0 is none, 1 is fast (default), 9 is small; of TIFF: from 1 on deflate (default: none)",
    )  # fmt: skip
    add(
        "--max-pixels", type=_pixels, default=MOST_PIXELS, metavar="N",
        help="refuse larger pictures; 500M for 500 million, 0 for any (default: 268M)",
    )  # fmt: skip

    group = parser.add_argument_group("reports")
    add = group.add_argument
    add("--json", action="store_true", help="one JSON object for each file, on stdout")
    add("-q", "--quiet", action="store_true", help="errors only")
    add("-v", "--verbose", action="store_true", help="a line for each file")
