# Everything a developer runs. All caches live outside the checkout, so that a fresh clone starts warm.
# A recipe that needs something installed says so in its first line, with $(INSTALL): see tests/tools/install.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.SILENT:

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mlops-operator
export CARGO_TARGET_DIR ?= $(CACHE)/target
PYTHON := $(CACHE)/venv/bin/python
INSTALL := tests/tools/install
# Runs a command that may be silent for long, and says every 30 s that it works: $(ALIVE) WHAT COMMAND...
ALIVE := tests/tools/alive
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
	grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 16

# Demos

.PHONY: demo
demo: own ## a platform and two projects in one program: operator, sandbox and a Kubernetes API in memory; MANIFEST=file.yaml for your own
	$(INSTALL) rehearsal
	cargo run --quiet --package mlops-rehearsal -- $(MANIFEST)

.PHONY: demo-cluster
demo-cluster: own ## the like on a real API server, with the chart's ServiceAccount; KEEP=1 leaves it running
	$(INSTALL) programs python cluster
	tests/cluster/demo/demo

# Tests

.PHONY: check
check: own ## the inner loop: format, clippy, unit and static tests; needs cargo alone
	began=$$SECONDS
	tests/tools/crates check --missing | sed 's/^/check: compiles /'
	cargo fmt --all --check
	$(ALIVE) "checking with clippy" cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(ALIVE) "running unit and static tests" cargo test --quiet --package mlops-operator --lib --test static
	tests/tools/selftest
	echo "check: all passed in $$((SECONDS - began)) s"

PARTS := tools lint deny docs test-tools test-templates test-seed test-rust test-demo test-chart test-e2e contract
.PHONY: test
test: ## everything that CI runs, part by part, with a table of times; a part that fails does not stop the others
	tests/tools/parts $(PARTS)

.PHONY: lint
lint: own ## format, clippy with warnings as errors
	cargo fmt --all --check
	$(ALIVE) "checking with clippy" cargo clippy --workspace --all-targets --quiet -- -D warnings

.PHONY: deny
deny: ## licences and sources of dependencies, and their advisories where the database can be had
	$(INSTALL) cargo-deny
	"$(CACHE)/tools/bin/cargo-deny" --log-level error check bans licenses sources
	tests/tools/advisories

.PHONY: test-tools
test-tools: ## the scripts behind these targets
	tests/tools/selftest

.PHONY: test-templates
test-templates: ## templates and policies through their linters, the functions' own tests, the setup guide, the seed code check-in, dashboard and alerts, what benches count with
	$(INSTALL) python
	failed=0
	for folder in templates lambda setup check_in observability bench; do
	  echo "tests/python/$$folder"
	  $(ALIVE) "testing $$folder" $(PYTHON) -B -m unittest discover --quiet --start-directory "tests/python/$$folder" || failed=1
	done
	exit $$failed

.PHONY: test-seed
test-seed: ## the seed code: its repositories' own tests, then data, model and pipelines as they run in SageMaker and Jenkins
	$(INSTALL) seed
	$(ALIVE) "testing the seed code" tests/python/seed/run

# Functions and builds of the sandbox find boto3 and the AWS CLI beside this Python.
test-rust explore: export MLOPS_SANDBOX_PYTHON := $(PYTHON)
.PHONY: test-rust
test-rust: own ## all Rust tests: unit and table tests, golden lifecycles, crashes and faults, a real API server
	$(INSTALL) tests python cluster
	rm -rf "$(RECORDED)/rust"
	MLOPS_JOURNAL_DIR="$(RECORDED)/rust" $(ALIVE) "running Rust tests" cargo test --workspace --no-fail-fast

