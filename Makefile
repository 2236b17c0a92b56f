# Everything here is a plain go command underneath.

GOLANGCI := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help test race lint fmt generate docs fuzz bench demo ci

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

bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

demo: ## see what it does
	go run ./cmd/grouplog demo

ci: ## everything that a change must pass
	.ci/run
