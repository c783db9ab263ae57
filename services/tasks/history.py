"""What happened to case tasks: noted with each change, and read by staff."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select

from chassis import paging
from chassis.context import Context, current
from chassis.database import Database
from chassis.unit_of_work import UnitOfWork
from contracts.errors import NotFound
from contracts.tasks import TASK_DUE_CHANGED
from services.tasks.models import CaseTask, CaseTaskChange

_SHOWN = ("id", "created_at", "kind", "actor_kind", "actor_id", "facts")


def change_of(task: CaseTask, kind: str, facts: dict[str, Any], now: dt.datetime) -> CaseTaskChange:
    """An entry of a case task's history, by whoever the running work is for. A client is not named: the history stays
    when the client is erased or merged, and whose answer it is says the task."""
    actor = current() or Context()
    return CaseTaskChange(
        case_task_id=task.id,
        kind=kind,
        actor_kind=actor.actor_kind,
        actor_id=None if actor.actor_kind == "client" else actor.actor_id,
        facts=facts,
        created_at=now,
    )


def note_due_change(
    uow: UnitOfWork, task: CaseTask, before: dt.datetime | None, now: dt.datetime, because: str | None = None
) -> None:
    """Keeps that a task's date has moved, and tells others. `because`: the task that it moved with."""
    facts = {"from": wire_instant(before), "to": wire_instant(task.due_at)}
    uow.session.add(change_of(task, "due_changed", facts if because is None else {**facts, "because": because}, now))
    data = {"case_task_id": task.id, "case_id": task.case_id, "due_at": task.due_at}
    uow.emit(TASK_DUE_CHANGED, task.id, data, aggregate_version=task.version)


def list_case_task_changes(
    db: Database, *, case_task_id: str, limit: int, cursor: str | None, sort: str | None
) -> dict[str, Any]:
    """A page of a case task's history, newest first. Raises NotFound `case_task_not_found`."""
    with db.read() as session:
        if session.scalars(select(CaseTask.id).where(CaseTask.id == case_task_id)).one_or_none() is None:
            raise NotFound("case_task_not_found", case_task_id=case_task_id)
        rows, meta = paging.page(
            session,
            select(CaseTaskChange).where(CaseTaskChange.case_task_id == case_task_id),
            model=CaseTaskChange,
            sorts={"created_at": CaseTaskChange.created_at},
            default_sort="-created_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": [{name: getattr(row, name) for name in _SHOWN} for row in rows], "meta": meta}


def wire_instant(moment: dt.datetime | None) -> str | None:
    """An instant as contracts write it."""
    return None if moment is None else moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
