"""What a mask does to filters that look at the pixels around one."""

import numpy as np


def shrink(mask):
    """The mask without its outermost pixels, 8-connected; beyond the image all is masked out."""
    padded = np.pad(mask, 1)
    rows = padded[:-2] & padded[1:-1] & padded[2:]
    return rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
