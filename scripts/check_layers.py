"""Each floor of the house imports only from floors below it: print what does not, exit 1.

    python scripts/check_layers.py [FOLDER]

Reads imports as text; nothing is run. The floors are explained in CONTRIBUTING.md.
"""

import ast
import sys
from pathlib import Path

# Lowest first; the longest name that matches counts. A file may import from lower floors
# and from its own.
FLOORS = {
    "imfilt._calls": 1,
    "imfilt._core": 1,
    "imfilt._core_v3": 1,
    "imfilt._core_v4": 1,
    "imfilt._cpu": 1,
    "imfilt._engine": 2,
    "imfilt.analysis": 3,
    "imfilt.interpolants": 3,
    "imfilt.kernels": 3,
    "imfilt.separability": 3,
    "imfilt.shapes": 3,
    "imfilt.convolution": 3,
    "imfilt.filters": 4,
    "imfilt.images": 4,
    "imfilt.upsampling": 4,
    "imfilt.deconvolution": 4,
    "imfilt.cli": 5,
    "imfilt.__main__": 6,
    "imfilt": 0,  # the lazy index: it imports nothing by itself
}
ONLY_FOR = {"imfilt.images": "imfilt.cli"}


def floor(module):
    """The floor of a module, and the name it is listed under."""
    name = module
    while name not in FLOORS:
        name = name.rpartition(".")[0]
        if not name:
            raise LookupError(f"{module} is on no floor; give it one in {__file__}")
    return FLOORS[name], name


def imports(tree, modules):
    """The modules of the package that a file imports, and the lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.level:
                yield "." * node.level + node.module, node.lineno
                continue
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield (full if full in modules else node.module), node.lineno


def check(root):
    """Every import that goes up, as a line of text."""
    root = Path(root)
    files = {}
    for path in sorted(root.glob("imfilt/**/*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    modules = {*files, *(name for name in FLOORS)}
    wrong = []
    for module, path in files.items():
        own, own_name = floor(module)
        for target, line in imports(ast.parse(path.read_text()), modules):
            place = f"{path.relative_to(root)}:{line}"
            if target.startswith("."):
                wrong.append(f"{place}: relative import {target}; write the whole name")
            elif target.partition(".")[0] == "imfilt":
                other, name = floor(target)
                if other > own:
                    wrong.append(f"{place}: floor {own} imports {target} of floor {other}")
                if ONLY_FOR.get(name, own_name) != own_name and name != own_name:
                    wrong.append(f"{place}: only {ONLY_FOR[name]} may import {name}")
    if not files:
        wrong.append(f"{root}: no package imfilt here")
    return wrong


if __name__ == "__main__":
    found = check(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent)
    print("\n".join(found) or "layers: every import goes down")
    sys.exit(bool(found))
