"""Answering a case task, and reopening it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.context import Context, current
from chassis.database import Database, UnitOfWork
from contracts.tasks import TASK_COMPLETED, TASK_REOPENED
from services.tasks import flow, task_files
from services.tasks.answer_checks import Question, check_answer
from services.tasks.due_dates import Calendar
from services.tasks.history import change_of
from services.tasks.models import CaseTask
from services.tasks.views import case_task_view


def submit_answer(
    db: Database,
    now: dt.datetime,
    *,
    case_task_id: str,
    answer: Any,
    client_id: str | None,
    link_id: str | None,
    answer_version: int = 0,
    calendar: Calendar | None = None,
) -> dict[str, Any]:
    """Checks an answer and completes the task with it; on a completed task it corrects the one before.

    Each answer gets the next `answer_version`, under a lock on the task. Staff correct the answer that they saw, whose
    `answer_version` they name: of two at once, the second is told. A client corrects whatever is there, and the last of
    several stands. The same answer once more, as from a button pressed twice, is the answer already given. Staff may
    name the client whose answer they write down; it remains theirs, and came by no link. `calendar`: the firm's, for
    dates that follow.

    Raises NotFound `case_task_not_found`, Conflict `task_skipped`, `answered_meanwhile`, or for a client
    `case_archived`, and Invalid on the field `answer`.
    """
    actor = current() or Context()
    by_staff = client_id is None or actor.actor_kind in ("staff", "api_key")
    with db.unit_of_work() as uow:
        case, task = flow.lock_task(uow, case_task_id)
        if not by_staff:
            task.demand_present()
        checked = check_answer(question_of(task), answer)
        checked = task_files.take_named(uow, task, checked, now, client_id=client_id, by_staff=by_staff)
        answered_by = "staff" if by_staff else "client"
        if task.is_answered(checked, answered_by, client_id, seen=answer_version if by_staff else None):
            return uow.answer(case_task_view(task, now))
        corrected = task.status == "completed"
        task.complete(
            checked,
            answered_by=answered_by,
            client_id=client_id,
            link_id=None if by_staff else link_id,
            now=now,
        )
        emit_completed(uow, task, corrected=corrected)
        flow.settle(uow, case, changed=[task], calendar=calendar, now=now)
        return uow.answer(case_task_view(task, now))


def reopen_case_task(
    db: Database, now: dt.datetime, *, case_task_id: str, reason: str, calendar: Calendar | None = None
) -> dict[str, Any]:
    """Makes a completed task open again, and keeps the reason, which the client is told. The answer stays, for the
    client to correct.

    Raises NotFound `case_task_not_found`, Conflict `task_not_completed`.
    """
    with db.unit_of_work() as uow:
        case, task = flow.lock_task(uow, case_task_id)
        task.reopen(reason, now)
        uow.session.add(change_of(task, "reopened", {"reason": reason}, now))
        data = {"case_task_id": task.id, "case_id": task.case_id}
        uow.emit(TASK_REOPENED, task.id, data, aggregate_version=task.version)
        flow.settle(uow, case, changed=[task], calendar=calendar, now=now)
        return uow.answer(case_task_view(task, now))


def emit_completed(uow: UnitOfWork, task: CaseTask, *, corrected: bool = False) -> None:
    """`task.completed.v1` for a task that has just taken an answer, `corrected` where it was completed before."""
    uow.emit(
        TASK_COMPLETED,
        task.id,
        {
            "case_task_id": task.id,
            "case_id": task.case_id,
            "template_id": task.template_id,
            "client_id": task.client_id,
            "answered_by": task.answered_by,
            "mapped": task.template.mapping_target,
            "answer_version": task.answer_version,
            "corrected": corrected,
        },
        aggregate_version=task.version,
    )


def question_of(task: CaseTask) -> Question:
    """What the task asks, as it was assigned."""
    return Question(task.kind, task.required, task.options, task.checks)
