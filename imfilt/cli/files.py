"""Which file is written for which, and the errors of one file among many."""

import os
import sys
from pathlib import Path
from stat import S_ISDIR


class FileError(Exception):
    """Why one file was not done, in one line."""


def one_line(text):
    """Control characters of a name or a message, escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def fail(path, reason):
    """One line on stderr."""
    print(one_line(f"imfilt: {path}: {reason}"), file=sys.stderr)


def is_folder(output):
    return output.endswith(("/", os.sep)) or os.path.isdir(output)


def check_input(source):
    """Say what is wrong with a name before what follows from it."""
    try:
        folder = S_ISDIR(os.stat(source).st_mode)
    except OSError as error:
        raise FileError((error.strerror or "cannot be read").lower()) from None
    if folder:
        raise FileError("is a folder; name the pictures in it")


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
    if os.path.exists(path):  # unlike Path's, these never raise: a name may be too long
        if os.path.samefile(source, path):
            raise FileError("the output is the input; choose another name with -o")
        if not os.path.isfile(path):
            raise FileError(f"{path} is not a file")
        if not force:
            raise FileError(f"{path} exists; --force writes over it")
    if not os.path.isdir(path.parent):
        raise FileError(f"there is no folder {path.parent}")
