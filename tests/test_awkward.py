"""The command among awkward files, in awkward places: nothing lost, nothing half written, one line each, and an end."""

import contextlib
import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from test_command import ENVIRONMENT, FULL_DISK, assert_refused, command, deep_colour_png, names

import imfilt
from imfilt.cli import catalogue

RNG = np.random.default_rng(8)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
NOISE = RNG.integers(0, 256, (300, 300), dtype=np.uint8)
ROOT = os.geteuid() == 0
NO_FILE = "(not a (regular )?file|fifo|pipe|socket|device)"


def encoded(pixels, name, **options):
    """The bytes of a picture file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    with io.BytesIO() as file:
        image.save(file, name, **options)
        return file.getvalue()


def add(folder, **files):
    """Files by their names, a _ for the dot; the last is the suffix."""
    for name, data in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_bytes(data)


def contents(folder):
    """Every file below, and what is in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = os.readlink(path)
        elif path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def refused(result, *lines, status=1):
    """As assert_refused, with a regular expression for each line, whatever its case."""
    assert_refused(result, *([] for _ in lines), status=status)
    for line, pattern in zip(result.stderr.splitlines(), lines, strict=True):
        assert re.search(pattern, line, re.IGNORECASE), (line, pattern)


def loaded(data):
    """The pixels of a whole picture; raises if half of it is missing."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return np.asarray(image)


def assert_whole(path):
    return loaded(path.read_bytes())


# --- damaged files ---


def cut(data, percent):
    return data[: max(1, len(data) * percent // 100)]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_damaged_files_are_a_line_each_and_the_others_are_done(tmp_path, jobs):
    frames = {"save_all": True, "append_images": [Image.fromarray(COLOUR[::-1])]}
    whole = {
        "png": encoded(COLOUR, "PNG"),
        "jpg": encoded(COLOUR, "JPEG"),
        "tif": encoded(COLOUR, "TIFF"),
        "lzw.tif": encoded(COLOUR, "TIFF", compression="tiff_lzw"),  # its directory is at the end
        "gif": encoded(COLOUR, "GIF"),
        "webp": encoded(COLOUR, "WEBP", lossless=True),
        "bmp": encoded(COLOUR, "BMP"),
        "ppm": encoded(COLOUR, "PPM"),
        "frames.gif": encoded(COLOUR, "GIF", **frames),
        "frames.png": encoded(COLOUR, "PNG", **frames),
        "frames.webp": encoded(COLOUR, "WEBP", **frames),
        "pages.tif": encoded(COLOUR, "TIFF", **frames),
    }
    with io.BytesIO() as file:
        np.save(file, COLOUR)
        whole["npy"] = file.getvalue()
    bad = []
    for kind, data in whole.items():
        for percent in (0, 25, 60, 97):
            bad.append(f"cut-{percent}.{kind}")
            (tmp_path / bad[-1]).write_bytes(cut(data, percent))
    add(tmp_path, empty_png=b"", text_png=b"no picture\n", script_jpg=b"#!/bin/sh\nexit 1\n", zeros_tif=bytes(5000))
    add(tmp_path, first_png=whole["png"], last_png=whole["png"])
    bad += ["empty.png", "text.png", "script.jpg", "zeros.tif"]
    before = contents(tmp_path)
    result = command(tmp_path, "sobel", "-qj", jobs, "first.png", *bad, "last.png")
    refused(result, *(re.escape(f"imfilt: {name}: ") + "(is|cannot|image|has) ?" for name in bad))
    assert not [line for line in result.stderr.splitlines() if "Error" in line or "index" in line]
    after = contents(tmp_path)
    assert set(after) == {*before, "first.sobel.png", "last.sobel.png"}
    assert before.items() <= after.items()
    assert after["first.sobel.png"] == after["last.sobel.png"]


def test_mislabelled_pictures_are_read_as_what_they_are(tmp_path):
    suffixes = {"PNG": "png", "JPEG": "jpg", "TIFF": "tif", "GIF": "gif", "WEBP": "webp", "BMP": "bmp", "PPM": "ppm"}
    flat = np.full((9, 9), 90, np.uint8)
    for inside, kind in suffixes.items():
        for suffix in suffixes.values():
            if suffix != kind:
                (tmp_path / f"{kind}-as.{suffix}").write_bytes(encoded(flat, inside))
    pictures = names(tmp_path)
    result = command(tmp_path, "gaussian", *pictures, "-o", "out/")
    assert (result.returncode, result.stdout) == (0, "")
    assert len(names(tmp_path / "out")) == len(pictures)
    for path in (tmp_path / "out").iterdir():
        with Image.open(path) as image:
            assert suffixes[image.format] == path.suffix[1:], path.name
            assert set(np.asarray(image.convert("L")).flat) == {90}


# --- large headers, small pictures ---


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width, height):
    """A PNG that has, as far as its header tells, so many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


