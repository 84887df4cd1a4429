"""Files -> pictures, frame by frame.

By Pillow, which never sees a format that is not in the table here; what Pillow would read as less than it is, by
optional libraries, or it is refused.
"""

import io
from functools import partial

from imfilt.images.arrays import FromArray
from imfilt.images.formats import SHOWN, PictureError
from imfilt.images.pillow import FromPillow
from imfilt.images.source import errors

STARTS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"II+\0", "TIFF"), (b"MM\0+", "TIFF"),
    (b"GIF87a", "GIF"), (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    *((b"P%d" % n + space, "PPM") for n in range(1, 7) for space in (b" ", b"\n", b"\r", b"\t")),
    (b"\x93NUMPY", "NPY"),
)  # fmt: skip


def open_pictures(source, *, max_pixels=None, upright=True):
    """The pictures in a file.

    Parameters
    ----------
    source : str or bytes
        A path, or what is in a file.
    max_pixels : int, optional
        Refuse frames of more, before they are decoded.
    upright : bool
        Turn pixels as EXIF says.

    Returns
    -------
    Pictures
        To be used with ``with``.

    Raises
    ------
    PictureError
        If it is none, or is damaged, or holds what would be lost.
    """
    file = None
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: SIM115
        with errors():
            return _kind(file.read(32), file)(file, max_pixels, upright)
    except BaseException as error:
        if file is not None:
            file.close()
        if isinstance(error, OSError):
            raise PictureError((error.strerror or f"cannot be read: {error}").lower()) from None
        raise


def _kind(start, file):
    """What makes Pictures of the file, from its first bytes."""
    file.seek(0)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return partial(FromPillow, "WEBP")
    if start[4:12] in (b"ftypavif", b"ftypavis"):
        return partial(FromPillow, "AVIF")
    for first, name in STARTS:
        if start.startswith(first):
            return FromArray if name == "NPY" else partial(FromPillow, name)
    if not start:
        raise PictureError("is empty")
    raise PictureError(f"is not a picture in {SHOWN}, or is damaged")
