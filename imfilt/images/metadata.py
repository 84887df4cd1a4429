"""What is kept of a file beside its pixels, and how each format writes it."""

import io
import re
import struct
from typing import Any

from PIL import ExifTags, Image

from imfilt.images.picture import Kept

# What EXIF says of a picture itself. A TIFF holds these among tags that tell where its pixels are.
TAGS = (
    ExifTags.Base.ImageDescription, ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Software,
    ExifTags.Base.DateTime, ExifTags.Base.Artist, ExifTags.Base.HostComputer, ExifTags.Base.Copyright,
)  # fmt: skip
BLOCKS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
DAMAGED = "its EXIF is damaged, and is left out"
LAYOUTS = ('{"', "ImageJ=", "<?xml", "<OME")  # descriptions that programs read as the layout of pixels
XMP_TAG = 700
XMP_TEXT = "XML:com.adobe.xmp"
UPRIGHT_IN_XMP = (
    (rb'(tiff:Orientation=")[2-8](")', rb"\g<1>1\g<2>"),
    (rb"(<tiff:Orientation>)[2-8](</tiff:Orientation>)", rb"\g<1>1\g<2>"),
)


def of(image, orientation, frames, warnings):
    """What is kept of an image that Pillow has read.

    Parameters
    ----------
    image : PIL.Image.Image
    orientation : int
        Of the pixels, as EXIF counts: 1 is upright.
    frames : int
    warnings : list of str
        Receives what cannot be kept.

    Returns
    -------
    Kept
    """
    info = image.info
    kept = Kept(icc=info.get("icc_profile") or None, comment=_bytes(info.get("comment")))
    kept.dpi = resolution(image)
    try:
        kept.exif = _exif(image, orientation)
        damaged = not len(image.getexif()) and not _is_empty(info.get("exif") or b"")
    except Exception:  # EXIF that no one can parse
        damaged = True
    if damaged and DAMAGED not in warnings:
        warnings.append(DAMAGED)
    xmp = info.get("xmp") or info.get(XMP_TEXT)
    if xmp:
        kept.xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
        if orientation == 1:
            for pattern, upright in UPRIGHT_IN_XMP:
                kept.xmp = re.sub(pattern, upright, kept.xmp)
    kept.text = {
        key: value for key, value in getattr(image, "text", {}).items()
        if key != XMP_TEXT and not key.startswith("Raw profile type")
    }  # fmt: skip
    if image.format == "PNG":
        kept.chunks = _colour_chunks(info)
    if frames > 1:
        kept.animation = {"plays": _plays(image)}
        if info.get("default_image"):
            kept.animation["default_image"] = True
    return kept


def _plays(image):
    """How often an animation is shown; 0: for ever. A GIF tells how often it is repeated."""
    loop = image.info.get("loop")
    if image.format == "GIF":
        return 1 if loop is None else loop + 1 if loop else 0
    if loop is None:  # pages, and AVIF, of which Pillow does not tell
        return 1 if image.format == "TIFF" else 0
    return loop


def _bytes(text):
    return text.encode("utf-8", "replace") if isinstance(text, str) else text or None


def _is_empty(exif):
    """Whether EXIF is not there, or a directory of nothing."""
    return not exif or (exif[6:8] in (b"II", b"MM") and len(exif) <= len(Image.Exif().tobytes()))


def _exif(image, orientation):
    """EXIF as bytes, without the thumbnail, which shows another picture; None if there is none."""
    found = image.getexif()
    made = Image.Exif()
    structural = image.format == "TIFF"
    for tag, value in found.items():
        if tag in BLOCKS or tag == XMP_TAG or (structural and tag not in TAGS):
            continue
        layout = tag == ExifTags.Base.ImageDescription and str(value).startswith(LAYOUTS)
        if tag != ExifTags.Base.Orientation and not layout:
            made[tag] = value
    if orientation != 1:
        made[ExifTags.Base.Orientation] = orientation
    for block in BLOCKS:
        inner = found.get_ifd(block)
        if inner:
            made.get_ifd(block).update(inner)
            made[block] = made.get_ifd(block)
    return made.tobytes() if len(made) else None


def _colour_chunks(info):
    chunks = []
    if "srgb" in info:
        chunks.append((b"sRGB", bytes([info["srgb"]])))
    if "gamma" in info:
        chunks.append((b"gAMA", struct.pack(">I", round(info["gamma"] * 100000))))
    if "chromaticity" in info:
        chunks.append((b"cHRM", struct.pack(">8I", *(round(one * 100000) for one in info["chromaticity"]))))
    return chunks


