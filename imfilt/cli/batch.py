"""Many files: read, filtered and written one by one or several at a time, one failing file not stopping the rest."""

from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np

import imfilt
from imfilt._engine import threads
from imfilt.cli import files, kernels, names, report
from imfilt.cli.kernels import PictureFile
from imfilt.cli.report import FAILED, NOTHING_TO_DO
from imfilt.cli.work import PROBLEMS, Work, reason
from imfilt.images import formats, tones
from imfilt.images.read import open_pictures


def run(word, words, steps, settings):
    """Filter files.

    Parameters
    ----------
    word : str
        The command.
    words : list of str
        What it was given for files.
    steps : list of Step
    settings : Settings

    Returns
    -------
    int
        0; 1 if a file failed; 3 if there was none to filter.
    """
    sources: list[names.Source] = []
    missing: list[tuple[str, Exception]] = []
    for found in names.expand(words, settings.recursive, word, settings.output):
        (sources if isinstance(found, names.Source) else missing).append(found)
    to_stdout = settings.output == files.STREAM or (settings.output is None and files.STREAM in words)
    reporter = report.Reporter(
        len(sources) + len(missing), quiet=settings.quiet, verbose=settings.verbose, as_json=settings.json,
        picture_on_stdout=to_stdout and not settings.dry_run,
    )  # fmt: skip
    for path, error in missing:
        reporter.fail(path, error)
    if not sources:
        if not missing:
            reporter.line("there are no pictures there")
        return FAILED if missing else NOTHING_TO_DO
    ready = []
    beside = {value.path for step in steps for value in step.options.values() if isinstance(value, PictureFile)}
    for source, outcome in names.jobs(sources, word, settings, beside | kernels.opened):
        if isinstance(outcome, names.Skipped):
            reporter.skip(source.path, str(outcome))
        elif isinstance(outcome, Exception):
            reporter.fail(source.path, reason(outcome))
        else:
            ready.append(outcome)
    if settings.dry_run:
        for job in ready:
            reporter.written += 1
            if settings.json:
                reporter.json({"path": job.source, "output": job.target})
            else:
                print(f"{report.one_line(job.source)} -> {report.one_line(job.target)}")
        reporter.summary("to write")
        return FAILED if reporter.failed else 0
    try:
        _read_options(steps, settings)
    except formats.PictureError as error:
        reporter.line(f"{error.args[1]}: {error.args[0]}")
        return FAILED
    try:
        work = Work(steps, settings)
        if settings.range == "minmax":
            ready = _measure(ready, work, reporter)
        _each(ready, work.do, settings.jobs, reporter, reporter.done)
    finally:
        reporter.wipe()
    reporter.summary()
    return FAILED if reporter.failed else 0


def _read_options(steps, settings):
    """The pictures that options name, as masks and weights; raises PictureError(reason, path)."""
    for step in steps:
        for value in step.options.values():
            if isinstance(value, PictureFile) and value.path not in step.pictures:
                try:
                    with open_pictures(files.content(value.path), max_pixels=settings.max_pixels) as pictures:
                        picture = next(pictures.read(grey=True))
                    grey = picture.pixels[..., 0] if picture.alpha else picture.pixels
                    step.pictures[value.path] = tones.as_float(grey)
                except PROBLEMS as error:
                    raise formats.PictureError(reason(error), value.path) from None


def _measure(ready, work, reporter):
    """Find the least and the largest result of all files, for --range minmax; the jobs that did not fail."""
    found: list[dict] = []
    _each(ready, work.measure, work.settings.jobs, reporter, found.append)
    numbers = [one[end] for one in found for end in ("minimum", "maximum") if np.isfinite(one[end])]
    work.ends = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    return [one["job"] for one in found]


def _each(ready, function, jobs, reporter, done):
    """Call function(job) for all jobs, so many at a time, and done(what it returned) in their order."""
    jobs = min(jobs or threads.count(), len(ready))
    if jobs < 2:
        for job in ready:
            reporter.progress(job.source)
            _tell(job, lambda job=job: function(job), reporter, done)
        return
    share = max(1, threads.count() // jobs)

    def one(job):
        with imfilt.num_threads(share):
            return function(job)

    pool = ThreadPoolExecutor(jobs, "imfilt-files")
    try:
        left = [(job, pool.submit(one, job)) for job in ready]
        while left:
            job, future = left[0]
            reporter.progress(job.source)
            wait([future], timeout=0.2)
            if future.done():
                _tell(job, left.pop(0)[1].result, reporter, done)
    except BaseException:
        # Work that is under way cannot be stopped, only kept from writing.
        pool.shutdown(wait=False, cancel_futures=True)
        files.abandon()
        raise
    pool.shutdown()


def _tell(job, result, reporter, done):
    try:
        facts = result()
    except BrokenPipeError:
        raise
    except PROBLEMS as error:
        reporter.fail(job.source, reason(error))
    except Exception as error:  # a fault of ours is no reason to leave the other files
        reporter.fail(job.source, f"imfilt is at fault, please report: {type(error).__name__}: {error}")
    else:
        done(facts)
