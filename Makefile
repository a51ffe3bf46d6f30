# Everything is here: make help lists it. It needs Go, git and make, and of the network
# nothing but Go modules.
GO      ?= go
VERSION := $(shell git describe --always --dirty 2>/dev/null)
MODULES := engine/kubernetes engine/kwok test/opinion/kubenetworkpolicies
MADE    := api/v1alpha1/zz_generated.deepcopy.go config/crd/*.yaml
# The same flags everywhere, so that the program, its tests and the engines share Go's
# build cache. A checkout of another user's needs -buildvcs=false.
export GOFLAGS = -trimpath -buildvcs=false
export CGO_ENABLED = 0
SHELL := bash
.SHELLFLAGS := -o pipefail -c
# What go build -v says, as a count; other lines are passed on.
COUNT = awk '/^[A-Za-z0-9._\/-]+$$/ {n++; printf "\r  %d packages compiled", n; fflush(); next} {print} END {if (n) print ""}'

.PHONY: help build demo test test-short lint generate check-generated engine modules opinion-cilium bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

build: ## build bin/watertight
	@echo "building bin/watertight (minutes the first time)"
	@$(GO) build -v -ldflags "-X watertight.dev/watertight/internal/cli.version=$(VERSION)" -o bin/watertight ./cmd/watertight 2>&1 | $(COUNT)

demo: build ## show the main job from end to end (DEMO=--clean removes the cluster afterwards)
	bin/watertight demo $(DEMO)

test: lint check-generated engine modules ## run every test
	$(GO) test -timeout 40m ./...

test-short: lint ## run the tests that need no control plane of more than seconds
	$(GO) test -short -timeout 20m ./...

lint: ## gofmt and go vet
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt -w $$unformatted"; exit 1; }
	@echo "go vet (compiles everything the first time: minutes)"
	@$(GO) vet ./...

generate: ## make again what is generated from the API types
	$(GO) generate ./...

check-generated: ## fail when generated files are not current
	@before=$$(cat $(MADE) | cksum); $(MAKE) --no-print-directory generate; \
	test "$$before" = "$$(cat $(MADE) | cksum)" || { echo "generated files were not current and are made anew: commit them"; exit 1; }

engine: build ## build the control plane that tests and local clusters run (minutes, once)
	bin/watertight engine build

modules: engine ## test the nested modules (go vet would vet all of Kubernetes with them)
	@for m in $(MODULES); do echo "cd $$m && $(GO) test -vet=off ./..."; (cd $$m && $(GO) test -vet=off ./...) || exit 1; done

opinion-cilium: ## compare the engine with Cilium's own (half an hour the first time; not in make test)
	cd test/opinion/cilium && nice -n 15 $(GO) test -vet=off -count=1 -timeout 60m ./...

bench: engine ## measure (docs/benchmarks.md)
	$(GO) run ./test/bench/analyze
	$(GO) run ./test/bench $(BENCH)

clean: ## remove what was built here; the engines stay in the user's cache folder
	rm -rf bin