def of_tiff(tiff):
    """What is kept of a file that only tifffile has read: profile, resolution, and its words."""
    tags = tiff.pages[0].tags
    kept = Kept(icc=tags[34675].value if 34675 in tags else None)
    made = Image.Exif()
    for tag in TAGS:
        if tag in tags and isinstance(tags[tag].value, str) and not tags[tag].value.startswith(LAYOUTS):
            made[tag] = tags[tag].value
    kept.exif = made.tobytes() if len(made) else None
    if 282 in tags and 283 in tags and 296 in tags and int(tags[296].value) in (2, 3):
        inch = 2.54 if int(tags[296].value) == 3 else 1.0
        (a, b), (c, d) = tags[282].value, tags[283].value
        if a and b and c and d:
            kept.dpi = a / b * inch, c / d * inch
    return kept


def resolution(image):
    """Dots per inch, across and down; None where the file says nothing that makes sense."""
    dpi = image.info.get("dpi")
    if image.format == "TIFF" and ExifTags.Base.XResolution not in image.tag_v2:
        return None  # Pillow makes 1 of it
    if not dpi or not all(0 < float(number) < 65536 for number in dpi):
        return None
    return float(dpi[0]), float(dpi[1])


def facts(image):
    """For people: what a header says beside pixels."""
    info = image.info
    found: dict[str, Any] = {}
    dpi = resolution(image)
    if dpi:
        found["dpi"] = [round(one, 2) for one in dpi]
    if info.get("icc_profile"):
        found["profile"] = _profile_name(info["icc_profile"])
    try:
        exif = image.getexif() if image.format != "PNG" or "exif" in info else {}
        for name, tag in (("camera", ExifTags.Base.Model), ("date", ExifTags.Base.DateTime)):
            if tag in exif:
                found[name] = str(exif[tag]).strip("\0 ")
    except Exception:
        found["exif"] = "damaged"
    if "loop" in info:
        found["loop"] = info["loop"]
    return found


def _profile_name(icc):
    try:
        from PIL import ImageCms

        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    except Exception:  # no littleCMS, or a profile that it does not read
        return f"{len(icc)} bytes"


# --- writing ---


def sized(exif, size):
    """EXIF bytes with the size of the pixels, where they tell one."""
    if not exif:
        return exif
    loaded = Image.Exif()
    loaded.load(exif)
    block = loaded.get_ifd(ExifTags.IFD.Exif)
    tags = {int(ExifTags.Base.ExifImageWidth): size[0], int(ExifTags.Base.ExifImageHeight): size[1]}
    if not tags.keys() & block.keys():
        return exif
    block.update(tags)
    return loaded.tobytes()


def options(kept, name, size):
    """The arguments of Pillow's ``save`` that write what is kept, for the formats that can.

    Parameters
    ----------
    kept : Kept
    name : str
        The format.
    size : tuple of int
        Width and height.

    Returns
    -------
    dict
    """
    found = {}
    exif = sized(kept.exif, size)
    if name == "TIFF":
        return _tiff_options(kept, exif)
    if exif and name in ("PNG", "JPEG", "WEBP", "AVIF"):
        found["exif"] = exif if name != "WEBP" else exif.removeprefix(b"Exif\0\0")  # Pillow forgets it for animations
    if kept.icc and name in ("PNG", "JPEG", "WEBP", "AVIF"):
        found["icc_profile"] = kept.icc
    if kept.dpi and name in ("PNG", "JPEG", "BMP"):
        found["dpi"] = kept.dpi
    if kept.xmp and name in ("JPEG", "WEBP", "AVIF"):
        found["xmp"] = kept.xmp
    if kept.comment and name in ("JPEG", "GIF"):
        found["comment"] = kept.comment
    if name == "PNG":
        found["pnginfo"] = _png_info(kept)
    return found


def _tiff_options(kept, exif):
    found = {}
    made = Image.Exif()
    if exif:
        made.load(exif)
    if kept.xmp:
        made[XMP_TAG] = kept.xmp
    if len(made):
        found["exif"] = made
    if kept.icc:
        found["icc_profile"] = kept.icc
    if kept.dpi:
        found["dpi"] = kept.dpi
    return found


def _png_info(kept):
    from PIL.PngImagePlugin import PngInfo, iTXt

    info = PngInfo()
    if not kept.icc:  # which would contradict them
        for name, data in kept.chunks:
            info.add(name, data)
    if kept.xmp:
        info.add_itxt(XMP_TEXT, kept.xmp.decode("utf-8", "replace"))
    for key, value in kept.text.items():
        if isinstance(value, iTXt):
            info.add_itxt(key, str(value), value.lang or "", value.tkey or "")
        else:
            info.add_text(key, value)
    if kept.comment and "Comment" not in kept.text:
        info.add_text("Comment", kept.comment.decode("utf-8", "replace"))
    return info


def png_chunks(kept, size, grey):
    """The chunks that Pillow writes between header and pixels for what is kept."""
    if kept == Kept(animation=kept.animation):
        return []
    given = options(kept, "PNG", size)
    with io.BytesIO() as file:
        Image.new("L" if grey else "RGB", (1, 1)).save(file, "PNG", **given)
        data = file.getvalue()
    chunks, place = [], 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        name = data[place + 4 : place + 8]
        if name not in (b"IHDR", b"IDAT", b"IEND"):
            chunks.append((name, data[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks
