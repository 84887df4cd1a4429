"""What every file of pictures is to the command: a few facts, and frames that are decoded when they are asked for."""

import struct
import warnings
from abc import ABC, abstractmethod
from contextlib import contextmanager

from PIL import UnidentifiedImageError

from imfilt.images.formats import PictureError


@contextmanager
def errors():
    """Whatever a decoder raises for a damaged file, in one line. What it warns of is no news: it reads on."""

    def told(error):
        return " ".join(str(error).split())

    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except (PictureError, MemoryError):
        raise
    except (UnidentifiedImageError, SyntaxError) as error:
        raise PictureError(f"is damaged: {told(error) or 'its header makes no sense'}") from None
    except OSError as error:
        raise PictureError(error.strerror.lower() if error.strerror else f"cannot be read: {told(error)}") from None
    except (LookupError, EOFError, AttributeError, struct.error):  # what it looked for was not there
        raise PictureError("is damaged or cut short") from None
    except Exception as error:  # a decoder that meets a damaged file may raise anything
        raise PictureError(f"cannot be read: {told(error) or type(error).__name__}") from None


class Pictures(ABC):
    """What is in a file; pixels are decoded when they are asked for.

    Attributes
    ----------
    format : str
    frames : int
    size : tuple of int
        Width and height, upright, of the first.
    dtype : dtype
    space : str
        "grey", "rgb", "cmyk", or "" for an array.
    alpha : bool
    kept : Kept
        Complete after the first frame has been read: some formats have it at their end.
    warnings : list of str
    """

    format = ""
    frames = 1

    def __init__(self, file, max_pixels, upright):
        self._file, self._max_pixels, self._turn = file, max_pixels, upright
        self.warnings = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def _check_size(self, width, height):
        if self._max_pixels is not None and width * height > self._max_pixels:
            raise PictureError(
                f"has {width} x {height} = {width * height} pixels, more than --max-pixels {self._max_pixels} allows"
            )
        if width < 1 or height < 1:
            raise PictureError("has no pixels")

    @abstractmethod
    def _frame(self, number, grey):
        """One frame, as a Picture."""

    @abstractmethod
    def facts(self):
        """What the header tells, for people and JSON."""

    def read(self, *, grey=False, only=None):
        """Frame by frame.

        Parameters
        ----------
        grey : bool
            Colour as its luminance, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601, what JPEG stores), where Pillow can;
            more than eight bits stay colour.
        only : int, optional
            This frame and no other.

        Yields
        ------
        Picture

        Raises
        ------
        PictureError
        """
        if only is not None and only >= self.frames:
            raise PictureError(
                f"has {self.frames} frame{'s'[: self.frames > 1]}, counted from 0; there is no frame {only}"
            )
        for number in range(self.frames) if only is None else (only,):
            with errors():
                picture = self._frame(number, grey)
            yield picture
