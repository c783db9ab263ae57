"""The tasks of one form on one case, for the page behind a link to it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from chassis.database import Database
from chassis.scoping import BY_ID
from contracts.errors import NotFound
from services.tasks.models import CaseForm, CaseTask
from services.tasks.section_progress import read_progress
from services.tasks.views import case_task_views


def list_form_tasks(db: Database, now: dt.datetime, case_form_id: str) -> dict[str, Any]:
    """`contracts.tasks.FormTasks`. Raises NotFound `case_form_not_found`."""
    its = CaseTask.case_form_id == case_form_id
    statement = (
        select(CaseTask)
        .where(its, CaseTask.status != "skipped")
        .options(selectinload(CaseTask.template))
        .order_by(CaseTask.section_position, CaseTask.position, CaseTask.id)
        .execution_options(**BY_ID)
    )
    with db.read() as session:
        case_id = session.scalar(select(CaseForm.case_id).where(CaseForm.id == case_form_id))
        if case_id is None:
            raise NotFound("case_form_not_found", case_form_id=case_form_id)
        tasks = case_task_views(session, session.scalars(statement).all(), now)
        return {"case_id": case_id, "case_tasks": tasks, "progress": read_progress(session, its)}
