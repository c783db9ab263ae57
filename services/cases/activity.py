"""What happened in each case: its own changes, with who made them, and what other services tell of it. Ids and words of
ours only, no personal data: clients are not named, so that nothing is to be erased here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import select

from chassis.columns import new_id
from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.paging import page
from services.cases.models import CaseActivity
from services.cases.reading import find_case

_TASK_FACTS = ("case_task_id", "template_id", "form_id", "case_form_id", "answered_by", "answer_version")
_OVERDUE_FACTS = ("case_task_id", "assignee_id")
_DELIVERY_FACTS = ("delivery_id", "batch_id", "case_task_id", "channel", "state", "reason")
_SHOWN = ("id", "at", "kind", "facts")

Entry = dict[str, Any]


def list_case_activity(
    db: Database,
    *,
    case_id: str,
    kind: Sequence[str] = (),
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    **paging: Any,
) -> dict[str, Any]:
    """A page of a case's activity, newest first. `kind`: of these events only; within [`since`, `until`).

    Raises NotFound `case_not_found`, and Invalid as `page` does.
    """
    with db.read() as session:
        wanted = select(CaseActivity).where(CaseActivity.case_id == find_case(session, case_id).id)
        if kind:
            wanted = wanted.where(CaseActivity.kind.in_(kind))
        if since is not None:
            wanted = wanted.where(CaseActivity.at >= since)
        if until is not None:
            wanted = wanted.where(CaseActivity.at < until)
        rows, meta = page(
            session, wanted, model=CaseActivity, sorts={"at": CaseActivity.at}, default_sort="-at", **paging
        )
        return {"data": [{name: getattr(row, name) for name in _SHOWN} for row in rows], "meta": meta}


def record_assigned_tasks(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """Of `tasks.assigned.v1`: each of the cases."""
    _record(db, events, lambda event: _entries(event, event.data.get("case_ids") or (), event.time, _TASK_FACTS))


def record_reopened_tasks(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """Of `task.reopened.v1`."""
    _record(db, events, _of_one_case)


def add_completed_tasks(uow: UnitOfWork, events: Sequence[ReceivedEvent]) -> None:
    """Of `task.completed.v1`, in the transaction that applies the answers."""
    uow.insert(CaseActivity, [entry for event in events for entry in _of_one_case(event)])


def record_overdue_tasks(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """Of `task.overdue.v1`: at the time that has passed."""
    _record(db, events, lambda event: _entries(event, [event.data["case_id"]], event.data["due_at"], _OVERDUE_FACTS))


def record_deliveries(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """Of `delivery.sent.v1` and `delivery.failed.v1`: the case that it is about, if it is about one."""
    _record(db, events, lambda event: _entries(event, [event.data["case_id"]], event.data["at"], _DELIVERY_FACTS))


def _record(db: Database, events: Sequence[ReceivedEvent], entries_of: Callable[[ReceivedEvent], list[Entry]]) -> None:
    with db.unit_of_work(once=events) as uow:
        uow.insert(CaseActivity, [entry for event in uow.fresh for entry in entries_of(event)])


def _of_one_case(event: ReceivedEvent) -> list[Entry]:
    return _entries(event, [event.data["case_id"]], event.time, _TASK_FACTS)


def _entries(
    event: ReceivedEvent, case_ids: Iterable[str | None], at: dt.datetime, names: Iterable[str]
) -> list[Entry]:
    facts = {name: event.data[name] for name in names if event.data.get(name) is not None}
    ids = [case_id for case_id in dict.fromkeys(case_ids) if case_id is not None]
    return [{"id": new_id(), "case_id": case_id, "at": at, "kind": event.name, "facts": facts} for case_id in ids]
