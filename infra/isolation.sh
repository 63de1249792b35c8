#!/usr/bin/env bash
# infra/isolation.sh (= make isolation)
# Runs a hostile app (examples/hostile-escape) on this host's engine beside another preview, and prints what it tried to get
# out and how far it came. Fails when any of it works. As root it also shows what the packet filter keeps previews from;
# without, the rows of the network are printed and do not count.
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/lib.sh

infra/engine.sh
join_engine_group infra/isolation.sh
infra/base-images.sh python static postgres
exec cargo test --locked --test e2e -- --nocapture --test-threads 1 isolation:: egress::
