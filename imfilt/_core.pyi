"""The loops; see imfilt/_engine/twin.py for what each computes, line by line."""

import numpy as np

from imfilt._engine.plan import Frame

def separable(
    src: np.ndarray, dst: np.ndarray, frame: Frame, column: np.ndarray, row: np.ndarray, y0: int, y1: int
) -> None: ...
def gradient(
    src: np.ndarray, dst: np.ndarray, frame: Frame, smooth: np.ndarray, difference: np.ndarray, y0: int, y1: int
) -> None: ...
def direct(
    src: np.ndarray, dst: np.ndarray, frame: Frame, offsets: np.ndarray, weights: np.ndarray, split: int,
    y0: int, y1: int,
) -> None: ...  # fmt: skip
def upsample(
    src: np.ndarray, dst: np.ndarray, frame: Frame, column: np.ndarray, row: np.ndarray, y0: int, y1: int
) -> None: ...
