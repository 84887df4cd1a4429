"""What compare_edges.py and compare_upscaling.py share: options, photographs, the clock, tables and pages.

Whatever goes wrong ends in `fail`, with one line. Packages that --help does not need are imported where they are used.
"""

import argparse
import csv
import importlib
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

import imfilt

ROOT = Path(__file__).resolve().parent.parent
PHOTO = ROOT / "photos" / "coffee.png"
NEEDED = {"matplotlib": "matplotlib", "scipy": "scipy", "skimage": "scikit-image"}
LEAST_SIDE = 32

# From Okabe and Ito's palette, and from viridis: told apart by colour-blind people, and in grey print.
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#777777"
SEQUENCE = ("#440154", "#31688e", "#35b779", "#c2df23")
WIDTH = 10  # inches of a page: at DPI more than a README's column of 800 to 1000 pixels
DPI = 130
STYLE = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.w_pad": 0.03,
    "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.hspace": 0,
}


def fail(message):
    """One line on stderr, exit status 1."""
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")


# ── options ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def parser(description, epilog, stem):
    """The options that both scripts have; `stem` is what their files are called."""
    made = argparse.ArgumentParser(
        usage="%(prog)s [PHOTO ...] [options]", description=description, epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    made.add_argument("photos", nargs="*", metavar="PHOTO", type=Path,
                      help="grey or colour, any file that Pillow reads (default: photos/coffee.png)")  # fmt: skip
    made.add_argument("-o", "--output", metavar="FOLDER", type=Path,
                      help=f"where {stem}.jpg and {stem}.csv are put, over what is there "
                      "(default: here, or docs/ of the repository if no PHOTO is named)")  # fmt: skip
    made.add_argument("--crop", metavar="ROW,COLUMN,SIZE", type=square,
                      help="the square that is shown (default: where edges vary most)")  # fmt: skip
    made.add_argument("--repeat", metavar="N", type=whole(1, 1000), default=5,
                      help="calls that a time is the median of (default: %(default)s)")  # fmt: skip
    return made


def arguments(made):
    """The options as they were given, with what follows from them."""
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    asked = made.parse_args()
    if missing:
        fail(f"needs {' and '.join(missing)}: pip install 'imfilt[figures]'")
    asked.output = asked.output or (Path() if asked.photos else ROOT / "docs")
    asked.photos = asked.photos or [PHOTO]
    return asked


def whole(least, most):
    """For argparse: whole numbers from `least` to `most`."""
    return _number(int, lambda number: least <= number <= most, f"a whole number from {least} to {most}")


def positive(most):
    """For argparse: numbers above 0, up to `most`."""
    return _number(float, lambda number: 0 < number <= most, f"a number above 0 and up to {most}")


def _number(kind, allowed, words):
    def read(text):
        try:
            number = kind(text)
        except ValueError:
            number = None
        if number is None or not allowed(number):
            raise argparse.ArgumentTypeError(f"{text!r} is not {words}")
        return number

    return read


def square(text):
    """For argparse: ROW,COLUMN,SIZE."""
    try:
        row, column, size = map(int, text.split(","))
    except ValueError:
        row, column, size = -1, -1, 0
    if min(row, column) < 0 or size < 8:
        raise argparse.ArgumentTypeError(f"{text!r} is not ROW,COLUMN,SIZE: three whole numbers, the size 8 or more")
    return row, column, size


# ── photographs ──────────────────────────────────────────────────────────────────────────────────────────────────────


def read(path):
    """A photograph: float32 of full scale 1, (H, W) or (H, W, 3), upright; white where it is transparent."""
    try:
        with Image.open(path) as image:
            pixels = _pixels(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        fail(f"{path}: is not a picture that Pillow reads, or is damaged")
    except OSError as error:
        fail(f"{path}: {error.strerror.lower() if error.strerror else f'is damaged: {error}'}")
    except Exception as error:  # a decoder that meets a damaged file may raise anything
        fail(f"{path}: cannot be read: {error}")
    if not np.isfinite(pixels).all():
        fail(f"{path}: holds NaN or infinity")
    if min(pixels.shape[:2]) < LEAST_SIDE:
        fail(f"{path}: is {pixels.shape[1]} x {pixels.shape[0]} pixels; {LEAST_SIDE} x {LEAST_SIDE} is the least")
    return pixels


def _pixels(image):
    deep = image.mode == "F" or image.mode.startswith("I")
    if deep:  # floats that go beyond 1, and integers beyond 16 bits: the largest becomes 1
        numbers = np.asarray(image, np.float32)
        full = 1.0 if image.mode == "F" else 65535.0
        return np.clip(numbers / max(full, numbers.max()), 0, 1)
    grey = image.mode in ("1", "L", "LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("L" if grey else "RGB"), np.float32) / 255


def luminance(photo):
    """Grey from colour, by the weights of ITU-R BT.601."""
    return photo if photo.ndim == 2 else photo @ np.array([0.299, 0.587, 0.114], np.float32)


def crop(path, photo, asked, size):
    """The square that is shown, as a pair of slices: the one asked for, or one of this size.

    That is where edges vary most: strong ones beside quiet places.
    """
    rows, columns = photo.shape[:2]
    if asked is None:
        size = min(size, rows, columns)
        edges = imfilt.sobel(luminance(photo))
        inside = slice(size // 2, size // 2 + rows - size + 1), slice(size // 2, size // 2 + columns - size + 1)
        variance = (imfilt.box(edges**2, size) - imfilt.box(edges, size) ** 2)[inside]
        row, column = map(int, np.unravel_index(variance.argmax(), variance.shape))
    else:
        row, column, size = asked
        if row + size > rows or column + size > columns:
            fail(f"{path}: the crop {row},{column},{size} is not inside its {rows} rows and {columns} columns")
    return slice(row, row + size), slice(column, column + size)


# ── peers and the clock ──────────────────────────────────────────────────────────────────────────────────────────────


def optional(module):
    """A package that does not have to be there, or None."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def say_missing(packages):
    """Which peers were left out."""
    missing = [name for name, module in packages.items() if module is None]
    if missing:
        print(f"Not installed, and left out: {', '.join(missing)}.\n")


def medians(contenders, repeat):
    """Seconds of each contender: the median of so many rounds in which all take turns, after a round to warm up."""
    taken = {name: [] for name in contenders}
    for turn in range(repeat + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if turn:
                taken[name].append(time.perf_counter() - start)
    return {name: float(np.median(times)) for name, times in taken.items()}


# ── tables and pages ─────────────────────────────────────────────────────────────────────────────────────────────────


def run(main):
    """The script, which whoever reads its output may leave, and Ctrl-C may stop, without a traceback."""
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def markdown(columns, rows):
    """Rows as a Markdown table: `columns` are keys of the rows and how their values are formatted."""
    lines = [list(columns), [":--" if not form else "--:" for form in columns.values()]]
    lines += [[_cell(row.get(key), form) for key, form in columns.items()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def _cell(value, form):
    return "" if value is None else value if isinstance(value, str) else format(value, form)


def make_folder(folder):
    """For the results, before the work begins."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{folder}: {error.strerror.lower()}")


def write_table(folder, name, rows):
    """All rows into a CSV file, a column for each key that any has."""
    path = folder / name
    keys = list(dict.fromkeys(key for row in rows for key in row))
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, keys)
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        fail(f"{path}: {error.strerror.lower()}")
    print(f"made: {path}")


def page(heights):
    """A figure of these parts, one below the other, with their heights in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, sum(heights)), dpi=DPI, layout="constrained", facecolor="white")
    return figure, list(np.atleast_1d(figure.subfigures(len(heights), 1, height_ratios=heights)))


def heading(part, title, text):
    """What a part of a page shows, in bold, and how to read it."""
    from matplotlib.text import Annotation

    bold = part.suptitle(title, x=0.01, ha="left", fontsize=10.5, weight="bold", parse_math=False)
    options = {"xytext": (8, 0), "textcoords": "offset points", "va": "bottom", "fontsize": 10.5}
    part.add_artist(Annotation(text, (1, 0), xycoords=bold, **options))


def picture(axes, pixels, title, white=1.0):
    """Pixels from 0 to `white` as they are, none of them mixed with its neighbours."""
    axes.imshow(np.clip(pixels, 0, white), cmap="gray", vmin=0, vmax=white, interpolation="nearest")
    axes.set_title(title, pad=3)
    axes.set_axis_off()


def save(figure, folder, name):
    path = folder / name
    try:
        figure.savefig(path, pil_kwargs={"quality": 88, "optimize": True})
    except OSError as error:
        fail(f"{path}: {error.strerror.lower() if error.strerror else error}")
    print(f"made: {path}")
