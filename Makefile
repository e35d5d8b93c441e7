# kopano-doctor: `make help` lists what can be made here.

GO      ?= go
BINARY  := bin/kopano-doctor
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
# slapd, mariadbd and dovecot live in /usr/sbin, which an ordinary user's PATH may lack.
export PATH := $(PATH):/usr/sbin:/sbin

.DEFAULT_GOAL := help

.PHONY: help
help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-13s %s\n", $$1, $$2}'

.PHONY: build
build: ## build bin/kopano-doctor for this machine
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BINARY) ./cmd/kopano-doctor

# The image holds the program, the certificates of known authorities, and nothing else.
ENGINE ?= docker
IMAGE  ?= kopano-doctor:latest
.PHONY: image
image: ## make the image for helpers, on the engine that $(ENGINE) uses
	rm -rf bin/image && mkdir -p bin/image/etc/ssl/certs bin/image/run bin/image/var
	ln -s /run bin/image/var/run # as in the images of Kopano: settings name sockets by either path
	CGO_ENABLED=0 GOOS=linux $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/image/kopano-doctor ./cmd/kopano-doctor
	for f in /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem; do [ ! -e $$f ] || { cp $$f bin/image/etc/ssl/certs/ca-certificates.crt; break; }; done
	tar -C bin/image --owner=0 --group=0 -c . | $(ENGINE) import -c 'ENTRYPOINT ["/kopano-doctor"]' - $(IMAGE)

.PHONY: release
release: ## make archives, Debian packages, images, checksums and the list of modules in dist/
	packaging/release.sh

.PHONY: release-test
release-test: ## make the release twice, compare, and try all of it (root, Debian, minutes)
	packaging/test.sh

.PHONY: demo
demo: build servers ## run the doctor on the bundled deployment, with real servers and one fault
	$(GO) run ./internal/lab/demo -doctor $(BINARY) -deployment testdata/deployments/full

.PHONY: test
test: servers podman compose-tool ## install what the tests need and run them all
	$(GO) test $(GOTESTFLAGS) ./...

.PHONY: mutations
mutations: ## break every value of the bundled deployment in two ways, and print how many are found
	KOPANO_DOCTOR_MUTATIONS=all $(GO) test ./rules -count=1 -run 'TestEveryValue|TestMutations' -v | grep -vE '^=== '

.PHONY: lint
lint: ## formatting, vet, staticcheck, and govulncheck where its database can be reached
	.ci/lint

.PHONY: bench
bench: ## run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: precision
precision: ## print what each rule finds, in how many deployments (KOPANO_DOCTOR_CORPUS)
	@$(GO) run ./internal/precision

.PHONY: docs
docs: ## write the generated pages of docs/ anew
	$(GO) run ./internal/docgen/write docs
	cp internal/config/kopano-doctor.schema.json docs/

.PHONY: cover
cover: servers podman compose-tool ## run the tests with coverage, per package and in all
	$(GO) test -coverpkg=./... -coverprofile=coverage.out ./...
	$(GO) tool cover -func=coverage.out | tail -n 1

.PHONY: servers
servers: ## install the real servers that tests and demo talk to, when they are missing
	testdata/lab/install.sh

.PHONY: podman
podman: ## install Podman, which tests of the container engine talk to
	testdata/lab/install.sh podman

.PHONY: lab-up
lab-up: build compose-tool ## start the lab: the whole deployment on a container engine, with real servers and stand-ins
	$(GO) run ./internal/lab/bridges/run up

.PHONY: lab-down
lab-down: ## take the lab away
	$(GO) run ./internal/lab/bridges/run down

.PHONY: lab-test
lab-test: compose-tool ## plant faults in the lab one by one, and see whether the doctor names the cause first
	$(GO) test -tags lab -count=1 -timeout 20m ./internal/lab/bridges $(LABTESTFLAGS)

.PHONY: compose-tool
compose-tool: ## build the real Docker Compose that the tests compare with
	testdata/tools/build-compose.sh

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist coverage.out
