SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BACKEND ?= embedded
# Without kept bytecode each of the many processes that tests, and a deployment, start compiles all its modules again.
export PYTHONDONTWRITEBYTECODE :=
# Tests that run a container in the test process; they need eventlet patched before anything else is imported.
INSIDE := $(BIN)/python -m pytest -p tests.eventlet_first
# The service tests in four runs of about the same length.
MESSAGING := $(wildcard tests/service/test_messaging_*.py)
CLIENTS := $(wildcard tests/service/test_clients_*.py)
# Those that need RabbitMQ as well.
CHASSIS := $(wildcard tests/service/test_chassis_*.py tests/service/test_example_*.py)
# The longest first: each of the last three takes the place of one that has ended. The fault rows and the tests of the
# chassis wait more than they work, so that five runs keep two processors busy.
RUNS := test-outside test-faults-embedded test-faults-distributed test-service test-messaging test-chassis test-clients \
	test-unit
# Tests that start the system as processes and drive it from outside.
OUTSIDE := tests/e2e tests/browser
ON_SERVERS := tests/faults/test_distributed.py

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-23s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock deploy/environment.sh
	@sh deploy/environment.sh $(VENV)
	@touch $@

.PHONY: environment
environment: $(READY) ## Make the Python environment in .venv

.PHONY: demo
demo: $(READY) ## Show the main job; BACKEND=distributed for RabbitMQ and PostgreSQL, DEMO_EXIT=1 to check and end
	@$(BIN)/casewire demo --backend $(BACKEND)

.PHONY: run
run: $(READY) ## Start everything in one process, on var/data or CASEWIRE_DATA, at PORT
	@exec $(BIN)/casewire run

.PHONY: up
up: $(READY) ## Start RabbitMQ, PostgreSQL and every service in its own process
	@$(BIN)/casewire up

.PHONY: down
down: $(READY) ## Stop what `make up` started
	@$(BIN)/casewire down

.PHONY: test
test: $(READY) ## Run every test, real RabbitMQ, PostgreSQL and Chromium included
	@echo "Eight runs, five of them side by side (make $(RUNS)); each is shown when it has ended."
	@$(MAKE) --no-print-directory --keep-going --jobs=5 --output-sync=target $(RUNS)

.PHONY: test-unit
test-unit: $(READY) ## Run the unit and contract tests, which need no server
	@$(INSIDE) tests/unit tests/contract

.PHONY: test-service
test-service: $(READY) ## Run the service tests, but those of clients, of messaging and of the chassis
	@$(INSIDE) tests/service $(addprefix --ignore=,$(CLIENTS) $(MESSAGING) $(CHASSIS))

.PHONY: test-chassis
test-chassis: $(READY) ## Run the service tests of the chassis
	@$(INSIDE) $(CHASSIS)

.PHONY: test-clients
test-clients: $(READY) ## Run the service tests of clients
	@$(INSIDE) $(CLIENTS)

.PHONY: test-messaging
test-messaging: $(READY) ## Run the service tests of messaging
	@$(INSIDE) $(MESSAGING)

.PHONY: test-outside
test-outside: $(READY) ## Run the end-to-end and browser tests
	@$(BIN)/python -m pytest $(OUTSIDE)

.PHONY: test-faults
test-faults: test-faults-embedded test-faults-distributed ## Run the fault matrix in its quick form

.PHONY: test-faults-distributed
test-faults-distributed: $(READY) ## Run the fault matrix in its quick form, on RabbitMQ and PostgreSQL
	@$(BIN)/python -m pytest $(ON_SERVERS)

.PHONY: test-faults-embedded
test-faults-embedded: $(READY) ## Run the fault matrix in its quick form, on the embedded default
	@$(BIN)/python -m pytest tests/faults $(addprefix --ignore=,$(ON_SERVERS))

.PHONY: check
check: $(READY) ## Lint, types, imports, contract drift, secrets, code and dependency audits
	@$(BIN)/python -m deploy.checks

.PHONY: format
format: $(READY) ## Format the code
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

.PHONY: bench
bench: $(READY) ## Measure against peers, on real RabbitMQ and PostgreSQL
	$(BIN)/python -m bench

.PHONY: faults
faults: $(READY) ## Break everything at full load and print the fault matrix; ROWS="1 4" for some rows, BACKEND for one
	@$(BIN)/python -m tests.faults $(ROWS) $(if $(filter-out file,$(origin BACKEND)),--backend $(BACKEND))

.PHONY: openapi
openapi: $(READY) ## Write the generated reference in docs/ again
	$(BIN)/python -m deploy.documents

.PHONY: migration
migration: $(READY) ## Write a service's next migration: SERVICE=clients MESSAGE="add an index on tags"
	@test -n "$(SERVICE)" -a -n "$(MESSAGE)" || { echo 'say SERVICE=… and MESSAGE="…"' >&2; exit 2; }
	@rm -f var/migration.db && mkdir -p var
	@$(BIN)/python -c 'import sys; from chassis.migrations import make_revision; make_revision(sys.argv[1], \
		"sqlite:///var/migration.db", sys.argv[2])' "$(SERVICE)" "$(MESSAGE)"

.PHONY: lock
lock: $(READY) ## Pin every dependency of pyproject.toml again, with hashes
	$(BIN)/pip-compile --quiet --all-extras --strip-extras --allow-unsafe --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock pyproject.toml

.PHONY: clean
clean: ## Remove the environment, caches and all local data
	@if [ -x $(BIN)/casewire ]; then $(BIN)/casewire down; fi
	rm -rf $(VENV) var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
