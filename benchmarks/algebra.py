"""One command: the convolution algebra, imfilt beside its peers, alternating in one process.

    python -m benchmarks.algebra                       everything (about ten minutes)
    python -m benchmarks.algebra --rows '^conv2d|15x15' --threads 1

Results are checked to agree before they are timed. imfilt, OpenCV, SciPy's ndimage and NumPy
write into the same result every time. PyTorch and SciPy's transforms cannot: they find the
memory of their last result again, since freed memory is kept (machine.recycled_memory).
Channels-last and channels-first PyTorch are two contenders, each with the image as it likes it.

Where channels are mixed or taps are many, a line tells GFLOP/s and what part that is of this
machine's multiply-adds, measured in the same run: those of a compiled loop that waits for
nothing, or, without a compiler, those of a matrix product. The plan "direct" multiplies and adds
apart, and cannot exceed half of it. Elsewhere a line tells GB/s and what part that is of a plain
copy of the same bytes, on as many threads.

PyTorch is not a package of the extra `bench`; without it its contenders are left out:

    pip install torch --index-url https://download.pytorch.org/whl/cpu
"""

import re
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import prod

import cv2
import numpy as np
import scipy.fft
import scipy.ndimage as ndi
import scipy.signal
from skimage.filters import gabor_kernel

import imfilt
from benchmarks import common, machine
from imfilt import shapes

try:
    import torch
    import torch.nn.functional as nn
except ImportError:
    torch = None

TOLERANCE = 1e-5  # of the largest result
HD, UHD = (1080, 1920), (2160, 3840)
BORDERS = {"reflect": cv2.BORDER_REFLECT, "constant": cv2.BORDER_CONSTANT}
BILINEAR = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype("f4") / 16


@dataclass
class Row:
    name: str
    shape: tuple  # of the image
    result: tuple
    ours: callable  # (image, out) -> result
    peers: dict  # name: make(image) -> callable
    macs: int = 0  # 0: memory decides
    kernel: np.ndarray | None = None  # of correlate, whose plan decides about the multiply-adds


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype="f4")


def picture(shape):
    return common.photograph(shape, "float32", 1) if len(shape) == 2 else normal(*shape)


def pytorch(channels, function, *weights):
    """function(image, *weights) on tensors, in PyTorch's two layouts (which are one for one channel)."""
    if torch is None:
        return {}

    def contender(layout):
        def make(image):
            pixels = torch.from_numpy(image.reshape(*image.shape[:2], -1)).permute(2, 0, 1)[None]
            # PyTorch's own memory is aligned, a NumPy array's is not: oneDNN is slow on that.
            tensor = torch.empty(pixels.shape, memory_format=layout).copy_(pixels)
            tensors = [torch.from_numpy(weight).clone() for weight in weights]
            return lambda: function(tensor, *tensors)

        return make

    if channels == 1:
        return {"PyTorch": contender(torch.contiguous_format)}
    return {
        "PyTorch channels last": contender(torch.channels_last),
        "PyTorch channels first": contender(torch.contiguous_format),
    }


def pixels_of(result, shape):
    """A contender's result as an array like imfilt's."""
    if torch and isinstance(result, torch.Tensor):
        result = result[0].permute(1, 2, 0).numpy()
    return result.reshape(shape)


def filter2d(kernel, mode):
    def make(image):
        taps, out = kernel.astype("f4"), np.empty_like(image)
        return lambda: cv2.filter2D(image, -1, taps, dst=out, borderType=BORDERS[mode])

    return make


def filter2d_planes(weight):
    """OpenCV has no depthwise filter: the planes one by one."""

    def make(image):
        planes, results = ([np.empty(image.shape[:2], "f4") for _ in weight] for _ in range(2))
        out = np.empty_like(image)

        def run():
            cv2.split(image, planes)
            for plane, kernel, result in zip(planes, weight, results, strict=True):
                cv2.filter2D(plane, -1, kernel, dst=result, borderType=cv2.BORDER_CONSTANT)
            return cv2.merge(results, out)

        return run

    return make


def sep_filter2d(column, row):
    def make(image):
        out = np.empty_like(image)
        return lambda: cv2.sepFilter2D(image, -1, row, column, dst=out, borderType=cv2.BORDER_REFLECT)

    return make


