"""How cost grows with the work: with pixels, kernel size, sigma, channels and threads. Prints every cliff.

    python -m benchmarks.scaling                     all five
    python -m benchmarks.scaling --page docs         and their plot, docs/speed-scaling.png
    python -m benchmarks.scaling --rows kernel --threads 1

The calls of a series alternate in one process; medians. A cliff is a step from one point of a series to the next at
which the cost of a unit of work rises by more than 1.3; it is measured again before it counts. Units: pixels; pixels
times taps of a kernel; pixels times taps of a column and a row; numbers of the image, or the products of a layer.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import imfilt
from benchmarks import cases, common, machine
from benchmarks.cases import SMALL, normal
from imfilt import kernels

CLIFF = 1.3
AGAIN = 4  # budgets for a step that looks like a cliff
POWERS = (128, 256, 512, 1024, 2048, 4096)
LARGEST_CACHE = 2**27  # of those that an image is laid around


@dataclass(frozen=True, eq=False)
class Series:
    question: str
    name: str
    points: tuple
    make: Callable  # point -> callable
    work: Callable  # point -> units
    threads: bool = True  # it is measured on one thread and on all


def caches():
    """Bytes of the caches of the first processor, where the system tells."""
    found = set()
    for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = path.read_text().strip()
        found.add(int(text[:-1]) * {"K": 2**10, "M": 2**20}[text[-1]])
    return sorted(size for size in found if size <= LARGEST_CACHE)


def sides(itemsize):
    """Sides of squares: steps of sqrt 2, powers of two and a pixel beside them, just below and past the caches."""
    found = {round(2 ** (k / 2)) for k in range(12, 25)} | {n + d for n in POWERS for d in (-1, 0, 1)}
    for size in caches():
        side = (size / (2 * itemsize)) ** 0.5  # image and result
        found |= {round(side * part) for part in (0.95, 1.05) if 64 <= side <= POWERS[-1]}
    return tuple(sorted(found))


def pixels():
    """Squares, cut from one image and laid close."""
    for name, dtype, function in (
        ("sobel", "float32", imfilt.sobel),
        ("sobel", "uint8", imfilt.sobel),
        ("gaussian 2", "float32", lambda image, out: imfilt.gaussian(image, 2, out=out)),
        ("box 9", "uint8", lambda image, out: imfilt.box(image, 9, out=out)),
        ("correlate 9x9", "float32", correlation(9)),
    ):

        def make(n, dtype=dtype, function=function):
            image = np.ascontiguousarray(cases.photograph((POWERS[-1] + 1,) * 2, dtype, 1)[:n, :n])
            out = np.empty(image.shape, "u1" if function.__name__ == "<lambda>" and dtype == "uint8" else "f4")
            return lambda: function(image, out=out)

        yield Series("pixels", f"{name} {dtype}", sides(np.dtype(dtype).itemsize), make, lambda n: n * n)


def correlation(k):
    kernel = normal(k, k).astype(np.float64)
    return lambda image, out: imfilt.correlate(image, kernel, out=out)


def on_picture(dtype, run):
    """point -> run(point) on one picture, into one result."""
    image = cases.photograph(SMALL, dtype, 1)
    out = np.empty_like(image)

    def make(point):
        function = run(point)
        return lambda: function(image, out)

    return make


def kernel_sizes():
    area = SMALL[0] * SMALL[1]
    yield Series("kernel size", "correlate k x k", tuple(range(3, 42)), on_picture("float32", correlation),
                 lambda k: area * k * k)  # fmt: skip

    def separable(k):
        column, row = normal(2, k).astype(np.float64)
        return lambda image, out: imfilt.separable(image, column, row, out=out)

    yield Series("kernel size", "separable k + k", tuple(range(3, 42)), on_picture("float32", separable),
                 lambda k: area * 2 * k)  # fmt: skip
    sizes = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 101, 127, 128, 129, 160, 201)
    for dtype in ("float32", "uint8"):
        yield Series("kernel size", f"box {dtype}", sizes,
                     on_picture(dtype, lambda n: lambda image, out: imfilt.box(image, n, out=out)),
                     lambda n: area)  # fmt: skip


def sigmas():
    area = SMALL[0] * SMALL[1]
    points = (0.5, 0.7, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 28, 32, 40)
    for dtype in ("float32", "uint8"):
        yield Series("sigma", f"gaussian {dtype}", points,
                     on_picture(dtype, lambda sigma: lambda image, out: imfilt.gaussian(image, sigma, out=out)),
                     lambda sigma: area * 2 * len(kernels.gaussian(sigma)))  # fmt: skip


def channels():
    size = 270, 480
    area, points = size[0] * size[1], (1, 2, 3, 4, 5, 6, 7, 8, 16, 32)

    def layer(run):
        def make(c):
            image, out, function = normal(*size, c), np.empty((*size, c), "f4"), run(c)
            return lambda: function(image, out)

        return make

    def depthwise(c):
        weight = normal(c, 3, 3)
        return lambda image, out: imfilt.depthwise_conv2d(image, weight, padding=1, out=out)

    def dense(c):
        weight = normal(c, c, 3, 3)
        return lambda image, out: imfilt.conv2d(image, weight, padding=1, out=out)

    def gaussian(c):
        return lambda image, out: imfilt.gaussian(image, 2, out=out)

    yield Series("channels", "gaussian 2", points, layer(gaussian), lambda c: area * c)
    yield Series("channels", "depthwise 3x3", points, layer(depthwise), lambda c: area * c)
    yield Series("channels", "conv2d 3x3, c to c", points, layer(dense), lambda c: area * c * c)


def threads():
    """The unit is what is left for each thread."""
    image = cases.photograph(cases.UHD, "float32", 1)
    colour, weight = cases.photograph(cases.SCREEN, "float32", 3), normal(16, 3, 3, 3)
    out, wide = np.empty_like(image), np.empty((*cases.SCREEN, 16), "f4")
    most = max(common.engine_threads.count(), 2)
    points = tuple(sorted({1, 2, 3, 4, 6, 8, 12, 16, 24, 32, most} & set(range(1, most + 1))))
    for name, call in (
        ("sobel", lambda: imfilt.sobel(image, out=out)),
        ("gaussian 5", lambda: imfilt.gaussian(image, 5, out=out)),
        ("box 31", lambda: imfilt.box(image, 31, out=out)),
        ("conv2d 3x3 3->16", lambda: imfilt.conv2d(colour, weight, padding=1, out=wide)),
    ):

        def make(n, call=call):
            def run():
                with imfilt.num_threads(n):
                    call()

            return run

        yield Series("threads", name, points, make, lambda n: 1 / n, threads=False)


QUESTIONS = {"pixels": pixels, "kernel size": kernel_sizes, "sigma": sigmas, "channels": channels, "threads": threads}


def measure(series, count, budget):
    """Seconds of each point, and the cliffs among them: (point before, point, how much more a unit costs)."""
    calls = {point: series.make(point) for point in series.points}
    for call in calls.values():  # the first one plans
        call()
    seconds = machine.alternate(calls, budget)

    def rise(before, after, found):
        return found[after] / series.work(after) / (found[before] / series.work(before))

    cliffs = []
    for before, after in zip(series.points, series.points[1:], strict=False):
        if rise(before, after, seconds) > CLIFF:
            again = machine.alternate({point: calls[point] for point in (before, after)}, AGAIN * budget)
            if rise(before, after, again) > CLIFF:
                cliffs.append((before, after, rise(before, after, again)))
    return {
        "question": series.question, "row": series.name, "threads": count, "points": series.points,
        "seconds": [seconds[point] for point in series.points],
        "work": [series.work(point) for point in series.points], "cliffs": cliffs,
    }  # fmt: skip


def show(line):
    name = f"{line['question']:12} {line['row']:22} " + (f"{line['threads']} thr" if line["threads"] else "     ")
    first, last = (line["seconds"][i] * 1e3 for i in (0, -1))
    print(f"{name}  {line['points'][0]:g} to {line['points'][-1]:g}: {first:.4g} to {last:.4g} ms", flush=True)
    for before, after, rise in line["cliffs"]:
        print(f"    cliff from {before:g} to {after:g}: a unit of work costs {rise:.2f}x", flush=True)


def plot(lines, path):
    """A panel for each question."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(11, 11), dpi=110, layout="constrained", facecolor="white")
    panels = figure.subplots(3, 2).flat
    for axes, question in zip(panels, QUESTIONS, strict=False):
        names = list(dict.fromkeys(line["row"] for line in lines if line["question"] == question))
        for line in (line for line in lines if line["question"] == question):
            x, y = np.array(line["points"]), np.array(line["seconds"])
            colour, several = f"C{names.index(line['row'])}", (line["threads"] or 1) > 1
            y = y[0] / y if question == "threads" else y / units(question, line) * 1e9
            axes.plot(x, y, "--" if several else "-", color=colour, linewidth=1.2, marker=".", markersize=3,
                      label=None if several else line["row"])  # fmt: skip
            for _, after, _ in line["cliffs"]:
                at = line["points"].index(after)
                axes.plot(x[at], y[at], "o", color="red", markerfacecolor="none", markersize=9)
        axes.set_title(f"Time against {question}" if question != "threads" else "Speed-up by threads", loc="left")
        axes.set_xlabel(LABELS[question][0])
        axes.set_ylabel(LABELS[question][1])
        if question == "threads":
            axes.set_ylim(
                0, 1.1 * max([2, *(point for line in lines for point in line["points"] * (not line["threads"]))])
            )
            axes.xaxis.get_major_locator().set_params(integer=True)
        else:
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("")
        axes.grid(color="#e4e4e4", linewidth=0.7)
        if names:
            axes.legend(fontsize=8, frameon=False)
    for axes in panels:
        axes.set_axis_off()
    axes = figure.axes[len(QUESTIONS)]
    axes.set_axis_off()
    axes.annotate("solid: one thread; dashed: all\nred circle: cliff, a unit of work costs more than 1.3 times\n"
                  "as much as at the point before", (0, 0.9), xycoords="axes fraction", va="top")  # fmt: skip
    figure.savefig(path)
    print(f"written: {path}")


