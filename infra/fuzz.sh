#!/usr/bin/env bash
# infra/fuzz.sh (= make fuzz)
# Everything that reads what strangers wrote, fed far more than in the tests. First the property tests of archives, metadata,
# Dockerfiles and their quoting, source in every language, log lines, request framing and egress lists, with many more cases than
# `make test` gives them. Then libFuzzer with AddressSanitizer on the targets of fuzz/, which sees which code an input reaches
# and goes on from there; what it learns is kept in the cache, and an input that breaks something in fuzz/artifacts.
#
# FUZZ_CASES: cases of each property (default 20000; make test gives 256). FUZZ_SECONDS: for all properties together, and again
# for all targets together (default 900).
# TARGETS: which of fuzz/targets (default: all).
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/lib.sh

CARGO_FUZZ=0.13.1
seconds=${FUZZ_SECONDS:-900}
status=0

properties() {
    export PROPTEST_CASES=${FUZZ_CASES:-20000} PROPTEST_MAX_SHRINK_ITERS=2000
    local outcome=0
    local names=(no_archive_breaks_it cuts_between_reads_mean_nothing what_passes_is_only_data a_quoted_word_is_read_back
        no_text_breaks_it no_image_off_the_list no_file_breaks_it any_text_is_a_command any_text_can_be_read no_tree_breaks_the_planner
        mutated_sources no_text_is_too_odd any_chunking_gives any_message_comes_back splitting_loses_nothing)
    timeout "$seconds" cargo test --locked --lib -- "${names[@]}" || outcome=$?
    # The time was up and nothing was found.
    [ "$outcome" -ne 124 ] || { say "no finding in $seconds s"; outcome=0; }
    return "$outcome"
}

install_tools() {
    command -v c++ >/dev/null || need_packages g++
    [ -x "$CACHE_DIR/cargo-fuzz/bin/cargo-fuzz" ] || cargo install --quiet --locked --root "$CACHE_DIR/cargo-fuzz" "cargo-fuzz@$CARGO_FUZZ"
    PATH=$CACHE_DIR/cargo-fuzz/bin:$PATH
}

targets() {
    local all=(${TARGETS:-$(cd fuzz/targets && ls | sed 's/\.rs$//')}) target each outcome=0
    each=$((seconds / ${#all[@]}))
    # Sanitizers and coverage are options of nightly compilers; a stable one has them too, and is the one previewd is built with.
    export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$CACHE_DIR/fuzz/target
    cargo fuzz build
    for target in "${all[@]}"; do
        say "$target, for $each s"
        mkdir -p "$CACHE_DIR/fuzz/corpus/$target"
        cargo fuzz run "$target" "$CACHE_DIR/fuzz/corpus/$target" "fuzz/corpus/$target" -- \
            -max_total_time="$each" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 || outcome=$?
    done
    return "$outcome"
}

install_tools
properties || status=$?
targets || status=$?
exit "$status"
