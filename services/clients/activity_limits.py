"""A client's activity as somebody sees it who is limited to some types of cases."""

from __future__ import annotations

from typing import Any

from chassis.context import kinds_seen

Entries = dict[str, Any]


def without_hidden_cases(calls: Any, listed: Entries) -> Entries:
    """A page of activity without what is about cases, or tasks of cases, that the caller may not see, as their owners
    say; it may have fewer entries then, and still be followed by others. Nobody is asked where the caller is not
    limited.

    Raises Unavailable, DeadlineExceeded.
    """
    if kinds_seen() is None:
        return listed
    all_facts = [entry["facts"] for entry in listed["data"]]
    case_ids = {facts["case_id"] for facts in all_facts if facts.get("case_id")}
    # What names its case is as hidden as the case; a link names its task alone.
    task_ids = {about for facts in all_facts if (about := _about(facts)) is not None} - case_ids
    tasks = calls.tasks.get_case_task_facts.start(case_task_ids=sorted(task_ids)) if task_ids else None
    found = calls.cases.get_case_facts(case_ids=sorted(case_ids))["cases"] if case_ids else []
    seen = {case["case_id"] for case in found}
    if tasks is not None:
        seen |= {task["case_task_id"] for task in tasks.result()["case_tasks"]}
    hidden = (case_ids | task_ids) - seen
    return {**listed, "data": [entry for entry in listed["data"] if _about(entry["facts"]) not in hidden]}


def _about(facts: Entries) -> str | None:
    """The case, or where it is not named the case task."""
    about: str | None = facts.get("case_id") or facts.get("case_task_id")
    return about
