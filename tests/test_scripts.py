"""The scripts that compare, in processes of their own: files, tables, exit statuses, and what is on stderr."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imfilt

pytest.importorskip("matplotlib")
pytest.importorskip("skimage")

SCRIPTS = Path(__file__).parent.parent / "scripts"
PACKAGES = str(Path(imfilt.__file__).parent.parent)
GRADIENTS = ["roberts", "prewitt", "sobel", "scharr", "farid", "kirsch", "gaussian"]


def run(script, folder, *arguments, without=()):
    """The finished process of a script in a folder, where some packages are not installed."""
    hidden = folder / "-".join(["without", *without])
    for package in without:
        (hidden / package).mkdir(parents=True, exist_ok=True)
        (hidden / package / "__init__.py").write_text("raise ImportError")
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join([str(hidden)] * bool(without) + [PACKAGES]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8", "COLUMNS": "80", "MPLCONFIGDIR": str(folder),
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-W", "error", SCRIPTS / script, *map(os.fspath, arguments)],
        cwd=folder, env=environment, text=True, encoding="utf-8", capture_output=True, timeout=120,
    )  # fmt: skip


def tables(text):
    """The Markdown tables of a text, each as a list of dictionaries."""
    found, lines = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            lines.append([cell.strip() for cell in line.strip("|").split("|")])
        elif lines:
            head, ruler, *body = lines
            assert all(set(cell) <= set(":-") for cell in ruler)
            found.append([dict(zip(head, row, strict=True)) for row in body])
            lines = []
    return found


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def assert_picture(path):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
    assert pixels.shape[1] >= 1000
    assert pixels.std() > 20


def column(rows, key):
    return {row.get("detector") or (row["library"], row["method"]): float(row[key]) for row in rows if row[key]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photo):
    """Small pictures of all kinds."""
    made = tmp_path_factory.mktemp("scripts")
    small = photo[150:214, 300:381]
    Image.fromarray(small).save(made / "colour.png")
    Image.fromarray(small[..., 1].astype(np.uint16) * 200).save(made / "deep.png")
    alpha = np.full((*small.shape[:2], 1), 128, np.uint8)
    Image.fromarray(np.concatenate([small, alpha], axis=2)).save(made / "clear_$.png")
    Image.fromarray(small[:20, :20]).save(made / "small.png")
    (made / "text.png").write_text("no picture")
    return made


@pytest.fixture(scope="module")
def edges(folder):
    """compare_edges.py, run once on three pictures, without OpenCV."""
    return run(
        "compare_edges.py", folder, "colour.png", "deep.png", "clear_$.png", "-o", "new/edges", "--noise", "0.1",
        "--repeat", "1", without=["cv2"],
    )  # fmt: skip


@pytest.fixture(scope="module")
def upscaling(folder):
    """compare_upscaling.py, run once on two pictures, without OpenCV and PyTorch."""
    return run(
        "compare_upscaling.py", folder, "colour.png", "deep.png", "--factor", "3", "2", "--repeat", "1",
        "--crop", "5,7,30", without=["cv2", "torch"],
    )  # fmt: skip


def test_edges_writes_its_files(edges, folder):
    assert (edges.returncode, edges.stderr) == (0, "")
    assert edges.stdout.startswith("Not installed, and left out: OpenCV.\n")
    assert_picture(folder / "new/edges/edges.jpg")
    known, beside = tables(edges.stdout)
    rows = read_csv(folder / "new/edges/edges.csv")
    names = [row["detector"] for row in rows]
    assert names == [*GRADIENTS, "LoG", "DoG", "canny"]
    assert [row["detector"] for row in known] == names == [row["detector"] for row in beside]
    for printed, key in [(known, "edge / noise"), (beside, "scikit-image ms"), (known, "off by, noise 0.1")]:
        assert column(printed, key) == pytest.approx(column(rows, key), rel=0.06), key


def test_edges_measures_what_is_known(edges, folder):
    rows = read_csv(folder / "new/edges/edges.csv")
    gains = column(rows, "gain")
    assert gains == pytest.approx(dict.fromkeys(GRADIENTS, 1.0) | {"kirsch": 1.6}, abs=1e-3)
    # The square root of the sum of both derivatives' squared taps.
    noise = column(rows, "noise answer")
    assert noise["sobel"] == pytest.approx(np.sqrt(12 / 64 * 2), rel=0.02)
    assert noise["roberts"] == pytest.approx(np.sqrt(2), rel=0.02)
    turned = column(rows, "rotation error, soft %")
    assert turned["scharr"] < turned["sobel"] < turned["prewitt"]
    angles = column(rows, "angle error, soft deg")
    assert angles["farid"] < angles["scharr"] < angles["sobel"] < angles["prewitt"] < 3
    clean, noisy = column(rows, "off by px"), column(rows, "off by, noise 0.1")
    assert all(clean[name] < 0.05 for name in clean if name not in ("kirsch", "canny"))
    assert 0.2 < clean["canny"] < 0.5  # whole pixels
    assert all(clean[name] < noisy[name] for name in clean)
    assert noisy["gaussian"] < noisy["sobel"] < noisy["roberts"]
    differ = column(rows, "differs from scikit-image")
    assert len(differ) == 9
    assert all(value < 1e-6 for name, value in differ.items() if name != "canny")
    assert differ["canny"] < 1e-3


def test_upscaling_writes_its_files(upscaling, folder):
    assert (upscaling.returncode, upscaling.stderr) == (0, "")
    assert upscaling.stdout.startswith("Not installed, and left out: OpenCV, PyTorch.\n")
    assert_picture(folder / "upscaling.jpg")
    rows = read_csv(folder / "upscaling.csv")
    assert {row["photo"] for row in rows} == {"colour.png", "deep.png"}
    for printed, name in zip(tables(upscaling.stdout), ("colour.png", "deep.png"), strict=True):
        of_this = [row for row in rows if row["photo"] == name]
        for key in ("PSNR x2", "PSNR x3"):
            assert column(printed, key) == pytest.approx(column(of_this, key), abs=0.006)


def test_upscaling_measures_what_is_known(upscaling, folder):
    rows = [row for row in read_csv(folder / "upscaling.csv") if row["photo"] == "colour.png"]
    for key in ("PSNR x2", "SSIM x2", "PSNR x3"):
        ours = column(rows, key)
        for peer in ("Pillow", "scikit-image"):
            assert ours[peer, "nearest"] == pytest.approx(ours["imfilt", "nearest"], abs=1e-3)
            assert ours[peer, "bilinear"] == pytest.approx(ours["imfilt", "bilinear"], abs=1e-3)
        assert ours["imfilt", "ones"] < ours["imfilt", "bspline"] < ours["imfilt", "lanczos3"]


@pytest.mark.parametrize("name", ["colour.png", "deep.png"])
def test_upscaling_is_measured_on_the_scale_of_the_picture(upscaling, folder, name):
    with Image.open(folder / name) as image:
        true = np.asarray(image)[:, :80] / (65535 if name == "deep.png" else 255)
    error = np.repeat(np.repeat(true.reshape(32, 2, 40, 2, -1).mean(axis=(1, 3)), 2, 0), 2, 1) - true.reshape(
        64, 80, -1
    )
    [row] = [
        row for row in read_csv(folder / "upscaling.csv")
        if (row["photo"], row["library"], row["method"]) == (name, "imfilt", "nearest")
    ]  # fmt: skip
    assert float(row["PSNR x2"]) == pytest.approx(-10 * np.log10(np.mean(error**2)), abs=1e-3)


def test_peers_take_part_where_they_are_installed(folder):
    pytest.importorskip("cv2")
    pytest.importorskip("torch")
    done = run("compare_upscaling.py", folder, "deep.png", "--factor", "2", "--repeat", "1", "-o", "peers")
    assert (done.returncode, done.stderr) == (0, "")
    found = column(tables(done.stdout)[0], "PSNR x2")
    for peer in ("OpenCV", "PyTorch"):
        for method in ("nearest", "bilinear", "bicubic-0.75"):
            assert found[peer, method] == pytest.approx(found["imfilt", method], abs=0.011)
    done = run("compare_edges.py", folder, "deep.png", "--repeat", "1", "--noise", "0.1", "-o", "peers")
    assert (done.returncode, done.stderr) == (0, "")
    differ = column(tables(done.stdout)[1], "differs from OpenCV")
    assert set(differ) == {*GRADIENTS, "canny"} - {"kirsch"}
    assert max(value for name, value in differ.items() if name != "canny") < 1e-6


@pytest.mark.parametrize("script", ["compare_edges.py", "compare_upscaling.py"])
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["none.png"], 1, "none.png: no such file"),
        (["colour.png", "text.png"], 1, "text.png: is not a picture"),
        (["small.png"], 1, "small.png: is 20 x 20 pixels"),
        (["colour.png", "--crop", "0,60,30"], 1, "colour.png: the crop 0,60,30 is not inside its 64 rows"),
        (["colour.png", "-o", "text.png"], 1, "text.png: file exists"),
        (["--crop", "1,2"], 2, "argument --crop: '1,2' is not"),
        (["--repeat", "0"], 2, "argument --repeat: '0' is not"),
        (["--nonsense"], 2, "unrecognized arguments: --nonsense"),
    ],
)
def test_errors_are_one_line(folder, script, arguments, status, words):
    result = run(script, folder, *arguments)
    assert (result.returncode, result.stdout) == (status, ""), result.stderr
    said = result.stderr.splitlines()
    assert len(said) == (1 if status == 1 else 2)  # the usage before
    assert said[-1].startswith(f"{script}: ")
    assert words in said[-1]


def test_options_of_one_script_are_checked(folder):
    for script, *arguments in [
        ("compare_edges.py", "--noise", "nan"),
        ("compare_edges.py", "--sigma", "0"),
        ("compare_upscaling.py", "--factor", "2", "1"),
    ]:
        assert run(script, folder, *arguments).returncode == 2
    result = run("compare_upscaling.py", folder, "colour.png", "--factor", "40")
    assert (result.returncode, result.stderr) == (
        1, "compare_upscaling.py: colour.png: is too small for factor 40\n",
    )  # fmt: skip


@pytest.mark.parametrize("script", ["compare_edges.py", "compare_upscaling.py"])
def test_help_fits_a_terminal(folder, script):
    result = run(script, folder, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert "PHOTO" in result.stdout
    assert result.stdout.isascii()
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("script", ["compare_edges.py", "compare_upscaling.py"])
def test_a_reader_who_leaves_is_no_traceback(script, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)).save(photo)
    with os.fdopen(writing, "w") as gone:
        done = subprocess.run(
            [sys.executable, SCRIPTS / script, photo], cwd=tmp_path, stdout=gone, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": PACKAGES, "MPLCONFIGDIR": str(tmp_path)}, timeout=120,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
