"""Two plots of a run: a dot for each row, operations one below the other, families apart."""

import numpy as np

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#777777"  # from Okabe and Ito's palette
LINE_INCHES = 0.2
FAMILY_GAP = 1.1  # lines
AREAS = {"thumbnail": 4, "below a megapixel": 9, "screen": 16, "4K": 26}  # of dots
LEAST = 0.05  # of the ratios shown
MOST = 1.2  # of the limits


def ratios(lines, path):
    figure, axes = strips(lines, "ratio", clip=(LEAST, 1 / LEAST))
    axes.set_xscale("log")
    axes.set_xlim(LEAST / 1.1, 1.1 / LEAST)
    ticks = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
    axes.set_xticks(ticks, [f"{t:g}x" for t in ticks])
    axes.axvline(1, color="black", linewidth=1)
    how = f"left of the line the peer is faster. Larger dots: larger images. Beyond {1 / LEAST:g}x: at the edge"
    finish(figure, axes, "How many times as fast as the fastest peer", how, path)


def limits(lines, path):
    figure, axes = strips(lines, "of limit", clip=(0, MOST))
    ticks = (0, 0.2, 0.4, 0.6, 0.85, 1, 1.2)
    axes.set_xticks(ticks, [f"{t * 100:g} %" for t in ticks])
    axes.set_xlim(-0.02, MOST + 0.02)
    axes.axvline(0.85, color="black", linewidth=1)
    how = "filled: limited by a copy of image and result; hollow: by multiply-adds. Larger dots: larger images"
    finish(figure, axes, "Part of the machine's limit that is reached", how, path)


def strips(lines, key, clip):
    """Dots of `key` beside the name of each operation, in the order of the lines."""
    from matplotlib.figure import Figure

    places, titles, y = {}, [], 0.0
    for family in dict.fromkeys(line["family"] for line in lines):
        names = dict.fromkeys(line["operation"] for line in lines if line["family"] == family)
        titles.append((family, y))
        y += FAMILY_GAP
        for name in names:
            places[family, name] = y
            y += 1
    figure = Figure(figsize=(10, 1.2 + y * LINE_INCHES), dpi=110, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    threads = sorted({line["threads"] for line in lines})
    for i, (n, colour) in enumerate(zip(threads, (BLUE, ORANGE, GREY), strict=False)):
        shift = (i - (len(threads) - 1) / 2) * 0.36
        for limit in ("copy", "multiply-add"):
            some = [line for line in lines if line["threads"] == n and line["limit"] == limit]
            if not some:
                continue
            hollow = key == "of limit" and limit == "multiply-add"
            axes.scatter(
                np.clip([line[key] for line in some], *clip),
                [places[line["family"], line["operation"]] + shift for line in some],
                s=[AREAS[line["size"]] for line in some], alpha=0.5,
                facecolors="none" if hollow else colour, edgecolors=colour if hollow else "none", linewidths=0.8,
            )  # fmt: skip
        axes.scatter([], [], s=20, color=colour, label=f"{n} thread" + "s" * (n > 1))
    axes.set_yticks(list(places.values()), [name for _, name in places])
    for family, at in titles:
        axes.axhline(at - 0.45, color="#cccccc", linewidth=0.8)
        axes.annotate(family, (0, at), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
                      va="center", weight="bold", fontsize=8.5, color="#444444")  # fmt: skip
    axes.set_ylim(y - 0.2, -0.8)
    return figure, axes


def finish(figure, axes, title, how, path):
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_title(title, loc="left", weight="bold")
    axes.set_xlabel(how)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=9)
    figure.savefig(path)
