# Every verb of working on Partita; `make` alone lists them. Nothing but Rust, a C compiler and
# Python has to be there: the rest is installed into `.venv`, and built into `target`, when needed.

PYTHON ?= python3
SEED ?= 1
ROUNDS ?= 2000
ROUND ?= 0
KILLS ?= 500
SECONDS_A_TARGET ?= 20

ROOT := $(CURDIR)
VENV := $(ROOT)/.venv
RELEASE_VENV := $(ROOT)/target/release-venv
TORCH_VENV := $(ROOT)/target/torch-venv
DEMO_HOME := $(ROOT)/target/demo-home
WHEELS := $(ROOT)/target/wheels
CARGO := cargo
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)
OUTER_PATH := $(PATH)

# What the native modules and the command are made of, and what goes into the wheel besides.
RUST_SOURCES := Cargo.toml $(wildcard Cargo.lock) .cargo/config.toml $(shell find crates examples python/rust \
	-path '*/tests' -prune -o -type f \( -name '*.rs' -o -name '*.toml' -o -name '*.sql' -o -name '*.json' -o -path '*/templates/*' \) -print)
PYTHON_SOURCES := python/pyproject.toml $(shell find python/src -type f \( -name '*.py' -o -name '*.pyi' \) -print)

# Runs a command in the environment of development, and in that of the demo and the benchmarks.
IN_VENV := VIRTUAL_ENV="$(VENV)" PATH="$(VENV)/bin:$(OUTER_PATH)"
IN_RELEASE_VENV := VIRTUAL_ENV="$(RELEASE_VENV)" PATH="$(RELEASE_VENV)/bin:$(OUTER_PATH)"

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-rust test-python test-docker test-torch test-polars check lint format-check clippy ruff pyright \
	rustdoc doc-check msrv bench bench-peers fuzz chaos wheel fmt clean
.NOTPARALLEL:
.DELETE_ON_ERROR:

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: .venv/native.stamp ## Install what development needs into .venv, and build into it.

demo: target/release-venv/partita.stamp ## Run the digits example twice; the second run is cached.
	@rm -rf "$(DEMO_HOME)"
	@printf '\nThe first run:\n\n'
	@$(IN_RELEASE_VENV) PARTITA_HOME="$(DEMO_HOME)" partita run examples/digits/pipeline.py
	@printf '\nThe second run, where nothing has changed:\n\n'
	@$(IN_RELEASE_VENV) PARTITA_HOME="$(DEMO_HOME)" partita run examples/digits/pipeline.py
	@$(IN_RELEASE_VENV) PARTITA_HOME="$(DEMO_HOME)" python examples/digits/where_to_look.py

test: test-rust test-python ## Run every test.

check: lint test ## Do what CI does: formatting, lints, types, documentation, tests.

lint: format-check clippy ruff pyright rustdoc doc-check msrv ## The part of `check` that runs no test.

test-docker: .venv/native.stamp ## Run what needs a Docker engine, which is started as root.
	$(IN_VENV) PARTITA_REQUIRE_DOCKER=1 python -m pytest -q -c python/pyproject.toml \
		python/tests/test_docker*.py python/tests/test_image*.py python/tests/test_example_containers.py

test-torch: target/torch-venv/native.stamp ## Run what needs torch, which takes 6 GB to install.
	VIRTUAL_ENV="$(TORCH_VENV)" PATH="$(TORCH_VENV)/bin:$(OUTER_PATH)" \
		python -m pytest -q -c python/pyproject.toml \
		python/tests/test_torch.py python/tests/test_materializers_refusals.py

# Polars alone is more to build than everything else here, in 110 packages.
test-polars: .venv/native.stamp ## Run what needs polars in Rust, which takes minutes to build.
	$(CARGO) build --locked --package pipelines --features polars --bin frames
	$(IN_VENV) PARTITA_REQUIRE_POLARS=1 python -m pytest -q -c python/pyproject.toml \
		python/tests/test_frames_in_rust.py

bench: target/release-venv/partita.stamp ## Measure the budgets beside their floors.
	$(IN_RELEASE_VENV) python benches/run.py

bench-peers: target/release-venv/partita.stamp ## Measure Partita beside other orchestrators.
	$(IN_RELEASE_VENV) python benches/peers.py

fuzz: ## Fuzz the parsers for a short while, from the saved seeds (needs cargo-fuzz, nightly).
	@for target in $$(cargo +nightly fuzz list); do \
		mkdir -p fuzz/corpus/$$target; \
		cargo +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(SECONDS_A_TARGET) -seed=$(SEED) || exit 1; \
	done

