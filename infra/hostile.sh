#!/usr/bin/env bash
# infra/hostile.sh (= make hostile)
# Starts a daemon of its own and lets schemathesis loose on it: for each operation of /openapi.json, requests that are right,
# nearly right and wrong in every way it knows. None may be answered with a 5xx, a status or a body that the document does
# not name, nor may what is wrong be accepted, nor anything without a token. Prints schemathesis' report; fails with it.
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

# What a schema cannot say (rules between fields, what this installation allows) is refused with 422, so that is no failure.
checks=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance
checks+=,response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,ignored_auth

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
    exec 3< <(RUST_LOG=error "$previewd" serve --data-dir "$data_dir" --listen 127.0.0.1:0 & echo $! && wait)
    read -r daemon <&3
    read -r -t 60 line <&3 || die "the daemon did not start"
    url=http://${line##*http://}
}

"$here/engine.sh"
join_engine_group "$0"
install_tools
cargo build --locked --manifest-path "$root/Cargo.toml"
start_daemon
token=$("$previewd" token --user hostile --data-dir "$data_dir")
"$tools/bin/schemathesis" run "$url/openapi.json" -H "Authorization: Bearer $token" \
    --max-examples "$examples" --checks "$checks" --request-timeout 20 --continue-on-failure --warnings off
