"""The command `imfilt`: files in, files out, nothing numerical.

Only what a call needs is imported: `imfilt --help` runs without NumPy.
"""

import os
import signal
import sys
import warnings
from contextlib import suppress
from importlib import import_module

from imfilt import __version__
from imfilt.cli import catalogue
from imfilt.cli.report import FAILED, INTERRUPTED, USAGE, one_line

HELP = """usage: imfilt COMMAND [OPTION ...] FILE ...

Filter photographs from the shell: PNG, JPEG, TIFF, WebP, AVIF, GIF, BMP, PPM, and .npy.
The result is written beside the photograph: imfilt sobel photo.png makes photo.sobel.png.
"""
EXAMPLES = """
examples:
  imfilt sobel photo.jpg                                edges, in photo.sobel.jpg
  imfilt gaussian --sigma 2 photo.png -o soft.png
  imfilt scharr --range shift scans/*.tif -o edges/     a folder, which is made
  imfilt unsharp-mask -r holiday -o '{parent}/sharp/{name}'
  imfilt pipe photo.jpg 'gaussian sigma=2 | sobel' -o out.png
  curl -s https://... | imfilt kirsch - --format png > edges.png

imfilt COMMAND --help tells its options, imfilt help COMMAND what it computes.
"""


def overview():
    """What `imfilt --help` prints."""
    import textwrap

    lines = [HELP]
    titles = catalogue.families()
    width = max(map(len, titles)) + 2
    for title, names in titles.items():
        text = textwrap.wrap(" ".join(names), 96 - width, break_on_hyphens=False, break_long_words=False)
        lines += [f"  {title if i == 0 else '':{width}}{part}" for i, part in enumerate(text)]
    lines += ["", *(f"  {one.name:12}{one.summary}" for one in catalogue.OTHERS.values())]
    return "\n".join(lines) + "\n" + EXAMPLES


class Stopped(KeyboardInterrupt):
    """A signal that ends the process, as Ctrl-C does."""


def _stop(number, _frame):
    raise Stopped(number)


def main(argv=None):
    """Run the command.

    Parameters
    ----------
    argv : list of str, optional
        The arguments, without the program's name; those of the process by default.

    Returns
    -------
    int
        0 when all went well, 1 when a file failed, 3 when there was none to filter, 130 after
        Ctrl-C. Wrong usage exits with 2.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(argv)
    except KeyboardInterrupt as error:
        return 128 + error.args[0] if isinstance(error, Stopped) else INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:  # those of files are told where they happen
        return _cannot_say(error)


def _cannot_say(error):
    with suppress(OSError):
        print(f"imfilt: stdout: {(error.strerror or 'is closed').lower()}", file=sys.stderr, flush=True)
    return FAILED


def _run(argv):
    if not argv:
        return refuse("give a command and a picture, as in: imfilt sobel photo.jpg")
    word, args = argv[0], argv[1:]
    if word in ("-h", "--help"):
        print(overview(), end="", flush=True)
        return 0
    if word == "--version":
        print(f"imfilt {__version__}", flush=True)
        return 0
    name = catalogue.typed(word)
    if name in catalogue.OTHERS:
        place = catalogue.OTHERS[name].place
    elif catalogue.family(name):
        place = "filtering"
    else:
        if os.path.exists(word):
            return refuse(f"give a command first, as in: imfilt sobel {word}")
        return refuse(f"there is no command {word!r}{catalogue.suggestion(word)}")
    return import_module(f"imfilt.cli.{place}").run(name, args)


def refuse(message):
    """Say what is wrong with the call."""
    print(one_line(f"imfilt: {message} (see imfilt --help)"), file=sys.stderr)
    return USAGE


def _mute_libraries():
    """Let nothing but this command write to stderr: libtiff and others print what Pillow then raises, or warns of."""
    warnings.simplefilter("ignore")
    try:
        stderr = os.dup(2)
    except OSError:
        return
    os.set_inheritable(stderr, False)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    sys.stderr = open(stderr, "w", encoding=sys.stderr.encoding, errors="backslashreplace", buffering=1)  # noqa: SIM115


def entry():
    """The process `imfilt`: main, with a clean end for every signal that asks for one."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) == signal.SIG_DFL:
            signal.signal(getattr(signal, name), _stop)
    # In the place of what is closed, or the next file to be opened would be taken for it; a stdout that cannot be
    # written to, so that whatever tries is told.
    if sys.stdout is None:
        sys.stdout = open(os.devnull)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    else:
        _mute_libraries()
    try:
        status = main()
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else 0
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = status or FAILED
    except OSError as error:
        status = status or _cannot_say(error)
    # Without waiting for files that are still being filtered after Ctrl-C, nor for what Python would tidy up.
    os._exit(status)