chaos: .venv/native.stamp ## Let everything go wrong at random moments; checks that nothing is lost.
	$(IN_VENV) PARTITA_CHAOS_SEED=$(SEED) PARTITA_CHAOS_KILLS=$(KILLS) \
		PARTITA_CHAOS_ROUNDS=$(ROUNDS) PARTITA_CHAOS_ROUND=$(ROUND) \
		python -m pytest -q -rP -c python/pyproject.toml python/tests/test_chaos.py \
		python/tests/test_crashes.py -k "whatever_goes_wrong or killed_run"

wheel: target/release-venv/wheel.stamp ## Build the wheel, the command inside, into target/wheels.

fmt: .venv/venv.stamp ## Format everything.
	$(CARGO) fmt --all
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix-only --quiet .

clean: ## Remove everything that was built or installed here.
	@tests/docker/engine.sh purge
	@tests/docker/podman.sh purge
	@tests/docker/rootless.sh purge
	rm -rf target fuzz/target fuzz/corpus .venv python/partita.data python/src/partita/_*.so
	rm -rf .pytest_cache .ruff_cache python/.pytest_cache python/.hypothesis
	find python examples tests benches -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- The parts of `test` and `check` ----

test-rust:
ifdef NEXTEST
	$(CARGO) nextest run --workspace --locked
	$(CARGO) test --workspace --locked --doc --quiet
else
	$(CARGO) test --workspace --locked --quiet
endif

# A third of the time tests wait, for what others do.
WORKERS = $$(( $$(nproc) * 3 / 2 ))

test-python: .venv/native.stamp
	$(IN_VENV) python -m pytest -q -n $(WORKERS) --dist worksteal -c python/pyproject.toml python/tests

format-check: .venv/venv.stamp
	$(CARGO) fmt --all --check
	$(VENV)/bin/ruff format --check --quiet .

clippy: .venv/venv.stamp
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

ruff: .venv/venv.stamp
	$(VENV)/bin/ruff check --quiet .

pyright: .venv/native.stamp
	PYRIGHT_PYTHON_FORCE_VERSION= PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(IN_VENV) pyright

rustdoc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet

doc-check: .venv/venv.stamp
	$(VENV)/bin/python tests/check_docs.py

msrv:
	@tests/check_msrv.sh

# ---- Set-up, done again only when what it is made from changes ----

.venv/venv.stamp: python/requirements-dev.txt tests/check_host.sh
	@tests/check_host.sh $(PYTHON)
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r python/requirements-dev.txt
	@touch $@

# With the examples: they, and tests, have features of dependencies on, and what is built without them
# would be built again for the tests.
.venv/native.stamp: .venv/venv.stamp python/develop.py $(RUST_SOURCES)
	$(CARGO) build --workspace --lib --bins --examples --locked
	.venv/bin/python python/develop.py target/debug
	@touch $@

target/torch-venv/venv.stamp: python/requirements-dev.txt
	$(PYTHON) -m venv --clear $(TORCH_VENV)
	$(TORCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		-r python/requirements-dev.txt torch safetensors
	@touch $@

target/torch-venv/native.stamp: target/torch-venv/venv.stamp .venv/native.stamp
	$(TORCH_VENV)/bin/python python/develop.py target/debug
	@touch $@

target/release-venv/venv.stamp: examples/digits/requirements.txt python/requirements-dev.txt tests/check_host.sh
	@tests/check_host.sh $(PYTHON)
	$(PYTHON) -m venv --clear $(RELEASE_VENV)
	$(RELEASE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		-c python/requirements-dev.txt -r examples/digits/requirements.txt maturin pydantic
	@touch $@

target/release-venv/wheel.stamp: target/release-venv/venv.stamp $(RUST_SOURCES) $(PYTHON_SOURCES)
	$(CARGO) build --release --locked --package partita-cli --package partita-python-engine \
		--package partita-python-native
	rm -rf python/partita.data $(WHEELS)
	install -D -m 755 target/release/partita python/partita.data/scripts/partita
	install -D -m 755 target/release/lib_engine.so \
		python/partita.data/platlib/partita/_engine.abi3.so
	cd python && $(IN_RELEASE_VENV) maturin build --release --compatibility linux --quiet --out $(WHEELS)
	@touch $@

target/release-venv/partita.stamp: target/release-venv/wheel.stamp
	$(RELEASE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--force-reinstall $(WHEELS)/*.whl
	@touch $@
