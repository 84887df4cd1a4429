"""Files of NumPy as pictures."""

import io
import math

import numpy as np

from imfilt.images.formats import PictureError
from imfilt.images.picture import Kept, Picture
from imfilt.images.source import Pictures


class FromArray(Pictures):
    """A file of NumPy."""

    format, space, alpha = "NPY", "", False

    def __init__(self, file, max_pixels, upright):
        super().__init__(file, max_pixels, upright)
        self.kept = Kept()
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        self.dtype = dtype if dtype.fields else dtype.newbyteorder("=")
        if self.dtype.kind not in "buif" or self.dtype.itemsize > 8:
            raise PictureError(f"is an array of {self.dtype}; pixels are booleans, integers or real numbers")
        if len(shape) not in (2, 3):
            raise PictureError(
                f"is an array of shape {shape}; a picture is (rows, columns) or (rows, columns, channels)"
            )
        self.size = shape[1], shape[0]
        self.channels = shape[2] if len(shape) == 3 else 1
        self._check_size(*self.size)
        if self.channels < 1:
            raise PictureError("has no channels")
        begin, end = file.tell(), file.seek(0, io.SEEK_END)
        if end - begin < math.prod(shape) * dtype.itemsize:  # or memory for all of it would be taken first
            raise PictureError("is damaged: it ends too early")

    def _frame(self, _number, _grey):
        self._file.seek(0)
        pixels = np.load(self._file, allow_pickle=False)
        return Picture(pixels.astype(pixels.dtype.newbyteorder("="), copy=False))

    def facts(self):
        """What the header tells, for people and JSON."""
        width, height = self.size
        return {"format": "NPY", "width": width, "height": height, "channels": self.channels, "dtype": str(self.dtype)}
