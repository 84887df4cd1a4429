"""What a line of the table is made from: an operation, its peers, and the images that it is measured on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from benchmarks import cases


class Contender(NamedTuple):
    """A peer that is ready to run."""

    call: Callable
    factor: float = 1.0  # brings its result to imfilt's scale
    cut: int = 0  # pixels of the result along the border that are another's by definition, and not compared


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    operation: str  # a name of imfilt
    family: str
    ours: Callable  # (image, out) -> result
    peers: dict  # name, the library's first: make(image, empty) -> Contender, or None where it cannot do this
    name: str = ""  # if the operation alone does not say it
    cases: tuple = field(default_factory=cases.of)
    result: str = "float"  # its dtype; "same" as the image; "float" is double for double, else single
    shape: Callable = lambda image: image.shape  # of the result
    tolerance: float = 1e-5  # of full scale, or of the largest result if that is more
    levels: float = 0.0  # the same for an integer result: how many of its levels
    macs: float = 0.0  # multiply-adds for each number of the result; 0 if they are so few that memory decides
    kernel: np.ndarray | None = None  # of a correlation, whose plan decides about the multiply-adds
    seen: Callable = lambda result: result  # what is compared

    def __post_init__(self):
        if not self.name:
            object.__setattr__(self, "name", self.operation)

    def result_type(self, image):
        if self.result == "float":
            return np.dtype(np.float64 if image.dtype == np.float64 else np.float32)
        return image.dtype if self.result == "same" else np.dtype(self.result)


def reused(shape, dtype):
    """Memory for a contender's result: its own, for every call."""
    return np.empty(shape, dtype)


def fresh(shape, dtype):
    """None: it makes a new result each time."""
    return
