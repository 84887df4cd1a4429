"""What the benchmarks share: their options, threads, and the file."""

import argparse
import json
import re
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path

import cv2
import scipy.fft
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


@contextmanager
def limited(threads):
    """So many threads for imfilt, OpenCV and everything that brings a pool of its own."""
    cv2.setNumThreads(threads)
    torch = sys.modules.get("torch")  # where a row has loaded it
    if torch is not None:
        torch.set_num_threads(threads)
    with (
        imfilt.num_threads(threads), threadpool_limits(threads), scipy.fft.set_workers(threads),
        torch.inference_mode() if torch is not None else nullcontext(),
    ):  # fmt: skip
        yield


def write(path, lines, **more):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps({"machine": machine.facts(), **more, "lines": lines}, indent=1))
    print(f"\nwritten: {path}")
