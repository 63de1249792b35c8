#!/usr/bin/env bash
# infra/setup.sh
# Everything that tests and benchmarks need and that is missing here: an engine, base images, PostgreSQL's server
# (tests start their own cluster), Prometheus with promtool (so do they of it), wrk and nginx (the benchmark's load and
# its baseline), Chromium (for what pages do by themselves), what changes networks and clocks for tests (iproute2, iptables, faketime). Starts no service but the engine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

have_postgres() { compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null; }

missing=()
have_postgres || missing+=(postgresql)
command -v promtool >/dev/null || missing+=(prometheus)
command -v chromium >/dev/null || missing+=(chromium)
command -v wrk >/dev/null || missing+=(wrk)
PATH=$PATH:/usr/sbin command -v nginx >/dev/null || missing+=(nginx-light)
command -v ip >/dev/null || missing+=(iproute2)
PATH=$PATH:/usr/sbin command -v iptables >/dev/null || missing+=(iptables)
compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=(faketime)
[ ${#missing[@]} -eq 0 ] || need_packages "${missing[@]}"

"$here/engine.sh"
"$here/with-engine.sh" "$here/base-images.sh"
