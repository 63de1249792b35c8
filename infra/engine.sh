#!/usr/bin/env bash
# infra/engine.sh [start|stop|status]
# start (default): uses the Docker engine that answers at DOCKER_HOST or the default socket; where none does,
#   installs the distribution's docker.io and starts it, with systemd where that runs, else as a plain dockerd.
# stop: ends a dockerd that this script started, and no other.
# status: says whether an engine answers.
#
# DOCKERD_OPTIONS are added to a plain dockerd's command line (a --data-root elsewhere, say).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

deadline_seconds=60
socket=/var/run/docker.sock
pid_file=$STATE_DIR/dockerd.pid
log=$STATE_DIR/dockerd.log

# The process that the pid file names, when it is still the dockerd that was started with that file.
own_dockerd() {
    local pid
    pid=$(cat "$pid_file" 2>/dev/null) || return 1
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "--pidfile=$pid_file" || return 1
    printf '%s' "$pid"
}

# Where an engine may be started: at the default socket or the one that DOCKER_HOST names, never on another host.
choose_socket() {
    case ${DOCKER_HOST:-} in
        '') ;;
        unix://*) socket=${DOCKER_HOST#unix://} ;;
        *) die "no engine answers at DOCKER_HOST=$DOCKER_HOST, and only a local one could be started" ;;
    esac
}

install_engine() {
    command -v dockerd >/dev/null && command -v docker >/dev/null && return
    need_packages docker.io ca-certificates
    command -v docker >/dev/null || need_packages docker-cli
}

systemd_runs() { [ -d /run/systemd/system ]; }

start_with_systemd() {
    say "starting docker.service"
    as_root systemctl start docker.service
}

# Without systemd nobody may have mounted the control groups.
mount_cgroups() {
    [ -e /sys/fs/cgroup/cgroup.controllers ] || [ -d /sys/fs/cgroup/memory ] && return
    need_packages cgroupfs-mount
    as_root cgroupfs-mount
}

start_plainly() {
    mkdir -p "$STATE_DIR"
    as_root rm -f "$pid_file"
    [ ! -e "$log" ] || as_root mv -f "$log" "$log.1"
    mount_cgroups
    say "starting dockerd on $socket (log: $log)"
    # A session of its own, so that a Ctrl-C in this terminal does not end it.
    # shellcheck disable=SC2016,SC2086 # the inner shell expands, and options are words
    as_root setsid sh -c 'log=$1; shift; exec "$@" </dev/null >>"$log" 2>&1 9>&-' sh "$log" \
        dockerd --host "unix://$socket" --pidfile="$pid_file" ${DOCKERD_OPTIONS:-} &
}

# Whether an engine listens on the socket, be it to root alone.
engine_runs() {
    [ -S "$socket" ] && as_root env DOCKER_HOST="unix://$socket" timeout 10 docker version >/dev/null 2>&1
}

# A dockerd started here that has ended again, as one whose data directory was torn does, is not waited for.
ended_at_once() { [ "$1" -gt 5 ] && ! systemd_runs && ! own_dockerd >/dev/null; }

await_engine() {
    local waited=0
    until engine_runs; do
        waited=$((waited + 1))
        ! ended_at_once "$waited" || give_up "dockerd ended at its start"
        [ "$waited" -le "$deadline_seconds" ] || give_up "the engine did not answer within $deadline_seconds s"
        sleep 1
    done
}

# An error whose cause the engine's log tells: the head of a panic, and what was said last.
give_up() {
    if [ -e "$log" ] && ! systemd_runs; then
        grep -m 1 -A 5 '^panic:\|^fatal error:\|^unexpected fault' "$log" >&2 || true
        tail -n 20 "$log" >&2
    fi
    die "$1 (log: $log)"
}

# The socket belongs to root and the docker group. Membership counts from the next login on; join_engine_group
# of lib.sh bridges the time until then.
grant_access() {
    [ "$(id -u)" -ne 0 ] && ! [ -w "$socket" ] || return 0
    say "adding $(id -un) to the docker group (that is as good as root on this host)"
    as_root usermod -aG docker "$(id -un)"
}

start() {
    join_engine_group "$0" start
    local version
    version=$(engine_answers) || true
    if [ -n "$version" ]; then
        say "using the Docker engine $version that answers"
        return
    fi
    choose_socket
    install_engine
    if ! engine_runs; then
        if systemd_runs && [ "$socket" = /var/run/docker.sock ]; then start_with_systemd; else start_plainly; fi
        await_engine
    fi
    grant_access
    join_engine_group "$0" start
    version=$(engine_answers) || die "the engine runs, but $(id -un) may not use $socket"
    say "the Docker engine $version answers"
}

stop() {
    local pid waited=0
    pid=$(own_dockerd) || { say "no dockerd of ours runs; nothing to stop"; return; }
    as_root kill -TERM "$pid"
    while own_dockerd >/dev/null && [ "$waited" -lt "$deadline_seconds" ]; do
        sleep 1
        waited=$((waited + 1))
    done
    ! own_dockerd >/dev/null || die "dockerd (pid $pid) does not end"
    say "stopped the dockerd that was started here (pid $pid)"
}

status() {
    local version
    version=$(engine_answers) || { say "no Docker engine answers"; return 1; }
    say "the Docker engine $version answers"
}

case ${1:-start} in
    start | stop | status) "${1:-start}" ;;
    *) die "usage: infra/engine.sh [start|stop|status]" ;;
esac
