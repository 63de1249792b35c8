#!/usr/bin/env bash
# infra/base-images.sh [--refresh] [python|node|static|go|postgres|mariadb|redis|mongo|php|ruby]…
# Makes previewd's base images where they are missing: previewd/python:3.11, previewd/node:20, previewd/static:1,
# previewd/go:1; and the servers that previews' databases live on, previewd/postgres:15, previewd/mariadb:10.11 and
# previewd/redis:7. previewd/php:8, previewd/ruby:3 and previewd/mongo:7 are made only when they are
# named; the last from the official image alone.
# The version in a tag is the version inside; previewd/KIND:default is whichever was made here.
#
# Derived from the official image where the engine can pull it, else from packages of this distribution.
# Finished images are kept as files in the cache, so that an empty engine only has to load them; --refresh
# makes them anew. PREVIEW_BUILD_CA_BUNDLE names a bundle of certificates that the images shall trust
# (default: the host's own), for hosts behind a proxy that intercepts TLS.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

recipes=$here/../dockerfiles/base
cache=$CACHE_DIR/base
bundle=${PREVIEW_BUILD_CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}
pull_failed=$cache/pull-failed
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pull_answer_seconds=20
pull_retry_minutes=60

# --- what differs by kind ---

official_image() {
    case $1 in
        python) echo python:3.11-slim ;;
        node) echo node:20-slim ;;
        static) echo nginx:stable ;;
        go) echo golang:1 ;;
        postgres) echo postgres:15 ;;
        mariadb) echo mariadb:10.11 ;;
        redis) echo redis:7 ;;
        ruby) echo ruby:3 ;;
        php) ;; # the official one lacks the usual extensions and Composer
        mongo) echo mongo:7 ;;
    esac
}

packages() {
    echo ca-certificates
    case $1 in
        python) if package_known python3.11; then echo python3.11 python3.11-venv python3-pip
                else echo python3 python3-venv python3-pip; fi ;;
        node) if host_node_fits; then echo libstdc++6 libatomic1; else echo nodejs npm; fi ;;
        static) echo nginx-light ;;
        go) echo golang-go gcc libc6-dev ;;
        postgres) if package_known postgresql-15; then echo postgresql-15; else echo postgresql; fi ;;
        mariadb) echo mariadb-server-core mariadb-client-core ;;
        redis) echo redis-server ;;
        php) echo php-fpm php-cli composer unzip git \
            php-{bcmath,curl,gd,intl,mbstring,mysql,pgsql,redis,sqlite3,xml,zip} ;;
        ruby) echo ruby ruby-dev bundler gcc g++ make patch pkg-config git \
            libc6-dev libyaml-dev libffi-dev zlib1g-dev libsqlite3-dev libpq-dev tzdata ;;
    esac
}

# The version that an image really holds, in the precision of its tag.
version_inside() {
    case $1 in
        python) docker run --rm --network none "$2" python -c 'import sys; print("%d.%d" % sys.version_info[:2])' ;;
        node) docker run --rm --network none "$2" node -p 'process.versions.node.split(".")[0]' ;;
        static) docker run --rm --network none "$2" nginx -v 2>&1 | sed -nE 's,.*nginx/([0-9]+)\..*,\1,p' ;;
        php) docker run --rm --network none "$2" php -r 'echo PHP_MAJOR_VERSION;' ;;
        ruby) docker run --rm --network none "$2" ruby -e 'print RUBY_VERSION.to_i' ;;
        go) docker run --rm --network none "$2" go version | sed -nE 's,.*go([0-9]+)\..*,\1,p' ;;
        postgres) docker run --rm --network none "$2" postgres --version | sed -nE 's/.* ([0-9]+)[.b ].*/\1/p' ;;
        mariadb) docker run --rm --network none "$2" mariadbd --version | sed -nE 's/.* Ver ([0-9]+\.[0-9]+)\..*/\1/p' ;;
        mongo) docker run --rm --network none "$2" mongod --version | sed -nE 's/^db version v([0-9]+)\..*/\1/p' ;;
        redis) docker run --rm --network none "$2" redis-server --version | sed -nE 's/.* v=([0-9]+)\..*/\1/p' ;;
    esac
}

