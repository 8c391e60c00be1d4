# Every task starts here and needs only Python 3.11 and make: `make help` lists the tasks.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Tests start Python a hundred times. It shall find what it compiled before, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

# Each processor runs tests, and takes over what another one has not come to.
PYTEST := $(BIN)/pytest --numprocesses auto --dist worksteal

LOCK := $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 --custom-compile-command "make lock"

# A comma would end the argument of a call.
ALL := .[dev,spark]

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint format compiled pure wheel proto proto-image lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: $(VENV)/installed ## play the story of a box of masks on a fresh book, then ask the book about it
	@$(BIN)/pathbook demo

test: lint ## run lint, types, import contracts, the checks of the proto files, and all tests except the heavy ones
	@$(PYTEST)

test-all: lint $(VENV)/installed-all ## run the same, and the heavy tests: they also need Spark, which is large
	@$(PYTEST) -m "heavy or not heavy"

lint: $(VENV)/installed-dev
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary

format: $(VENV)/installed-dev ## format the Python files and fix what ruff can fix
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format --quiet

compiled: $(VENV)/installed-dev pure ## compile the pure rooms beside their sources: a minute, and a C compiler
	@$(BIN)/python hatch_build.py

pure: ## remove the compiled modules beside their sources
	@find ledger -name '*.so' -delete
	@rm -f ledger/pathbook/ledger/compiled.sha256

wheel: $(VENV)/installed-dev ## build a wheel with compiled modules into dist/, which fits this machine and Python
	@PATHBOOK_COMPILE=1 $(BIN)/hatchling build --target wheel

proto: $(VENV)/installed-dev ## generate the reasons in the contract, the Python code beside it, and the asyncio client
	@$(BIN)/python proto/reasons.py
	@$(BIN)/python proto/generate.py
	@$(BIN)/python clients/generate_client.py

proto-image: $(VENV)/installed-dev ## accept the contract as it is now: later changes are compared with this image
	@$(BIN)/buf build proto --exclude-source-info --output proto/image.binpb

lock: $(VENV)/installed-dev ## pin the packages of the image, with their hashes, as they are published now
	@$(BIN)/pip install --quiet --disable-pip-version-check uv
	@$(LOCK) pyproject.toml --extra server --extra otel --output-file docker/server.lock
	@$(LOCK) docker/build.in pyproject.toml --output-file docker/build.lock

clean: pure ## remove everything that make and the tools created
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp file says what the virtual environment has, so that a second run installs nothing.
$(VENV)/installed: pyproject.toml
	$(call install,.[server])
	@touch $@

$(VENV)/installed-dev: pyproject.toml
	$(call install,.[dev])
	@touch $(VENV)/installed $@

$(VENV)/installed-all: pyproject.toml
	$(call install,$(ALL))
	@touch $(VENV)/installed $(VENV)/installed-dev $@

define install
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else \
	"Pathbook needs Python 3.11 or newer, and this is %d.%d: run make PYTHON=python3.11" % sys.version_info[:2])'
	@echo "Installing into $(VENV), once ..." >&2
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '$(1)'
endef
