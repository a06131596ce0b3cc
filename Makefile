# Everything sets itself up: the first target that needs a tool creates .venv and installs the pinned requirements.
.DEFAULT_GOAL := help
SHELL := /bin/bash

BIN := .venv/bin
LAYER_PYTHON ?= 3.13
LAYER_PLATFORM ?= aarch64
LAYER_CACHE := .local/layers/$(LAYER_PYTHON)-$(LAYER_PLATFORM)
PYTEST_ARGS ?=
ON_DYNAMODB_LOCAL := tests/contracts tests/machines
ON_THE_STACK := tests/stack tests/local
THOROUGH := tests/projectors tests/security tests/handlers/test_frame_fuzz.py tests/template/test_alone.py \
    tests/tools/test_failures.py tests/tools/test_rebuild.py tests/tools/test_rebuild_properties.py
NOT_EVERY_DAY := $(ON_THE_STACK) $(THOROUGH) tests/machines
PREFIX ?= streamer
ONLY ?=
MINUTES ?= 3
SEED ?=
STACK ?= streamer-$(ENVIRONMENT)
ENVIRONMENT ?= dev
GUIDED ?= --guided

# sam keeps its settings in the environment it is installed in, reports nothing and asks nobody for a newer version.
export __SAM_CLI_APP_DIR := $(CURDIR)/.venv/sam
export SAM_CLI_TELEMETRY := 0

# The Region for AWS's other tools is one for sam as well, which would deploy to another one without a word.
ifndef AWS_DEFAULT_REGION
ifdef AWS_REGION
export AWS_DEFAULT_REGION := $(AWS_REGION)
endif
endif

.PHONY: help demo test fuzz audit test-thorough test-stack test-dynamodb-local simulate mutants faults test-console test-browser soak bench throughput tables protocol up down status check format lint types build sizes deploy deploy-console requirements clean

help: ## Show the targets.
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 22

demo: .venv/.demo ## Start the stack on this machine, run real requests through it, show what happened, stop it.
	@$(BIN)/python -m local.demo

up: .venv/.demo ## Start the stack on this machine, in the background.
	@$(BIN)/python -m local up

down: .venv/.demo ## Stop the stack on this machine.
	@$(BIN)/python -m local down

status: .venv/.demo ## Say whether the stack on this machine is up.
	@$(BIN)/python -m local status || true

test: .venv/.dev ## Run the whole test suite.
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

test-thorough: .venv/.dev ## Run the longer tests: readers of streams with a crash at every call, isolation and fuzzing.
	@$(BIN)/python -m pytest $(PYTEST_ARGS) $(THOROUGH)

test-stack: .venv/.dev ## Run the tests that need the stack on this machine, and the stores' contracts on its emulator.
	@$(BIN)/python -m pytest --backends=ministack $(PYTEST_ARGS) $(ON_THE_STACK) tests/contracts

test-dynamodb-local: .venv/.dev ## Run the stores' contracts and machines on DynamoDB Local, Amazon's own engine; needs java and npm.
	@$(BIN)/python -m local.dynamodb_local
	@$(BIN)/python -m pytest --numprocesses=0 --backends=dynamodb-local $(PYTEST_ARGS) $(ON_DYNAMODB_LOCAL)

