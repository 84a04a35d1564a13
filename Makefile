.DEFAULT_GOAL := help
SHELL := bash

.PHONY: help
help: ## list what one does daily
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: test
test: ## run the tests
	go test ./...

.PHONY: race
race: ## run the tests under the race detector, on 1, 2 and 4 processors
	go test -race -cpu 1,2,4 -shuffle=on ./...

.PHONY: bench
bench: ## compare with package context: 10 runs of each job, as a table
	go test -run '^$$' -bench . -count 10 -benchmem . | tee bench.out
	go run golang.org/x/perf/cmd/benchstat@latest -col /impl bench.out

.PHONY: cover
cover: ## say which statements no test reaches
	scripts/cover.sh

.PHONY: lint
lint: ## check formatting, vet and staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

.PHONY: explore
explore: ## go through every interleaving of small programs
	go test -tags breaker_explore -run Explore -v . ./internal/registry ./internal/explore

.PHONY: prove-quick
prove-quick: ## run all layers of RELIABILITY.md, small: 10 minutes at most
	scripts/prove.sh quick

.PHONY: prove
prove: ## run all layers of RELIABILITY.md in full, meant for an hour
	scripts/prove.sh full

.PHONY: mutants
mutants: ## show that the tests fail when the code is broken
	scripts/mutants.sh

.PHONY: models
models: ## check the models in spec with Spin
	spec/check.sh

.PHONY: server
server: ## run the example
	go run ./examples/server

.PHONY: ci
ci: ## run all that has to hold before a change lands
	.ci/run
