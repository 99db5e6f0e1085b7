# The two commands: `make demo` and `make test`. Both set up what is missing and say so.
PYTHON ?= python3.11
CORES ?= 2
BIN := $(CURDIR)/.venvs/workflow/bin
export PATH := $(BIN):$(PATH)
export OMP_WAIT_POLICY := PASSIVE

.PHONY: demo real test fast-test format lint setup lock

setup:
	@$(PYTHON) envs/setup.py

demo: setup  ## the whole pipeline on three tiny teachers, then where the report lies
	@workflow/bin/run . $(CORES)

real: setup  ## responses of seven real models to GSM8K and IFEval queries
	@python -m sourcewise.dag.workspace runs/real workflow/presets/real.yaml
	@workflow/bin/run runs/real $(CORES)

test: setup  ## format, lint, types and all tests
	@$(MAKE) --no-print-directory lint
	@tests/run

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
