#!/usr/bin/env bash
# infra/autobahn.sh (= make autobahn)
# The Autobahn test suite over WebSockets that go through previewd: its fuzzing client talks to an echo server that runs in a
# preview, by the preview's port, and to the same server on this host without anything between. Prints the cases that fail or
# are worse through previewd, and fails when there are any. All cases are run, none is left out.
#
# CASES: which ones (default *; such as 1.* or "7.1.1 9.*"). DIRECT: no, for half the time and no comparison. REPORT: a directory
# to be made for the suite's own pages (default: none). BINARY: the previewd to go through (default: this tree's, built without
# optimisations).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

root=$(dirname "$here")
previewd=${BINARY:-${CARGO_TARGET_DIR:-$root/target}/debug/previewd}
tools=$CACHE_DIR/autobahn
echo_app=$here/autobahn/echo
work=$(mktemp -d)
daemon='' server='' inside=''

finish() {
    [ -z "$server" ] || { kill -TERM "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
    if [ -n "$daemon" ]; then
        "$previewd" stop autobahn --data-dir "$work/data" >/dev/null 2>&1 || true
        kill -TERM "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    [ -z "$inside" ] || as_root rm -rf "$tools$inside"
    rm -rf "$work"
}
trap finish EXIT

# The suite is a program of Python 2, which distributions have left behind: it gets a root of its own, with the last Debian that
# had that interpreter, and talks to this host's loopback from there.
install_tools() {
    ! cmp -s "$here/autobahn/requirements.txt" "$tools/opt/requirements.txt" || return 0
    need_packages mmdebstrap python3 python3-venv
    local mirror fresh=$tools.new wheels=$work/wheels wheel
    mirror=$(apt-get indextargets --format "\$(LABEL) \$(REPO_URI)" 'Created-By: Packages' | sed -n 's/^Debian //p' | head -n 1)
    [ -n "$mirror" ] || die "no mirror of Debian is set up for apt, and the suite needs a package that only Debian has"
    say "installing the suite into $tools"
    as_root rm -rf "$fresh"
    mkdir -p "$(dirname "$tools")"
    as_root mmdebstrap --quiet --mode=root --variant=extract --include=python2.7-dev,gcc,libc6-dev bullseye "$fresh" \
        "deb $mirror bullseye main" 2>"$work/mmdebstrap.log" >&2 || { cat "$work/mmdebstrap.log" >&2; die "no Python 2"; }
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" download -q --no-deps --only-binary=:all: --python-version 27 --implementation cp --abi cp27mu \
        --platform any -d "$wheels" pip==20.3.4 setuptools==44.1.1 wheel==0.37.1 2>/dev/null
    as_root mkdir -p "$fresh/opt/pip" "$fresh/etc/ssl/certs"
    for wheel in "$wheels"/*.whl; do as_root python3 -m zipfile -e "$wheel" "$fresh/opt/pip"; done
    as_root cp /etc/resolv.conf /etc/hosts "$fresh/etc/"
    [ ! -e /etc/ssl/certs/ca-certificates.crt ] || as_root cp /etc/ssl/certs/ca-certificates.crt "$fresh/etc/ssl/certs/"
    [ -c "$fresh/dev/null" ] || as_root mknod -m 666 "$fresh/dev/null" c 1 3
    [ -c "$fresh/dev/urandom" ] || as_root mknod -m 666 "$fresh/dev/urandom" c 1 9
    as_root cp "$here/autobahn/requirements.txt" "$fresh/opt/requirements.txt"
    as_root env -u PIP_FIND_LINKS PYTHONPATH=/opt/pip chroot "$fresh" /usr/bin/python2.7 -m pip install -q --no-deps \
        --no-build-isolation --prefix /usr/local -r /opt/requirements.txt 2>"$work/pip.log" >&2 ||
        { cat "$work/pip.log" >&2; die "the suite cannot be installed"; }
    as_root rm -rf "$tools"
    as_root mv "$fresh" "$tools"
}

# The server itself, on this host.
start_server() {
    local line=''
    command -v npm >/dev/null || need_packages nodejs npm
    cp -r "$echo_app" "$work/echo"
    (cd "$work/echo" && npm ci --silent --no-audit --no-fund >&2)
    exec 4< <(HOST=127.0.0.1 PORT=0 node "$work/echo/server.js" & echo $! && wait)
    read -r server <&4
    read -r -t 30 line <&4 || die "the echo server did not start"
    direct=ws://127.0.0.1:${line##* }
}

# And the same in a preview.
start_preview() {
    local line=''
    # Awake also while the suite is busy with the server on this host.
    exec 3< <(PREVIEW_IDLE_PAUSE=0 RUST_LOG=error "$previewd" serve --data-dir "$work/data" --listen 127.0.0.1:0 & echo $! && wait)
    read -r daemon <&3
    read -r -t 60 line <&3 || die "the daemon did not start"
    export PREVIEW_URL=http://${line##*http://}
    "$previewd" launch "$echo_app" --id autobahn --data-dir "$work/data" | tee "$work/launched" >&2
    through=ws://$(grep -oE '127\.0\.0\.1:[0-9]+' "$work/launched" | tail -n 1)
}

"$here/engine.sh"
join_engine_group "$0"
"$here/base-images.sh" node
install_tools
[ -n "${BINARY:-}" ] || cargo build --locked --manifest-path "$root/Cargo.toml"
start_server
start_preview
inside=/tmp/run.$$
as_root mkdir -p "$tools$inside"
compared=''
[ "${DIRECT:-}" = no ] || compared="{ \"agent\": \"direct\", \"url\": \"$direct\" }, "
cases=$(printf '%s\n' "${CASES:-*}" | tr ' ' '\n' | sed 's/.*/"&"/' | paste -sd,)
as_root tee "$tools$inside/spec.json" >/dev/null <<JSON
{
    "outdir": "$inside/report",
    "servers": [
        $compared{ "agent": "through-previewd", "url": "$through" }
    ],
    "cases": [$cases],
    "exclude-cases": [],
    "exclude-agent-cases": {}
}
JSON
say "running the suite; all of it takes some twenty minutes each way"
as_root env PYTHONPATH=/opt/pip chroot "$tools" /usr/bin/python2.7 /usr/local/bin/wstest -m fuzzingclient -s "$inside/spec.json" >"$work/wstest.log" 2>&1 ||
    { tail -n 30 "$work/wstest.log" >&2; die "the suite did not run to its end"; }
[ -z "${REPORT:-}" ] || cp -r "$tools$inside/report" "$REPORT"
python3 "$here/autobahn/compare.py" "$tools$inside/report/index.json"
