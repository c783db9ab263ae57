"""What the fields of a page begin with, where a form wants what is known filled in."""

from __future__ import annotations

from typing import Any

from chassis.rpc import RemoteFault
from chassis.telemetry import log_of
from contracts.errors import DeadlineExceeded, Unavailable
from contracts.tasks import MOST_ASKED, OPEN_STATUSES
from services.portal.models import Link

Record = dict[str, Any]

_log = log_of(__name__)


def known_answers(calls: Any, link: Link, case_tasks: list[Record]) -> list[Record]:
    """`contracts.tasks.KnownAnswer` of the page's open tasks. None where tasks cannot be asked: their fields are blank
    then, and the client can answer all the same."""
    asked = [task["id"] for task in case_tasks if task.get("prefill") and task["status"] in OPEN_STATUSES]
    if not asked:
        return []
    try:
        found = calls.tasks.get_known_answers(case_task_ids=asked[:MOST_ASKED], client_id=link.client_id)
    except (Unavailable, DeadlineExceeded, RemoteFault):
        _log.warning("known_answers_unavailable", link_id=link.id)
        return []
    known: list[Record] = found["answers"]
    return known
