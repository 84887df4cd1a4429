"""Compass masks and gradient orientation against SciPy, scikit-image, OpenCV and PyTorch."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import skimage.filters as skf
from conftest import DTYPES, MODES, assert_same_bits, assert_within, pixels

import imfilt
from imfilt._engine import isa, plan, twin

# The direction in which an image grows, as the literature draws the masks: east, then clockwise.
MASKS = {
    "kirsch": [
        [[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]], [[-3, -3, -3], [-3, 0, 5], [-3, 5, 5]],
        [[-3, -3, -3], [-3, 0, -3], [5, 5, 5]], [[-3, -3, -3], [5, 0, -3], [5, 5, -3]],
        [[5, -3, -3], [5, 0, -3], [5, -3, -3]], [[5, 5, -3], [5, 0, -3], [-3, -3, -3]],
        [[5, 5, 5], [-3, 0, -3], [-3, -3, -3]], [[-3, 5, 5], [-3, 0, 5], [-3, -3, -3]],
    ],
    "prewitt": [
        [[-1, 1, 1], [-1, -2, 1], [-1, 1, 1]], [[-1, -1, 1], [-1, -2, 1], [1, 1, 1]],
        [[-1, -1, -1], [1, -2, 1], [1, 1, 1]], [[1, -1, -1], [1, -2, -1], [1, 1, 1]],
        [[1, 1, -1], [1, -2, -1], [1, 1, -1]], [[1, 1, 1], [1, -2, -1], [1, -1, -1]],
        [[1, 1, 1], [1, -2, 1], [-1, -1, -1]], [[1, 1, 1], [-1, -2, 1], [-1, -1, 1]],
    ],
    "robinson3": [
        [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]], [[-1, -1, 0], [-1, 0, 1], [0, 1, 1]],
        [[-1, -1, -1], [0, 0, 0], [1, 1, 1]], [[0, -1, -1], [1, 0, -1], [1, 1, 0]],
        [[1, 0, -1], [1, 0, -1], [1, 0, -1]], [[1, 1, 0], [1, 0, -1], [0, -1, -1]],
        [[1, 1, 1], [0, 0, 0], [-1, -1, -1]], [[0, 1, 1], [-1, 0, 1], [-1, -1, 0]],
    ],
    "robinson5": [
        [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[-2, -1, 0], [-1, 0, 1], [0, 1, 2]],
        [[-1, -2, -1], [0, 0, 0], [1, 2, 1]], [[0, -1, -2], [1, 0, -1], [2, 1, 0]],
        [[1, 0, -1], [2, 0, -2], [1, 0, -1]], [[2, 1, 0], [1, 0, -1], [0, -1, -2]],
        [[1, 2, 1], [0, 0, 0], [-1, -2, -1]], [[0, 1, 2], [-1, 0, 1], [-2, -1, 0]],
    ],
}  # fmt: skip
SUMS = {"kirsch": 15, "prewitt": 5, "robinson3": 3, "robinson5": 4}
OPERATORS = ("sobel", "scharr", "prewitt", "farid", "roberts")


def answers(image, name, **options):
    """All eight, (8, H, W), in float64."""
    return np.array([ndi.correlate(image.astype(np.float64), np.array(mask), **options) for mask in MASKS[name]])


# ---- compass ---------------------------------------------------------------------


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_photograph_by_eight_correlations(build, photo, name, dtype):
    image = photo[:50, :60] if build == "numpy" else photo
    image = image if dtype == "uint8" else (image / 255).astype(dtype)
    full = 255 if dtype == "uint8" else 1
    want = np.stack([answers(image[..., c], name).max(axis=0) for c in range(3)], axis=-1) / full / SUMS[name]
    got = imfilt.compass(image, name)
    assert_within(got, want, 1e-14 if dtype == "float64" else 1e-6)
    assert_same_bits(imfilt.compass(image[..., 1], name), got[..., 1].copy())
    if name == "kirsch":
        assert_same_bits(imfilt.kirsch(image), got)


def test_kirsch_as_opencv_and_pytorch_have_its_parts(photo):
    cv2, torch = pytest.importorskip("cv2"), pytest.importorskip("torch")
    image = (photo[..., 0] / 255).astype(np.float32)
    masks = np.array(MASKS["kirsch"], np.float32) / 15
    by_cv2 = np.max([cv2.filter2D(image, -1, mask, borderType=cv2.BORDER_REFLECT_101) for mask in masks], axis=0)
    padded = torch.nn.functional.pad(torch.from_numpy(image)[None, None], (1, 1, 1, 1), "reflect")
    by_torch = torch.nn.functional.conv2d(padded, torch.from_numpy(masks)[:, None])[0].max(dim=0).values.numpy()
    got = imfilt.kirsch(image, mode="mirror")
    assert_within(got, by_cv2, 2e-6)
    assert_within(got, by_torch, 2e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 70), (33, 65)])
def test_borders_on_awkward_shapes(mode, shape):
    image = np.random.default_rng(0).standard_normal(shape)
    for name in MASKS:
        want = answers(image, name, mode=mode, cval=0.7) / SUMS[name]
        got, direction = imfilt.compass(image, name, mode=mode, cval=0.7, return_direction=True)
        assert_within(got, want.max(axis=0), 1e-14, name)
        assert_within(np.take_along_axis(want, direction[None].astype(int), 0)[0], want.max(axis=0), 1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_result(dtype):
    image = pixels(np.random.default_rng(1), (13, 17), dtype)
    full = float(np.iinfo(dtype).max) if image.dtype.kind in "iu" else 1.0
    real = np.maximum(image.astype(np.float64), -full) if image.dtype.kind == "i" else image.astype(np.float64)
    want = answers(real, "kirsch").max(axis=0) / 15
    got = imfilt.kirsch(image)
    bound = 40 * np.finfo(got.dtype).eps * max(np.abs(real).max() / full, 1)
    assert got.dtype == (np.float64 if dtype in ("float64", "int32", "uint32", "int64", "uint64") else np.float32)
    assert_within(got, want / full, bound)
    if image.dtype.kind in "iu" and image.dtype.itemsize < 4:  # integers are exact up to the factor
        exact = answers(image, "kirsch").max(axis=0) / 15
        assert_within(imfilt.kirsch(image, preserve_range=True), exact, np.abs(exact) * 2.0**-23)
        levels = imfilt.kirsch(image, preserve_range=True, dtype="int32")
        assert (levels == np.rint(exact)).all()
    eight = imfilt.kirsch(image, dtype=np.uint8)
    assert_within(eight, np.clip(np.rint(want / full * 255), 0, 255), 1)


def test_integers_are_exact_and_the_first_of_equals_is_the_direction(photo):
    image = photo[..., 0]
    for name in MASKS:
        every = answers(image, name)
        got, direction = imfilt.compass(image, name, return_direction=True, preserve_range=True, dtype=np.float64)
        assert_within(got, every.max(axis=0) / SUMS[name], 1e-12)
        assert (direction == every.argmax(axis=0)).all()
        assert direction.dtype == np.uint8


@pytest.mark.parametrize("name", MASKS)
def test_the_direction_is_that_of_a_ramp(name):
    y, x = np.indices((9, 9)) - 4.0
    for turn in range(8):
        angle = turn * np.pi / 4
        strength, direction = imfilt.compass(np.cos(angle) * x + np.sin(angle) * y, name, return_direction=True)
        assert (direction[1:-1, 1:-1] == turn).all()
        assert (strength[1:-1, 1:-1] > 0).all()
        _, orientation = imfilt.gradient(np.cos(angle) * x + np.sin(angle) * y)
        assert_within(np.exp(1j * orientation[2:-2, 2:-2]).real, np.full((5, 5), np.cos(angle)), 1e-12)
        assert_within(np.exp(1j * orientation[2:-2, 2:-2]).imag, np.full((5, 5), np.sin(angle)), 1e-12)


def test_a_step_of_1_answers_1():
    step = np.zeros((7, 8))
    step[:, 4:] = 1
    for name, want in (("kirsch", 1), ("robinson3", 1), ("robinson5", 1), ("prewitt", 0.6)):
        for image in (step, step.T, 1 - step, 1 - step.T):
            assert imfilt.compass(image, name).max() == pytest.approx(want, rel=1e-15)


def test_the_strongest_has_its_sign():
    spot = np.zeros((3, 3))
    spot[1, 1] = 1
    assert imfilt.compass(spot, "prewitt")[1, 1] == pytest.approx(-0.4)
    assert imfilt.compass(spot, "prewitt", dtype=np.uint8)[1, 1] == 0
    assert imfilt.compass(np.random.default_rng(2).random((9, 9)), "robinson5").min() >= 0


def test_nan_reaches_its_footprint_and_nothing_else(build):
    image = np.random.default_rng(3).random((9, 40)).astype(np.float32)
    image[4, 20] = np.nan
    got = np.isnan(imfilt.kirsch(image))
    assert got.sum() == 8  # the tap in the centre is 0 in every mask
    assert got[3:6, 19:22].sum() == 8
    assert np.isnan(imfilt.compass(image, "prewitt")).sum() == 9
    assert np.isnan(imfilt.compass(image, "robinson3")).sum() == 8
    with np.errstate(invalid="ignore"):
        assert np.isnan(imfilt.kirsch(np.full((3, 3), np.inf))).all()


def test_builds_agree_bit_by_bit(photo):
    before = isa.active
    rng = np.random.default_rng(4)
    shapes = {"float32": (23, 131), "float64": (17, 40, 3), "uint16": (9, 300, 4), "int16": (30, 33)}
    images = [photo[:40, :75], *(pixels(rng, shape, dtype) for dtype, shape in shapes.items())]
    images[1][3, 10:14] = [np.nan, np.inf, 1e30, -1e30]
    images[1][10:20, 10:20] = -0.0
    try:
        for image in images:
            for name in MASKS:
                for mode in MODES:
                    isa.use("numpy")
                    with np.errstate(all="ignore"):
                        want = [imfilt.compass(image, name, mode=mode, dtype=one) for one in (None, "uint8")]
                    for other in isa.usable()[1:]:
                        isa.use(other)
                        for kind, one in zip((None, "uint8"), want, strict=True):
                            got = imfilt.compass(image, name, mode=mode, dtype=kind)
                            assert_same_bits(got, one, f"{name} {mode} {other}")
    finally:
        isa.use(before)


def test_bands_strips_and_threads_do_not_change_a_bit(build, photo, monkeypatch):
    image = photo[:70, :90] if build == "numpy" else photo[:150]
    want = imfilt.kirsch(image)
    monkeypatch.setattr(plan, "SERIAL_NS", -1.0)
    for tall, line in ((1, 64), (7, 400)):
        monkeypatch.setattr(plan, "LINE_BYTES", line)
        monkeypatch.setattr(plan, "RING_BYTES", 3000)
        monkeypatch.setattr(
            plan, "_bands", lambda n, *more, tall=tall: tuple((y, min(y + tall, n)) for y in range(0, n, tall))
        )
        plan.forget()
        for n in (1, 3):
            with imfilt.num_threads(n):
                assert_same_bits(imfilt.kirsch(image), want, f"{tall} {n}")
    plan.forget()


def test_out_and_channels():
    image = np.random.default_rng(5).random((8, 9, 3))
    want, direction = imfilt.compass(image, return_direction=True)
    for axis in (0, 1, 2):
        moved = np.ascontiguousarray(np.moveaxis(image, -1, axis))
        got, where = imfilt.compass(moved, return_direction=True, channel_axis=axis)
        assert_same_bits(np.moveaxis(got, axis, -1), want)
        assert_same_bits(np.moveaxis(where, axis, -1), direction)
    out = image.copy()
    got, where = imfilt.compass(out, return_direction=True, out=out)
    assert got is out
    assert_same_bits(got, want)
    assert_same_bits(where, direction)
    eight = np.zeros(image.shape, np.uint8)
    assert imfilt.compass(image, return_direction=True, out=eight)[0] is eight
    assert_same_bits(eight, imfilt.compass(image, dtype=np.uint8))
    for shape in ((0, 4), (4, 0), (3, 3, 0)):
        got, where = imfilt.compass(np.zeros(shape), return_direction=True)
        assert got.shape == where.shape == shape


def test_wrong_arguments_of_compass_leave_out_untouched():
    image = np.random.default_rng(6).random((4, 5))
    for words, options in [
        ("kernel must be one of 'kirsch', 'prewitt', 'robinson3', 'robinson5', not 'sobel'", {"kernel": "sobel"}),
        ("kernel must be one of", {"kernel": np.ones((3, 3))}),
        ("mode must be one of", {"mode": "none"}),
    ]:
        for more in (False, True):
            out = np.full_like(image, 5)
            with pytest.raises(ValueError, match=words):
                imfilt.compass(image, out=out, return_direction=more, **options)
            assert (out == 5).all()
    with pytest.raises(ValueError, match="out must have the shape"):
        imfilt.compass(image, out=np.zeros((5, 4)), return_direction=True)


# ---- gradient --------------------------------------------------------------------


def exact(image, name):
    """Derivatives down and along by scikit-image."""
    if name == "roberts":
        p, n = skf.roberts_pos_diag(image), skf.roberts_neg_diag(image)
        return (p + n) / 2, (p - n) / 2
    return getattr(skf, f"{name}_h")(image), getattr(skf, f"{name}_v")(image)


def assert_angles_within(actual, down, along, bound):
    """Angles as points on a circle; those of short gradients may be anywhere."""
    length = np.hypot(down, along)
    assert_within(np.cos(actual) * length, along, bound)
    assert_within(np.sin(actual) * length, down, bound)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_polar_form_of_scikit_images_derivatives(photo, name, dtype):
    image = photo if dtype == "uint8" else (photo / 255).astype(dtype)
    bound = 1e-14 if dtype == "float64" else 1e-6
    magnitude, orientation = imfilt.gradient(image, name)
    assert magnitude.dtype == orientation.dtype == (np.float64 if dtype == "float64" else np.float32)
    for c in range(3):
        down, along = exact(image[..., c].astype(np.float64) / (255 if dtype == "uint8" else 1), name)
        assert_angles_within(orientation[..., c], down, along, bound)
    assert_within(magnitude, getattr(imfilt, name)(image), bound)
    for gain in ("scikit-image", "unit"):
        assert_within(
            imfilt.gradient(image, name, gain=gain)[0], getattr(imfilt, name)(image, gain=gain), 2 * bound, gain
        )
    assert_same_bits(imfilt.gradient(image, name, gain="scikit-image")[1], orientation)
    assert (np.abs(orientation) <= np.float32(np.pi)).all()


def test_arctan2_itself(photo):
    image = photo[..., 2] / 255
    want = np.arctan2(skf.sobel_h(image), skf.sobel_v(image))
    steep = np.hypot(skf.sobel_h(image), skf.sobel_v(image)) > 0.01
    turned = np.abs(imfilt.gradient(image)[1] - want)
    assert np.minimum(turned, 2 * np.pi - turned)[steep].max() < 1e-12


def test_gradient_as_opencv_has_it(photo):
    cv2 = pytest.importorskip("cv2")
    image = (photo[..., 1] / 255).astype(np.float32)
    along = cv2.Sobel(image, cv2.CV_32F, 1, 0, borderType=cv2.BORDER_REFLECT) / 8
    down = cv2.Sobel(image, cv2.CV_32F, 0, 1, borderType=cv2.BORDER_REFLECT) / 8
    length, angle = cv2.cartToPolar(along, down)  # from 0 to 2 pi, to a few hundredths of a degree
    magnitude, orientation = imfilt.gradient(image, gain="unit")
    assert_within(magnitude, length, 1e-6)
    steep = length > 0.005
    turned = np.abs(np.mod(orientation, 2 * np.pi) - angle)[steep]
    assert np.minimum(turned, 2 * np.pi - turned).max() < 3e-4
    assert np.abs(np.mod(orientation, 2 * np.pi) - cv2.phase(along, down))[steep & (np.abs(down) > 0.001)].max() < 3e-4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 70), (5, 6, 2)])
def test_gradient_on_awkward_shapes(mode, shape):
    image = np.random.default_rng(7).random(shape)
    for name in OPERATORS:
        magnitude, orientation = imfilt.gradient(image, name, mode=mode, cval=0.3)
        assert_within(magnitude, getattr(imfilt, name)(image, mode=mode, cval=0.3), 1e-15, name)
        if name != "roberts":
            h, v = (getattr(imfilt, name + part)(image, mode=mode, cval=0.3) for part in ("_h", "_v"))
            assert_angles_within(orientation, h, v, 1e-15)


def test_flat_images_have_angle_0_and_no_minus_pi():
    for image in (np.full((5, 5), 0.3), np.zeros((5, 5)), np.full((5, 5), -0.0), np.full((5, 5), 7, np.uint8)):
        for name in OPERATORS:
            magnitude, orientation = imfilt.gradient(image, name, preserve_range=True)
            if image[0, 0] != 0.3:
                assert_same_bits(orientation, np.zeros_like(orientation))
                assert not magnitude.any()
    for name in OPERATORS:  # it grows to the left: pi, and not -pi, on every row
        _, orientation = imfilt.gradient(np.repeat([[3.0, 2.0, 1.0, 0.0]], 5, axis=0), name)
        assert (orientation[1:4, 1] == np.pi).all(), name


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("diagonal", [False, True])
def test_polar_loop_has_the_bits_of_its_twin_and_is_right(build, kind, diagonal):
    """For numbers of all magnitudes, near the axes and the diagonals, zeros of both signs, infinity and NaN."""
    rng = np.random.default_rng(13)
    numbers = rng.standard_normal((2, 5000)) * 10.0 ** rng.integers(-25, 25, (2, 5000))
    numbers[0, ::3] = numbers[1, ::3] * (1 + rng.standard_normal(numbers[0, ::3].shape) * 1e-6)
    special = [0.0, -0.0, 1.0, -1.0, 1e-40, 3e38, np.inf, -np.inf, np.nan]
    pairs = np.array([(a, b) for a in special for b in special]).T
    down, along = np.concatenate([numbers, pairs], axis=1).astype(kind)
    angle, length = down.copy(), along.copy()
    isa.core.polar(angle, length, diagonal, 0.7)
    want = down.copy(), along.copy()
    twin.polar(*want, diagonal, 0.7)
    assert_same_bits(angle, want[0])
    assert_same_bits(length, want[1])
    with np.errstate(all="ignore"):
        y, x = (down + along, down - along) if diagonal else (down, along)
        exact = np.arctan2(y.astype(float) + 0.0, x.astype(float) + 0.0)
        norm = np.hypot(y.astype(float), x.astype(float)) * 0.7
    eps = np.finfo(kind).eps
    assert (np.isnan(angle) == np.isnan(exact)).all()
    some = ~np.isnan(exact)
    assert_within(angle[some], exact[some], 4 * eps)
    some &= norm < np.finfo(kind).max / 4
    assert (np.abs(length[some] - norm[some]) <= 3 * eps * norm[some] + np.finfo(kind).smallest_subnormal).all()
    assert np.isinf(length[np.isinf(norm) & ~np.isnan(exact) & (np.isinf(x) | np.isinf(y))]).all()


def test_gradient_bands_do_not_matter(monkeypatch):
    image = np.random.default_rng(8).random((33, 40, 3))
    want = imfilt.gradient(image), imfilt.gradient(np.moveaxis(image, -1, 0), channel_axis=0)
    monkeypatch.setattr(plan, "SERIAL_NS", -1.0)
    for nbytes in (1, 3000, 1 << 30):
        monkeypatch.setattr("imfilt._engine.chain.BAND_BYTES", nbytes)
        got = imfilt.gradient(image), imfilt.gradient(np.moveaxis(image, -1, 0), channel_axis=0)
        for a, b in zip(got, want, strict=True):
            for one, other in zip(a, b, strict=True):
                assert_same_bits(one, other)
                assert one.flags.c_contiguous
    for one, other in zip(*want, strict=True):
        assert_same_bits(np.moveaxis(other, 0, -1), one)


@pytest.mark.parametrize("name", OPERATORS)
def test_gradient_with_weights_and_alpha(name):
    rng = np.random.default_rng(9)
    image, weights = rng.random((14, 15, 4)), rng.random((14, 15))
    weights[rng.random(weights.shape) < 0.3] = 0
    weights[3:9, 3:9] = 0
    magnitude, orientation = imfilt.gradient(image, name, weights=weights)
    want = getattr(imfilt, name)(image, weights=weights)
    assert (np.isnan(magnitude) == np.isnan(want)).all()
    assert (np.isnan(orientation) == np.isnan(want)).all()
    assert_within(np.nan_to_num(magnitude), np.nan_to_num(want), 1e-14)
    for axis in (0, 1, 2):
        image[..., 3] = weights
        got = imfilt.gradient(np.moveaxis(image, -1, axis), name, alpha=True, channel_axis=axis)
        for one, other in zip(got, (magnitude, orientation), strict=True):
            one = np.moveaxis(one, axis, -1)
            assert (one[..., 3] == weights).all()
            known = ~np.isnan(other[..., :3])
            assert_same_bits(one[..., :3][known], other[..., :3][known])


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_of_every_dtype(dtype):
    image = pixels(np.random.default_rng(10), (9, 11), dtype)
    for kind in ("float16", "float32", "float64"):
        magnitude, orientation = imfilt.gradient(image, dtype=kind)
        assert magnitude.dtype == orientation.dtype == kind
        want = imfilt.gradient(image, dtype="float64")
        bound = 4 * np.finfo(kind).eps * max(1, want[0].max())
        assert_within(magnitude, want[0], bound)
        down, along = want[0] * np.sin(want[1]), want[0] * np.cos(want[1])
        assert_angles_within(orientation.astype(float), down, along, 2 * bound)


def test_gradient_into_arrays_of_ones_own():
    image = np.random.default_rng(11).random((7, 9, 4))
    for axis in (0, 2):
        want = imfilt.gradient(image, channel_axis=axis, alpha=True)
        out = np.asfortranarray(np.zeros_like(image)), np.zeros((14, 9, 4))[::2]
        got = imfilt.gradient(image, channel_axis=axis, alpha=True, out=out)
        for a, b, c in zip(got, out, want, strict=True):
            assert a is b
            assert_same_bits(a.copy(order="C"), c)
    single = np.zeros((7, 9, 4), np.float32), np.zeros((7, 9, 4), np.float32)
    assert imfilt.gradient(image, out=single)[0] is single[0]
    assert_within(single[1], imfilt.gradient(image)[1], 1e-6)


def test_wrong_arguments_of_gradient():
    image = np.random.default_rng(12).random((4, 5))
    out = np.full((2, 4, 5), 5.0)
    for error, words, options in [
        (ValueError, "operator must be one of 'sobel', 'scharr', 'prewitt', 'farid', 'roberts'", {"operator": "canny"}),
        (ValueError, "gain must be one of 'scikit-image', 'unit'", {"gain": 2.0}),
        (ValueError, "mode must be one of", {"mode": "none"}),
        (ValueError, "dtype is float32 but out has float64", {"dtype": "float32"}),
        (ValueError, "weights must be finite and not negative", {"weights": -np.ones((4, 5))}),
    ]:
        with pytest.raises(error, match=words):
            imfilt.gradient(image, out=tuple(out), **options)
        assert (out == 5).all()
    with pytest.raises(TypeError, match="dtype must be float16, float32 or float64, not uint8"):
        imfilt.gradient(image, dtype=np.uint8)
    with pytest.raises(TypeError, match="dtype must be float16, float32 or float64, not int32"):
        imfilt.gradient(image, out=(out[0], np.zeros((4, 5), np.int32)))
    assert (out == 5).all()
    with pytest.raises(ValueError, match="share no memory"):
        imfilt.gradient(image, out=(out[0], image))
    for shape in ((0, 4), (4, 0), (3, 3, 0)):
        assert [one.shape for one in imfilt.gradient(np.zeros(shape))] == [shape, shape]
