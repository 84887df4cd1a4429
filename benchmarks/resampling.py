"""Upscaling and downscaling, imfilt beside its peers, alternating in one process.

    python -m benchmarks.resampling                   everything (about ten minutes)
    python -m benchmarks.resampling --rows bicubic --heights 540 --threads 1

Sizes are those of the source. Results are checked to agree before they are timed, up to the border where peers treat
it in another way. imfilt and OpenCV reuse their result; Pillow, PyTorch and scikit-image make a new one each time, as
they cannot do otherwise. The copy moves as many bytes as source and result together.
"""

import re
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as functional
from PIL import Image
from skimage.transform import rescale

import imfilt
from benchmarks import common, machine

HEIGHTS = {"64": (64, 64), "540": (540, 960), "1080": (1080, 1920)}
OPENCV = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic-0.75": cv2.INTER_CUBIC,
          "lanczos4": cv2.INTER_LANCZOS4}  # fmt: skip
PILLOW = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR,
          "bicubic": Image.Resampling.BICUBIC, "lanczos3": Image.Resampling.LANCZOS}  # fmt: skip
TORCH = {"nearest": "nearest-exact", "bilinear": "bilinear", "bicubic-0.75": "bicubic"}
SKIMAGE = {"nearest": 0, "bilinear": 1}
# The methods of which at least one peer has the same.
METHODS = ("nearest", "bilinear", "bicubic", "bicubic-0.75", "lanczos3", "lanczos4")


@dataclass
class Row:
    name: str
    method: str
    factor: int
    down: bool = False

    def size(self, image):
        rows, columns = image.shape[:2]
        return (
            (rows // self.factor, columns // self.factor) if self.down else (rows * self.factor, columns * self.factor)
        )

    def ours(self, image, out):
        function = imfilt.downscale if self.down else imfilt.upscale
        return function(image, self.factor, self.method, out=out)


def opencv(row, image):
    flag = {"area": cv2.INTER_AREA}.get(row.method) if row.down else OPENCV.get(row.method)
    if flag is None:
        return None
    rows, columns = row.size(image)
    out = np.empty((rows, columns, *image.shape[2:]), image.dtype)
    return lambda: cv2.resize(image, (columns, rows), dst=out, interpolation=flag)


def pillow(row, image):
    method = Image.Resampling.BOX if row.method == "area" else PILLOW.get(row.method)
    if method is None or (image.ndim == 3 and image.dtype != np.uint8):
        return None
    rows, columns = row.size(image)
    picture = Image.fromarray(image)
    return lambda: picture.resize((columns, rows), method)


def pytorch(row, image):
    mode = {"bicubic": "bicubic", "bilinear": "bilinear"}.get(row.method) if row.down else TORCH.get(row.method)
    # Its uint8 is for bilinear and bicubic, channels last.
    if mode is None or (image.dtype == np.uint8 and row.method == "nearest"):
        return None
    last = image if image.ndim == 3 else image[..., None]
    tensor = torch.from_numpy(last).permute(2, 0, 1)[None]
    options = {} if mode == "nearest-exact" else {"align_corners": False, "antialias": row.down}
    return lambda: functional.interpolate(tensor, row.size(image), mode=mode, **options)


def scikit_image(row, image):
    order = None if row.down else SKIMAGE.get(row.method)
    if order is None:
        return None
    axis = -1 if image.ndim == 3 else None
    return lambda: rescale(image, row.factor, order, mode="edge", channel_axis=axis, preserve_range=True)


PEERS = {"OpenCV": opencv, "Pillow": pillow, "PyTorch": pytorch, "scikit-image": scikit_image}


def same(name, row, theirs, out):
    """Ours and theirs where both have the same border, as arrays of one layout."""
    theirs = theirs[0].permute(1, 2, 0).numpy() if isinstance(theirs, torch.Tensor) else np.asarray(theirs)
    cut = 0
    if (name == "Pillow" and row.method != "nearest") or row.down:  # which lets the kernel end at the border
        cut = 4 if row.down else 4 * row.factor
    inside = np.s_[cut : out.shape[0] - cut, cut : out.shape[1] - cut]
    return out[inside], theirs.reshape(out.shape)[inside]


def measure(row, image, threads, options):
    out = np.zeros((*row.size(image), *image.shape[2:]), image.dtype)
    contenders, differences = {"imfilt": lambda: row.ours(image, out)}, {}
    span = 255 if image.dtype == np.uint8 else 1
    torch.set_num_threads(threads)
    with common.limited(threads):
        row.ours(image, out)
        for name, make in PEERS.items():
            call = make(row, image)
            if call is None:
                continue
            mine, theirs = same(name, row, call(), out)
            # OpenCV's and Pillow's weights for bytes are rounded, and Pillow and PyTorch saturate between two passes.
            tolerance = 16 / 255 if image.dtype == np.uint8 else 1e-3
            differences[name] = common.agree(row.name, name, mine, theirs, span, tolerance)
            contenders[name] = call
        if not differences:
            return None  # there is no peer for this
        nbytes = image.nbytes + out.nbytes
        contenders["copy"] = machine.copier(nbytes, threads)
        seconds = machine.alternate(contenders, options.budget)
    return {
        "row": row.name, "rows": image.shape[0], "columns": image.shape[1], "channels": (image.ndim == 3 and 3) or 1,
        "dtype": image.dtype.name, "threads": threads, **common.rated(seconds, differences),
        "differences": differences, "of copy": seconds["copy"] / seconds["imfilt"],
        "GB/s": nbytes / seconds["imfilt"] * 1e-9,
    }  # fmt: skip


def show(line):
    s = line["seconds"]
    print(
        f"{line['row']:24} {line['columns']:4}x{line['rows']:<4} {'RGB ' if line['channels'] == 3 else 'grey'} "
        f"{line['dtype']:7} {line['threads']} thr  {s['imfilt'] * 1e3:9.4f} ms  {line['ratio']:6.2f}x "
        f"{line['fastest peer']:12} {s[line['fastest peer']] * 1e3:9.4f} ms  {line['GB/s']:6.1f} GB/s "
        f"{line['of copy'] * 100:4.0f} % of copy",
        flush=True,
    )


def rows():
    for factor in (2, 3, 4):
        for method in METHODS:
            yield Row(f"x{factor} {method}", method, factor)
    for method in ("area", "bilinear", "bicubic", "lanczos3"):
        yield Row(f"/2 {method}", method, 2, down=True)


def main():
    parser = common.parser("benchmarks.resampling", __doc__, "build/benchmarks-resampling.json")
    common.add_budget(parser)
    parser.add_argument("--heights", nargs="+", choices=HEIGHTS, default=["64", "540"], help="of the source")
    parser.add_argument("--dtypes", nargs="+", choices=("uint8", "float32"), default=["uint8", "float32"])
    options = parser.parse_args()
    facts = machine.facts()
    print(f"{facts['cpu']}, {facts['cores']} cores; core build {facts['imfilt']['build']}; {facts['versions']}\n")
    lines = []
    for row in rows():
        if not re.search(options.rows, row.name):
            continue
        for height in options.heights:
            for dtype, channels in (("uint8", 3), ("float32", 1), ("float32", 3)):
                if dtype not in options.dtypes:
                    continue
                image = common.photograph(HEIGHTS[height], dtype, channels)
                for threads in options.threads:
                    line = measure(row, image, threads, options)
                    if line is not None:
                        lines.append(line)
                        show(line)
    common.summary(lines, show)
    common.write(options.output, lines)


if __name__ == "__main__":
    main()
