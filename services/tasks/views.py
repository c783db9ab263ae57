"""What others see of case tasks: one, the open ones, and how far a case is. (Lists are in `listing`.)"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from chassis.database import Database, UnitOfWork
from chassis.scoping import BY_ID
from chassis.value_sets import among
from contracts.errors import NotFound
from services.tasks import overdue_handling, sealed_answers
from services.tasks.models import OPEN, CaseTask
from services.tasks.section_progress import read_progress

_COPIED = (
    "id", "version", "created_at", "updated_at", "case_id", "template_id", "template_version", "case_form_id",
    "item_key", "title", "instructions", "kind", "required", "options", "checks", "section", "assignee_id", "due_at",
    "answered_by", "answer_version", "completed_at", "rejection", "last_notification", "draft_at", "reopened",
    "prefill",
)  # fmt: skip


def case_task_views(
    session: Session, tasks: Sequence[CaseTask], now: dt.datetime, *, to_all: bool = False
) -> list[dict[str, Any]]:
    """Python values of the contract's CaseTask, the status as of `now`, with what the caller may see, or anybody may
    (`to_all`). The templates must be loaded."""
    clear = sealed_answers.opened(session, tasks)
    return [{**_plain(task, now), **_shown(task, clear[task.id], to_all)} for task in tasks]


def case_task_view(session: Session, task: CaseTask, now: dt.datetime, *, to_all: bool = False) -> dict[str, Any]:
    """`case_task_views` of one."""
    return case_task_views(session, [task], now, to_all=to_all)[0]


def answer_case_task(uow: UnitOfWork, task: CaseTask, now: dt.datetime) -> dict[str, Any]:
    """What a use case answers about a case task: what the caller may see, and what anybody may to a repeat."""
    return uow.answer(
        case_task_view(uow.session, task, now), kept=lambda: case_task_view(uow.session, task, now, to_all=True)
    )


def _plain(task: CaseTask, now: dt.datetime) -> dict[str, Any]:
    return {
        **{name: getattr(task, name) for name in _COPIED},
        "status": task.status_at(now),
        "mapping": task.template.mapping,
        "due": task.due_rule,
        "overdue": overdue_handling.kept(task.overdue_handling),
        "sensitive": sealed_answers.is_sensitive(task),
        "section_position": None if task.case_form_id is None else task.section_position,
    }


def _shown(task: CaseTask, clear: sealed_answers.Clear, to_all: bool) -> dict[str, Any]:
    held = {"answer": (clear.answer, task.client_id), "draft": (clear.draft, task.draft_client_id)}
    seen = {
        part: value if sealed_answers.sees(task, client_id, to_all=to_all) else None
        for part, (value, client_id) in held.items()
    }
    return {**seen, "hidden": [part for part, (value, _) in held.items() if seen[part] is None and value is not None]}


def load_case_task(session: Session, case_task_id: str, *, lock: bool = False) -> CaseTask:
    """The task with its template as it is now. Raises NotFound `case_task_not_found`.

    A lock is on the task alone, and held to the end of the transaction.
    """
    named = select(CaseTask).where(CaseTask.id == case_task_id)
    statement = named.options(joinedload(CaseTask.template)).execution_options(**BY_ID)
    task = session.scalars(statement.with_for_update(of=CaseTask) if lock else statement).one_or_none()
    if task is None:
        raise NotFound("case_task_not_found", case_task_id=case_task_id)
    return task


def load_case_tasks(session: Session, case_task_ids: Sequence[str]) -> dict[str, CaseTask]:
    """The tasks that are there, with their templates, by id."""
    named = select(CaseTask).where(among(session, CaseTask.id, case_task_ids))
    found = session.scalars(named.options(selectinload(CaseTask.template)).execution_options(**BY_ID))
    return {task.id: task for task in found}


def get_case_task(db: Database, now: dt.datetime, case_task_id: str) -> dict[str, Any]:
    """Raises NotFound `case_task_not_found`."""
    with db.read() as session:
        return case_task_view(session, load_case_task(session, case_task_id), now)


def list_open_tasks(
    db: Database, now: dt.datetime, case_ids: list[str], client_id: str | None = None
) -> dict[str, Any]:
    """The open case tasks of these cases, overdue ones included, in the order in which they were assigned; those of a
    form in the form's.

    `client_id`: also what this client has answered of a form that has an open task, so that it can be read again and
    corrected, and what staff filled in there in nobody's name. What another client of the case has answered is left
    out.
    """
    theirs, is_open = CaseTask.case_id.in_(case_ids), CaseTask.status.in_(OPEN)
    wanted: ColumnElement[bool] = is_open
    if client_id is not None:
        by_staff = and_(CaseTask.client_id.is_(None), CaseTask.answered_by == "staff")
        answered = and_(CaseTask.status == "completed", CaseTask.case_form_id.is_not(None))
        wanted = or_(is_open, and_(answered, or_(CaseTask.client_id == client_id, by_staff)))
    statement = (
        select(CaseTask)
        .where(theirs, wanted)
        .options(selectinload(CaseTask.template))
        .order_by(CaseTask.created_at, CaseTask.case_form_id, CaseTask.section_position, CaseTask.position, CaseTask.id)
        .execution_options(**BY_ID)
    )
    with db.read() as session:
        found = session.scalars(statement).all()
        under_way = {task.case_form_id for task in found if task.status in OPEN}
        shown = [task for task in found if task.status in OPEN or task.case_form_id in under_way]
        return {
            "case_tasks": case_task_views(session, shown, now),
            "progress": read_progress(session, theirs),
        }


def get_case_progress(db: Database, calls: Any, case_id: str) -> dict[str, Any]:
    """Completed tasks of all but the skipped ones. Raises NotFound `case_not_found`."""
    counted = (
        select(CaseTask.status, func.count())
        .where(CaseTask.case_id == case_id, CaseTask.status != "skipped")
        .group_by(CaseTask.status)
        .execution_options(**BY_ID)
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
