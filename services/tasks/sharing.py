"""Sharing one case task with a client: with whom it can be, and that it was.

The message is messaging's and the link portal's. Whoever has one of them made asks here first and tells of it then, so
that what was refused there is no sharing here.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.database import Database
from contracts.errors import invalid_field
from services.tasks.history import change_of
from services.tasks.open_cases import demand_open_case
from services.tasks.views import answer_case_task, load_case_task


def prepare_sharing(db: Database, calls: Any, *, case_task_id: str, client_id: str | None) -> dict[str, Any]:
    """`contracts.tasks.ShareRecipient`: that client of the case, else its primary one. A repeat of the request gets the
    same, whatever has become of the task.

    Raises NotFound `case_task_not_found`, Conflict `task_not_open`, `case_archived` or `case_pending`, Invalid
    on `client_id`, Unavailable.
    """
    with db.read() as session:
        case_id = load_case_task(session, case_task_id).case_id
    case = demand_open_case(calls, case_id)
    with db.unit_of_work() as uow:
        load_case_task(uow.session, case_task_id).demand_open()
        recipient = _recipient(case["client_ids"], client_id)
        return uow.answer({"case_task_id": case_task_id, "case_id": case_id, "client_id": recipient})


def record_sharing(
    db: Database, now: dt.datetime, *, case_task_id: str, channel: str, message_id: str | None, link_id: str | None
) -> dict[str, Any]:
    """Adds it to the task's history. Raises NotFound `case_task_not_found`."""
    made = {"message_id": message_id, "link_id": link_id}
    with db.unit_of_work() as uow:
        task = load_case_task(uow.session, case_task_id)
        facts = {"channel": channel, **{name: id_ for name, id_ in made.items() if id_ is not None}}
        uow.session.add(change_of(task, "shared", facts, now))
        return answer_case_task(uow, task, now)


def _recipient(client_ids: list[str], client_id: str | None) -> str:
    if client_id is None and client_ids:
        return client_ids[0]
    if client_id is None:
        raise invalid_field("client_id", "The case has no client.", "case_without_client")
    if client_id not in client_ids:
        raise invalid_field("client_id", "Not a client of this case.", "client_not_on_case")
    return client_id
