# make demo: installs charrnn, trains a model and generates text.  make check: runs all checks and tests.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
CONSTRAINTS ?= constraints.txt
PYTEST_OPTIONS ?=

.PHONY: demo check install lowest newest clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) -e '.[dev]'
	touch $@

data/shakespeare.txt: | install
	$(BIN)/charrnn corpus shakespeare -o $@ \
	|| { echo "Shakespeare cannot be downloaded: the demo trains on Python's own source instead." >&2; \
	     $(BIN)/charrnn corpus stdlib -o $@; }

demo: install data/shakespeare.txt
	$(BIN)/charrnn train data/shakespeare.txt --time 60s -o models/demo.safetensors --overwrite
	$(BIN)/charrnn generate -m models/demo.safetensors -t 0.7 -l 600
	@echo; echo "To continue, type:"; echo "  . $(BIN)/activate"
	@echo "  charrnn generate -m demo --prime 'JULIET:' -t 0.5"
	@echo "  charrnn train data/shakespeare.txt -o models/demo.safetensors --resume --time 5m"

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto $(PYTEST_OPTIONS)

# Runs the tests with the lowest or the newest versions of all dependencies. PyTorch comes with CUDA here: gigabytes.
lowest newest:
	$(PYTHON) scripts/versions.py $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
