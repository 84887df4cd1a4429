"""Ways to enlarge a photograph side by side, and what transposed convolution and true deconvolution give back.

python scripts/compare_upscaling.py [PHOTO ...] [--factor N ...] [-o FOLDER] [--crop ROW,COLUMN,SIZE]
"""

import math
from functools import partial
from pathlib import Path

import _figures
import numpy as np
from PIL import Image

import imfilt

DESCRIPTION = """\
Make photographs smaller, enlarge them again by every method of imfilt, Pillow
and scikit-image (and OpenCV and PyTorch, if they are installed), and compare
what comes out with what went in. A table is printed for each photograph, in
Markdown; upscaling.csv has all numbers, upscaling.jpg the pictures."""

LARGEST = 1024  # rows and columns that are measured: some methods take a second for that

EPILOG = f"""\
Photographs are made smaller by the mean over factor x factor pixels; of large
ones it is the {LARGEST} x {LARGEST} pixels around the crop that are taken. What is
measured of the enlarged ones:

  PSNR  peak signal to noise ratio in dB, after clipping to 0 ... 1
  SSIM  structural similarity, by a Gaussian window of 1.5 pixels
  ms    per megapixel of the result, float32, threads as they come; the median
        of calls that take turns. Rough: see benchmarks/ (and Pillow enlarges
        floats one channel after the other)

"ones" is a transposed convolution whose kernel is all ones and a pixel larger
than its stride: pixels get different numbers of taps, hence a checkerboard.

The pictures are of the largest factor. Below them is what `upsample_gain` says
of kernels, and a lens out of focus: every second pixel of its picture is a
convolution with stride 2; conv_transpose2d with the same kernel restores the
shape of that, but not the picture. Deconvolution does: wiener, richardson_lucy.

For example:
  python scripts/{Path(__file__).name}
  python scripts/{Path(__file__).name} one.jpg --factor 2 4 --crop 120,80,96"""

METHODS = (
    "nearest", "bilinear", "bicubic", "bicubic-0.75", "lanczos2", "lanczos3", "lanczos4", "mitchell", "bspline",
)  # fmt: skip
SHOWN = ("nearest", "bilinear", "bspline", "mitchell", "bicubic", "bicubic-0.75", "lanczos3", "lanczos4", "ones")
KERNELS = {
    "ones 3 x 3, stride 2": (np.ones((3, 3)), 2),
    "ones 4 x 4, stride 2": (np.ones((4, 4)), 2),
    "ones 5 x 5, stride 3": (np.ones((5, 5)), 3),
    "random 4 x 4, stride 2": (np.random.default_rng(0).uniform(0, 1, (4, 4)), 2),
    "bilinear x 2": ("bilinear", 2),
    "lanczos3 x 3": ("lanczos3", 3),
}
CROP = 48, 344, 96  # of the default photograph: smooth curves before a texture
# The blur that is undone: a lens out of focus, and the noise of a good camera.
DISC_RADIUS, CAMERA_NOISE = 3.0, 0.002
MARGIN = 32  # pixels around what is shown of it
BALANCE, ITERATIONS = 2e-4, 60


# ── who takes part ───────────────────────────────────────────────────────────────────────────────────────────────────


def ones(image, factor):
    """Transposed convolution with ones: of the brightness of the image on the whole, if not pixel by pixel."""
    side = factor + 1
    kernel = np.full((side, side), (factor / side) ** 2, np.float32)
    channels = 1 if image.ndim == 2 else image.shape[2]
    weight = np.broadcast_to(kernel, (channels, 1, side, side))
    return imfilt.conv_transpose2d(image, weight, stride=factor, groups=channels)[:-1, :-1]


def pillow(resample):
    """Floats channel by channel, which is how Pillow has them."""

    def enlarge(image, factor):
        size = image.shape[1] * factor, image.shape[0] * factor
        planes = [image] if image.ndim == 2 else np.moveaxis(image, -1, 0)
        large = [np.asarray(Image.fromarray(np.ascontiguousarray(one)).resize(size, resample)) for one in planes]
        return large[0] if image.ndim == 2 else np.stack(large, axis=-1)

    return enlarge


def skimage(order):
    from skimage import transform

    def enlarge(image, factor):
        size = image.shape[0] * factor, image.shape[1] * factor
        return transform.resize(image, size, order=order, mode="edge", anti_aliasing=False)

    return enlarge


def opencv(cv2, interpolation):
    return lambda image, factor: cv2.resize(image, None, fx=factor, fy=factor, interpolation=interpolation)


def pytorch(torch, mode):
    def enlarge(image, factor):
        planes = torch.from_numpy(image[..., None] if image.ndim == 2 else image).permute(2, 0, 1)[None]
        large = torch.nn.functional.interpolate(planes, scale_factor=factor, mode=mode)
        return large[0].permute(1, 2, 0).numpy().reshape(*large.shape[2:], *image.shape[2:])

    return enlarge


