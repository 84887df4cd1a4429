"""Which build of the core runs: decided once, at import, before any such build is loaded."""

import os
import sys
from typing import Any

from imfilt import _cpu

NAMES = ("numpy", "baseline", "v3", "v4")
ALIASES = {"x86-64-v3": "v3", "x86-64-v4": "v4", "auto": ""}
VARIABLE = "IMFILT_ISA"
BASELINE = "imfilt._core"


def _load(name):
    """The module of one build."""
    module = _imported(name)
    # Cython enters every build under the name of the source as well, where an import of that would find it.
    if getattr(sys.modules.get(BASELINE), "__name__", BASELINE) != BASELINE:
        del sys.modules[BASELINE]
    return module


def _imported(name):
    """Literal imports, so that packagers find them."""
    if name == "numpy":
        from imfilt._engine import twin

        return twin
    if name == "v4":
        from imfilt import _core_v4

        return _core_v4
    if name == "v3":
        from imfilt import _core_v3

        return _core_v3
    from imfilt import _core

    return _core


def _built(name):
    """Whether a build is installed. One that is there but broken raises: no silent fallback."""
    from importlib.util import find_spec

    return name == "numpy" or find_spec("imfilt._core" + ("" if name == "baseline" else f"_{name}")) is not None


def usable():
    """The builds that are installed and can run on this processor, best last."""
    can_run = ("numpy", "baseline", *_cpu.features())
    return tuple(name for name in NAMES if name in can_run and _built(name))


def choose(wanted=""):
    """The name of the build to run: the best, or the one asked for.

    Raises
    ------
    ImportError
        If the build asked for is unknown, not installed, or needs another processor.
    """
    wanted = ALIASES.get(wanted.strip().lower(), wanted.strip().lower())
    names = usable()
    if wanted and wanted not in names:
        reason = (
            "unknown" if wanted not in NAMES else "not installed" if not _built(wanted) else "not for this processor"
        )
        raise ImportError(f"{VARIABLE}={wanted!r} is {reason}; this machine can run: {', '.join(names)}")
    if not wanted and names == ("numpy",):
        raise ImportError(
            "imfilt's compiled core is missing: install imfilt with a C compiler at hand "
            f"(pip install --force-reinstall imfilt), or set {VARIABLE}=numpy for the slow one"
        )
    return wanted or names[-1]


active: str
core: Any


def use(name):
    """Run the build of this name from now on. For tests and comparisons: not thread-safe."""
    global active, core
    active = choose(name)
    core = _load(active)


use(os.environ.get(VARIABLE, ""))
