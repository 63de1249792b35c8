#!/usr/bin/env bash
# infra/test.sh (= make test, after setup and lint)
# Every test, engine ones included; then a look whether they left anything on the engine.
#
# TEST_THREADS: tests at once (default 4; most of them wait for the engine).
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/lib.sh
join_engine_group infra/test.sh

threads=${TEST_THREADS:-4}
leftover_seconds=20

# The tests' daemons begin their instance ids with this, so that runs side by side are told apart.
export PREVIEW_TEST_RUN=test$$x

left_over() {
    {
        docker ps -a --filter label=previewd.instance --format '{{.Label "previewd.instance"}} container {{.Names}}'
        docker network ls --filter label=previewd.instance --format '{{.Label "previewd.instance"}} network {{.Name}}'
        docker volume ls --filter label=previewd.instance --format '{{.Label "previewd.instance"}} volume {{.Name}}'
    } | grep "^$PREVIEW_TEST_RUN" || true
}

run_tests() {
    if command -v cargo-nextest >/dev/null; then
        cargo nextest run --locked --test-threads "$threads" &&
            cargo test --locked --doc --quiet
    else
        cargo test --locked -- --test-threads "$threads"
    fi
}

nothing_left_over() {
    local left waited=0
    while left=$(left_over) && [ -n "$left" ]; do
        if [ "$waited" -ge "$leftover_seconds" ]; then
            say "the tests left this on the engine (instance, kind, name):"
            printf '%s\n' "$left" >&2
            return 1
        fi
        waited=$((waited + 1))
        sleep 1
    done
}

status=0
run_tests || status=$?
if command -v cargo-nextest >/dev/null; then
    infra/trust.sh || status=$?
fi
# Each story looks for itself that it left nothing. A first try that failed may have: that is said, and
# whether the run passed is for the tests to say.
nothing_left_over || say "a test that failed, perhaps only at its first try, left it"
exit "$status"
