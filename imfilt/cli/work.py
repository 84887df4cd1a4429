"""One file: opened, its frames filtered, and written whole."""

import io
import sys
import time

import numpy as np

from imfilt._engine import plan
from imfilt.cli import files
from imfilt.cli.settings import DEPTHS
from imfilt.cli.steps import develop
from imfilt.images import formats
from imfilt.images.picture import Picture
from imfilt.images.read import open_pictures
from imfilt.images.write import save, without_inks

# What may be wrong with a file, beside faults of ours.
PROBLEMS = (formats.PictureError, files.FileError, OSError, ValueError, TypeError, MemoryError)
NOTHING_SPENT = {"read": 0.0, "filter": 0.0, "measure": 0.0}  # seconds
NOTHING_SEEN = {"minimum": np.inf, "maximum": -np.inf, "clipped": 0}


def reason(error):
    """One line of what went wrong."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror.lower()}"
    return str(error) or type(error).__name__


class Work:
    """What is done with one file; `settings` and `steps` are the same for all.

    Attributes
    ----------
    ends : (float, float) or None
        For --range minmax.
    """

    def __init__(self, steps, settings):
        self.steps, self.settings, self.ends = steps, settings, None
        self.stdin = None

    def do(self, job):
        """Filter one file, and write it.

        Returns
        -------
        dict
            What --json tells.
        """
        settings, begun = self.settings, time.perf_counter()
        spent, seen = dict(NOTHING_SPENT), dict(NOTHING_SEEN)
        with self._open(job) as pictures:
            target = self._format(job, pictures)
            frames = self._check(target, pictures)
            if settings.in_place and (frames < pictures.frames or pictures.format == "MPO"):
                raise files.FileError(
                    "holds several pictures, of which --in-place would leave one; choose a name with -o"
                )
            with plan.watched() as steps_run:
                made = self._developed(pictures, target, spent, seen)
                if frames == 1:
                    made = [next(made)]  # at the end of which some formats have their texts
                kept = pictures.kept.without_metadata() if settings.strip else pictures.kept
                shape = self._write(job, target, made, kept)
            warnings = list(pictures.warnings)
        total = time.perf_counter() - begun
        spent["write"] = total - sum(spent.values())
        del spent["measure"]  # not part of the work: only --json has it done
        facts = {
            "path": job.source,
            "output": job.target,
            "format": target.name,
            "shape": shape["shape"],
            "dtype": shape["dtype"],
            "frames": shape["frames"],
            "steps": [{"filter": step.name, "arguments": step.told()} for step in self.steps],
            "milliseconds": {name: round(1e3 * seconds, 3) for name, seconds in spent.items()},
            "warnings": warnings,
        }
        if settings.json:
            facts["plan"] = list(dict.fromkeys(f"{s.loop}, {_arithmetic(s)}, {len(s.bands)} bands" for s in steps_run))
            finite = np.isfinite(seen["minimum"]) and np.isfinite(seen["maximum"])
            facts["minimum"], facts["maximum"] = (seen["minimum"], seen["maximum"]) if finite else (None, None)
            facts["clipped"] = seen["clipped"]
        return facts

    def measure(self, job):
        """The least and the largest number of one file's result."""
        seen = dict(NOTHING_SEEN)
        with self._open(job) as pictures:
            self._check(self._format(job, pictures), pictures)
            for _ in self._developed(pictures, formats.FORMATS["NPY"], dict(NOTHING_SPENT), seen, measure=True):
                pass
        return {"job": job, **seen}

    def _open(self, job):
        source = job.source
        if source == files.STREAM:
            if self.stdin is None:
                if sys.stdin is None or sys.stdin.isatty():
                    state = "closed" if sys.stdin is None else "a terminal"
                    raise files.FileError(f"stdin is {state}; a picture comes through a pipe: imfilt ... - < photo.jpg")
                self.stdin = sys.stdin.buffer.read()
            source = self.stdin
        else:
            source = files.content(source)
        return open_pictures(source, max_pixels=self.settings.max_pixels, upright=self.settings.orient)

    def _format(self, job, pictures):
        if self.settings.format:
            return formats.FORMATS[self.settings.format]
        if job.target == files.STREAM:
            return formats.FORMATS["JPEG" if pictures.format == "MPO" else pictures.format]
        return formats.by_suffix(job.target)

    def _dtype(self, target, source):
        """Of the result's pixels; None for floating point."""
        if self.settings.depth:
            name = DEPTHS[self.settings.depth]
            return None if name == "float" else np.dtype(name)
        if target.name == "NPY" or source not in (np.uint8, np.uint16, bool):
            return None
        return np.dtype(np.uint8) if source.kind == "b" else source

    def _check(self, target, pictures):
        """Refuse what the output's format cannot hold before there is work; how many frames it will be."""
        dtype = self._dtype(target, pictures.dtype)
        frames = 1 if self.settings.frame is not None else pictures.frames
        channels = {"grey": 1, "rgb": 3, "cmyk": 4}.get(pictures.space, 1)
        if self._reads_grey() or (channels > 1 and any(self.settings.grey_for(step) for step in self.steps)):
            channels = 1
        if self.steps[-1].directions:
            channels = 3
        formats.check_holds(
            target, dtype=np.dtype(np.float32) if dtype is None else dtype, channels=channels, inks=channels == 4,
            alpha=pictures.alpha and self.settings.alpha != "drop", frames=frames, size=pictures.size,
        )  # fmt: skip
        return frames

    def _prepared(self, picture, target):
        """A picture as the steps take it."""
        pixels = picture.pixels
        if pixels.dtype.kind == "b":
            picture.pixels = pixels.astype(np.uint8) * np.uint8(255)
        elif pixels.ndim == 3 and pixels.shape[2] == 1 and target.name != "NPY":
            picture.pixels = pixels[..., 0]
        elif picture.space == "cmyk" and (self.settings.linear or any(map(self.settings.grey_for, self.steps))):
            picture = without_inks(picture)  # which are neither light nor edges
        if self.settings.strip:
            picture.about.pop("dpi", None)
        return picture

    def _reads_grey(self):
        return self.settings.grey_for(self.steps[0]) and not self.settings.linear

    def _developed(self, pictures, target, spent, seen, measure=False):
        settings = self.settings
        frames = pictures.read(grey=self._reads_grey(), only=settings.frame)
        while True:
            start = time.perf_counter()
            picture = next(frames, None)
            spent["read"] += time.perf_counter() - start
            if picture is None:
                return
            start = time.perf_counter()
            picture = self._prepared(picture, target)
            dtype = None if measure else self._dtype(target, picture.pixels.dtype)
            pixels, alpha, facts = develop(
                picture, self.steps, settings, dtype=dtype, rule="raw" if measure else settings.range,
                ends=self.ends, measure=measure or settings.json,
            )  # fmt: skip
            measuring = facts.get("measuring", 0.0)
            spent["measure"] += measuring
            if "minimum" in facts:
                seen["minimum"] = min(seen["minimum"], facts["minimum"])
                seen["maximum"] = max(seen["maximum"], facts["maximum"])
                seen["clipped"] += facts["clipped"]
            colours = 1 if pixels.ndim == 2 else pixels.shape[2] - alpha
            space = {1: "grey", 3: "rgb"}.get(colours, picture.space if picture.space == "cmyk" else "")
            made = Picture(pixels, alpha=alpha, space=space, about=picture.about)
            spent["filter"] += time.perf_counter() - start - measuring
            yield made

    def _write(self, job, target, made, kept):
        """Write all frames; their shape, dtype and number."""
        settings = self.settings
        told: dict = {"frames": 0, "shape": [], "dtype": ""}

        def counted():
            for picture in made:
                if not told["frames"]:
                    told["shape"], told["dtype"] = list(picture.pixels.shape), str(picture.pixels.dtype)
                told["frames"] += 1
                yield picture

        options = {"quality": settings.quality, "compression": settings.compression}
        try:
            if job.target == files.STREAM:
                if not sys.stdout.writable():
                    raise files.FileError("stdout is closed")
                if sys.stdout.isatty():
                    raise files.FileError("stdout is a terminal; send the picture through a pipe or to a file with -o")
                with io.BytesIO() as file:
                    save(file, target, counted(), kept, **options)
                    left = memoryview(file.getvalue())
                    while left:  # an unbuffered stdout takes what it likes
                        left = left[sys.stdout.buffer.write(left) :]
                    sys.stdout.buffer.flush()
            else:
                with files.whole(job.target, durable=settings.in_place) as file:
                    save(file, target, counted(), kept, **options)
        except BrokenPipeError:
            raise
        except OSError as error:
            why = error.strerror.lower() if error.strerror else error
            where = "to stdout" if job.target == files.STREAM else job.target
            raise files.FileError(f"cannot write {where}: {why}") from None
        return told


def _arithmetic(step):
    return "" if step.frame is None else "float64" if step.frame.wide else "float32"
