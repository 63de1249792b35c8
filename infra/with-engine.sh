#!/usr/bin/env bash
# infra/with-engine.sh COMMAND…
# Runs a command with access to the engine, also right after engine.sh has added this user to the docker group.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

join_engine_group "$here/with-engine.sh" "$@"
exec "$@"
