#!/usr/bin/env bash
# infra/demo.sh (= make demo)
# From nothing to a preview in the browser: engine, base image, build, daemon, and the FastAPI example launched on it.
# Stays in the foreground; Ctrl-C (or SIGTERM) stops the preview and the daemon and leaves nothing on the engine.
# A second run redoes nothing that is there.
#
# PREVIEW_LISTEN: where the daemon listens (default 127.0.0.1:8000, or the next port that is free).
# PREVIEW_DATA_DIR: its data (default: previewd/demo in the user's state directory).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

ready_seconds=60
stop_seconds=30
data_dir=${PREVIEW_DATA_DIR:-$STATE_DIR/demo}
root=$(dirname "$here")
example=$root/examples/fastapi-notes
log=$data_dir/serve.log
previewd=${CARGO_TARGET_DIR:-$root/target}/debug/previewd
daemon='' task='' generation='' ending=''

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

choose_address() {
    local port=8000
    if [ -n "${PREVIEW_LISTEN:-}" ]; then
        printf '%s' "$PREVIEW_LISTEN"
        return
    fi
    until port_is_free "$port"; do port=$((port + 1)); done
    printf '127.0.0.1:%s' "$port"
}

# Runs a command so that a signal to this script is answered at once, and not only when the command has ended.
run() {
    "$@" &
    task=$!
    local status=0
    wait "$task" || status=$?
    task=''
    return "$status"
}

# Ends a process and what it has started, from the leaves on.
end_tree() {
    local child
    # shellcheck disable=SC2013 # the children are words of one line
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        end_tree "$child"
    done
    kill -TERM "$1" 2>/dev/null || true
}

# The development profile: it compiles in a third of the time of an optimised one, and tests use it again.
build() {
    [ -x "$previewd" ] || say "building previewd; the first time takes some minutes"
    run cargo build --locked --manifest-path "$root/Cargo.toml"
}

is_ready() {
    local status
    local host=${PREVIEW_URL#http://}
    exec 3<>"/dev/tcp/${host%:*}/${host##*:}" || return 1
    printf 'GET /readiness HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$host" >&3
    read -r -t 5 _ status _ <&3 || return 1
    exec 3>&-
    [ "$status" = 200 ]
}

start_daemon() {
    local waited=0
    install -d -m 700 "$data_dir"
    # A session of its own: Ctrl-C reaches this script alone, which stops the preview first.
    setsid "$previewd" serve --data-dir "$data_dir" --listen "$address" </dev/null >"$log" 2>&1 &
    daemon=$!
    until is_ready 2>/dev/null; do
        kill -0 "$daemon" 2>/dev/null || { tail -n 20 "$log" >&2; die "the daemon ended while it started"; }
        [ "$waited" -lt $((ready_seconds * 5)) ] || { tail -n 20 "$log" >&2; die "not ready after $ready_seconds s"; }
        waited=$((waited + 1))
        sleep 0.2
    done
    say "previewd serves on $PREVIEW_URL (log: $log)"
}

# Generations are immutable: another content of the example is another generation.
generation_id() {
    printf 'demo-%s' "$(cd "$example" && find . -type f ! -path '*/__pycache__/*' -print0 | sort -z |
        xargs -0 sha256sum | sha256sum | cut -c1-8)"
}

end_daemon() {
    local waited=0
    kill -TERM "$daemon" 2>/dev/null || return 0
    while kill -0 "$daemon" 2>/dev/null; do
        if [ "$waited" -ge $((stop_seconds * 5)) ]; then
            kill -KILL "$daemon" 2>/dev/null || true
            break
        fi
        waited=$((waited + 1))
        sleep 0.2
    done
    wait "$daemon" 2>/dev/null || true
}

# What the engine holds of this daemon, found by the label that its preview carries: containers, networks, volumes.
# The daemon has removed all of it by now, unless something went wrong.
sweep() {
    local label=label=previewd.instance=$1 ids
    ids=$(docker ps -aq --filter "$label")
    # shellcheck disable=SC2086 # ids are words
    [ -z "$ids" ] || docker rm -f -v $ids >/dev/null
    ids=$(docker network ls -q --filter "$label")
    # shellcheck disable=SC2086
    [ -z "$ids" ] || docker network rm $ids >/dev/null
    ids=$(docker volume ls -q --filter "$label")
    # shellcheck disable=SC2086
    [ -z "$ids" ] || docker volume rm $ids >/dev/null
}

instance_of_preview() {
    [ -n "$generation" ] || return 0
    docker ps -a --filter "label=previewd.generation=$generation" --format '{{.Label "previewd.instance"}}' | head -n 1
}

stop_all() {
    local instance='' every
    say "stopping the demo"
    instance=$(instance_of_preview)
    # Also those that were launched beside it: previews outlive a daemon.
    every=$("$previewd" ps --data-dir "$data_dir" 2>/dev/null | awk 'NR > 1 { print $1 }') || every=''
    if [ -n "$every" ]; then
        # There is none yet while its image is built; that build ends with the daemon.
        # shellcheck disable=SC2086 # ids are words
        "$previewd" stop $every --data-dir "$data_dir" >/dev/null 2>&1 || [ -z "$instance" ] ||
            say "could not stop the previews; see $log"
    fi
    end_daemon
    [ -n "$instance" ] || instance=$(instance_of_preview)
    [ -z "$instance" ] || sweep "$instance"
    say "stopped; no container and no network of it is left"
}

finish() {
    local status=$?
    [ -z "$ending" ] || return 0
    ending=yes
    trap '' HUP INT TERM
    if [ -n "$task" ]; then
        end_tree "$task"
        wait "$task" 2>/dev/null || true
    fi
    [ -z "$daemon" ] || stop_all
    exit "${1:-$status}"
}

tell() {
    cat <<TEXT

  The app          $url
                   $url/docs
  previewd's API   $PREVIEW_URL/docs
  Its commands     export PREVIEW_URL=$PREVIEW_URL PREVIEW_DATA_DIR=$data_dir
                   $previewd ps
  To stop          Ctrl-C here

TEXT
}

trap 'finish' EXIT
trap 'finish 129' HUP
trap 'finish 130' INT
trap 'finish 143' TERM

"$here/engine.sh"
join_engine_group "$0"
run "$here/base-images.sh" python node static
build
address=$(choose_address)
export PREVIEW_URL=http://${address/#0.0.0.0:/127.0.0.1:}
start_daemon
generation=$(generation_id)
run "$previewd" launch "$example" --id "$generation" --data-dir "$data_dir" >"$data_dir/launched"
url=$(grep -oE 'https?://[^ ]+' "$data_dir/launched" | tail -n 1)
tell
wait "$daemon" || { tail -n 20 "$log" >&2; die "the daemon ended"; }
