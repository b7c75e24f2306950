# `make demo` shows what the project does, `make test` checks it. Both need only Python 3.10 or newer.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test test-oldest lint install clean

demo: .venv/installed
	@$(BIN)/python scripts/demo.py

test: .venv/installed-tests lint
	$(BIN)/python -m pytest -q

# The same tests with the oldest versions that requirements.txt allows, on Python 3.10 or 3.11.
test-oldest: .venv-oldest/installed
	.venv-oldest/bin/python -m pytest -q

lint: .venv/installed-tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

install: .venv/installed

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

.venv/installed-tests: .venv/installed tests/requirements.txt
	$(BIN)/python -m pip install --quiet -r tests/requirements.txt
	touch $@

.venv-oldest/installed: requirements.txt tests/requirements.txt
	$(PYTHON) -m venv .venv-oldest
	sed 's/>=/==/' requirements.txt > .venv-oldest/oldest.txt
	.venv-oldest/bin/python -m pip install --quiet -c .venv-oldest/oldest.txt -r tests/requirements.txt
	touch $@

clean:
	rm -rf .venv .venv-oldest demo
