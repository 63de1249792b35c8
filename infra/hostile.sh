#!/usr/bin/env bash
# infra/hostile.sh (= make hostile)
# Starts a daemon of its own and lets schemathesis loose on it: for each operation of /openapi.json, requests that are right,
# nearly right and wrong in every way it knows. None may be answered with a 5xx, a status or a body that the document does
# not name; what the document allows may not be refused as invalid, nor what it does not be accepted, nor anything without a
# token. All of schemathesis' checks count; infra/hostile/ says what is left out of them, and why. Prints its reports; fails
# with them.
#
# EXAMPLES: requests of each operation, besides those that cover its schema (default 25).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

examples=${EXAMPLES:-25}
root=$(dirname "$here")
previewd=${CARGO_TARGET_DIR:-$root/target}/debug/previewd
tools=$CACHE_DIR/schemathesis
data_dir=$(mktemp -d)
daemon=''

finish() {
    if [ -n "$daemon" ]; then
        kill -TERM "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    rm -rf "$data_dir"
}
trap finish EXIT

install_tools() {
    [ ! -x "$tools/bin/schemathesis" ] || return 0
    command -v python3 >/dev/null || need_packages python3 python3-venv
    say "installing schemathesis into $tools"
    python3 -m venv "$tools" && "$tools/bin/pip" install -q schemathesis
}

start_daemon() {
    local line=''
    # As many requests as come: that rates are kept is another test's.
    export PREVIEW_USER_RATE_PER_MINUTE=0 PREVIEW_TOKEN_RATE_PER_MINUTE=0 PREVIEW_ANONYMOUS_RATE_PER_MINUTE=0
    # Where a setting is the limit, as much as it may be, which is what the document says.
    export PREVIEW_SESSION_EXTENSION_MINUTES=43200 PREVIEW_LOG_MAX_LINES=100000
    exec 3< <(RUST_LOG=error "$previewd" serve --data-dir "$data_dir" --listen 127.0.0.1:0 & echo $! && wait)
    read -r daemon <&3
    read -r -t 60 line <&3 || die "the daemon did not start"
    url=http://${line##*http://}
}

# As one user, with options of schemathesis that choose operations.
ask() {
    local token
    token=$("$previewd" token --user "$1" --role "$2" --data-dir "$data_dir")
    say "as $1"
    # There, for it leaves a folder where it runs.
    (cd "$data_dir" && SCHEMATHESIS_HOOKS=$here/hostile/hooks.py "$tools/bin/schemathesis" \
        --config-file "$here/hostile/schemathesis.toml" run "$url/openapi.json" -H "Authorization: Bearer $token" \
        --max-examples "$examples" --checks all "${@:3}")
}

"$here/engine.sh"
join_engine_group "$0"
install_tools
cargo build --locked --manifest-path "$root/Cargo.toml"
start_daemon
# Addresses for webhooks are registered by somebody who has no previews: nobody is told of anything.
status=0
ask hostile user --exclude-operation-id createWebhook || status=$?
ask registrar user --include-operation-id createWebhook || status=$?
ask operator admin --include-operation-id listAudit --include-operation-id createKey --include-operation-id listKeys || status=$?
exit "$status"
