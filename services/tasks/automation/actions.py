"""What a rule does on cases: by its own hand where the tasks are concerned, by asking others where they decide."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from chassis.database import UnitOfWork
from chassis.value_sets import among
from contracts.errors import Conflict, Invalid, NotFound
from contracts.tasks import CASE_CHANGE_REQUESTED, STAFF_NOTICE_REQUESTED, AutomationAction
from services.tasks.due_dates import Calendar
from services.tasks.form_assigning import add
from services.tasks.freezing import freeze
from services.tasks.models import AutomationRun, KnownCase

Action = Mapping[str, Any]
Outcomes = dict[str, list[dict[str, str]]]

_schema = AutomationAction()


def take(
    uow: UnitOfWork, actions: Sequence[Action], runs: Sequence[AutomationRun], *, calendar: Calendar, now: dt.datetime
) -> Outcomes:
    """Takes a rule's actions (as stored) for each of its runs, in their order: outcomes by run id. One that is refused
    leaves the others as they are."""
    outcomes: Outcomes = {run.id: [] for run in runs}
    for number, stored in enumerate(actions):
        action = _schema.load(dict(stored))
        if action["kind"] in ("assign_task", "assign_form"):
            codes = _assign(uow, action, runs, calendar, now)
        elif action["kind"] == "change_status":
            codes = _ask_for_status(uow, action, runs)
        else:
            codes = _notify(uow, action, number, runs)
        for run, code in zip(runs, codes, strict=True):
            outcomes[run.id].append({"kind": action["kind"], "code": code})
    return outcomes


def _assign(
    uow: UnitOfWork, action: Action, runs: Sequence[AutomationRun], calendar: Calendar, now: dt.datetime
) -> list[str]:
    try:
        frozen = freeze(
            uow.session,
            [action["form_id"]] if "form_id" in action else [],
            [action["template_id"]] if "template_id" in action else [],
            due=action.get("due"),
            assignee_id=action.get("assignee_id"),
            calendar=calendar,
            now=now,
        )
    except (NotFound, Conflict, Invalid) as refused:
        return [refused.code] * len(runs)
    for together in _rounds(runs):
        # A run ends once, so that nothing comes twice: it is locked, and waited until now.
        chain_id = together[0].chain_id if len(together) == 1 else None
        add(uow, frozen, [run.case_id for run in together], once=False, now=now, correlation_id=chain_id)
    return ["done"] * len(runs)


def _ask_for_status(uow: UnitOfWork, action: Action, runs: Sequence[AutomationRun]) -> list[str]:
    for run in runs:
        asked = {"automation_run_id": run.id, "case_id": run.case_id, "status": action["status"]}
        uow.emit(CASE_CHANGE_REQUESTED, run.case_id, asked, correlation_id=run.chain_id)
    return ["requested"] * len(runs)


def _notify(uow: UnitOfWork, action: Action, number: int, runs: Sequence[AutomationRun]) -> list[str]:
    responsible: dict[str, str | None] = {}
    if action.get("notify_responsible"):
        of_cases = among(uow.session, KnownCase.case_id, sorted({run.case_id for run in runs}))
        known = select(KnownCase.case_id, KnownCase.responsible_staff_id).where(of_cases)
        responsible = dict(uow.session.execute(known).all())
    codes = []
    for run in runs:
        named = [*action.get("staff_ids", ()), responsible.get(run.case_id)]
        staff_ids = list(dict.fromkeys(staff_id for staff_id in named if staff_id is not None))
        codes.append("requested" if staff_ids else "nobody")
        if staff_ids:
            about = {"case_id": run.case_id, "automation_rule_id": run.automation_rule_id}
            if run.case_task_id is not None:
                about["case_task_id"] = run.case_task_id
            notice = {
                "staff_ids": staff_ids,
                "kind": "automation",
                "title": action["title"],
                "about": about,
                "once": f"automation:{run.id}:{number}",
            }
            uow.emit(STAFF_NOTICE_REQUESTED, run.id, notice, correlation_id=run.chain_id)
    return codes


def _rounds(runs: Sequence[AutomationRun]) -> list[list[AutomationRun]]:
    """Runs, so that each round has each case once."""
    rounds: list[dict[str, AutomationRun]] = []
    for run in runs:
        for cases in rounds:
            if cases.setdefault(run.case_id, run) is run:
                break
        else:
            rounds.append({run.case_id: run})
    return [list(cases.values()) for cases in rounds]
