"""One file: what is read of it, and how it is written whole or not at all."""

import itertools
import os
import stat
import threading
from contextlib import contextmanager, suppress

STREAM = "-"  # stdin, or stdout


class FileError(Exception):
    """Why one file was not done, in one line."""


def content(path):
    """What a picture is read from: its path, or all that comes through a pipe that the shell made, as <(...).

    Raises
    ------
    FileError
        If it is no file. A pipe with a name is one of the things that may be waited for without end.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise FileError((error.strerror or "cannot be read").lower()) from None
    if stat.S_ISREG(mode):
        return path
    if stat.S_ISFIFO(mode) and path.startswith(("/dev/fd/", "/proc/self/fd/")):
        with open(path, "rb") as file:
            return file.read()
    raise FileError(
        "is a folder" if stat.S_ISDIR(mode) else "is not a file; a picture from elsewhere comes as - for stdin"
    )


_numbers = itertools.count()
_partial: set = set()
_lock = threading.Lock()
_stopped = False


@contextmanager
def whole(target, durable=False):
    """A binary file that takes the place of `target` when the block ends well, and else is gone.

    Parameters
    ----------
    target : str
        What stands there is untouched until then.
    durable : bool
        Wait until the new file is on the disk before the old one goes, lest a crash of the machine leaves neither.
    """
    folder = os.path.dirname(target)
    os.makedirs(folder or ".", exist_ok=True)
    partial = os.path.join(folder, f".imfilt-{os.getpid()}-{next(_numbers)}.part")
    with _lock:
        if _stopped:
            raise KeyboardInterrupt
        _partial.add(partial)
    try:
        with open(partial, "x+b") as file:
            yield file
            file.flush()
            if os.path.exists(target):
                with suppress(OSError):  # another owner's file: the mode is all that can be kept
                    os.chmod(partial, stat.S_IMODE(os.stat(target).st_mode))
                if durable:
                    os.fsync(file.fileno())
        with _lock:
            if _stopped:
                raise KeyboardInterrupt
            os.replace(partial, target)
    finally:
        with _lock:
            _partial.discard(partial)
        with suppress(OSError):
            os.unlink(partial)


def abandon():
    """Nothing is written from now on, and what is half written is gone."""
    global _stopped
    with _lock:
        _stopped = True
        for partial in _partial:
            with suppress(OSError):
                os.unlink(partial)
