"""Forms on a case: assigned, with what is known already filled in, listed, and taken away while nobody has begun."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, joinedload

from chassis import paging
from chassis.database import Database, UnitOfWork
from chassis.scoping import BY_ID
from chassis.value_sets import among
from contracts.errors import Conflict, NotFound, Unavailable, invalid_field
from contracts.tasks import TASKS_SKIPPED
from services.tasks import due_dates, flow, form_assigning, known_cases, staff
from services.tasks.answers import tell_completed
from services.tasks.due_dates import Calendar
from services.tasks.freezing import Row, freeze
from services.tasks.models import CaseForm, CaseTask, CaseTaskChange, TaskFile
from services.tasks.open_cases import demand_open_case
from services.tasks.sealed_answers import destroy_keys, kept, refuse_to_staff
from services.tasks.views import demand_case

_FARTHEST_START = dt.timedelta(days=366 * 100)
"""Days are counted from it, and calendars have a first and a last one."""


def assign_form(
    db: Database,
    calls: Any,
    now: dt.datetime,
    *,
    case_id: str,
    form_id: str,
    answers: Mapping[str, Any],
    due: dict[str, Any] | None,
    assignee_id: str | None,
    start: dt.datetime | None,
    calendar: Calendar | None,
) -> dict[str, Any]:
    """Adds a form's tasks to a case, in order; also a second time. Tasks of which the answer is known are completed.
    `calendar`: the firm's, None if accounts cannot be asked.

    Raises NotFound `case_not_found`, `form_not_found`; Conflict `case_archived`, `case_pending`, `form_archived`;
    Invalid `form_empty`, `unknown_staff`, `inactive_staff`, what is wrong with `due`, `start_too_far`, and on
    `answers.<key>`: `unknown_task`, `task_skipped` for one that the other answers hide, and what an answer is refused
    for; Forbidden `permission_denied` for an answer to a sensitive question from who may not see it; Unavailable.
    """
    due_dates.check_rule(due)
    if start is not None and abs(start - now) > _FARTHEST_START:
        raise invalid_field("start", "Too far from today.", "start_too_far")
    staff.demand_staff(calls, [] if assignee_id is None else [("assignee_id", assignee_id)])
    facts = demand_open_case(calls, case_id)
    if calendar is None:
        raise Unavailable("calendar_unavailable")
    with db.unit_of_work() as uow:
        frozen = freeze(
            uow.session, [form_id], [], due=due, assignee_id=assignee_id, answers=answers, calendar=calendar,
            now=start or now,
        )  # fmt: skip
        case = known_cases.lock_case(uow, case_id, facts)
        added = form_assigning.add(uow, frozen, [case_id], once=False, now=now)
        case_form = load_case_form(uow.session, added.case_forms[0]["id"])
        answered = _fill_in(uow, case_form.id, frozen.forms[0].known, now)
        uow.session.refresh(case)
        flow.settle(uow, case, changed=answered, calendar=calendar, now=now)
        uow.session.flush()
        return uow.answer(_views(uow.session, [case_form])[0])


def list_case_forms(
    db: Database, calls: Any, *, case_id: str, limit: int, cursor: str | None, sort: str | None
) -> dict[str, Any]:
    """A page of a case's forms, in the order of assignment unless `sort` says otherwise: created_at, title.

    Raises NotFound `case_not_found`.
    """
    with db.read() as session:
        rows, meta = paging.page(
            session,
            select(CaseForm).where(CaseForm.case_id == case_id),
            model=CaseForm,
            sorts={"created_at": CaseForm.created_at, "title": CaseForm.title},
            default_sort="created_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        data = _views(session, rows)
    if not data:
        demand_case(calls, case_id)
    return {"data": data, "meta": meta}


def remove_case_form(db: Database, case_form_id: str) -> dict[str, Any]:
    """Takes a form and its tasks from a case, as if it had never been assigned.

    Raises NotFound `case_form_not_found`; Conflict `case_archived`, `form_begun` once any of its tasks was begun or
    answered, a file was uploaded for one, or a client was told of one, and `form_depended_on` while another task's date
    follows one of its.
    """
    with db.read() as session:
        case_id = load_case_form(session, case_form_id).case_id
    with db.unit_of_work() as uow:
        known_cases.lock_case(uow, case_id)
        case_form = load_case_form(uow.session, case_form_id, lock=True)
        of_form = CaseTask.case_form_id == case_form_id
        tasks = uow.session.scalars(select(CaseTask).where(of_form).order_by(CaseTask.id).with_for_update()).all()
        for task in tasks:
            task.demand_present()
        ids = [task.id for task in tasks]
        changes = among(uow.session, CaseTaskChange.case_task_id, ids)
        shared = select(CaseTaskChange.id).where(changes, CaseTaskChange.kind == "shared")
        uploaded = select(TaskFile.id).where(among(uow.session, TaskFile.case_task_id, ids))
        begun = any(task.is_begun for task in tasks)
        if begun or any(uow.session.scalars(found.limit(1)).first() is not None for found in (shared, uploaded)):
            raise Conflict("form_begun", case_form_id=case_form_id)
        follows = select(CaseTask.id).where(
            among(uow.session, CaseTask.due_anchor_id, ids),
            CaseTask.case_form_id.is_distinct_from(case_form_id),
        )
        if uow.session.scalars(follows.limit(1)).first() is not None:
            raise Conflict("form_depended_on", case_form_id=case_form_id)
        uow.session.execute(delete(CaseTaskChange).where(changes))
        destroy_keys(uow, ids)
        uow.session.execute(delete(CaseTask).where(of_form))
        uow.session.delete(case_form)
        # What still waits to ask clients for them is dropped, as of tasks that a condition hides.
        uow.emit(TASKS_SKIPPED, case_id, {"case_id": case_id, "case_task_ids": ids})
        return uow.answer({})


def _fill_in(uow: UnitOfWork, case_form_id: str, known: Mapping[str, Any], now: dt.datetime) -> Sequence[CaseTask]:
    """Completes the tasks of a new form whose answers are known, by staff."""
    if not known:
        return []
    named = select(CaseTask).where(CaseTask.case_form_id == case_form_id, CaseTask.item_key.in_(known))
    tasks = uow.session.scalars(named.options(joinedload(CaseTask.template))).all()
    for task in tasks:
        refuse_to_staff(task, f"answers.{task.item_key}")
        answer = kept(uow, task, "answer", known[str(task.item_key)])
        task.complete(answer, answered_by="staff", client_id=None, link_id=None, now=now)
        tell_completed(uow, task, now)
    return tasks


def _views(session: Session, case_forms: Sequence[CaseForm]) -> list[Row]:
    """The contract's CaseForm of each."""
    ids = [case_form.id for case_form in case_forms]
    counted = (
        select(CaseTask.case_form_id, CaseTask.status, func.count())
        .where(among(session, CaseTask.case_form_id, ids), CaseTask.status != "skipped")
        .group_by(CaseTask.case_form_id, CaseTask.status)
        .execution_options(**BY_ID)
    )
    progress = {id_: {"done": 0, "total": 0} for id_ in ids}
    for case_form_id, status, count in session.execute(counted):
        so_far = progress[str(case_form_id)]
        so_far["total"] += count
        so_far["done"] += count if status == "completed" else 0
    names = ("id", "case_id", "form_id", "form_version", "title", "created_at", "completed_at")
    return [
        {**{name: getattr(case_form, name) for name in names}, "progress": progress[case_form.id]}
        for case_form in case_forms
    ]


def load_case_form(session: Session, case_form_id: str, *, lock: bool = False) -> CaseForm:
    """Raises NotFound `case_form_not_found`."""
    statement = select(CaseForm).where(CaseForm.id == case_form_id)
    case_form = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if case_form is None:
        raise NotFound("case_form_not_found", case_form_id=case_form_id)
    return case_form
