"""One command: every filter on every size, imfilt beside its peers, alternating in one process.

    python -m benchmarks                       everything (about a quarter of an hour)
    python -m benchmarks --rows 'sobel|gaussian 1' --sizes 2160 --threads 1

Results are checked to agree before they are timed. Buffers are reused by every contender
that can; with --fresh, imfilt and OpenCV get none and allocate each result. The copy moves
as many bytes as the image and the result together, on as many threads.
"""

import argparse
import json
import math
import re
import sys

import cv2
import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

import imfilt
from benchmarks import machine, peers
from imfilt._engine import threads as engine_threads

SIZES = {"64": (64, 64), "480": (480, 640), "1080": (1080, 1920), "2160": (2160, 3840)}


def photograph(shape, dtype, channels):
    """The repository's photograph at this size, with a little noise so that it is not smooth."""
    picture = Image.open("photos/coffee.png").convert("RGB").resize(shape[::-1], Image.Resampling.BICUBIC)
    noisy = np.asarray(picture) + np.random.default_rng(0).normal(0, 4, (*shape, 3))
    pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    pixels = np.ascontiguousarray(pixels if channels == 3 else pixels[..., 1])
    return pixels if dtype == "uint8" else pixels.astype(dtype) / np.array(255, dtype)


def agree(row, ours, theirs, name):
    """Refuse to time what does not compute the same."""
    span = 255 if ours.dtype == np.uint8 else 1
    difference = np.abs(ours.astype(np.float64) - theirs).max() / span
    if not difference <= row.tolerance:
        sys.exit(f"{row.name}: {name} differs by {difference:.2g} of the range, more than {row.tolerance:.2g}")
    return difference


def measure(row, image, threads, fresh):
    """One line of the table."""
    cv2.setNumThreads(threads)
    result = image.dtype if row.result == "same" else np.dtype(row.result)
    out = np.zeros(image.shape, result)
    contenders, differences = {"imfilt": lambda: row.ours(image, None if fresh else out)}, {}
    with imfilt.num_threads(threads), threadpool_limits(threads):
        row.ours(image, out)
        for name, make in row.peers.items():
            call, factor = make(image)
            differences[name] = agree(row, out, np.asarray(call(), np.float64) * factor, name)
            contenders[name] = call
        nbytes = image.nbytes + out.nbytes
        contenders["copy"] = machine.copier(nbytes, threads)
        seconds = machine.alternate(contenders)
    fastest = min(row.peers, key=seconds.get)
    return {
        "row": row.name, "rows": image.shape[0], "columns": image.shape[1], "channels": (image.ndim == 3 and 3) or 1,
        "dtype": image.dtype.name, "result": result.name, "threads": threads, "outputs": "fresh" if fresh else "reused",
        "seconds": seconds, "differences": differences, "fastest peer": fastest,
        "ratio": seconds[fastest] / seconds["imfilt"], "of copy": seconds["copy"] / seconds["imfilt"],
        "GB/s": nbytes / seconds["imfilt"] * 1e-9,
    }  # fmt: skip


def show(line):
    s = line["seconds"]
    print(
        f"{line['row']:24} {line['columns']:4}x{line['rows']:<4} {'RGB ' if line['channels'] == 3 else 'grey'} "
        f"{line['dtype']:7} {line['threads']} thr  {s['imfilt'] * 1e3:9.4f} ms  {line['ratio']:6.2f}x "
        f"{line['fastest peer']:20} {s[line['fastest peer']] * 1e3:9.4f} ms  {line['GB/s']:6.1f} GB/s "
        f"{line['of copy'] * 100:4.0f} % of copy",
        flush=True,
    )


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def main():
    parser = argparse.ArgumentParser("benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", default="", help="a regular expression that names rows")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="heights of the image")
    parser.add_argument("--dtypes", nargs="+", choices=("uint8", "float32"), default=["uint8", "float32"])
    parser.add_argument("--channels", nargs="+", type=int, choices=(1, 3), default=[1, 3])
    parser.add_argument("--threads", nargs="+", type=int, help="default: 1 and all")
    parser.add_argument("--fresh", action="store_true", help="a new result array for every call of imfilt")
    parser.add_argument("-o", "--output", default="build/benchmarks.json", help="JSON (default: build/benchmarks.json)")
    options = parser.parse_args()
    counts = options.threads or sorted({1, engine_threads.count()})

    facts = machine.facts()
    print(f"{facts['cpu']}, {facts['cores']} cores; core build {facts['imfilt']['build']}; {facts['versions']}")
    print(f"outputs {'fresh' if options.fresh else 'reused'}; ratio: the fastest peer's time over imfilt's\n")
    lines = []
    for row in peers.rows():
        if not re.search(options.rows, row.name):
            continue
        for size in options.sizes:
            for dtype in options.dtypes:
                if row.only and dtype != row.only:
                    continue
                for channels in options.channels:
                    image = photograph(SIZES[size], dtype, channels)
                    for threads in counts:
                        lines.append(measure(row, image, threads, options.fresh))
                        show(lines[-1])
    if not lines:
        sys.exit(f"no row matches {options.rows!r}")
    print()
    for threads in counts:
        of_these = [line for line in lines if line["threads"] == threads]
        behind = [line for line in of_these if line["ratio"] < 1]
        print(
            f"{threads} thread(s): {len(of_these)} rows, geometric mean {mean([x['ratio'] for x in of_these]):.2f}x "
            f"the fastest peer, {len(behind)} behind it" + (":" if behind else "")
        )
        for line in behind:
            show(line)
    with open(options.output, "w") as file:
        json.dump({"machine": facts, "lines": lines}, file, indent=1)
    print(f"\nwritten: {options.output}")


if __name__ == "__main__":
    main()