def contenders(cv2, torch):
    """By library and method: (image, factor) -> larger image."""
    found = {
        ("imfilt", method): lambda image, factor, method=method: imfilt.upscale(image, factor, method)
        for method in METHODS
    }
    found["imfilt", "ones"] = ones
    for name in ("nearest", "bilinear", "bicubic", "lanczos"):
        found["Pillow", name.replace("lanczos", "lanczos3")] = pillow(Image.Resampling[name.upper()])
    for order, name in {0: "nearest", 1: "bilinear", 3: "spline, prefiltered"}.items():
        found["scikit-image", name] = skimage(order)
    if cv2:
        for method, name in {
            "nearest": "NEAREST", "bilinear": "LINEAR", "bicubic-0.75": "CUBIC", "lanczos4": "LANCZOS4",
        }.items():  # fmt: skip
            found["OpenCV", method] = opencv(cv2, getattr(cv2, f"INTER_{name}"))
    if torch:
        for method, mode in {"nearest": "nearest", "bilinear": "bilinear", "bicubic-0.75": "bicubic"}.items():
            found["PyTorch", method] = pytorch(torch, mode)
    return found


# ── measures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def psnr(true, image):
    error = np.mean(np.square(np.clip(image, 0, 1) - true), dtype=np.float64)
    return 10 * math.log10(1 / error) if error else math.inf


