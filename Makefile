# Every target installs what it needs in .venv, again when pyproject.toml or the pins change. `demo` needs the package alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Extras of the other targets: dev for the tests, docs for the site, notebooks for the notebooks (one compares with fastai).
EXTRAS ?= dev
COMMA := ,
STAMP := $(VENV)/.up-to-date-$(subst $(COMMA),-,$(EXTRAS))
PACKAGE := $(VENV)/.up-to-date

.PHONY: demo test lint bench docs site clean

demo: $(PACKAGE)
	$(BIN)/tabrec demo

# TESTS=all adds the tests marked `long`: notebooks, examples, code of the documentation, whole commands and pages, accuracy.
TESTS := short
# Compiled modules are shared by the workers and the programs that tests start, even where the caller turns them off.
test: $(STAMP)
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadgroup --no-loadscope-reorder \
		$(if $(filter all,$(TESTS)),,-m "not long")

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python benchmarks/preprocess.py
	$(BIN)/python benchmarks/forest.py
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/neural.py
	$(BIN)/python benchmarks/embeddings.py
	for model in net forest boosting; do $(BIN)/python benchmarks/defaults.py $$model; done
	$(BIN)/python benchmarks/collab.py
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/collab_scale.py
	$(BIN)/python benchmarks/interpret.py --only report

docs:
	$(MAKE) site EXTRAS=dev,docs,notebooks

site: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(PACKAGE): WHAT := .
$(STAMP): WHAT := .[$(EXTRAS)]
$(PACKAGE) $(STAMP): pyproject.toml constraints.txt hatch_build.py $(wildcard tabrec/trees/grower/*.?pp)
	$(PYTHON) -c 'import sys; sys.exit("tabrec needs Python 3.11 or newer: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '$(WHAT)'
	touch $@

clean:
	rm -rf $(VENV) dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
