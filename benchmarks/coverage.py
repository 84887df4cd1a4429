"""Which rows measure which name of imfilt, and why some names have none."""

from benchmarks import algebra, borders, filters, resampling, restoration

GROUPS = {
    "filters": filters.rows,
    "borders": borders.rows,
    "algebra": algebra.rows,
    "resampling": resampling.rows,
    "restoration": restoration.rows,
}
# Names that take no image.
WITHOUT = {
    "gabor_kernel": "returns taps",
    "upsample_kernel": "returns taps",
    "upsample_gain": "sums of taps",
    "explain_plan": "tells what would run",
    "separate": "factors of taps",
    "analyze_kernel": "tells what taps are",
    "num_threads": "a setting",
    "show_config": "tells what is installed",
}


def rows(*groups):
    for group in groups or GROUPS:
        yield from GROUPS[group]()


def names():
    """{name of imfilt: names of its rows}."""
    found = {}
    for row in rows():
        found.setdefault(row.operation, []).append(row.name)
    return found
