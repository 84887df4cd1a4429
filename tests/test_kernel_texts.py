"""Kernels as they are typed, or lie in files; and blurs by name."""

import argparse

import numpy as np
import pytest

import imfilt
from imfilt.cli import kernels

SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]


@pytest.mark.parametrize(
    "text",
    [
        "0,-1,0 -1,5,-1 0,-1,0",
        "0,-1,0; -1,5,-1; 0,-1,0",
        " 0,-1,0,\n-1,5,-1,\n0,-1,0\n",
        "3x3: 0,-1,0 -1,5,-1 0,-1,0",
        "3x3: 0,-1,0,-1,5,-1,0,-1,0",
        "0/3,-1,0 -2/2,1e1/2,-1.0 0,-1,.0",
    ],
)
def test_ways_to_type_a_kernel(text):
    np.testing.assert_array_equal(kernels.parse(text), SHARPEN)


def test_rows_and_columns():
    assert kernels.parse("1,2,1").shape == (1, 3)
    assert kernels.parse("1 2 1").shape == (3, 1)
    assert kernels.parse("7").shape == (1, 1)
    assert kernels.parse("2x1: 1,2").shape == (1, 2)
    np.testing.assert_array_equal(kernels.parse_row("1/4,1/2,1/4"), [0.25, 0.5, 0.25])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("k.csv", "0,-1,0\n-1,5,-1\n0,-1,0\n"),
        ("k.csv", "\ufeff0;-1;0\r\n-1;5;-1\r\n0;-1;0"),
        ("k.txt", "# sharpen\n0 -1 0\n-1 5 -1  # the middle\n\n0\t-1\t0"),
        ("k.JSON", "[[0, -1, 0], [-1, 5, -1], [0, -1, 0]]"),
    ],
)
def test_kernels_in_files(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    for word in (str(tmp_path / name), f"@{tmp_path / name}"):
        np.testing.assert_array_equal(kernels.parse(word), SHARPEN)


def test_arrays_of_any_shape_in_npy_and_json(tmp_path):
    weight = np.arange(24.0).reshape(2, 3, 2, 2)
    np.save(tmp_path / "w.npy", weight.astype(np.float32))
    np.testing.assert_array_equal(kernels.parse(str(tmp_path / "w.npy")), weight)
    (tmp_path / "w.json").write_text(str(weight.tolist()))
    np.testing.assert_array_equal(kernels.parse(str(tmp_path / "w.json")), weight)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2 3", "its rows have 1 and 2 taps"),
        ("1,x", "'x' is not a number"),
        ("1/0", "'1/0' is not a number"),
        ("nan,1", "not finite"),
        ("", "no taps"),
        ("2x2: 1,2,3", "2 x 2 taps are not 3"),
        ("ax2: 1,2", "COLUMNSxROWS"),
        ("there/is/none.csv", "no such file"),
        ("@none", "no such file"),
    ],
)
def test_what_is_no_kernel_says_so(text, words):
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        kernels.parse(text)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("k.json", b"{}", "no table of numbers|no taps"),
        ("k.json", b"[[1, 2]", "it is no kernel"),
        ("k.csv", b"a,b", "'a' is not a number"),
        ("k.csv", b"1,2\n3", "1 and 2 taps"),
        ("k.csv", b"", "no taps"),
        ("k.csv", b"\xff\xfe1", "it is no kernel"),
        ("k.npy", b"no array", "it is no kernel"),
        ("k.npy", b"", "it is no kernel"),
    ],
)
def test_files_without_a_kernel_say_so(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        kernels.parse(str(tmp_path / name))


def test_blurs_by_name():
    for text, function, values in [
        ("gaussian:1.5", imfilt.gaussian, (1.5,)),
        ("gaussian:0.3", imfilt.gaussian, (0.3,)),
        ("disk:3", imfilt.disk_blur, (3.0,)),
        ("motion:9,30", imfilt.motion_blur, (9.0, 30.0)),
        ("box:4", imfilt.box, (4,)),
    ]:
        psf = kernels.parse_psf(text)
        assert psf.shape[0] == psf.shape[1]
        assert psf.shape[0] % 2
        assert psf.sum() == pytest.approx(1)
        point = np.zeros((61, 61))
        point[30, 30] = 1
        half = len(psf) // 2
        whole = function(point, *values, mode="constant")
        np.testing.assert_allclose(psf, whole[30 - half : 31 + half, 30 - half : 31 + half], atol=1e-15)
        assert whole.sum() == pytest.approx(psf.sum())
    np.testing.assert_array_equal(kernels.parse_psf("1,2,1"), [[1, 2, 1]])


@pytest.mark.parametrize("text", ["gaussian:", "gaussian:x", "gaussian:-1", "box:0", "motion:1,2,3", "disk:nan"])
def test_blurs_that_are_none(text):
    with pytest.raises(argparse.ArgumentTypeError):
        kernels.parse_psf(text)
