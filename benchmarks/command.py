"""Whole processes: `imfilt sobel` on a 3840x2160 JPEG beside other commands that make an edge image of it.

    python -m benchmarks.command

The commands run in turn, one after the other, several rounds; medians of wall time. Every
contender reads the same file and writes the same format. ImageMagick and libvips take part
when they are installed (apt-get install imagemagick libvips-tools). Their edges are not the
same numbers: ImageMagick's command keeps the larger of the two derivatives, libvips' adds
their absolute values.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks import common

OPENCV = """
import cv2
g = cv2.imread({source!r}, cv2.IMREAD_GRAYSCALE)
cv2.imwrite({target!r}, cv2.magnitude(cv2.Sobel(g, cv2.CV_32F, 1, 0), cv2.Sobel(g, cv2.CV_32F, 0, 1)) / 5.65685)
"""


def commands(source, suffix, folder):
    """The contenders, as lists of arguments."""

    def target(name):
        return str(folder / f"{name}{suffix}")

    imfilt = Path(sys.executable).with_name("imfilt")
    yield "imfilt", [str(imfilt), "sobel", "--force", source, "-o", target("imfilt")]
    yield "OpenCV script", [sys.executable, "-c", OPENCV.format(source=source, target=target("opencv"))]
    magick = shutil.which("magick") or next(
        (path for name in ("convert-im6.q16", "convert") if (path := shutil.which(name))), None
    )
    if magick:
        yield "ImageMagick", [
            magick, source, "-colorspace", "gray", "-define", "morphology:compose=Lighten",
            "-morphology", "Convolve", "Sobel:>", target("magick"),
        ]  # fmt: skip
    if shutil.which("vips"):
        yield "libvips", ["vips", "sobel", source, target("vips")]


def main():
    parser = argparse.ArgumentParser("benchmarks.command", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("-o", "--output", default="build/benchmarks_command.json")
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = str(folder / "photo.jpg")
        Image.fromarray(common.photograph((2160, 3840), "uint8", 3)).save(source, quality=90)
        for suffix in (".jpg", ".png"):
            contenders = dict(commands(source, suffix, folder))
            seconds = {one: [] for one in contenders}
            for turn in range(options.rounds + 1):
                for one, arguments in contenders.items():
                    start = time.perf_counter()
                    subprocess.run(arguments, check=True, capture_output=True)
                    if turn:  # the first round warms the file cache
                        seconds[one].append(time.perf_counter() - start)
            ours = statistics.median(seconds["imfilt"])
            for one, times in seconds.items():
                median = statistics.median(times)
                lines.append({"output": suffix, "command": one, "seconds": median, "ratio": median / ours})
                print(f"JPEG to {suffix[1:]}  {one:14} {median * 1e3:8.1f} ms  {median / ours:5.2f}x imfilt's time")
    common.write(options.output, lines)


if __name__ == "__main__":
    main()
