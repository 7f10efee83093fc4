# Two commands do everything on a fresh machine (Python 3.11, g++, make, a package index):
#   make demo   compile a real model for two targets, verify, estimate, report
#   make test   lint, types, tests, the documentation's own examples
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
PYTEST_FLAGS ?=

# One thread per process: the test machine has few cores, and a result never depends on their number.
export OMP_NUM_THREADS ?= 1
export TVM_NUM_THREADS ?= 1

.PHONY: demo test lint types pytest docs pages install format clean

demo: $(STAMP)
	$(BIN)/python -m examples.demo

test: lint types pytest docs

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) build/src/gatewright
	$(BIN)/mypy -p gatewright.compiler -p gatewright.targets -p gatewright.schedules -p gatewright.hls -p tests -p examples

pytest: $(STAMP)
	$(BIN)/python -m pytest -m "slow or not slow" $(PYTEST_FLAGS)

# The code blocks of README.md are run and their outputs compared with what stands there.
docs: $(STAMP)
	$(BIN)/python -m tests.repository.readme README.md examples/README.md CONTRIBUTING.md

install: $(STAMP)

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

# Shows the type checker the namespace `gatewright`; see [tool.mypy] in pyproject.toml.
build/src/gatewright:
	mkdir -p build/src
	ln -sfn ../.. $@

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build out $(VENV) *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Writes what the code says now into README.md: support tables, outputs of the examples. Read the diff.
pages: $(STAMP)
	$(BIN)/python -m gatewright.compiler.reports.support README.md
	$(BIN)/python -m tests.repository.readme --update README.md
