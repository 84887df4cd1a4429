"""Which file is written for which, and the errors of one file among many."""

import os
import sys
from pathlib import Path


class FileError(Exception):
    """Why one file was not done, in one line."""


def fail(path, reason):
    """One line on stderr; control characters of a name or a message cannot break it."""
    text = f"imfilt: {path}: {reason}"
    print("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text), file=sys.stderr)


def is_folder(output):
    return output is not None and (output.endswith(("/", os.sep)) or Path(output).is_dir())


def output_path(source, word, output):
    """Where the result for `source` goes.

    Parameters
    ----------
    source : str
    word : str
        The filter's name, put before the suffix.
    output : str or None
        A file, a folder, or None for the folder of `source`.
    """
    source = Path(source)
    name = f"{source.stem}.{word}{source.suffix}"
    if output is None:
        return source.with_name(name)
    return Path(output, name) if is_folder(output) else Path(output)


def check_output(source, path, force):
    """Refuse to write over the input, or over another file without --force."""
    if path.exists():
        if os.path.exists(source) and path.samefile(source):
            raise FileError("the output is the input; choose another name with -o")
        if not path.is_file():
            raise FileError(f"{path} is not a file")
        if not force:
            raise FileError(f"{path} exists; --force writes over it")
    if not path.parent.is_dir():
        raise FileError(f"there is no folder {path.parent}")
