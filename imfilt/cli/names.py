"""Which files a call reads, and which it writes for each."""

import glob
import os
import re
import stat
import string
from pathlib import Path
from typing import NamedTuple

from imfilt.cli.files import STREAM, FileError
from imfilt.images.formats import FORMATS, PictureError, by_suffix

OWN = "it is a result of this command"
READS = {suffix for one in FORMATS.values() for suffix in one.suffixes} | {".mpo"}


class Skipped(Exception):  # noqa: N818
    """Why one file need not be done."""


class Source(NamedTuple):
    """A file to read, and the folder it was found under."""

    path: str
    root: str = ""


class Job(NamedTuple):
    """A file to read, and the one to write."""

    source: str
    target: str


# --- which files are read ---


def expand(words, recursive, word, output):
    """The files that the arguments of a call name.

    Parameters
    ----------
    words : list of str
        Files, folders, patterns that the shell has left, or - for stdin.
    recursive : bool
        Take what is in folders.
    word : str
        The command. In folders, its own results of earlier calls are left out.
    output : str or None
        A folder of results, which is left out too.

    Yields
    ------
    Source or (str, FileError)
        A file that is named twice comes once.
    """
    seen = set()
    for found in _expanded(words, recursive, word, output):
        place = os.path.abspath(found[0]) if isinstance(found, Source) and found.path != STREAM else found
        if place not in seen:
            seen.add(place)
            yield found


def _expanded(words, recursive, word, output):
    for name in words:
        if name == STREAM:
            yield Source(STREAM)
            continue
        try:
            is_folder = stat.S_ISDIR(os.stat(name).st_mode)
        except (OSError, ValueError) as error:
            found = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []
            if not found:
                reason = (getattr(error, "strerror", None) or "cannot be read").lower()
                yield name, FileError(reason)
            yield from (Source(one) for one in found if not os.path.isdir(one))
            continue
        if not is_folder:
            yield Source(name)
        elif recursive:
            yield from _pictures_in(name, word, output)
        else:
            yield name, FileError("is a folder; name the pictures in it, or take all with --recursive")


def _pictures_in(folder, word, output):
    results = os.path.realpath(output) if output and is_folder(output) else None
    closed: list[OSError] = []
    for place, inner, names in os.walk(folder, onerror=closed.append):
        inner[:] = sorted(
            one for one in inner if not one.startswith(".") and os.path.realpath(os.path.join(place, one)) != results
        )
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in READS and not name.startswith(".") and not stem.endswith(f".{word}"):
                yield Source(os.path.join(place, name), folder)
    for error in closed:
        yield error.filename, FileError((error.strerror or "cannot be read").lower())


# --- which file is written ---


def is_folder(output):
    return output.endswith(("/", os.sep)) or os.path.isdir(output)


def is_template(output):
    return "{" in output and not os.path.exists(output)


def check_template(output):
    """Raise ValueError if a template names what there is not."""
    fields = {"stem": "", "suffix": "", "name": "", "filter": "", "parent": "", "n": 1}
    try:
        for _, name, _, _ in string.Formatter().parse(output):
            if name is not None and name not in fields:
                raise KeyError(name)
        output.format(**fields)
    except (KeyError, IndexError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{output!r} is not a template ({error}); it may hold {', '.join(map('{{{}}}'.format, fields))}"
        ) from None


def target_of(source, number, word, settings):
    """Where the result for a source goes; - is stdout.

    Parameters
    ----------
    source : Source
    number : int
        Of the source in the call, from 1.
    word : str
        The command, put before the suffix.
    settings : Settings

    Raises
    ------
    FileError, PictureError
        If there is no name for it.
    """
    output = settings.output
    if settings.in_place:
        return os.path.realpath(source.path)
    if output == STREAM or (output is None and source.path == STREAM):
        return STREAM
    path = Path("stdin" if source.path == STREAM else source.path)
    suffix = ".jpg" if path.suffix.lower() == ".mpo" else path.suffix  # the photograph among a phone's pictures
    if settings.format:
        suffix = FORMATS[settings.format].suffixes[0]
    name = f"{path.stem}.{word}{suffix}"
    if output is None:
        target = path.with_name(name)
    elif is_template(output):
        target = Path(
            output.format(
                stem=path.stem, suffix=suffix, name=path.name, filter=word, parent=path.parent, n=number,
            )
        )  # fmt: skip
    elif is_folder(output):
        below = os.path.relpath(path.parent, source.root) if source.root else "."
        target = Path(output, below, name)
    else:
        target = Path(output)
    if settings.format is None:
        by_suffix(target)
    return str(target)


