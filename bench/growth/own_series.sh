#!/usr/bin/env bash
# Makes the real series of own_series.tsv from git directories: own_series.sh MIRRORS OUT
#
# MIRRORS/OWNER+NAME/repo is a git directory of each repository. Those of the half "seen" go to OUT/seen, those of
# "once", "learn" and "last" likewise: "once" and "last" are for judging, once, after the last change.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
mirrors="$1" out="$2"
tail -n +2 "$here/own_series.tsv" | while IFS=$'\t' read -r repository measure window half; do
    mkdir -p "$out/$half"
    name="$(basename "$repository" | tr 'A-Z.-' 'a-z__')"
    "$here/series_from_git.py" "$mirrors/${repository/\//+}/repo" --measure "$measure" --window "$window" \
        >"$out/$half/own_$name.csv" || rm "$out/$half/own_$name.csv"
done
