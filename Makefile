# Everything here is a plain go command underneath.

GOLANGCI := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help test race lint fmt generate docs fuzz crash mutants bench demo ci

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## run the tests
	go test ./...

race: ## run the tests with the race detector, in random order
	go test -race -shuffle=on ./...

lint: ## vet and lint
	go vet ./...
	$(GOLANGCI) run

fmt: ## format
	gofmt -w -s .

generate: ## write the documentation that is made from the code
	go test ./docs -update

fuzz: ## fuzz each target for 30 seconds
	.ci/fuzz 30s

crash: ## kill processes and cut their power for ten minutes each, and try 100000 schedules
	go test -run 'Crash|PowerCut|Kills|ClusterFaults' -timeout 1h . -crash 10m
	go test ./eventstore/sqlite -run 'PowerCut|EveryCall' -timeout 1h -powercuts 5000
	go test ./eventstore/jetstream -run 'Faults|Damage|Kills' -timeout 1h -faults
	go test ./commands -run LostAcknowledgements -timeout 1h -schedules 100000

mutants: ## break the code in every way that a test is there for, and see the test fail
	go test ./docs -run TestMutants -mutants all -timeout 3h -v

bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

demo: ## see what it does
	go run ./cmd/grouplog demo

ci: ## everything that a change must pass
	.ci/run