def resize(image):
    size = 2 * image.shape[1], 2 * image.shape[0]
    out = np.empty((*size[::-1], *image.shape[2:]), "f4")
    return lambda: cv2.resize(image, size, dst=out, interpolation=cv2.INTER_LINEAR)


def scipy_correlate(kernel, mode):
    def make(image):
        out = np.empty_like(image)
        return lambda: ndi.correlate(image, kernel, out, mode)

    return make


def transform(convolve, kernel):
    turned, around = kernel[::-1, ::-1].astype("f4"), len(kernel) // 2

    def make(image):
        return lambda: convolve(np.pad(image, around, mode="symmetric"), turned, mode="valid")

    return make


def matmul(weight):
    def make(image):
        out = np.empty((*image.shape[:2], len(weight)), "f4")
        pixels, results = image.reshape(-1, image.shape[2]), out.reshape(-1, len(weight))
        return lambda: np.matmul(pixels, weight.T, out=results)

    return make


def conv2d(size, taken, made, stride=1):
    weight, options = normal(made, taken, 3, 3), {"stride": stride, "padding": 1}
    operation = shapes.conv2d((*size, taken), weight.shape, **options)
    return Row(
        f"conv2d 3x3 {taken}->{made}" + f" stride {stride}" * (stride > 1), operation.input, operation.output,
        lambda image, out: imfilt.conv2d(image, weight, out=out, **options),
        pytorch(taken, lambda x, w: nn.conv2d(x, w, **options), weight), operation.macs,
    )  # fmt: skip


def pointwise(size, taken, made):
    weight = normal(made, taken)
    operation = shapes.pointwise_conv2d((*size, taken), weight.shape)
    torches = pytorch(taken, nn.conv2d, weight[:, :, None, None]) if torch else {}
    return Row(
        f"pointwise {taken}->{made}", operation.input, operation.output,
        lambda image, out: imfilt.pointwise_conv2d(image, weight, out=out),
        {**torches, "NumPy matmul": matmul(weight)}, operation.macs,
    )  # fmt: skip


def dilated(dilation):
    """As a correlation of a picture, and as PyTorch has it, with zeros around."""
    kernel = normal(3, 3)
    stuffed = np.zeros((2 * dilation + 1, 2 * dilation + 1), "f4")
    stuffed[::dilation, ::dilation] = kernel
    name, weight, options = (
        f"3x3 dilated by {dilation}",
        kernel[None, None],
        {"padding": dilation, "dilation": dilation},
    )

    def others(mode):
        return {"OpenCV filter2D": filter2d(stuffed, mode), "SciPy": scipy_correlate(stuffed, mode)}

    yield Row(
        f"correlate {name}", UHD, UHD,
        lambda image, out: imfilt.correlate(image, kernel, dilation=dilation, out=out), others("reflect"),
    )  # fmt: skip
    yield Row(
        f"conv2d {name}", UHD, UHD, lambda image, out: imfilt.conv2d(image, weight, out=out, **options),
        {**others("constant"), **pytorch(1, lambda x, w: nn.conv2d(x, w, **options), weight)},
    )  # fmt: skip


