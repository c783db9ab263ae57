"""Links as somebody sees and makes them who is limited to some types of cases: the owners of cases, tasks and forms say
which of them may be seen. Nobody is asked where the caller is not limited."""

from __future__ import annotations

from typing import Any

from chassis.context import kinds_seen
from chassis.database import Database
from contracts.errors import Forbidden, NotFound
from services.portal.links import get_link
from services.portal.pages import open_cases

Record = dict[str, Any]


def demand_seen(db: Database, calls: Any, link_id: str) -> None:
    """Raises NotFound `link_not_found` for a link to a task, form or cases that the caller may not see; Unavailable."""
    if kinds_seen() is not None and _names_hidden(calls, get_link(db, link_id)["scope"]):
        raise NotFound("link_not_found", link_id=link_id)


def _names_hidden(calls: Any, scope: Record) -> bool:
    case_ids = scope["case_ids"]
    try:
        if scope["case_task_id"] is not None:
            calls.tasks.get_case_task(case_task_id=scope["case_task_id"])
        if scope["case_form_id"] is not None:
            calls.tasks.list_form_tasks(case_form_id=scope["case_form_id"])
    except NotFound:
        return True
    return bool(case_ids) and len(calls.cases.get_case_facts(case_ids=case_ids)["cases"]) < len(set(case_ids))


def within(calls: Any, link: Record) -> Record:
    """The link as the caller may make it: one to all that a client has to do leads to the open cases alone that the
    caller may see, for whoever holds it sees what it leads to.

    Raises Forbidden `limited_to_case_types` if there is no such case, Unavailable.
    """
    scope = link["scope"]
    if kinds_seen() is None or scope["kind"] != "tasks" or scope.get("case_ids"):
        return link
    case_ids = open_cases(calls, link["client_id"])
    if not case_ids:
        raise Forbidden("limited_to_case_types")
    return {**link, "scope": {**scope, "case_ids": case_ids}}
