"""What a rule does on cases: by its own hand where the tasks are concerned, by asking others where they decide."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.database import UnitOfWork
from contracts.errors import Conflict, Invalid, NotFound
from contracts.tasks import (
    CASE_CHANGE_REQUESTED,
    CASE_MESSAGE_REQUESTED,
    STAFF_NOTICE_REQUESTED,
    AutomationAction,
)
from services.tasks.due_dates import Calendar
from services.tasks.form_assigning import add
from services.tasks.freezing import freeze
from services.tasks.models import AutomationRule, AutomationRun

Action = Mapping[str, Any]
Runs = Sequence[AutomationRun]
Outcomes = dict[str, list[dict[str, Any]]]

_schema = AutomationAction()


@dataclass(frozen=True)
class Facts:
    """What was asked for before: who of the staff that may be meant works here, who is responsible for the cases, and
    the cases as `select_cases` tells them, by id."""

    calendar: Calendar
    now: dt.datetime
    working: Collection[str]
    responsible: Mapping[str, str | None]
    cases: Mapping[str, Mapping[str, Any]]


def take(uow: UnitOfWork, rule: AutomationRule, runs: Runs, facts: Facts) -> Outcomes:
    """Takes a rule's actions for each of its runs, in their order: outcomes by run id. One that is refused leaves the
    others as they are."""
    outcomes: Outcomes = {run.id: [] for run in runs}
    for number, stored in enumerate(rule.actions):
        action = _schema.load(dict(stored))
        if action["kind"] in ("assign_task", "assign_form"):
            codes = _assign(uow, action, runs, facts)
        elif action["kind"] == "change_status":
            codes = _ask_for_status(uow, rule, action, runs, facts)
        elif action["kind"] == "send_template":
            codes = _ask_to_send(uow, action, runs, facts)
        else:
            codes = _notify(uow, action, number, runs, facts)
        for run, code in zip(runs, codes, strict=True):
            batch = {"batch_id": run.id} if (action["kind"], code) == ("send_template", "requested") else {}
            outcomes[run.id].append({"kind": action["kind"], "code": code, **batch})
    return outcomes


def _assign(uow: UnitOfWork, action: Action, runs: Runs, facts: Facts) -> list[str]:
    assignee_id = action.get("assignee_id")
    # What a case needs is asked for all the same, if the one who was to see to it has left.
    left = assignee_id is not None and assignee_id not in facts.working
    try:
        frozen = freeze(
            uow.session,
            [action["form_id"]] if "form_id" in action else [],
            [action["template_id"]] if "template_id" in action else [],
            due=action.get("due"),
            assignee_id=None if left else assignee_id,
            calendar=facts.calendar,
            now=facts.now,
        )
    except (NotFound, Conflict, Invalid) as refused:
        return [refused.code] * len(runs)
    for together in _rounds(runs):
        # A run ends once, so that nothing comes twice: it is locked, and waited until now.
        chain_id = together[0].chain_id if len(together) == 1 else None
        depths = {run.case_id: run.depth + 1 for run in together}
        add(uow, frozen, list(depths), once=False, now=facts.now, correlation_id=chain_id, depths=depths)
    return ["done_unassigned" if left else "done"] * len(runs)


def _ask_for_status(uow: UnitOfWork, rule: AutomationRule, action: Action, runs: Runs, facts: Facts) -> list[str]:
    for run in runs:
        status = rule.status_of(facts.cases[run.case_id]["case_type_id"], action["status"])
        asked = {"automation_run_id": run.id, "case_id": run.case_id, "status": status}
        uow.emit(CASE_CHANGE_REQUESTED, run.case_id, asked, correlation_id=run.chain_id)
    return ["requested"] * len(runs)


def _ask_to_send(uow: UnitOfWork, action: Action, runs: Runs, facts: Facts) -> list[str]:
    codes = []
    for run in runs:
        client_ids = facts.cases[run.case_id]["client_ids"]
        codes.append("requested" if client_ids else "nobody")
        if client_ids:
            message = {
                "automation_run_id": run.id,
                "case_id": run.case_id,
                "case_task_id": run.case_task_id,
                "client_ids": client_ids,
                "message_template_id": action["message_template_id"],
                "channels": list(dict.fromkeys(action["channels"])),
                "fallback": action.get("fallback", False),
                "requested_at": facts.now,
            }
            uow.emit(CASE_MESSAGE_REQUESTED, run.id, message, correlation_id=run.chain_id)
    return codes


def _notify(uow: UnitOfWork, action: Action, number: int, runs: Runs, facts: Facts) -> list[str]:
    codes = []
    for run in runs:
        named = list(action.get("staff_ids", ()))
        if action.get("notify_responsible"):
            named.append(facts.responsible.get(run.case_id))
        staff_ids = [staff_id for staff_id in dict.fromkeys(named) if staff_id in facts.working]
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


def _rounds(runs: Runs) -> list[list[AutomationRun]]:
    """Runs, so that each round has each case once."""
    rounds: list[dict[str, AutomationRun]] = []
    for run in runs:
        for cases in rounds:
            if cases.setdefault(run.case_id, run) is run:
                break
        else:
            rounds.append({run.case_id: run})
    return [list(cases.values()) for cases in rounds]
