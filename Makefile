# Python 3.11 or later and make are all that a fresh machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
# The peers of the benchmark have an environment of their own: none of it is ours to depend on.
PEERS := .venv-bench
PEERS_STAMP := $(PEERS)/.complete
# Files in their order, which has the long ones first and ends with many short ones: so no process is left with a long one.
# One test process more than there are cores, for they wait a third of their time; beyond four, PostgreSQL is what they wait for.
JOBS ?= $(shell $(PYTHON) -c 'import os; print(min(4, len(os.sched_getaffinity(0)) + 1))')
URLS ?= 2000
ROUNDS ?= 3
# How long the fuzzer runs, and how many requests it makes of an operation before the next one's turn.
SECONDS ?= 300
EXAMPLES ?= 100
# Rounds of the soak, and pages in each.
SOAK ?= 5
PAGES ?= 1000
# The options keep where packages came from, and where they were locked, out of the lock files.
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

# Tests start hundreds of Pythons; none of them has to compile what another has compiled, whatever the environment says.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check fuzz soak bench bench-documents docs lock clean

help: ## Print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install Thresher and its tools into .venv; again only when the lock has changed

$(STAMP): requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed (make PYTHON=...)")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

demo: setup ## Show everything on a small web of its own, and leave nothing behind
	@$(BIN)/python demo/demo.py

run: setup ## Start Thresher: thresher serve
	$(BIN)/thresher serve

test: setup ## Run all tests
	$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup ## Check style, types and the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fuzz: setup ## Make requests of /openapi.json, right and wrong ones, and hold the answers against it; SECONDS=300 EXAMPLES=100 SEED=
	$(BIN)/python -m tests.conformance --seconds $(SECONDS) --examples $(EXAMPLES) $(if $(SEED),--seed $(SEED))

soak: setup ## Put 5,000 mixed pages, hostile ones among them, through a server: nothing may grow; SOAK=5 PAGES=1000
	$(BIN)/python -m tests.soak --rounds $(SOAK) --pages $(PAGES)

bench: setup $(PEERS_STAMP) ## Measure against Scrapy and a bare prototype; CORPUS=DIR URLS=2000 ROUNDS=3
	$(BIN)/python -m bench.compare $(if $(CORPUS),--corpus $(CORPUS)) --urls $(URLS) --rounds $(ROUNDS)

bench-documents: setup $(PEERS_STAMP) ## Measure documents against the bare libraries and markitdown; CORPUS=DIR ROUNDS=3
	$(BIN)/python -m bench.documents $(if $(CORPUS),--corpus $(CORPUS)) --rounds $(ROUNDS) --peers $(PEERS)/bin/python

$(PEERS_STAMP): requirements/bench.lock
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.lock
	@touch $@

docs: setup ## Write the pages of docs/ that are made from the code
	$(BIN)/python tools/docs.py

lock: setup ## Lock the newest allowed versions of everything into requirements/
	$(BIN)/$(COMPILE) --upgrade -o requirements/runtime.lock pyproject.toml
	$(BIN)/$(COMPILE) --upgrade -o requirements/dev.lock --extra dev pyproject.toml requirements/build.in
	$(BIN)/$(COMPILE) --upgrade -o requirements/build.lock requirements/build.in
	$(BIN)/$(COMPILE) --upgrade -o requirements/bench.lock requirements/bench.in

clean: ## Remove what setup, test and check have made
	rm -rf $(VENV) $(PEERS) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache src/*.egg-info
