"""imfilt.images.tones: numbers as pixels, light, and the hues of directions."""

import colorsys

import numpy as np
import pytest
from skimage.color import gray2rgb, rgb2xyz

import imfilt
from imfilt.cli.settings import RANGES
from imfilt.images import tones
from imfilt.images.formats import PictureError

RNG = np.random.default_rng(6)


def made(numbers, white, dtype, rule, **options):
    return tones.to_pixels(np.array(numbers, np.float32), white, dtype, rule, **options)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    ("rule", "options", "expected"),
    [
        ("abs", {}, [1, 0.5, 0, 0.25, 1]),
        ("raw", {}, [0, 0, 0, 0.25, 1]),
        ("shift", {}, [0, 0.25, 0.5, 0.625, 1]),
        ("minmax", {"ends": (-1.0, 1.0)}, [0, 0.25, 0.5, 0.625, 1]),
        ("minmax", {"ends": (-0.5, 0.25)}, [0, 0, 2 / 3, 1, 1]),
        ("raw", {"offset": 0.5}, [0, 0, 0.5, 0.75, 1]),
        ("abs", {"offset": 0.5}, [0.5, 0, 0.5, 0.75, 1]),
        ("abs", {"contrast": 0.5}, [0.5, 0.25, 0, 0.125, 0.5]),
        ("shift", {"contrast": 2.0}, [0, 0, 0.5, 0.75, 1]),
    ],
)
def test_the_rules_for_numbers_with_a_sign(dtype, rule, options, expected):
    full = np.iinfo(dtype).max
    for white in (1.0, 255.0):
        numbers = np.array([[-1, -0.5, 0, 0.25, 1]]) * white
        pixels, _ = made(numbers, white, dtype, rule, **options)
        assert pixels.dtype == dtype
        np.testing.assert_array_equal(pixels, np.rint(np.array([expected]) * full))
        floats, clipped = made(numbers, white, "float32", rule, **options)
        assert clipped == 0
        np.testing.assert_array_equal(np.rint(np.clip(floats, 0, 1) * full), np.rint(np.array([expected]) * full))


def test_what_is_clipped_is_counted_but_not_what_is_rounded():
    _, clipped = made([[-3, -0.4, 0, 255.4, 256, 1000]], 255.0, "uint8", "raw")
    assert clipped == 3
    _, clipped = made([[-3, -0.4, 0, 255.4, 256, 1000]], 255.0, "uint8", "abs")
    assert clipped == 2


def test_halves_are_rounded_to_even():
    np.testing.assert_array_equal(made([[0.5, 1.5, 2.5]], 255.0, "uint8", "raw")[0], [[0, 2, 2]])


@pytest.mark.parametrize("rule", RANGES)
def test_no_rule_touches_alpha(rule):
    numbers = np.dstack([np.full((2, 2), -0.5), np.full((2, 2), 0.25)])
    pixels, _ = made(numbers, 1.0, "uint8", rule, alpha=True, ends=(-1.0, 1.0))
    assert (pixels[..., 1] == 64).all()
    assert (pixels[..., 0] == {"abs": 128, "raw": 0, "shift": 64, "minmax": 64}[rule]).all()


def test_contrast_leaves_alpha_alone():
    numbers = np.dstack([np.full((2, 2), 0.25), np.full((2, 2), 0.25)])
    pixels, _ = made(numbers, 1.0, "uint8", "abs", alpha=True, contrast=2.0)
    np.testing.assert_array_equal(pixels[0, 0], [128, 64])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_for_integers_and_kept_for_floats(value):
    with pytest.raises(PictureError, match="NaN or infinity, which 16-bit pixels cannot"):
        made([[0, value]], 1.0, "uint16", "raw")
    np.testing.assert_array_equal(made([[0, value]], 1.0, "float32", "raw")[0], np.array([[0, value]], np.float32))


def test_extremes_leave_out_alpha_and_what_is_not_finite():
    numbers = np.array([[[-2.0, 9.0], [np.nan, 9.0], [4.0, 9.0]]])
    assert tones.extremes(numbers, 2.0, True) == (-1.0, 2.0)
    assert all(map(np.isnan, tones.extremes(np.full((1, 1), np.nan), 1.0, False)))


# --- light ---


def test_light_is_that_of_scikit_image():
    levels = np.arange(256, dtype=np.uint8)
    white = rgb2xyz(np.ones((1, 1, 3)))[0, 0, 1]
    expected = rgb2xyz(gray2rgb(levels)[None])[0, :, 1] / white  # the luminance of grey is its light
    np.testing.assert_allclose(tones.to_light(levels[None], False)[0], expected, atol=2e-7)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_light_comes_back_as_it_was(dtype):
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1)
    pixels, clipped = tones.from_light(tones.to_light(levels, False), dtype, False)
    assert clipped == 0
    np.testing.assert_array_equal(pixels, levels)
    floats = RNG.random((5, 5))
    np.testing.assert_allclose(tones.from_light(tones.to_light(floats, False), "float64", False)[0], floats, atol=1e-12)


def test_alpha_is_no_light():
    pixels = RNG.integers(0, 256, (4, 5, 4), dtype=np.uint8)
    light = tones.to_light(pixels, True)
    np.testing.assert_allclose(light[..., 3], pixels[..., 3] / 255, rtol=1e-6)
    np.testing.assert_array_equal(tones.from_light(light, "uint8", True)[0], pixels)


def test_half_the_light_of_black_and_white_is_188():
    """What "gamma-correct" blurs are known for: not 128."""
    light = imfilt.box(tones.to_light(np.array([[0, 255]], np.uint8), False), (1, 2))
    assert tones.from_light(light, "uint8", False)[0][0, 1] == 188


# --- directions ---


def test_hues_are_those_of_colorsys():
    angles = np.linspace(-np.pi, np.pi, 50)
    magnitude = RNG.random(50)
    colours = tones.hues(magnitude[None], angles[None], np.float64)[0]
    for colour, angle, value in zip(colours, angles, magnitude, strict=True):
        np.testing.assert_allclose(colour, colorsys.hsv_to_rgb(angle / (2 * np.pi) % 1, 1, value), atol=1e-12)


def test_red_is_to_the_right_and_cyan_to_the_left():
    ramp = np.tile(np.linspace(0, 1, 5), (5, 1))
    magnitude, orientation = imfilt.gradient(ramp)
    colour = tones.hues(magnitude, orientation, "uint8")[2, 2]
    assert colour[0] > 0
    assert colour[1] == colour[2] == 0
    magnitude, orientation = imfilt.gradient(ramp[:, ::-1])
    colour = tones.hues(magnitude, orientation, "uint8")[2, 2]
    assert colour[0] == 0
    assert colour[1] == colour[2] > 0