test-console: tests/console/node_modules/.complete ## Test the console's modules and streamer.js under Node; needs Node 20 and npm.
	@cd tests/console && node_modules/.bin/prettier --check --log-level warn ../../console '*.mjs' '*.ts' ../browser/*.js
	@cd tests/console && node --test --test-timeout=60000 *.test.mjs

test-browser: test-console .venv/.browser ## Test the console in chromium, which is installed when it is missing.
	@command -v chromium >/dev/null || { echo "Installing chromium"; $(call quietly,($(install-chromium))); }
	@$(BIN)/python -m pytest --numprocesses=0 $(PYTEST_ARGS) tests/browser

soak: .venv/.dev ## Load and harm a stack of its own at random and judge it: make soak [MINUTES=3] [SEED=n].
	@$(BIN)/python -m tests.soak --minutes "$(MINUTES)" $(if $(SEED),--seed "$(SEED)")

bench: .venv/.bench ## Measure what an event costs beside what others would use: make bench [ONLY=posts]; about ten minutes.
	@$(BIN)/python -m bench $(ONLY)

throughput: .venv/.dev ## Measure how fast no-op requests flow with 2 workers on a stack of its own, and what takes the time.
	@$(BIN)/python -m bench.throughput

# DynamoDB Local and MiniStack behind microburst; first a broken twin, which must be found out.
faults: .venv/.dev ## Run functions through faults over HTTP, killed at random, and judge: make faults [N=60] [SEED=1]; needs java and npm.
	@$(BIN)/python -m local.dynamodb_local
	@$(BIN)/python -m tests.faults --requests "$(or $(N),60)" --seed "$(or $(SEED),1)"

# SEEDS histories from SEED on; the figures of the first 500 or more are kept. TRACE=1 prints every call of one history.
simulate: .venv/.dev ## Run histories full of faults and check each: make simulate [SEEDS=500] [SEED=1] [TRACE=1].
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),500) --seed $(or $(SEED),1) \
	    $(if $(TRACE),--trace) $(if $(filter 1,$(or $(SEED),1)),--keep)

mutants: .venv/.dev ## Switch off one guard after the other: the simulation must notice each.
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.simulation --mutants

fuzz: .venv/.dev ## Mutate frames, tokens, stream records and stored rows: make fuzz [N=100000] [SEED=1].
	@$(BIN)/python -m tests.security.fuzz --inputs $(or $(N),100000) --seed $(or $(SEED),1)

# Not among the requirements: it asks a service about what is pinned, so it needs the network and the newest of itself.
# Strict: a service that does not know a package has said nothing about it, and that is no good news.
audit: .venv/.dev ## Ask PyPI's advisories about every pinned requirement; needs the network.
	@mkdir -p .local/log; for set in demo "" tokens keys dev browser bench; do \
	    name=requirements$${set:+-$$set}.txt; log=.local/log/audit-$$name; \
	    if $(BIN)/uv tool run pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
	        --requirement $$name >$$log 2>&1; then echo "$$name: no known holes"; continue; fi; \
	    failed=1; \
	    if grep -q '^Found ' $$log; then cat $$log; else echo "$$name: NOT audited: $$(tail -n 1 $$log)"; unasked=1; fi; \
	done; \
	[[ -z "$$unasked" ]] || echo "pip-audit asks PyPI itself, through no mirror; what it said is in .local/log/audit-*." >&2; \
	exit $${failed:-0}

tables: .venv/.demo ## Make all tables on an emulator: make tables ENDPOINT=http://... [PREFIX=streamer].
	@[[ -n "$(ENDPOINT)" ]] || { echo "Which DynamoDB? make tables ENDPOINT=http://127.0.0.1:8000" >&2; exit 1; }
	@$(BIN)/python -m local.tables "$(ENDPOINT)" --prefix "$(PREFIX)"

check: .venv/.dev lint types ## Format, lint, types, layers, template, spelling, the quick tests with coverage.
	@$(BIN)/python -m pytest $(addprefix --ignore=,$(NOT_EVERY_DAY)) --backends=memory,moto,simulated $(PYTEST_ARGS) --cov

lint: .venv/.dev ## Check format, lint, layers, template and spelling.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/cfn-lint template.yaml
	@$(BIN)/sam validate --lint --region us-east-1
	@$(BIN)/codespell

types: .venv/.dev ## Check the types.
	@$(BIN)/mypy

protocol: .venv/.dev ## Make docs/asyncapi.json and the tables of docs/protocol.md from the schema.
	@$(BIN)/python -m tools.protocol

format: .venv/.dev ## Format the code and apply the lint fixes that are safe.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

build: .venv/.demo ## Build for Lambda, from any host, and print how large it is.
	@$(BIN)/sam build --config-env "$(ENVIRONMENT)"
	@$(BIN)/python -m local.sizes

sizes: .venv/.demo ## Print how large what was built is, and what a function imports.
	@$(BIN)/python -m local.sizes

deploy: build ## Deploy what was built: make deploy ENVIRONMENT=dev|prod [GUIDED=]; AWS credentials and region are yours.
	@$(BIN)/sam deploy --config-env "$(ENVIRONMENT)" $(GUIDED)

deploy-console: .venv/.demo ## Upload the console to a stack that was deployed with Console=true: make deploy-console [STACK=streamer-dev].
	@$(BIN)/python -m tools.publish_console "$(STACK)"

requirements: .venv/.dev ## Choose the newest versions that fit together and pin them.
	@for set in demo "" tokens keys dev browser bench; do \
	    name=requirements$${set:+-$$set}; \
	    constraint=$$([[ $$set == demo ]] || echo "--constraint requirements-demo.txt"); \
	    $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	        --no-emit-index-url --no-header $$constraint $$name.in --output-file $$name.txt || exit; \
	done

clean: ## Remove everything that was built or installed; stop the stack first.
	rm -rf .venv .local .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage *.egg-info

# --- what runs here -------------------------------------------------------------------------------------------

# A long command says what it is; its output shows only when it fails.
quietly = mkdir -p .local/log; $(1) >$(install_log) 2>&1 || { cat $(install_log) >&2; exit 1; }
install_log = .local/log/install-$(notdir $(@D)).log

# The requirements are complete (each is pinned), so there is nothing to resolve; wheels need no compiler.
install := $(BIN)/python -m pip install --disable-pip-version-check --no-input --no-deps --no-compile

.venv/.created:
	@for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	    "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && found=$$candidate && break; \
	done; \
	[[ -n "$$found" ]] || { echo "Streamer needs Python 3.11 or newer: make PYTHON=/path/to/python3" >&2; exit 1; }; \
	echo "Creating .venv with $$("$$found" --version)"; \
	rm -rf .venv && $(call quietly,"$$found" -m venv .venv)
	@touch $@

.venv/.demo: requirements-demo.txt pyproject.toml .venv/.created
	@echo "Installing what the stack needs (about half a minute, once)"
	@$(call quietly,$(install) --only-binary=:all: --require-hashes --requirement requirements-demo.txt)
	@$(call quietly,$(install) --no-build-isolation --editable .)
	@mkdir -p .venv/sam && echo '{"lastVersionCheck": 4102444800.0}' >.venv/sam/metadata.json
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.demo
	@echo "Installing the development tools (about half a minute, once)"
	@$(call quietly,$(install) --only-binary=:all: --require-hashes --requirement requirements-dev.txt)
	@touch $@

.venv/.browser: requirements-browser.txt .venv/.dev
	@$(call quietly,$(install) --only-binary=:all: --require-hashes --requirement requirements-browser.txt)
	@touch $@

.venv/.bench: requirements-bench.txt .venv/.dev
	@$(call quietly,$(install) --only-binary=:all: --require-hashes --requirement requirements-bench.txt)
	@touch $@

install-chromium := apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes \
    --no-install-recommends chromium

tests/console/node_modules/.complete: tests/console/package-lock.json
	@$(call quietly,npm ci --prefix tests/console --ignore-scripts)
	@touch $@

# --- what runs on Lambda: sam calls these targets, as template.yaml says -----------------------------------------

# "host" is this machine, for the stack that runs here; any other platform is a Linux machine type of Lambda's.
ifeq ($(LAYER_PLATFORM),host)
LAYER_TARGET :=
else
LAYER_TARGET := --implementation cp --python-version $(LAYER_PYTHON) \
    --platform manylinux2014_$(LAYER_PLATFORM) --platform manylinux_2_28_$(LAYER_PLATFORM)
endif

# Made beside its place and moved there: what builds side by side finds it whole or not at all.
$(LAYER_CACHE)/%/.complete: %.txt
	@mkdir -p "$(LAYER_CACHE)"; new=$$(mktemp -d "$(LAYER_CACHE)/.new.XXXXXX") && \
	$(call quietly,$(install) --only-binary=:all: --require-hashes --requirement $< --target "$$new/python" \
	    $(LAYER_TARGET)) && touch "$$new/.complete" && \
	if [[ "$@" -nt "$<" ]]; then rm -rf "$$new"; else rm -rf "$(@D)" && mv "$$new" "$(@D)"; fi

build-DependenciesLayer: $(LAYER_CACHE)/requirements/.complete
build-TokensLayer: $(LAYER_CACHE)/requirements-tokens/.complete
build-KeysLayer: $(LAYER_CACHE)/requirements-keys/.complete
build-DependenciesLayer build-TokensLayer build-KeysLayer:
	@mkdir -p "$(ARTIFACTS_DIR)"
	@cp -R "$(<D)/python" "$(ARTIFACTS_DIR)/"

build-%:
	@mkdir -p "$(ARTIFACTS_DIR)"
	@set -o pipefail; $(BIN)/python -m local.needed "$*" | tar -cf - -T - | tar -xf - -C "$(ARTIFACTS_DIR)"
