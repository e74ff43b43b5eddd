# What people and CI do here. `make` alone lists it. Messages go to stderr, results to stdout.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install dev demo test check sbom audit bench reference frontier swarm phone phone-stop pins clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 18

install: .venv/installed $(if $(wildcard .ci/tflite-runtime.txt),.venv-tflite/installed)  ## set up .venv with the droidloop command

.venv/installed: pyproject.toml constraints.txt LICENSE
	@echo "setting up .venv (the first time: about 3 GB, some minutes)" >&2
	@.ci/venv.sh $(PYTHON) .venv
	@$(PIP) --editable '.[export]' >&2
	@$(BIN)/python -c 'import torch; torch.version.cuda and print("note: this torch is a build for CUDA; the CPU build would do")' >&2
	@touch $@

# tflite-runtime, which old phones still carry, needs an older numpy than everything else, and has
# no wheel for Python 3.12: what needs it is skipped there.
.venv-tflite/installed: .ci/tflite-runtime.txt
	@.ci/venv.sh $(PYTHON) .venv-tflite
	@if .venv-tflite/bin/python -m pip install -qq --disable-pip-version-check --requirement $< >&2; \
	then touch $@; \
	else rm -rf .venv-tflite; echo "note: going on without tflite-runtime" >&2; fi

# What only developers need: pytest, mypy, ruff, build.
dev: install .venv/developed

.venv/developed: .venv/installed
	@$(PIP) --editable '.[cluster,track]' --group dev >&2
	@touch $@

demo: install  ## run the quickstart scenario and print its table
	@mkdir -p runs
	@$(BIN)/droidloop run quickstart --out "runs/demo-$$(date +%Y%m%d-%H%M%S)"

test: dev  ## run all tests on all cores; ARGS="-k radio" for some
	@.ci/packages.sh $(wildcard .ci/*-packages) || echo "the tests that need them are skipped" >&2
	@$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadscope $(ARGS)

check: dev  ## lint, formatting, types, what the wheel holds, and that a second one is the same
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python .ci/check_types.py
	@rm -rf dist && mkdir dist
	@$(BIN)/python -m build --no-isolation --outdir dist . > dist/log 2>&1 || { cat dist/log >&2; exit 1; }
	@$(BIN)/python .ci/check_wheel.py dist/*.whl
	@umask 077 && TZ=Pacific/Chatham $(BIN)/python -m build --no-isolation --outdir dist/again . > dist/log 2>&1 || { cat dist/log >&2; exit 1; }
	@for file in dist/*.whl dist/*.tar.gz; do cmp "$$file" "dist/again/$${file##*/}" || exit 1; done

sbom: dev  ## write what .venv holds as a CycloneDX bill of materials, dist/sbom.json
	@mkdir -p dist
	@$(BIN)/python .ci/sbom.py > dist/sbom.json
	@echo dist/sbom.json

audit: dev  ## ask PyPI for known holes in the pinned versions; one it does not know is an error
	@.ci/venv.sh $(PYTHON) .venv-audit
	@.venv-audit/bin/python -m pip install -qq --disable-pip-version-check pip-audit >&2
	@.venv-audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

bench: dev  ## print the benchmark table; ROW=name for one row as a JSON line
	@$(BIN)/python -m tests.benchmarks.bench $(ROW)

frontier: dev  ## fit every table to budgets of bytes (an hour); ROW=name for one row as JSON
	@$(BIN)/python -m tests.frontier $(ROW)

reference: dev  ## reproduce published figures (an hour); ROW=name for one row as JSON
	@$(BIN)/python -m tests.reference $(ROW)

swarm: dev  ## play random small scenarios and check invariants; ARGS="--seeds 10000 --from 0"
	@$(BIN)/python -m tests.swarm --seeds 200 $(ARGS)

phone: dev  ## start two small machines that answer adb like phones
	@.ci/packages.sh .ci/phone-packages
	@$(BIN)/python -m tests.phone start

phone-stop: dev  ## end them
	@$(BIN)/python -m tests.phone stop

pins: dev  ## write the versions in .venv into constraints.txt
	@{ grep '^#' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > .venv/pins
	@mv .venv/pins constraints.txt

clean:  ## end the phones and remove all that make has made, except runs/
	@[ ! -e .phone ] || [ ! -x $(BIN)/python ] || $(BIN)/python -m tests.phone stop
	@rm -rf .venv .venv-tflite .venv-audit .phone dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -prune -exec rm -rf {} +
