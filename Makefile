# l4lab.  Every target makes .venv by itself when it is missing or stale.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: run test check kernel-alone guests bench clean
.DELETE_ON_ERROR:

run: $(READY)
	$(BIN)/l4lab trace faq_nested_call

test: $(READY) guests
	$(BIN)/pytest

check: $(READY) guests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest

# The kernel's tests where nothing is installed that knows a machine.
kernel-alone:
	$(PYTHON) -m venv build/kernel-alone
	build/kernel-alone/bin/pip install --quiet --disable-pip-version-check pytest hypothesis
	! build/kernel-alone/bin/python -c 'import unicorn' 2> /dev/null
	! build/kernel-alone/bin/python -c 'import keystone' 2> /dev/null
	! build/kernel-alone/bin/python -c 'import capstone' 2> /dev/null
	build/kernel-alone/bin/python -m pytest tests/kernel

guests: $(READY)
	$(MAKE) --no-print-directory -C guest/programs

bench: $(READY)
	$(BIN)/python -m bench

clean:
	$(MAKE) --no-print-directory -C guest/programs clean
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@
