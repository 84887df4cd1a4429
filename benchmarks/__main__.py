"""One command: every operation, imfilt beside its peers, alternating in one process.

    python -m benchmarks                                everything
    python -m benchmarks --page docs                    and the page and plots of it
    python -m benchmarks filters --rows 'sobel|gaussian 1' --sizes 2160 --threads 1

Results are checked to agree before they are timed. imfilt, OpenCV and SciPy's ndimage write into the same result every
time, except in rows called fresh, where each makes a new one. Others cannot: they find the memory of their last result
again, since freed memory is kept. The median of the calls that a budget allows is what counts; a peer that takes
several budgets for one call is timed once. scikit-image and SciPy are left out on colour images of 4K.

The limit of a row is what the machine needs, measured in the same run, for a plain copy of as many bytes as image and
result have together, on as many threads (into new memory in fresh rows), or for the multiply-adds of the row at the
peak rate, whichever is more. Loops that promise the same bits everywhere multiply and add apart, and cannot exceed half
of that peak where one unit of the processor does both.
"""

import re
import sys

from benchmarks import cases, common, coverage, machine, page, table


def options():
    parser = common.parser("benchmarks", __doc__, "build/benchmarks.json")
    common.add_budget(parser)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(coverage.GROUPS)} (default: all)")
    parser.add_argument("--sizes", nargs="+", type=int, metavar="ROWS", help="heights of the image")
    parser.add_argument("--dtypes", nargs="+", choices=cases.DTYPES, default=cases.DTYPES, help="of the image")
    parser.add_argument("--channels", nargs="+", type=int, metavar="N", help="of the image")
    parser.add_argument("--outputs", nargs="+", choices=("reused", "fresh"), default=("reused", "fresh"))
    parser.add_argument("--list", action="store_true", help="the rows that this would be, and their images")
    parser.add_argument("--check", action="store_true", help="compare the results, and measure nothing")
    parser.add_argument("--page", metavar="FOLDER", help="write speed.md and its plots there")
    given = parser.parse_args()
    if unknown := set(given.groups) - set(coverage.GROUPS):
        parser.error(f"no group {', '.join(sorted(unknown))}; there are {', '.join(coverage.GROUPS)}")
    return given


def chosen(given):
    """The rows and images that the options ask for."""
    for row in coverage.rows(*given.groups):
        if not re.search(given.rows, row.name):
            continue
        for case in row.cases:
            if (
                (not given.sizes or case.rows in given.sizes)
                and (not given.channels or case.channels in given.channels)
                and case.dtype in given.dtypes
                and ("fresh" if case.fresh else "reused") in given.outputs
            ):
                yield row, case


def check(work, given):
    """Compare everything, and exit 1 if something differs."""
    wrong = 0
    for row, case in work:
        try:
            table.check(row, case, max(given.threads))
        except table.DifferenceError as error:
            print(f"{error}: {case}", flush=True)
            wrong += 1
    if wrong:
        sys.exit(f"{wrong} of {len(work)} images: a peer does not agree with imfilt")
    print(f"{len(work)} images: every peer agrees with imfilt")


def main():
    given = options()
    work = list(chosen(given))
    if given.list:
        for row, case in work:
            print(f"{row.name:38} {case.columns:>4}x{case.rows:<4} x{case.channels:<3} {case.dtype} "
                  f"{'fresh' * case.fresh}".rstrip())  # fmt: skip
        print(f"{len(work)} images, {len(given.threads)} number(s) of threads")
        return
    if given.check:
        check(work, given)
        return
    facts = machine.facts()
    print(f"{facts['cpu']}, {facts['cores']} cores; core build {facts['imfilt']['build']}; {facts['versions']}")
    print(f"load of the last minute before this run: {facts['load']:.2f}")
    if facts["versions"]["torch"] is None:
        print("PyTorch is not installed; it is left out, with the rows where it is the only peer. To have it:")
        print("    pip install torch --index-url https://download.pytorch.org/whl/cpu")
    peaks = {threads: machine.peaks(threads) for threads in given.threads}
    copies = {threads: machine.bandwidth(threads) for threads in given.threads}
    for threads, found in peaks.items():
        named = ", ".join(f"{found[name] * 1e-9:.1f} GFLOP/s ({name})" for name in found if name != "best")
        print(f"{threads} thread(s): copy {copies[threads] * 1e-9:.1f} GB/s, read and written; multiply-adds {named}")
    print("ratio: the fastest peer's time over imfilt's\n")
    lines, wrong = [], []
    try:
        for row, case in work:
            try:
                found = table.measure(row, case, given, peaks)
            except table.DifferenceError as error:
                wrong.append(f"{error}: {case}")
                print(wrong[-1])
                continue
            for line in found:
                lines.append(line)
                table.show(line)
    except KeyboardInterrupt:
        wrong.append("interrupted")
    if not lines:
        raise SystemExit("no row matches, or none of them has a peer")
    table.summary(lines)
    common.write(given.output, lines, peaks=peaks, copies=copies, budget=given.budget)
    if given.page:
        page.write(given.output, given.page)
    if wrong:
        sys.exit("\n".join(["", "not in the table:", *wrong]))


if __name__ == "__main__":
    main()
