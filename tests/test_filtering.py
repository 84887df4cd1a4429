"""What the command makes of pictures: numbers against the functions, for every kind of picture and option."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imfilt
from imfilt import cli
from imfilt.cli import catalogue, filtering
from imfilt.images import tones

RNG = np.random.default_rng(21)
GREY = RNG.integers(0, 256, (24, 32), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (24, 32, 3), dtype=np.uint8)
RGBA = RNG.integers(0, 256, (24, 32, 4), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (24, 32), dtype=np.uint16)
LUMINANCE = np.asarray(Image.fromarray(COLOUR).convert("L"))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, pixels in [("grey", GREY), ("colour", COLOUR), ("rgba", RGBA), ("deep", DEEP)]:
        Image.fromarray(pixels).save(f"{name}.png")
    Image.fromarray((GREY / np.float32(255)).astype(np.float32)).save("float.tif")
    np.save("array.npy", RNG.random((10, 12, 5)))


def run(*arguments, status=0):
    """The command, in this process."""
    found = cli.main([str(one) for one in arguments])
    assert found == status
    return found


def result(*arguments, name="out.png"):
    """Pixels of the result."""
    run(*arguments, "-fo", name)
    if name.endswith(".npy"):
        return np.load(name)
    with Image.open(name) as image:
        return np.asarray(image)


def shown(numbers, full=255):
    """The absolute value as pixels, white being 1."""
    return np.rint(np.minimum(np.abs(numbers), 1) * full).astype(np.uint8 if full == 255 else np.uint16)


# --- every function ---

NEEDED = {
    "frequency": "0.2", "length": "5", "radius": "2", "sigma": "1", "low_sigma": "1", "factor": "2",
    "psf": "gaussian:1", "balance": "0.01", "kernel": "1,2,1 2,4,2 1,2,1", "column": "1,2,1", "row": "1,0,-1",
}  # fmt: skip


def needed(name):
    """The command line of options without a default."""
    words = []
    for option in filtering.options_of(name):
        if option.required:
            value = NEEDED.get(option.name)
            if value is None:
                shape = {"weight": (3, 3, 3, 3), "depthwise": (3, 3, 3), "pointwise": (3, 3)}[option.name]
                shape = {"depthwise-conv2d": (3, 3, 3), "pointwise-conv2d": (3, 3)}.get(name, shape)
                value = f"{option.name}.npy"
                np.save(value, np.ones(shape) / np.prod(shape[1:]))
            words.append(f"{option.flag}={value}")
    return words


PICTURES = ("grey.png", "colour.png", "rgba.png", "deep.png", "float.tif")
NETWORKS = [name for name in catalogue.families()["convolution"] if "2d" in name]  # weights for three channels


def every_command():
    for name in (*(one for names in catalogue.families().values() for one in names), "conv"):
        for picture in PICTURES[1:3] if name in NETWORKS else PICTURES:
            yield name, picture


@pytest.mark.parametrize(("name", "picture"), [*every_command()])
def test_every_command_takes_every_picture(name, picture, capsys):
    suffix = picture.rpartition(".")[2]
    words = [name, *needed(name), picture, "-o", f"out.{suffix}"]
    if picture == "rgba.png" and name in NETWORKS and name != "pointwise-conv2d":
        run(*words, status=1)  # they make another size
        assert "--alpha drop" in capsys.readouterr().err
        words += ["--alpha", "drop"]
    run(*words)
    with Image.open(f"out.{suffix}") as image:
        image.load()
        assert image.mode == {"deep.png": "I;16", "float.tif": "F"}.get(picture, image.mode)
        assert image.has_transparency_data == (picture == "rgba.png" and "--alpha" not in words)
        assert min(image.size) > 10


# --- responses ---


def test_rules_for_results_with_a_sign():
    numbers = imfilt.sobel_v(GREY.astype(np.float64))  # on this scale halves are halves
    assert numbers.min() < 0 < numbers.max()
    np.testing.assert_array_equal(result("sobel-v", "grey.png"), np.rint(np.minimum(np.abs(numbers), 255)))
    np.testing.assert_array_equal(result("sobel-v", "--range", "raw", "grey.png"), np.rint(np.clip(numbers, 0, 255)))
    numbers /= 255
    np.testing.assert_allclose(result("sobel-v", "--range", "shift", "grey.png"), (numbers + 1) * 127.5, atol=0.51)
    np.testing.assert_allclose(result("sobel-v", "--contrast", "3", "grey.png"), shown(3 * numbers), atol=1)
    stretched = (numbers - numbers.min()) / np.ptp(numbers) * 255
    np.testing.assert_allclose(result("sobel-v", "--range", "minmax", "grey.png"), stretched, atol=0.51)
    np.testing.assert_allclose(result("sobel-v", "grey.png", name="out.npy"), numbers, atol=1e-6)


def test_abs_is_for_pictures_where_it_is_asked_for():
    numbers = imfilt.sharpen(GREY.astype(np.float64), preserve_range=True)
    assert numbers.min() < -1
    np.testing.assert_allclose(result("sharpen", "grey.png"), np.clip(numbers, 0, 255), atol=0.51)
    found = result("sharpen", "--range", "abs", "grey.png")
    np.testing.assert_allclose(found, np.minimum(np.abs(numbers), 255), atol=0.51)


def test_minmax_is_that_of_all_files():
    half = (GREY // 2).astype(np.uint8)
    Image.fromarray(half).save("half.png")
    for jobs in ("1", "2"):
        run("sobel-v", "-qf", "--range", "minmax", "-j", jobs, "grey.png", "half.png")
        both = [imfilt.sobel_v(one / 255.0) for one in (GREY, half)]
        low, high = min(one.min() for one in both), max(one.max() for one in both)
        for name, numbers in zip(("grey", "half"), both, strict=True):
            with Image.open(f"{name}.sobel-v.png") as image:
                np.testing.assert_allclose(np.asarray(image), (numbers - low) / (high - low) * 255, atol=0.51)


def test_minmax_leaves_out_what_fails(capsys):
    Path("bad.png").touch()
    run("sobel-v", "--range", "minmax", "grey.png", "bad.png", status=1)
    assert [line for line in capsys.readouterr().err.splitlines() if "bad" in line] == ["imfilt: bad.png: is empty"]
    assert os.path.exists("grey.sobel-v.png")


def test_colour_becomes_luminance_for_responses_only():
    assert result("sobel", "colour.png").shape == (24, 32)
    assert result("sobel", "--per-channel", "colour.png").shape == (24, 32, 3)
    assert result("gaussian", "colour.png").shape == (24, 32, 3)
    np.testing.assert_array_equal(result("gaussian", "--grey", "colour.png"), imfilt.gaussian(LUMINANCE, dtype="uint8"))
    assert result("conv", "--kernel", "1,0,-1", "colour.png").shape == (24, 32, 3)


def test_directions_are_hues():
    ramp = np.tile(np.arange(32, dtype=np.uint8) * 8, (24, 1))
    Image.fromarray(ramp).save("ramp.png")
    colours = result("sobel", "--direction", "--contrast", "4", "ramp.png")
    red, green, blue = np.moveaxis(colours[2:-2, 2:-2], -1, 0)
    assert (red > 0).all()
    assert not green.any()
    assert not blue.any()
    transparent = result("scharr", "--direction", "rgba.png")
    np.testing.assert_array_equal(transparent[..., 3], RGBA[..., 3])


@pytest.mark.parametrize(("part", "number"), [("magnitude", 0), ("orientation", 1)])
def test_parts_of_a_gradient(part, number):
    expected = imfilt.gradient(LUMINANCE, "scharr")[number]
    found = result("gradient", "--operator", "scharr", "--part", part, "colour.png", name="out.npy")
    np.testing.assert_allclose(found, expected, atol=1e-6)  # radians
    pixels = result("gradient", "--operator", "scharr", "--part", part, "colour.png")
    np.testing.assert_allclose(pixels, (expected / np.pi + 1) * 127.5 if number else expected * 255, atol=0.51)


def test_parts_of_gabor_and_hessian():
    real, imaginary = imfilt.gabor(GREY, 0.2)
    for part, numbers in [("real", real), ("imaginary", imaginary), ("magnitude", np.hypot(real, imaginary))]:
        found = result("gabor", "--frequency", "0.2", "--part", part, "grey.png", name="out.npy")
        np.testing.assert_allclose(found, numbers, atol=1e-5)
    for part, numbers in zip(("rr", "rc", "cc"), imfilt.hessian_matrix(GREY), strict=True):
        np.testing.assert_allclose(
            result("hessian-matrix", "--part", part, "grey.png", name="out.npy"), numbers, atol=1e-5
        )


# --- alpha ---


def test_alpha_is_premultiplied_kept_or_dropped():
    np.testing.assert_array_equal(result("box", "rgba.png"), imfilt.box(RGBA, alpha=True, dtype="uint8"))
    straight = result("box", "--alpha", "keep", "rgba.png")
    np.testing.assert_array_equal(straight, np.dstack([imfilt.box(RGBA[..., :3], dtype="uint8"), RGBA[..., 3]]))
    np.testing.assert_array_equal(
        result("box", "--alpha", "drop", "rgba.png"), imfilt.box(RGBA[..., :3], dtype="uint8")
    )
    blur = result("conv", "--kernel", "1,1,1", "--scale", "sum", "rgba.png")
    np.testing.assert_allclose(blur, imfilt.box(RGBA, (1, 3), alpha=True, dtype="uint8"), atol=1)


def test_a_picture_without_a_hole_is_as_one_without_alpha():
    opaque = RGBA.copy()
    opaque[..., 3] = 255
    Image.fromarray(opaque).save("opaque.png")
    for words in (["gaussian"], ["upscale", "--factor", "2"], ["conv", "--kernel", "1", "--stride", "2"]):
        whole, bare = (result(*words, *more, "opaque.png") for more in ([], ["--alpha", "drop"]))
        np.testing.assert_array_equal(whole[..., :3], bare)
        assert (whole[..., 3] == 255).all()


def test_a_blur_takes_no_hidden_colour():
    square = np.zeros((24, 24, 4), np.uint8)
    square[..., 0] = 255  # transparent red
    square[8:16, 8:16] = 255
    Image.fromarray(square).save("square.png")
    for words in (["gaussian", "--sigma", "2"], ["upscale", "--factor", "2"], ["pipe", "STEPS"]):
        arguments = ["pipe", "square.png", "gaussian sigma=1 | box"] if words[0] == "pipe" else [*words, "square.png"]
        blurred = result(*arguments)
        seen = blurred[blurred[..., 3] > 0]
        assert seen[:, :3].min() == 255


# --- depth ---


@pytest.mark.parametrize(("depth", "full"), [("8", 255), ("16", 65535)])
@pytest.mark.parametrize("source", ["grey.png", "deep.png", "float.tif"])
def test_depth(depth, full, source):
    pixels = {"grey.png": GREY / 255, "deep.png": DEEP / 65535, "float.tif": GREY / 255}[source]
    for words, numbers in [
        (["gaussian"], imfilt.gaussian(pixels)),
        (["sobel-h"], imfilt.sobel_h(pixels)),
        (["conv", "--kernel", "0,1,0 1,-4,1 0,1,0"], imfilt.correlate(pixels, [[0, 1, 0], [1, -4, 1], [0, 1, 0]])),
    ]:
        found = result(*words, "--depth", depth, source)
        assert found.dtype == (np.uint8 if depth == "8" else np.uint16)
        assert np.abs(found - np.minimum(np.abs(numbers), 1) * full).max() <= 0.7 + full * 1e-6
    found = result("sobel-h", "--depth", "float", source, name="out.tif")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, imfilt.sobel_h(pixels), atol=1e-5)


def test_arrays_of_any_channels():
    array = np.load("array.npy")
    np.testing.assert_allclose(result("gaussian", "array.npy", name="out.npy"), imfilt.gaussian(array), atol=1e-12)
    run("gaussian", "array.npy", "-o", "out.png", status=1)


def test_yes_and_no_are_white_and_black():
    np.save("flags.npy", GREY > 99)
    assert set(np.unique(result("box", "--size", "1", "--depth", "8", "flags.npy"))) == {0, 255}
    assert set(np.unique(result("canny", "grey.png"))) <= {0, 255}
    assert set(np.unique(result("canny", "deep.png"))) <= {0, 65535}


def test_nan_is_kept_in_floats_and_refused_in_integers(capsys):
    numbers = np.ones((9, 9), np.float32)
    numbers[4, 4] = np.nan
    Image.fromarray(numbers).save("hole.tif")
    found = result("gaussian", "hole.tif", name="out.tif")
    assert np.isnan(found).any()
    assert not np.isnan(result("gaussian", "--weights", "finite", "hole.tif", name="out.tif")).any()
    run("gaussian", "--depth", "8", "hole.tif", "-o", "out.png", status=1)
    assert "NaN or infinity" in capsys.readouterr().err


# --- light ---


def test_linear_filters_light():
    light = imfilt.gaussian(tones.to_light(COLOUR, False), 2)
    expected = tones.from_light(light, np.uint8, False)[0]
    np.testing.assert_array_equal(result("gaussian", "--sigma", "2", "--linear", "colour.png"), expected)
    edges = imfilt.sobel(tones.to_light(GREY, False), dtype="uint8")
    np.testing.assert_array_equal(result("sobel", "--linear", "grey.png"), edges)
    board = np.indices((24, 32)).sum(0) % 2 * 255
    Image.fromarray(board.astype(np.uint8)).save("board.png")
    assert result("box", "--size", "12", "--linear", "board.png")[12, 12] == 188  # half the light
    assert result("box", "--size", "12", "board.png")[12, 12] == 128


# --- kernels ---


def test_conv():
    kernel = "0,-1,0 -1,5,-1 0,-1,0"
    array = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    np.testing.assert_array_equal(
        result("conv", "--kernel", kernel, "colour.png"), imfilt.correlate(COLOUR, array, dtype="uint8")
    )
    shifted = np.array([[1, 0, 0]])
    np.testing.assert_array_equal(
        result("conv", "--kernel", "1,0,0", "grey.png"), imfilt.correlate(GREY, shifted, dtype="uint8")
    )
    np.testing.assert_array_equal(
        result("conv", "--kernel", "1,0,0", "--convolve", "grey.png"), imfilt.convolve(GREY, shifted, dtype="uint8")
    )
    found = result(
        "conv",
        "--kernel",
        "1,2,1",
        "--scale",
        "sum",
        "--stride",
        "2,3",
        "--dilation",
        "2",
        "--mode",
        "wrap",
        "grey.png",
    )
    expected = imfilt.correlate(GREY, np.array([[1, 2, 1]]) / 4, stride=(2, 3), dilation=2, mode="wrap", dtype="uint8")
    np.testing.assert_array_equal(found, expected)
    found = result("conv", "--kernel", "-1,0,1", "--scale", "1/2", "--bias", "0.5", "--range", "raw", "grey.png")
    numbers = imfilt.correlate(GREY.astype(float), np.array([[-1, 0, 1]]) / 2) + 127.5
    np.testing.assert_allclose(found, np.clip(numbers, 0, 255), atol=0.51)
    edge = result("conv", "--kernel", "1,1,1", "--scale", "sum", "--mode", "constant", "--cval", "1", "deep.png")
    assert edge[0, 0] == pytest.approx((65535 + int(DEEP[0, 0]) + int(DEEP[0, 1])) / 3, abs=0.51)


def test_weights_of_networks():
    weight = RNG.normal(0, 0.2, (3, 3, 3, 3))
    np.save("w.npy", weight)
    found = result(
        "conv2d", "--weight", "w.npy", "--bias", "10,20,30", "--padding", "same", "--stride", "2", "colour.png"
    )
    expected = imfilt.conv2d(COLOUR, weight, [10, 20, 30], padding="same", stride=2, dtype="uint8")
    np.testing.assert_array_equal(found, expected)
    found = result("conv2d", "--weight", "w.npy", "--padding", "0,1,2,3", "colour.png", name="out.npy")
    np.testing.assert_allclose(found, imfilt.conv2d(COLOUR, weight, padding=((0, 1), (2, 3))) / 255, atol=1e-5)


def test_masks_and_weights_are_pictures():
    mask = np.zeros((24, 32), bool)
    mask[5:20, 6:25] = True
    Image.fromarray(mask).save("mask.png")
    np.testing.assert_array_equal(
        result("sobel", "--mask", "mask.png", "grey.png"), imfilt.sobel(GREY, mask, dtype="uint8")
    )
    found = result("gaussian", "--weights", "mask.png", "--sigma", "9", "grey.png")
    np.testing.assert_allclose(found, imfilt.gaussian(GREY, 9, weights=mask, dtype="uint8"), atol=1)
    assert result("gaussian", "--weights", "mask.png", "colour.png").shape == COLOUR.shape


def test_psf_by_name_restores():
    blurred = imfilt.gaussian(np.kron(GREY[:6, :8], np.ones((4, 4))) / 255, 1.5, mode="wrap")
    np.save("blurred.npy", blurred)
    kernel = imfilt.wiener(blurred, filtering_psf("gaussian:1.5"), 1e-3)
    np.testing.assert_allclose(
        result("wiener", "--psf", "gaussian:1.5", "--balance", "1e-3", "blurred.npy", name="o.npy"), kernel
    )


def filtering_psf(text):
    from imfilt.cli.kernels import parse_psf

    return parse_psf(text)


# --- pipes of steps ---


def test_steps_are_not_rounded_between():
    found = result("pipe", "grey.png", "gaussian sigma=2 | sobel-v | gaussian sigma=1", "--range", "shift")
    numbers = imfilt.gaussian(imfilt.sobel_v(imfilt.gaussian(GREY / 255, 2)), 1)
    np.testing.assert_allclose(found, np.clip((numbers + 1) * 127.5, 0, 255), atol=0.51)
    raw = result("pipe", "grey.png", "gaussian sigma=2 | sobel-v | gaussian sigma=1", name="out.npy")
    np.testing.assert_allclose(raw, numbers, atol=1e-6)
    assert raw.min() < 0


def test_a_bias_between_steps():
    found = result("pipe", "grey.png", "conv kernel=1/2 bias=0.25 | box", name="out.npy")
    np.testing.assert_allclose(found, imfilt.box(GREY / 255) / 2 + 0.25, atol=1e-6)


def test_steps_with_words_of_all_kinds():
    for steps in (
        "gaussian sigma=2|sobel axis=0",
        "gaussian --sigma=2 | sobel --axis=0",
        "gaussian --sigma 2 | sobel --axis 0 --mode reflect",
        "gaussian sigma='2' |  sobel   axis='0'",
        "conv kernel='1' | gaussian sigma=2,2 | sobel axis=0",
    ):
        numbers = imfilt.sobel(imfilt.gaussian(GREY / 255, 2), axis=0)
        np.testing.assert_allclose(result("pipe", "grey.png", steps, name="out.npy"), numbers, atol=1e-6)
    numbers = imfilt.canny(imfilt.box(GREY / 255, 3), use_quantiles=True, low_threshold=0.5, high_threshold=0.9)
    words = "box size=3 | canny use_quantiles low-threshold=0.5 high-threshold=0.9"
    np.testing.assert_array_equal(result("pipe", "grey.png", words), numbers * np.uint8(255))
    flag = "box | canny use_quantiles=yes low_threshold=0.5 high_threshold=0.9"
    np.testing.assert_array_equal(result("pipe", "grey.png", flag), numbers * np.uint8(255))


def test_thresholds_count_white_as_1_whatever_the_depth():
    expected = imfilt.canny(GREY, low_threshold=20.4, high_threshold=76.5) * np.uint8(255)
    assert expected.any()
    words = ["canny", "--low-threshold", "0.08", "--high-threshold", "0.3"]
    np.testing.assert_array_equal(result(*words, "grey.png"), expected)
    np.testing.assert_array_equal(result("pipe", "grey.png", " ".join(words)), expected)
    Image.fromarray(GREY.astype(np.uint16) * 257).save("wide.png")
    np.testing.assert_array_equal(result(*words, "--depth", "8", "wide.png"), expected)


def test_colour_becomes_luminance_at_the_step_that_wants_it():
    found = result("pipe", "colour.png", "gaussian sigma=1 | sobel", name="out.npy")
    soft = imfilt.gaussian(COLOUR / 255, 1) @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(found, imfilt.sobel(soft), atol=1e-6)
    assert result("pipe", "colour.png", "gaussian | upscale factor=2").shape == (48, 64, 3)
    assert result("pipe", "rgba.png", "sobel | box").shape == (24, 32, 2)


# --- reports ---


def test_json(capsys):
    Path("bad.png").touch()
    run("sharpen", "--json", "-q", "colour.png", "bad.png", status=1)
    told = {one["path"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert told["bad.png"] == {"path": "bad.png", "error": "is empty"}
    one = told["colour.png"]
    numbers = imfilt.sharpen(COLOUR)
    assert (one["output"], one["shape"], one["dtype"]) == ("colour.sharpen.png", [24, 32, 3], "uint8")
    assert one["steps"] == [{"filter": "sharpen", "arguments": {}}]
    assert one["minimum"] == pytest.approx(float(numbers.min()), abs=1e-6)
    assert one["maximum"] == pytest.approx(float(numbers.max()), abs=1e-6)
    assert one["clipped"] == np.count_nonzero((numbers * 255 < -0.5) | (numbers * 255 > 255.5))
    assert one["plan"]
    assert all(re.match(r"\w+, float(32|64), \d+ bands", text) for text in one["plan"])
    assert set(one["milliseconds"]) == {"read", "filter", "write"}
    with Image.open("colour.sharpen.png") as image:
        np.testing.assert_array_equal(np.asarray(image), imfilt.sharpen(COLOUR, dtype="uint8"))


def test_json_changes_no_pixel(capsys):
    for words in (["gaussian", "--sigma", "9"], ["sobel"], ["laplace"], ["upscale", "--factor", "2"]):
        plain = result(*words, "colour.png")
        np.testing.assert_array_equal(result(*words, "--json", "colour.png"), plain)
    capsys.readouterr()


def test_dry_run_writes_nothing(capsys, tmp_path):
    before = sorted(os.listdir())
    run("sobel", "-n", "grey.png", "colour.png", "-o", "new/")
    found = capsys.readouterr()
    assert found.out == "grey.png -> new/grey.sobel.png\ncolour.png -> new/colour.sobel.png\n"
    assert found.err.startswith("imfilt: 2 to write, in ")
    assert sorted(os.listdir()) == before


def test_verbose_and_quiet(capsys):
    run("sobel", "-v", "grey.png")
    assert re.fullmatch(
        r"imfilt: grey.png -> grey.sobel.png: 32x24 uint8, milliseconds: read \d+, filter \d+, write \d+\n",
        capsys.readouterr().err,
    )
    run("sobel", "-qf", "grey.png", "colour.png")
    assert capsys.readouterr().err == ""


def test_nothing_to_do_is_exit_status_3(capsys):
    os.mkdir("empty")
    run("sobel", "-r", "empty", status=3)
    assert capsys.readouterr().err == "imfilt: there are no pictures there\n"
    run("sobel", "--skip-existing", "grey.png")
    run("sobel", "--skip-existing", "grey.png")


def test_in_place_and_recursive():
    os.makedirs("deep/er")
    for name in ("deep/a.png", "deep/er/b.png"):
        Image.fromarray(GREY).save(name)
    run("box", "-qr", "deep", "-o", "out/")
    for name in ("out/a.box.png", "out/er/b.box.png"):
        with Image.open(name) as image:
            np.testing.assert_array_equal(np.asarray(image), imfilt.box(GREY, dtype="uint8"))
    run("box", "-qr", "deep", "--in-place")
    with Image.open("deep/er/b.png") as image:
        np.testing.assert_array_equal(np.asarray(image), imfilt.box(GREY, dtype="uint8"))


def test_in_place_waits_for_the_disk(monkeypatch):
    waited = []
    monkeypatch.setattr(os, "fsync", waited.append)
    run("box", "-f", "grey.png", "-o", "out.png")
    assert not waited
    run("box", "--in-place", "grey.png")
    assert len(waited) == 1


def test_jobs_write_the_same_bytes():
    names = []
    for i in range(6):
        names.append(f"p{i}.png")
        Image.fromarray(np.roll(COLOUR, i, 0)).save(names[-1])
    run("unsharp-mask", "-q", "-j", "1", *names, "-o", "one/")
    run("unsharp-mask", "-q", "-j", "4", *names, "-o", "four/")
    for name in os.listdir("one"):
        assert Path("one", name).read_bytes() == Path("four", name).read_bytes()


def test_animations_frame_by_frame():
    frames = [Image.fromarray(np.roll(GREY, 3 * i, 1)) for i in range(3)]
    frames[0].save("a.png", save_all=True, append_images=frames[1:], duration=[50, 60, 70], loop=2)
    run("gaussian", "a.png")
    with Image.open("a.gaussian.png") as image:
        assert (image.n_frames, image.info["loop"]) == (3, 2)
        for i, duration in enumerate((50, 60, 70)):
            image.seek(i)
            image.load()
            assert image.info["duration"] == duration
            np.testing.assert_array_equal(np.asarray(image), imfilt.gaussian(np.roll(GREY, 3 * i, 1), dtype="uint8"))
    found = result("gaussian", "--frame", "1", "a.png")
    np.testing.assert_array_equal(found, imfilt.gaussian(np.roll(GREY, 3, 1), dtype="uint8"))
    run("gaussian", "--frame", "3", "a.png", "-o", "x.png", status=1)


# --- what is told of commands ---


@pytest.mark.parametrize("name", [name for name in catalogue.names() if name != "help"])
def test_help_of_every_command(name, capsys):
    run("help", name)
    text = capsys.readouterr().out
    assert text.startswith("usage: imfilt ")
    assert len(text.splitlines()) > 5


def test_help_alone_is_the_overview_and_understands_names(capsys):
    run("help")
    text = capsys.readouterr().out
    run("--help")
    assert capsys.readouterr().out == text
    run("help", "sobel_h")
    assert "usage: imfilt sobel-h" in capsys.readouterr().out


def test_help_shows_kernels(capsys):
    run("help", "scharr")
    text = capsys.readouterr().out
    assert "-0.1875        0   0.1875\n   -0.625        0    0.625\n  -0.1875        0   0.1875" in text
    run("help", "sobel-h")
    assert "-0.25   -0.5  -0.25\n      0      0      0\n   0.25    0.5   0.25" in capsys.readouterr().out
    run("help", "box", "--size", "2,1")
    assert "0.5\n  0.5" in capsys.readouterr().out
    run("help", "gaussian", "--sigma", "20")
    assert "161 x 161 taps, rank 1" in capsys.readouterr().out
    run("help", "roberts")
    assert "roberts-pos-diag" in capsys.readouterr().out


def test_list(capsys):
    run("list")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == catalogue.names()
    run("list", "--json")
    told = {one["name"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    sigma = next(option for option in told["gaussian"]["options"] if option["name"] == "sigma")
    assert (sigma["flag"], sigma["default"], sigma["required"]) == ("--sigma", 1.0, False)
    mode = next(option for option in told["sobel"]["options"] if option["name"] == "mode")
    assert "mirror" in mode["choices"]


def test_kernel(capsys):
    run("kernel", "-1,0,1")
    assert capsys.readouterr().out.startswith("kernel    1 x 3, whole numbers")
    run("kernel", "1,0,-1 2,0,-2 1,0,-1")
    text = capsys.readouterr().out
    assert "rank      1, exact" in text
    assert "factor 1  column [1, 2, 1]  row [1, 0, -1]" in text
    run("kernel", "1,0,-1 2,0,-2 1,0,-1", "--json", "--size", "640x480", "--dtype", "uint8")
    told = json.loads(capsys.readouterr().out)
    assert (told["rank"], told["sum"], told["columns"], told["rows"]) == (1, 0, [[1, 2, 1]], [[1, 0, -1]])
    assert told["plan"] in told["milliseconds"]


def test_info(capsys):
    run("info", "deep.png", "rgba.png", "none.png", status=1)
    found = capsys.readouterr()
    assert "16" in found.out
    assert found.err == "imfilt: none.png: no such file or directory\n"
    run("info", "--json", "rgba.png", "array.npy")
    one, other = map(json.loads, capsys.readouterr().out.splitlines())
    assert (one["width"], one["height"], one["alpha"], one["format"]) == (32, 24, True, "PNG")
    assert (other["format"], other["channels"]) == ("NPY", 5)


# --- what is never lost ---


def test_nothing_that_is_read_is_written_over(capsys):
    np.save("k.npy", np.ones((1, 1)))
    Image.fromarray(GREY).save("mask.png")
    for words in (["sobel", "--mask", "mask.png"], ["gaussian", "--weights", "mask.png"]):
        run(*words, "grey.png", "-fo", "mask.png", status=1)
        assert "mask.png is read by this call" in capsys.readouterr().err
    run("conv", "--kernel", "k.npy", "array.npy", "-fo", "k.npy", status=1)
    assert "k.npy is read by this call" in capsys.readouterr().err
    with Image.open("mask.png") as image:
        np.testing.assert_array_equal(np.asarray(image), GREY)


def test_in_place_loses_no_frames(capsys):
    frames = [Image.fromarray(np.roll(GREY, 3 * i, 1)) for i in range(3)]
    frames[0].save("a.tif", save_all=True, append_images=frames[1:])
    run("box", "--in-place", "--frame", "0", "a.tif", status=1)
    assert "holds several pictures" in capsys.readouterr().err
    run("box", "--in-place", "a.tif")
    with Image.open("a.tif") as image:
        assert image.n_frames == 3


def test_a_file_named_twice_is_taken_once(capsys):
    run("box", "grey.png", "./grey.png", "grey.png")
    assert capsys.readouterr().err == ""


def test_cmyk_has_edges_of_its_light(capsys):
    image = Image.fromarray(COLOUR).convert("CMYK")
    image.save("inks.tif")
    rgb = np.asarray(image.convert("RGB"))
    expected = imfilt.sobel(np.asarray(Image.fromarray(rgb).convert("L")), dtype="uint8")
    np.testing.assert_array_equal(result("sobel", "inks.tif"), expected)
    found = result("pipe", "inks.tif", "gaussian sigma=1 | sobel", name="out.npy")
    np.testing.assert_allclose(found, imfilt.sobel(imfilt.gaussian(rgb / 255, 1) @ [0.299, 0.587, 0.114]), atol=1e-6)
    assert result("gaussian", "inks.tif", name="out.tif").shape == (24, 32, 4)
    assert result("gaussian", "--linear", "inks.tif", name="out.tif").shape == (24, 32, 3)


def test_channels_without_a_meaning_are_refused_by_pictures(capsys):
    np.save("four.npy", np.zeros((9, 9, 4), np.uint8))
    np.save("one.npy", GREY[..., None])
    for suffix in ("png", "jpg", "tif", "webp"):
        run("box", "four.npy", "--depth", "8", "-o", f"x.{suffix}", status=1)
        assert "4 channels" in capsys.readouterr().err
    np.testing.assert_array_equal(result("box", "--depth", "8", "one.npy"), imfilt.box(GREY, dtype="uint8"))
    assert result("box", "one.npy", name="out.npy").shape == (24, 32, 1)


def test_pages_of_several_depths():
    pages = [Image.fromarray(GREY), Image.fromarray(DEEP), Image.fromarray(COLOUR)]
    pages[0].save("pages.tif", save_all=True, append_images=pages[1:])
    run("box", "pages.tif")
    with Image.open("pages.box.tif") as image:
        for number, pixels in enumerate((GREY, DEEP, COLOUR)):
            image.seek(number)
            np.testing.assert_array_equal(np.asarray(image), imfilt.box(pixels, dtype=pixels.dtype))


def test_a_fault_of_one_file_leaves_the_others(monkeypatch, capsys):
    from imfilt.cli import work

    develop = work.develop

    def faulty(picture, *more, **options):
        if picture.pixels.ndim == 3:
            raise KeyError("oh")
        return develop(picture, *more, **options)

    monkeypatch.setattr(work, "develop", faulty)
    run("box", "-q", "colour.png", "grey.png", status=1)
    assert "imfilt: colour.png: imfilt is at fault, please report: KeyError: 'oh'" in capsys.readouterr().err
    assert os.path.exists("grey.box.png")


def test_strip_leaves_out_the_resolution_of_every_page():
    page = Image.fromarray(GREY)
    page.save("pages.tif", save_all=True, append_images=[page, page], dpi=(300, 300))
    run("box", "pages.tif", "-o", "kept.tif")
    run("box", "--strip", "pages.tif", "-o", "bare.tif")
    for name, dpi in [("kept.tif", 300), ("bare.tif", None)]:
        with Image.open(name) as image:
            for number in range(3):
                image.seek(number)
                assert image.tag_v2.get(282) == dpi
