"""The command, in processes of its own: files, options, exit statuses, and what is on stderr."""

import inspect
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imfilt
from imfilt import cli
from imfilt.cli import catalogue, filtering, signatures

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(imfilt.__file__).parent.parent),
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "",
    "COLUMNS": "80",
}
RNG = np.random.default_rng(4)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (20, 30), dtype=np.uint16)
COLOUR = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (20, 30), dtype=np.uint8)


def command(folder, *arguments, python=("-m", "imfilt"), **options):
    """The finished process of `imfilt arguments...` in a folder."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60, **options}
    line = [sys.executable, *python, *map(os.fspath, arguments)]
    return subprocess.run(line, cwd=folder, env=ENVIRONMENT, text=True, **options)


def assert_done(result, count=1):
    """Nothing to say; a summary if there were several files."""
    assert (result.returncode, result.stdout) == (0, ""), result
    summary = "" if count == 1 else f"imfilt: {count} written, in "
    assert result.stderr.startswith(summary)
    assert result.stderr.count("\n") == (count > 1), result.stderr


def assert_refused(result, *lines, status=1):
    """Exit status, nothing on stdout; on stderr so many lines, with these words in each."""
    assert (result.returncode, result.stdout) == (status, ""), result
    assert result.stderr.endswith("\n")
    said = result.stderr.removesuffix("\n").split("\n")
    assert len(said) == len(lines), result.stderr
    for line, words in zip(said, lines, strict=True):
        assert line.startswith("imfilt: ")
        assert line.isprintable()
        assert not [word for word in words if word not in line], line


def save(path, pixels, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)


def load(path):
    with Image.open(path) as image:
        return np.asarray(image)


def info(path):
    with Image.open(path) as image:
        image.load()
        return image.info


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def luminance(colour):
    return np.asarray(Image.fromarray(colour).convert("L"))


def sobel(pixels):
    return imfilt.sobel(pixels, dtype=pixels.dtype)


def absolute(function, pixels, **options):
    """The absolute value of a signed result as pixels, from numbers in double precision."""
    numbers = function(pixels.astype(np.float64), **options)
    assert (numbers < 0).any()
    return np.rint(np.minimum(np.abs(numbers), np.iinfo(pixels.dtype).max)).astype(pixels.dtype)


def assert_same(path, expected):
    pixels = load(path)
    assert pixels.dtype == expected.dtype
    np.testing.assert_array_equal(pixels, expected)


# --- help, version, and what a call imports ---


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], [], ["no-such-command"]])
def test_nothing_heavy_is_imported_before_there_is_work(tmp_path, arguments):
    result = command(tmp_path, *arguments, python=("-X", "importtime", "-m", "imfilt"))
    imported = {
        line.rpartition("|")[2].strip() for line in result.stderr.splitlines() if line.startswith("import time")
    }
    assert "imfilt.cli.catalogue" in imported
    assert not {name for name in imported if name.partition(".")[0] in ("numpy", "PIL", "concurrent")}
    assert not {name for name in imported if name.startswith(("imfilt._core", "imfilt.images.read", "imfilt.filters"))}


def test_version(tmp_path):
    result = command(tmp_path, "--version")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"imfilt {imfilt.__version__}\n", "")


def test_every_function_that_filters_a_picture_is_a_command(capsys):
    """So that a new filter appears by itself, or somebody decides that it does not."""
    takes_and_gives = set()
    for name in imfilt.__all__:
        function = getattr(imfilt, name)
        if inspect.isfunction(function) and next(iter(inspect.signature(function).parameters), "") == "image":
            takes_and_gives.add(catalogue.typed(name))
    functions = {name for names in catalogue.families().values() for name in names}
    assert functions == takes_and_gives - {"pixel-shuffle", "pixel-unshuffle"}
    assert set(catalogue.names()) == functions | set(catalogue.OTHERS)
    assert cli.main(["--help"]) == 0
    words = capsys.readouterr().out.split()
    assert all(name in words for name in catalogue.names())


@pytest.mark.parametrize("name", [name for names in catalogue.families().values() for name in names])
def test_options_are_the_parameters_of_the_function(name, capsys):
    parameters = set(inspect.signature(filtering.function_of(name)).parameters) - signatures.NOT_OPTIONS
    with pytest.raises(SystemExit) as left:
        cli.main([name, "--help"])
    assert left.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(f"--{parameter.replace('_', '-')}" in text for parameter in parameters)
    assert all(f"{option}" in text for option in ("--output PATH", "--force", "--range RULE", f".{name} before"))
    options = {option.name: option for option in filtering.options_of(name)}
    assert set(options) == parameters
    assert not {option.name for option in options.values() if len(option.help) < 12}  # every one says what it is
    assert not {option.name for option in options.values() if option.convert is signatures.literal}


def test_help_into_a_closed_pipe_is_no_traceback(tmp_path):
    read, write = os.pipe()
    os.close(read)
    try:
        result = command(tmp_path, "--help", stdout=write)
    finally:
        os.close(write)
    assert (result.returncode, result.stderr) == (1, "")


# --- wrong usage ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give a command"),
        (["sobel"], "FILE"),
        (["blur", "a.png"], "no command 'blur'"),
        (["sobl", "a.png"], "did you mean sobel?"),
        (["a.png"], "imfilt sobel a.png"),
        (["gaussian", "--sigma", "-1", "a.png"], "sigma must not be negative"),
        (["gaussian", "--sigma", "nan", "a.png"], "sigma must be finite"),
        (["gaussian", "--sigma", "inf", "a.png"], "sigma must be finite"),
        (["gaussian", "--sigma", "1,2,3", "a.png"], "more than two"),
        (["gaussian", "--sigma", "1,", "a.png"], "'' is not a number"),
        (["gaussian", "--sigma", "two", "a.png"], "'two'"),
        (["gaussian", "--truncate", "-3", "a.png"], "negative"),
        (["gaussian", "--max-error", "-0.1", "a.png"], "negative"),
        (["gaussian", "--order", "1.5", "a.png"], "'1.5' is not a whole number"),
        (["gaussian", "--order", "99", "a.png"], "order must be at most 20"),
        (["gaussian", "--axis", "0", "a.png"], "--axis"),
        (["sobel", "--mode", "foo", "a.png"], "'foo'"),
        (["sobel", "--axis", "2", "a.png"], "axis"),
        (["sobel", "--cval", "x", "a.png"], "--cval"),
        (["sobel", "--sigma", "2", "a.png"], "--sigma"),
        (["sobel", "--forc", "a.png"], "--forc"),
        (["sobel", "--no\nsuch\x1b[1m", "a.png"], "--no\\nsuch"),
        (["sobel", "-o"], "-o"),
        (["sobel", "a.png", "b.png", "-o", "c.png"], "c.png is not a folder"),
        (["gaussian", "--sigma", "1e9", "a.png", "b.png"], "sigma"),
        (["gaussian", "--sigma", "0", "--order", "1", "a.png", "b.png"], "order"),
        (["sobel", "--mode", "zeros", "--cval", "1", "a.png"], "zeros"),
        (["sobel", "--grey", "--per-channel", "a.png"], "not allowed with"),
        (["sobel", "--direction", "--range", "raw", "a.png"], "--direction"),
        (["sobel", "--direction", "--mask", "b.png", "a.png"], "--mask"),
        (["gaussian", "--linear", "--range", "abs", "a.png"], "--linear"),
        (["sobel", "--in-place", "-o", "b.png", "a.png"], "--in-place"),
        (["sobel", "-q", "-v", "a.png"], "opposites"),
        (["sobel", "-o", "{foo}.png", "a.png"], "{stem}"),
        (["sobel", "-", "-"], "once"),
        (["sobel", "-o", "-", "a.png", "b.png"], "stdout takes one"),
        (["sobel", "--format", "docx", "a.png"], "docx"),
        (["sobel", "--quality", "101", "a.png"], "from 1 to 100"),
        (["sobel", "--compression", "10", "a.png"], "from 0 to 9"),
        (["sobel", "--jobs", "0", "a.png"], "1 or more"),
        (["sobel", "--max-pixels", "many", "a.png"], "'many'"),
        (["sobel", "-r", "a.png", "-o", "new"], "new/ makes one"),
        (["upscale", "a.png"], "--factor"),
        (["upscale", "--factor", "0.5", "a.png"], "factor"),
        (["upscale", "--factor", "2", "--method", "best", "a.png"], "'best'"),
        (["gabor", "--frequency", "0.2", "--part", "phase", "a.png"], "'phase'"),
        (["conv", "a.png"], "--kernel"),
        (["conv", "--kernel", "1,2 3", "a.png"], "1 and 2 taps"),
        (["conv", "--kernel", "1,-1", "--scale", "sum", "a.png"], "do not sum to 0"),
        (["conv", "--kernel", "1", "--scale", "0", "a.png"], "must not be 0"),
        (["conv", "--kernel", "no.csv", "a.png"], "no.csv: no such file"),
        (["pipe", "a.png"], "then the steps"),
        (["pipe", "a.png", "sobel |"], "a step is empty"),
        (["pipe", "a.png", "sobl"], "did you mean sobel?"),
        (["pipe", "a.png", "gaussian sigma=-1 | sobel"], "sigma must not be negative"),
        (["pipe", "a.png", "gaussian sgma=1"], "--sgma"),
        (["pipe", "a.png", "gaussian 2"], "options are written as sigma=2"),
        (["conv", "--kernel", "1", "--bias", "nan", "a.png"], "--bias must be finite"),
        (["conv", "--kernel", "1", "--dilation", "0", "a.png"], "dilation"),
        (["wiener", "--balance", "1", "--psf", "blob:3", "a.png"], "there are gaussian, disk, motion, box"),
        (["wiener", "--balance", "1", "--psf", "gaussian:500", "a.png"], "less than 256 pixels"),
        (["sobel", "-o", "", "a.png"], "-o is empty"),
        (["gaussian", "--contrast", "2", "a.png"], "--contrast is for edges"),
        (["sobel", "--contrast", "0", "a.png"], "above 0"),
        (["pipe", "a.png", "sobel direction | gaussian"], "only the last step"),
        (["pipe", "a.png", "conv kernel='1,2"], "quot"),
        (["kernel", "x"], "not a kernel"),
        (["kernel", "1", "--size", "big"], "1920x1080"),
        (["completion", "csh"], "csh"),
        (["help", "sobl"], "no command 'sobl'; did you mean sobel?"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_status_2(tmp_path, arguments, words):
    for name in ("a.png", "b.png"):
        save(tmp_path / name, GREY)
    assert_refused(command(tmp_path, *arguments), (words, "--help)"), status=2)
    assert names(tmp_path) == ["a.png", "b.png"]


# --- every filter, and their options ---


EDGES = [name for name in catalogue.families()["edges"] if name not in ("gradient", "canny", "compass")]


@pytest.mark.parametrize("name", [*EDGES, "gaussian", "box", "sharpen"])
def test_every_filter_gives_what_its_function_gives(tmp_path, name):
    save(tmp_path / "a.png", GREY)
    assert_done(command(tmp_path, name, "a.png"))
    function = getattr(imfilt, name.replace("-", "_"))
    signed = name.endswith(("-h", "-v", "-diag"))
    expected = absolute(function, GREY) if signed else function(GREY, dtype=np.uint8)
    assert names(tmp_path) == sorted(["a.png", f"a.{name}.png"])
    assert_same(tmp_path / f"a.{name}.png", expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("sobel", lambda: sobel(luminance(COLOUR))),
        ("sobel --per-channel", lambda: sobel(COLOUR)),
        ("farid --axis 1 --per-channel", lambda: absolute(imfilt.farid, COLOUR, axis=1)),
        (
            "sobel --axis 0 --mode constant --cval 0.4",
            lambda: absolute(imfilt.sobel, luminance(COLOUR), axis=0, mode="constant", cval=0.4 * 255),
        ),
        (
            "scharr --mode constant --cval 1",
            lambda: imfilt.scharr(luminance(COLOUR), mode="constant", cval=1, dtype=np.uint8),
        ),
        ("prewitt --mode circular", lambda: imfilt.prewitt(luminance(COLOUR), mode="wrap", dtype=np.uint8)),
        ("roberts --per-channel", lambda: imfilt.roberts(COLOUR, dtype=np.uint8)),
        ("gaussian", lambda: imfilt.gaussian(COLOUR, dtype=np.uint8)),
        ("gaussian --sigma 0,3", lambda: imfilt.gaussian(COLOUR, (0, 3), dtype=np.uint8)),
        ("gaussian --sigma 2 --truncate 1.5", lambda: imfilt.gaussian(COLOUR, 2, truncate=1.5, dtype=np.uint8)),
        ("gaussian --order 1,2 --per-channel", lambda: absolute(imfilt.gaussian, COLOUR, order=(1, 2))),
        ("gaussian --order 1,2", lambda: absolute(imfilt.gaussian, luminance(COLOUR), order=(1, 2))),
    ],
)
def test_options_are_those_of_the_functions(tmp_path, arguments, expected):
    save(tmp_path / "a.png", COLOUR)
    assert_done(command(tmp_path, *arguments.split(), "a.png", "-o", "b.png"))
    assert_same(tmp_path / "b.png", expected())


def test_max_error_makes_a_large_sigma_fast_or_exact(tmp_path, photo):
    photo = photo[:200, :300]
    save(tmp_path / "a.png", photo)
    fast = imfilt.gaussian(photo, 20, max_error=0.02, mode="mirror", dtype=np.uint8)
    exact = imfilt.gaussian(photo, 20, max_error=0, mode="mirror", dtype=np.uint8)
    assert (fast != exact).any()
    for bound, expected in [("0.02", fast), ("0", exact)]:
        arguments = ("gaussian", "--sigma", "20", "--mode", "mirror", "--max-error", bound, "-fo", "b.png")
        assert_done(command(tmp_path, *arguments, "a.png"))
        assert_same(tmp_path / "b.png", expected)


def test_mask(tmp_path):
    save(tmp_path / "a.png", GREY)
    save(tmp_path / "mask.png", Image.fromarray(ALPHA > 60))
    save(tmp_path / "colour.png", np.dstack([np.where(ALPHA > 60, 9, 0).astype(np.uint8)] * 3))
    for mask in ("mask.png", "colour.png"):
        assert_done(command(tmp_path, "sobel", "a.png", "--mask", mask, "-fo", "b.png"))
        assert_same(tmp_path / "b.png", imfilt.sobel(GREY, mask=ALPHA > 60, dtype=np.uint8))


def test_a_mask_that_cannot_be_used_is_named(tmp_path):
    save(tmp_path / "a.png", GREY)
    save(tmp_path / "small.png", GREY[1:])
    (tmp_path / "text.png").write_text("no picture")
    for mask, words in [
        ("none.png", "none.png: no such"),
        ("text.png", "text.png: is not"),
        ("small.png", "a.png: mask"),
    ]:
        assert_refused(command(tmp_path, "sobel", "a.png", "--mask", mask), [words])
    assert names(tmp_path) == ["a.png", "small.png", "text.png"]


# --- kinds of pictures ---


def test_a_folder_of_all_kinds_in_one_call(tmp_path):
    """Every result is of the kind of its picture, with its alpha; one call does them all."""
    (tmp_path / "out").mkdir()
    expected = {}

    def add(name, pixels, result, alpha=None, **options):
        save(tmp_path / name, pixels, **options)
        stem, _, suffix = name.rpartition(".")
        expected[f"{stem}.sobel.{suffix}"] = result, alpha

    grey_alpha, rgba = Image.fromarray(np.dstack([GREY, ALPHA])), Image.fromarray(np.dstack([COLOUR, ALPHA]))
    indexed = Image.fromarray(COLOUR).quantize(16)
    numbers = (GREY / np.float32(70) - 1).astype(np.float32)
    thin = RNG.integers(0, 256, (1, 50), dtype=np.uint8)
    colours = luminance(np.asarray(indexed.convert("RGB")))
    add("grey.png", GREY, sobel(GREY))
    add("grey.tif", GREY, sobel(GREY))
    add("colour.png", COLOUR, sobel(luminance(COLOUR)))
    add("colour.TIFF", COLOUR, sobel(luminance(COLOUR)))
    add("colour.webp", COLOUR, sobel(luminance(COLOUR)), lossless=True)
    for suffix in ("png", "tif"):
        add(f"grey-alpha.{suffix}", grey_alpha, sobel(GREY), ALPHA)
    for suffix in ("png", "tif", "webp"):
        options = {"lossless": True, "exact": True} if suffix == "webp" else {}
        add(f"colour-alpha.{suffix}", rgba, sobel(luminance(COLOUR)), ALPHA, **options)
    add("palette.png", indexed, sobel(colours))
    add(
        "palette-alpha.png", indexed, sobel(colours),
        np.where(np.asarray(indexed) == 5, 0, 255).astype(np.uint8), transparency=5,
    )  # fmt: skip
    add("bilevel.png", Image.fromarray(GREY > 127), sobel(np.where(GREY > 127, 255, 0).astype(np.uint8)))
    add("deep.png", DEEP, imfilt.sobel(DEEP, dtype=np.uint16))
    add("deep.tif", DEEP, imfilt.sobel(DEEP, dtype=np.uint16))
    add("float.tif", numbers, imfilt.sobel(numbers))
    add("dot.png", np.array([[7]], np.uint8), np.array([[0]], np.uint8))
    add("thin.png", thin, sobel(thin))
    add("tall.tif", thin.T, sobel(np.ascontiguousarray(thin.T)))
    add("two  spaces\nand lines.png", GREY, sobel(GREY))
    add("-dash.png", GREY, sobel(GREY))
    pictures = names(tmp_path)
    pictures.remove("out")

    assert_done(command(tmp_path, "sobel", "-qo", "out", "--alpha", "keep", "--", *pictures))
    assert names(tmp_path / "out") == sorted(expected)
    for name, (result, alpha) in expected.items():
        with Image.open(tmp_path / "out" / name) as image:
            assert image.has_transparency_data == (alpha is not None), name
            if alpha is not None:
                assert image.getchannel("A").tobytes() == alpha.tobytes(), name
                image = image.convert("RGBA").convert("RGB").convert("L")
            elif image.format == "WEBP":
                image = image.convert("L")
            pixels = np.asarray(image)
        assert pixels.dtype == result.dtype, name
        np.testing.assert_array_equal(pixels, result, name)


def test_floating_point_keeps_the_sign(tmp_path):
    numbers = (GREY / np.float32(70) - 1).astype(np.float32)
    save(tmp_path / "a.tif", numbers)
    assert_done(command(tmp_path, "sobel-v", "a.tif"))
    expected = imfilt.sobel_v(numbers)
    assert expected.min() < 0
    assert_same(tmp_path / "a.sobel-v.tif", expected)


def test_sixteen_bits_of_a_derivative(tmp_path):
    save(tmp_path / "a.png", DEEP)
    assert_done(command(tmp_path, "sobel_h", "a.png"))
    assert_same(tmp_path / "a.sobel-h.png", absolute(imfilt.sobel_h, DEEP))


def test_gaussian_keeps_colour_alpha_profile_and_resolution(tmp_path):
    profile = bytes(16) + b"RGB " + bytes(108)
    save(tmp_path / "a.png", np.dstack([COLOUR, ALPHA]), icc_profile=profile, dpi=(300, 300))
    assert_done(command(tmp_path, "gaussian", "a.png"))
    result = tmp_path / "a.gaussian.png"
    assert_same(result, imfilt.gaussian(np.dstack([COLOUR, ALPHA]), alpha=True, dtype=np.uint8))
    assert info(result)["icc_profile"] == profile
    assert info(result)["dpi"] == info(tmp_path / "a.png")["dpi"]


def test_jpeg_in_jpeg_out(tmp_path, photo):
    save(tmp_path / "a.jpg", photo[:64, :80], quality=95, subsampling=0)
    save(tmp_path / "cmyk.jpg", Image.fromarray(photo[:64, :80]).convert("CMYK"), quality=95)
    with Image.open(tmp_path / "cmyk.jpg") as image:
        ink = np.asarray(image)
    assert_done(command(tmp_path, "gaussian", "a.jpg", "cmyk.jpg"), 2)
    with Image.open(tmp_path / "cmyk.gaussian.jpg") as image:
        assert image.mode == "CMYK"
    for name, pixels in [("a", load(tmp_path / "a.jpg")), ("cmyk", ink)]:
        result = load(tmp_path / f"{name}.gaussian.jpg").astype(int)
        assert abs(result - imfilt.gaussian(pixels, dtype=np.uint8)).max() <= 6  # quality 95, colour unhalved


def test_a_photograph_turned_by_exif_comes_out_upright(tmp_path, photo):
    exif = Image.Exif()
    exif[0x112] = 6
    save(tmp_path / "a.jpg", photo[:64, :80], exif=exif, quality=95)
    upright = np.rot90(load(tmp_path / "a.jpg"), -1)  # Pillow's pixels are as stored
    assert_done(command(tmp_path, "gaussian", "a.jpg", "-o", "b.png"))
    assert_same(tmp_path / "b.png", imfilt.gaussian(upright, dtype=np.uint8))
    assert_done(command(tmp_path, "gaussian", "a.jpg"))
    with Image.open(tmp_path / "a.gaussian.jpg") as image:
        assert image.size == (64, 80)
        assert image.getexif().get(0x112, 1) == 1


def test_a_mislabelled_picture_is_read_and_its_name_chooses_the_output(tmp_path):
    save(tmp_path / "a.jpg", GREY, format="PNG")
    assert_done(command(tmp_path, "sobel", "a.jpg"))
    with Image.open(tmp_path / "a.sobel.jpg") as image:
        assert image.format == "JPEG"
    assert_done(command(tmp_path, "sobel", "a.jpg", "-o", "b.png"))
    assert_same(tmp_path / "b.png", sobel(GREY))


# --- what fails ---


def deep_colour_png():
    """16 bits for each of three channels, which Pillow does not write."""
    rows = RNG.integers(0, 256, (4, 5 * 6), dtype=np.uint8)
    header = struct.pack(">IIBBBBB", 5, 4, 16, 2, 0, 0, 0)
    chunks = [
        (b"IHDR", header),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def test_every_file_that_fails_is_one_line_and_the_others_are_done(tmp_path):
    save(tmp_path / "first.png", GREY)
    save(tmp_path / "last.png", COLOUR)
    save(tmp_path / "cut.tif", GREY, compression="tiff_adobe_deflate")
    damaged = bytearray((tmp_path / "cut.tif").read_bytes())
    damaged[100:200] = bytes(100)  # libtiff prints to stderr
    (tmp_path / "cut.tif").write_bytes(damaged)
    save(tmp_path / "whole.png", COLOUR)
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:600])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture\n")
    (tmp_path / "notes.txt").write_text("no picture\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "deep.png").write_bytes(deep_colour_png())
    save(tmp_path / "animated.gif", COLOUR, save_all=True, append_images=[Image.fromarray(COLOUR[::-1])])
    save(tmp_path / "a.bmp", GREY)
    save(tmp_path / "plain", GREY, format="PNG")
    save(tmp_path / ("y" * 250 + ".png"), GREY)
    save(tmp_path / "old.png", GREY)
    (tmp_path / "old.sobel.png").write_bytes(b"old")
    before = names(tmp_path)
    at_once = {  # no picture need be read to know
        "missing.png": "no such file",
        "missing": "no such file",
        "a\nb\x1b[2Jc\u2028.png": "no such file",
        "bytes\udcff.png": "",
        "x" * 300: "name too long",
        "folder": "folder",
        "folder/": "folder",
        ".": "folder",
        "": "no such file",
        "notes.txt": "would end in .txt; choose one with -o",
        "plain": "would end in .sobel; choose one with -o",
        "old.png": "old.sobel.png exists; --force",
    }
    later = {
        "y" * 250 + ".png": ".sobel.png: file name too long",
        "cut.tif": "cannot be read",
        "cut.png": "truncated",
        "empty.png": "is empty",
        "text.png": "is not a picture in PNG, JPEG",
    }
    for jobs in ("1", "3"):
        result = command(tmp_path, "sobel", "-fqj", jobs, "first.png", *at_once, *later, "last.png")
        fails = {**at_once, **later}
        del fails["old.png"]  # --force
        assert result.returncode == 1
        escaped = (f"imfilt: {name.encode('unicode_escape').decode()}: " for name in fails)
        assert_refused(result, *zip(escaped, fails.values(), strict=True))
        assert names(tmp_path) == sorted([*before, "first.sobel.png", "last.sobel.png"])
        assert_same(tmp_path / "last.sobel.png", sobel(luminance(COLOUR)))
    (tmp_path / "old.sobel.png").write_bytes(b"old")
    assert_refused(command(tmp_path, "sobel", "old.png"), ["old.png: ", "old.sobel.png exists; --force"])
    assert (tmp_path / "old.sobel.png").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("pixels", "output", "words"),
    [
        (np.dstack([GREY, ALPHA]), "b.jpg", "transparency"),
        (np.dstack([COLOUR, ALPHA]), "b.jpeg", "transparency"),
        (DEEP, "b.jpg", "16 bits"),
        (DEEP, "b.webp", "16 bits"),
        (GREY, "b.doc", "would end in .doc"),
        (GREY, "b", "have no suffix"),
        (GREY, "none/b.png", "there is no folder none"),
        (GREY, "a.png/b.png", "there is no folder a.png"),
        (GREY, "x" * 300 + ".png", "name too long"),
    ],
)
def test_an_output_that_cannot_be_is_refused(tmp_path, pixels, output, words):
    save(tmp_path / "a.png", pixels)
    assert_refused(command(tmp_path, "sobel", "a.png", "-o", output), ["a.png: ", words])
    assert names(tmp_path) == ["a.png"]


def test_what_a_format_would_lose_is_refused_before_the_work(tmp_path, monkeypatch, capsys):
    save(tmp_path / "a.png", DEEP)

    def sobel_of_a_probe(image, dtype=None, preserve_range=False):
        """Not of the picture."""
        assert np.size(image) < DEEP.size
        return image

    monkeypatch.setattr(imfilt, "sobel", sobel_of_a_probe)
    assert cli.main(["sobel", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.jpg")]) == 1
    assert "16 bits" in capsys.readouterr().err


# --- where results go ---


def test_output_is_a_file_or_a_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    save(tmp_path / "in" / "a.png", GREY)
    save(tmp_path / "in" / "b.tif", GREY)
    assert_done(command(tmp_path, "sobel", "in/a.png"))
    assert_done(command(tmp_path, "sobel", "in/a.png", "in/b.tif", "-o", "out"), 2)
    assert_done(command(tmp_path, "sobel", "in/a.png", "--output", "out/c.tif"))
    assert_done(command(tmp_path, "sobel", "in/a.png", "-o", "./in/../out/d.webp"))
    assert names(tmp_path / "in") == ["a.png", "a.sobel.png", "b.tif"]
    assert names(tmp_path / "out") == ["a.sobel.png", "b.sobel.tif", "c.tif", "d.webp"]
    assert_same(tmp_path / "out" / "c.tif", sobel(GREY))


def test_force_writes_over_a_file_and_its_absence_does_not(tmp_path):
    save(tmp_path / "a.png", GREY)
    (tmp_path / "b.png").write_bytes(b"old")
    assert_refused(command(tmp_path, "sobel", "a.png", "-o", "b.png"), ["b.png exists", "--force"])
    assert (tmp_path / "b.png").read_bytes() == b"old"
    assert_done(command(tmp_path, "sobel", "a.png", "-o", "b.png", "--force"))
    assert_same(tmp_path / "b.png", sobel(GREY))


@pytest.mark.parametrize(
    ("source", "output"),
    [("a.png", "./a.png"), ("a.png", "symlink.png"), ("symlink.png", "a.png"), ("a.png", "hardlink.png")],
)
def test_the_input_is_never_written_over(tmp_path, source, output):
    save(tmp_path / "a.png", GREY)
    (tmp_path / "symlink.png").symlink_to("a.png")
    (tmp_path / "hardlink.png").hardlink_to(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    result = command(tmp_path, "sobel", source, "-o", output, "--force")
    assert_refused(result, ["the output is the input"])
    assert names(tmp_path) == ["a.png", "hardlink.png", "symlink.png"]
    assert all((tmp_path / name).read_bytes() == before for name in names(tmp_path))
    assert (tmp_path / "symlink.png").is_symlink()


def test_two_results_of_one_name_are_not_one_file(tmp_path):
    for folder in ("one", "two", "out"):
        (tmp_path / folder).mkdir()
    save(tmp_path / "one" / "a.png", GREY)
    save(tmp_path / "two" / "a.png", COLOUR)
    result = command(tmp_path, "sobel", "-q", "one/a.png", "two/a.png", "-o", "out", "--force")
    assert_refused(result, ["two/a.png: out/a.sobel.png is written for one/a.png already"])
    assert_same(tmp_path / "out" / "a.sobel.png", sobel(GREY))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    save(folder / "a.png", GREY)
    folder.chmod(0o500)
    try:
        assert_refused(command(tmp_path, "sobel", "locked/a.png"), ["a.png: cannot write", "permission denied"])
    finally:
        folder.chmod(0o700)
    assert names(folder) == ["a.png"]


# --- a full disk, Ctrl-C ---

FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that write() fails, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from imfilt.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_a_full_disk_leaves_things_as_they_were(tmp_path, suffix):
    for name in ("a", "b"):
        save(tmp_path / f"{name}{suffix}", RNG.integers(0, 256, (300, 300), dtype=np.uint8))
    (tmp_path / f"b.sobel{suffix}").write_bytes(b"old")
    before = names(tmp_path)
    result = command(tmp_path, "sobel", "-q", f"a{suffix}", f"b{suffix}", "--force", python=("-c", FULL_DISK))
    assert_refused(result, *([f"{name}{suffix}: cannot write", "file too large"] for name in ("a", "b")))
    assert names(tmp_path) == before
    assert (tmp_path / f"b.sobel{suffix}").read_bytes() == b"old"


LISTENING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell would ignore it
from imfilt.cli import main
sys.exit(main())
"""


