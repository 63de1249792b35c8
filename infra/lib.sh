# shellcheck shell=bash disable=SC2034
# What the scripts of this directory share: words to the user, root rights, packages, places for caches and state.

CACHE_DIR="${XDG_CACHE_HOME:-$HOME/.cache}/previewd"
STATE_DIR="${XDG_STATE_HOME:-$HOME/.local/state}/previewd"

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root and there is no sudo: $*"
    fi
}

package_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
package_known() { [ -n "$(apt-cache madison "$1" 2>/dev/null)" ]; }

# Runs a command while package installations may not start services: a bench wants nginx's binary, not port 80.
without_service_starts() {
    local policy=/usr/sbin/policy-rc.d status=0
    if [ -e "$policy" ]; then
        "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$policy"
    "$@" || status=$?
    as_root rm -f "$policy"
    return "$status"
}

# Installs those of the named distribution packages that are missing; starts none of their services.
need_packages() {
    local missing=() name
    for name in "$@"; do
        package_installed "$name" || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "please install ${missing[*]} (no apt-get here to do it with)"
    say "installing ${missing[*]}"
    for name in "${missing[@]}"; do
        package_known "$name" || { as_root apt-get update -qq >&2; break; }
    done
    install_now "${missing[@]}" || { as_root apt-get update -qq >&2 && install_now "${missing[@]}"; } ||
        die "cannot install ${missing[*]}"
}

install_now() {
    without_service_starts as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >&2
}

engine_answers() { timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null; }

# Runs the calling script anew as a member of the docker group, when its user is one but this login is older than that.
join_engine_group() {
    local command
    [ -z "${PREVIEWD_GROUP_JOINED:-}" ] && [ "$(id -u)" -ne 0 ] && command -v sg >/dev/null || return 0
    getent group docker | cut -d: -f4 | tr , '\n' | grep -qx "$(id -un)" || return 0
    id -nG | tr ' ' '\n' | grep -qx docker && return 0
    export PREVIEWD_GROUP_JOINED=yes
    command=$(printf '%q ' "$@")
    exec sg docker -c "exec $command"
}
