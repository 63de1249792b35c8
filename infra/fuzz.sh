#!/usr/bin/env bash
# infra/fuzz.sh (= make fuzz)
# The property tests of everything that reads what strangers wrote, with many more cases than `make test` gives them:
# archives, metadata, Dockerfiles and their quoting, source in every language, log lines, request framing, egress lists.
#
# FUZZ_CASES: cases of each property (default 20000; make test gives 256). FUZZ_SECONDS: for all together (default 900).
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/lib.sh

export PROPTEST_CASES=${FUZZ_CASES:-20000} PROPTEST_MAX_SHRINK_ITERS=2000
status=0
names=(no_archive_breaks_it cuts_between_reads_mean_nothing what_passes_is_only_data a_quoted_word_is_read_back
    no_text_breaks_it no_image_off_the_list no_file_breaks_it any_text_is_a_command any_text_can_be_read no_tree_breaks_the_planner
    mutated_sources no_text_is_too_odd any_chunking_gives any_message_comes_back splitting_loses_nothing)
timeout "${FUZZ_SECONDS:-900}" cargo test --locked --lib -- "${names[@]}" || status=$?
# The time was up and nothing was found.
[ "$status" -ne 124 ] || { say "no finding in ${FUZZ_SECONDS:-900} s"; status=0; }
exit "$status"
