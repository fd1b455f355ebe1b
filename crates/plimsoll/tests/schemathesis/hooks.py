"""What no specification of single parameters can say: which of them do not go together.

Each such request is refused with 400, as tests in Rust assert; here only the others are made.
"""

import re

import schemathesis

SUBJECTS = {"table", "schema", "tablespace", "scope"}
A_DAY = re.compile(r"[12]\d{3}-\d\d-\d\d")


@schemathesis.hook
def filter_case(ctx, case):
    """Whether the parameters of a request go together."""
    given = case.query or {}
    names = set(given)
    path = case.operation.path
    if path == "/api/storage/silences" and isinstance(case.body, dict):
        # A silence is once or recurs, and is not over before it begins.
        others = {"from", "until", "cron"}
        return case.body.get("length_seconds") is not None and all(case.body.get(key) is None for key in others)
    if path == "/api/storage/forecast":
        if "by" in names:
            return not names & (SUBJECTS | {"horizons", "capacity"})
        return len(names & SUBJECTS) <= 1 and "limit" not in names
    if path == "/api/storage/disk" and "since" in names:
        # what is still to come changed nothing yet
        return str(given["since"])[:4] < "2020" or not A_DAY.match(str(given["since"]))
    if {"table", "schema"} <= names:
        return False
    if {"since", "until"} <= names:
        ends = [str(given[name]) for name in ("since", "until")]
        return all(A_DAY.match(end) for end in ends) and ends[0][:10] < ends[1][:10]
    return True
