"""Kernels, as they are typed or lie in files."""

import argparse
import os
from typing import NamedTuple

opened: set[str] = set()  # files that kernels were read from: nothing is written over them
SUFFIXES = (".csv", ".txt", ".json", ".npy")
HOW = "rows apart by spaces or ;, as '0,-1,0 -1,5,-1 0,-1,0', or a file in " + ", ".join(SUFFIXES)


class PictureFile(NamedTuple):
    """A picture that an option names; it is read when the work begins."""

    path: str


def looks_like_one(text):
    return text.startswith("@") or text.lower().endswith(SUFFIXES) or set(text) <= set("0123456789.,;+-eE/ \n\t")


def parse(text):
    """An array of floats from a text such as '0,-1,0 -1,5,-1 0,-1,0', or from a file.

    In a text commas part the taps of a row, spaces or semicolons the rows; a tap may be a fraction, 1/9; a size
    before a colon, as ImageMagick has it, may stand before: '3x3: 0,-1,0 -1,5,-1 0,-1,0'. A file (its name may follow
    an @) is a table in .csv or .txt, nested lists in .json, or an array in .npy.
    """
    import numpy as np

    path = text[1:] if text.startswith("@") else text
    if text.startswith("@") or text.lower().endswith(SUFFIXES):
        return _from_file(path)
    size, colon, body = text.rpartition(":")
    rows = [row for row in body.replace(";", " ").split() if row]
    try:
        table = [[tap(one) for one in row.strip(",").split(",")] for row in rows]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a kernel: {error}; give {HOW}") from None
    if colon:
        try:
            columns, height = (int(n) for n in size.lower().split("x"))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r}: a size is COLUMNSxROWS, not {size!r}") from None
        taps = [tap for row in table for tap in row]
        if len(taps) != columns * height:
            raise argparse.ArgumentTypeError(f"{text!r}: {columns} x {height} taps are not {len(taps)}")
        table = [taps[i * columns : (i + 1) * columns] for i in range(height)]
    return _as_array(table, repr(text), np)


def parse_row(text):
    """The same, as one list of taps."""
    return parse(text).ravel()


BLURS = {"gaussian": ("gaussian", 4.5), "disk": ("disk_blur", 1.5), "motion": ("motion_blur", 1.0), "box": ("box", 1.0)}


LARGEST_PSF = 256


def parse_psf(text):
    """What a point became: a kernel, or the name of a blur with its numbers, as gaussian:2 or motion:15,30."""
    import numpy as np

    import imfilt

    name, colon, numbers = text.partition(":")
    if not (colon and name in BLURS):
        if colon and name.isalpha():
            raise argparse.ArgumentTypeError(f"there is no blur {name!r}; there are {', '.join(BLURS)}")
        return parse(text)
    function, reach = BLURS[name]
    try:
        values = [int(one) if name == "box" else float(one) for one in numbers.split(",")]
        if not reach * abs(values[0]) < LARGEST_PSF:
            raise ValueError(f"a blur reaches less than {LARGEST_PSF} pixels")
        radius = int(reach * abs(values[0])) + 2
        point = np.zeros((2 * radius + 1, 2 * radius + 1))
        point[radius, radius] = 1
        spread = getattr(imfilt, function)(point, *values, mode="constant")
    except (ValueError, TypeError) as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    seen = np.argwhere(spread)
    cut = int(np.abs(seen - radius).max()) if len(seen) else 0
    return spread[radius - cut : radius + cut + 1, radius - cut : radius + cut + 1]


def tap(text):
    """A number, or a fraction such as 1/9; raises ValueError."""
    above, slash, below = text.partition("/")
    try:
        return float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{text!r} is not a number") from None


def _as_array(table, name, np):
    try:
        array = np.array(table, dtype=np.float64)
    except (ValueError, TypeError):
        lengths = sorted({len(row) for row in table if isinstance(row, list)})
        raise argparse.ArgumentTypeError(
            f"{name} is not a kernel: its rows have {' and '.join(map(str, lengths))} taps; give {HOW}"
            if len(lengths) > 1 else f"{name} is not a kernel: it is no table of numbers"
        ) from None  # fmt: skip
    if not array.size or not array.ndim:
        raise argparse.ArgumentTypeError(f"{name} is not a kernel: it has no taps")
    if not np.isfinite(array).all():
        raise argparse.ArgumentTypeError(f"{name} is not a kernel: a tap is not finite")
    return array


def _from_file(path):
    import numpy as np

    opened.add(path)
    try:
        suffix = os.path.splitext(path)[1].lower()
        if suffix == ".npy":
            array = np.load(path, allow_pickle=False)
            if array.dtype.kind == "c":
                return array
            return _as_array(array, path, np)
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
        if suffix == ".json":
            import json

            return _as_array(json.loads(text), path, np)
        lines = [line.partition("#")[0].replace(",", " ").replace(";", " ").split() for line in text.splitlines()]
        return _as_array([[tap(one) for one in line] for line in lines if line], path, np)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
    except argparse.ArgumentTypeError:
        raise
    except (ValueError, EOFError) as error:
        reason = f"it is no kernel: {error}"
    raise argparse.ArgumentTypeError(f"{path}: {reason}")
