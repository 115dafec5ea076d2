# Builds, runs and tests Isobar on Debian or Ubuntu with Rust, a C compiler and python3 with pip.
# Everything else is fetched into .tools/ and built into target/; nothing is installed.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
export ORT_DYLIB_PATH ?= $(CURDIR)/.tools/onnxruntime/libonnxruntime.so

FUZZ_SECONDS ?= 60
FAULTS_SEEDS ?= 10000
# Recordings that models are trained with, and Python for it. One thread of linear algebra: the same bytes everywhere.
DATA ?= $(or $(ISOBAR_DATA),../shared/data)
VENV := .tools/models-venv
PYTHON := OPENBLAS_NUM_THREADS=1 $(VENV)/bin/python
# One profile for the program, its tests and its benchmarks: dependencies are compiled once.
RELEASE := --release
# The guest SDK is built along natively: the tests need it, and with it cargo chooses the same features of shared
# dependencies here as there. Otherwise the slowest of them would be compiled twice.
ALONG := -p isobar-strategy

.PHONY: build dist run test lint bench bench-latency fuzz faults soak models validate clean help prerequisites native

build: native ## build everything; leaves target/release/isobar
	@cargo build $(RELEASE) -p isobar $(ALONG)

dist: native ## build the program as it is run with money, in ten minutes; leaves target/dist/isobar
	@cargo build --profile dist -p isobar

run: build ## play a simulated day with two strategies; Ctrl-C ends it with a summary
	@target/release/isobar demo

# The program with faults on purpose is built by itself: cargo unites the features of all that is built together.
test: build ## run all tests
	@.ci/clients
	@cargo build $(RELEASE) -p isobar-mutants $(ALONG)
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run $(RELEASE) --workspace --exclude isobar-mutants --no-fail-fast; \
	else \
		cargo test $(RELEASE) --workspace --exclude isobar-mutants --lib --bins --tests --no-fail-fast; \
	fi

lint: prerequisites ## check formatting and clippy, warnings are errors
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings

bench: native ## run the benchmarks
	@cargo bench --workspace --bench "*"

# LATENCY takes further arguments: make bench-latency LATENCY="--rounds 1 --triggers 1000", or --help.
bench-latency: dist ## time from a frame to an order beside a bare bot, ten minutes
	@cargo bench --profile dist -p isobar-tests --bench latency -- --measure $(LATENCY)

fuzz: prerequisites ## feed random frames to the venue's decoder for FUZZ_SECONDS (60)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test $(RELEASE) -p isobar-kalshi --test fuzz -- --nocapture

faults: build ## every fault at every step of an order with a death at every point, then FAULTS_SEEDS (10000) runs by chance
	@cargo build $(RELEASE) -p isobar-mutants $(ALONG)
	@FAULTS_ONE_OF=1 FAULTS_SEEDS=$(FAULTS_SEEDS) cargo test $(RELEASE) -p isobar-tests --test faults -- --nocapture --test-threads=1

soak: build ## what takes long: a hundred kills, and whole days of live trading without and with faults (40 minutes each)
	@cargo test $(RELEASE) -p isobar-tests --test live --test live_faults -- --ignored --nocapture

models: build $(VENV)/ready ## train all models from the recordings in DATA (../shared/data); ARGS=--check compares instead
	@$(PYTHON) models/train.py --data $(DATA) $(ARGS)

validate: build $(VENV)/ready ## judge the models by days that they were not trained on; writes models/validation.json
	@$(PYTHON) models/validate.py --data $(DATA) $(ARGS)

$(VENV)/ready: models/requirements.txt
	@python3 -m venv $(VENV) || { echo "no virtual environment: apt install python3-venv" >&2; exit 1; }
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r models/requirements.txt
	@touch $@

clean: ## delete what was built and fetched
	@rm -rf target .tools

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

# What the host needs beside itself: ONNX Runtime's library and the strategies as components.
native: prerequisites
	@.ci/onnxruntime
	@.ci/guests

prerequisites:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: apt install build-essential" >&2; exit 1; }
	@command -v python3 >/dev/null || { echo "python3 is missing: apt install python3 python3-pip" >&2; exit 1; }
