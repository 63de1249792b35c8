#!/usr/bin/env bash
# infra/soak.sh (= make soak)
# What takes long: the daemon killed at each point of a launch, a build, a database, a restart and a stop, many times over.
# Prints a table of each point: what it came to, and that nothing was lost or left over.
#
# KILL_ROUNDS: how often each point (default 20).
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/lib.sh

join_engine_group infra/soak.sh
export KILL_ROUNDS=${KILL_ROUNDS:-20}
exec cargo test --locked --test e2e -- --nocapture --test-threads 2 kills::
