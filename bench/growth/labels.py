#!/usr/bin/env python3
"""Labels the large steps of the real series, by a rule that knows nothing of our detector: writes labels.json.

  labels.py > labels.json

A step is a day (the last sample of a UTC day against the last one before it) that moved the size by at least 5 % of
the larger of the two sizes and by at least 20 times the median of the absolute changes of those days on which the
series moved at all. Steps of one direction within 20 days are one, dated by the first. Up is an alarm, down is
information. The first 60 days and the last 7 are not labelled: score.py first looks after 90 days, forgives 30 days
of delay, and looks once a week.

The rule was written down before any detector was run on these labels. Uses Python's standard library only.
"""
import csv, datetime as dt, glob, json, os, statistics

SHARE, MEDIANS, MERGE_DAYS, FIRST_DAY, LAST_DAYS = 0.05, 20, 20, 60, 7


def by_day(path):
    """Day and the size at its last sample; days without samples are not in it."""
    with open(path) as f:
        rows = sorted(list(csv.reader(f))[1:])
    return list({dt.date.fromisoformat(at[:10]): int(size) for at, size in rows}.items())


def steps(days):
    moves = [(day, size, size - before) for (_, before), (day, size) in zip(days, days[1:])]
    usual = statistics.median([abs(moved) for _, _, moved in moves if moved] or [0])
    first, last = days[0][0] + dt.timedelta(FIRST_DAY), days[-1][0] - dt.timedelta(LAST_DAYS)
    newest = {}
    for day, size, moved in moves:
        is_step = moved and abs(moved) >= SHARE * max(size, size - moved) and abs(moved) >= MEDIANS * usual
        if not is_step:
            continue
        up = moved > 0
        if up in newest and (day - newest[up]).days <= MERGE_DAYS:
            continue
        newest[up] = day
        if first <= day <= last:
            yield dict(t=f"{day}T00:00:00Z", kind="level_up" if up else "level_down", alert=up,
                       delta_bytes=moved, share=round(abs(moved) / max(size, size - moved), 3))


def labels(folder):
    files = [f for kind in ("dev", "own") for f in sorted(glob.glob(os.path.join(folder, kind + "_*.csv")))]
    return {os.path.basename(f)[:-4]: dict(events=list(steps(by_day(f)))) for f in files}


def main():
    found = labels(os.path.dirname(os.path.abspath(__file__)))
    lines = [f'{json.dumps(name)}: {json.dumps(label)}' for name, label in found.items()]
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
