"""What others see of case tasks: one, a list, the open ones, and how far a case is."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload, with_expression

from chassis import paging
from chassis.database import Database
from contracts.errors import NotFound, invalid_field
from services.tasks.models import OPEN, CaseTask
from services.tasks.section_progress import read_progress
from services.tasks.statuses import has_status, status_rank

_COPIED = (
    "id", "version", "created_at", "updated_at", "case_id", "template_id", "case_form_id", "title", "instructions",
    "kind", "required", "options", "checks", "section", "assignee_id", "due_at", "answer",
    "answered_by", "answer_version", "completed_at", "rejection", "last_notification",
    "draft", "draft_at", "reopened",
)  # fmt: skip


def case_task_view(task: CaseTask, now: dt.datetime) -> dict[str, Any]:
    """Python values of the contract's CaseTask, its status as of `now`. The task's template must be loaded."""
    copied = {name: getattr(task, name) for name in _COPIED}
    return {**copied, "status": task.status_at(now), "mapping": task.template.mapping}


def load_case_task(session: Session, case_task_id: str, *, lock: bool = False) -> CaseTask:
    """The task with its template as it is now. Raises NotFound `case_task_not_found`.

    A lock is on the task alone, and held to the end of the transaction.
    """
    statement = select(CaseTask).where(CaseTask.id == case_task_id).options(joinedload(CaseTask.template))
    task = session.scalars(statement.with_for_update(of=CaseTask) if lock else statement).one_or_none()
    if task is None:
        raise NotFound("case_task_not_found", case_task_id=case_task_id)
    return task


def get_case_task(db: Database, now: dt.datetime, case_task_id: str) -> dict[str, Any]:
    """Raises NotFound `case_task_not_found`."""
    with db.read() as session:
        return case_task_view(load_case_task(session, case_task_id), now)


def list_case_tasks(
    db: Database,
    calls: Any,
    now: dt.datetime,
    *,
    case_id: str | None,
    template_id: str | None,
    assignee_id: str | None,
    status: list[str],
    due_from: dt.datetime | None,
    due_to: dt.datetime | None,
    limit: int,
    cursor: str | None,
    sort: str | None,
) -> dict[str, Any]:
    """A page of case tasks, newest first unless `sort` says otherwise. Due within [`due_from`, `due_to`).

    `sort`: created_at, due_at, title, status (overdue, in progress, to do, completed, skipped). Raises NotFound
    `case_not_found` for a case that is not the firm's.
    """
    if due_from is not None and due_to is not None and due_from > due_to:
        raise invalid_field("due_from", "Must not be after due_to.")
    conditions: list[ColumnElement[bool]] = [has_status(status, now)] if status else []
    for column, wanted in (
        (CaseTask.case_id, case_id),
        (CaseTask.template_id, template_id),
        (CaseTask.assignee_id, assignee_id),
    ):
        if wanted is not None:
            conditions.append(column == wanted)
    if due_from is not None:
        conditions.append(CaseTask.due_at >= due_from)
    if due_to is not None:
        conditions.append(CaseTask.due_at < due_to)
    rank = status_rank(now).label("status_rank")
    statement = (
        select(CaseTask)
        .where(*conditions)
        .options(joinedload(CaseTask.template), with_expression(CaseTask.status_rank, rank))
    )
    with db.read() as session:
        rows, meta = paging.page(
            session,
            statement,
            model=CaseTask,
            sorts={
                "created_at": CaseTask.created_at,
                "due_at": CaseTask.due_at,
                "title": CaseTask.title,
                "status": rank,
            },
            default_sort="-created_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        data = [case_task_view(row, now) for row in rows]
    if case_id is not None and not data:
        # Only here is it unknown whether there is such a case: a task's case was there when it was assigned.
        demand_case(calls, case_id)
    return {"data": data, "meta": meta}


def list_open_tasks(db: Database, now: dt.datetime, case_ids: list[str]) -> dict[str, Any]:
    """The open case tasks of these cases, overdue ones included, in the order in which they were assigned."""
    statement = (
        select(CaseTask)
        .where(CaseTask.case_id.in_(case_ids), CaseTask.status.in_(OPEN))
        .options(joinedload(CaseTask.template))
        .order_by(CaseTask.created_at, CaseTask.id)
    )
    with db.read() as session:
        tasks = [case_task_view(task, now) for task in session.scalars(statement)]
        return {"case_tasks": tasks, "progress": read_progress(session, CaseTask.case_id.in_(case_ids))}


def get_case_progress(db: Database, calls: Any, case_id: str) -> dict[str, Any]:
    """Completed tasks of all but the skipped ones. Raises NotFound `case_not_found`."""
    counted = (
        select(CaseTask.status, func.count())
        .where(CaseTask.case_id == case_id, CaseTask.status != "skipped")
        .group_by(CaseTask.status)
    )
    with db.read() as session:
        counts: dict[str, int] = dict(session.execute(counted).all())
    if not counts:
        demand_case(calls, case_id)
    return {"case_id": case_id, "completed": counts.get("completed", 0), "total": sum(counts.values())}


def demand_case(calls: Any, case_id: str) -> dict[str, Any]:
    """The case's facts. Raises NotFound `case_not_found`."""
    cases: list[dict[str, Any]] = calls.cases.get_case_facts(case_ids=[case_id])["cases"]
    if not cases:
        raise NotFound("case_not_found", case_id=case_id)
    return cases[0]