def jobs(sources, word, settings, beside=()):
    """What is written for each source.

    Parameters
    ----------
    sources : list of Source
    word : str
        The command.
    settings : Settings
    beside : iterable of str
        What else is read, as masks: nothing is written over it.

    A source that is itself what the call writes for another is left out: results of an earlier call are no pictures to
    filter again.

    Yields
    ------
    (source, Job) or (source, Exception)
    """
    planned: dict[str, str] = {}
    found: list[tuple[Source, str | Exception]] = []
    number = 0
    made = _made_by(settings.output, word, sources) if settings.output and is_template(settings.output) else set()
    for source in sources:
        if source in made:
            found.append((source, Skipped(OWN)))
            continue
        number += 1
        try:
            found.append((source, target_of(source, number, word, settings)))
        except (FileError, PictureError) as error:
            found.append((source, error))
    read = {_identity(source.path): source.path for source in sources if source.path != STREAM and source not in made}
    read.update({_identity(path): path for path in beside})
    beside = {_identity(path) for path in beside}
    results = {
        _identity(target) for source, target in found
        if isinstance(target, str) and target != STREAM and _identity(target) != _identity(source.path)
    }  # fmt: skip
    for source, target in found:
        if isinstance(target, Exception):
            yield source, target
            continue
        own = Path(source.path).stem.endswith(f".{word}") and _identity(source.path) in results
        if own and not settings.in_place:
            yield source, Skipped(OWN)
            continue
        try:
            _check_target(source.path, target, planned, read, beside, word, settings)
        except (FileError, Skipped) as error:
            yield source, error
            continue
        planned[_identity(target)] = source.path
        yield source, Job(source.path, target)


def _made_by(template, word, sources):
    """The sources, found in folders, whose names are those that a template makes of another source."""
    fields = {"stem": r"(?P<stem>[^/]+)", "suffix": r"\.[^./]+", "name": r"(?P<stem>[^/]+)\.[^./]+",
              "filter": re.escape(word),
              "parent": r"(?P<parent>.+)", "n": r"\d+"}  # fmt: skip
    pattern, used = "", set()
    for literal, field, _, _ in string.Formatter().parse(template):
        pattern += re.escape(literal)
        group = "stem" if field == "name" else field
        if field:
            pattern += fields[field] if group not in used else ".+"
            used.add(group)
    if "stem" not in used:
        return set()
    if not template.startswith(("{parent}", os.sep)):
        pattern = re.escape(os.getcwd() + os.sep) + pattern
    shape = re.compile(os.path.normpath(pattern))
    places = {source: os.path.abspath(source.path) for source in sources}
    there = {(os.path.dirname(place), Path(place).stem) for place in places.values()}
    stems = {stem for _, stem in there}
    made = set()
    for source, place in places.items():
        match = shape.fullmatch(place) if source.root else None
        if match is None:
            continue
        groups = match.groupdict()
        own = os.path.dirname(place), Path(place).stem
        other = groups.get("parent", own[0]), groups["stem"]
        if other != own and (other in there or ("parent" not in groups and other[1] in stems)):
            made.add(source)
    return made


def _identity(path):
    return path if path == STREAM else os.path.realpath(path)


def _check_target(source, target, planned, read, beside, word, settings):
    if target == STREAM:
        return
    identity = _identity(target)
    if identity in planned:
        raise FileError(
            f"{target} is written for {planned[identity]} already; choose other names with -o, as '{{name}}.{word}.png'"
        )
    if settings.in_place:
        if source == STREAM:
            raise FileError("stdin has no place to write to; leave out --in-place")
        return
    if os.path.lexists(target):  # unlike Path's, these never raise: a name may be too long
        if source != STREAM and os.path.exists(target) and os.path.samefile(source, target):
            raise FileError("the output is the input; choose another name with -o, or --in-place")
        if settings.skip_existing:
            raise Skipped(f"{target} exists")
        if os.path.exists(target) and not os.path.isfile(target):
            raise FileError(f"{target} is not a file")
        if identity in beside or (identity in read and not Path(target).stem.endswith(f".{word}")):
            raise FileError(f"{target} is read by this call; choose another name with -o")
        if not settings.force:
            raise FileError(f"{target} exists; --force writes over it")
    folder = os.path.dirname(target) or "."
    output = settings.output or ""
    makes_folders = output.endswith(("/", os.sep)) or is_template(output) or settings.recursive
    if not os.path.isdir(folder):
        if not makes_folders:
            raise FileError(f"there is no folder {folder}")
        while folder and not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        if folder and not os.path.isdir(folder):
            raise FileError(f"{folder} is not a folder")
