"""The page of a run, speed.md, its two plots, and all rows, speed-table.md, from the JSON that the command wrote.

python -m benchmarks.page build/benchmarks.json docs
"""

import argparse
import json
from pathlib import Path

from benchmarks import cases, plots, table
from benchmarks.machine import PACKAGES

NEAR = 0.85  # of the limit
NOTE = "<!-- Written by `python -m benchmarks --page docs`; do not edit. -->"
WORST = 60  # rows of the list of those behind, the rest is counted


def write(source, folder):
    run = json.loads(Path(source).read_text())
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    plots.ratios(run["lines"], folder / "speed-ratios.png")
    plots.limits(run["lines"], folder / "speed-limits.png")
    scaling = (folder / "speed-scaling.png").exists()
    (folder / "speed.md").write_text(text(run, scaling), encoding="utf-8")
    (folder / "speed-table.md").write_text(whole_table(run), encoding="utf-8")
    for name in ("speed.md", "speed-table.md", "speed-ratios.png", "speed-limits.png"):
        print(f"written: {folder / name}")


def text(run, scaling):
    """`scaling` says whether there is that plot, which is of a run of its own."""
    lines = run["lines"]
    parts = [
        "# Speed",
        NOTE,
        introduction(run),
        "## In short",
        "Geometric means of the fastest peer's time over imfilt's: 2 means that imfilt needs half the time.",
        by_size(lines),
        "The same beside each library, where it has a contender (its fastest one), and how many rows that are:",
        by_library(lines),
        "How near rows come to what the machine could do at best:",
        by_limit(lines),
        "![The fastest peer's time over imfilt's, a dot for each row](speed-ratios.png)",
        "![Part of the machine's limit that each row reaches](speed-limits.png)",
        "## Behind",
        being_behind(lines),
        "## By operation",
        "All sizes, types and channels of an operation together: geometric mean of the ratio, the smallest, "
        "and the mean part of the limit.",
        by_operation(lines),
        "Every row, on every image: [speed-table.md](speed-table.md).",
    ]
    if scaling:
        parts += [
            "## As the work grows",
            "By `python -m benchmarks.scaling --page docs`, which also prints every cliff:",
            "![Time against pixels, kernel size, sigma, channels and threads](speed-scaling.png)",
        ]
    return "\n\n".join(parts) + "\n"


def whole_table(run):
    return "\n\n".join([
        "# Speed: every row", NOTE, "What the columns mean, and the machine: [speed.md](speed.md).",
        every_row(run["lines"]),
    ]) + "\n"  # fmt: skip


def introduction(run):
    machine = run["machine"]
    versions = ", ".join(f"{name} {machine['versions'][name]}" for name in PACKAGES if machine["versions"].get(name))
    measured = "; ".join(
        f"{on(threads)}: {run['copies'][threads] * 1e-9:.1f} GB/s read and written by a copy of a large image, "
        f"{run['peaks'][threads]['best'] * 1e-9:.0f} GFLOP/s of multiply-adds in single precision"
        for threads in run["peaks"]
    )
    return f"""imfilt beside the fastest peer for the same work, from one run of `python -m benchmarks --page docs` on
{machine["date"]}.

- Machine: {machine["cpu"]}, {machine["cores"]} cores, {machine["platform"]}; core build `{machine["imfilt"]["build"]}`.
- Python {machine["python"]}; {versions}.
- Limits, measured in the run: {measured}.
- {len(run["lines"])} rows, each contender for about {run["budget"]:g} s, in turns, in one process; medians.

Every result was compared with imfilt's before the clock started. Outputs are reused by all that can (imfilt, OpenCV,
SciPy's ndimage, NumPy), except in rows marked *fresh*; peers that cannot find the memory of their last result again.
scikit-image and SciPy are left out on colour images of 4K, where they take seconds. `x3` is an image of three channels.
With several threads, a contender begins when those of the one before it sleep, which is not at once.

**Ratio** is the fastest peer's time over imfilt's: above 1 imfilt is faster; from {table.LEVEL} on a row counts as
level, below as behind. **Limit** is the time that the machine needs at least, over imfilt's: for a copy of as many
bytes as image and result have, or, marked `*`, for the multiply-adds of the row at peak rate, whichever takes longer.
It can be passed: where a result stays in a cache, or where imfilt finds a way with fewer products. Loops that promise
the same bits everywhere multiply and add apart, and cannot exceed half of that peak where one unit does both."""


def on(threads):
    return f"{threads} thread" + "s" * (int(threads) > 1)


