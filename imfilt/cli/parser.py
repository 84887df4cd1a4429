"""The parser of a command: errors in one line, numbers that begin with a minus, words in common."""

import argparse
import os
import re
import sys

from imfilt.cli.report import USAGE, one_line


def columns():
    """How wide help is."""
    try:
        return int(os.environ.get("COLUMNS") or 0) or min(os.get_terminal_size().columns, 120)
    except (ValueError, OSError):
        return 100


class Parser(argparse.ArgumentParser):
    """Errors in one line, with exit status 2."""

    def __init__(self, prog, **options):
        options = {"allow_abbrev": False, "formatter_class": Formatter, **options}
        super().__init__(prog=prog, **options)

    def parse_args(self, args=None, namespace=None):
        arguments, left = self.parse_known_intermixed_args(_joined(self, args), namespace)
        if left:
            self.error(f"there is no option {left[0].partition('=')[0]}")
        return arguments

    def error(self, message):
        self.exit(USAGE, f"{one_line(f'imfilt: {message} (see {self.prog} --help)')}\n")

    def exit(self, status=0, message=None):
        print(end="", flush=True)  # help for a pipe that is closed fails here, where main can see it
        super().exit(status, message)


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Options on the left, as wide as they are in practice.

    argparse makes one for every option, and loads shutil to ask how wide the terminal is.
    """

    def __init__(self, prog):
        super().__init__(prog, max_help_position=30, width=columns() - 2)

    def _split_lines(self, text, width):
        import textwrap

        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)  # names stay whole


def _joined(parser, args):
    """Values such as -0.5 or -1,0,1 are joined to their option, or argparse takes them for one."""
    args = list(sys.argv[1:] if args is None else args)
    valued = {word for action in parser._actions if action.nargs != 0 for word in action.option_strings}
    joined: list[str] = []
    while args:
        word = args.pop(0)
        if word == "--":  # what follows are files, whatever they look like
            return [*joined, *(f"./{one}" if one.startswith("-") else one for one in args)]
        if word in valued and args and re.match(r"-\.?\d", args[0]):
            word = f"{word}={args.pop(0)}" if word.startswith("--") else word + args.pop(0)
        joined.append(word)
    return joined
