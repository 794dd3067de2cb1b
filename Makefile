# The commands of the house. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo run doctor test check lint format chaos bench pictures clean

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

KILLS ?=
SEED ?=
ONLY ?=
PLANS ?=
JSON ?=
ARGS ?=
# Most tests wait for others (processes, timers, servers), so there are more workers than processors.
WORKERS ?= 4
PARALLEL := -n $(WORKERS) --dist loadfile

# Fuzz and kill tests begin with this seed; it is printed, and SEED=n runs the same cases again.
FUZZ_SEED := $(or $(SEED),$(shell od -An -N3 -tu4 /dev/urandom | tr -d ' '))

help: ## List the commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{printf "  make %-8s %s\n", $$1, $$2}'

# The stamps make a second call free; a changed lock or project file brings the environment up to date.
.venv/.ready-dev: pyproject.toml uv.lock infra/deploy/setup.sh
	@sh infra/deploy/setup.sh dev

.venv/.ready-run: pyproject.toml uv.lock infra/deploy/setup.sh
	@sh infra/deploy/setup.sh run

setup: .venv/.ready-dev ## Make or update the environment in .venv (uv included)

demo: .venv/.ready-run ## Try it in the browser: no Slack, no model key, no Docker needed
	@$(BIN)/greenlight demo $(ARGS)

run: .venv/.ready-run ## Run bot and worker in one process, with the settings of .env and the environment
	@exec $(BIN)/greenlight run $(ARGS)

doctor: .venv/.ready-run ## List what is missing or wrong with the settings of .env and the environment, and how to fix it
	@exec $(BIN)/greenlight doctor $(ARGS)

test: .venv/.ready-dev ## Run every test; those whose service is missing here are skipped with the reason
	@echo "SEED=$(FUZZ_SEED)"
	@SEED="$(FUZZ_SEED)" $(PYTEST) $(PARALLEL) $(ARGS)

lint: .venv/.ready-dev ## Format, lint, types and import contracts
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/pyright
	@$(BIN)/lint-imports --no-logo

check: lint ## Lint and the unit tests
	@$(PYTEST) $(PARALLEL) tests/unit $(ARGS)

format: .venv/.ready-dev ## Write the one format, and mend what the linter can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

chaos: .venv/.ready-dev ## The long form of the kill tests: make chaos KILLS=500 SEED=7
	@echo "SEED=$(FUZZ_SEED)"
	@KILLS="$(KILLS)" SEED="$(FUZZ_SEED)" $(PYTEST) -m chaos $(ARGS)

bench: .venv/.ready-dev ## Measure: make bench ONLY=schedule,overhead,click PLANS=file JSON=1
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(PLANS),--plans $(PLANS)) $(if $(JSON),--json) $(ARGS)

pictures: .venv/.ready-dev ## Make the README's pictures of boards and cards anew (needs Chromium)
	@$(BIN)/python -m tests.pictures

clean: ## Remove the environment and every cache; the embedded database stays
	rm -rf .venv .tools .ruff_cache .pytest_cache .hypothesis .import_linter_cache