LABELS = {
    "pixels": ("side of a square image", "ns a pixel"),
    "kernel size": ("k", "ns a pixel, 960x540"),
    "sigma": ("sigma", "ns a pixel, 960x540"),
    "channels": ("channels", "ns a number of the image, 480x270"),
    "threads": ("threads", "times as fast as one, 3840x2160"),
}


def units(question, line):
    """What the plot divides by, for each point."""
    if question == "pixels":
        return np.array(line["work"])
    if question == "channels":
        return np.array(line["points"]) * (270 * 480)
    return SMALL[0] * SMALL[1]


def main():
    parser = common.parser("benchmarks.scaling", __doc__, "build/benchmarks_scaling.json")
    common.add_budget(parser)
    parser.add_argument("--page", metavar="FOLDER", help="draw speed-scaling.png there")
    given = parser.parse_args()
    facts = machine.facts()
    print(f"{facts['cpu']}, {facts['cores']} cores; core build {facts['imfilt']['build']}")
    lines = []
    for question, make in QUESTIONS.items():
        for series in make():
            if not re.search(given.rows, f"{question} {series.name}"):
                continue
            for count in given.threads if series.threads else (0,):
                with common.limited(count or os.cpu_count()):
                    lines.append(measure(series, count, given.budget))
                show(lines[-1])
    if not lines:
        raise SystemExit("no series matches")
    print(f"\n{sum(len(line['cliffs']) for line in lines)} cliffs")
    common.write(given.output, lines)
    if given.page:
        Path(given.page).mkdir(parents=True, exist_ok=True)
        plot(lines, Path(given.page, "speed-scaling.png"))


if __name__ == "__main__":
    main()
