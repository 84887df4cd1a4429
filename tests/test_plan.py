"""What the plan says of itself: its halo, its choices."""

import numpy as np
import pytest

from imfilt import kernels
from imfilt._engine import plan
from imfilt._engine.run import apply
from imfilt.convolution import standard
from imfilt.convolution.direct import direct_kernel
from imfilt.convolution.gradient import gradient_kernel
from imfilt.convolution.multirate import multirate_kernel
from imfilt.convolution.separable import separable_kernel
from imfilt.filters import smoothing

KERNELS = {
    "sobel": gradient_kernel(*kernels.SOBEL),
    "farid": gradient_kernel(*kernels.FARID),
    "roberts": direct_kernel(kernels.ROBERTS_POSITIVE, kernels.ROBERTS_NEGATIVE),
    "positive diagonal": direct_kernel(kernels.ROBERTS_POSITIVE),
    "sobel_v": separable_kernel(kernels.SOBEL[0], kernels.SOBEL[1]),
    "tall": separable_kernel((1.0,) * 7, (1.0, 2.0, 3.0)),
    "multirate": multirate_kernel((12.0, 5.0), 4.0, 1e-2),
    "one axis": multirate_kernel((0.0, 9.0), 4.0, 1e-3),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_pixel_reads_its_halo_and_nothing_else(name):
    kernel = KERNELS[name]
    reached = np.zeros(4, int)
    for y in range(100, 112):  # every phase of a decimation
        for x in range(100, 106):
            image = np.zeros((220, 230))
            image[y, x] = 1
            rows, columns = np.nonzero(apply(kernel, image, mode="constant", cval=0.0))
            # A result at (r, c) read the pixel at (y, x).
            reads = np.array([rows.max() - y, y - rows.min(), columns.max() - x, x - columns.min()])
            assert (reads <= kernel.halo).all(), (name, reads, kernel.halo)
            reached = np.maximum(reached, reads)
    # No larger than it must be, but for the phases that these impulses did not meet.
    assert (np.array(kernel.halo) - reached <= 2 * sum(kernel.stages[0].stride) - 4).all(), (name, reached, kernel.halo)


def test_plans_are_kept_and_found_again():
    kernel = KERNELS["sobel"]
    arguments = ((40, 50, 1), np.dtype("f4"), np.dtype("f4"), 2, 0.0, True, (40, 50), 16)
    assert plan.make(kernel, *arguments) is plan.make(kernel, *arguments)


def test_a_small_image_takes_the_exact_gaussian_and_a_large_one_the_fast():
    u1 = np.dtype("u1")
    exact = smoothing._parameters(5.0, 4.0, 0, None)[-1]
    fast = multirate_kernel((5.0, 5.0), 4.0, 2 * smoothing.INVISIBLE / 255, exact)

    def made(kernel, n):
        return plan.make(kernel, (n, n, 1), u1, u1, 1, 0.0, True, (n, n), 16)

    assert made(fast, 16) is made(exact, 16)
    assert len(made(fast, 2000).steps) == 3
    assert made(fast, 2000).cost < made(exact, 2000).cost


def test_bands_cover_the_rows_once():
    for height in (0, 1, 7, 64, 1000):
        for cost in (1.0, 1e6, 1e9):
            for many in (False, True):
                bands = plan._bands(height, height * 100, cost, 9, None, many)
                assert [y for y0, y1 in bands for y in range(y0, y1)] == list(range(height))
    # Long calls are cut, so that Ctrl-C is prompt; short ones are not.
    assert len(plan._bands(4000, 1e9, 1e9, 3, None, False)) >= 50
    assert len(plan._bands(64, 4e3, 4e3, 3, None, True)) == 1


def test_several_lines_at_a_time_are_for_taps_that_lie_close_together():
    """The loop for them visits every place in the frame: most of it, far apart, would be holes."""

    def many(dilation):
        return standard._kernel(np.ones((1, 1, 5, 5)), None, (1, 1), dilation, 1, (0, 0), False, True).stages[0].many

    assert many((1, 1))
    assert not many((30, 30))