def depthwise(size, channels, k):
    weight, shape = normal(channels, k, k), (*size, channels)
    peers = pytorch(channels, lambda x, w: nn.conv2d(x, w, padding=k // 2, groups=channels), weight[:, None])
    if channels == 3:
        peers["OpenCV filter2D, planes"] = filter2d_planes(weight)
    return Row(
        f"depthwise {k}x{k} on {channels}", shape, shape,
        lambda image, out: imfilt.depthwise_conv2d(image, weight, padding=k // 2, out=out), peers,
    )  # fmt: skip


def depthwise_separable(size, taken, made):
    first, second = normal(taken, 3, 3), normal(made, taken)
    operation = shapes.depthwise_separable_conv2d((*size, taken), first.shape, second.shape, padding=1)

    def both(x, first, second):
        return nn.conv2d(nn.conv2d(x, first, padding=1, groups=taken), second)

    return Row(
        f"depthwise separable 3x3 {taken}->{made}", operation.input, operation.output,
        lambda image, out: imfilt.depthwise_separable_conv2d(image, first, second, padding=1, out=out),
        pytorch(taken, both, first[:, None], second[:, :, None, None]), operation.macs,
    )  # fmt: skip


def transposed(size, channels, dense):
    weight = normal(channels, channels if dense else 1, 4, 4)
    options = {"stride": 2, "padding": 1, "groups": 1 if dense else channels}
    operation = shapes.conv_transpose2d((*size, channels), weight.shape, **options)
    return Row(
        f"transposed 4x4 {channels}->{channels} {'dense' if dense else 'depthwise'}",
        operation.input, operation.output,
        lambda image, out: imfilt.conv_transpose2d(image, weight, out=out, **options),
        pytorch(channels, lambda x, w: nn.conv_transpose2d(x, w, **options), weight), operation.macs if dense else 0,
    )  # fmt: skip


def bilinear(size, channels):
    """A transposed convolution that others have by name: pixels beyond the border as the nearest."""
    weight, options = np.repeat(BILINEAR[None, None], channels, 0), {"stride": 2, "padding": 1, "groups": channels}
    shape = size if channels == 1 else (*size, channels)
    return Row(
        f"transposed 4x4 bilinear on {channels}", shape, (2 * size[0], 2 * size[1], *shape[2:]),
        lambda image, out: imfilt.conv_transpose2d(image, weight, mode="nearest", out=out, **options),
        {"OpenCV resize": resize,
         **pytorch(channels, lambda x: nn.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))},
    )  # fmt: skip


def single(name, kernel, factors=None):
    """One kernel on one grey picture. PyTorch needs seconds for this: it is left out."""
    k = len(kernel)
    peers = {"OpenCV filter2D": filter2d(kernel, "reflect")}
    if factors:
        peers["OpenCV sepFilter2D"] = sep_filter2d(*factors)
    if k <= 7:
        peers["SciPy"] = scipy_correlate(kernel, "reflect")
    if k >= 11:
        peers["SciPy oaconvolve"] = transform(scipy.signal.oaconvolve, kernel)
        peers["SciPy fftconvolve"] = transform(scipy.signal.fftconvolve, kernel)
    return Row(
        f"correlate {k}x{k} {name}", UHD, UHD, lambda image, out: imfilt.correlate(image, kernel, out=out),
        peers, kernel=kernel,
    )  # fmt: skip


def gabor(k):
    """Of rank 2, whatever its angle, as its envelope is round."""
    kernel = gabor_kernel(2 / k, theta=0.6, sigma_x=k / 6, sigma_y=k / 6, n_stds=5).real
    top, left = ((n - k) // 2 for n in kernel.shape)
    return np.ascontiguousarray(kernel[top : top + k, left : left + k])


def laplacian_of_gaussian(k):
    r = (np.arange(k) - k // 2) / (k / 7)
    square = r[:, None] ** 2 + r**2
    return (square - 2) * np.exp(-square / 2)


def rows():
    yield conv2d(HD, 3, 16)
    yield conv2d(HD, 3, 32, stride=2)
    yield conv2d((256, 256), 16, 32)
    yield conv2d((256, 256), 64, 64)
    yield conv2d((128, 128), 256, 512)
    yield pointwise((256, 256), 256, 64)
    for dilation in (2, 4, 8):
        yield from dilated(dilation)
    for size, channels in ((HD, 3), (HD, 16), ((540, 960), 32)):
        for k in (3, 5):
            yield depthwise(size, channels, k)
    for size in ((256, 256), (540, 960)):
        yield depthwise_separable(size, 16, 32)
        yield depthwise_separable(size, 32, 64)
    for channels in (1, 3):
        yield transposed(HD, channels, dense=False)
        yield bilinear(HD, channels)
    yield transposed((256, 256), 16, dense=False)
    yield transposed((256, 256), 16, dense=True)
    yield transposed((256, 256), 64, dense=True)
    for k in range(3, 33, 2):
        column, row = normal(2, k).astype(np.float64)
        yield single("random", normal(k, k).astype(np.float64))
        yield single("rank 1", np.outer(column, row), (column, row))
        yield single("Gabor", gabor(k))
        yield single("LoG", laplacian_of_gaussian(k))


def planned(row):
    """The plan of a single kernel, and the multiply-adds that a row is measured by."""
    if row.kernel is None:
        return "", row.macs
    plan = imfilt.explain_plan(row.kernel, row.shape).plan
    tapwise = plan in ("direct", "fused") and len(row.kernel) > 5
    return plan, prod(row.result) * row.kernel.size if tapwise else 0


@contextmanager
def limited(threads):
    with common.limited(threads), scipy.fft.set_workers(threads), torch.inference_mode() if torch else nullcontext():
        if torch:
            torch.set_num_threads(threads)
        yield


def measure(row, image, threads, peak, budget):
    """One line of the table."""
    out = np.zeros(row.result, "f4")
    contenders, differences = {"imfilt": lambda: row.ours(image, out)}, {}
    row.ours(image, out)
    span = np.abs(out).max()
    for name, make in row.peers.items():
        contenders[name] = make(image)
        theirs = pixels_of(contenders[name](), out.shape)
        differences[name] = float(common.agree(row.name, name, out, theirs, span, TOLERANCE))
    del theirs
    nbytes = image.nbytes + out.nbytes
    contenders["copy"] = machine.copier(nbytes, threads)
    with machine.recycled_memory():
        for call in contenders.values():  # the first call under this rule still takes new memory
            call()
        seconds = machine.alternate(contenders, budget, warm=threads > 1)
    plan, macs = planned(row)
    rate = 2 * macs / seconds["imfilt"]
    return {
        "row": row.name, "shape": row.shape, "result": row.result, "threads": threads, "plan": plan,
        **common.rated(seconds, row.peers), "differences": differences,
        "GFLOP/s": rate * 1e-9, "of peak": rate / peak,
        "GB/s": nbytes / seconds["imfilt"] * 1e-9, "of copy": seconds["copy"] / seconds["imfilt"],
    }  # fmt: skip


def show(line):
    s, size = line["seconds"], "x".join(map(str, line["shape"]))
    if line["GFLOP/s"]:
        rate = f"{line['GFLOP/s']:6.1f} GFLOP/s {line['of peak'] * 100:4.0f} % of peak"
    else:
        rate = f"{line['GB/s']:6.1f} GB/s    {line['of copy'] * 100:4.0f} % of copy"
    print(
        f"{line['row']:34} {size:13} {line['threads']} thr  {s['imfilt'] * 1e3:8.3f} ms  {line['ratio']:6.2f}x "
        f"{line['fastest peer']:23} {s[line['fastest peer']] * 1e3:8.3f} ms  {rate}  {line['plan']}".rstrip(),
        flush=True,
    )


def main():
    parser = common.parser("benchmarks.algebra", __doc__, "build/benchmarks_algebra.json")
    common.add_budget(parser)
    options = parser.parse_args()

    facts = machine.facts()
    print(f"{facts['cpu']}, {facts['cores']} cores; core build {facts['imfilt']['build']}; {facts['versions']}")
    print(f"load of the last minute before this run: {facts['load']:.2f}")
    if torch is None:
        print("PyTorch is not installed; it is left out, with the rows where it is the only peer. To have it:")
        print("    pip install torch --index-url https://download.pytorch.org/whl/cpu")
    peaks = {threads: machine.peaks(threads) for threads in options.threads}
    for threads, found in peaks.items():
        named = (f"{rate * 1e-9:.1f} GFLOP/s ({name})" for name, rate in found.items())
        print(f"multiply-add peak, {threads} thread(s): {', '.join(named)}")
    print("ratio: the fastest peer's time over imfilt's\n")
    lines = []
    for row in rows():
        # Without PyTorch some rows have no peer.
        if not (row.peers and re.search(options.rows, row.name)):
            continue
        image = picture(row.shape)
        for threads in options.threads:
            peak = peaks[threads].get("multiply-add", peaks[threads]["sgemm"])
            with limited(threads):
                lines.append(measure(row, image, threads, peak, options.budget))
            show(lines[-1])
    common.summary(lines, show)
    common.write(options.output, lines, peaks=peaks)


if __name__ == "__main__":
    main()