def interrupted(folder, *arguments, when):
    """The finished process of a command that gets Ctrl-C as soon as `when()` holds."""
    line = [sys.executable, "-c", LISTENING, *arguments]
    with subprocess.Popen(
        line, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline and not when():
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    return subprocess.CompletedProcess(line, process.returncode, stdout, stderr)


def test_ctrl_c_during_a_large_picture(tmp_path):
    # The first result tells that the second picture, which takes a second or more, is under way.
    save(tmp_path / "first.png", GREY)
    save(tmp_path / "large.png", Image.new("RGB", (2000, 2000), "teal"))
    (tmp_path / "large.gaussian.png").write_bytes(b"old")
    first = tmp_path / "first.gaussian.png"
    arguments = ("gaussian", "--sigma", "30", "--max-error", "0", "-qfj1", "first.png", "large.png")
    result = interrupted(tmp_path, *arguments, when=first.exists)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")
    assert names(tmp_path) == ["first.gaussian.png", "first.png", "large.gaussian.png", "large.png"]
    assert (tmp_path / "large.gaussian.png").read_bytes() == b"old"


def test_ctrl_c_while_writing(tmp_path):
    # Noise takes WebP a second or more; the file that grows tells that it has begun.
    save(tmp_path / "noise.png", RNG.integers(0, 256, (900, 900, 3), dtype=np.uint8), compress_level=0)
    result = interrupted(
        tmp_path, "gaussian", "--sigma", "0", "noise.png", "-o", "b.webp", when=lambda: list(tmp_path.glob(".imfilt*"))
    )
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")
    assert names(tmp_path) == ["noise.png"]
