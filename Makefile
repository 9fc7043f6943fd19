# l4lab.  Every target makes .venv by itself when it is missing or stale.
PYTHON ?= python3
SHELL := /bin/bash
BIN := .venv/bin
READY := .venv/.ready
# What the compiled engine is made of: a change builds it anew.
COMPILED := $(wildcard emu/*.p* kernel/*.p* lab/*.pxd lab/*/*.pxd lab/*/*/*.pxd)
COMPILED += $(patsubst %.pxd,%.py,$(filter lab/%.pxd,$(COMPILED)))

.PHONY: docs accuracy detection check-detection run test check check-pure check-no-compiler kernel-alone guests bench clean
.DELETE_ON_ERROR:

run: $(READY)
	$(BIN)/l4lab trace faq_nested_call

test: $(READY) guests
	$(BIN)/pytest -n auto --dist worksteal

check: $(READY) guests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -n auto --dist worksteal

# The kernel's tests where nothing is installed that knows a machine.
kernel-alone:
	$(PYTHON) -m venv build/kernel-alone
	build/kernel-alone/bin/pip install --quiet --disable-pip-version-check pytest hypothesis
	! build/kernel-alone/bin/python -c 'import unicorn' 2> /dev/null
	! build/kernel-alone/bin/python -c 'import keystone' 2> /dev/null
	! build/kernel-alone/bin/python -c 'import capstone' 2> /dev/null
	build/kernel-alone/bin/python -m pytest tests/kernel

# What an engine can change, on the engine in Python, in a copy where nothing is compiled; the
# kernel's tests run that way in kernel-alone.  And every scenario's trace on both engines.
PURE_TESTS := tests/emu tests/checker tests/corpus tests/scenarios tests/lab
check-pure: $(READY) guests
	rm -rf build/pure && mkdir -p build/pure
	git ls-files -z | xargs -0 tar c | tar x -C build/pure
	$(PYTHON) -m venv build/pure/.venv
	cd build/pure && L4LAB_PURE=1 .venv/bin/pip install --quiet --disable-pip-version-check -e '.[test]'
	cp -a guest/programs/build build/pure/guest/programs/
	cd build/pure && .venv/bin/python -m pytest -n auto --dist worksteal $(PURE_TESTS)
	$(BIN)/python -m tests.traces > build/traces-compiled
	cd build/pure && .venv/bin/python -m tests.traces > ../traces-pure
	head -1 build/traces-compiled build/traces-pure
	tail -n +2 build/traces-compiled | cmp - <(tail -n +2 build/traces-pure)

# An installation whose compiler always fails works all the same.
check-no-compiler:
	rm -rf build/no-compiler && mkdir -p build/no-compiler
	git ls-files -z | xargs -0 tar c | tar x -C build/no-compiler
	$(PYTHON) -m venv build/no-compiler/.venv
	cd build/no-compiler && CC=/bin/false .venv/bin/pip install --quiet --disable-pip-version-check .
	cd / && $(CURDIR)/build/no-compiler/.venv/bin/l4lab run --json faq_nested_call \
	    | grep '"engine": "python"' > /dev/null

guests: $(READY)
	$(MAKE) --no-print-directory -C guest/programs

# The site, into build/site; a warning is an error.
docs: $(READY)
	$(BIN)/mkdocs build --quiet --strict

bench: $(READY)
	$(BIN)/python -m bench

# How right the checker and the block model are; for the latter CYCLES_DATA names the folder
# of the measured blocks.
accuracy: detection
	$(BIN)/python -m bench.accuracy || [ $$? = 3 ]  # there is no such data

# What the checker finds, of all that there is to find: docs/accuracy.md.
detection: $(READY) guests
	$(BIN)/python -m bench.detection

check-detection: $(READY) guests
	$(BIN)/python -m bench.detection --check

clean:
	$(MAKE) --no-print-directory -C guest/programs clean
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build

$(READY): pyproject.toml setup.py $(COMPILED)
	@echo 'setting up .venv and compiling the engine: a minute or two'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@
