# The two commands to know: `make quickstart` and `make test`. Both set everything up in .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := $(foreach peer,datatrove llamafactory litgpt curator datatrove-inference data-designer distilabel,bench/.venv-$(peer)/.ready)

ROOMS := core corpus lm mixture curation synthesis training evaluation report recipes

.PHONY: quickstart test slow check format bench docs clean

quickstart: $(READY)  ## the whole method on real text, then one HTML report
	$(BIN)/regraft run quickstart

test: $(READY)  ## everything that runs in minutes without a network
	$(BIN)/python -m pytest

slow: $(READY)  ## tests with the real models, once `make quickstart` has fetched them
	$(BIN)/python -m pytest -m slow

check: $(READY)  ## format, lint, types, import rule
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: $(READY) $(PEERS)  ## the claims, side by side with peers; hours on a machine that does nothing else
	$(BIN)/python -m bench

docs: $(READY)  ## the reference of every room, as HTML in docs/site
	$(BIN)/pdoc regraft $(ROOMS:%=regraft.%) --docformat google --output-directory docs/site
	@echo "docs/site/index.html"

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "regraft needs Python 3.11 or newer; set PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

bench/.venv-llamafactory/.ready: NO_DEPS := --no-deps  # its pins do not install together; the file has all it needs

bench/.venv-%/.ready: bench/peers/requirements-%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet $(NO_DEPS) --requirement $<
	@touch $@

clean:  ## remove the virtual environment; the store and the downloads stay
	rm -rf $(VENV) bench/.venv-*
