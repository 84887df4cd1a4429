"""Which commands there are. A filter that `imfilt` lists is a command by itself.

Nothing here imports NumPy: it is what `imfilt --help` shows.
"""

from typing import NamedTuple

import imfilt

# Titles of the modules of filters; one that is not here has its own name for a title.
FAMILIES = {
    "imfilt.filters.edges": "edges",
    "imfilt.filters.orientation": "edges",
    "imfilt.filters.canny": "edges",
    "imfilt.filters.compass": "edges",
    "imfilt.filters.second": "second derivatives",
    "imfilt.filters.texture": "texture",
    "imfilt.filters.smoothing": "smoothing",
    "imfilt.filters.blurs": "smoothing",
    "imfilt.filters.sharpening": "sharpening, relief",
    "imfilt.upsampling": "other sizes",
    "imfilt.deconvolution": "undoing a blur",
    "imfilt.convolution": "convolution",
}
# Titles whose results are no pictures but answers; a colour image has one, of its luminance.
RESPONSES = ("edges", "second derivatives", "texture")
NO_COMMANDS = {  # functions that take no picture, or make none
    "gabor_kernel", "upsample_kernel", "upsample_gain", "pixel_shuffle", "pixel_unshuffle", "explain_plan",
}  # fmt: skip


class Command(NamedTuple):
    name: str
    summary: str
    place: str  # the module of imfilt.cli whose `run(name, arguments)` does it


OTHERS = {
    one.name: one
    for one in (
        Command("conv", "a kernel of your own: typed, or from a file", "filtering"),
        Command("pipe", "several steps on one picture, held in memory between them", "filtering"),
        Command("kernel", "what a kernel is: rank, factors, symmetry, plan and cost", "about"),
        Command("info", "what is in picture files", "about"),
        Command("list", "every filter in a line, or with --json with its options", "about"),
        Command("help", "what a filter does, its options and its kernel", "about"),
        Command("completion", "completion for bash, zsh or fish", "about"),
    )
}


def _places():
    for place, names in imfilt._PLACES.items():
        if place.startswith("imfilt.filters.") or place in FAMILIES:
            yield place, names
        elif place.startswith("imfilt.convolution."):
            yield "imfilt.convolution", names


def families():
    """The names of the commands that are functions, by title; as they are typed."""
    found: dict[str, list[str]] = {}
    for place, names in _places():
        title = FAMILIES.get(place, place.rpartition(".")[2])
        found.setdefault(title, []).extend(typed(name) for name in names if name not in NO_COMMANDS)
    order = list(dict.fromkeys(FAMILIES.values()))
    return dict(sorted(found.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))


def typed(name):
    """A function's name as a shell's word: both sobel-h and sobel_h are understood."""
    return name.replace("_", "-")


def family(name):
    """The title that a command which is a function stands under, or None."""
    return next((title for title, names in families().items() if name in names), None)


def names():
    """Every command."""
    return [*(name for names in families().values() for name in names), *OTHERS]


def suggestion(word):
    """What may have been meant."""
    from difflib import get_close_matches

    found = get_close_matches(typed(word.lower()), names(), 1)
    return f"; did you mean {found[0]}?" if found else "; imfilt list tells all"
