#!/usr/bin/env python3
"""Reads the index of an Autobahn report of two agents, the app itself and the app behind previewd: prints what came
of each case where the two differ or one failed, and a summary; fails where previewd makes a case worse or breaks it."""

import json
import sys

DIRECT, THROUGH = "direct", "through-previewd"
# From good to bad.
RANKS = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT", "FAILED"]


def rank(behavior):
    return RANKS.index(behavior) if behavior in RANKS else len(RANKS)


def by_number(case):
    return [int(part) for part in case.split(".")]


def main(path):
    with open(path, encoding="utf-8") as file:
        index = json.load(file)
    through = index[THROUGH]
    # Without that half of the run a case only has to pass.
    direct = index.get(DIRECT, through)
    missing = sorted(set(direct) ^ set(through), key=by_number)
    worse, failed, counts = [], [], {}
    for case in sorted(set(direct) & set(through), key=by_number):
        before, after = direct[case], through[case]
        counts[after["behavior"]] = counts.get(after["behavior"], 0) + 1
        for field in ("behavior", "behaviorClose"):
            if rank(after[field]) > rank(before[field]):
                worse.append(f"{case} {field}: {before[field]} directly, {after[field]} through previewd")
        if after["behavior"] == "FAILED" or after["behaviorClose"] == "FAILED":
            failed.append(case)
    for line in worse:
        print(f"worse   {line}")
    for case in failed:
        print(f"failed  {case} through previewd")
    for case in missing:
        print(f"missing {case} was run on one of the two alone")
    said = ", ".join(f"{count} {behavior}" for behavior, count in sorted(counts.items()))
    print(f"{sum(counts.values())} cases through previewd: {said}")
    bad = len(worse) + len(failed) + len(missing)
    print(f"{sum(counts.values()) - len(failed)} passed, {len(failed)} failed, {len(worse)} worse than without previewd")
    return 1 if bad or not counts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
