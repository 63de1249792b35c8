#!/usr/bin/env bash
# infra/soak.sh (= make soak)
# What takes long: the daemon killed at each point of a launch, a build, a database, a restart, a stop and a collection, many
# times over; and an engine of its own (as root) that is restarted, killed and stopped under many previews.
# Prints a table of each point: what it came to, and that nothing was lost or left over. Before that, previews come and go for
# ten minutes, many hours' worth of them, and the daemon's memory and descriptors are watched.
#
# MINUTES: how long previews come and go (default 10). KILL_ROUNDS: how often each point (default 20). STORIES: random orders of
# what can happen to a preview, with its daemon killed, and with its session running out (default 60). ENGINE_PREVIEWS,
# ENGINE_STANDS: previews on that engine, and seconds for which it stands still (default 50, 60).
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/lib.sh

join_engine_group infra/soak.sh
export MINUTES=${MINUTES:-10} KILL_ROUNDS=${KILL_ROUNDS:-20} STORIES=${STORIES:-60}
export ENGINE_PREVIEWS=${ENGINE_PREVIEWS:-50} ENGINE_STANDS=${ENGINE_STANDS:-60}
# Alone: others would be measured with it.
cargo test --locked --test e2e -- --nocapture churn::
cargo test --locked --test e2e -- --nocapture --test-threads 2 kills:: gc_crash:: own_engine:: interleavings::
