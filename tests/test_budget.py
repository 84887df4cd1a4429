"""The check of what an installation costs, on made-up ones."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def check():
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("check_budget", ROOT / "scripts" / "check_budget.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def installation(folder, nbytes):
    for name, size in (
        ("imfilt/__init__.py", 100), ("imfilt/_core.cpython-311-x86_64-linux-gnu.so", nbytes),
        ("imfilt/__pycache__/__init__.cpython-311.pyc", 50), ("imfilt-0.1.dist-info/METADATA", 7),
        ("numpy/__init__.py", 10**6),
    ):  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    return folder


def test_sizes_of_an_installation(check, tmp_path):
    parts = check.sizes(installation(tmp_path, 1000))
    assert parts == {"core": 1000, "Python": 100, "bytecode": 50, "metadata": 7}


def test_budgets_are_checked(check, tmp_path):
    small, large = (installation(tmp_path / str(n), n) for n in (1000, 3_000_000))
    quick, slow = {"imfilt": 0.119, "numpy": 0.1}, {"imfilt": 0.121, "numpy": 0.1}
    assert not list(check.broken(sum(check.sizes(small).values()), quick))
    assert ["MB installed" in line for line in check.broken(sum(check.sizes(large).values()), quick)] == [True]
    assert ["ms to import" in line for line in check.broken(sum(check.sizes(small).values()), slow)] == [True]


def test_a_source_tree_is_no_installation(check):
    with pytest.raises(SystemExit, match="a source tree, not an installation"):
        check.installed(ROOT)
