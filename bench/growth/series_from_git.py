#!/usr/bin/env python3
"""A growth series, `date,bytes`, out of a git directory: one row a day, the size at the end of that UTC day.

  series_from_git.py GIT_DIR --measure MEASURE --window newest|early > own_NAME.csv

tree      bytes of all files in the main line's newest tree: grows, shrinks, steps
versions  bytes of every version of every file that the main line ever had: only grows, as a journal does
weekly    the same journal in weekly partitions, of which the present one and the eight before it are kept
monthly   in monthly partitions, of which the present one and the two before it are kept
staging   the journal since the 1st of the month: a table that a monthly job empties
newest    the last 1,000 days up to the last commit; early: the 1,000 days after the first year

Only sizes are read, no content. A path of which some version is missing from the git directory (a shallow or
filtered copy) is left out altogether, since a file that appears and vanishes with the copy is no growth. Exits
with 1 when the window has less than 300 days. Uses nothing outside Python's standard library and git.
"""
import argparse, bisect, collections, datetime as dt, itertools, subprocess, sys

DAYS, LEAST_DAYS, FIRST_YEAR = 1000, 300, 365
SUBMODULE = "160000"


def git(directory, *arguments, feed=None):
    return subprocess.run(["git", "--git-dir", directory, *arguments], input=feed, check=True,
                          stdout=subprocess.PIPE).stdout


def changes(directory):
    """(day, [(path, old blob or None, new blob or None)]) of every commit of the main line, oldest first."""
    log = git(directory, "log", "--first-parent", "--diff-merges=first-parent", "--reverse", "--root", "--raw",
              "--no-renames", "--no-abbrev", "-z", "--format=%x01%ct", "HEAD").split(b"\x01")[1:]
    newest = 0
    for commit in log:
        seconds, _, rest = commit.partition(b"\0")
        # a rebased commit's date may lie before its parent's: its size counts from the parent's on
        newest = max(newest, int(seconds.split()[0]))
        found, fields = [], rest.lstrip(b"\n").split(b"\0")
        for meta, path in zip(fields[::2], fields[1::2]):
            old_mode, new_mode, old, new = meta.decode().lstrip("\n:").split()[:4]
            blob = lambda mode, name: None if mode in (SUBMODULE, "000000") else name
            found.append((path, blob(old_mode, old), blob(new_mode, new)))
        yield dt.datetime.fromtimestamp(newest, dt.timezone.utc).date(), found


def sizes_of(directory, blobs):
    """Bytes of each blob; those that the directory lacks are not in it."""
    lines = git(directory, "cat-file", "--batch-check=%(objectname) %(objectsize)",
                feed="".join(f"{blob}\n" for blob in blobs).encode()).decode().splitlines()
    return {name: int(size) for name, size in (line.split() for line in lines) if size.isdigit()}


def kept_from(measure, day, begin):
    """The first day whose journal is still there on a day."""
    if measure == "weekly":
        return day - dt.timedelta(day.weekday() + 8 * 7)
    months = {"monthly": 2, "staging": 0}.get(measure)
    if months is None:
        return begin
    month = day.year * 12 + day.month - 1 - months
    return dt.date(month // 12, month % 12 + 1, 1)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("git_dir")
    ap.add_argument("--measure", choices=["tree", "versions", "weekly", "monthly", "staging"], required=True)
    ap.add_argument("--window", choices=["newest", "early"], required=True)
    a = ap.parse_args()
    history = list(changes(a.git_dir))
    sizes = sizes_of(a.git_dir, {b for _, found in history for _, old, new in found for b in (old, new) if b})
    missing = {path for _, found in history for path, old, new in found
               if any(b and b not in sizes for b in (old, new))}
    by_day, seen = collections.Counter(), set()
    for day, found in history:
        for path, old, new in found:
            if path in missing:
                continue
            if a.measure == "tree":
                by_day[day] += sizes.get(new, 0) - sizes.get(old, 0)
            elif new and new not in seen:
                seen.add(new)
                by_day[day] += sizes[new]
    first, last = history[0][0], history[-1][0]
    begin = last - dt.timedelta(DAYS - 1) if a.window == "newest" else first + dt.timedelta(FIRST_YEAR)
    begin, end = max(begin, first), min(begin + dt.timedelta(DAYS - 1), last)
    print(f"{a.git_dir}: {(end - begin).days + 1} days, {len(missing)} paths left out", file=sys.stderr)
    if (end - begin).days + 1 < LEAST_DAYS:
        sys.exit(1)
    print("date,bytes")
    days = sorted(by_day)
    sums = [0, *itertools.accumulate(by_day[day] for day in days)]
    until = lambda day: sums[bisect.bisect_left(days, day)]
    for day in (begin + dt.timedelta(n) for n in range((end - begin).days + 1)):
        print(f"{day},{until(day + dt.timedelta(1)) - until(kept_from(a.measure, day, first))}")


if __name__ == "__main__":
    main()
