"""A line of the table: measured, in words, and in sums over many lines."""

import math
import time
from dataclasses import dataclass

import numpy as np

import imfilt
from benchmarks import cases, common, machine, rows
from benchmarks.peers import numbers_of

LEVEL = 0.95  # of the fastest peer: from here on a row is not behind
SLOW = 5  # budgets; a peer of one thread whose call takes longer than that is timed by the call that is compared
BAND = 64  # rows that are compared at a time
SERIAL = "scikit-image", "SciPy"  # these have one thread, but for SciPy's transforms
SERIAL_NUMBERS = 10**7  # on more than 4K grey they take seconds, and are left out if there is another peer
LIMITS = {"copy": "of copy", "multiply-add": "of peak"}


def library(peer):
    """ "SciPy oaconvolve" is SciPy's."""
    return peer.partition(" ")[0]


def planned(row, image, out):
    """The plan of a single kernel, and the multiply-adds that the row asks for."""
    if row.kernel is None:
        return "", row.macs * out.size
    plan = imfilt.explain_plan(row.kernel, image.shape, image.dtype).plan
    if plan == "separable":
        products = imfilt.separate(row.kernel).rank * sum(row.kernel.shape)
    else:
        products = 0 if plan == "fft" else row.kernel.size
    return plan, products * out.size


class DifferenceError(Exception):
    """What does not compute the same is not timed."""


@dataclass
class Checked:
    """A row on an image whose peers agree with imfilt."""

    image: np.ndarray
    out: np.ndarray
    contenders: dict  # name: callable
    seconds: dict  # of the one call of each peer that was compared
    differences: dict


def check(row, case, threads):
    """All contenders, called once and compared."""
    image = cases.image(case)
    out = np.zeros(row.shape(image), row.result_type(image))
    # With a default dtype, some functions would make numbers where others make bytes.
    given = (lambda: np.empty_like(out)) if case.fresh else (lambda: out)
    found = Checked(image, out, {"imfilt": lambda: row.ours(image, given())}, {}, {})
    with common.limited(threads):
        ours = row.ours(image, out)
        others = set(row.peers) - set(SERIAL)
        for name, make in row.peers.items():
            if others and name in SERIAL and image.size > SERIAL_NUMBERS:
                continue
            contender = make(image, rows.fresh if case.fresh else rows.reused)
            if contender is None:
                continue
            start = time.perf_counter()
            theirs = contender.call()
            found.seconds[name] = time.perf_counter() - start
            found.differences[name] = difference(row, name, image, ours, theirs, contender)
            found.contenders[name] = contender.call
            del theirs
    return found


def measure(row, case, options, peaks):
    """The lines of a row on an image, one for each number of threads; none if it has no peer here."""
    checked = check(row, case, max(options.threads))
    if not checked.differences:
        return []
    image, out = checked.image, checked.out
    nbytes, (plan, macs) = image.nbytes + out.nbytes, planned(row, image, out)
    slow = {name: once for name, once in checked.seconds.items() if name in SERIAL and once > SLOW * options.budget}
    quick = {name: call for name, call in checked.contenders.items() if name not in slow}
    lines = []
    for threads in options.threads:
        # A small copy is faster on one thread, however many there are.
        copies = {f"copy on {n}": machine.copier(nbytes, n, case.fresh) for n in {1, threads}}
        seconds = slow | clock(quick | copies, threads, case.fresh, options.budget)
        seconds["copy"] = min(seconds.pop(name) for name in copies)
        # Doubles have half the lanes.
        peak = peaks[threads]["best"] / (2 if out.dtype == np.float64 else 1)
        limits = {"copy": seconds["copy"], "multiply-add": 2 * macs / peak}
        limit = max(limits, key=limits.get)
        fastest = min(checked.differences, key=seconds.get)
        lines.append({
            "operation": row.operation, "row": row.name, "family": row.family,
            "rows": case.rows, "columns": case.columns, "channels": case.channels,
            "size": cases.size_class(max(case.rows * case.columns, result_pixels(image, out))),
            "dtype": case.dtype, "result": out.dtype.name, "outputs": "fresh" if case.fresh else "reused",
            "threads": threads, "plan": plan, "seconds": seconds, "fastest peer": fastest,
            "ratio": seconds[fastest] / seconds["imfilt"], "differences": checked.differences,
            "limit": limit, "of limit": limits[limit] / seconds["imfilt"],
            "of copy": seconds["copy"] / seconds["imfilt"], "GB/s": nbytes / seconds["imfilt"] * 1e-9,
            "GFLOP/s": 2 * macs / seconds["imfilt"] * 1e-9,
        })  # fmt: skip
    return lines


def clock(contenders, threads, fresh, budget):
    """Median seconds of each, on so many threads."""
    with common.limited(threads), machine.recycled_memory(not fresh):
        if not fresh:  # the first call under this rule still takes new memory
            for call in contenders.values():
                call()
        return machine.alternate(contenders, budget, warm=threads > 1)


