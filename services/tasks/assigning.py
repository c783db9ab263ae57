"""Assigning one task to one case, and changing who does it and until when."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.context import Context, current
from chassis.database import Database
from contracts.errors import invalid_field
from contracts.tasks import TASKS_ASSIGNED, Due
from services.tasks import due_dates, flow, known_cases
from services.tasks.models import CaseTask, CaseTaskChange
from services.tasks.open_cases import demand_open_case
from services.tasks.templates import load_template
from services.tasks.views import case_task_view


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
    `case_pending`, `template_archived`; Invalid on a due rule that lacks something.
    """
    due_dates.check_rule(due)
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
            due_rule=due_to_wire(due),
            due_at=due_dates.due_at(due, now, calendar),
            created_at=now,
            updated_at=now,
        )
        uow.session.add(task)
        uow.session.flush()
        uow.emit(
            TASKS_ASSIGNED,
            task.id,
            {"case_task_ids": [task.id], "case_ids": [task.case_id], "template_id": template_id},
        )
        return uow.answer(case_task_view(task, now))


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
    """Changes assignee, due rule, or the status of an open task. A relative due date counts from the assignment.
    `firm`: its calendar as it was last asked for, for dates that follow; the one that is set asks anew.

    Raises NotFound `case_task_not_found`, `staff_not_found`; Conflict `stale_version`, `task_not_open`; Invalid.
    """
    due = changes.get("due")
    due_dates.check_rule(due, "changes.due")
    calendar = firm_calendar(calls) if due_dates.needs_calendar(due) else None
    if changes.get("assignee_id") is not None:
        _demand_active(calls.accounts.get_staff(staff_id=changes["assignee_id"]), "changes.assignee_id")
    with db.unit_of_work() as uow:
        case, task = flow.lock_task(uow, case_task_id)
        task.expect_version(expected_version)
        if "status" in changes:
            task.set_open_status(changes["status"])
        if "assignee_id" in changes:
            task.assignee_id = changes["assignee_id"]
        if "due" in changes:
            before = task.due_at
            task.set_due(due_to_wire(due), due_dates.due_at(due, task.created_at, calendar))
            facts = {"from": _wire(before), "to": _wire(task.due_at)}
            uow.session.add(change_of(task, "due_changed", facts, now))
        if changes:
            task.touch(now)
            flow.settle(uow, case, changed=[task], calendar=calendar or firm, now=now)
        return uow.answer(case_task_view(task, now))


def change_of(task: CaseTask, kind: str, facts: dict[str, Any], now: dt.datetime) -> CaseTaskChange:
    """An entry of a case task's history, by whoever the running work is for."""
    actor = current() or Context()
    return CaseTaskChange(
        case_task_id=task.id,
        kind=kind,
        actor_kind=actor.actor_kind,
        actor_id=actor.actor_id,
        facts=facts,
        created_at=now,
    )


def firm_calendar(calls: Any) -> due_dates.Calendar:
    """The zone, working week and holidays of the firm."""
    return due_dates.Calendar.of_firm(calls.accounts.get_firm())


def due_to_wire(due: dict[str, Any] | None) -> dict[str, Any] | None:
    """A due rule as it is stored."""
    if due is None:
        return None
    wire: dict[str, Any] = Due().dump(due)
    return wire


def _demand_active(staff: dict[str, Any], field: str = "assignee_id") -> None:
    if not staff.get("active", True):
        raise invalid_field(field, "This staff member is no longer active.", "staff_inactive")


def _wire(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
