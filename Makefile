# Two commands do everything: `make demo` shows the product at work, `make test` runs the tests.
# Both set up .venv first, and both may be run again: what is done is not done twice.

PYTHON ?= python3
VENV   ?= .venv
DEMO   ?= demo
# make demo RELEASE=/path/to/your/HOMAGE takes the same road over your own download.
RELEASE ?=
# With RELEASE, how many sequences to pack and train on (0 = all, which takes hours).
LIMIT  ?= 48

BIN   := $(VENV)/bin
READY := $(VENV)/.ready
TESTS ?= -n 2

GPU_OUT ?= gpu_check
INSTRUMENT ?= instrument
SMALL_ARMS ?= small_arms
# make small-arms MINUTES=50 begins no run after 50 minutes; the same command goes on. A second command with
# other TABLES may train beside it once the shards are packed: each run takes one thread.
MINUTES ?= 1000
TABLES  ?= 3 6 controls

.PHONY: demo test test-slow check-gpu chaos mutate instrument small-arms docs screenshot lint types setup clean help

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make demo        the whole road on a synthetic release (or RELEASE=/path), ends with pages to open
demo: $(READY)
	@$(BIN)/python tools/demo.py --out "$(DEMO)" --limit "$(LIMIT)" $(if $(RELEASE),--release "$(RELEASE)")

## make test        the tests (about five minutes on two quiet cores)
test: $(READY)
	$(BIN)/python -m pytest -q $(TESTS)

## make test-slow   the longer ones that `make test` leaves out (about twenty minutes on two quiet cores)
test-slow: $(READY)
	$(BIN)/python -m pytest -q $(TESTS) -m slow

## make chaos       kills packing and loading at hundreds of random moments; six weeks of a download
chaos: $(READY)
	$(BIN)/python tools/six_weeks.py
	$(BIN)/python tools/chaos_pack.py
	$(BIN)/python tools/chaos_loader.py

## make mutate      22,500 files with one blind change each: nothing that ffmpeg's strict mode notices is silent (twenty minutes)
mutate: $(READY)
	$(BIN)/python tools/mutate.py --out mutate.json

## make check-gpu   whether training is right and fast on this machine's GPU (seven minutes)
check-gpu: $(READY)
	$(BIN)/python tools/check_gpu.py --out "$(GPU_OUT)"

## make instrument  is cooperation found where it must exist, and only there? (8 CPU minutes; exits 1 while a claim fails)
instrument: $(READY)
	$(BIN)/python -m baselines.ccau instrument --out "$(INSTRUMENT)" --page docs/ccau_instrument.md

## make small-arms  Tables 3 and 6 and their controls on the synthetic world, five seeds (hours; MINUTES=50 does a piece)
small-arms: $(READY)
	$(BIN)/homage synth "$(SMALL_ARMS)/release" --sequences 200 --activities 10 --size 320x240 --seconds 6 10 --seed 7
	$(BIN)/homage ingest "$(SMALL_ARMS)/release" "$(SMALL_ARMS)/catalog" || test $$? -eq 1
	$(BIN)/homage pack "$(SMALL_ARMS)/catalog" "$(SMALL_ARMS)/shards" || test $$? -eq 1
	OMP_NUM_THREADS=1 $(BIN)/python -m baselines.ccau arms "$(SMALL_ARMS)/shards" "$(SMALL_ARMS)/arms" --size tiny --seeds 5 \
	  $(foreach table,$(TABLES),--table $(table)) --minutes $(MINUTES) --page docs/ccau_small_arms.md

## make docs        the API reference, from docstrings, in build/api/index.html
docs: $(READY)
	@$(BIN)/python tools/api_pages.py build/api

## make screenshot  docs/view.jpg again: the page of a synthetic sequence (needs Chromium)
screenshot: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'
	$(BIN)/python tools/view_screenshot.py docs/view.jpg

## make lint types  ruff and mypy --strict
lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 2; }
	@echo "setting up $(VENV) (about a minute, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "no venv module: on Debian and Ubuntu, apt-get install python3-venv"; exit 2; }
	@# torch first and alone, so that nothing else decides which build comes.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  -e '.[train,figures,graph,test,dev]'
	@touch $(READY)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
