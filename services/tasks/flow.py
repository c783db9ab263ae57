"""What follows from a change of a case's tasks, in the same transaction: conditions, dates, forms that are done.

The order of locks is the same for all: the case's row of `known_case`, its forms, its tasks by id. At the first, two
changes of one case wait for each other, so that each sees what the other did.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from chassis.database import UnitOfWork
from chassis.scoping import BY_ID
from contracts.errors import NotFound, Unavailable
from services.tasks import condition_flow, dependents, forms_done
from services.tasks.case_tasks import CaseTasks, Step
from services.tasks.due_dates import Calendar
from services.tasks.known_cases import lock_case
from services.tasks.models import CaseTask, KnownCase
from services.tasks.views import load_case_task

STEPS: tuple[Step, ...] = (condition_flow.apply, dependents.apply, forms_done.apply)


def lock_task(uow: UnitOfWork, case_task_id: str) -> tuple[KnownCase, CaseTask]:
    """A case task that is to be changed, and its case, both locked; where tasks depend on one another, all of the case
    are. Raises NotFound `case_task_not_found`."""
    case = _case_of(uow, case_task_id)
    if case.linked:
        # All by id, and now: one after another would deadlock with who locks many.
        everything = select(CaseTask.id).where(CaseTask.case_id == case.case_id).order_by(CaseTask.id)
        uow.session.execute(everything.with_for_update().execution_options(**BY_ID)).all()
    return case, load_case_task(uow.session, case_task_id, lock=True)


def settle(
    uow: UnitOfWork,
    case: KnownCase,
    *,
    changed: Sequence[CaseTask],
    calendar: Calendar | None,
    now: dt.datetime,
) -> None:
    """Runs the steps, each once and in their order, where tasks of the case depend on one another; else nothing is
    loaded. `case` and its tasks are locked, see `lock_task`. Raises Unavailable `calendar_unavailable` if the firm's
    days are not known and may be needed."""
    if not case.linked or not STEPS:
        return
    if calendar is None:
        raise Unavailable("calendar_unavailable")
    uow.session.flush()
    theirs = (
        select(CaseTask)
        .where(CaseTask.case_id == case.case_id)
        .options(selectinload(CaseTask.template))
        .order_by(CaseTask.created_at, CaseTask.section_position, CaseTask.position, CaseTask.id)
        .execution_options(**BY_ID)
    )
    tasks = CaseTasks(case.case_id, uow.session.scalars(theirs).all(), changed)
    for step in STEPS:
        step(uow, tasks, calendar=calendar, now=now)


def _case_of(uow: UnitOfWork, case_task_id: str) -> KnownCase:
    asked = select(CaseTask.case_id).where(CaseTask.id == case_task_id)
    wanted = select(KnownCase).where(KnownCase.case_id == asked.scalar_subquery()).with_for_update(of=KnownCase)
    known = uow.session.scalars(wanted).one_or_none()
    if known is not None:
        return known
    case_id = uow.session.scalar(asked)
    if case_id is None:
        raise NotFound("case_task_not_found", case_task_id=case_task_id)
    return lock_case(uow, case_id)
