"""The helpers that compare must themselves be able to fail."""

import numpy as np
import pytest
from conftest import ROOT, assert_same_bits, assert_within

import imfilt
from imfilt._engine import isa, twin


def test_within_accepts_the_bound_and_refuses_more():
    assert_within([1.0, 2.0], [1.1, 2.0], 0.11)
    with pytest.raises(AssertionError, match="past the bound"):
        assert_within([1.0, 2.0], [1.2, 2.0], 0.11)


def test_within_refuses_another_shape_and_nan():
    with pytest.raises(AssertionError, match="shape"):
        assert_within(np.zeros((2, 3)), np.zeros((3, 2)), 1)
    with pytest.raises(AssertionError, match="NaN"):
        assert_within([np.nan], [0.0], 1)


@pytest.mark.parametrize(
    "other", [np.zeros(3, "f8"), np.zeros(2, "f4"), np.array([0, 0, 1e-45], "f4"), np.array([0, 0, -0.0], "f4")]
)
def test_same_bits_refuses_what_differs(other):
    assert_same_bits(np.zeros(3, "f4"), np.zeros(3, "f4"))
    with pytest.raises(AssertionError):
        assert_same_bits(np.zeros(3, "f4"), other)


def test_same_bits_takes_any_nan_for_any_nan():
    assert_same_bits(np.array([np.nan]), -np.array([np.nan]))


def test_the_layer_check_finds_what_goes_up(tmp_path):
    import sys

    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from check_layers import check
    finally:
        sys.path.pop(0)
    assert check(ROOT) == []
    for folder in ("", "_engine", "filters", "cli", "convolution"):
        (tmp_path / "imfilt" / folder).mkdir(exist_ok=True)
        (tmp_path / "imfilt" / folder / "__init__.py").write_text("")
    (tmp_path / "imfilt" / "images.py").write_text("")
    (tmp_path / "imfilt" / "_engine" / "bad.py").write_text("from imfilt import filters\n")
    (tmp_path / "imfilt" / "filters" / "bad.py").write_text("def f():\n    from imfilt.images import read\n")
    (tmp_path / "imfilt" / "convolution" / "bad.py").write_text("import imfilt.cli.x\n")
    assert len(check(tmp_path)) == 3


def test_every_public_name_is_there_documented_and_in_the_stub():
    stub = (ROOT / "imfilt" / "__init__.pyi").read_text()
    for name in imfilt.__all__:
        value = getattr(imfilt, name)
        assert f"{name} as {name}\n" in stub or f"\n{name}: " in stub, name
        if callable(value):
            for section in ("Parameters\n", "Examples\n"):
                assert section in value.__doc__, (name, section)
    assert stub.count(" as ") == len(imfilt.__all__) - 1
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = imfilt.nothing_such


def test_the_twin_has_the_loops_of_the_core_and_the_stub_names_them():
    before = isa.active
    stub = (ROOT / "imfilt" / "_core.pyi").read_text()
    try:
        for name in isa.usable():
            isa.use(name)
            for loop in (
                "separable", "gradient", "direct", "box", "resample", "blend", "area", "even", "polar", "suppress",
                "link",
            ):  # fmt: skip
                assert callable(getattr(isa.core, loop))
                assert f"def {loop}(" in stub
    finally:
        isa.use(before)
    loops = {name for name in dir(isa.core) if not name.startswith("_") and callable(getattr(isa.core, name))}
    assert {name for name in loops if hasattr(twin, name)} == loops