prepare_context() {
    case $1 in
        python) fetch_uv "$2" "$3/uv" ;;
        node) mkdir "$3/runtime"; [ "$4" = official ] || ! host_node_fits || copy_host_node "$3/runtime" ;;
        static | go | php | ruby) ;;
        postgres | mariadb | redis | mongo) cp "$recipes/serve-$1" "$3" ;;
    esac
}

# --- where the file system comes from ---

# Pulls an official image. A registry that does not answer soon is taken for unreachable, and not asked again for a while.
pull_official() {
    local image=$1 log pid waited=0
    [ -z "$(find "$pull_failed" -mmin "-$pull_retry_minutes" 2>/dev/null)" ] || return 1
    log=$work/pull.log
    timeout 900 docker pull "$image" >"$log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null && ! grep -q 'Pulling from' "$log" && [ "$waited" -lt "$pull_answer_seconds" ]; do
        sleep 1
        waited=$((waited + 1))
    done
    grep -q 'Pulling from' "$log" || kill "$pid" 2>/dev/null || true
    if wait "$pid" && docker image inspect "$image" >/dev/null 2>&1; then
        return 0
    fi
    say "cannot pull $image: using packages of this distribution instead"
    touch "$pull_failed"
    return 1
}

# --- what goes in ---

# The certificates of a bundle that are missing in the bundle of an image.
extra_certificates() {
    local image=$1
    docker run --rm --network none "$image" cat /etc/ssl/certs/ca-certificates.crt 2>/dev/null |
        awk 'function done() { if (FILENAME == "-") known[body] = 1; else if (!(body in known)) printf "%s", text }
             /BEGIN CERTIFICATE/ { body = ""; text = ""; inside = 1 }
             inside { text = text $0 "\n"; if ($0 !~ /-----/) body = body $0 }
             /END CERTIFICATE/ { inside = 0; done() }' - "$bundle"
}

# Fetches uv with the pip of an image and the pip settings of this host, which stay out of every layer.
fetch_uv() {
    local image=$1 to=$2 settings=() name
    for name in $(compgen -e PIP_) http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
        case $name in PIP_CERT | PIP_CONFIG_FILE | PIP_CLIENT_CERT) ;; *) settings+=(-e "$name") ;; esac
    done
    local inputs=$work/inputs
    mkdir -p "$inputs"
    cat "$bundle" >"$inputs/ca.pem" 2>/dev/null || true
    cat /etc/pip.conf "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf" "${PIP_CONFIG_FILE:-/dev/null}" \
        >"$inputs/pip.conf" 2>/dev/null || true
    tar -C "$inputs" -c ca.pem pip.conf |
        docker run -i --rm --network host "${settings[@]}" "$image" sh -euc '
            cd /tmp && tar x
            [ ! -s ca.pem ] || export PIP_CERT=/tmp/ca.pem
            PIP_CONFIG_FILE=/tmp/pip.conf python3 -m pip download -qq --no-deps --only-binary :all: -d wheel uv >&2
            python3 -m zipfile -e wheel/uv-*.whl files
            cat files/uv-*.data/scripts/uv' >"$to"
    chmod 755 "$to"
}

host_node_major() { node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }

# Whether this host has a node that is newer than most distributions' and can be copied, npm and all.
host_node_fits() { [ "$(host_node_major)" -ge 20 ] && [ -d "$(npm root -g 2>/dev/null)/npm" ]; }

copy_host_node() {
    mkdir -p "$1/bin" "$1/lib/node_modules"
    cp "$(node -p process.execPath)" "$1/bin/node"
    cp -r "$(npm root -g 2>/dev/null)/npm" "$1/lib/node_modules/npm"
    rm -rf "$1/lib/node_modules/npm/docs" "$1/lib/node_modules/npm/man"
    ln -s ../lib/node_modules/npm/bin/npm-cli.js "$1/bin/npm"
    ln -s ../lib/node_modules/npm/bin/npx-cli.js "$1/bin/npx"
}

