"""What a kernel is: rank and factors, gain, symmetries, and the plan that an image of some size would take."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from imfilt._engine import kernel_checks
from imfilt.convolution.single import PlanReport, explain_plan
from imfilt.separability import Separation, parity, separate


class Symmetry(NamedTuple):
    """Each of these is "even" where the kernel stays as it is, "odd" where every tap changes its sign, or "none"."""

    columns: str  # upside down
    rows: str  # left to right
    transposed: str
    rotated: str  # by 180 degrees


@dataclass(frozen=True, eq=False)
class KernelFacts:
    """What `analyze_kernel` finds; its text is a summary.

    Attributes
    ----------
    shape : tuple of int
    taps, zeros : int
        How many entries are not zero, and how many are.
    gain : float
        The sum of the taps: what becomes of a constant image.
    l1 : float
        The sum of their magnitudes: the largest result for pixels between -1 and 1.
    is_integer : bool
        Whether all taps are whole numbers.
    symmetry : Symmetry
        "even", "odd" or "none" for `columns`, `rows`, `transposed` and `rotated`.
    separation : Separation
        Factors at the numerical rank, or fewer exact ones.
    image : tuple of int
        The shape of the image that `plan` is for.
    plan : PlanReport
        What each way to compute would cost, and the one that `correlate` takes; its text is a table.
    """

    shape: tuple[int, int]
    taps: int
    zeros: int
    gain: float
    l1: float
    is_integer: bool
    symmetry: Symmetry
    separation: Separation
    image: tuple[int, ...]
    plan: PlanReport

    @property
    def rank(self):
        """The number of terms of the separation."""
        return self.separation.rank

    def __str__(self):
        parities = ", ".join(f"{name} {parity}" for name, parity in self.symmetry._asdict().items())
        quality = "exact" if self.separation.exact else f"error at most {self.separation.error:.1e}"
        return "\n".join(
            (
                f"kernel    {self.shape[0]} x {self.shape[1]}, {'whole' if self.is_integer else 'real'} numbers",
                f"taps      {self.taps}, and {self.zeros} zeros",
                f"sum       {self.gain:.6g}, of magnitudes {self.l1:.6g}",
                f"symmetry  {parities}",
                f"rank      {self.rank}, {quality}, growth {self.separation.growth:.3g}",
                f"plan      {self.plan.plan}, for {' x '.join(map(str, self.image))}",
            )
        )


def analyze_kernel(kernel, shape=(1080, 1920), dtype=np.float32):
    """Tell what a two-dimensional kernel is: its rank and factors, gain, symmetries, and what it costs.

    Parameters
    ----------
    kernel : array_like
        Real and finite, of two dimensions.
    shape : tuple of int, optional
        Of the image that costs are told for: (H, W) or (H, W, C).
    dtype : dtype, optional
        Of that image.

    Returns
    -------
    KernelFacts

    Raises
    ------
    TypeError, ValueError
        As `correlate` and `explain_plan`.

    Examples
    --------
    >>> import imfilt
    >>> print(imfilt.analyze_kernel([[1, 0, -1], [2, 0, -2], [1, 0, -1]]))
    kernel    3 x 3, whole numbers
    taps      6, and 3 zeros
    sum       0, of magnitudes 8
    symmetry  columns even, rows odd, transposed none, rotated odd
    rank      1, exact, growth 1
    plan      direct, for 1080 x 1920
    """
    kernel = kernel_checks.as_kernel(kernel)
    taps = int(np.count_nonzero(kernel))
    images = kernel[::-1], kernel[:, ::-1], kernel.T, kernel[::-1, ::-1]
    return KernelFacts(
        shape=kernel.shape,
        taps=taps,
        zeros=kernel.size - taps,
        gain=math.fsum(kernel.flat),
        l1=math.fsum(np.abs(kernel).flat),
        is_integer=bool((kernel == np.rint(kernel)).all()),
        symmetry=Symmetry(*({1: "even", -1: "odd", 0: "none"}[parity(kernel, image)] for image in images)),
        separation=separate(kernel),
        image=tuple(shape),
        plan=explain_plan(kernel, shape, dtype),
    )
