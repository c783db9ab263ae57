"""What rules do when they are triggered, and its log.

An event writes a run for each rule that it triggers, in a transaction of its own, and asks for them by an event: that
is tried again until each run has ended (see `running`).

What follows from one event is a chain, named after it. All that a run does is emitted with the chain's id as its
correlation id, so that an event with such an id continues the chain, whichever service emitted it. In a chain a rule
runs once for a case: so rules that trigger one another come to an end. What they do by way of time has no chain: a
task that a rule assigns may be overdue and trigger it again. So a task keeps how many rules led to it, which ends too.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, or_, select
from sqlalchemy.orm import Session

from chassis import paging
from chassis.asking_again import ask_again, first_time
from chassis.columns import new_id
from chassis.crash import crash_point
from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.scoping import BY_ID
from chassis.telemetry import log_of
from chassis.value_sets import among
from contracts.base import CANONICAL_ID
from contracts.tasks import AUTOMATION_REQUESTED
from services.tasks.automation.rules import load_rule
from services.tasks.automation.triggers import triggers
from services.tasks.models import AutomationRule, AutomationRun, CaseTask

Record = dict[str, Any]

DEEPEST = 10
"""Rules that follow from one another, at most."""
_ASKED_FOR_AT_ONCE = 500
_log = log_of(__name__)
_SENT = ("sent", "delivered")
_SHOWN = (
    "id", "created_at", "automation_rule_id", "rule_version", "case_id", "case_task_id", "state", "code", "outcomes",
    "chain_id", "depth",
)  # fmt: skip


def follow(db: Database, kind: str, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """Begins what events of one kind trigger; where no rule waits for such, nothing is written."""
    with db.read() as session:
        if not _rules_for(session, kind, events):
            return
    with db.unit_of_work(once=events) as uow:
        begin(uow, kind, uow.fresh, now)
    crash_point("after_runs_begun")


def begin(uow: UnitOfWork, kind: str, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """Writes the runs of the rules that these events trigger, and asks for them."""
    rules = _rules_for(uow.session, kind, events)
    depths = _depths(uow.session, {event.correlation_id for event in events}) if rules else {}
    led_to = _led_to(uow.session, events) if rules and kind == "overdue" else {}
    rows = [
        _run(rule, event, depths, led_to, now) for event in events for rule in rules if triggers(rule, kind, event.data)
    ]
    waiting = [row for row in rows if row["state"] == "waiting"]
    begun = {row.id for row in uow.insert_returning(AutomationRun, waiting, "id", ignore_conflicts=True)}
    # What broke the rule that a chain has each once.
    again = [
        {**row, "state": "loop", "code": "ran_already", "ask_at": None} for row in waiting if row["id"] not in begun
    ]
    loops = [*again, *(row for row in rows if row["state"] == "loop")]
    uow.insert(AutomationRun, loops, ignore_conflicts=True)
    by_chain: dict[str, list[str]] = defaultdict(list)
    for row in waiting:
        if row["id"] in begun:
            by_chain[row["chain_id"]].append(row["id"])
    for chain_id, ids in by_chain.items():
        for first in range(0, len(ids), _ASKED_FOR_AT_ONCE):
            some = {"automation_run_ids": ids[first : first + _ASKED_FOR_AT_ONCE]}
            uow.emit(AUTOMATION_REQUESTED, chain_id, some, correlation_id=chain_id)


def ask_for_waiting(db: Database, now: dt.datetime) -> bool:
    """Across firms: asks for the runs once more that nobody has ended; whether there may be more."""

    def ask(uow: UnitOfWork, waiting: Sequence[AutomationRun]) -> None:
        _log.warning("automation_runs_stood_still", runs=len(waiting))
        # Of whichever chains: what a run does is emitted under its own.
        uow.emit(AUTOMATION_REQUESTED, waiting[0].id, {"automation_run_ids": [entry.id for entry in waiting]})

    return ask_again(db, AutomationRun, ["waiting"], ask, now, since="created_at")


def record_rejection(db: Database, event: ReceivedEvent) -> None:
    """`case_change.rejected.v1`: the change of status that a run asked for was not made."""
    _record_refusal(db, event, "change_status")


def record_refused_message(db: Database, event: ReceivedEvent) -> None:
    """`case_message.rejected.v1`: the message that a run asked for was not taken."""
    _record_refusal(db, event, "send_template")


def _record_refusal(db: Database, event: ReceivedEvent, kind: str) -> None:
    with db.unit_of_work(once=event) as uow:
        wanted = select(AutomationRun).where(AutomationRun.id == event.data["automation_run_id"]).with_for_update()
        entry = uow.session.scalars(wanted).one_or_none()
        if entry is not None:
            entry.settle(kind, {"code": event.data["code"]})


def record_finished_messages(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """`batch.finished.v1`: notes on the runs whose messages these were how many went out, and why others did not."""
    told = {event.data["batch_id"]: event.data for event in events if "counts" in event.data}
    with db.read() as session:
        known = session.scalars(select(AutomationRun.id).where(among(session, AutomationRun.id, told))).all()
    if not known:
        return
    with db.unit_of_work(once=events) as uow:
        fresh = sorted({event.data["batch_id"] for event in uow.fresh} & set(known))
        locked = select(AutomationRun).where(among(uow.session, AutomationRun.id, fresh)).order_by(AutomationRun.id)
        for entry in uow.session.scalars(locked.with_for_update()):
            data = told[entry.id]
            counts = {state: count for state, count in data["counts"].items() if state != "suppressed"}
            reasons = data["suppressions"]
            if any(counts.get(state) for state in _SENT):
                code = "done"
            else:
                code = max(reasons, key=lambda reason: (reasons[reason], reason)) if reasons else "not_sent"
            entry.settle("send_template", {"code": code, "batch_id": entry.id, "deliveries": {**counts, **reasons}})


def list_runs(
    db: Database,
    *,
    automation_rule_id: str | None,
    case_id: str | None,
    limit: int,
    cursor: str | None,
    sort: str | None,
) -> Record:
    """A page of the log, newest first unless `sort` (created_at) says otherwise. Raises NotFound
    `automation_rule_not_found`."""
    statement = select(AutomationRun)
    with db.read() as session:
        if automation_rule_id is not None:
            load_rule(session, automation_rule_id)
            statement = statement.where(AutomationRun.automation_rule_id == automation_rule_id)
        if case_id is not None:
            statement = statement.where(AutomationRun.case_id == case_id)
        rows, meta = paging.page(
            session,
            statement,
            model=AutomationRun,
            sorts={"created_at": AutomationRun.created_at},
            default_sort="-created_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": [{name: getattr(row, name) for name in _SHOWN} for row in rows], "meta": meta}


def active_rules(session: Session) -> ColumnElement[bool]:
    """Whether a rule is active, in the words of the partial index."""
    active: Any = literal_column("active = 1" if session.get_bind().dialect.name == "sqlite" else "active")
    return active


def _rules_for(session: Session, kind: str, events: Sequence[ReceivedEvent]) -> Sequence[AutomationRule]:
    """Those that events of a kind may trigger, and those that the events name."""
    meant = AutomationRule.trigger_kind == kind
    named = {id_ for event in events for id_ in event.data.get("automation_rule_ids") or ()}
    if named:
        meant = or_(meant, among(session, AutomationRule.id, sorted(named)))
    found = select(AutomationRule).where(active_rules(session), meant)
    return session.scalars(found.order_by(AutomationRule.name)).all()


def _led_to(session: Session, events: Sequence[ReceivedEvent]) -> dict[str, int]:
    """Of the case tasks of these events that rules have assigned: how many led to each."""
    ids = sorted({event.data["case_task_id"] for event in events})
    assigned = select(CaseTask.id, CaseTask.automation_depth).where(among(session, CaseTask.id, ids))
    found = session.execute(assigned.where(CaseTask.automation_depth > 0), execution_options=BY_ID)
    return dict(found.all())


def _depths(session: Session, correlation_ids: set[str | None]) -> dict[str, int]:
    """Of those that are chains of this firm: how many rules have followed from one another."""
    wanted = [id_ for id_ in correlation_ids if id_ is not None and CANONICAL_ID.fullmatch(id_)]
    counted = (
        select(AutomationRun.chain_id, func.max(AutomationRun.depth))
        .where(AutomationRun.chain_id.in_(wanted), AutomationRun.state != literal_column("'loop'"))
        .group_by(AutomationRun.chain_id)
    )
    depths: dict[str, int] = dict(session.execute(counted).all()) if wanted else {}
    return depths


def _run(
    rule: AutomationRule, event: ReceivedEvent, depths: dict[str, int], led_to: dict[str, int], now: dt.datetime
) -> Record:
    continued = depths.get(event.correlation_id or "")
    depth = max(0 if continued is None else continued + 1, led_to.get(event.data.get("case_task_id") or "", 0))
    deep = depth >= DEEPEST
    return {
        "id": new_id(),
        "automation_rule_id": rule.id,
        "rule_version": rule.version,
        "case_id": event.data["case_id"],
        "case_task_id": event.data.get("case_task_id"),
        "trigger_event_id": event.id,
        "chain_id": event.id if continued is None else event.correlation_id,
        "depth": depth,
        "state": "loop" if deep else "waiting",
        "code": "chain_too_long" if deep else None,
        "ask_at": None if deep else first_time(now),
        "outcomes": [],
        "created_at": now,
    }
