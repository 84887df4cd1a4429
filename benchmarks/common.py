"""What the benchmarks share: their options, the picture, the check before the clock, the summary and the file."""

import argparse
import json
import math
import re
import sys
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

import imfilt
from benchmarks import machine
from imfilt._engine import threads as engine_threads


def parser(name, description, output):
    """The options that every table has."""
    made = argparse.ArgumentParser(name, description=description, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument("--rows", type=re.compile, default="", help="a regular expression that names rows")
    made.add_argument("--threads", nargs="+", type=int, default=sorted({1, engine_threads.count()}),
                      help="default: 1 and all")  # fmt: skip
    made.add_argument("-o", "--output", default=output, help=f"JSON (default: {output})")
    return made


def add_budget(made):
    made.add_argument("--budget", type=float, default=machine.BUDGET_SECONDS,
                      help="seconds for each contender of a row (default: %(default)s)")  # fmt: skip


def photograph(shape, dtype, channels):
    """The repository's photograph at this size, with a little noise so that it is not smooth."""
    picture = Image.open("photos/coffee.png").convert("RGB").resize(shape[::-1], Image.Resampling.BICUBIC)
    noisy = np.asarray(picture) + np.random.default_rng(0).normal(0, 4, (*shape, 3))
    pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    pixels = np.ascontiguousarray(pixels if channels == 3 else pixels[..., 1])
    return pixels if dtype == "uint8" else pixels.astype(dtype) / np.array(255, dtype)


def agree(row, peer, ours, theirs, span, tolerance):
    """Refuse to time what does not compute the same: how far they differ, as a part of `span`."""
    difference = np.abs(ours.astype(np.float64) - theirs).max() / span
    if not difference <= tolerance:
        sys.exit(f"{row}: {peer} differs by {difference:.2g} of the range, more than {tolerance:.2g}")
    return difference


@contextmanager
def limited(threads):
    """So many threads for imfilt, OpenCV and everything that brings a pool of its own."""
    cv2.setNumThreads(threads)
    with imfilt.num_threads(threads), threadpool_limits(threads):
        yield


def rated(seconds, peers):
    """What every line says of its times."""
    fastest = min(peers, key=seconds.get)
    return {"seconds": seconds, "fastest peer": fastest, "ratio": seconds[fastest] / seconds["imfilt"]}


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def summary(lines, show):
    """For each number of threads how the table ended, and every row that is behind."""
    if not lines:
        sys.exit("no row matches")
    print()
    for threads in sorted({line["threads"] for line in lines}):
        of_these = [line for line in lines if line["threads"] == threads]
        behind = [line for line in of_these if line["ratio"] < 1]
        print(
            f"{threads} thread(s): {len(of_these)} rows, geometric mean {mean([x['ratio'] for x in of_these]):.2f}x "
            f"the fastest peer, {len(behind)} behind it" + (":" if behind else "")
        )
        for line in behind:
            show(line)


def write(path, lines, **more):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps({"machine": machine.facts(), **more, "lines": lines}, indent=1))
    print(f"\nwritten: {path}")
