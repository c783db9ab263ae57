"""A client's activity as somebody sees it who is limited to some types of cases."""

from __future__ import annotations

from typing import Any

from chassis.context import kinds_seen

Entries = dict[str, Any]


def without_hidden_cases(calls: Any, listed: Entries) -> Entries:
    """A page of activity without what is about cases that the caller may not see, as their owner says; it may have
    fewer entries then, and still be followed by others. Nobody is asked where the caller is not limited.

    Raises Unavailable, DeadlineExceeded.
    """
    if kinds_seen() is None:
        return listed
    named = {entry["facts"]["case_id"] for entry in listed["data"] if entry["facts"].get("case_id") is not None}
    found = calls.cases.get_case_facts(case_ids=sorted(named))["cases"] if named else []
    hidden = named - {case["case_id"] for case in found}
    return {**listed, "data": [entry for entry in listed["data"] if entry["facts"].get("case_id") not in hidden]}
