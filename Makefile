# make demo: from nothing to generated text.  make check: all checks and tests.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo check install clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

data/shakespeare.txt: | install
	$(BIN)/charrnn corpus shakespeare -o $@ \
	|| { echo "Shakespeare cannot be downloaded: the demo trains on Python's own source instead." >&2; \
	     $(BIN)/charrnn corpus stdlib -o $@; }

demo: install data/shakespeare.txt
	$(BIN)/charrnn train data/shakespeare.txt --time 60s -o models/demo.safetensors --overwrite
	$(BIN)/charrnn generate -m models/demo.safetensors -t 0.7 -l 600

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
