# One verb runs all: `make test`. `make demo` shows the main job. Both set everything up in .venv and can be run again.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
PROJECTS := pyproject.toml connectors/aws/pyproject.toml connectors/aws-ses/pyproject.toml
CODE := runtime connectors tests benchmarks .ci
WORKERS ?= 2

.PHONY: help setup browser clients demo test format lint types layers drift unit coverage wheels docs bench generate fix clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make .venv with the three packages (editable) and the tools

$(STAMP): $(PROJECTS) constraints.txt Makefile
	@test -n "$(PYTHON)" || { echo "jackfield needs CPython 3.11 or newer: install python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit("jackfield needs CPython 3.11 or newer") if sys.version_info < (3, 11) else None'
	@echo "setup: virtual environment in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install -qq --disable-pip-version-check uv
	@echo "setup: packages"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[all,dev]' -e connectors/aws -e connectors/aws-ses
	@touch $@
	@echo "setup: done; $(BIN)/jackfield is ready"

browser: setup
	@.ci/apt

clients: browser
	@BIN=$(BIN) .ci/clients

demo: setup ## run the main job on a local AWS simulator
	@$(BIN)/jackfield demo

test: setup browser clients format lint types layers drift docs unit wheels ## everything that CI runs
	@echo "all checks passed"

format: setup
	@echo "== format"
	@$(BIN)/ruff format --check --quiet $(CODE)

lint: setup
	@echo "== lint"
	@$(BIN)/ruff check --quiet $(CODE)

types: setup
	@echo "== types"
	@$(BIN)/mypy --no-error-summary

layers: setup
	@echo "== layers"
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

drift: setup
	@echo "== generated files"
	@$(BIN)/python .ci/generate.py --check

docs: setup
	@echo "== docs"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir $(VENV)/site

# The console's tests have a process for each file: a browser's event loop stays in the process that drove it.
unit: setup
	@echo "== tests"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q --ignore tests/console
	@for file in tests/console/test_*.py; do $(BIN)/python -m pytest -q -p no:cacheprovider $$file || exit 1; done

coverage: setup ## which lines no test reaches
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q --ignore tests/console --cov --cov-report=term-missing:skip-covered

wheels: setup
	@echo "== wheels"
	@BIN=$(BIN) .ci/wheels

bench: setup ## print ratios measured side by side; writes docs/performance.md
	@$(BIN)/python -m benchmarks

generate: setup ## write schemas, manifests and reference pages again
	@$(BIN)/python .ci/generate.py

fix: setup ## format and repair what can be repaired
	@$(BIN)/ruff check --quiet --fix $(CODE); $(BIN)/ruff format --quiet $(CODE)

clean: ## remove what the targets made
	rm -rf $(VENV) $(VENV)-wheels site .cache .coverage