def result_pixels(image, out):
    """Of one of its results, if there are several."""
    several = out.ndim > image.ndim and out.shape[1:] == image.shape
    return math.prod(out.shape[1:3] if several else out.shape[:2])


def difference(row, name, image, ours, theirs, contender):
    """How far a peer is from imfilt, as a part of the range; more than is allowed is an error."""
    ours = np.asarray(ours)
    theirs = numbers_of(theirs).reshape(ours.shape)
    first = 1 if ours.shape[1:] == image.shape else 0  # the axis of the rows
    span, tolerance = 1.0, row.tolerance
    if ours.dtype.kind in "iu":
        span = float(np.iinfo(ours.dtype).max)
        tolerance = row.levels / span
    elif ours.dtype.kind == "b":
        tolerance = row.levels
    else:
        span = max(1.0, -float(ours.min()), float(ours.max()))
    worst, end = 0.0, ours.shape[first] - contender.cut
    for y in range(contender.cut, end, BAND):
        inside = (slice(None),) * first + (slice(y, min(y + BAND, end)), slice(contender.cut, -contender.cut or None))
        mine, other = (
            row.seen(ours[inside].astype(np.float64)),
            row.seen(theirs[inside] * np.float64(1) * contender.factor),
        )
        worst = np.maximum(worst, np.abs(mine - other).max())  # which is NaN if anything is
    if not worst <= tolerance * span:
        raise DifferenceError(
            f"{row.name}: {name} differs by {worst / span:.2g} of the range, more than {tolerance:.2g}"
        )
    return float(worst / span)


def show(line):
    s = line["seconds"]
    types = line["dtype"] if line["dtype"] == line["result"] else f"{line['dtype']} to {line['result']}"
    fresh = "fresh " if line["outputs"] == "fresh" else ""
    print(
        f"{line['row']:38} {line['columns']:>4}x{line['rows']:<4} x{line['channels']:<3} {types:18} {fresh:6}"
        f"{line['threads']} thr {s['imfilt'] * 1e3:9.4f} ms {line['ratio']:6.2f}x "
        f"{line['fastest peer']:23} {s[line['fastest peer']] * 1e3:9.4f} ms "
        f"{line['of limit'] * 100:4.0f} % {LIMITS[line['limit']]:7}  {line['plan']}".rstrip(),
        flush=True,
    )


def mean(values):
    """Geometric."""
    return math.exp(sum(map(math.log, values)) / len(values))


def behind(lines):
    return sorted((line for line in lines if line["ratio"] < LEVEL), key=lambda line: line["ratio"])


def against(lines):
    """{library: geometric mean of its fastest contender's time over imfilt's}, and how many lines have one."""
    ratios = {}
    for line in lines:
        fastest = {}
        for peer in line["differences"]:
            fastest.setdefault(library(peer), []).append(line["seconds"][peer])
        for name, seconds in fastest.items():
            ratios.setdefault(name, []).append(min(seconds) / line["seconds"]["imfilt"])
    return {name: (mean(values), len(values)) for name, values in sorted(ratios.items())}


def sums(lines):
    """For each number of threads, all lines and those of a size: what the page and the summary tell."""
    for threads in sorted({line["threads"] for line in lines}):
        of_these = [line for line in lines if line["threads"] == threads]
        for size in ("all", *cases.CLASSES):
            some = [line for line in of_these if size in ("all", line["size"])]
            if some:
                yield {
                    "threads": threads, "size": size, "rows": len(some), "mean": mean([x["ratio"] for x in some]),
                    "behind": len(behind(some)), "against": against(some),
                    "limits": {
                        limit: (mean([x["of limit"] for x in some if x["limit"] == limit]),
                                sum(x["limit"] == limit for x in some),
                                sum(x["limit"] == limit and x["of limit"] >= 0.85 for x in some))
                        for limit in LIMITS if any(x["limit"] == limit for x in some)
                    },
                }  # fmt: skip


def summary(lines):
    """For each number of threads how the table ended, by size and peer, and every row that is behind."""
    print()
    for one in sums(lines):
        print(
            f"{one['threads']} thread(s), {one['size']}: {one['rows']} rows, geometric mean {one['mean']:.2f}x the "
            f"fastest peer, {one['behind']} behind it (below {LEVEL})"
        )
        print("    " + ", ".join(f"{name} {ratio:.2f}x ({n})" for name, (ratio, n) in one["against"].items()))
        for limit, (ratio, n, near) in one["limits"].items():
            print(f"    {n} rows limited by {limit}: geometric mean {ratio:.0%} of it, {near} at 85 % or more")
    if worst := behind(lines):
        print("\nbehind:")
        for line in worst:
            show(line)
