# Everything sets itself up: a virtual environment in .venv, with the versions of constraints.txt.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Containers often set it; tests start many processes, which would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE
# Two processes, a file each at a time; those that take long come first, as conftest.py has them.
COVERED := .coverage.json
SIDE_BY_SIDE := $(BIN)/python -m slipcover --json --out $(COVERED) \
  -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder
# Apart, since the processes' counts are lost where it checks the bound in the same call.
ENOUGH_REACHED := $(BIN)/python -m slipcover --merge $(COVERED) --out $(COVERED) --fail-under 90

.PHONY: demo services up down ring automations test test-all check docs bench fuzz lock clean help

help:  ## Show this list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@

demo: $(READY)  ## Run a real campaign on handwritten digits, with no service to start.
	$(BIN)/backhaul run configs/quickstart.yaml

services: $(READY)  ## Install PostgreSQL and Chromium, for `make up` and `make test-all`.
	$(BIN)/python -m deployments.local services

up: $(READY)  ## Start a Prefect server on PostgreSQL, S3 and workers here; LABELS=1: Label Studio.
	$(BIN)/python -m deployments.local up $(if $(LABELS),--labels)

down:  ## Stop what `make up` started; the data stay.
	$(BIN)/python -m deployments.local down

ring: $(READY)  ## Go once round on this machine: nodes choose, Label Studio, a gate, canary, fleet.
	$(BIN)/python -m deployments.ring play

automations: $(READY)  ## Create or update triggers and alarms on the Prefect server.
	$(BIN)/python -m deployments.automations

test: $(READY)  ## Run the tests, and print how much of backhaul/ they reach.
	$(SIDE_BY_SIDE) -m "not gpu and not s3 and not services and not browser and not slow and not index" \
	  --durations=10
	$(ENOUGH_REACHED)

test-all: $(READY)  ## Run all tests, also those with servers or a browser.
	$(BIN)/python -m pytest -q -rP -m alone
	$(SIDE_BY_SIDE) -m "not gpu and not alone" \
	  --durations=20
	$(ENOUGH_REACHED)

check: $(READY)  ## Check style, types, imports, the length of modules, and the links of the docs.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@long=$$(find backhaul tasks flows blocks deployments tests benchmarks fuzzing -name '*.py' | xargs wc -l | \
	  awk '$$1 > 400 && $$2 != "total"'); \
	if [ -n "$$long" ]; then echo "modules over 400 lines:"; echo "$$long"; exit 1; fi
	$(BIN)/python -m deployments.site

docs: $(READY)  ## Build the documentation as a site: site/index.html, which opens from disk.
	$(BIN)/python -m deployments.site

bench: $(READY)  ## Print our speed against peers, as ratios.
	$(BIN)/python -m benchmarks

fuzz: $(READY)  ## Give every reader thousands of inputs that nobody expects.
	$(BIN)/python -m fuzzing

# The image installs every package by its digest, and what builds ours (after `-`) among them.
LOCKED = pyproject.toml - --extra all --constraints constraints.txt --python-version 3.11 \
  --python-platform linux --generate-hashes --no-header --no-annotate --quiet

lock:  ## Write requirements.lock again, after a change of pyproject.toml or constraints.txt; needs uv.
	printf 'editables\nhatchling\n' | uv pip compile $(LOCKED) --output-file requirements.lock

clean:  ## Remove what tools left behind; runs, data and the environment stay.
	rm -rf .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage.json build dist site
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
