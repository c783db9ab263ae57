"""Whether the forms of a case are done: a step of `flow.settle`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select

from chassis.database import UnitOfWork
from contracts.tasks import FORM_COMPLETED
from services.tasks.case_tasks import CaseTasks
from services.tasks.due_dates import Calendar
from services.tasks.models import CaseForm, CaseTask


def apply(uow: UnitOfWork, tasks: CaseTasks, *, calendar: Calendar, now: dt.datetime) -> None:
    """Notes on the forms of the tasks that were changed whether they are done, and tells of those that came to be."""
    touched = sorted({task.case_form_id for task in tasks.changed if task.case_form_id is not None})
    if not touched:
        return
    forms = select(CaseForm).where(CaseForm.id.in_(touched)).order_by(CaseForm.id)
    for form in uow.session.scalars(forms):
        done = is_done([task for task in tasks.all if task.case_form_id == form.id])
        if done and form.completed_at is None:
            form.completed_at = now
            data = {"case_form_id": form.id, "form_id": form.form_id, "case_id": form.case_id}
            uow.emit(FORM_COMPLETED, form.id, data)
        elif not done:
            form.completed_at = None


def is_done(tasks: Sequence[CaseTask]) -> bool:
    """Whether all that is required is completed, of what the conditions show; if nothing is, all that they show."""
    shown = [task for task in tasks if task.status != "skipped"]
    wanted = [task for task in shown if task.required] or shown
    return bool(wanted) and all(task.status == "completed" for task in wanted)
