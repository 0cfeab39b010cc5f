# Everything starts from a bare machine with Python 3.11+ and pip: the targets make their own environment.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test check fast slow format lock clean

demo: $(READY)  ## Run the whole job on real prompts with a real small model; the report's path is printed last.
	$(BIN)/pairsmith demo demo-dataset

test: check slow  ## All checks and all tests.

check: $(READY)  ## Lint, types, floors and the fast tests.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

fast: $(READY)
	$(BIN)/python -m pytest

slow: $(READY)  ## Models, kills and whole datasets.
	$(BIN)/python -m pytest -m slow

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# `pip install --require-hashes` accepts exactly what was locked; the project itself is added without its dependencies.
$(READY): requirements.lock requirements-oracles.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-oracles.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

lock:  ## Renew requirements.lock from pyproject.toml (needs uv).
	uv pip compile pyproject.toml --extra dev --extra local --extra arrow --extra embed --extra fast --extra ray --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) demo-dataset .mypy_cache .ruff_cache .pytest_cache
