# Every target makes the virtual environment first; the stamp keeps a second start under a few seconds.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install test lint types demo bench clean
help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## make .venv with everything in it

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[compress,detection,dev,device,ethos,peers,video]'
	@touch $@

test: $(STAMP)  ## run the tests
	$(BIN)/python -m pytest

lint: $(STAMP)  ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## check types (strict)
	$(BIN)/mypy

demo: $(STAMP)  ## search, report and export on digits: some ten minutes on two cores
	$(BIN)/python -m benchmarks.demo

bench: $(STAMP)  ## measure the tool itself, as ratios in one run
	$(BIN)/python -m benchmarks.speed

clean:  ## remove .venv and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache *.egg-info build
