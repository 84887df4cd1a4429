"""The loops; see imfilt/_engine/twin.py for what each computes, line by line."""

from numpy import ndarray

from imfilt._engine.plan import Frame

LANES: int

def separable(
    src: ndarray, dst: ndarray, frame: Frame, column: ndarray, row: ndarray, down: ndarray, along: ndarray,
    tall: ndarray, wide: ndarray, y0: int, y1: int, /,
) -> None: ...  # fmt: skip
def gradient(
    src: ndarray, dst: ndarray, frame: Frame, smooth: ndarray, difference: ndarray, y0: int, y1: int, /
) -> None: ...
def direct(
    src: ndarray, dst: ndarray, frame: Frame, offsets: ndarray, weights: ndarray, first: ndarray, picks: ndarray,
    fused: bool, y0: int, y1: int, /,
) -> None: ...  # fmt: skip
def norm(
    src: ndarray, dst: ndarray, frame: Frame, offsets: ndarray, weights: ndarray, first: ndarray, picks: ndarray,
    y0: int, y1: int, /,
) -> None: ...  # fmt: skip
def mix(
    src: ndarray, dst: ndarray, frame: Frame, offsets: ndarray, first: ndarray, weights: ndarray, bias: ndarray,
    length: int, groups: int, y0: int, y1: int, /,
) -> None: ...  # fmt: skip
def depthwise_mix(
    src: ndarray, dst: ndarray, frame: Frame, offsets: ndarray, weights: ndarray, first: ndarray, picks: ndarray,
    mixing: ndarray, bias: ndarray, channels: int, y0: int, y1: int, /,
) -> None: ...  # fmt: skip
def strongest(
    src: ndarray, dst: ndarray, frame: Frame, offsets: ndarray, weights: ndarray, first: ndarray, picks: ndarray,
    y0: int, y1: int, /,
) -> None: ...  # fmt: skip
def box(src: ndarray, dst: ndarray, frame: Frame, y0: int, y1: int, /) -> None: ...
def area(src: ndarray, dst: ndarray, frame: Frame, y0: int, y1: int, /) -> None: ...
def resample(src: ndarray, dst: ndarray, frame: Frame, column: ndarray, row: ndarray, y0: int, y1: int, /) -> None: ...
def blend(src: ndarray, dst: ndarray, frame: Frame, column: ndarray, row: ndarray, y0: int, y1: int, /) -> None: ...
def even(src: ndarray, dst: ndarray, frame: Frame, column: ndarray, row: ndarray, y0: int, y1: int, /) -> None: ...
def polar(down: ndarray, along: ndarray, diagonal: bool, factor: float, /) -> None: ...
def suppress(src: ndarray, dst: ndarray, frame: Frame, low: float, high: float, y0: int, y1: int, /) -> None: ...
def link(labels: ndarray, /) -> None: ...