def ssim(true, image):
    from skimage.metrics import structural_similarity

    return structural_similarity(
        true, np.clip(image, 0, 1), data_range=1, channel_axis=-1 if true.ndim == 3 else None,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip


def window(photo, square):
    """At most LARGEST rows and columns of a photograph, around a square; and where that is in them."""
    starts = [
        min(max((one.start + one.stop - LARGEST) // 2, 0), max(n - LARGEST, 0))
        for one, n in zip(square, photo.shape, strict=False)
    ]
    part = photo[tuple(slice(start, start + LARGEST) for start in starts)]
    return part, tuple(slice(s.start - start, s.stop - start) for s, start in zip(square, starts, strict=True))


def multiple(photo, factor):
    """The photograph without the last rows and columns, so that the factor divides it."""
    rows, columns = (n // factor * factor for n in photo.shape[:2])
    return np.ascontiguousarray(photo[:rows, :columns])


def compare(photo, factor, found, repeat):
    """PSNR, SSIM and milliseconds of each contender."""
    true = multiple(photo, factor)
    small = imfilt.downscale(true, factor, "area")
    seconds = _figures.medians({key: partial(run, small, factor) for key, run in found.items()}, repeat)
    facts = {}
    for key, run in found.items():
        large = run(small, factor)
        megapixels = true.shape[0] * true.shape[1] / 1e6
        facts[key] = {"PSNR": psnr(true, large), "SSIM": ssim(true, large), "ms": 1e3 * seconds[key] / megapixels}
    return facts


def table(facts):
    """A line for each contender from what is known by factor, columns for each factor."""
    first = next(iter(facts.values()))
    return [
        {"library": library, "method": method}
        | {
            f"{name} x{factor}": value
            for factor, known in facts.items()
            for name, value in known[library, method].items()
        }
        for library, method in first
    ]


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def draw_crops(part, path, photo, factor, square, found):
    """What each method made of a part of the photograph."""
    true = multiple(photo, factor)
    rows, columns = true.shape[:2]
    text = f"{factor} times smaller, and enlarged again; PSNR of {columns} x {rows} pixels"
    _figures.heading(part, path.name, text)
    small = imfilt.downscale(true, factor, "area")
    axes = part.subplots(2, 5).flat
    _figures.picture(next(axes), true[square], "original")
    for method, one in zip(SHOWN, axes, strict=True):
        large = found["imfilt", method](small, factor)
        name = method.replace("ones", f"ones, {factor + 1} x {factor + 1}")
        _figures.picture(one, large[square], f"{name}, {psnr(true, large):.1f} dB")


def draw_gains(part):
    """`upsample_gain` over its mean, as a constant image would look."""
    _figures.heading(
        part, "Checkerboards", "a constant image through a transposed convolution: upsample_gain over its mean"
    )
    axes = part.subplots(1, len(KERNELS))
    for one, (name, (kernel, stride)) in zip(axes, KERNELS.items(), strict=True):
        gain = imfilt.upsample_gain(kernel, stride)
        gain = gain / gain.mean()
        times = 6 // stride
        shown = one.imshow(np.tile(gain, (times, times)), cmap="PuOr_r", vmin=0, vmax=2)
        for (row, column), value in np.ndenumerate(gain):
            colour = "white" if abs(value - 1) > 0.6 else "black"
            one.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
        one.set_title(name, fontsize=9)
        one.set_axis_off()
    part.colorbar(shown, ax=axes, shrink=0.8, ticks=[0, 1, 2])


def restored(photo, square):
    """A part of a photograph, what a blur made of it, and what undoes that, by title."""
    rows, columns = (slice(max(one.start - MARGIN, 0), one.stop + MARGIN) for one in square)
    around = np.ascontiguousarray(photo[rows, columns])
    shown = tuple(slice(s.start - a.start, s.stop - a.start) for s, a in zip(square, (rows, columns), strict=True))
    blurred = imfilt.disk_blur(around, DISC_RADIUS, mode="reflect")
    blurred += np.random.default_rng(0).normal(0, CAMERA_NOISE, blurred.shape).astype(np.float32)
    psf = disc()
    half = blurred[::2, ::2]
    weight = np.broadcast_to(4 * psf, (math.prod(photo.shape[2:]), 1, *psf.shape))  # 4: a quarter of the pixels
    laid = imfilt.conv_transpose2d(
        half, weight, stride=2, groups=len(weight), padding=len(psf) // 2, output_size=around.shape[:2], mode="nearest"
    )
    back = tuple(slice(one.start + MARGIN, one.stop + MARGIN) for one in shown)
    return {
        "original\n": around[shown],
        f"out of focus by\n{DISC_RADIUS:g} px, {{}}": blurred[shown],
        "every second\npixel of that": on_white(half[tuple(slice(s.start // 2, s.stop // 2) for s in shown)]),
        "conv_transpose2d\nof that, {}": laid[shown],
        "out of focus, then\nwiener, {}": imfilt.wiener(mirrored(blurred), psf, BALANCE)[back],
        "or richardson_lucy,\n{}": imfilt.richardson_lucy(mirrored(blurred), psf, ITERATIONS)[back],
    }


def disc():
    """What the lens makes of a point."""
    point = np.zeros((2 * math.ceil(DISC_RADIUS) + 1,) * 2)
    point[len(point) // 2, len(point) // 2] = 1
    return imfilt.disk_blur(point, DISC_RADIUS)


def on_white(image):
    """A picture of half the size in the middle of one of the whole size."""
    rows, columns = image.shape[:2]
    wide = [(rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)] + [(0, 0)] * (image.ndim - 2)
    return np.pad(image, wide, constant_values=1)


def mirrored(image):
    """An image as the period of an endless one, with no border that deconvolution would make ripples of."""
    wide = [(MARGIN, n - MARGIN) for n in image.shape[:2]] + [(0, 0)] * (image.ndim - 2)
    return np.pad(image, wide, "symmetric")


def draw_restored(part, photo, square):
    _figures.heading(
        part, "Transposed convolution restores the shape, deconvolution the picture", "PSNR of what is shown"
    )
    pictures = restored(photo, square)
    true = next(iter(pictures.values()))
    for one, (name, pixels) in zip(part.subplots(1, len(pictures)), pictures.items(), strict=True):
        _figures.picture(one, pixels, name.format(f"{psnr(true, pixels):.1f} dB"))


def draw(measured, found, asked):
    """The whole page: photographs, checkerboards, deconvolution."""
    from matplotlib import rc_context

    factor = asked.factor[-1]
    with rc_context(_figures.STYLE):
        figure, parts = _figures.page([4.55] * len(measured) + [2.1, 2.3])
        for part, (path, (photo, square)) in zip(parts, measured.items(), strict=False):
            draw_crops(part, path, photo, factor, square, found)
        draw_gains(parts[-2])
        draw_restored(parts[-1], *next(iter(measured.values())))
        _figures.save(figure, asked.output, "upscaling.jpg")


def main():
    made = _figures.parser(DESCRIPTION, EPILOG, "upscaling")
    made.add_argument("--factor", metavar="N", nargs="+", type=_figures.whole(2, 64), default=[2, 3, 4],
                      help="whole numbers (default: 2 3 4)")  # fmt: skip
    asked = _figures.arguments(made)
    asked.factor = sorted(set(asked.factor))
    if asked.photos == [_figures.PHOTO]:
        asked.crop = asked.crop or CROP
    measured = {}
    for path in asked.photos:
        photo = _figures.read(path)
        if min(photo.shape[:2]) < 2 * asked.factor[-1]:
            _figures.fail(f"{path}: is too small for factor {asked.factor[-1]}")
        measured[path] = window(photo, _figures.crop(path, photo, asked.crop, 96))
    _figures.make_folder(asked.output)

    cv2, torch = _figures.optional("cv2"), _figures.optional("torch")
    _figures.say_missing({"OpenCV": cv2, "PyTorch": torch})
    found, rows = contenders(cv2, torch), []
    forms = {"PSNR": ".2f", "SSIM": ".3f", "ms": ".1f"}
    columns = {"library": "", "method": ""}
    columns |= {f"{name} x{factor}": form for factor in asked.factor for name, form in forms.items()}
    for path, (photo, _) in measured.items():
        lines = table({factor: compare(photo, factor, found, asked.repeat) for factor in asked.factor})
        print(f"{path.name}: {photo.shape[1]} x {photo.shape[0]} pixels\n\n{_figures.markdown(columns, lines)}\n")
        rows += [{"photo": path.name} | line for line in lines]
    _figures.write_table(asked.output, "upscaling.csv", rows)
    draw(measured, found, asked)


if __name__ == "__main__":
    _figures.run(main)
