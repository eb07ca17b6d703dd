# The two commands: `make run` does the main job on the embedded store, `make test` proves it on a real Consul.
.DEFAULT_GOAL := help
.PHONY: help run test check format bench consul clean

SHELL := /bin/sh
PORT ?= 8500
export PYTHON ?=
PYTEST_ARGS ?=

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

run: ## Set up and sync config/mordomo into the embedded store (another port: PORT=8600)
	@tools/bootstrap run
	@env -u CONSUL_HTTP_ADDR $(foreach v,$(filter CONSUL_%,$(shell env | cut -d= -f1)),-u $(v)) \
	  .venv/bin/syncd run --embedded --embedded-port $(PORT)

test: check ## Set up (a real Consul included), check and test (some tests only: PYTEST_ARGS=tests/unit/settings)
	@tools/run-tests $(PYTEST_ARGS)

check: ## Lint, format, types, layers
	@tools/bootstrap dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: ## Format and sort imports
	@tools/bootstrap dev
	@.venv/bin/ruff check --fix . ; .venv/bin/ruff format .

bench: ## Measure against bare clients and peers on a real Consul
	@tools/bootstrap dev
	@tools/run-bench

consul: ## Obtain a real Consul for tests, without installing it
	@tools/consul

clean: ## Remove what was built
	rm -rf .venv .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
