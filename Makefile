# What a person types. Each target sets up what it needs; `make` alone lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/constraints.txt
STAMP := $(VENV)/.halon-$(shell uname -m)
APPROVE ?=
ARGS ?=
WORKERS ?= auto
SEEDS ?= 1,2
RUNS ?= 500
SEED ?= 1

ALERTS ?= 100000

# Tests start hundreds of processes, and without it each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo up test crash chaos storm bench histories lint format types mypy pyright contracts check schema wheel lock pre-commit ci clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv with the pinned versions; nothing to do when they did not change

# pip, because it alone reads all of the user's own settings (PIP_* and pip.conf), a company's mirror among them.
$(STAMP): pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Halon needs Python 3.11 or newer, and \
	$(PYTHON) is " + sys.version.split()[0] + ": name another one with make PYTHON=...")'
	@echo "Setting up $(VENV): a minute the first time"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(LOCK) pip
	@$(BIN)/python -m pip install --quiet --constraint $(LOCK) --build-constraint $(LOCK) --editable . --group dev
	@touch $@

demo: setup  ## a crash loop remediated before your eyes; APPROVE=auto for nobody at the keyboard
	@$(BIN)/halon demo $(if $(APPROVE),--approve $(APPROVE)) $(ARGS)

up: setup  ## the engine for real: Temporal, gateway and worker, with halon.yaml
	@$(BIN)/halon up $(ARGS)

test: setup  ## every test; ARGS='-k rollback' for some of them, WORKERS=0 for one process
	@$(BIN)/pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile $(ARGS)

crash: setup  ## kill -9 at seeded points of runs; SEEDS=7,8,9 chooses them
	@HALON_CRASH_SEEDS=$(SEEDS) $(BIN)/pytest -v tests/e2e/test_crash.py $(ARGS)

chaos: setup  ## kill -9 and a cut API under the playbooks for Deployments; RUNS=20 SEED=7 for some of the runs
	@$(BIN)/python tests/chaos/chaos.py --runs $(RUNS) --seed $(SEED) $(ARGS)

histories: setup  ## record histories of today's workflows into tests/histories/NAME, to be replayed for ever
	@$(BIN)/python tests/histories/record.py $(NAME)

bench: setup  ## Halon against a hand-written Temporal program, as ratios in one run
	@$(BIN)/python -m benchmarks.compare $(ARGS)

storm: setup  ## a storm of alerts, and an unrelated incident in it; ALERTS=10000 for a sample
	@$(BIN)/python -m benchmarks.storm --alerts $(ALERTS) $(ARGS)

lint: setup  ## ruff, and the layout that it would give
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/hadolint deploy/Dockerfile

format: setup  ## mend what can be mended
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: mypy pyright  ## mypy and pyright, both strict

mypy: setup  ## types, as mypy sees them
	@$(BIN)/mypy

pyright: setup  ## types, as pyright sees them
	@$(BIN)/pyright

contracts: setup  ## no import crosses a layer
	@$(BIN)/lint-imports --no-logo

check: lint types contracts  ## all that needs no test run

schema: setup  ## write anew what is generated: playbooks/schema.json, docs/actions.md, and the permissions in deploy/
	@$(BIN)/halon schema >playbooks/schema.json
	@$(BIN)/halon schema --actions >docs/actions.md
	@$(BIN)/halon permissions playbooks/ --format kubernetes --namespaced --namespace shop >deploy/rbac.yaml
	@$(BIN)/halon permissions playbooks/ --format kubernetes >deploy/rbac-cluster.yaml

wheel: setup  ## the wheel and the sdist, in dist/
	@$(BIN)/python -m build --no-isolation --outdir dist

lock: ## take the newest versions into requirements/constraints.txt
	@$(PYTHON) requirements/lock.py $(LOCK)

pre-commit: setup  ## run the hooks before each commit
	@$(BIN)/pre-commit install

ci: ## the gate, as the server runs it
	@bash .ci/run

clean: ## remove .venv, caches and what was built; data in .halon stays
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
