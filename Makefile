# The targets are scripts of infra/, so that each can be read and run by itself.
.DEFAULT_GOAL := help
.PHONY: help demo setup test lint bench advisories isolation mongodb soak hostile autobahn fuzz

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: ## Launch the FastAPI example on a daemon of its own; Ctrl-C stops and cleans up
	@exec infra/demo.sh

setup: ## Install and start what tests and benchmarks need, where it is missing
	@infra/setup.sh

test: setup lint ## Every check and every test, engine ones included
	@infra/test.sh

lint: ## Formatting, clippy, documentation
	@infra/lint.sh

advisories: ## Known vulnerabilities of what previewd is built from
	@infra/advisories.sh

isolation: ## What a hostile app can do on this host: a report
	@infra/isolation.sh

mongodb: ## The optional feature of that name: clippy, and its tests on a server of MongoDB's protocol
	@infra/mongodb.sh

hostile: ## Every operation of the API, asked in every wrong way (schemathesis)
	@infra/hostile.sh

autobahn: ## The Autobahn test suite over WebSockets through previewd
	@infra/autobahn.sh

fuzz: ## Everything that reads what strangers wrote, with many more cases than in the tests
	@infra/fuzz.sh

soak: setup ## The daemon killed at every point, twenty times each
	@infra/soak.sh

bench: setup ## Performance beside its baselines, all rows or one: make bench ROW=launch
	@infra/with-engine.sh cargo bench --locked --bench performance -- $(ROW)
