# Everything a person or CI does with this project. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.8
STACK ?= permission-guard
PORT ?= 4566
OUTPUT ?= dist/permission-guard.cdx.json

# Exported, so that `sam build`, which runs this file again, finds the same uv wherever it runs it.
export UV ?= $(CURDIR)/.venv-tools/bin/uv
export SAM_CLI_TELEMETRY := 0
# The lock file names its registry; a machine's own settings add others and change nothing that is locked.
export UV_PROJECT_ENVIRONMENT := .venv

BIN := .venv/bin
LAYER := layers/permission_guard
SENDERS := layers/senders
# Not in the senders' layer: what only command lines and Windows need, and what the first layer or the Lambda runtime has.
NOT_IN_SENDERS := $(addprefix --prune ,click tzdata typing-extensions urllib3)
EXPORT = $(UV) export --locked --quiet --no-header --no-annotate
EXPORT_LAYER = $(EXPORT) --only-group layer
EXPORT_SENDERS = $(EXPORT) --only-group senders $(NOT_IN_SENDERS)
SOURCES := $(LAYER)/permission_guard functions sandbox tests tools benchmarks

# ── Set-up ──────────────────────────────────────────────────────────────────────────────────────────────────────────

.venv-tools/uv-$(UV_VERSION):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Permission Guard needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Say make PYTHON=python3.12, for example." >&2; exit 2; }
	@rm -rf .venv-tools
	@$(PYTHON) -m venv .venv-tools \
		|| { echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.venv/.synced: .venv-tools/uv-$(UV_VERSION) pyproject.toml uv.lock
	@$(UV) sync --locked --quiet --compile-bytecode --python "$$(.venv-tools/bin/python -c 'import sys; print(sys.executable)')"
	@touch $@

.venv-sandbox/.synced: .venv-tools/uv-$(UV_VERSION) pyproject.toml uv.lock
	@UV_PROJECT_ENVIRONMENT=.venv-sandbox $(UV) sync --locked --quiet --compile-bytecode --no-default-groups --group sandbox --no-install-project \
		--python "$$(.venv-tools/bin/python -c 'import sys; print(sys.executable)')"
	@touch $@

# What only `make audit` needs.
.venv-audit/.synced: .venv-tools/uv-$(UV_VERSION) pyproject.toml uv.lock
	@UV_PROJECT_ENVIRONMENT=.venv-audit $(UV) sync --locked --quiet --no-default-groups --only-group audit \
		--python "$$(.venv-tools/bin/python -c 'import sys; print(sys.executable)')"
	@touch $@

.PHONY: setup
setup: .venv/.synced .venv-sandbox/.synced ## Make both virtual environments from the lock file

# What only `make prove` needs besides.
.venv-proof/.synced: .venv-tools/uv-$(UV_VERSION) pyproject.toml uv.lock
	@UV_PROJECT_ENVIRONMENT=.venv-proof $(UV) sync --locked --quiet --group proof \
		--python "$$(.venv-tools/bin/python -c 'import sys; print(sys.executable)')"
	@touch $@

# Prism, which only `make test-conformance` needs. No package of it may run a script on this machine.
PRISM := tests/conformance/prism
$(PRISM)/node_modules/.synced: $(PRISM)/package.json $(PRISM)/package-lock.json
	@command -v npm >/dev/null \
		|| { echo "Prism needs Node.js 18.20.1 or newer, and npm. On Debian and Ubuntu: apt-get install nodejs npm" >&2; exit 2; }
	@npm ci --prefix $(PRISM) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

# ── What people do ──────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: help
help: ## List these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}'

.PHONY: demo
demo: setup build ## Watch a misconfigured function being found, reported, ticketed and repaired (KEEP=1 leaves the sandbox running; PICTURE=docs/demo.svg writes the README's picture)
	@$(BIN)/python -m sandbox.demo $(if $(KEEP),--keep) $(if $(PICTURE),--picture $(PICTURE))

.PHONY: sandbox
sandbox: setup ## Run AWS on this machine in the foreground (PORT=4566; DEPLOY=1 deploys the stack too, with PARAMETERS, and prints what the bot does)
	@$(if $(DEPLOY),$(MAKE) build)
	@$(BIN)/python -m sandbox serve --port $(PORT) $(if $(DEPLOY),--deploy $(PARAMETERS))

.PHONY: build
build: .venv/.synced ## Build the functions and the layers with SAM, without Docker and for Lambda's Python
	@find functions -name __pycache__ -prune -exec rm -rf {} +
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/sam build

.PHONY: deploy
deploy: build ## Deploy to the AWS account of your credentials (PARAMETERS="FixMode=plan AlertEmail=you@example.com"; CONFIG=guard.yaml deploys that configuration too)
	@$(if $(CONFIG),$(BIN)/permission-guard config validate "$(CONFIG)")
	@$(BIN)/sam deploy --stack-name $(STACK) $(if $(PARAMETERS),--parameter-overrides $(PARAMETERS))
	@$(if $(CONFIG),$(BIN)/permission-guard config push "$(CONFIG)" --stack-name $(STACK) --yes)

# ── What CI does ────────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: lint
lint: setup ## Check style, types and the templates
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/cfn-lint template.yaml stacks/*.yaml
	@$(BIN)/sam validate --lint
	@$(UV) lock --check --quiet
	@$(BIN)/python -m tools.generate --check
	@$(EXPORT_LAYER) | diff -u $(LAYER)/requirements.txt - && $(EXPORT_SENDERS) | diff -u $(SENDERS)/requirements.txt - \
		|| { echo "The requirements of a layer are out of date: run make generate" >&2; exit 1; }

.PHONY: test
test: setup build ## Run the unit, integration, template, fuzz, simulation, contract and end-to-end tests (COVERAGE=1 measures the coverage)
	@$(BIN)/python -m tools.run_tests $(if $(COVERAGE),--coverage)

.PHONY: test-conformance
test-conformance: setup $(PRISM)/node_modules/.synced ## Test against recorded events, other projects' cases and vendors' schemas (MATERIAL=<folder>)
	@[ -n "$(MATERIAL)" ] || { echo "Name the folder with the material (cloudtrail, corpus, oracles, specs): make test-conformance MATERIAL=<folder>" >&2; exit 2; }
	@MATERIAL="$(abspath $(MATERIAL))" $(BIN)/python -m pytest tests/conformance -q

.PHONY: test-browser
test-browser: .venv/.synced ## Test alerts and tickets in Chromium: a reader sees all of them, and nothing in a name acts
	@$(BIN)/python -m pytest tests/browser -q

.PHONY: fuzz
fuzz: .venv/.synced ## Send mutated events to each handler, and mutated items to each reader of a table (COUNT=10000, SEED=1)
	@FUZZ_COUNT=$(or $(COUNT),10000) FUZZ_SEED=$(or $(SEED),1) $(BIN)/python -m pytest tests/fuzz -q -n auto --dist=loadfile

.PHONY: simulate
simulate: .venv/.synced ## Simulate the whole stack, seed by seed, with faults and any order of deliveries (SEEDS=2000, FIRST=0, JOBS=<cores>); SEED=<seed> replays one in words
	@$(BIN)/python -m tests.simulation $(if $(SEED),replay $(SEED),run --seeds $(or $(SEEDS),2000) --first $(or $(FIRST),0) $(if $(JOBS),--jobs $(JOBS)))

.PHONY: simulate-fixes
simulate-fixes: .venv/.synced ## Interrupt every fix at every call, let two workers apply it, and replay every event (EVERY=1 runs on after each crash)
	@$(BIN)/python -m tests.simulation fixes $(if $(EVERY),--every)

.PHONY: simulate-mutations
simulate-mutations: .venv/.synced ## Check the simulation: it must find each of twelve deliberate faults (SEEDS=2000)
	@$(BIN)/python -m tests.simulation.mutations $(if $(SEEDS),--seeds $(SEEDS))

.PHONY: flood
flood: setup build ## Send 500 findings at once through the deployed stack, and count what each channel gets (COUNT=500; MINUTES=10 for the default limit)
	@$(BIN)/python -m tests.flood $(if $(COUNT),--count $(COUNT)) $(if $(MINUTES),--minutes $(MINUTES))

.PHONY: prove
prove: .venv-proof/.synced ## Prove the certificates of fixes with Z3: each plan of the cases, of generated policies and of a corpus (SEEDS=2000, MATERIAL=<folder>, JOBS=<cores>)
	@MATERIAL="$(if $(MATERIAL),$(abspath $(MATERIAL)))" .venv-proof/bin/python -m tests.proof --seeds $(or $(SEEDS),2000) $(if $(JOBS),--jobs $(JOBS))

.PHONY: limits
limits: .venv/.synced ## Test with the most that AWS accepts: whole policies of findings, thousands of functions
	@$(BIN)/python -m pytest tests/limits -q -n auto --dist=loadfile

.PHONY: pr
pr: lint ## Run what CI runs
	@$(MAKE) test COVERAGE=1
	@$(MAKE) limits

.PHONY: format
format: .venv/.synced ## Format the code
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

.PHONY: lock
lock: .venv-tools/uv-$(UV_VERSION) ## Resolve the dependencies again, and write the lock file (UPGRADE=1 takes newer versions)
	@$(UV) lock $(if $(UPGRADE),--upgrade)

.PHONY: generate
generate: .venv/.synced ## Write what is generated: rule pages, the finding's schema, AWS's managed policies, the layers' requirements and licences
	@$(EXPORT_LAYER) > $(LAYER)/requirements.txt
	@$(EXPORT_SENDERS) > $(SENDERS)/requirements.txt
	@$(BIN)/python -m tools.generate

.PHONY: pictures
pictures: .venv/.synced ## Write the pictures of an alert and a ticket in docs/pictures, with Chromium
	@$(BIN)/python -m tools.pictures

.PHONY: sbom
sbom: .venv/.synced ## Write the software bill of materials of what is deployed, as CycloneDX (OUTPUT=dist/permission-guard.cdx.json)
	@$(BIN)/python -m tools.sbom $(OUTPUT)

.PHONY: audit
audit: .venv/.synced .venv-audit/.synced ## List known vulnerabilities of what is deployed; fails for one, and without data (OPTIONS for pip-audit)
	@$(BIN)/python -m tools.audit .venv-audit/bin/pip-audit $(OPTIONS)

.PHONY: bench-policy
bench-policy: .venv/.synced ## Measure the policy engine: roles a second, patterns, adversarial policies, import
	@$(BIN)/python -m benchmarks.policy

.PHONY: bench-certificates
bench-certificates: .venv/.synced ## Measure the certificates of plans for full policies: at most 200 ms each
	@$(BIN)/python -m benchmarks.certificates

.PHONY: bench-check
bench-check: .venv/.synced ## Measure check over a thousand small templates
	@$(BIN)/python -m benchmarks.check

.PHONY: bench-precision
bench-precision: .venv/.synced ## Evaluate 500 generated policies: expected, missed and extra findings (SEED=2026)
	@$(BIN)/python -m benchmarks.precision $(SEED)

.PHONY: bench-throttling
bench-throttling: .venv/.synced ## Measure checks that AWS throttles, for several ways to retry: seconds, failures, calls
	@$(BIN)/python -m benchmarks.throttling

.PHONY: bench-cold-start
bench-cold-start: build ## Measure what each handler's import costs, against boto3 and Logger alone
	@$(BIN)/python -m benchmarks.cold_start

.PHONY: bench-drift
bench-drift: setup build ## Measure how soon a lost read permission is found, by source and cause
	@$(BIN)/python -m benchmarks.drift

.PHONY: clean
clean: ## Remove everything that make built or installed
	@rm -rf .aws-sam .venv .venv-audit .venv-proof .venv-sandbox .venv-tools dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .sandbox $(PRISM)/node_modules

# ── What `sam build` calls ──────────────────────────────────────────────────────────────────────────────────────────

# No interpreter of Lambda's version is needed: uv picks the wheels for it. The requirements are complete: nothing is resolved.
INSTALL = $(UV) pip install --quiet --no-deps --no-installer-metadata --no-compile-bytecode --only-binary :all: --require-hashes \
	--python-version 3.13 --python-platform aarch64-manylinux2014 --target "$(ARTIFACTS_DIR)/python" --requirement

.PHONY: build-PermissionGuardLayer
build-PermissionGuardLayer:
	@mkdir -p "$(ARTIFACTS_DIR)/python"
	@cp -R $(LAYER)/permission_guard "$(ARTIFACTS_DIR)/python/"
	@find "$(ARTIFACTS_DIR)" -name __pycache__ -prune -exec rm -rf {} +
	@rm "$(ARTIFACTS_DIR)"/python/permission_guard/offline/*.json.xz # for what the command line does without AWS
	@$(INSTALL) $(LAYER)/requirements.txt
	@rm -rf "$(ARTIFACTS_DIR)/python/.lock" "$(ARTIFACTS_DIR)/python/bin"

# Without the compiled files, which are twins of modules in Python, and without apprise's command line, translations and icons.
.PHONY: build-SendersLayer
build-SendersLayer:
	@mkdir -p "$(ARTIFACTS_DIR)/python"
	@$(INSTALL) $(SENDERS)/requirements.txt
	@find "$(ARTIFACTS_DIR)" -name '*.so' -delete
	@cd "$(ARTIFACTS_DIR)/python" && rm -rf .lock bin _yaml slack apprise/cli.py apprise/i18n/*/ apprise/i18n/*.pot apprise/assets/themes
