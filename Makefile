# Everything a new user or a build machine calls. `make` alone lists it.
# Needs git, make and Python 3.11 or later; scripts/setup.sh sees to the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench soak clean

PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

NODES ?= 8
INTERVALS ?= 24
SPEED ?= 1200
DEMO := demo/$(shell date +%Y%m%d-%H%M%S)
COUNT ?= 2000
PAGE ?= --page

help:  ## this list
	@grep -hE '^[a-z]+: .*##|^[a-z]+:  ##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(INSTALLED)  ## create .venv and install everything into it

$(INSTALLED): pyproject.toml constraints.txt scripts/setup.sh scripts/system_packages.sh
	@PYTHON="$(PYTHON)" scripts/setup.sh "$(VENV)"

demo: setup  ## eight nodes trade a day of real households, on a live page; PAGE= leaves it out
	$(BIN)/wattswarm testnet run --nodes $(NODES) --intervals $(INTERVALS) --speed $(SPEED) --data-dir "$(DEMO)" $(PAGE)
	$(BIN)/wattswarm market report "$(DEMO)" --html demo/report.html
	@echo
	@echo "The cell's files:  $(DEMO)"
	@echo "Check one ledger:  $(BIN)/wattswarm ledger verify $(DEMO)/nodes/home-01"
	@echo "Open the report:   $(CURDIR)/demo/report.html"

test: setup  ## every test (real processes included)
	$(BIN)/python -m pytest -n 3 --dist loadgroup

lint: setup  ## ruff and mypy, strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## let ruff write the files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## the figures we claim, each beside its reference
	@for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(BIN)/python "$$benchmark"; done

soak: setup  ## longer searches; COUNT=2000 seeds or feeders each
	COUNT=$(COUNT) PYTHON="$(BIN)/python" scripts/soak.sh

clean:  ## remove .venv, caches and demo runs
	rm -rf "$(VENV)" demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
