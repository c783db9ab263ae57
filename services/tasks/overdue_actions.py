"""What follows when the time of a task has passed: staff are told, its clients reminded, a supervisor called in.

`plan` is pure: it decides by facts that were asked for before the transaction. What could not be done is an outcome in
the task's history, never silence.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chassis.columns import new_id
from chassis.unit_of_work import UnitOfWork
from contracts.tasks import NOTIFICATION_REQUESTED, STAFF_NOTICE_REQUESTED
from services.tasks.history import wire_instant
from services.tasks.models import CaseTask, NotificationChunk, NotificationRequest
from services.tasks.staff import facts_of_staff

ACTIONS = {
    "notify_staff": "notify_staff_ids",
    "notify_assignee": "notify_assignee",
    "escalate": "escalate",
    "remind_client": "remind_client",
    "run_rules": "rule_ids",
}
"""Each action, and what of an overdue handling asks for it. (What was stored before there were rules names none.)"""
_CLOSED = {"closed": "case_closed", "pending": "case_pending", "archived": "case_archived"}

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Known:
    """Facts of staff and cases by id: None for one that is not there, nothing for one that was not asked for. `rules`:
    the ids of the active ones."""

    staff: Mapping[str, Facts | None] = field(default_factory=dict)
    cases: Mapping[str, Facts | None] = field(default_factory=dict)
    rules: Collection[str] = ()

    def covers(self, task: CaseTask) -> bool:
        """Whether all is known that this task's plan reads."""
        if not task.overdue_handling:
            return True
        return task.case_id in self.cases and self.staff.keys() >= set(_staff_of(task, self.cases[task.case_id]))

    def works_here(self, staff_id: str | None) -> bool:
        member = self.staff.get(staff_id or "")
        return member is not None and bool(member["active"])


@dataclass(frozen=True)
class Plan:
    """`outcomes` by action; `told` staff by the kind of notice; `reminded` clients, the primary first; `rules` that are
    run."""

    outcomes: dict[str, str] = field(default_factory=dict)
    told: dict[str, list[str]] = field(default_factory=dict)
    reminded: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


def look_up(calls: Any, tasks: Sequence[CaseTask]) -> Known:
    """Asks for what the plans of these tasks need. Raises Unavailable."""
    case_ids = sorted({task.case_id for task in tasks})
    if not case_ids:
        return Known()
    found = calls.cases.get_case_facts(case_ids=case_ids)["cases"]
    cases: dict[str, Facts | None] = dict.fromkeys(case_ids) | {case["case_id"]: case for case in found}
    staff = facts_of_staff(calls, {id_ for task in tasks for id_ in _staff_of(task, cases[task.case_id])})
    supervisors = {member["supervisor_id"] for member in staff.values() if member and member["supervisor_id"]}
    return Known({**staff, **facts_of_staff(calls, supervisors - staff.keys())}, cases)


def _staff_of(task: CaseTask, case: Facts | None) -> list[str]:
    handling = task.overdue_handling or {}
    in_charge = [task.assignee_id, case and case["responsible_staff_id"]]
    return [*handling["notify_staff_ids"], *(id_ for id_ in in_charge if id_ is not None)]


def plan(task: CaseTask, known: Known) -> Plan:
    """What is done about one deadline: each action that its task asks for has an outcome. Rules are run by
    `task.overdue.v1`, which names them."""
    handling = task.overdue_handling
    if not handling:
        return Plan()
    wanted = [action for action, name in ACTIONS.items() if handling.get(name)]
    case = known.cases[task.case_id]
    if case is None or case["state"] in _CLOSED:
        refusal = "case_gone" if case is None else _CLOSED[case["state"]]
        return Plan(dict.fromkeys(wanted, refusal))
    in_charge = [task.assignee_id, case["responsible_staff_id"]]
    colleagues = [id_ for id_ in handling["notify_staff_ids"] if known.works_here(id_)]
    assignee = next((id_ for id_ in in_charge if known.works_here(id_)), None)
    supervisors = ((known.staff.get(id_ or "") or {}).get("supervisor_id") for id_ in in_charge)
    supervisor = next((id_ for id_ in supervisors if known.works_here(id_)), None)
    nobody = {"escalate": "no_supervisor", "run_rules": "rule_inactive"}
    reached: dict[str, list[str]] = {
        "notify_staff": colleagues,
        "notify_assignee": [assignee] if assignee else [],
        "escalate": [supervisor] if supervisor else [],
        "remind_client": case["client_ids"],
        "run_rules": [id_ for id_ in handling.get("rule_ids") or () if id_ in known.rules],
    }
    acting = {action: reached[action] for action in wanted}
    outcomes = {action: "done" if acting[action] else nobody.get(action, "nobody") for action in wanted}
    told = {
        "task_overdue": [*acting.get("notify_staff", ()), *acting.get("notify_assignee", ())],
        "task_escalated": list(acting.get("escalate", ())),
    }
    return Plan(
        outcomes,
        {kind: list(dict.fromkeys(staff_ids)) for kind, staff_ids in told.items() if staff_ids},
        list(acting.get("remind_client", ())),
        acting.get("run_rules", []),
    )


def act(uow: UnitOfWork, planned: Iterable[tuple[CaseTask, Plan]], now: dt.datetime) -> None:
    """Sends the plans' actions on to who carries them out."""
    pairs = list(planned)
    uow.emit_many(
        STAFF_NOTICE_REQUESTED,
        [(task.id, _notice(task, kind, staff)) for task, plan in pairs for kind, staff in plan.told.items()],
    )
    requests: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for task, plan in pairs:
        if plan.reminded:
            reminder = (task.overdue_handling or {})["remind_client"]
            item = {"case_task_id": task.id, "case_id": task.case_id, "client_ids": plan.reminded}
            requests[(reminder["content_id"], tuple(reminder["channels"]), reminder["fallback"])].append(item)
    for (content_id, channels, fallback), items in requests.items():
        _remind(uow, content_id, list(channels), fallback, items, now)


def _notice(task: CaseTask, kind: str, staff_ids: list[str]) -> dict[str, Any]:
    return {
        "staff_ids": staff_ids,
        "kind": kind,
        "title": task.title,
        "about": {"case_task_id": task.id, "case_id": task.case_id},
        "once": f"{kind}:{task.id}:{wire_instant(task.due_at)}",
    }


def _remind(
    uow: UnitOfWork,
    content_id: str,
    channels: list[str],
    fallback: bool,
    items: list[dict[str, Any]],
    now: dt.datetime,
) -> None:
    """A request to notify about these tasks, in one chunk: for messaging it is as any other, with its consent, quiet
    hours and repeats."""
    asked = {
        "channels": channels, "fallback": fallback, "coalesce": False, "allow_repeat": False, "statuses": ["overdue"],
        "timing": {"mode": "now", "at": None},
    }  # fmt: skip
    request = NotificationRequest(
        id=new_id(),
        content_id=content_id,
        selector={"case_ids": sorted({item["case_id"] for item in items})},
        options={**asked, "template_ids": []},
        accepted=len(items),
        chunks=1,
        requested_by=None,
        created_at=now,
    )
    uow.session.add(request)
    uow.session.flush()
    ids = [item["case_task_id"] for item in items]
    uow.insert(NotificationChunk, [{"request_id": request.id, "number": 1, "case_task_ids": ids}])
    chunk = {"batch_id": request.id, "chunk": 1, "chunks": 1, "accepted": len(items), "content_id": content_id}
    uow.emit(
        NOTIFICATION_REQUESTED,
        request.id,
        {**chunk, **asked, "requested_by": None, "requested_at": now, "items": items},
    )
