# Everything a developer runs. All caches live outside the checkout, so that a fresh clone starts warm.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.SILENT:

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mlops-operator
export CARGO_TARGET_DIR ?= $(CACHE)/target
PYTHON := $(CACHE)/venv/bin/python
export MLOPS_SANDBOX_PYTHON := $(PYTHON)
# What the tests ask of AWS and what they are answered; each checkout has its own.
RECORDED := $(CACHE)/contract/$(firstword $(shell printf %s "$(CURDIR)" | cksum))

# Checkouts on one machine share the target directory, and cargo tells their crates apart by time alone: what another
# checkout built must look old.
.PHONY: own
own:
	mkdir -p "$(CARGO_TARGET_DIR)"
	if [ "$$(cat "$(CARGO_TARGET_DIR)/checkout" 2>/dev/null)" != "$(CURDIR)" ]; then
	  find build.rs src tests -name '*.rs' -exec touch {} +
	  printf %s "$(CURDIR)" > "$(CARGO_TARGET_DIR)/checkout"
	fi

.PHONY: help
help: ## lists the targets
	grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

.PHONY: test
test: lint test-templates test-seed test-rust test-chart test-e2e contract ## everything: lints, seed code, unit and table tests, golden lifecycles, API server, chart, end to end, contract with AWS

.PHONY: lint
lint: own tools ## format, clippy with warnings as errors, licences and sources of dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(CACHE)/tools/bin/cargo-deny --log-level error check bans licenses sources

.PHONY: test-rust
test-rust: own tools cluster ## all Rust tests
	rm -rf "$(RECORDED)/rust"
	MLOPS_JOURNAL_DIR="$(RECORDED)/rust" cargo test --workspace

SEED ?= 20260301
PAIRS ?= 200
.PHONY: explore
explore: own tools cluster ## every crash point, every fault at every call, PAIRS random pairs of faults by SEED; some minutes
	failed=0
	rm -rf "$(RECORDED)/rust"
	export MLOPS_JOURNAL_DIR="$(RECORDED)/rust"
	EXPLORE=1 EXPLORE_SEED=$(SEED) EXPLORE_PAIRS=$(PAIRS) cargo test --quiet --test crash -- --nocapture --test-threads=1 | tee "$(CACHE)/explored.txt" || failed=1
	awk -f tests/explorer/sum.awk "$(CACHE)/explored.txt"
	cargo test --quiet --test fields -- --nocapture | grep -a ' fields, ' || failed=1
	$(MAKE) contract || failed=1
	exit $$failed

.PHONY: explore-teeth
explore-teeth: ## breaks the operator in five ways; the explorer must catch each
	tests/explorer/teeth/bite

.PHONY: contract
contract: own tools ## what the tests asked of AWS and were answered, and a tour with boto3, against AWS's own API models
	$(PYTHON) -m unittest discover --quiet --start-directory tests/contract
	cargo build --workspace --bins --quiet
	rm -rf "$(RECORDED)/tour"
	MLOPS_JOURNAL_DIR="$(RECORDED)/tour" $(PYTHON) tests/contract/tour.py "$(CARGO_TARGET_DIR)/debug/mlops-sandbox"
	$(PYTHON) tests/contract/check.py "$(RECORDED)/rust" $$(ls -d "$(RECORDED)/e2e" 2>/dev/null) "$(RECORDED)/tour"

.PHONY: test-templates
test-templates: tools ## templates and policies through their linters, the functions' own tests, the setup guide, the seed code check-in
	$(PYTHON) -B -m unittest discover --quiet --start-directory tests/templates
	$(PYTHON) -m unittest discover --quiet --start-directory tests/lambda
	$(PYTHON) -m unittest discover --quiet --start-directory tests/setup
	$(PYTHON) -B -m unittest discover --quiet --start-directory tests/check-in

.PHONY: test-seed
test-seed: ## the seed code: its repositories' own tests, then data, model and pipelines as they run in SageMaker and Jenkins
	tests/seed/run

.PHONY: test-chart
test-chart: cluster ## helm lint, rendering, and what the API server says of it
	tests/cluster/chart-test

.PHONY: test-e2e
test-e2e: own tools cluster ## end to end over HTTP: the demo's story, which fails where anything is not as told
	rm -rf "$(RECORDED)/e2e"
	MLOPS_JOURNAL_DIR="$(RECORDED)/e2e" tests/demo/demo

.PHONY: speed
speed: own ## how long a project takes, against the shortest time that the remote side's delays allow (virtual time)
	cargo test --test controller it_waits_hardly_longer_than_aws_works -- --nocapture

.PHONY: demo
demo: own tools cluster ## the whole story of one project against a real API server and the sandbox; KEEP=1 leaves it running
	tests/demo/demo

.PHONY: crd
crd: own ## writes the CustomResourceDefinitions from the types
	cargo run --quiet -- crd

.PHONY: golden
golden: own tools ## writes the golden files anew; read the difference before you commit it
	UPDATE_GOLDEN=1 cargo test --test golden --test surroundings --test crd

.PHONY: cluster
cluster: ## builds the test API server, kubectl and helm into the cache
	tests/cluster/build >/dev/null

.PHONY: tools
tools: ## installs pinned Python packages and cargo-deny into the cache
	tests/tools/install
