"""Whole processes: the command beside ImageMagick, GraphicsMagick, libvips and OpenCV scripts.

    python -m benchmarks.command

The commands run in turn, one after the other, several rounds; medians of wall time. Every contender reads the same
photographs and writes the same format, with the compression that it has by default (and the size of its file is told: a
fast file can be a large one). ImageMagick, GraphicsMagick and libvips take part when they are installed
(apt-get install imagemagick graphicsmagick libvips-tools), OpenCV with pip. Edges are not the same numbers:
ImageMagick's keeps the larger of two derivatives, GraphicsMagick's is a convolution with one of them, libvips' adds
their absolute values, of each colour. Blurs and sizes are the same to a level or so.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from benchmarks import cases, common

SOBEL = """
import cv2, sys
for source, target in zip(sys.argv[1::2], sys.argv[2::2]):
    g = cv2.imread(source, cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(target, cv2.magnitude(cv2.Sobel(g, cv2.CV_32F, 1, 0), cv2.Sobel(g, cv2.CV_32F, 0, 1)) / 5.65685)
"""
BLUR = """
import cv2, sys
cv2.imwrite(sys.argv[2], cv2.GaussianBlur(cv2.imread(sys.argv[1]), (0, 0), 3))
"""
UPSCALE = """
import cv2, sys
cv2.imwrite(sys.argv[2], cv2.resize(cv2.imread(sys.argv[1]), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
"""


def tools():
    """The programs that there are."""
    magick = shutil.which("magick") or next(
        (path for name in ("convert-im6.q16", "convert") if (path := shutil.which(name))), None
    )
    return {
        "imfilt": str(Path(sys.executable).with_name("imfilt")),
        "OpenCV script": sys.executable if find_spec("cv2") else None,
        "ImageMagick": magick,
        "GraphicsMagick": shutil.which("gm"),
        "libvips": shutil.which("vips"),
    }


def sobel(there, source, target):
    """Edges of a photograph."""
    edge = ["-colorspace", "gray", "-define", "morphology:compose=Lighten", "-morphology", "Convolve", "Sobel:>"]
    yield "imfilt", [there["imfilt"], "sobel", source, "-o", target("imfilt")]
    yield "OpenCV script", [there["OpenCV script"], "-c", SOBEL, source, target("OpenCV script")]
    yield "ImageMagick", [there["ImageMagick"], source, *edge, target("ImageMagick")]
    yield "GraphicsMagick", [
        there["GraphicsMagick"], "convert", source, "-colorspace", "gray", "-convolve", "1,0,-1,2,0,-2,1,0,-1",
        target("GraphicsMagick"),
    ]  # fmt: skip
    yield "libvips", [there["libvips"], "sobel", source, target("libvips")]


def blur(there, source, target):
    """A Gaussian of sigma 3, in colour."""
    yield "imfilt", [there["imfilt"], "gaussian", "--sigma", "3", source, "-o", target("imfilt")]
    yield "OpenCV script", [there["OpenCV script"], "-c", BLUR, source, target("OpenCV script")]
    yield "ImageMagick", [there["ImageMagick"], source, "-gaussian-blur", "0x3", target("ImageMagick")]
    yield "GraphicsMagick", [there["GraphicsMagick"], "convert", source, "-gaussian", "0x3", target("GraphicsMagick")]
    yield "libvips", [there["libvips"], "gaussblur", source, target("libvips"), "3"]


def upscale(there, source, target):
    """Twice as large, bicubic, in colour."""
    yield "imfilt", [there["imfilt"], "upscale", "--factor", "2", source, "-o", target("imfilt")]
    yield "OpenCV script", [there["OpenCV script"], "-c", UPSCALE, source, target("OpenCV script")]
    yield "ImageMagick", [there["ImageMagick"], source, "-filter", "Catrom", "-resize", "200%", target("ImageMagick")]
    yield "GraphicsMagick", [
        there["GraphicsMagick"], "convert", source, "-filter", "Catrom", "-resize", "200%", target("GraphicsMagick"),
    ]  # fmt: skip
    yield "libvips", [there["libvips"], "resize", source, target("libvips"), "2", "--kernel", "cubic"]


def batch(there, sources, target):
    """Edges of many photographs in one call."""
    folder = Path(target("x")).parent
    pairs = [text for source in sources for text in (source, str(folder / f"cv-{Path(source).stem}.png"))]
    yield (
        "imfilt",
        [there["imfilt"], "sobel", "--quiet", *sources, "-o", str(folder / "out") + os.sep, "--format", "png"],
    )
    yield "OpenCV script", [there["OpenCV script"], "-c", SOBEL, *pairs]


def measure(title, contenders, there, outputs, rounds, lines):
    """Alternate the contenders, and print medians."""
    # As installed packages are: with their bytecode kept, which the first round writes.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    contenders = {name: line for name, line in contenders if there[name]}
    seconds = {name: [] for name in contenders}
    sizes = {}
    for turn in range(rounds + 1):
        for name, line in contenders.items():
            for old in outputs():  # every contender makes new files
                old.unlink()
            start = time.perf_counter()
            subprocess.run(line, check=True, capture_output=True, env=environment)
            if turn:  # the first round warms the file cache
                seconds[name].append(time.perf_counter() - start)
            sizes[name] = sum(path.stat().st_size for path in outputs())
    ours = statistics.median(seconds["imfilt"])
    for name, times in seconds.items():
        median = statistics.median(times)
        lines.append({"task": title, "command": name, "seconds": median, "ratio": median / ours, "bytes": sizes[name]})
        print(
            f"{title:36} {name:15} {median * 1e3:8.1f} ms  {median / ours:5.2f}x  {sizes[name] / 1e6:7.2f} MB",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser("benchmarks.command", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("-o", "--output", default="build/benchmarks_command.json")
    options = parser.parse_args()
    there, lines = tools(), []
    for name, path in there.items():
        if not path:
            print(f"({name} is not installed)")
    with tempfile.TemporaryDirectory() as name:
        folder, results = Path(name), Path(name, "results")
        results.mkdir()

        def outputs():
            return [path for path in results.rglob("*") if path.is_file()]

        for width, height in ((640, 400), (2560, 1600)):
            source = str(folder / f"photo{width}.jpg")
            Image.fromarray(cases.photograph((height, width), "uint8", 3)).save(source, quality=90)
            for task in (sobel, blur, upscale):
                for suffix in (".jpg", ".png"):

                    def target(name, suffix=suffix):
                        return str(results / f"{name.replace(' ', '-')}{suffix}")

                    title = f"{task.__name__} {width}x{height} jpg to {suffix[1:]}"
                    measure(title, task(there, source, target), there, outputs, options.rounds, lines)
        sources = []
        for i in range(16):
            sources.append(str(folder / f"many{i:02}.jpg"))
            shutil.copy(folder / "photo2560.jpg", sources[-1])
        measure(
            "sobel of 16, 2560x1600 jpg to png", batch(there, sources, target), there, outputs, options.rounds, lines
        )
    common.write(options.output, lines)


if __name__ == "__main__":
    main()
