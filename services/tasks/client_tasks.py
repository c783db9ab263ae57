"""The open tasks of a client's cases, for its card."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ColumnElement, Integer, bindparam, func, select
from sqlalchemy.orm import selectinload

from chassis.database import Database
from chassis.scoping import BY_ID
from chassis.value_sets import Statement, among_parameter, made_once
from services.tasks.models import OPEN, CaseTask
from services.tasks.views import case_task_views


def list_client_tasks(
    db: Database, calls: Any, now: dt.datetime, *, client_id: str, case_ids: list[str] | None = None, limit: int = 20
) -> dict[str, Any]:
    """`contracts.tasks.ClientTaskList`, of the cases that are open: `case_ids`, if they are known. Raises
    Unavailable."""
    if case_ids is None:
        cases = calls.cases.get_client_cases(client_ids=[client_id])["cases"]
        case_ids = [case["case_id"] for case in cases if case["open"]]
    if not case_ids:
        return {"open": 0, "case_tasks": []}
    theirs = {"case_ids": case_ids}
    with db.read() as session:
        found = session.scalars(_due_first(session), {**theirs, "limit": limit + 1}).all()
        # Those of most clients are few, and what is all there need not be counted.
        count = len(found) if len(found) <= limit else session.scalar(_counted(session), theirs)
        return {"open": count, "case_tasks": case_task_views(session, found[:limit], now)}


def _open_tasks(dialect: str) -> tuple[ColumnElement[bool], ...]:
    return among_parameter(dialect, CaseTask.case_id, "case_ids"), CaseTask.status.in_(OPEN)


@made_once
def _due_first(dialect: str) -> Statement:
    return (
        select(CaseTask)
        .where(*_open_tasks(dialect))
        .options(selectinload(CaseTask.template))
        .order_by(CaseTask.due_at.is_(None), CaseTask.due_at, CaseTask.id)
        .limit(bindparam("limit", type_=Integer))
        .execution_options(**BY_ID)
    )


@made_once
def _counted(dialect: str) -> Statement:
    counted = select(func.count()).select_from(CaseTask).where(*_open_tasks(dialect))
    return counted.execution_options(**BY_ID)
