"""What other services ask about case tasks: facts to decide by, and the answers that are mapped to their fields."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import load_only

from chassis.database import Database
from chassis.scoping import BY_ID
from chassis.value_sets import among
from services.tasks import sealed_answers
from services.tasks.models import CaseTask, TaskTemplate


def get_case_task_facts(db: Database, now: dt.datetime, case_task_ids: list[str]) -> dict[str, Any]:
    """Title, case, form, due date and status as of the clock. Unknown ids are left out."""
    told = load_only(
        CaseTask.id, CaseTask.case_id, CaseTask.title, CaseTask.status, CaseTask.due_at, CaseTask.case_form_id
    )
    with db.read() as session:
        named = select(CaseTask).where(among(session, CaseTask.id, case_task_ids)).options(told)
        tasks = session.scalars(named.execution_options(**BY_ID))
        return {
            "case_tasks": [
                {
                    "case_task_id": task.id,
                    "case_id": task.case_id,
                    "title": task.title,
                    "status": task.status_at(now),
                    "due_at": task.due_at,
                    "case_form_id": task.case_form_id,
                }
                for task in tasks
            ]
        }


def get_mapped_answers(db: Database, calls: Any, case_task_ids: list[str]) -> dict[str, Any]:
    """The answers of completed tasks whose template has a mapping now: one that was cleared stops them.

    `primary_client_id` is looked up where staff answered for a client's field, since only there it is needed. Raises
    Unavailable if cases cannot be asked.
    """
    mapped = (
        select(CaseTask, TaskTemplate.mapping_target, TaskTemplate.mapping_field)
        .join(CaseTask.template)
        .where(
            CaseTask.id.in_(case_task_ids),
            CaseTask.status == "completed",
            TaskTemplate.mapping_target.is_not(None),
        )
    )
    with db.read() as session:
        rows = session.execute(mapped).all()
        clear = sealed_answers.opened(session, [task for task, _, _ in rows])
    by_staff = {task.case_id for task, target, _ in rows if target == "client" and task.client_id is None}
    primary = _primary_clients(calls, sorted(by_staff)) if by_staff else {}
    return {
        "answers": [
            {
                "case_task_id": task.id,
                "case_id": task.case_id,
                "client_id": task.client_id,
                "primary_client_id": primary.get(task.case_id),
                "link_id": task.link_id,
                "target": target,
                "field": field,
                "value": clear[task.id].answer,
                "answer_version": task.answer_version,
            }
            for task, target, field in rows
        ]
    }


def _primary_clients(calls: Any, case_ids: list[str]) -> dict[str, str]:
    cases = calls.cases.get_case_facts(case_ids=case_ids)["cases"]
    return {case["case_id"]: case["client_ids"][0] for case in cases if case["client_ids"]}
