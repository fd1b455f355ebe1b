#!/usr/bin/env bash
# Makes the real series of own_series.tsv from git directories: own_series.sh MIRRORS OUT
#
# MIRRORS/OWNER+NAME/repo is a git directory of each repository. Those of the half "seen" go to OUT/seen, those of
# the half "once" to OUT/once: the second half is for judging, once, after the last change.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
mirrors="$1" out="$2"
mkdir -p "$out/seen" "$out/once"
tail -n +2 "$here/own_series.tsv" | while IFS=$'\t' read -r repository measure window half; do
    name="$(basename "$repository" | tr 'A-Z.-' 'a-z__')"
    "$here/series_from_git.py" "$mirrors/${repository/\//+}/repo" --measure "$measure" --window "$window" \
        >"$out/$half/own_$name.csv" || rm "$out/$half/own_$name.csv"
done