trust_extra_certificates() {
    [ -s "$1/extra-ca.crt" ] || return 0
    cat >>"$1/Dockerfile" <<'LINES'
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    NODE_EXTRA_CA_CERTS=/usr/local/share/ca-certificates/previewd.crt
LINES
}

# --- one image ---

build() {
    local kind=$1 recipe=$2 from origin=official context version
    from=$(official_image "$kind")
    if [ -z "$from" ] || ! pull_official "$from"; then
        [ "$kind" != mongo ] || die "no packages of this distribution have MongoDB, and $from cannot be pulled: name a server in PREVIEW_DATABASE_MONGODB_URL"
        from=previewd/rootfs:$kind
        origin=distribution
        # shellcheck disable=SC2046 # package names are single words
        "$here/base/rootfs.sh" "$from" $(packages "$kind")
    fi
    context=$work/$kind
    mkdir "$context"
    cp "$recipes/prepare.sh" "$recipes/serve-static" "$context"
    cp "$recipes/$kind.Dockerfile" "$context/Dockerfile"
    extra_certificates "$from" >"$context/extra-ca.crt"
    trust_extra_certificates "$context"
    prepare_context "$kind" "$from" "$context" "$origin"
    docker build --build-arg "FROM=$from" --label previewd.kind=base --label "previewd.base=$kind" \
        --label "previewd.recipe=$recipe" --label "previewd.origin=$origin" \
        -t "previewd/$kind:default" "$context" >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; die "cannot build previewd/$kind"; }
    version=$(version_inside "$kind" "previewd/$kind:default")
    docker tag "previewd/$kind:default" "previewd/$kind:$version"
    [ "$origin" = official ] || docker rmi "$from" >/dev/null
    say "made previewd/$kind:$version"
}

save_to_cache() {
    local kind=$1 file=$2 tags
    tags=$(docker image inspect --format '{{join .RepoTags " "}}' "previewd/$kind:default")
    # shellcheck disable=SC2086 # tags are single words
    docker save $tags >"$file.part"
    mv "$file.part" "$file"
}

# What an image is made from, comments aside: another value means that the image is to be made anew.
recipe_of() {
    {
        grep -hv '^ *#' "$recipes/$1.Dockerfile" "$recipes/prepare.sh" "$recipes/serve-static" "$here/base/rootfs.sh"
        case $1 in postgres | mariadb | redis | mongo) grep -v '^ *#' "$recipes/serve-$1" ;; esac
        cat "$bundle" 2>/dev/null
    } | sha256sum | cut -c1-16
}

ensure() {
    local kind=$1 recipe file
    recipe=$(recipe_of "$kind")
    file=$cache/$kind-$recipe-$(uname -m).tar
    if [ -z "$refresh" ]; then
        [ "$(docker image inspect --format '{{index .Config.Labels "previewd.recipe"}}' "previewd/$kind:default" 2>/dev/null)" != "$recipe" ] || return 0
        if [ -e "$file" ]; then
            docker load --quiet --input "$file" >/dev/null && say "loaded previewd/$kind from the cache" && return 0
        fi
    fi
    build "$kind" "$recipe"
    rm -f "$cache/$kind-"*.tar
    save_to_cache "$kind" "$file"
}

refresh=
if [ "${1:-}" = --refresh ]; then
    refresh=yes
    shift
fi
join_engine_group "$0" ${refresh:+--refresh} "$@"
[ $# -gt 0 ] || set -- python node static go postgres mariadb redis
export DOCKER_BUILDKIT=0 # the recipes need nothing of it, and newer clients lack it without a plugin
[ -n "$(engine_answers)" ] || die "no Docker engine answers; infra/engine.sh starts one"
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
for kind in "$@"; do
    case $kind in
        python | node | static | go | postgres | mariadb | redis | mongo | php | ruby) ensure "$kind" ;;
        *) die "unknown base image: $kind (python, node, static, go, postgres, mariadb, redis, mongo, php, ruby)" ;;
    esac
done