LITTLE_MEMORY = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from imfilt.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, jobs):
    header = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|u1', 'fortran_order': False, 'shape': (70000, 70000), }"
    tall = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (9, 9, 99999999999), }"
    add(
        tmp_path, a_png=bomb(60000, 60000), b_gif=b"GIF89a\xff\xff\xff\xff\0\0\0" + encoded(GREY, "GIF")[13:],
        c_npy=header.ljust(127) + b"\n", d_npy=tall.ljust(127) + b"\n",
        e_ppm=b"P6 90000 90000 255\n" + bytes(9), good_png=encoded(GREY, "PNG"),
    )  # fmt: skip
    bad = ["a.png", "b.gif", "c.npy", "d.npy", "e.ppm"]
    result = command(tmp_path, "sobel", "-qj", jobs, *bad, "good.png", python=("-c", LITTLE_MEMORY))
    patterns = [r"pixels, more than --max-pixels 268435456"] * 5
    patterns[3] = "cannot be read|memory|more than|damaged|values"
    refused(result, *(f"{name}: .*({pattern})" for name, pattern in zip(bad, patterns, strict=True)))
    assert names(tmp_path) == sorted([*bad, "good.png", "good.sobel.png"])


def test_max_pixels(tmp_path):
    add(tmp_path, a_png=encoded(GREY, "PNG"))
    assert_refused(
        command(tmp_path, "sobel", "--max-pixels", "599", "a.png"), ["a.png: has 30 x 20 = 600 pixels", "599"]
    )
    assert_refused(command(tmp_path, "sobel", "--max-pixels", "0.1k", "a.png"), ["more than --max-pixels 100"])
    assert names(tmp_path) == ["a.png"]
    for number in ("600", "0", "1M"):
        assert command(tmp_path, "sobel", "-f", "--max-pixels", number, "a.png").returncode == 0
    add(tmp_path, mask_png=bomb(60000, 60000))
    assert_refused(command(tmp_path, "sobel", "-f", "--mask", "mask.png", "a.png"), ["mask.png", "--max-pixels"])


NEEDS = {
    "gaussian-laplace": "--sigma 2",
    "difference-of-gaussians": "--low-sigma 1",
    "gabor": "--frequency 0.2",
    "uniform": "--size 3",
    "box": "--size 3",
    "motion-blur": "--length 5 --angle 30",
    "disk-blur": "--radius 2",
    "upscale": "--factor 3",
    "downscale": "--factor 2",
    "wiener": "--psf disk:2 --balance 0.1",
    "richardson-lucy": "--psf gaussian:1 --num-iter 3",
    "correlate": "--kernel 1,0,-1",
    "convolve": "--kernel 1,0,-1",
    "conv": "--kernel 1,0,-1",
    "separable": "--column 1,2,1 --row 1,0,-1",
    "conv2d": "--weight weight.npy --padding same",
    "depthwise-conv2d": "--weight depthwise.npy --padding same",
    "depthwise-separable-conv2d": "--depthwise depthwise.npy --pointwise pointwise.npy --padding same",
    "pointwise-conv2d": "--weight pointwise.npy",
    "conv-transpose2d": "--weight weight.npy --stride 2",
    "compass": "",
}
SIZES = {"upscale": 3, "downscale": 0.5, "conv-transpose2d": 2}


def test_the_smallest_pictures_through_every_command(tmp_path):
    """One pixel, one column, one row: every command has a picture for each, of the size that it should be."""
    np.save(tmp_path / "weight.npy", np.ones((1, 1, 3, 3)) / 9)
    np.save(tmp_path / "depthwise.npy", np.ones((1, 3, 3)) / 9)
    np.save(tmp_path / "pointwise.npy", np.ones((1, 1)))
    pictures = {"dot": GREY[:1, :1], "column": GREY[:, :1], "row": GREY[:1]}
    for name, pixels in pictures.items():
        (tmp_path / f"{name}.png").write_bytes(encoded(pixels, "PNG"))
    functions = [name for family in catalogue.families().values() for name in family] + ["conv"]
    code = "import sys\nfrom imfilt.cli import main\nstatus = 0\n"
    for name in functions:
        line = [name, "-qj1", *NEEDS.get(name, "").split(), *(f"{one}.png" for one in pictures), "-o", "out/"]
        code += f"try: status = main({line!r})\nexcept SystemExit as end: status = end.code\n"
        code += f"if status: print({name!r}, status)\n"
    result = command(tmp_path, python=("-c", code))
    assert (result.stdout, result.stderr) == ("", "")
    for name in functions:
        for one, pixels in pictures.items():
            found = assert_whole(tmp_path / "out" / f"{one}.{name}.png")
            times = SIZES.get(name, 1)
            assert found.dtype == np.uint8
            if name != "conv-transpose2d":
                assert found.shape == tuple(int(np.ceil(n * times)) for n in pixels.shape), (name, one)


# --- kinds of pictures ---


def hidden(folder, *modules):
    """A folder for PYTHONPATH in which these modules cannot be imported."""
    folder.mkdir()
    for module in modules:
        (folder / f"{module}.py").write_text(f"raise ModuleNotFoundError('no {module}', name={module!r})\n")
    return {**ENVIRONMENT, "PYTHONPATH": f"{folder}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"}


