"""Peak extra memory of one call on a 4K image (3840x2160), for each operation, on one thread and on all.

    python -m benchmarks.memory
    python -m benchmarks.memory --rows 'conv2d|sobel' --threads 1

Each call has a process of its own. Image and result are there and touched, and the operation has
run on a small image; what the peak of the resident memory (ru_maxrss) grows by during one call,
with `out` given, is the extra memory. The first row is a control: NumPy, with a temporary of the
image's size. The kernel counts pages in batches: about 0.1 MB for each processor goes unseen.
Linux only: elsewhere the peak cannot be set back before the call.
"""

import os
import re
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np

import imfilt
from benchmarks import common

SMALL, UHD, HD = (64, 64), (2160, 3840), (1080, 1920)
MB = 1e6
# Scratch given back by the small call would be found again by the large one, and not be seen.
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def copied(image, out=None):
    return np.add(image.copy(), 1, out=out)


def gabor():
    x = (np.arange(15) - 7) / 3
    return np.cos(x[:, None] + x) * np.exp(-(x[:, None] ** 2 + x**2) / 2)


def operations():
    """Name: (size, channels of the image, 0 for a grey one; the call)."""
    wide = {"stride": 2, "padding": 1}
    return {
        "control: image.copy() + 1": (UHD, 0, copied),
        "conv2d 3x3 3->16": (UHD, 3, partial(imfilt.conv2d, weight=normal(16, 3, 3, 3), padding=1)),
        "depthwise 3x3 on 16": (UHD, 16, partial(imfilt.depthwise_conv2d, weight=normal(16, 3, 3), padding=1)),
        "pointwise 16->16": (UHD, 16, partial(imfilt.pointwise_conv2d, weight=normal(16, 16))),
        "depthwise separable 3x3 16->16": (
            UHD, 16,
            partial(imfilt.depthwise_separable_conv2d, depthwise=normal(16, 3, 3), pointwise=normal(16, 16), padding=1),
        ),
        "transposed 4x4 x2 3->3 depthwise": (
            HD, 3, partial(imfilt.conv_transpose2d, weight=normal(3, 1, 4, 4), groups=3, **wide),
        ),
        "transposed 4x4 x2 16->16 dense": (
            HD, 16, partial(imfilt.conv_transpose2d, weight=normal(16, 16, 4, 4), **wide),
        ),
        "correlate 3x3 direct": (UHD, 0, partial(imfilt.correlate, kernel=normal(3, 3), plan="direct")),
        "correlate 3x3 dilated by 8": (UHD, 0, partial(imfilt.correlate, kernel=normal(3, 3), dilation=8)),
        "correlate 15x15 full rank": (UHD, 0, partial(imfilt.correlate, kernel=normal(15, 15))),
        "correlate 15x15 separable, rank 2": (UHD, 0, partial(imfilt.correlate, kernel=gabor(), plan="separable")),
        "correlate 25x25 fused": (UHD, 0, partial(imfilt.correlate, kernel=normal(25, 25), plan="fused")),
        "correlate 31x31 fft": (UHD, 0, partial(imfilt.correlate, kernel=normal(31, 31), plan="fft")),
        "separable 15 + 15": (UHD, 0, partial(imfilt.separable, column=normal(15), row=normal(15))),
        "sobel": (UHD, 0, imfilt.sobel),
        "gaussian 10": (UHD, 0, partial(imfilt.gaussian, sigma=10)),
        "gaussian 3, alpha": (UHD, 4, partial(imfilt.gaussian, sigma=3, alpha=True)),
        "sobel, weights": (UHD, 0, partial(imfilt.sobel, weights="finite")),
        "box 101": (UHD, 0, partial(imfilt.box, size=101)),
        "unsharp_mask 3": (UHD, 0, partial(imfilt.unsharp_mask, radius=3)),
        "canny": (UHD, 0, imfilt.canny),
        "kirsch": (UHD, 0, imfilt.kirsch),
        "upscale x2 bicubic": (HD, 3, partial(imfilt.upscale, factor=2)),
        "downscale /2 bicubic": (UHD, 3, partial(imfilt.downscale, factor=2)),
    }  # fmt: skip


def image_of(size, channels):
    """Noise, made in place: a temporary would hide in the peak."""
    image = np.empty((*size, channels) if channels else size, "f4")
    return np.random.default_rng(0).random(dtype="f4", out=image)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(name, threads):
    """Bytes of the image, of the result, and what the call needed besides."""
    size, channels, call = operations()[name]
    with imfilt.num_threads(threads):
        small = call(image_of(SMALL, channels))
        ups = (n * b // a for n, a, b in zip(size, SMALL, small.shape, strict=False))
        image, out = image_of(size, channels), np.ones((*ups, *small.shape[2:]), small.dtype)
        Path("/proc/self/clear_refs").write_text("5")  # the peak is what there is now
        before = peak()
        call(image, out=out)
        return image.nbytes, out.nbytes, peak() - before


def in_a_process(name, threads):
    arguments = [sys.executable, "-m", "benchmarks.memory", "--one", name, "--threads", str(threads)]
    done = subprocess.run(
        arguments, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **ENVIRONMENT}
    )  # fmt: skip
    return map(int, done.stdout.split())


def main():
    parser = common.parser("benchmarks.memory", __doc__, "build/benchmarks_memory.json")
    parser.add_argument("--one", help="measure this operation in this process, and print bytes")
    options = parser.parse_args()
    if options.one:
        print(*measure(options.one, *options.threads))
        return
    columns = "".join(f"{f'extra, {n} thread(s)':>22}{'of result':>11}" for n in options.threads)
    print(f"{'MB':34}{'image':>9}{'result':>9}{columns}")
    lines = []
    for name in operations():
        if not re.search(options.rows, name):
            continue
        cells = ""
        for threads in options.threads:
            image, result, extra = in_a_process(name, threads)
            lines.append({"row": name, "threads": threads, "image": image, "result": result, "extra": extra})
            cells += f"{extra / MB:22.2f}{extra / result:11.1%}"
        print(f"{name:34}{image / MB:9.1f}{result / MB:9.1f}{cells}", flush=True)
    common.write(options.output, lines)


if __name__ == "__main__":
    main()
