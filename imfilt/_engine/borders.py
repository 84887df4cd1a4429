"""The border vocabulary: SciPy's and scikit-image's words, and unambiguous aliases."""

#            pixels      a b c d
MODES = {
    "constant": 0,  #  k k | a b c d | k k
    "nearest": 1,  #   a a | a b c d | d d
    "reflect": 2,  #   b a | a b c d | d c
    "mirror": 3,  #    c b | a b c d | c b
    "wrap": 4,  #      c d | a b c d | a b
}
ALIASES = {
    "zeros": "constant",
    "grid-constant": "constant",
    "edge": "nearest",
    "replicate": "nearest",
    "symmetric": "reflect",
    "grid-mirror": "reflect",
    "reflect101": "mirror",
    "circular": "wrap",
    "grid-wrap": "wrap",
}
CODES = MODES | {alias: MODES[name] for alias, name in ALIASES.items()}


def code(mode, cval):
    """The core's number for a border mode.

    Raises
    ------
    ValueError
        If the mode is not one of MODES or ALIASES, or is "zeros" with another constant.
    """
    try:
        number = CODES[mode]
    except (KeyError, TypeError):
        raise ValueError(
            f"mode must be one of {', '.join(MODES)} (or an alias: {', '.join(ALIASES)}), not {mode!r}"
        ) from None
    if mode == "zeros" and cval != 0:
        raise ValueError(f"mode 'zeros' means cval=0, not {cval!r}; use mode='constant'")
    return number
