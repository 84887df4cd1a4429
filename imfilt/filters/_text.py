"""What the docstrings of the filters share: written once, put in where a docstring says %(name)s."""

IMAGE = """image : array-like
        Grey (H, W), or with channels (H, W, C), which are filtered one by one. Of any
        boolean, integer or real dtype; it is not changed."""
BORDER = """mode : str, optional
        What lies beyond the border of ``a b c d``: "reflect" (``b a | a b c d | d c``),
        "mirror" (``c b | a b c d | c b``), "nearest" (``a a | a b c d | d d``), "wrap"
        (``c d | a b c d | a b``) or "constant". Aliases: symmetric, edge, replicate,
        circular, zeros, reflect101, grid-mirror, grid-wrap, grid-constant.
    cval : float, optional
        The constant of mode "constant", on the scale of the result."""
WEIGHTS = """weights : array-like or "finite", optional
        How much each pixel counts, from 0: a mask, a validity map; (H, W), or of the shape
        of the image. "finite" leaves out NaN and infinity. What counts 0 has no part in the
        result; where no pixel under the kernel counts, the result is NaN.
    alpha : bool, optional
        The last channel is alpha: colours count as much as they are opaque, and alpha is
        filtered itself, or kept where the filter is one for edges."""
CHANNELS = """channel_axis : int or None, optional
        Where the channels of a three-dimensional image are. None says that there are none.
    preserve_range : bool, optional
        Take integers as they are. By default they are scaled as ``img_as_float`` does, so
        that the largest number of their dtype is 1."""
COMMON = f"""{WEIGHTS}
    {CHANNELS}
    dtype : dtype, optional
        Of the result. By default float64 for float64 and for 32- and 64-bit integers, else
        float32. An integer dtype receives the result at full scale (uint8: times 255),
        rounded half to even and saturated.
    out : ndarray, optional
        Receives the result; its dtype is then the result's. It may be `image`."""
RAISES = """Raises
    ------
    TypeError
        If the dtype of the image is complex or object, or an argument has the wrong type.
    ValueError
        If the image is not two-dimensional with or without channels, or an argument is out
        of its range. Nothing has been written then."""
_PARTS = {
    "image": IMAGE,
    "border": BORDER,
    "weights": WEIGHTS,
    "channels": CHANNELS,
    "common": COMMON,
    "raises": RAISES,
}


def fill(function):
    """Decorator: %(image)s, %(border)s, %(weights)s, %(channels)s, %(common)s and %(raises)s in a docstring."""
    if function.__doc__:  # python -OO has none
        for name, text in _PARTS.items():
            function.__doc__ = function.__doc__.replace(f"%({name})s", text)
    return function