.PHONY: test-jenkins
test-jenkins: own ## what the operator and the sandbox take for granted of Jenkins, put to a server of yours: JENKINS_URL=… JENKINS_USER=… JENKINS_TOKEN=…
	for name in JENKINS_URL JENKINS_USER JENKINS_TOKEN; do
	  [ -n "$${!name:-}" ] || { echo "test-jenkins: $$name is not set; it needs the address of a Jenkins server, a user and an API token" >&2; exit 1; }
	done
	$(ALIVE) "asking Jenkins" cargo test --quiet --package mlops-operator --test resources -- --ignored a_real_jenkins_agrees

.PHONY: test-demo
test-demo: ## the stories of `make demo`, of a platform and of a project with its own, which fail where anything is not as told
	$(MAKE) --no-print-directory demo MANIFEST=
	$(MAKE) --no-print-directory demo MANIFEST=examples/quickstart.yaml

.PHONY: test-chart
test-chart: ## helm lint, rendering, and what the API server says of the chart
	$(INSTALL) cluster
	tests/cluster/chart-test

.PHONY: test-e2e
test-e2e: own ## end to end over HTTP: the story of `make demo-cluster`, which fails where anything is not as told
	$(INSTALL) programs python cluster
	rm -rf "$(RECORDED)/e2e"
	MLOPS_JOURNAL_DIR="$(RECORDED)/e2e" tests/cluster/demo/demo

.PHONY: test-argocd
test-argocd: own ## real Argo CD syncs examples/argocd: what it shows of platforms and projects, and when; IDLE=600 for ten idle minutes
	$(INSTALL) programs python cluster argocd
	tests/cluster/argocd/argocd-test

.PHONY: contract
contract: own ## what the tests asked of AWS and were answered, against AWS's own API models; real clients against the sandbox
	$(INSTALL) programs python
	$(PYTHON) -B -m unittest discover --quiet --start-directory tests/python/contract
	rm -rf "$(RECORDED)/walkthrough" "$(RECORDED)/judges"
	MLOPS_JOURNAL_DIR="$(RECORDED)/walkthrough" $(ALIVE) "walking through the sandbox" \
	  $(PYTHON) -B tests/python/contract/walkthrough.py "$(CARGO_TARGET_DIR)/debug/mlops-sandbox"
	MLOPS_JOURNAL_DIR="$(RECORDED)/judges" $(ALIVE) "holding the sandbox against real clients" \
	  $(PYTHON) -B tests/python/contract/judges.py "$(CARGO_TARGET_DIR)/debug/mlops-sandbox"
	$(ALIVE) "checking against the API models" $(PYTHON) -B tests/python/contract/check.py \
	  "$(RECORDED)/rust" $$(ls -d "$(RECORDED)/e2e" 2>/dev/null) "$(RECORDED)/walkthrough" "$(RECORDED)/judges"

SEED ?= 20260301
PAIRS ?= 200
# What is played thousands of times is compiled for speed; the dependencies stay as they are.
OPTIMISED := --config profile.dev.package.mlops-operator.opt-level=1 --config profile.dev.package.mlops-sandbox.opt-level=1

.PHONY: explore
explore: own ## every crash point, every fault at every call, PAIRS random pairs of faults by SEED; most of an hour on two cores
	$(INSTALL) tests python cluster
	failed=0
	rm -rf "$(RECORDED)/rust"
	export MLOPS_JOURNAL_DIR="$(RECORDED)/rust"
	EXPLORE=1 EXPLORE_SEED=$(SEED) EXPLORE_PAIRS=$(PAIRS) cargo $(OPTIMISED) test --quiet --workspace --test operator crash:: -- --nocapture --test-threads=1 | tee "$(CACHE)/explored.txt" || failed=1
	awk -f tests/operator/explorer/sum.awk "$(CACHE)/explored.txt"
	cargo test --quiet --workspace --test apiserver fields:: -- --nocapture | grep -a ' fields, ' || failed=1
	$(MAKE) contract || failed=1
	exit $$failed

.PHONY: explore-mutants explore-teeth
explore-mutants: ## breaks the operator in one way after the other; its tests must catch each
	tests/mutants/run
