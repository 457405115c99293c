# One virtual environment, made once and again when the lock changes; everything runs in it, from this folder.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.requirements
BENCH_STAMP := $(VENV)/.requirements-bench
PIP := $(PY) -m pip --disable-pip-version-check install --quiet --require-hashes

# Bytecode is written at the first import anyway; compiling all of it first doubles the time of the install.
PIP_FLAGS := --no-compile

.DEFAULT_GOAL := help
.PHONY: help run materialize up down status clean psql test check bench lock
.DELETE_ON_ERROR:

help: ## show this table
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: $(STAMP) ## set up, start the sandbox, materialise all locations, serve the UI on PORT (3000) until Ctrl-C
	@$(PY) -m sandbox.run

materialize: $(STAMP) ## the same without the UI; exit status not 0 when anything failed
	@$(PY) -m sandbox.run --no-ui

up: $(STAMP) ## start the sandbox, migrate, write .env when there is none
	@$(PY) -m sandbox up

down: $(STAMP) ## stop the sandbox, keep its data
	@$(PY) -m sandbox down

status: $(STAMP) ## show the servers of the sandbox
	@$(PY) -m sandbox status

clean: $(STAMP) ## stop the sandbox and delete its data, after asking (YES=1 does not ask)
	@$(PY) -m sandbox clean $(if $(YES),--yes)

psql: $(STAMP) ## a psql prompt on the warehouse (ARGS="-c 'select 1'")
	@$(PY) -m sandbox psql $(ARGS)

test: $(STAMP) ## run every test, on up to four cores (ARGS="tests/unit -x")
	$(PY) -m pytest -q -n logical --maxprocesses 4 --dist loadfile $(ARGS)

check: $(STAMP) ## lint, format, types, definitions of all locations
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m sandbox.validate

bench: $(BENCH_STAMP) ## the benchmarks, as a table with ratios
	@$(PY) -m benchmarks

lock: ## pin all requirements anew, with hashes and without addresses (needs uv in a throw-away environment)
	@PYTHON="$(PYTHON)" sh .ci/lock

$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@echo "Installing into $(VENV) (once) ..."
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PIP) $(PIP_FLAGS) -r requirements.lock
	@touch $@

# Apart from the lock above, because dlt and what it needs would make every first `make test` slower.
$(BENCH_STAMP): requirements-bench.lock $(STAMP)
	@$(PIP) $(PIP_FLAGS) -r requirements-bench.lock
	@touch $@
