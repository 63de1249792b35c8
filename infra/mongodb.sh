#!/usr/bin/env bash
# infra/mongodb.sh (= make mongodb)
# The feature `mongodb`, which the default build leaves out: compiled, looked over, and tested on a server of MongoDB's
# protocol. No distribution has packages of MongoDB itself, so that server is SecantusDB: a program of its own, in Python,
# over MongoDB's storage engine, with its users, roles and logins. TEST_MONGODB_PYTHON names a Python that has it already.
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/lib.sh

server=secantusdb==0.7.0b3
tools=$CACHE_DIR/mongodb

install_server() {
    [ ! -e "$tools/$server" ] || return 0
    command -v python3 >/dev/null || need_packages python3 python3-venv
    say "installing $server into $tools"
    rm -rf "$tools"
    python3 -m venv "$tools" && "$tools/bin/pip" install -q "$server" || die "cannot install $server"
    : >"$tools/$server"
}

infra/engine.sh
join_engine_group infra/mongodb.sh
infra/base-images.sh python static
if [ -z "${TEST_MONGODB_PYTHON:-}" ]; then
    install_server
    export TEST_MONGODB_PYTHON=$tools/bin/python
fi
cargo clippy --locked --features mongodb --all-targets -- -D warnings \
    -A clippy::unwrap_used -A clippy::expect_used -A clippy::panic
cargo test --locked --features mongodb --lib -- mongo
exec cargo test --locked --features mongodb --test e2e -- --test-threads 2 mongodb::
