# Every target works in a clean clone, as root and as an ordinary user. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test lint bench alert-score forecast-score fuzz-api fuzz-sizing pace-score

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/\1\t\2/p' $(MAKEFILE_LIST) | \
		while IFS=$$'\t' read -r target text; do printf '  make %-16s %s\n' "$$target" "$$text"; done

# The server gets its signals from the shell that `exec` replaces.
run: ## the demo, or the database that DATABASE_URL names (ARGS="--listen 127.0.0.1:9000")
	@scripts/setup
	@cargo build --profile fast --locked -p plimsoll
	@binary="$${CARGO_TARGET_DIR:-target}/fast/plimsoll"; \
	if [ -n "$$DATABASE_URL" ]; then exec "$$binary" serve $(ARGS); fi; \
	scripts/fetch-postgres --any && exec "$$binary" demo $(ARGS)

test: ## every test, on each PostgreSQL from 13 to 18 that can be had
	@scripts/setup
	@scripts/test

lint: ## formatting, clippy, documentation, invariants, licences
	@scripts/setup
	@scripts/lint

bench: ## what the speed claims rest on, measured again
	@scripts/setup
	@scripts/fetch-postgres --any
	@cargo build --profile fast --locked -p plimsoll -p plimsoll-bench
	@status=0; "$${CARGO_TARGET_DIR:-target}/fast/plimsoll-bench" || status=1; \
	for bench in plimsoll-core/forecast plimsoll-store/history plimsoll-server/alerts plimsoll-server/answers plimsoll-server/disk plimsoll-server/lookups plimsoll-server/refresh; do \
		cargo bench --profile fast --locked -p "$${bench%/*}" --bench "$${bench#*/}" || status=1; \
	done; exit $$status

alert-score: ## the rules of alerts scored beside what others use, into docs/ALERTS.md
	@scripts/alert-score

forecast-score: ## the forecasts scored beside the usual baselines, into docs/FORECAST.md
	@scripts/forecast-score

pace-score: ## the present pace of volumes scored on made-up ones, into docs/FORECAST.md
	@cargo run -q --profile fast --locked -p plimsoll-core --example pace_score -- docs/FORECAST.md

fuzz-api: ## every route tried against the specification, all checks of schemathesis (EXAMPLES=200, SEED=1)
	@scripts/setup
	@scripts/fetch-postgres 18
	@scripts/fetch-schemathesis
	@PLIMSOLL_API_EXAMPLES=$(or $(EXAMPLES),200) PLIMSOLL_API_SEED=$(or $(SEED),1) \
		cargo test --locked -p plimsoll --test it -- --nocapture every_route_does_what_the_specification_says

fuzz-sizing: ## databases made at random, sized and compared (ROUNDS=1000, SEED=1)
	@scripts/setup
	@PLIMSOLL_FUZZ_ROUNDS=$(or $(ROUNDS),1000) PLIMSOLL_FUZZ_SEED=$(or $(SEED),1) \
		cargo test --locked -p plimsoll-postgres --test it -- trap_75
