"""What the command says: one line for each thing that went wrong, progress, a summary, JSON."""

import os
import sys
import time

FAILED, USAGE, NOTHING_TO_DO, INTERRUPTED = 1, 2, 3, 130  # exit statuses
SHOW_PROGRESS_AFTER = 1.0  # seconds
BAR = 24  # characters


def one_line(text):
    """Control characters of a name or a message, escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


class Reporter:
    """Lines on stderr; JSON on stdout, or on stderr where stdout is for the picture.

    Parameters
    ----------
    count : int
        How many files there are.
    quiet, verbose, as_json : bool
    picture_on_stdout : bool
    """

    def __init__(self, count, *, quiet=False, verbose=False, as_json=False, picture_on_stdout=False):
        self.count, self.quiet, self.verbose, self.as_json = count, quiet, verbose, as_json
        self.json_to = sys.stderr if picture_on_stdout else sys.stdout
        self.begun = self.shown = time.monotonic()
        self.written = self.failed = self.skipped = 0
        self.bar = 0  # its length where there is one

    def line(self, text):
        self.wipe()
        print(one_line(f"imfilt: {text}"), file=sys.stderr, flush=True)

    def fail(self, path, reason):
        self.failed += 1
        if self.as_json:
            self.json({"path": path, "error": str(reason)})
        self.line(f"{path}: {reason}")

    def skip(self, path, reason):
        self.skipped += 1
        if self.as_json:
            self.json({"path": path, "skipped": reason})
        if self.verbose:
            self.line(f"{path}: skipped, {reason}")

    def done(self, facts):
        """A file is written; `facts` are what --json tells of it."""
        self.written += 1
        if self.as_json:
            self.json(facts)
        if not self.quiet:
            for warning in facts["warnings"]:
                self.line(f"{facts['path']}: warning: {warning}")
        if self.verbose:
            rows, columns, *_ = facts["shape"]
            spent = ", ".join(f"{name} {ms:.0f}" for name, ms in facts["milliseconds"].items())
            self.line(f"{facts['path']} -> {facts['output']}: {columns}x{rows} {facts['dtype']}, milliseconds: {spent}")

    def json(self, facts):
        import json

        self.wipe()
        print(json.dumps(facts, ensure_ascii=True, allow_nan=False), file=self.json_to, flush=True)

    def progress(self, name):
        """A bar, if there is a terminal to see it and the work is long."""
        now = time.monotonic()
        done = self.written + self.failed + self.skipped
        long = now - self.begun > SHOW_PROGRESS_AFTER and now - self.shown > 0.1
        if self.quiet or self.count < 2 or not long or not sys.stderr.isatty():
            return
        self.shown = now
        filled = BAR * done // self.count
        text = f"[{'#' * filled}{'.' * (BAR - filled)}] {done}/{self.count}"
        if done:
            text += f", {(now - self.begun) / done * (self.count - done):.0f} s left"
        columns = _columns()
        text = f"{text}  {one_line(name)}"[: columns - 1]
        sys.stderr.write(f"\r{text}{' ' * (self.bar - len(text))}")
        sys.stderr.flush()
        self.bar = len(text)

    def wipe(self):
        if self.bar:
            sys.stderr.write(f"\r{' ' * self.bar}\r")
            self.bar = 0

    def summary(self, verb="written"):
        """One line, if there was more than one file."""
        self.wipe()
        if self.count < 2 or self.quiet:
            return
        parts = [f"{self.written} {verb}"]
        parts += [f"{number} {word}" for number, word in ((self.failed, "failed"), (self.skipped, "skipped")) if number]
        self.line(f"{', '.join(parts)}, in {time.monotonic() - self.begun:.1f} s")


def _columns():
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80
