# OneShot. `make demo` shows a face job from photo to picture, `make test` runs everything.
# The recipes are short on purpose: the work is in deploy/scripts/, each script says what it does.

SCRIPTS := deploy/scripts
SWIFT_FILES = git ls-files '*.swift' | grep -vE '/Generated/|^Tests/Protos/'
.DEFAULT_GOAL := help
.PHONY: help deps certs build release demo test test-unit test-e2e up down logs status clean \
  generate lint format interop codec-check fuzz bench bench-smoke bench-rpc bench-scale \
  bench-steps bench-codec bench-data flood sanitize

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## a face job from photo to finished picture (PHOTO=me.jpg FACE=you.jpg for your own)
	@PHOTO='$(PHOTO)' FACE='$(FACE)' $(SCRIPTS)/demo.sh

test: ## set up, build and run every test; the last line counts them
	@$(SCRIPTS)/test.sh

test-unit: ## only unit and integration tests (FILTER=name)
	@$(SCRIPTS)/test.sh unit '$(FILTER)'

test-e2e: ## only end-to-end tests on the release build (FILTER=name)
	@$(SCRIPTS)/test.sh e2e '$(FILTER)'

up: deps release ## start the stack and leave it running
	@$(SCRIPTS)/stack.sh up

down: ## stop the stack and delete its data (KEEP=1 keeps the data)
	@$(SCRIPTS)/stack.sh down $(if $(KEEP),--keep)

status: ## what runs, where, and whether it is ready
	@$(SCRIPTS)/stack.sh status

logs: ## the last log lines (SERVICE=jobs for one, FOLLOW=1 to watch)
	@FOLLOW='$(FOLLOW)' $(SCRIPTS)/stack.sh logs $(SERVICE)

deps: ## install the Debian packages that are missing
	@$(SCRIPTS)/deps.sh

certs: ## create or renew the development certificates
	@$(SCRIPTS)/certs.sh

build: deps ## debug build
	@$(SCRIPTS)/build.sh debug

release: deps ## release build
	@$(SCRIPTS)/build.sh release

generate: deps ## rewrite the code that is generated from proto/
	@proto/generate.sh

codec-check: deps release ## our codec against Python's on random messages (MESSAGES=20000, SEED=n)
	@"$$($(SCRIPTS)/venv.sh)/bin/python" Tests/Codec/compare.py \
	  --messages $(or $(MESSAGES),20000) $(if $(SEED),--seed $(SEED))

fuzz: deps ## run the fuzz targets (FUZZ_SECONDS=20 for each)
	@Tests/Fuzz/fuzz.sh

lint: ## check the format of the Swift code
	@$(SWIFT_FILES) | xargs swift format lint --strict --parallel

format: ## format the Swift code
	@$(SWIFT_FILES) | xargs swift format --in-place --parallel

interop: deps ## gRPC's interop cases, ours and the official library's, as a matrix
	@$(SCRIPTS)/interop.sh

bench: deps release ## every benchmark below in its short form, one after another
	@Benchmarks/all.sh

bench-smoke: deps release ## requests/s, p99 and CPU of three calls through the whole stack
	@Benchmarks/smoke.sh

bench-rpc: deps ## a call's CPU, latency and memory beside four gRPC servers (ARGS='--quick')
	@Benchmarks/rpc.sh $(ARGS)

bench-scale: deps ## a call's cost with many connections, idle streams and loops (ARGS='--tables loops')
	@Benchmarks/scale.sh $(ARGS)

bench-steps: deps ## instructions, code and runtime calls of one call, single-stepped (ARGS='--top 20')
	@Benchmarks/steps.sh $(ARGS)

bench-codec: deps ## pack, unpack and JSON beside swift-protobuf, allocations counted
	@Benchmarks/codec.py $(ARGS)

bench-data: deps ## PostgreSQL and Redis from handlers beside a C thread
	@Benchmarks/data.py $(ARGS)

flood: deps release ## hostile HTTP/2 peers against the stack: what each saw, and what it cost
	@$(SCRIPTS)/flood.sh $(ARGS)

sanitize: deps ## suites of the modules that own C memory, under both sanitizers (KIND=address or thread for one, FILTER=name)
	@$(SCRIPTS)/sanitize.sh "$(KIND)" "$(FILTER)"

clean: ## stop everything, delete data, logs, pictures and builds
	@$(SCRIPTS)/clean.sh
