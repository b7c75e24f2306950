# make demo: see it work.  make test: check that it does.  Both need Python >= 3.10 and nothing else.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test lint install clean

demo: .venv/installed
	@$(BIN)/python scripts/demo.py

test: .venv/installed-tests lint
	$(BIN)/python -m pytest -q

lint: .venv/installed-tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

install: .venv/installed

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

.venv/installed-tests: .venv/installed tests/requirements.txt
	$(BIN)/python -m pip install --quiet -r tests/requirements.txt
	touch $@

clean:
	rm -rf .venv demo
