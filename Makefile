# Everything that is done with this project. `make help` lists it.
SHELL := /bin/sh
BIN := .venv/bin
ARGS ?=
# What the apps in the box draw, export and print with, and what asks models that speak OpenAI's protocol. `make run EXTRAS=` leaves it out.
EXTRAS := data llm pdf

# Some machines forbid Python to keep what it has compiled; each start of a server would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run setup assets dev test check bench format lock docs-update wheel clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

run: setup ## Start Pipulate (make run ARGS="--port 5002"; EXTRAS= leaves out figures, XLSX, PDF)
	@exec $(BIN)/pipulate run $(ARGS)

setup: ## Make the environment and the front-end files; .venv/bin/pipulate is there afterwards
	@python=$$(sh scripts/python.sh) && "$$python" scripts/setup.py program $(EXTRAS) && $(BIN)/python scripts/assets.py

assets: setup ## As setup, which builds the front-end files anew where their sources changed

dev: setup ## As setup, and what tests and checks need besides
	@$(BIN)/python scripts/setup.py data llm pdf "tests and checks"

test: dev ## Everything that has to hold: lint, types, contracts, all tests
	@sh scripts/services.sh
	@# Tests are compiled once, beside the checks, and not by each of the processes that run them.
	@$(BIN)/python -m pytest --collect-only -q >/dev/null 2>&1 & \
	$(MAKE) --no-print-directory check; checked=$$?; wait; exit $$checked
	@# Two processes for each core: tests wait for servers, browsers and disks half of their time.
	@workers=$$(( $$(getconf _NPROCESSORS_ONLN) * 2 )); \
	$(BIN)/python -m pytest -n "$$workers" --maxprocesses 6 --dist loadfile --no-loadscope-reorder $(ARGS)

check: dev ## Lint, format, types, import contracts; seconds
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo --cache-dir .import_linter_cache >/dev/null || $(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/assets.py check

bench: dev ## Measure against the floor and print the table
	@$(BIN)/python -m benchmarks $(ARGS)

format: dev ## Put the code into its one form
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

lock: dev ## Write requirements.lock anew (make lock ARGS=--upgrade)
	@$(BIN)/python scripts/lock.py $(ARGS)

docs-update: dev ## Write the generated pages of docs/reference anew
	@$(BIN)/python scripts/reference.py

wheel: setup ## Build the wheel into dist/
	@$(BIN)/python -m hatchling build --target wheel --directory dist

clean: ## Remove what was built; data/ and plugins/ stay
	@rm -rf .venv node_modules dist src/pipulate/web/static .hypothesis .coverage*
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