def run(folder, *arguments, env=ENVIRONMENT, **options):
    """As `command`, with bytes for stdin and stdout."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60, **options}
    return subprocess.run([sys.executable, "-m", "imfilt", *arguments], cwd=folder, env=env, **options)


def test_colour_of_sixteen_bits_with_its_libraries_and_without(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    deep = RNG.integers(0, 65536, (6, 7, 3), dtype=np.uint16)
    add(folder, a_png=deep_colour_png())
    tifffile.imwrite(folder / "b.tif", deep, photometric="rgb")
    (folder / "c.png").write_bytes(encoded(GREY, "PNG"))
    before = names(folder)
    result = run(folder, "gaussian", "-q", *before, env=hidden(tmp_path / "hidden", "imagecodecs", "tifffile"))
    said = result.stderr.decode().splitlines()
    assert (result.returncode, len(said)) == (1, 2)
    for line, words in zip(said, [("a.png", "imagecodecs"), ("b.tif", "tifffile")], strict=True):
        assert all(word in line for word in (*words, "16 bits", "pip install imagecodecs tifffile")), line
    assert names(folder) == sorted([*before, "c.gaussian.png"])
    assert command(folder, "gaussian", "-q", "a.png", "b.tif").returncode == 0
    np.testing.assert_array_equal(tifffile.imread(folder / "b.gaussian.tif"), imfilt.gaussian(deep, dtype=np.uint16))
    assert (folder / "a.gaussian.png").read_bytes()[24:26] == b"\x10\x02"


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_keeps_its_frames_and_their_times(tmp_path, kind):
    suffix, times = kind.lower(), [100, 250, 400]
    colours = [Image.new("RGB", (30, 20), name) for name in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(colours[0], kind, save_all=True, append_images=colours[1:], duration=times, loop=3, **options)
    (tmp_path / f"a.{suffix}").write_bytes(data)
    assert command(tmp_path, "gaussian", f"a.{suffix}").returncode == 0
    with Image.open(tmp_path / f"a.gaussian.{suffix}") as image:
        assert (image.n_frames, image.info["loop"]) == (3, 3)
        for number, (colour, time_) in enumerate(zip(colours, times, strict=True)):
            image.seek(number)
            image.load()
            assert image.info["duration"] == time_
            assert image.convert("RGB").tobytes() == colour.tobytes()
    assert command(tmp_path, "gaussian", "--frame", "1", f"a.{suffix}", "-o", "b.png").returncode == 0
    assert assert_whole(tmp_path / "b.png").tobytes() == colours[1].tobytes()
    refused(command(tmp_path, "gaussian", f"a.{suffix}", "--frame", "3", "-o", "c.png"), "3 frames.*no frame 3")
    refused(command(tmp_path, "gaussian", f"a.{suffix}", "-o", "c.jpg"), "cannot hold 3 frames")
    assert not list(tmp_path.glob("c.*"))


def test_pages_of_a_tiff(tmp_path):
    pages = [COLOUR, GREY[:9, :9], np.dstack([COLOUR, ALPHA])]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in pages:
            kind = "minisblack" if page.ndim == 2 else "rgb"
            writer.write(
                page, photometric=kind, extrasamples=["unassalpha"] if page.shape[-1] == 4 else None, metadata=None
            )
    assert command(tmp_path, "gaussian", "--alpha", "keep", "a.tif").returncode == 0
    with tifffile.TiffFile(tmp_path / "a.gaussian.tif") as tiff:
        found = [page.asarray() for page in tiff.pages]
    np.testing.assert_array_equal(found[0], imfilt.gaussian(COLOUR, dtype=np.uint8))
    np.testing.assert_array_equal(found[1], imfilt.gaussian(GREY[:9, :9], dtype=np.uint8))
    np.testing.assert_array_equal(found[2][..., :3], imfilt.gaussian(COLOUR, dtype=np.uint8))
    np.testing.assert_array_equal(found[2][..., 3], ALPHA)


def test_palettes_inks_and_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x112] = 8
    indexed = Image.fromarray(np.repeat(np.repeat(COLOUR[:4, :6], 5, 0), 5, 1)).quantize(8)
    add(
        tmp_path,
        palette_png=encoded(indexed, "PNG", transparency=2), palette_gif=encoded(indexed, "GIF", transparency=2),
        inks_jpg=encoded(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"),
        turned_jpg=encoded(COLOUR, "JPEG", exif=exif), turned_png=encoded(COLOUR, "PNG", exif=exif),
    )  # fmt: skip
    pictures = names(tmp_path)
    result = command(tmp_path, "gaussian", "-q", *pictures, "-o", "out/")
    assert (result.returncode, result.stderr) == (0, "")
    with Image.open(tmp_path / "out" / "palette.gaussian.png") as image:
        assert image.mode == "RGBA"
    with Image.open(tmp_path / "out" / "palette.gaussian.gif") as image:
        assert image.has_transparency_data
    with Image.open(tmp_path / "out" / "inks.gaussian.jpg") as image:
        assert image.mode == "CMYK"
    for suffix in ("jpg", "png"):
        with Image.open(tmp_path / "out" / f"turned.gaussian.{suffix}") as image:
            assert (image.size, image.getexif().get(0x112, 1)) == ((20, 30), 1)
    for steps in ("sobel", "gaussian | sobel"):  # edges are grey, whenever they are made
        assert command(tmp_path, "pipe", "inks.jpg", steps, "-fo", "edges.jpg").returncode == 0
        with Image.open(tmp_path / "edges.jpg") as image:
            assert image.mode == "L", steps
    refused(command(tmp_path, "sobel", "palette.png", "-o", "b.jpg"), "transparency.*--alpha drop")
    assert command(tmp_path, "sobel", "--alpha", "drop", "palette.png", "-o", "b.jpg").returncode == 0


def test_directions_of_pictures_with_alpha(tmp_path):
    add(tmp_path, a_png=encoded(np.dstack([COLOUR, ALPHA]), "PNG"), b_png=encoded(np.dstack([GREY, ALPHA]), "PNG"))
    assert command(tmp_path, "sobel", "--direction", "-q", "a.png", "b.png").returncode == 0
    for name in ("a", "b"):
        assert assert_whole(tmp_path / f"{name}.sobel.png").shape[:2] == GREY.shape


def test_arrays_that_are_no_pictures(tmp_path):
    """Each is refused for what it is, or written whole; none keeps the others from it."""
    kinds = {
        "complex": GREY + 1j, "number": np.array(3.0), "none": np.zeros((0, 4)), "channelless": np.zeros((4, 5, 0)),
        "volume": np.zeros((2, 3, 4, 5)), "names": np.array([["a", "b"]]), "five": np.zeros((9, 9, 5), np.uint8),
        "four": np.zeros((9, 9, 4), np.uint8), "two": np.zeros((9, 9, 2), np.uint8),
    }  # fmt: skip
    for name, array in kinds.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.save(tmp_path / "objects.npy", np.array([[None]]), allow_pickle=True)
    good = {
        "one": GREY[..., None],
        "swapped": GREY.astype(">u2"),
        "fortran": np.asfortranarray(COLOUR),
        "yes": GREY > 99,
    }
    for name, array in good.items():
        np.save(tmp_path / f"{name}.npy", array)
    bad = [f"{name}.npy" for name in (*kinds, "objects")]
    result = command(
        tmp_path,
        "gaussian",
        "-q",
        "--depth",
        "8",
        "--format",
        "png",
        *bad,
        *(f"{name}.npy" for name in good),
        "-o",
        "out/",
    )
    assert result.returncode == 1
    said = result.stderr.splitlines()
    assert sorted(line.split(": ")[1] for line in said) == sorted(bad), result.stderr
    assert names(tmp_path / "out") == sorted(f"{name}.gaussian.png" for name in good)
    result = command(tmp_path, "sobel", "-q", "one.npy", "-o", "b.jpg", "--depth", "8")
    assert (result.returncode, result.stderr) == (0, "")


# --- files that are none, and names ---


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_is_no_file_is_not_waited_for(tmp_path, jobs):
    data = encoded(GREY, "PNG")
    add(tmp_path, a_png=data, z_png=data)
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "dangling.png").symlink_to("nowhere.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "folder.png").mkdir()
    before = names(tmp_path)
    bad = {
        "fifo.png": NO_FILE,
        "dangling.png": "no such file",
        "loop.png": "symbolic links",
        "folder.png": "is a folder",
    }
    result = command(tmp_path, "sobel", "-qj", jobs, "a.png", *bad, "z.png", timeout=20)
    assert (result.returncode, result.stdout) == (1, "")
    said = {line.split(": ")[1]: line for line in result.stderr.splitlines()}
    assert set(said) == set(bad)
    for name, pattern in bad.items():
        assert re.search(pattern, said[name], re.IGNORECASE), said[name]
    assert names(tmp_path) == sorted([*before, "a.sobel.png", "z.sobel.png"])


def test_a_fifo_in_a_folder_as_a_mask_or_for_info(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    add(folder, a_png=encoded(GREY, "PNG"))
    os.mkfifo(folder / "fifo.png")
    result = command(tmp_path, "sobel", "-qfr", "in", timeout=20)
    assert result.returncode in (0, 1)
    assert names(folder) == ["a.png", "a.sobel.png", "fifo.png"]
    refused(command(folder, "sobel", "-f", "--mask", "fifo.png", "a.png", timeout=20), f"fifo.png.*{NO_FILE}")
    refused(command(folder, "info", "fifo.png", timeout=20), f"fifo.png.*{NO_FILE}")


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    add(tmp_path, a_png=encoded(GREY, "PNG"), b_png=encoded(GREY, "PNG"))
    (tmp_path / "a.png").chmod(0)
    refused(command(tmp_path, "sobel", "-q", "a.png", "b.png"), "a.png: permission denied")
    assert names(tmp_path) == ["a.png", "b.png", "b.sobel.png"]


AWKWARD_NAMES = [
    b"two  spaces.png", b"new\nline.png", b"quo'te \"double\".png", b"-dash.png", b"--force.png", b"bytes\xff\xfe.png",
    b"{stem}.png", b"%s%d.png", b"*.png", b"[a].png", b"tab\there\x1b[2J.png", "\u202eright to left.png".encode(),
    b".hidden.png", b"$(touch gone).png", b"a.b.c.PNG", b"n" * 240 + b".png",
]  # fmt: skip


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_awkward_names(tmp_path, jobs):
    data, folder = encoded(GREY, "PNG"), os.fsencode(tmp_path)
    for name in AWKWARD_NAMES:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    expected = {name[:-4] + b".sobel" + name[-4:] for name in AWKWARD_NAMES}
    result = command(tmp_path, "sobel", "--json", "-j", jobs, "--", *AWKWARD_NAMES)
    assert result.returncode == 0, result.stderr
    assert set(os.listdir(folder)) == expected | set(AWKWARD_NAMES)
    facts = [json.loads(line) for line in result.stdout.splitlines()]
    written = {os.path.basename(os.fsencode(one["output"])) for one in facts}
    assert written == expected
    again = command(tmp_path, "sobel", "-q", "-j", jobs, "--", *AWKWARD_NAMES)
    assert_refused(again, *(["exists; --force"] for _ in AWKWARD_NAMES))
    dry = command(tmp_path, "sobel", "-nf", "--", *AWKWARD_NAMES)
    assert (dry.returncode, dry.stdout.count("\n")) == (0, len(AWKWARD_NAMES))
    assert dry.stdout.replace("\n", "").isprintable()


def test_names_that_are_too_long(tmp_path):
    data = encoded(GREY, "PNG")
    long = "n" * 251 + ".png"  # there is no room for a word more
    add(tmp_path, a_png=data)
    (tmp_path / long).write_bytes(data)
    before = contents(tmp_path)
    refused(command(tmp_path, "sobel", long), "name too long")
    refused(command(tmp_path, "sobel", "x" * 5000 + ".png"), "name too long")
    refused(command(tmp_path, "sobel", "a.png", "-o", "y" * 300 + "/"), "name too long")
    refused(command(tmp_path, "sobel", "a.png", "-o", "{stem}" * 300 + ".png"), "name too long")
    assert contents(tmp_path) == before


# --- disks that are full, or may not be written ---


@pytest.mark.parametrize(
    ("suffix", "jobs"),
    [("png", "1"), ("png", "2"), ("jpg", "2"), ("tif", "1"), ("webp", "2"), ("npy", "1"), ("gif", "2")],
)
def test_in_place_on_a_full_disk(tmp_path, suffix, jobs):
    for name in ("a", "b"):
        if suffix == "npy":
            np.save(tmp_path / f"{name}.npy", NOISE)
        else:
            Image.fromarray(NOISE).save(tmp_path / f"{name}.{suffix}")
    before = contents(tmp_path)
    result = command(
        tmp_path, "sobel", "--in-place", "-qj", jobs, f"a.{suffix}", f"b.{suffix}", python=("-c", FULL_DISK)
    )
    refused(result, *(f"{name}.{suffix}: cannot write .*file too large" for name in "ab"))
    assert contents(tmp_path) == before


@contextlib.contextmanager
def mounted(folder, *options):
    """A mount of this folder, where that is allowed; else skips the test."""
    folder.mkdir(exist_ok=True)
    if not ROOT or subprocess.run(["mount", *options, folder], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_disk_of_64_kilobytes(tmp_path, jobs):
    large, small = encoded(NOISE[:200, :200], "PNG"), encoded(GREY, "PNG")
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64k", "none") as disk:
        add(disk, a_png=large, z_png=small)
        before = contents(disk)
        result = command(disk, "gaussian", "-qj", jobs, "--sigma", "0", "a.png", "z.png")
        refused(result, "a.png: cannot write .*no space left")
        after = contents(disk)
        assert set(after) == {*before, "z.gaussian.png"}
        assert before.items() <= after.items()
        assert_whole(disk / "z.gaussian.png")
        (disk / "z.gaussian.png").unlink()
        refused(command(disk, "gaussian", "--in-place", "-qj", jobs, "--sigma", "0", "a.png"), "no space left")
        assert contents(disk) == before
        for unbuffered in ("", "1"):  # half a picture on stdout is a failure, too
            env = {**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered}
            with open(disk / "out.png", "wb") as out:
                result = run(disk, "gaussian", "--sigma", "0", "a.png", "-o", "-", env=env, stdout=out)
            assert result.returncode == 1, unbuffered
            assert re.fullmatch(rb"imfilt: .*no space left on device\n", result.stderr)
            (disk / "out.png").unlink()


def test_a_disk_that_may_not_be_written(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    add(folder, a_png=encoded(GREY, "PNG"))
    before = contents(folder)
    locked = tmp_path / "locked"
    with mounted(locked, "--bind", "-o", "ro", str(folder)):
        refused(command(tmp_path, "sobel", "locked/a.png"), "a.png: cannot write .*read-only")
        refused(command(tmp_path, "sobel", "--in-place", "locked/a.png"), "a.png: cannot write .*read-only")
        refused(command(tmp_path, "sobel", "locked/a.png", "-o", "locked/new/"), "read-only")
        refused(command(tmp_path, "sobel", "locked/a.png", "-o", "locked/{stem}/b.png"), "read-only")
        result = command(tmp_path, "sobel", "-q", "locked/a.png", "-o", "b.png")
        assert (result.returncode, result.stderr) == (0, "")
    assert contents(folder) == before


# --- pictures that must not be lost ---


@pytest.mark.parametrize(
    "arguments",
    [
        ["sobel", "a.png", "--mask", "used.png", "-o", "used.png"],
        ["gaussian", "a.png", "--weights", "used.png", "-o", "used.png"],
        ["sobel", "a.png", "--mask", "used.png", "-o", "./none/../used.png"],
        ["conv", "a.npy", "--kernel", "kernel.npy", "-o", "kernel.npy"],
        ["conv", "a.npy", "--kernel", "@kernel.npy", "-o", "kernel.npy"],
        ["pipe", "a.png", "sobel mask=used.png", "-o", "used.png"],
        ["pipe", "a.npy", "gaussian | conv kernel=kernel.npy", "-o", "kernel.npy"],
    ],
    ids=" ".join,
)
def test_what_an_option_reads_is_not_written_over(tmp_path, arguments):
    (tmp_path / "none").mkdir()
    np.save(tmp_path / "a.npy", GREY)
    np.save(tmp_path / "kernel.npy", np.ones((3, 3)) / 9)
    add(tmp_path, a_png=encoded(GREY, "PNG"), used_png=encoded(ALPHA, "PNG"))
    before = contents(tmp_path)
    result = command(tmp_path, *arguments, "--force")
    assert result.returncode in (1, 2), result
    refused(result, "(kernel.npy|used.png)", status=result.returncode)
    assert contents(tmp_path) == before


def test_one_frame_does_not_take_the_place_of_all(tmp_path):
    frames = {"save_all": True, "append_images": [Image.fromarray(GREY[::-1])]}
    add(
        tmp_path,
        a_gif=encoded(GREY, "GIF", **frames),
        b_tif=encoded(GREY, "TIFF", **frames),
        c_png=encoded(GREY, "PNG"),
    )
    before = contents(tmp_path)
    result = command(tmp_path, "gaussian", "-q", "--in-place", "--frame", "0", "a.gif", "b.tif", "c.png")
    assert result.returncode in (1, 2)
    assert re.search("frame|several pictures", result.stderr)
    after = contents(tmp_path)
    assert (after["a.gif"], after["b.tif"]) == (before["a.gif"], before["b.tif"])


def test_in_place_keeps_links_and_modes(tmp_path):
    add(tmp_path, a_png=encoded(COLOUR, "PNG"))
    (tmp_path / "a.png").chmod(0o640)
    (tmp_path / "link.png").symlink_to("a.png")
    assert command(tmp_path, "gaussian", "--in-place", "link.png").returncode == 0
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640
    np.testing.assert_array_equal(assert_whole(tmp_path / "a.png"), imfilt.gaussian(COLOUR, dtype=np.uint8))
    result = command(tmp_path, "gaussian", "--in-place", "-q", "a.png", "link.png")
    assert_refused(result, ["link.png", "already"])
    assert names(tmp_path) == ["a.png", "link.png"]


def test_a_dry_run_tells_what_a_run_does(tmp_path):
    add(tmp_path, a_png=encoded(GREY, "PNG"), b_png=encoded(GREY, "PNG"))
    (tmp_path / "a.sobel.png").write_bytes(b"old")
    before = contents(tmp_path)
    result = command(tmp_path, "sobel", "-n", "a.png", "b.png")
    assert (result.returncode, result.stdout) == (1, "b.png -> b.sobel.png\n")
    result = command(tmp_path, "sobel", "-nf", "a.png", "b.png", "-o", "new/{n}{suffix}")
    assert (result.returncode, result.stdout) == (0, "a.png -> new/1.png\nb.png -> new/2.png\n")
    assert contents(tmp_path) == before
    assert names(tmp_path) == ["a.png", "a.sobel.png", "b.png"]


def test_thresholds_count_white_as_1_for_every_kind_of_picture(tmp_path):
    deep = GREY.astype(np.uint16) * 257
    add(tmp_path, a_png=encoded(GREY, "PNG"), b_png=encoded(deep, "PNG"))
    expected = imfilt.canny(GREY / 255.0, low_threshold=0.15, high_threshold=0.4)
    assert not np.array_equal(expected, imfilt.canny(GREY / 255.0))
    options = ["--low-threshold", "0.15", "--high-threshold", "0.4"]
    assert command(tmp_path, "canny", "-q", *options, "a.png", "b.png").returncode == 0
    steps = "gaussian sigma=0 | canny low-threshold=0.15 high-threshold=0.4"
    assert command(tmp_path, "pipe", "a.png", steps, "-o", "c.canny.png").returncode == 0
    for name in "abc":
        np.testing.assert_array_equal(assert_whole(tmp_path / f"{name}.canny.png") > 0, expected, name)


# --- signals ---


def heard():
    """Signals that a process in the background, or under nohup, would be started without."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


