"""Assigning one task to one case, and changing who does it and until when."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.database import Database, UnitOfWork
from contracts.errors import invalid_field
from contracts.tasks import TASKS_ASSIGNED
from services.tasks import dependents, due_dates, flow, known_cases, overdue_handling
from services.tasks.history import change_of, note_due_change
from services.tasks.models import CaseTask
from services.tasks.open_cases import demand_open_case
from services.tasks.templates import load_template
from services.tasks.views import answer_case_task, load_case_task


def assign_task(
    db: Database,
    calls: Any,
    now: dt.datetime,
    *,
    case_id: str,
    template_id: str,
    due: dict[str, Any] | None,
    assignee_id: str | None,
) -> dict[str, Any]:
    """Adds a task to a case, also a second one of the same template.

    Raises NotFound `case_not_found`, `staff_not_found`, `task_template_not_found`; Conflict `case_archived`,
    `case_pending`, `template_archived`; Invalid on a due rule that lacks something, or follows what is no task of the
    case.
    """
    due_dates.check_rule(due, anchor="case_task_id")
    assignee = calls.accounts.get_staff.start(staff_id=assignee_id) if assignee_id is not None else None
    calendar = firm_calendar(calls) if due_dates.needs_calendar(due) else None
    facts = demand_open_case(calls, case_id)
    if assignee is not None:
        _demand_active(assignee.result())
    with db.unit_of_work() as uow:
        case = known_cases.lock_case(uow, case_id, facts)
        template = load_template(uow.session, template_id)
        template.demand_in_use()
        task = CaseTask(
            **template.copy(),
            template=template,
            archived=case.archived,
            case_id=case_id,
            assignee_id=assignee_id,
            created_at=now,
            updated_at=now,
        )
        dependents.set_due(uow.session, case, task, due, calendar, "due")
        uow.session.add(task)
        uow.session.flush()
        uow.emit(
            TASKS_ASSIGNED,
            task.id,
            {"case_task_ids": [task.id], "case_ids": [task.case_id], "template_id": template_id},
        )
        return answer_case_task(uow, task, now)


def update_case_task(
    db: Database,
    calls: Any,
    now: dt.datetime,
    *,
    case_task_id: str,
    changes: dict[str, Any],
    expected_version: int | None,
    firm: due_dates.Calendar | None = None,
) -> dict[str, Any]:
    """Changes assignee, due rule, what is done when its time has passed, or the status of an open task. A relative due
    date counts from the assignment. `firm`: its calendar as it was last asked for, for dates that follow; the one that
    is set asks anew.

    Raises NotFound `case_task_not_found`, `staff_not_found`; Conflict `stale_version`, `task_not_open`,
    `case_archived`; Invalid.
    """
    due = changes.get("due")
    due_dates.check_rule(due, anchor="case_task_id")
    calendar = firm_calendar(calls) if due_dates.needs_calendar(due) else None
    if changes.get("assignee_id") is not None:
        _demand_active(calls.accounts.get_staff(staff_id=changes["assignee_id"]))
    handling = changes.get("overdue")
    if handling is not None:
        handling = _prepared_handling(db, calls, case_task_id, handling)
    with db.unit_of_work() as uow:
        case, task = flow.lock_task(uow, case_task_id)
        task.demand_present()
        task.expect_version(expected_version)
        if "overdue" in changes:
            _change_handling(uow, task, handling, now)
        if "status" in changes:
            task.set_open_status(changes["status"])
        if "assignee_id" in changes:
            task.assignee_id = changes["assignee_id"]
        if "due" in changes:
            before = task.due_at
            dependents.set_due(uow.session, case, task, due, calendar, "due")
        if changes:
            task.touch(now)
            if "due" in changes:
                note_due_change(uow, task, before, now)
            flow.settle(uow, case, changed=[task], calendar=calendar or firm, now=now)
        return answer_case_task(uow, task, now)


def _prepared_handling(db: Database, calls: Any, case_task_id: str, given: dict[str, Any]) -> dict[str, Any]:
    with db.read() as session:
        before = load_case_task(session, case_task_id).overdue_handling
    return overdue_handling.prepared_changes(calls, given, before)


def _change_handling(uow: UnitOfWork, task: CaseTask, changes: dict[str, Any] | None, now: dt.datetime) -> None:
    before = task.overdue_handling
    task.overdue_handling = overdue_handling.changed(before, changes)
    overdue_handling.check_rules(uow.session, task.overdue_handling, before)
    if task.overdue_handling != before:
        uow.session.add(change_of(task, "handling_changed", {}, now))


def firm_calendar(calls: Any) -> due_dates.Calendar:
    """The zone, working week and holidays of the firm."""
    return due_dates.Calendar.of_firm(calls.accounts.get_firm())


def _demand_active(staff: dict[str, Any]) -> None:
    if not staff.get("active", True):
        raise invalid_field("assignee_id", "This staff member is no longer active.", "staff_inactive")
