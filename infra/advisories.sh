#!/usr/bin/env bash
# infra/advisories.sh (= make advisories)
# Known vulnerabilities, unmaintained and yanked versions among the dependencies, by the RustSec advisory database. What is
# accepted all the same stands in deny.toml, with its reason. A new advisory about what has long been there fails this, so it
# is no part of `make test`, which is to say something about a change.
#
# ADVISORY_DB: a clone of that database (default: fetched from where it is published).
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/lib.sh

CARGO_DENY=0.20.2
tools=$CACHE_DIR/cargo-deny

install_tools() {
    ! command -v cargo-deny >/dev/null || return 0
    PATH=$tools/bin:$PATH
    [ ! -x "$tools/bin/cargo-deny" ] || return 0
    say "installing cargo-deny into $tools"
    cargo install --quiet --locked --root "$tools" "cargo-deny@$CARGO_DENY"
}

install_tools
if [ -n "${ADVISORY_DB:-}" ]; then
    # Whatever asks for the published one gets this.
    export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=url.$ADVISORY_DB.insteadOf GIT_CONFIG_VALUE_0=https://github.com/RustSec/advisory-db
    export GIT_CONFIG_KEY_1=safe.directory GIT_CONFIG_VALUE_1=*
fi
cargo deny --all-features check advisories