@pytest.mark.parametrize(
    ("name", "status", "jobs", "in_place"),
    [
        ("SIGINT", 130, "1", False),
        ("SIGINT", 130, "2", False),
        ("SIGINT", 130, "2", True),
        ("SIGTERM", 143, "1", True),
        ("SIGTERM", 143, "2", False),
        ("SIGTERM", 143, "2", True),
        ("SIGHUP", 129, "2", False),
    ],
)
def test_a_signal_leaves_nothing_half_written(tmp_path, name, status, jobs, in_place):
    data = encoded(RNG.integers(0, 256, (700, 700, 3), dtype=np.uint8), "PNG", compress_level=0)
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(data)
    before = contents(tmp_path)
    pictures = sorted(before)
    where = ["--in-place"] if in_place else ["-o", "{stem}.webp"]
    line = [
        sys.executable,
        "-m",
        "imfilt",
        "gaussian",
        "--sigma",
        "9",
        "--compression",
        "9",
        "-j",
        jobs,
        *pictures,
        *where,
    ]
    with subprocess.Popen(
        line, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=heard,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline and not list(tmp_path.glob(".imfilt*")):
            time.sleep(0.002)
        process.send_signal(getattr(signal, name))
        if name == "SIGINT":  # an impatient user
            time.sleep(0.01)
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (status, b"", b"")
    after = contents(tmp_path)
    assert not [name for name in after if "imfilt" in name or "part" in name]
    assert set(before) <= set(after)
    for path, data in after.items():
        if before.get(path) != data:
            loaded(data)
    if not in_place:
        assert before.items() <= after.items()


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.15])
def test_ctrl_c_at_any_moment_is_quiet(tmp_path, delay):
    add(tmp_path, a_png=encoded(GREY, "PNG"))
    line = [sys.executable, "-c", "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "print(end='x', flush=True)\nfrom imfilt.cli import entry; entry()", "sobel", "a.png"]  # fmt: skip
    with subprocess.Popen(
        line, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.read(1)
        time.sleep(delay + 0.02)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    if b"from imfilt.cli import entry" not in stderr and b"in <module>" not in stderr:  # before it is this command's
        assert process.returncode in (0, 130)
        assert (stdout, stderr) == (b"", b"")
    assert names(tmp_path) in (["a.png"], ["a.png", "a.sobel.png"])


# --- streams ---


def shell(folder, line, **options):
    """A line of the shell in which `imfilt` is this command, with bytes."""
    options = {"env": ENVIRONMENT, **options}
    text = f'imfilt() {{ "{sys.executable}" -m imfilt "$@"; }}\n{line}'
    return subprocess.run(["bash", "-c", text], cwd=folder, capture_output=True, timeout=60, check=False, **options)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves(tmp_path, unbuffered):
    add(tmp_path, a_png=encoded(NOISE.repeat(2, 0), "PNG"))
    env = {**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered}
    for line in ("sobel a.png -o -", "list", "list --json", "help sobel", "sobel --help"):
        result = shell(tmp_path, f"imfilt {line} | head -c 10 >/dev/null; exit ${{PIPESTATUS[0]}}", env=env)
        assert result.stderr == b""
        assert result.returncode == 1 if "-o -" in line else result.returncode in (0, 1)
    assert names(tmp_path) == ["a.png"]


QUIET_CALLS = [
    "--help",
    "--version",
    "list",
    "list --json",
    "help sobel",
    "sobel --help",
    "kernel 1,2,1",
    "info a.png",
    "sobel -n a.png",
]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_stdout_is_one_line(tmp_path, unbuffered):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    add(tmp_path, a_png=encoded(GREY, "PNG"))
    env = {**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered}
    told = [] if unbuffered else [*QUIET_CALLS, "completion bash"]
    for line in [*told, "list", "sobel a.png -o -", "sobel a.png -fo b.png --json"]:
        result = shell(tmp_path, f"imfilt {line} >/dev/full", env=env)
        assert (result.returncode, result.stdout) == (1, b""), line
        assert re.fullmatch(rb"imfilt: .*no space left on device\n", result.stderr), (line, result.stderr)
    result = shell(tmp_path, "imfilt sobel none.png 2>/dev/full", env=env)
    assert (result.returncode, result.stdout, result.stderr) == (1, b"", b"")


def test_closed_streams(tmp_path):
    data = encoded(GREY, "PNG")
    add(tmp_path, a_png=data)
    assert_refused(text(shell(tmp_path, "imfilt sobel - -o b.png <&-")), ["stdin"])
    assert_refused(text(shell(tmp_path, "imfilt sobel - -o b.png </dev/null")), ["-: is empty"])
    assert_refused(text(shell(tmp_path, "imfilt sobel a.png -o - >&-")), ["stdout"])
    assert names(tmp_path) == ["a.png"]
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        result = shell(tmp_path, f"imfilt sobel -f a.png -o b.png {closed}")
        assert (result.returncode, result.stdout, result.stderr) == (0, b"", b""), closed
        assert assert_whole(tmp_path / "b.png").shape == GREY.shape
        (tmp_path / "b.png").unlink()
    for line in QUIET_CALLS:
        result = shell(tmp_path, f"imfilt {line} >&-")
        assert result.returncode in (0, 1)
        assert result.stderr.count(b"\n") <= 1, (line, result.stderr)
    for line in ("sobel none.png", "sobl a.png", "sobel --sigma a.png", "sobel none.png -o -"):
        result = shell(tmp_path, f"imfilt {line} 2>&-")
        assert (result.stdout, result.stderr) == (b"", b""), line
        assert result.returncode == (1 if "none" in line else 2), line
    loaded(shell(tmp_path, "imfilt sobel -v a.png -o - 2>&-").stdout)
    damaged = bytearray(encoded(GREY, "TIFF", compression="tiff_adobe_deflate"))
    damaged[40:120] = bytes(80)
    add(tmp_path, cut_tif=bytes(damaged))  # libtiff writes to whatever is file 2
    result = shell(tmp_path, "imfilt sobel cut.tif a.png -o out/ <&- >&- 2>&-")
    assert result.returncode == 1
    assert names(tmp_path / "out") == ["a.sobel.png"]
    assert_whole(tmp_path / "out" / "a.sobel.png")
    assert (tmp_path / "cut.tif").read_bytes() == bytes(damaged)


def text(result):
    """With text instead of bytes."""
    return subprocess.CompletedProcess(result.args, result.returncode, result.stdout.decode(), result.stderr.decode())


def test_pipes(tmp_path):
    data = encoded(GREY, "PNG")
    result = run(tmp_path, "sobel", "-", input=data)
    assert (result.returncode, result.stderr) == (0, b"")
    np.testing.assert_array_equal(loaded(result.stdout), imfilt.sobel(GREY, dtype=np.uint8))
    result = run(tmp_path, "sobel", "-", "--json", input=data)
    assert json.loads(result.stderr)["path"] == "-"
    assert loaded(result.stdout).shape == GREY.shape
    result = run(tmp_path, "sobel", "-", input=data[:50])
    assert (result.returncode, result.stdout, result.stderr.count(b"\n")) == (1, b"", 1)
    result = shell(tmp_path, "cat | imfilt gaussian - | imfilt sobel - --format png", input=data)
    assert (result.returncode, result.stderr) == (0, b"")
    loaded(result.stdout)


# --- reports ---


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_json_has_a_line_for_every_file(tmp_path, jobs):
    good = [f"{number}.png" for number in range(5)]
    for name in good:
        (tmp_path / name).write_bytes(encoded(GREY, "PNG"))
    add(tmp_path, text_png=b"no picture", skip_png=encoded(GREY, "PNG"))
    (tmp_path / "skip.sobel.png").write_bytes(b"old")
    pictures = [*good[:3], "text.png", "none.png", "skip.png", *good[3:]]
    result = command(tmp_path, "sobel", "--json", "--skip-existing", "-j", jobs, *pictures)
    assert result.returncode == 1
    facts = {one["path"]: one for one in map(json.loads, result.stdout.splitlines())}
    assert len(result.stdout.splitlines()) == len(facts) == len(pictures)
    assert all(facts[name]["output"] == f"{name[0]}.sobel.png" and facts[name]["shape"] == [20, 30] for name in good)
    assert all("error" in facts[name] for name in ("text.png", "none.png"))
    assert "skipped" in facts["skip.png"]
    said = result.stderr.splitlines()
    assert len(said) == 3
    assert re.fullmatch(r"imfilt: 5 written, 2 failed, 1 skipped, in \d+\.\d s", said[-1])
    assert (tmp_path / "skip.sobel.png").read_bytes() == b"old"


def test_exit_statuses(tmp_path):
    add(tmp_path, a_png=encoded(GREY, "PNG"), notes_txt=b"nothing")
    (tmp_path / "empty").mkdir()
    refused(command(tmp_path, "sobel", "-r", "empty"), "no pictures", status=3)
    assert command(tmp_path, "sobel", "a.png").returncode == 0
    assert command(tmp_path, "sobel", "--skip-existing", "a.png").returncode in (0, 3)
    refused(command(tmp_path, "sobel", "a.png"), "exists; --force")
    refused(command(tmp_path, "sobel", "--nonsense", "a.png"), "--nonsense", status=2)


def test_what_an_earlier_call_made_is_not_taken_up_again(tmp_path):
    folder = tmp_path / "holiday"
    (folder / "sub").mkdir(parents=True)
    for path in (folder / "a.png", folder / "sub" / "b.png"):
        path.write_bytes(encoded(COLOUR, "PNG"))
    for where in (
        [],
        ["-o", "holiday/out/"],
        ["-o", "{parent}/soft/{stem}-{n:03}.webp"],
        ["-o", "{parent}/{stem}_soft.png"],
    ):
        assert command(tmp_path, "gaussian", "-qr", "holiday", *where).returncode == 0
        before = contents(tmp_path)
        again = command(tmp_path, "gaussian", "-qfr", "holiday", *where)
        assert (again.returncode, again.stderr) == (0, "")
        assert contents(tmp_path) == before, where
        for name in before:
            if name not in ("holiday/a.png", "holiday/sub/b.png"):
                (tmp_path / name).unlink()


IMPATIENT = """
from imfilt.cli import entry, report
report.SHOW_PROGRESS_AFTER = 0
entry()
"""


def in_a_terminal(folder, *arguments):
    """Exit status and what a terminal of 80 columns shows, stderr being there and stdout a pipe."""
    master, slave = pty.openpty()
    line = [sys.executable, "-c", IMPATIENT, *arguments]
    with subprocess.Popen(line, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        shown = b""
        while select.select([master], [], [], 30)[0]:
            try:
                more = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            shown += more
        out = process.stdout.read()
    os.close(master)
    return process.returncode, out, shown.decode()


def test_a_bar_for_a_terminal_only(tmp_path):
    data = encoded(RNG.integers(0, 256, (1000, 1000, 3), dtype=np.uint8), "PNG", compress_level=0)
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(data)
    arguments = ["gaussian", "--sigma", "0", "-fj1", *(f"{number}.png" for number in range(5)), "-o", "{stem}.webp"]
    status, out, shown = in_a_terminal(tmp_path, *arguments)
    assert (status, out) == (0, b"")
    bar, _, summary = shown.rpartition("imfilt: 5 written")
    assert re.search(r"\r\[#+\.+\] \d/5, \d+ s left  \d\.png", bar), shown
    assert summary.startswith(", in ")
    assert "\n" not in bar
    status, out, shown = in_a_terminal(tmp_path, *arguments, "-q")
    assert (status, out, shown) == (0, b"", "")
    result = command(tmp_path, *arguments, python=("-c", IMPATIENT))
    assert (result.returncode, result.stdout) == (0, "")
    assert re.fullmatch(r"imfilt: 5 written, in \d+\.\d s\n", result.stderr)
