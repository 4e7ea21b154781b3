# Every target sets up what it needs: git, make and a Python 3.13 or newer are enough.
PYTHON ?= python3
BIN := .venv/bin
BENCH_PEERS ?= .cache/peers/bin/python

.PHONY: setup reanalyse test test-slow test-all check docs test-docs pages bench snapshot lock clean

setup: .venv/ready

# The environment is rebuilt from the pins whenever they change.
.venv/ready: requirements.lock pyproject.toml .python-version
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 13))' 2>/dev/null || { \
	  echo "bayes_npp needs Python 3.13 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1)."; \
	  echo "Install one (python.org, pyenv install 3.13, or your system's package) and run: make PYTHON=/path/to/python3.13 $(MAKECMDGOALS)"; \
	  exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python tools/compile_densities.py  # for this and later processes
	@touch $@

reanalyse: setup
	$(BIN)/bayes-npp run models/digital_trade --out out/digital_trade

test: setup
	$(BIN)/python -m pytest -n 2 -m "not slow"

# Statistical tests and whole studies. SLOW_BOX=40 skips what would not end within 40 minutes.
test-slow: setup
	$(BIN)/python -m pytest -n 2 -m slow $(if $(SLOW_BOX),--slow-box $(SLOW_BOX))

test-all: setup
	$(BIN)/python -m pytest -n 2

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy bayes_npp

# The documentation site in out/site: notebooks run, a warning or a broken link is an error.
docs: setup
	$(BIN)/python tools/build_site.py

# Every code block of the documents; `make test-docs UPDATE_BLOCKS=1` writes the outputs that pages show anew.
test-docs: setup
	UPDATE_BLOCKS=$(UPDATE_BLOCKS) PYTHONPATH=tools $(BIN)/python -m pytest -p code_blocks -n 2 --dist loadfile docs README.md README.zh.md

# Pages that are written from results, and the numbers that pages quote.
pages: setup
	$(BIN)/python tools/generated_pages.py

# Parts that are not of today's code, each beside its peers; R's packages are found where they are installed.
bench: setup $(BENCH_PEERS)
	BENCH_PEERS=$(BENCH_PEERS) OMP_NUM_THREADS=1 $(BIN)/python benchmarks/run.py $(PARTS)

.cache/peers/bin/python: benchmarks/peers/requirements.txt
	$(BIN)/python -m venv --clear .cache/peers
	.cache/peers/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers/requirements.txt
	@touch $@

# The committed snapshot of the default study, without the stored draws.
snapshot: reanalyse
	$(BIN)/python reports/take_snapshot.py out/digital_trade reports/digital_trade
	$(BIN)/python tools/generated_pages.py

# New pins for every dependency (needs uv: pip install uv); no host is written into the file.
lock:
	uv pip compile pyproject.toml --extra dev --extra docs --universal --python-version 3.13 --generate-hashes \
	  --no-annotate --no-header --no-emit-index-url --no-emit-find-links --upgrade -q -o requirements.lock

clean:
	rm -rf .venv out .pytest_cache .mypy_cache .ruff_cache
