"""Edge detectors side by side, at equal gain: on photographs, and on edges whose place and direction are known.

python scripts/compare_edges.py [PHOTO ...] [-o FOLDER] [--sigma S] [--noise S ...]
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import _figures
import numpy as np

import imfilt
from imfilt import kernels

DESCRIPTION = """\
Compare imfilt's edge detectors with each other, and with scikit-image's (and
OpenCV's, if it is installed). All gradient detectors are brought to equal gain:
they answer a ramp that rises by 1 a pixel with 1. Two tables are printed, in
Markdown; edges.csv has all their numbers, edges.jpg the pictures."""

CANNY_SLOPES = 0.02, 0.05  # per pixel: its thresholds

EPILOG = f"""\
What is measured, on edges from 0 to 1, sharp ones (each pixel the mean of its
area) and soft ones (blurred by a Gaussian of 1 pixel, as by a lens):

  gain            the answer to a ramp of slope 1, before it is divided out
  rotation error  the largest answer to a straight edge, of all its directions,
                  less the smallest, over the mean. An answer is the mean over
                  the pixels within half a pixel of the edge, for eight places
                  of it between pixels
  angle error     of the gradient's direction, RMS, at the same pixels
  noise answer    RMS answer to nothing but noise of standard deviation 1
  edge / noise    mean answer to a soft edge over the noise answer
  off by          how far the ridge of the answer lies from the edge of a soft
                  disc: pixels, RMS. It is looked for 3 pixels to both sides.
                  LoG and DoG: their zero crossings. canny: its whole pixels
  ms              per megapixel, float32, threads as they come; the median of
                  calls that take turns. Rough: see benchmarks/
  differs         the largest difference from the peer's answer at equal gain,
                  on all photographs; for canny the part of the pixels that
                  differ. The peer of gaussian and LoG is SciPy

The pictures show LoG's zero crossings where the gaussian detector answers
{CANNY_SLOPES[1]:g} or more; canny's thresholds are slopes of {CANNY_SLOPES[0]:g} and {CANNY_SLOPES[1]:g}.

For example:
  python scripts/{Path(__file__).name}
  python scripts/{Path(__file__).name} one.jpg two.tif --noise 0.02 0.1 -o out"""

ANGLES = np.radians(np.arange(0, 360, 3.75))
PHASES = 8  # places of a straight edge between pixels
SOFT = 1.0  # pixels
SIDE, REACH = 49, 16  # of the image of a straight edge, and how far from its middle it is looked at
RADIUS = 120.4
LOOKED_FOR = 3.0  # pixels on both sides of the true edge
TRIES = 4  # images with different noise
SHOWN_SLOPE = 0.3  # per pixel: black
CANNY_GAIN = 8  # its derivatives are not divided by the sum of their taps
OPERATORS = ("roberts", "prewitt", "sobel", "scharr", "farid")


@dataclass
class Detector:
    """A detector, and who else has it.

    `answer` makes a magnitude, or with `kind` "crossing" what is 0 on edges, or with "line" what is true there. It
    belongs to a place `shift` pixels further down and to the right than its pixel. `angle` is the direction of the
    gradient.
    """

    name: str
    answer: Callable
    kind: str = "ridge"
    angle: Callable | None = None
    shift: float = 0.0
    peers: dict[str, Callable] = field(default_factory=dict)


# ── who takes part ───────────────────────────────────────────────────────────────────────────────────────────────────


def detectors(sigma, cv2):
    """All of them; `cv2` is OpenCV or None."""
    from scipy import ndimage
    from skimage import feature, filters

    opencv = opencv_gradients(sigma, cv2) if cv2 else {}
    found = [
        Detector(
            name, partial(getattr(imfilt, name), gain="unit"),
            angle=lambda image, name=name: imfilt.gradient(image, name)[1], shift=0.5 if name == "roberts" else 0.0,
            peers={"scikit-image": getattr(filters, name), **opencv.get(name, {})},
        )
        for name in OPERATORS
    ]  # fmt: skip
    found += [
        Detector("kirsch", imfilt.kirsch),
        Detector(
            "gaussian", lambda image: np.hypot(*gaussian_gradient(image, sigma)),
            angle=lambda image: np.arctan2(*gaussian_gradient(image, sigma)),
            peers={"scikit-image": partial(ndimage.gaussian_gradient_magnitude, sigma=sigma, mode="nearest"),
                   **opencv.get("gaussian", {})},
        ),
        Detector(
            "LoG", partial(imfilt.gaussian_laplace, sigma=sigma), "crossing",
            peers={"scikit-image": partial(ndimage.gaussian_laplace, sigma=sigma)},
        ),
        Detector(
            "DoG", lambda image: -imfilt.difference_of_gaussians(image, sigma), "crossing",
            peers={"scikit-image": lambda image: -filters.difference_of_gaussians(image, sigma)},
        ),
        Detector(
            "canny", canny_by(imfilt.canny, sigma), "line", peers={"scikit-image": canny_by(feature.canny, sigma)},
        ),
    ]  # fmt: skip
    if cv2:
        found[-1].peers["OpenCV"] = opencv_canny(sigma, cv2)
    return found


def gaussian_gradient(image, sigma):
    """Derivatives of a Gaussian, down the rows and along them."""
    return imfilt.gaussian(image, sigma, order=(1, 0)), imfilt.gaussian(image, sigma, order=(0, 1))


def canny_by(function, sigma):
    low, high = (CANNY_GAIN * slope for slope in CANNY_SLOPES)
    return lambda image: function(image, sigma, low_threshold=low, high_threshold=high)


def opencv_gradients(sigma, cv2):
    """Magnitudes by name, each as the peer of a detector: two derivatives, and their length."""
    border = cv2.BORDER_REFLECT
    cross = [np.array(taps, np.float32) for taps in ([[-1, 0], [0, 1]], [[0, -1], [1, 0]])]

    def named(function):
        return lambda image, down: function(image, cv2.CV_32F, 1 - down, down, borderType=border)

    def roberts(image, down):
        return cv2.filter2D(image, cv2.CV_32F, cross[down], anchor=(0, 0), borderType=border)

    def separable(smooth, difference, border=border):
        smooth, difference = (np.array(taps, np.float32) for taps in (smooth, difference))

        def derive(image, down):
            row, column = (smooth, difference) if down else (difference, smooth)
            return cv2.sepFilter2D(image, cv2.CV_32F, row, column, borderType=border)

        return derive

    derivatives = {
        "roberts": roberts,
        "prewitt": separable(*kernels.PREWITT[:2]),
        "sobel": named(cv2.Sobel),
        "scharr": named(cv2.Scharr),
        "farid": separable(*kernels.FARID[:2]),
        "gaussian": separable(kernels.gaussian(sigma), kernels.gaussian(sigma, order=1), cv2.BORDER_REPLICATE),
    }
    return {
        name: {"OpenCV": lambda image, derive=derive: cv2.magnitude(derive(image, 0), derive(image, 1))}
        for name, derive in derivatives.items()
    }


def opencv_canny(sigma, cv2):
    """On bytes, the only type that it takes."""
    size = 2 * int(4 * sigma + 0.5) + 1
    low, high = (CANNY_GAIN * 255 * slope for slope in CANNY_SLOPES)

    def answer(image):
        levels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
        smooth = cv2.GaussianBlur(levels, (size, size), sigma, borderType=cv2.BORDER_REFLECT)
        return cv2.Canny(smooth, low, high, L2gradient=True) > 0

    return answer


# ── edges that are known ─────────────────────────────────────────────────────────────────────────────────────────────


def covered(distance, along, down):
    """The part of a pixel that lies beyond a straight edge.

    The pixel's centre lies `distance` beyond it, and (along, down) is the edge's normal, of length 1. A pixel seen
    along the edge is a trapezium; this is its integral.
    """
    a, b = (np.maximum(np.abs(one), 1e-6) for one in (along, down))
    wide, narrow = (a + b) / 2, (a - b) / 2
    squares = [np.maximum(distance + one, 0) ** 2 for one in (wide, narrow, -narrow, -wide)]
    return (squares[0] - squares[1] - squares[2] + squares[3]) / (2 * a * b)


def soft(image, blur):
    return imfilt.gaussian(image, blur) if blur else image


def distances(angle, shift=0.0):
    """How far pixels lie beyond a straight edge: (SIDE, SIDE, PHASES), its places between pixels as channels."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2 + shift
    places = (np.arange(PHASES) + 0.5) / PHASES - 0.5
    return (x * math.cos(angle) + y * math.sin(angle))[..., None] - places


def steps(blur):
    """(angle, image) for straight edges all around; the image grows in the direction of the angle."""
    return [
        (angle, soft(covered(distances(angle), math.cos(angle), math.sin(angle)), blur)) for angle in ANGLES
    ]  # fmt: skip


def on_edge(angle, shift):
    """Which pixels a straight edge goes through, far from the border of the image."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    return (np.abs(distances(angle, shift)) <= 0.5) & (np.hypot(x, y) <= REACH)[..., None]


class Disc:
    """A soft white disc that no pixel is the centre of, and where its edge is."""

    def __init__(self):
        side = 2 * int(RADIUS) + 41
        self.centre = side / 2 + 0.23, side / 2 - 0.39
        y, x = np.mgrid[:side, :side]
        y, x = y - self.centre[0], x - self.centre[1]
        self.beyond = np.hypot(y, x) - RADIUS
        # Its rim is all but straight within a pixel: the areas are right to 1 / (8 RADIUS).
        self.image = soft(covered(-self.beyond, x / np.hypot(y, x), y / np.hypot(y, x)), SOFT)
        self.pace = 0.02
        self.across = np.arange(-LOOKED_FOR, LOOKED_FOR + self.pace / 2, self.pace)

    def noisy(self, noise):
        rng = np.random.default_rng(0)
        return [self.image + rng.normal(0, noise, self.image.shape) for _ in range(TRIES if noise else 1)]

    def _rays(self, answer, shift):
        """The answer across the edge, all around, outwards: (directions, places)."""
        from scipy import ndimage

        turn = np.radians(np.arange(360))[:, None]
        away = RADIUS + self.across
        places = [c + one(turn) * away - shift for c, one in zip(self.centre, (np.sin, np.cos), strict=True)]
        return ndimage.map_coordinates(answer, places, order=3)

    def errors(self, detector, image):
        """How far from the edge it is found, in pixels."""
        answer = detector.answer(image)
        if detector.kind == "line":
            return self.beyond[answer & (np.abs(self.beyond) <= LOOKED_FOR)]
        rays = self._rays(answer, detector.shift)
        if detector.kind == "ridge":
            return self.across[rays.argmax(axis=1)]
        # From white to black second derivatives go from below 0 to above, where the slope is largest.
        before, after = rays[:, :-1], rays[:, 1:]
        jump = np.where((before <= 0) & (after > 0), after - before, 0)
        ray, place = np.arange(len(rays)), jump.argmax(axis=1)
        part = -before[ray, place] / np.where(jump > 0, jump, 1)[ray, place]
        return np.where(jump.max(axis=1) > 0, self.across[place] + part * self.pace, LOOKED_FOR)


# ── measures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def gain(answer):
    """The answer to a ramp that rises by 1 a pixel."""
    side = 65
    ramp = np.broadcast_to(np.arange(side, dtype=np.float32), (side, side)).copy()
    return float(answer(ramp)[side // 2, side // 2])


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def spread(values):
    """In percent."""
    return 100 * float(np.ptp(values) / np.mean(values))


def around(detector, scenes):
    """The answer on an edge for each of its directions, at unit gain."""
    unit = gain(detector.answer)
    return np.array([detector.answer(image)[on_edge(angle, detector.shift)].mean() / unit for angle, image in scenes])


def angle_errors(detector, scenes):
    """In degrees, over all directions."""
    wrong = [detector.angle(image)[on_edge(angle, detector.shift)] - angle for angle, image in scenes]
    return np.degrees(np.angle(np.exp(1j * np.concatenate(wrong))))


def measure(detector, scenes, disc, noises):
    """What is known of a detector by itself, and its answers by direction: to sharp and to soft edges."""
    facts, turned = {"detector": detector.name}, None
    if detector.kind == "ridge":
        turned = [around(detector, scenes[blur]) for blur in (0, SOFT)]
        facts["gain"] = gain(detector.answer)
        facts["rotation error, sharp %"], facts["rotation error, soft %"] = map(spread, turned)
        if detector.angle:
            facts["angle error, sharp deg"], facts["angle error, soft deg"] = (
                rms(angle_errors(detector, scenes[blur])) for blur in (0, SOFT)
            )
        noise = np.random.default_rng(0).normal(0, 1, (256, 256))
        facts["noise answer"] = rms(detector.answer(noise)) / facts["gain"]
        facts["edge / noise"] = turned[1].mean() / facts["noise answer"]
    for noise in noises:
        found = [disc.errors(detector, image) for image in disc.noisy(noise)]
        facts[off_by(noise)] = rms(np.concatenate(found))
    return facts, turned


def off_by(noise):
    return f"off by, noise {noise:g}" if noise else "off by px"


def compare(detector, photos, repeat):
    """Times of a detector and its peers, and how far they differ."""
    tile = photos[0]
    tile = np.tile(tile, [math.ceil(1000 / n) for n in tile.shape])[:1000, :1000].copy()
    contenders = {"imfilt": detector.answer, **detector.peers}
    seconds = _figures.medians({name: partial(run, tile) for name, run in contenders.items()}, repeat)
    facts = {f"{name} ms": 1e9 * one / tile.size for name, one in seconds.items()}
    for name, answer in detector.peers.items():
        facts[f"differs from {name}"] = max(difference(detector, answer, photo) for photo in photos)
    return facts


def difference(detector, peer, photo):
    ours, theirs = detector.answer(photo), peer(photo)
    if detector.kind == "line":
        return float((ours != theirs).mean())
    units = [gain(one) if detector.kind == "ridge" else 1.0 for one in (detector.answer, peer)]
    return float(np.abs(ours / units[0] - theirs / units[1]).max())


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def shown(detector, grey, sigma):
    """Slopes per pixel, from detectors of lines and crossings that of a full answer on edges."""
    if detector.kind == "ridge":
        return detector.answer(grey) / gain(detector.answer)
    if detector.kind == "line":
        return detector.answer(grey) * SHOWN_SLOPE
    # Where the sign changes to the next pixel; in flat places it changes with the noise.
    sign = detector.answer(grey) > 0
    edge = (np.diff(sign, axis=0, append=sign[-1:]) | np.diff(sign, axis=1, append=sign[:, -1:])) > 0
    return (edge & (np.hypot(*gaussian_gradient(grey, sigma)) >= CANNY_SLOPES[1])) * SHOWN_SLOPE


TITLES = {
    "roberts": "Roberts", "prewitt": "Prewitt", "sobel": "Sobel", "scharr": "Scharr", "farid": "Farid",
    "kirsch": "Kirsch", "gaussian": "Gaussian, {0:g} px", "LoG": "LoG, {0:g} px",
    "DoG": "DoG, {0:g} px", "canny": "Canny, {0:g} px",
}  # fmt: skip


def draw_photo(part, path, photo, square, found, sigma):
    text = f"slope per pixel at equal gain, on one scale: white 0, black {SHOWN_SLOPE:g}; LoG and Canny draw lines"
    _figures.heading(part, path.name, text)
    grey, axes = _figures.luminance(photo), part.subplots(2, 5).flat
    _figures.picture(next(axes), photo[square], "photograph")
    for detector, one in zip([d for d in found if d.name != "DoG"], axes, strict=True):
        answer = SHOWN_SLOPE - np.minimum(shown(detector, grey, sigma)[square], SHOWN_SLOPE)
        _figures.picture(one, answer, TITLES[detector.name].format(sigma), SHOWN_SLOPE)


def draw_polars(part, turned, facts, sigma):
    """Answers over their means: a detector that no direction is special to draws a circle."""
    _figures.heading(
        part, "Answer by direction of the edge",
        "rings 10 % apart; sharp edges and soft ones, and how much their answers vary",
    )  # fmt: skip
    axes = part.subplots(1, len(turned), subplot_kw={"projection": "polar"})
    closed = np.append(ANGLES, 2 * np.pi)
    looks = ("sharp", _figures.ORANGE, "-"), ("soft", _figures.BLUE, "--")
    for one, (name, answers), row in zip(axes, turned.items(), facts, strict=False):
        for place, (answer, (kind, colour, line)) in enumerate(zip(answers, looks, strict=True)):
            one.plot(closed, np.append(answer, answer[0]) / answer.mean(), color=colour, lw=1.6, ls=line)
            text = f"{kind} {row[f'rotation error, {kind} %']:.1f} %"
            one.text(0.5, -0.06 - 0.16 * place, text, color=colour, ha="center", va="top", transform=one.transAxes)
        one.set_anchor("N")  # what is below is not seen by the layout
        one.set_ylim(0.6, 1.12)
        one.set_yticks([0.7, 0.8, 0.9, 1.0, 1.1], [])
        one.set_xticks(np.radians(np.arange(0, 360, 45)), [])
        one.grid(lw=0.4)
        one.spines["polar"].set_visible(False)
        one.set_title(TITLES[name].format(sigma), pad=2)


def draw_noise(part, facts, noises, sigma):
    """A plot of dots and one of bars, a line for each detector."""
    _figures.heading(part, "Noise", f"edges from 0 to 1 that are soft by {SOFT:g} pixel")
    places = np.arange(len(facts))[::-1]
    left, right = part.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for noise, colour in zip(noises, noise_colours(len(noises)), strict=True):
        left.plot([row[off_by(noise)] for row in facts], places, "o", color=colour, ms=6, label=f"{noise:g}")
    left.legend(title="noise, std", frameon=False, loc="lower right")
    left.set_xlabel("how far from its place the edge is found: pixels, RMS")
    right.set_xlabel("answer to an edge over answer to noise of std 1")
    for place, row in zip(places, facts, strict=True):
        answer = row.get("edge / noise")
        if answer is None:
            right.text(0, place, " has no magnitude", va="center", color=_figures.GREY)
        else:
            right.barh(place, answer, 0.6, color=_figures.BLUE)
            right.text(answer, place, f" {answer:.2f}", va="center")
    left.set_yticks(places, [TITLES[row["detector"]].format(sigma) for row in facts])
    right.tick_params(left=False)
    left.grid(axis="x", lw=0.4)
    left.set_axisbelow(True)
    left.set_xlim(0)
    right.margins(x=0.15)


def noise_colours(count):
    from matplotlib import colormaps

    return [colormaps["viridis"](place) for place in np.linspace(0, 0.9, count)]


def draw(photos, squares, found, facts, turned, asked, noises):
    """The whole page: photographs, polar plots, dots."""
    from matplotlib import rc_context

    with rc_context(_figures.STYLE):
        figure, parts = _figures.page([4.55] * len(photos) + [2.4, 3.3])
        for part, (path, photo) in zip(parts, photos.items(), strict=False):
            draw_photo(part, path, photo, squares[path], found, asked.sigma)
        draw_polars(parts[-2], turned, facts, asked.sigma)
        draw_noise(parts[-1], facts, noises, asked.sigma)
        _figures.save(figure, asked.output, "edges.jpg")


def main():
    made = _figures.parser(DESCRIPTION, EPILOG, "edges")
    made.add_argument("--sigma", metavar="S", type=_figures.positive(10), default=1.0,
                      help="pixels, of gaussian, LoG, DoG, canny (default: %(default)s)")  # fmt: skip
    made.add_argument("--noise", metavar="S", nargs="+", type=_figures.positive(10), default=[0.05, 0.1, 0.2],
                      help="on the disc, standard deviations (default: 0.05 0.1 0.2)")  # fmt: skip
    asked = _figures.arguments(made)
    photos = {path: _figures.read(path) for path in asked.photos}
    squares = {path: _figures.crop(path, photo, asked.crop, 128) for path, photo in photos.items()}
    _figures.make_folder(asked.output)

    cv2 = _figures.optional("cv2")
    _figures.say_missing({"OpenCV": cv2})
    found, noises = detectors(asked.sigma, cv2), [0.0, *sorted(set(asked.noise))]
    scenes, disc = {blur: steps(blur) for blur in (0, SOFT)}, Disc()
    greys = [_figures.luminance(photo) for photo in photos.values()]
    facts, turned = [], {}
    for detector in found:
        known, answers = measure(detector, scenes, disc, noises)
        if answers:
            turned[detector.name] = answers
        facts.append(known | compare(detector, greys, asked.repeat))
    print_tables(facts, noises, ["imfilt", "scikit-image", *["OpenCV"] * bool(cv2)])
    _figures.write_table(asked.output, "edges.csv", facts)
    draw(photos, squares, found, facts, turned, asked, noises)


def print_tables(facts, noises, libraries):
    known = {
        "detector": "", "gain": ".4f", "rotation error, sharp %": ".1f", "rotation error, soft %": ".1f",
        "angle error, sharp deg": ".2f", "angle error, soft deg": ".2f", "noise answer": ".3f", "edge / noise": ".2f",
        **{off_by(noise): ".3f" for noise in noises},
    }  # fmt: skip
    beside = {f"{name} ms": ".1f" for name in libraries} | {f"differs from {name}": ".1e" for name in libraries[1:]}
    for columns in (known, {"detector": "", **beside}):
        print(_figures.markdown(columns, facts), end="\n\n")


if __name__ == "__main__":
    _figures.run(main)
