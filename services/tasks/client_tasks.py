"""The open tasks of a client's cases, for its card."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from chassis.database import Database
from chassis.value_sets import among
from services.tasks.models import OPEN, CaseTask
from services.tasks.views import case_task_view


def list_client_tasks(db: Database, calls: Any, now: dt.datetime, *, client_id: str, limit: int = 20) -> dict[str, Any]:
    """`contracts.tasks.ClientTaskList`, of the cases that are open. Raises Unavailable."""
    cases = calls.cases.get_client_cases(client_ids=[client_id])["cases"]
    case_ids = [case["case_id"] for case in cases if case["open"]]
    if not case_ids:
        return {"open": 0, "case_tasks": []}
    with db.read() as session:
        theirs = (among(session, CaseTask.case_id, case_ids), CaseTask.status.in_(OPEN))
        count = session.scalar(select(func.count()).select_from(CaseTask).where(*theirs))
        first = (
            select(CaseTask)
            .where(*theirs)
            .options(joinedload(CaseTask.template))
            .order_by(CaseTask.due_at.is_(None), CaseTask.due_at, CaseTask.id)
            .limit(limit)
        )
        return {"open": count, "case_tasks": [case_task_view(task, now) for task in session.scalars(first)]}
