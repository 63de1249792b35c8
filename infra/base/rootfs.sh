#!/usr/bin/env bash
# infra/base/rootfs.sh IMAGE PACKAGE…
# Imports a minimal root file system of this host's distribution, with the packages, as a local image.
# For hosts whose engine cannot pull: it asks only the package mirrors that apt is set up for.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/../lib.sh"

# One "deb" line for every component of the distribution itself: no third-party sources in base images.
distribution_sources() {
    local keyring=/usr/share/keyrings/$ID-archive-keyring.gpg options=""
    [ ! -e "$keyring" ] || options="[signed-by=$keyring] "
    apt-get indextargets --format "\$(ORIGIN)|deb $options\$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
        'Created-By: Packages' | sed -nE 's/^(Debian|Ubuntu)\|//p' | sort -u
}

image=$1
shift
need_packages mmdebstrap
. /etc/os-release
work=$(mktemp -d)
chmod 755 "$work" # apt's own user has to get through
trap 'as_root rm -rf --one-file-system "$work"' EXIT
# A signal waits until mmdebstrap has taken down what it had mounted; only then may its files go.
trap 'exit 130' HUP INT TERM
distribution_sources >"$work/sources.list"
[ -s "$work/sources.list" ] || die "apt has no sources of the distribution; run apt-get update first"

say "making $image from packages of $VERSION_CODENAME (about half a minute)"
# shellcheck disable=SC2016 # the hooks are given the root file system as $1
as_root env TMPDIR="$work" mmdebstrap --quiet --variant=minbase --include="$(IFS=,; printf '%s' "$*")" \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
    --customize-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/hostname "$1"/etc/resolv.conf' \
    --customize-hook='rm -rf "$1"/var/cache/apt/*.bin "$1"/var/cache/debconf/*-old "$1"/var/log/*.log "$1"/var/log/apt' \
    "$VERSION_CODENAME" "$work/rootfs.tar" "$work/sources.list" >&2
as_root chmod 644 "$work/rootfs.tar"
docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8' \
    "$work/rootfs.tar" "$image" >/dev/null
