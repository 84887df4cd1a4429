"""The table of benchmarks covers every operation, its peers agree on small images; its page and plots."""

import json
from pathlib import Path

import numpy as np
import pytest

import imfilt

pytest.importorskip("cv2")
pytest.importorskip("skimage")
pytest.importorskip("threadpoolctl")

from benchmarks import __main__ as command
from benchmarks import cases, coverage, machine, page, scaling, table
from benchmarks.rows import Contender, Row

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def in_the_tree(monkeypatch):
    monkeypatch.chdir(ROOT)  # where the photograph is


# ── the rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_public_name_has_a_row_or_a_reason():
    public = {name for names in imfilt._PLACES.values() for name in names}
    measured, without = set(coverage.names()), set(coverage.WITHOUT)
    assert measured | without == public
    assert not measured & without


def test_names_of_rows_and_images_are_those_of_one_line():
    seen = [(row.name, case) for row in coverage.rows() for case in row.cases]
    assert len(seen) == len(set(seen))


def test_what_the_table_promises_is_in_it():
    found = {case for row in coverage.rows("filters") for case in row.cases}
    assert {case.dtype for case in found} == {"uint8", "uint16", "float32", "float64"}
    assert {case.channels for case in found} == {1, 3, 4}
    assert {case.columns for case in found} >= {64, 641, 1919, 1920, 3840}
    assert {case.fresh for case in found} == {False, True}
    borders = {row.name.rpartition(" ")[2] for row in coverage.rows("borders")}
    assert borders == {"reflect", "mirror", "nearest", "wrap", "constant"}


def thumbnails():
    for row in coverage.rows():
        for case in row.cases:
            if case.rows <= 64:
                yield pytest.param(row, case, id=f"{row.name}-{case.dtype}-{case.channels}")


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("row", "case"), tuple(thumbnails()))
def test_peers_agree_on_thumbnails(row, case):
    table.check(row, case, 1)


def test_new_results_have_the_dtype_of_those_that_are_used_again():
    for row in coverage.rows():
        if row.name == "box 3":
            reused, fresh = (
                table.check(row, cases.Case(*cases.THUMBNAIL, 1, "uint8", fresh=fresh), 1).contenders["imfilt"]
                for fresh in (False, True)
            )
            assert reused() is reused()
            assert fresh() is not fresh()
            assert fresh().dtype == reused().dtype == np.uint8
            return
    raise AssertionError


def test_a_peer_that_differs_is_not_timed():
    def wrong(image, empty):
        return Contender(lambda: imfilt.sobel(image) + np.float32(0.001))

    row = Row(operation="sobel", family="edges", ours=lambda image, out: imfilt.sobel(image, out=out),
              peers={"OpenCV": wrong})  # fmt: skip
    with pytest.raises(table.DifferenceError, match="sobel: OpenCV differs by"):
        table.check(row, cases.Case(*cases.THUMBNAIL), 1)


# ── one small run ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The JSON of a run of two rows on thumbnails."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr("benchmarks.machine.PEAK_RUNS", 1)
        patch.setattr("benchmarks.machine.LARGE_BYTES", 2**16)
        patch.setattr("sys.argv", [
            "benchmarks", "filters", "--rows", "^(sobel|gaussian 2)$", "--sizes", "64", "--budget", "0.0001",
            "--threads", "1", "2", "-o", str(folder / "run.json"),
        ])  # fmt: skip
        command.main()
    return folder / "run.json"


def test_lines_hold_times_and_limits(run):
    found = json.loads(run.read_text())
    assert len(found["lines"]) == 2 * 4 * 2
    for line in found["lines"]:
        seconds = line["seconds"]
        assert line["ratio"] == pytest.approx(min(seconds[name] for name in line["differences"]) / seconds["imfilt"])
        assert line["limit"] in table.LIMITS
        assert 0 < line["of copy"] <= line["of limit"] * (1 + 1e-12)


def test_the_page_counts_what_is_behind(run, tmp_path):
    pytest.importorskip("matplotlib")
    page.write(run, tmp_path)
    lines = json.loads(run.read_text())["lines"]
    text = (tmp_path / "speed.md").read_text()
    behind = len([line for line in lines if line["ratio"] < 0.95])
    assert (f"{behind} of 16 rows have a ratio below 0.95" in text) or (not behind and "No row:" in text)
    whole = (tmp_path / "speed-table.md").read_text()
    assert whole.count("\n| sobel, 64x64") == 4
    for name in ("speed-ratios.png", "speed-limits.png"):
        assert (tmp_path / name).stat().st_size < 300_000


def test_a_call_on_threads_has_the_processors_to_itself(monkeypatch):
    awake = iter([3, 2, 1])
    monkeypatch.setattr(machine, "TASKS", Path())  # any folder that is there
    monkeypatch.setattr(machine, "_awake", lambda: next(awake))
    machine.rest()
    assert next(awake, None) is None
    done = []
    monkeypatch.setattr(machine, "rest", lambda: done.append("rest"))
    machine.alternate({"call": lambda: done.append("call")}, 1e-9, warm=True)
    at = done.index("rest")
    assert done[:at] == ["call"]
    assert done[at : at + 3] == ["rest", "call", "call"]


def test_means():
    lines = [
        {"seconds": {"imfilt": 1.0, "OpenCV a": 2.0, "OpenCV b": 8.0, "SciPy": 32.0},
         "differences": {"OpenCV a": 0, "OpenCV b": 0, "SciPy": 0}},
        {"seconds": {"imfilt": 1.0, "OpenCV b": 8.0}, "differences": {"OpenCV b": 0}},
    ]  # fmt: skip
    assert table.against(lines) == {"OpenCV": (pytest.approx(4), 2), "SciPy": (pytest.approx(32), 1)}


def test_a_cliff_is_found(monkeypatch):
    def clock(calls, budget):
        return {point: (3.0 if point >= 4 else 1.0) * point for point in calls}

    monkeypatch.setattr("benchmarks.machine.alternate", clock)
    series = scaling.Series("pixels", "made up", (1, 2, 4, 8), lambda n: lambda: None, lambda n: n)
    assert scaling.measure(series, 1, 0.1)["cliffs"] == [(2, 4, 3.0)]
