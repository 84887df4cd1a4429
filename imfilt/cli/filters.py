"""The filters as subcommands: their options, and one picture after the other."""

import argparse
import math

from imfilt._engine.borders import ALIASES, MODES
from imfilt.cli import files

SIGN = "result has a sign: pixels show its absolute value, a floating-point TIFF keeps it."
SENTENCES = {
    "edge": "Colour becomes one edge image, of its luminance (0.299 R + 0.587 G + 0.114 B), unless --per-channel.",
    "signed": f"The {SIGN}",
    "axis": f"With --axis the {SIGN}",
    "gaussian": f"With --order the {SIGN}",
}

#        name: (summary, options)
FILTERS = {
    "sobel": ("edges by the Sobel operator", "axis edge"),
    "sobel_h": ("horizontal edges by the Sobel operator", "edge signed"),
    "sobel_v": ("vertical edges by the Sobel operator", "edge signed"),
    "scharr": ("edges by the Scharr operator, nearer to rotation invariance", "axis edge"),
    "scharr_h": ("horizontal edges by the Scharr operator", "edge signed"),
    "scharr_v": ("vertical edges by the Scharr operator", "edge signed"),
    "prewitt": ("edges by the Prewitt operator", "axis edge"),
    "prewitt_h": ("horizontal edges by the Prewitt operator", "edge signed"),
    "prewitt_v": ("vertical edges by the Prewitt operator", "edge signed"),
    "farid": ("edges by the Farid and Simoncelli operator, five taps each way", "axis edge"),
    "farid_h": ("horizontal edges by the Farid and Simoncelli operator", "edge signed"),
    "farid_v": ("vertical edges by the Farid and Simoncelli operator", "edge signed"),
    "roberts": ("edges by Roberts' cross, two by two pixels", "edge"),
    "roberts_pos_diag": ("differences along the diagonal from upper left to lower right", "edge signed"),
    "roberts_neg_diag": ("differences along the diagonal from upper right to lower left", "edge signed"),
    "gaussian": ("smooth with a Gaussian, or take its derivatives", "gaussian"),
}


def number(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def not_negative(text):
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    return value


def whole(text):
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def one_or_two(convert):
    def parse(text):
        values = tuple(convert(part) for part in text.split(","))
        if len(values) > 2:
            raise argparse.ArgumentTypeError(f"{text!r} is more than two numbers")
        return values * 2 if len(values) == 1 else values

    return parse


def add_to(commands):
    """A subcommand for every filter."""
    for name, (summary, words) in FILTERS.items():
        options = words.split()
        description = " ".join([
            f"{summary[0].upper()}{summary[1:]}.",
            *(sentence for word, sentence in SENTENCES.items() if word in options),
            "Transparency is kept as it is.",
        ])  # fmt: skip
        command = commands.add_parser(name, help=summary, description=description, allow_abbrev=False)
        command.set_defaults(run=run, refuse=command.error)
        command.add_argument("files", nargs="+", metavar="FILE", help="PNG, JPEG, TIFF or WebP")
        command.add_argument(
            "-o", "--output", metavar="PATH",
            help="a file, whose suffix chooses the format, or a folder that exists "
            f"(default: beside FILE, with .{name} before its suffix)",
        )  # fmt: skip
        command.add_argument(
            "-f", "--force", action="store_true", help="write over files that exist, though never over FILE"
        )
        default = "nearest" if name == "gaussian" else "reflect"
        command.add_argument(
            "--mode", default=default, choices=[*MODES, *ALIASES], metavar="MODE",
            help=f"what lies beyond the border: {', '.join(MODES)} (default: {default})",
        )  # fmt: skip
        command.add_argument(
            "--cval", type=number, default=0.0, metavar="X",
            help="the border of --mode constant: 0 is black, 1 is white (default: 0)",
        )  # fmt: skip
        if "edge" in options:
            command.add_argument(
                "--per-channel", action="store_true", help="edges of red, green and blue, each by itself"
            )
            command.add_argument("--mask", metavar="FILE", help="an image: no edges where it is black")
        if "axis" in options:
            command.add_argument(
                "--axis", type=int, choices=(0, 1),
                help="only the derivative down the rows (0: horizontal edges) or along them (1: vertical edges)",
            )  # fmt: skip
        if "gaussian" in options:
            command.add_argument(
                "--sigma", type=one_or_two(not_negative), default=(1.0, 1.0), metavar="S[,S]",
                help="standard deviation in pixels; two numbers: vertical, horizontal (default: 1)",
            )  # fmt: skip
            command.add_argument(
                "--truncate", type=not_negative, default=4.0, metavar="T",
                help="how many sigmas the kernel reaches to each side (default: 4)",
            )  # fmt: skip
            command.add_argument(
                "--order", type=one_or_two(whole), default=(0, 0), metavar="K[,K]",
                help="0 smooths, K takes the K-th derivative; two numbers: vertical, horizontal (default: 0)",
            )  # fmt: skip
            command.add_argument(
                "--max-error", type=not_negative, metavar="E",
                help="compute a large sigma faster, with an error of at most this fraction of the range, "
                "such as 0.001 (default: only as much as rounding hides; 0: never)",
            )  # fmt: skip


def keywords(arguments):
    """The filter's own arguments."""
    names = ("mode", "cval", "axis", "sigma", "truncate", "order", "max_error")
    return {name: value for name in names if (value := getattr(arguments, name, None)) is not None}


def run(arguments):
    """All files of a call, one failing file not stopping the rest.

    Returns
    -------
    int
        0, or 1 when a file failed.
    """
    name, output = arguments.command, arguments.output
    if len(arguments.files) > 1 and output is not None and not files.is_folder(output):
        arguments.refuse(f"{output} is not a folder, and there are {len(arguments.files)} files to write")
    import imfilt
    from imfilt import images

    function, options = getattr(imfilt, name), keywords(arguments)
    try:
        function([[0.0]], **options)  # what is wrong for one pixel is wrong for every picture
    except ValueError as error:
        arguments.refuse(error)
    try:
        if getattr(arguments, "mask", None):
            options["mask"] = images.read(arguments.mask, grey=True).pixels > 0
    except images.PictureError as error:
        files.fail(arguments.mask, error)
        return 1
    status, written = 0, set()
    for source in arguments.files:
        try:
            files.check_input(source)
            path = files.output_path(source, name, output)
            if path in written:
                raise files.FileError(f"{path} was just written for another file; choose a folder with -o")
            files.check_output(source, path, arguments.force)
            picture = images.read(source, grey=name != "gaussian" and not arguments.per_channel)
            images.check_holds(images.output_format(path), picture)
            filter_picture(function, picture, options, signed(arguments))
            images.write(path, picture)
            written.add(path)
        except (images.PictureError, files.FileError, OSError, ValueError, MemoryError) as error:
            files.fail(source, str(error) or "there is not enough memory")
            status = 1
    return status


def signed(arguments):
    """Whether the result has negative numbers."""
    if arguments.command == "gaussian":
        return any(arguments.order)
    return "signed" in FILTERS[arguments.command][1] or getattr(arguments, "axis", None) is not None


def filter_picture(function, picture, options, has_sign):
    """The filtered pixels at the depth of the picture."""
    from imfilt import images

    pixels = picture.pixels
    if has_sign:
        options = {**options, "cval": options["cval"] * images.full_scale(pixels.dtype)}
        picture.pixels = images.to_depth(function(pixels, preserve_range=True, **options), pixels.dtype)
    else:
        picture.pixels = function(pixels, dtype=pixels.dtype, **options)
