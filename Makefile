# The two commands: `make demo` and `make test`. Both set up what is missing and say so.
PYTHON ?= python3.11
CORES ?= 2
BIN := $(CURDIR)/.venvs/workflow/bin
export PATH := $(BIN):$(PATH)

.PHONY: demo real test test-slurm format lint setup lock

setup:
	@command -v $(PYTHON) > /dev/null || { echo "setup: Sourcewise needs Python 3.11, and there is no $(PYTHON): install \
	it (Debian 12: apt-get install python3.11 python3.11-venv) or name it: make PYTHON=/path/to/python3.11 …"; exit 2; }
	@$(PYTHON) envs/setup.py

demo: setup  ## the whole pipeline on three tiny teachers, then where the report lies
	@echo "demo: from nothing to a report in about 7 minutes on two cores; seconds when nothing is stale"
	@workflow/bin/run . $(CORES)

real: setup  ## responses of seven real models to GSM8K and IFEval queries
	@echo "real: about 5 minutes on two cores, in the working copy runs/real"
	@python -m sourcewise.dag.workspace runs/real workflow/presets/real.yaml
	@workflow/bin/run runs/real $(CORES)

test: setup  ## format, lint, types and all tests
	@$(MAKE) --no-print-directory lint
	@tests/run

test-slurm: setup  ## the tests on Slurm once more, with slurmdbd and MariaDB, and those that take minutes
	@SOURCEWISE_SLURM_ACCOUNTING=1 .venvs/workflow/bin/python -m pytest tests/slurm

lint: setup
	@ruff format --check . && ruff check . && mypy
	@snakefmt --check Snakefile workflow/rules
	@snakemake --lint

format: setup
	@ruff format . && ruff check --fix . && snakefmt Snakefile workflow/rules

lock: setup  ## resolve envs/*.in anew
	@for env in workflow verify model model-cuda; do \
	  overrides=envs/$${env%-cuda}.overrides; \
	  .venvs/tools/bin/uv pip compile --quiet envs/$$env.in $$([ -f $$overrides ] && echo --override $$overrides) \
	    --python-version 3.11 --no-header --no-annotate -o envs/$$env.lock; done
