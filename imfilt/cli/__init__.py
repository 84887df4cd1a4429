"""The command `imfilt`: files in, files out, nothing numerical.

Only what a call needs is imported: `imfilt --help` runs without NumPy.
"""

import argparse
import os
import sys

from imfilt import __version__
from imfilt.cli import files, filters

USAGE, FAILED, INTERRUPTED = 2, 1, 130

DESCRIPTION = """Filter photographs (PNG, JPEG, TIFF, WebP) from the shell: imfilt FILTER FILE...

The result is written beside the photograph: imfilt sobel photo.png makes photo.sobel.png.
imfilt FILTER --help tells what a filter does and which options it takes."""

EXAMPLES = """examples:
  imfilt sobel photo.jpg                    edges, in photo.sobel.jpg
  imfilt gaussian --sigma 2 photo.png -o soft.png
  imfilt scharr --axis 1 --mode mirror scans/*.tif -o edges/"""


class Parser(argparse.ArgumentParser):
    """Errors in one line, with exit status 2."""

    def error(self, message):
        self.exit(USAGE, files.one_line(f"imfilt: {message} (see {self.prog} --help)") + "\n")

    def exit(self, status=0, message=None):
        print(end="", flush=True)  # help for a pipe that is closed fails here, where main can see it
        super().exit(status, message)


def parser():
    top = Parser(
        prog="imfilt", description=DESCRIPTION, epilog=EXAMPLES, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    top.add_argument("--version", action="version", version=f"imfilt {__version__}")
    commands = top.add_subparsers(title="filters", metavar="FILTER", dest="command", required=True)
    filters.add_to(commands)
    return top


def main(argv=None):
    """Run the command.

    Parameters
    ----------
    argv : list of str, optional
        The arguments, without the program's name; those of the process by default.

    Returns
    -------
    int
        0 when all went well, 1 when a file failed, 130 after Ctrl-C. Wrong usage exits
        with 2.
    """
    try:
        arguments = parser().parse_args(argv)
        return arguments.run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
