#!/usr/bin/env bash
# infra/trust.sh
# Which of the promises of tests/trust.txt were shown by the last run of the tests, as a table. An error where a row has no
# test, or one that failed.
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/lib.sh

# Of the tree itself, whatever directory cargo builds in.
results=target/nextest/default/junit.xml
[ -f "$results" ] || die "there are no results of nextest at $results: run make test"

# `binary test outcome` of each, a line each.
outcomes() {
    awk '
        function attribute(name) {
            return match($0, " " name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : ""
        }
        function tell() { if (test != "") print test, outcome; test = "" }
        /<testcase / {
            tell()
            binary = attribute("classname")
            sub(/^previewd::/, "", binary)
            test = binary " " attribute("name")
            outcome = "passed"
        }
        /<flakyFailure/ { if (outcome == "passed") outcome = "flaky" }
        /<(failure|error)[ >]/ { outcome = "failed" }
        END { tell() }
    ' "$results"
}

all=$(outcomes)
status=0
printf '%-9s %5s %6s %6s  %s\n' 'row' 'tests' 'failed' 'flaky' 'what must hold'
while IFS='|' read -r row words pattern; do
    case $row in '#'* | '') continue ;; esac
    pattern=$(sed 's/^ *//; s/ *$//' <<<"$pattern")
    found=$(grep -E "$pattern" <<<"$all" || true)
    count() { grep -c " $1\$" <<<"$found" || true; }
    total=$(grep -c . <<<"$found" || true)
    failed=$(count failed)
    [ "$total" -gt 0 ] && [ "$failed" -eq 0 ] || status=1
    printf '%-9s %5s %6s %6s  %s\n' "$row" "$total" "$failed" "$(count flaky)" "$(sed 's/^ *//; s/ *$//' <<<"$words")"
done <tests/trust.txt
exit "$status"
