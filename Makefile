# make run   a privacy audit of a DFGM generator, from nothing
# make test  the wheel, its lint, its types, its tests, from nothing
# make validate  the studies behind docs/validation.md, an hour or two; a killed one goes on
# make run TORCH=cuda   the same on a machine with an NVIDIA GPU

SHELL := /bin/sh
PYTHON ?= python3
TORCH ?= cpu
VENV ?= .venv
BIN := $(VENV)/bin
WHEEL := .build/wheel
# A worker a core, each with one thread: small networks train no faster with more.
PYTEST_ARGS ?= --numprocesses auto --dist worksteal
# Two processes on few cores otherwise spin against each other inside OpenMP.
export OMP_WAIT_POLICY = PASSIVE
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test lint types wheel bench validate clean help

help:
	@sed -n 's/^# //p' Makefile | head -4

run: $(VENV)/.ready-$(TORCH)
	$(BIN)/privbench run --generator dfgm --attack all

test: $(VENV)/.ready-test lint types
	$(BIN)/python -c "import shutil; shutil.which('chromium') or print('chromium is missing: browser tests will be skipped')"
	OMP_NUM_THREADS=1 PYTHONPATH=$(CURDIR)/$(WHEEL) PRIVBENCH_WHEEL=$(CURDIR)/$(WHEEL) $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: wheel
	cd $(WHEEL) && $(CURDIR)/$(BIN)/mypy --strict --config-file $(CURDIR)/pyproject.toml -p privbench

# What ships is what is tested: the wheel is unpacked beside the editable install and comes first on the path.
wheel: $(VENV)/.ready-test
	rm -rf .build build
	$(BIN)/python -m build --wheel --no-isolation --outdir .build/dist . >.build-wheel.log 2>&1 || { cat .build-wheel.log; exit 1; }
	rm -f .build-wheel.log
	$(BIN)/pip install --quiet --no-deps --no-index --target $(WHEEL) .build/dist/privbench-*.whl

bench: $(VENV)/.ready-test
	$(BIN)/python -m pytest benchmarks

# The simulations behind docs/validation.md, one after another; finished audits are kept, so a killed run goes on.
validate: $(VENV)/.ready-test
	set -e; for script in $$(grep -l __main__ validation/*.py); do $(BIN)/python $$script; done

$(BIN)/python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'privbench needs Python 3.11 or newer, this is ' + sys.version)"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready-cpu: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

# torch and faiss as CUDA builds: the pin of the CPU build is lifted, faiss-gpu takes the place of faiss-cpu.
$(VENV)/.ready-cuda: pyproject.toml constraints.txt | $(BIN)/python
	grep -v -E '^(torch|faiss-cpu)==' constraints.txt > $(VENV)/constraints-cuda.txt
	$(BIN)/pip install --quiet --constraint $(VENV)/constraints-cuda.txt --editable .
	$(BIN)/pip uninstall --quiet --yes faiss-cpu
	$(BIN)/pip install --quiet --constraint $(VENV)/constraints-cuda.txt faiss-gpu-cu12
	touch $@

$(VENV)/.ready-test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test,dev,fid,mlflow]'
	touch $@

clean:
	rm -rf $(VENV) .build build dist *.egg-info