def markdown(columns, rows):
    """The first column is text, the others are numbers."""
    lines = [columns, [":--", *["--:"] * (len(columns) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def by_size(lines):
    found = list(table.sums(lines))
    threads = sorted({one["threads"] for one in found})
    head = ["size", *(f"{what}, {on(n)}" for n in threads for what in ("rows", "mean", "behind"))]
    rows = []
    for size in ("all", *cases.CLASSES):
        cells = [(one["rows"], f"{one['mean']:.2f}x", one["behind"]) for one in found if one["size"] == size]
        if len(cells) == len(threads):
            rows.append([size, *(cell for three in cells for cell in three)])
    return markdown(head, rows)


def by_library(lines):
    found = [one for one in table.sums(lines) if one["size"] == "all"]
    libraries = sorted({name for one in found for name in one["against"]})
    head = ["library", *(f"{what}, {on(one['threads'])}" for one in found for what in ("mean", "rows"))]
    rows = []
    for name in libraries:
        pairs = [one["against"].get(name, (float("nan"), 0)) for one in found]
        rows.append([name, *(cell for mean, n in pairs for cell in (f"{mean:.2f}x", n))])
    return markdown(head, rows)


def by_limit(lines):
    rows = []
    for one in table.sums(lines):
        for limit, (mean, n, near) in one["limits"].items():
            rows.append([f"{on(one['threads'])}, {one['size']}", limit, n, f"{mean:.0%}", near])
    return markdown(["rows", "limited by", "how many", "mean", f"at {NEAR:.0%} or more"], rows)


def being_behind(lines):
    worst = table.behind(lines)
    if not worst:
        return f"No row: the smallest ratio is {min(line['ratio'] for line in lines):.2f}."
    rows = [
        [
            named(line), line["threads"], milliseconds(line, "imfilt"), line["fastest peer"],
            milliseconds(line, line["fastest peer"]), f"{line['ratio']:.2f}",
        ]
        for line in worst[:WORST]
    ]  # fmt: skip
    more = len(worst) - len(rows)
    head = f"{len(worst)} of {len(lines)} rows have a ratio below {table.LEVEL}"
    head += (
        f"; the {WORST} smallest, the other {more} are bold in [speed-table.md](speed-table.md):" if more > 0 else ":"
    )
    return f"{head}\n\n{markdown(['row', 'threads', 'imfilt ms', 'fastest peer', 'its ms', 'ratio'], rows)}"


def by_operation(lines):
    threads = sorted({line["threads"] for line in lines})
    head = ["operation", *(f"{what}, {on(n)}" for n in threads for what in ("mean", "least", "limit"))]
    rows = []
    for name in dict.fromkeys(line["row"] for line in lines):
        cells = []
        for n in threads:
            some = [line for line in lines if line["row"] == name and line["threads"] == n]
            ratios = [line["ratio"] for line in some]
            cells += [
                f"{table.mean(ratios):.2f}",
                marked(min(ratios)),
                f"{table.mean([x['of limit'] for x in some]):.0%}",
            ]
        rows.append([name, *cells])
    return markdown(head, rows)


def every_row(lines):
    """A table for each family, folded away: one line for an operation on an image."""
    threads = sorted({line["threads"] for line in lines})
    head = ["row", *(f"{what}, {on(n)}" for n in threads for what in ("imfilt ms", "peer ms", "ratio", "limit"))]
    parts = []
    for family in dict.fromkeys(line["family"] for line in lines):
        images = {}
        for line in lines:
            if line["family"] == family:
                images.setdefault(named(line), {})[line["threads"]] = line
        rows = []
        for name, of_threads in images.items():
            cells = [cell for n in threads for cell in measured(of_threads.get(n))]
            rows.append([name, *cells])
        parts.append(
            f"<details>\n<summary>{family}: {len(rows)} operations and images</summary>\n\n{markdown(head, rows)}\n\n"
            "</details>"
        )
    return "\n\n".join(parts)


def measured(line):
    if line is None:
        return "", "", "", ""
    star = "*" if line["limit"] == "multiply-add" else ""
    peer = f"{line['fastest peer']} {milliseconds(line, line['fastest peer'])}"
    return milliseconds(line, "imfilt"), peer, marked(line["ratio"]), f"{line['of limit']:.0%}{star}"


def marked(ratio):
    return f"**{ratio:.2f}**" if ratio < table.LEVEL else f"{ratio:.2f}"


def milliseconds(line, name):
    """Three digits."""
    value = line["seconds"][name] * 1e3
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def named(line):
    types = line["dtype"] if line["dtype"] == line["result"] else f"{line['dtype']} to {line['result']}"
    fresh = ", fresh" if line["outputs"] == "fresh" else ""
    channels = f" x{line['channels']}" if line["channels"] > 1 else ""
    return f"{line['row']}, {line['columns']}x{line['rows']}{channels}, {types}{fresh}"


def main():
    parser = argparse.ArgumentParser("benchmarks.page", description=__doc__.partition("\n")[0])
    parser.add_argument("json")
    parser.add_argument("folder")
    given = parser.parse_args()
    write(given.json, given.folder)


if __name__ == "__main__":
    main()
