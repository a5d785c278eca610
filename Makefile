# Each target sets up what it needs. Nothing outside this folder is written: the caches of all tools lie in .tools.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
SERVER ?= pg-orders
export AZURITE_DIR := local_cloud/azurite
export PYTHONUTF8 := 1
export UV_CACHE_DIR ?= $(CURDIR)/.tools/cache/uv
export UV_PYTHON_INSTALL_DIR ?= $(CURDIR)/.tools/python
export PIP_CACHE_DIR ?= $(CURDIR)/.tools/cache/pip
export npm_config_cache ?= $(CURDIR)/.tools/cache/npm
export NODE_COMPILE_CACHE ?= $(CURDIR)/.tools/cache/node

.PHONY: help setup demo run rebuild test test-long mutations check bench lock format clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .tools/stamp-python .tools/stamp-azurite ## Python 3.13, packages, PostgreSQL, Azurite, .venv/bin/flexvault

.tools/stamp-python: requirements-dev.txt .ci/setup-python
	@.ci/setup-python
	@touch $@

.tools/stamp-azurite: $(AZURITE_DIR)/package-lock.json .tools/stamp-python
	@echo "setup: Azurite"
	@cd $(AZURITE_DIR) && PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --ignore-scripts --silent
	@touch $@

demo: setup ## a scheduled and an on-demand backup, a restore, a rebuild, everything compared
	@$(PY) -m local_cloud.demo

run: setup ## the local cloud until Ctrl-C
	@$(PY) -m local_cloud

rebuild: setup ## a fresh server of a restore made in the local cloud: make rebuild PREFIX=night SERVER=pg-orders
	@$(PY) -m local_cloud.demo.rebuild --server $(SERVER) $(or $(PREFIX),$(error give PREFIX=..., the restore's --prefix))

# Two processes share the test files. Durable's SDK and the Functions runtime keep one thread pool per process, which the tests of
# the host end, so tests/orchestrators is not among them. Nor is tests/e2e: its files share one cloud, and two processes would start two.
ALONE := tests/orchestrators tests/e2e
SHARED := -n 2 --dist loadfile $(ALONE:%=--ignore=%)

test: setup ## all tests but the slow originals
	@$(PY) -m pytest -q -m "not long" $(ALONE)
	@$(PY) -m pytest -q -m "not long" $(SHARED)

test-long: setup ## the slow originals too, and what knows time once more on a machine in New York
	@$(PY) -m pytest -q $(ALONE)
	@$(PY) -m pytest -q $(SHARED)
	@TZ=America/New_York $(PY) -m pytest -q -m "not long" $(SHARED) tests/domain tests/golden tests/services tests/api tests/year

mutations: setup ## break the code on purpose; the suite must notice
	@$(PY) -m tests.mutations

check: .tools/stamp-python ## format, lint, types, imports, locks, docs links
	@.ci/check

bench: setup ## ratios measured in one run
	@$(PY) -m bench

lock: .tools/stamp-python ## compile both requirement files from pyproject.toml
	@.ci/lock

format: .tools/stamp-python ## put the code into the one format
	@$(PY) -m ruff format -q . && $(PY) -m ruff check -q --fix .

clean: ## remove everything that was set up or kept (.venv, .tools, .local, node_modules)
	@.ci/clean
