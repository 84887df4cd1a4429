# Two commands for a fresh machine: `make demo` and `make test`. Both build into .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := setup.py pyproject.toml $(wildcard imfilt/*.pyx imfilt/*.pxd imfilt/*.h imfilt/*.py imfilt/*/*.py imfilt/*.pyi)

.PHONY: demo test lint figures bench budget clean

demo: $(BIN)/.built
	mkdir -p build/demo
	cp photos/coffee.png build/demo/
	$(BIN)/imfilt sobel --force build/demo/coffee.png
	$(BIN)/imfilt gaussian --sigma 3 --force build/demo/coffee.png
	@echo "made: build/demo/coffee.sobel.png build/demo/coffee.gaussian.png"

test: $(BIN)/.tested
	$(BIN)/python -m pytest

lint: $(BIN)/.tested
	$(BIN)/python -m pip install --quiet -e ".[lint]"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/check_layers.py

figures: $(BIN)/.built
	$(BIN)/python -m pip install --quiet -e ".[figures]"
	$(BIN)/python scripts/compare_edges.py
	$(BIN)/python scripts/compare_upscaling.py

bench: $(BIN)/.built
	$(BIN)/python -m pip install --quiet -e ".[bench]"
	$(BIN)/python -m benchmarks.scaling --page docs
	$(BIN)/python -m benchmarks --page docs

budget: $(BIN)/python
	rm -rf build/installed
	$(BIN)/python -m pip install --quiet --target build/installed .
	$(BIN)/python scripts/check_budget.py build/installed

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Editable: the tests read this tree, and the compiled core is built into it.
$(BIN)/.built: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(BIN)/.tested: $(BIN)/.built
	$(BIN)/python -m pip install --quiet -e ".[test]"
	touch $@

clean:
	rm -rf $(VENV) build imfilt/*.so *.egg-info
