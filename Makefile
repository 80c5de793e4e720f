# deepstream-fast. `make help` lists the targets; CI runs `make test` and nothing else.

GO       ?= go
BIN      := bin/deepstream-fast
FUZZTIME ?= 10s
DURATION ?= 2m
ROUNDS   ?= 1000
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT   := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
BUILT    := $(shell date -u +%Y-%m-%dT%H:%M:%SZ)
LDFLAGS  := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.buildTime=$(BUILT)
SOURCES  := $(shell git ls-files '*.go' 2>/dev/null) go.mod go.sum

.PHONY: help build run test unit race e2e fuzz soak crash lint fmt duel bench bench-fanout bench-records bench-rivals bench-sparse bench-scale bench-scale-vm bench-diff vectors golden profile cover setup clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

build: $(BIN) ## build bin/deepstream-fast

$(BIN): $(SOURCES)
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/deepstream-fast

run: build ## start the server on the example configuration
	$(BIN) -c conf.toml

test: setup fmt unit race e2e ## everything: what CI runs
	@if [ "$$CI" = true ]; then $(MAKE) --no-print-directory soak DURATION=60s fuzz FUZZTIME=2s; fi

setup: ## install what the tests need and the machine lacks
	@scripts/setup

fmt: ## fail if gofmt or go vet has something to say
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...

unit: ## unit, scenario and architecture tests, fuzz seeds, hostile clients
	$(GO) test ./...

race: ## the same under the race detector, with the assertions compiled in
	$(GO) test -race -tags invariants ./...

e2e: build e2e/node_modules ## the official clients against the built binary, then against one with every check on
	cd e2e && npm test --silent
	$(GO) build -pgo=off -race -tags invariants -o bin/deepstream-fast-checked ./cmd/deepstream-fast
	cd e2e && DEEPSTREAM_FAST_BIN=$(CURDIR)/bin/deepstream-fast-checked npm test --silent

e2e/node_modules: e2e/package-lock.json
	cd e2e && npm ci --silent --no-audit --no-fund
	@touch $@

duel: build e2e/node_modules bench/rivals/official/node_modules ## the same scripts against the official server; DUEL='--only lists --trace'
	cd e2e && node duel/duel.mjs $(DUEL)

bench/rivals/official/node_modules: bench/rivals/official/package-lock.json
	cd bench/rivals/official && npm ci --ignore-scripts --silent --no-audit --no-fund
	@touch $@

fuzz: ## FUZZTIME (10s) of live fuzzing per target
	@scripts/fuzz $(FUZZTIME)

soak: ## DURATION (2m) of clients that come and go: memory stays flat, nothing is left behind
	$(GO) test ./e2e/soak -run '^TestSoak$$' -count 1 -v -timeout 48h -args -soak.duration=$(DURATION)

crash: ## ROUNDS (1000) of kill -9 under full write load: nothing acknowledged may be missing
	$(GO) test ./store/pebble -run '^TestKill$$' -v -timeout 60m -args -crash.rounds=$(ROUNDS)

lint: ## golangci-lint, built from the version pinned in tools/go.mod
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...

bench: ## all benchmarks of ./bench
	$(GO) test -run - -bench . ./bench

bench-fanout: ## the fan-out table of the README: 10 alternating runs against the C floors
	$(GO) run ./bench/cmd/fanout -runs 10

bench-records: ## acknowledged writes by durability, and updates against events: 10 alternating runs
	$(GO) run ./bench/cmd/records -runs 10

bench-rivals: ## against the official server, Centrifuge, NATS: 10 alternating runs; needs Node and the registries
	bench/rivals/run -runs 10

bench-sparse: ## many names with three subscribers each: 10 alternating runs against three sends
	$(GO) run ./bench/cmd/sparse -runs 10

bench-scale: ## connections and subscriptions by the thousand, dropped and back at once; see docs/scale.md
	$(GO) run ./bench/cmd/scale -conns 8000 -subs 1000000

bench-scale-vm: ## 100,000 connections and 5,000,000 subscriptions in an emulated machine, whatever the limits of this one
	bench/vm/run -conns 100000 -subs 5000000

bench-diff: ## benchstat of the working tree against BASE (a commit)
	@scripts/bench-diff $(BASE)

vectors: ## record the golden wire vectors from the official encoder again
	cd codec/testdata && npm ci --silent && npm run vectors

golden: ## rewrite the scenario files; review the diff
	$(GO) test ./rpc ./presence ./listen ./record ./session ./config -rewrite

profile: ## profiles of the server under load and of the hot paths into profiles/
	@scripts/profile

cover: ## coverage of the whole suite
	$(GO) test -coverpkg=./... -coverprofile=cover.out ./... && $(GO) tool cover -func=cover.out | tail -1

clean: ## remove what was built
	rm -rf bin cover.out
