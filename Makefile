# make up       start everything on this machine         make test     the whole suite: check, then tests
# make check    formatting, lint, types, import rules    make pins     pin the newest dependencies
# make audit    look for known holes in what we depend on
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
# Twice the cores: most tests wait for servers.
JOBS   ?= $(shell echo $$((2 * $$(nproc))))
RUNS   := nextstream web gateway tasks celeryconfig.py
CODE   := $(RUNS) tests

# The newest of everything that runs on the oldest Python we support.
PIN    := --quiet --upgrade --no-header --python-version 3.11

.PHONY: up test check audit pins clean
.DELETE_ON_ERROR:

up: $(VENV)/.installed
	@exec $(BIN)/python -m nextstream up

# What fails while all cores are busy is shown, and has to pass by itself.
test: check
	$(BIN)/pytest -n $(JOBS) || $(BIN)/pytest -n 1 --last-failed --last-failed-no-failures none

check: $(VENV)/.installed-dev
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(RUNS) 2> /dev/null  # what it skips

# Asks the public list of advisories, which CI may not reach.
audit: $(VENV)/.installed-dev
	$(BIN)/pip-audit --no-deps --disable-pip --requirement requirements.txt

pins: $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile $(PIN) pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile $(PIN) --extra tracing -c requirements.txt pyproject.toml -o requirements-tracing.txt
	$(BIN)/uv pip compile $(PIN) --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "Installing what NextStream needs into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