explore-teeth: explore-mutants

.PHONY: speed
speed: own ## how long a project takes, against the shortest time that the remote side's delays allow (virtual time)
	cargo test --workspace --test operator it_waits_hardly_longer_than_aws_works -- --nocapture

BENCH_ROWS ?= 1:own 1:1 100:own 100:2 1000:10
.PHONY: bench bench-virtual
bench: bench-virtual bench-cluster ## what many projects cost, as tables: in virtual time, then in real time
bench-virtual: own ## the former alone; BENCH_ROWS="100:2 90:own" for other PROJECTS:PLATFORMS
	$(INSTALL) tests
	tests/cluster/bench/bench machine
	BENCH_ROWS="$(BENCH_ROWS)" cargo $(OPTIMISED) test --quiet --workspace --test operator bench:: -- --ignored --nocapture --test-threads=1 | grep -aE '^([|#]|$$)'

BENCH_FLEETS ?= 1:1 100:2 1000:10
.PHONY: bench-cluster
bench-cluster: own ## the same in real time: the operator as released, a real API server, a silent Jenkins, Terraform beside it; BENCH_FLEETS="10000:100" for PROJECTS:PLATFORMS, BENCH_SILENT= and BENCH_BESIDE= leave parts out
	BENCH_FLEETS="$(BENCH_FLEETS)" tests/cluster/bench/bench

# The image, and what a release needs

IMAGE_DIR ?= $(CACHE)/image
IMAGE_PLATFORMS ?=
.PHONY: image
image: own ## the operator's image as an OCI layout, with its program, SBOM and checksums, for this machine's architecture; IMAGE_PLATFORMS="linux/amd64 linux/arm64" for others
	$(INSTALL) image
	tests/tools/image/image "$(IMAGE_DIR)" $(IMAGE_PLATFORMS)

.PHONY: test-image
test-image: ## starts the program of `make image` in its unpacked image against a real API server, and tells how quickly it works
	$(INSTALL) image cluster
	tests/tools/image/start "$(IMAGE_DIR)"

PARTS += lint-release
.PHONY: lint-release
lint-release: ## the workflows through actionlint, the packer's own tests
	tests/tools/image/selftest

# Documentation

.PHONY: docs
docs: ## the documentation as a site in the cache; fails on a warning and on a link that leads nowhere
	$(INSTALL) book
	tests/tools/docs "$(CACHE)/docs"

.PHONY: docs-pages
docs-pages: own ## writes the pages that follow from the types: the API reference and a page for each reason
	$(ALIVE) "compiling the operator" cargo run --quiet --package mlops-operator -- docs

# Generated files

.PHONY: crd
crd: own ## writes the CustomResourceDefinitions from the types
	$(ALIVE) "compiling the operator" cargo run --quiet -- crd --output-dir crds --output-dir charts/mlops-operator/files/crds

.PHONY: chart
chart: own ## writes the chart's table of values from the comments of values.yaml, and the schema of its config from the type
	$(INSTALL) cluster
	UPDATE_GOLDEN=1 $(ALIVE) "compiling the operator" cargo test --quiet --package mlops-operator --test static chart::
	cd charts/mlops-operator && "$$(../../tests/cluster/cluster bin)/helm-docs" --log-level error --sort-values-order file

.PHONY: golden
golden: own ## writes the golden files anew; read the difference before you commit it
	$(INSTALL) tests
	export UPDATE_GOLDEN=1
	cargo test --workspace --test operator -- lifecycles:: recovery:: environment_faults::
	cargo test --workspace --test static -- crd:: metrics::

# Installations, once per machine

.PHONY: cluster
cluster: ## builds the test API server, kubectl and helm into the cache
	$(INSTALL) cluster

.PHONY: tools
tools: own ## installs and compiles all that the tests need, side by side
	$(INSTALL) tests cargo-deny book python seed cluster
