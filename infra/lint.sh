#!/usr/bin/env bash
# infra/lint.sh (= make lint)
# Formatting, clippy, documentation, and where the tools are installed: dependencies (cargo-deny) and scripts (shellcheck).
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/lib.sh

need_component() {
    cargo "$1" --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null || die "cargo $1 is missing; install it with the Rust toolchain"
    say "adding $2 to the Rust toolchain"
    rustup component add "$2"
}

need_component fmt rustfmt
need_component clippy clippy
cargo fmt --check
cargo clippy --locked -- -D warnings
# Once more with tests and benches, which may unwrap: a panic is how they fail.
cargo clippy --locked --all-targets -- -D warnings \
    -A clippy::unwrap_used -A clippy::expect_used -A clippy::panic
# Of a program the private items are what its readers read, so links to them are fine.
RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' cargo doc --no-deps --document-private-items --locked
if command -v cargo-deny >/dev/null; then
    cargo deny check bans licenses sources
fi
if command -v shellcheck >/dev/null; then
    shellcheck -x -P infra infra/*.sh infra/base/*.sh .ci/run
fi
