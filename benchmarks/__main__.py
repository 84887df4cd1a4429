"""One command: every filter on every size, imfilt beside its peers, alternating in one process.

    python -m benchmarks                       everything (about a quarter of an hour)
    python -m benchmarks --rows 'sobel|gaussian 1' --sizes 2160 --threads 1

Results are checked to agree before they are timed. Buffers are reused by every contender
that can; with --fresh, imfilt and OpenCV get none and allocate each result. The copy moves
as many bytes as the image and the result together, on as many threads.
"""

import re

import numpy as np

from benchmarks import common, machine, peers

SIZES = {"64": (64, 64), "480": (480, 640), "1080": (1080, 1920), "2160": (2160, 3840)}


def measure(row, image, threads, options):
    """One line of the table."""
    result = image.dtype if row.result == "same" else np.dtype(row.result)
    span = 255 if result == np.uint8 else 1
    out = np.zeros(row.shape(image), result)
    contenders, differences = {"imfilt": lambda: row.ours(image, None if options.fresh else out)}, {}
    with common.limited(threads):
        row.ours(image, out)
        for name, make in row.peers.items():
            call, factor = make(image)
            theirs = np.asarray(call(), np.float64) * factor
            differences[name] = common.agree(row.name, name, out, theirs, span, row.tolerance)
            contenders[name] = call
        nbytes = image.nbytes + out.nbytes
        contenders["copy"] = machine.copier(nbytes, threads)
        seconds = machine.alternate(contenders, options.budget)
    return {
        "row": row.name, "rows": image.shape[0], "columns": image.shape[1], "channels": (image.ndim == 3 and 3) or 1,
        "dtype": image.dtype.name, "result": result.name, "threads": threads,
        "outputs": "fresh" if options.fresh else "reused", **common.rated(seconds, row.peers),
        "differences": differences, "of copy": seconds["copy"] / seconds["imfilt"],
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


def main():
    parser = common.parser("benchmarks", __doc__, "build/benchmarks.json")
    common.add_budget(parser)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="heights of the image")
    parser.add_argument("--dtypes", nargs="+", choices=("uint8", "float32"), default=["uint8", "float32"])
    parser.add_argument("--channels", nargs="+", type=int, choices=(1, 3), default=[1, 3])
    parser.add_argument("--fresh", action="store_true", help="a new result array for every call of imfilt")
    options = parser.parse_args()

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
                    if row.grey and channels != 1:
                        continue
                    image = common.photograph(SIZES[size], dtype, channels)
                    for threads in options.threads:
                        lines.append(measure(row, image, threads, options))
                        show(lines[-1])
    common.summary(lines, show)
    common.write(options.output, lines)


if __name__ == "__main__":
    main()
