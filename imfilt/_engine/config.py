"""What runs here: version, build of the core, processor, threads."""

import platform

import numpy as np

import imfilt
from imfilt import _cpu
from imfilt._engine import isa, threads


def show_config(mode="stdout"):
    """What imfilt runs on, for a bug report.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, optional
        Print it, or return it, as ``numpy.show_config`` does.

    Returns
    -------
    dict or None
        With "dicts": version, python, numpy, machine, cpu (levels beyond the baseline that
        the processor offers), builds (of the core, that can run here), build (that runs),
        threads (of a large call).

    Raises
    ------
    ValueError
        If `mode` is neither.

    Examples
    --------
    >>> import imfilt
    >>> imfilt.show_config("dicts")["build"] in ("numpy", "baseline", "v3", "v4")
    True
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode must be 'stdout' or 'dicts', not {mode!r}")
    facts = {
        "version": imfilt.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "cpu": list(_cpu.features()),
        "builds": list(isa.usable()),
        "build": isa.active,
        "threads": threads.count(),
    }
    if mode == "dicts":
        return facts
    for name, value in facts.items():
        print(f"{name:8} {', '.join(value) if isinstance(value, list) else value}")
    return None
