"""What an installation of imfilt may cost: 3 MB on disk, and 20 ms of import beside NumPy's own.

    python scripts/check_budget.py              the imfilt that this Python has installed
    python scripts/check_budget.py FOLDER       the one installed there (pip install --target FOLDER)

Exit status 1, with a line on stderr for each budget that is broken. Bytes are those of the files that an installation
leaves, with bytecode, without dependencies. Times are the shortest of interpreters that start in turns, since whatever
else the machine does only adds to them: one imports NumPy, one imports imfilt and touches a filter, so that NumPy and
the core are loaded.
"""

import argparse
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

MOST_BYTES = 3_000_000
MOST_SECONDS = 0.020
ROUNDS = 21
CODE = {
    "imfilt": "import imfilt; imfilt.sobel",
    "numpy": "import numpy",
}
# The interpreter's own start is not counted.
CLOCK = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


def sizes(folder):
    """Bytes of an installation in a folder of packages, by part."""
    folder = Path(folder)
    found = dict.fromkeys(("core", "Python", "bytecode", "metadata"), 0)
    roots = [folder / "imfilt", *folder.glob("imfilt-*.dist-info"), *folder.glob("imfilt.libs")]
    for path in (path for root in roots for path in root.rglob("*") if path.is_file()):
        if path.relative_to(folder).parts[0].endswith(".dist-info"):
            part = "metadata"
        elif path.suffix in (".so", ".pyd", ".dylib") or ".so." in path.name:
            part = "core"
        elif path.suffix == ".pyc":
            part = "bytecode"
        else:
            part = "Python"
        found[part] += path.stat().st_size
    return found


def import_seconds(folder, rounds=ROUNDS):
    """The shortest imports of imfilt and of NumPy, in fresh interpreters that take turns."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(folder), os.getenv("PYTHONPATH"))))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed packages are, with their bytecode kept
    seconds = {name: [] for name in CODE}
    for turn in range(rounds + 1):
        for name, code in CODE.items():
            line = [sys.executable, "-c", CLOCK.format(code)]
            done = subprocess.run(line, check=True, capture_output=True, text=True, env=environment, cwd=folder)
            if turn:  # the first round warms the file cache, and compiles
                seconds[name].append(float(done.stdout))
    return {name: min(times) for name, times in seconds.items()}


def broken(nbytes, seconds):
    """A line for each budget that does not hold."""
    if nbytes > MOST_BYTES:
        yield f"imfilt takes {nbytes / 1e6:.2f} MB installed, more than {MOST_BYTES / 1e6:g} MB"
    extra = seconds["imfilt"] - seconds["numpy"]
    if extra > MOST_SECONDS:
        yield f"imfilt takes {extra * 1e3:.1f} ms to import beside NumPy, more than {MOST_SECONDS * 1e3:g} ms"


def installed(folder=None):
    """The folder that imfilt is installed in; a source tree is none."""
    if folder is None:
        spec = find_spec("imfilt")
        if spec is None or spec.origin is None:
            sys.exit("check_budget.py: imfilt is not installed for this Python")
        folder = Path(spec.origin).parent.parent
    folder = Path(folder).resolve()
    if not (folder / "imfilt" / "__init__.py").is_file():
        sys.exit(f"check_budget.py: {folder} holds no imfilt")
    if not list(folder.glob("imfilt-*.dist-info")) or list((folder / "imfilt").glob("*.pyx")):
        sys.exit(
            f"check_budget.py: {folder / 'imfilt'} is a source tree, not an installation; "
            "`pip install --no-deps --target FOLDER .`, and name that FOLDER"
        )
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="of the packages, in which there is imfilt/")
    folder = installed(parser.parse_args().folder)
    seconds = import_seconds(folder)  # before the sizes: it leaves bytecode
    parts = sizes(folder)
    total = sum(parts.values())
    print(f"size    {total / 1e6:.2f} MB: " + ", ".join(f"{name} {n / 1e6:.2f}" for name, n in parts.items()))
    print(f"import  {seconds['imfilt'] * 1e3:.1f} ms, of which NumPy's own {seconds['numpy'] * 1e3:.1f} ms")
    lines = list(broken(total, seconds))
    for line in lines:
        print(line, file=sys.stderr)
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
