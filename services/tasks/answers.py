"""Answering a case task, and reopening it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.context import Context, current
from chassis.database import Database, UnitOfWork
from contracts.errors import invalid_field
from contracts.tasks import TASK_COMPLETED, TASK_REOPENED
from services.tasks import flow, sealed_answers, task_files
from services.tasks.answer_checks import Question, check_answer
from services.tasks.due_dates import Calendar
from services.tasks.history import change_of
from services.tasks.models import CaseTask
from services.tasks.views import answer_case_task, demand_case, load_case_task


def submit_answer(
    db: Database,
    calls: Any,
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
    name the client of the case whose answer they write down; it remains theirs, and came by no link. `calendar`: the
    firm's, for dates that follow.

    Raises NotFound `case_task_not_found`, Conflict `task_skipped`, `answered_meanwhile` or `case_archived`, Invalid on
    the field `answer`, or `client_not_on_case` on `client_id`, Forbidden `permission_denied` to staff who may not see
    what is sensitive, and Unavailable if cases cannot be asked about the client.
    """
    actor = current() or Context()
    by_staff = client_id is None or actor.actor_kind in ("staff", "api_key")
    if by_staff and client_id is not None:
        _demand_client_of_case(db, calls, case_task_id, client_id)
    with db.unit_of_work() as uow:
        case, task = flow.lock_task(uow, case_task_id)
        task.demand_present()
        sealed_answers.refuse_to_staff(task)
        before = sealed_answers.answer_in_clear(uow.session, task)
        checked = check_answer(question_of(task), answer)
        checked = task_files.take_named(uow, task, checked, before, now, client_id=client_id, by_staff=by_staff)
        answered_by = "staff" if by_staff else "client"
        seen = answer_version if by_staff else None
        if task.is_answered(checked, answered_by, client_id, before=before, seen=seen):
            return answer_case_task(uow, task, now)
        corrected = task.status == "completed"
        task.complete(
            sealed_answers.kept(uow, task, "answer", checked),
            answered_by=answered_by,
            client_id=client_id,
            link_id=None if by_staff else link_id,
            now=now,
        )
        tell_completed(uow, task, now, corrected=corrected)
        flow.settle(uow, case, changed=[task], calendar=calendar, now=now)
        return answer_case_task(uow, task, now)


def reopen_case_task(
    db: Database, now: dt.datetime, *, case_task_id: str, reason: str, calendar: Calendar | None = None
) -> dict[str, Any]:
    """Makes a completed task open again, and keeps the reason, which the client is told. The answer stays, for the
    client to correct.

    Raises NotFound `case_task_not_found`, Conflict `task_not_completed` or `case_archived`.
    """
    with db.unit_of_work() as uow:
        case, task = flow.lock_task(uow, case_task_id)
        task.demand_present()
        task.reopen(reason, now)
        uow.session.add(change_of(task, "reopened", {"reason": reason}, now))
        data = {"case_task_id": task.id, "case_id": task.case_id}
        uow.emit(TASK_REOPENED, task.id, data, aggregate_version=task.version)
        flow.settle(uow, case, changed=[task], calendar=calendar, now=now)
        return answer_case_task(uow, task, now)


def tell_completed(uow: UnitOfWork, task: CaseTask, now: dt.datetime, *, corrected: bool = False) -> None:
    """Notes in its history that a task has just taken an answer, and tells others by `task.completed.v1`. `corrected`:
    it was completed before."""
    uow.session.add(change_of(task, "answered", {"answer_version": task.answer_version, "corrected": corrected}, now))
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


def _demand_client_of_case(db: Database, calls: Any, case_task_id: str, client_id: str) -> None:
    """The answer is written into the record of the client that is named: it must not be one of another case."""
    with db.read() as session:
        case_id = load_case_task(session, case_task_id).case_id
    if client_id not in demand_case(calls, case_id)["client_ids"]:
        raise invalid_field("client_id", "Not a client of this case.", "client_not_on_case")
