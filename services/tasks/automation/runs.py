"""What rules do when they are triggered, and its log.

An event writes a run for each rule that it triggers, in a transaction of its own, and asks for them by an event: that
is tried again until each run has ended. Then the cases are compared with the rules' filters, by one call for a rule,
and the actions taken.

What follows from one event is a chain, named after it. All that a run does is emitted with the chain's id as its
correlation id, so that an event with such an id continues the chain, whichever service emitted it. In a chain a rule
runs once for a case: so rules that trigger one another come to an end.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from chassis import paging
from chassis.columns import new_id
from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from contracts.base import CANONICAL_ID
from contracts.errors import Invalid, NotFound, Unavailable
from contracts.tasks import AUTOMATION_REQUESTED
from services.tasks.automation.actions import take
from services.tasks.automation.rules import load_rule
from services.tasks.automation.triggers import triggers
from services.tasks.firms import Calendars
from services.tasks.models import AutomationRule, AutomationRun

Record = dict[str, Any]

DEEPEST = 10
"""Rules that follow from one another, at most."""
_ASKED_FOR_AT_ONCE = 500
_SHOWN = (
    "id", "created_at", "automation_rule_id", "rule_version", "case_id", "case_task_id", "state", "code", "outcomes",
    "chain_id", "depth",
)  # fmt: skip


def follow(db: Database, kind: str, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """Begins what events of one kind trigger; where no rule waits for such, nothing is written."""
    with db.read() as session:
        if not _rules_for(session, kind):
            return
    with db.unit_of_work(once=events) as uow:
        begin(uow, kind, uow.fresh, now)


def begin(uow: UnitOfWork, kind: str, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """Writes the runs of the rules that these events trigger, and asks for them."""
    rules = _rules_for(uow.session, kind)
    depths = _depths(uow.session, {event.correlation_id for event in events}) if rules else {}
    rows = [
        _run(rule, event, depths, now) for event in events for rule in rules if triggers(rule.trigger, kind, event.data)
    ]
    waiting = [row for row in rows if row["state"] == "waiting"]
    begun = {row.id for row in uow.insert_returning(AutomationRun, waiting, "id", ignore_conflicts=True)}
    # What broke the rule that a chain has each once.
    again = [{**row, "state": "loop", "code": "ran_already"} for row in waiting if row["id"] not in begun]
    uow.insert(
        AutomationRun, [*again, *(row for row in rows if row["state"] == "loop")], ignore_conflicts=True
    )  # fmt: skip
    by_chain: dict[str, list[str]] = defaultdict(list)
    for row in waiting:
        if row["id"] in begun:
            by_chain[row["chain_id"]].append(row["id"])
    for chain_id, ids in by_chain.items():
        for first in range(0, len(ids), _ASKED_FOR_AT_ONCE):
            some = {"automation_run_ids": ids[first : first + _ASKED_FOR_AT_ONCE]}
            uow.emit(AUTOMATION_REQUESTED, chain_id, some, correlation_id=chain_id)


def run(db: Database, calls: Any, firms: Calendars, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`automation.requested.v1`: ends the runs that these events of one firm name. A rule acts as it is now.

    Raises Unavailable, DeadlineExceeded; then it is done later.
    """
    ids = sorted({run_id for event in events for run_id in event.data["automation_run_ids"]})
    with db.read() as session:
        named = select(AutomationRun.automation_rule_id, AutomationRun.case_id).where(AutomationRun.id.in_(ids))
        cases: dict[str, set[str]] = defaultdict(set)
        for rule_id, case_id in session.execute(named):
            cases[rule_id].add(case_id)
        wanted = select(AutomationRule).where(AutomationRule.id.in_(cases))
        rules = {rule.id: rule for rule in session.scalars(wanted)}
    meeting = {rule_id: _cases_meeting(calls, rule.filter, cases[rule_id]) for rule_id, rule in rules.items()}
    calendar = firms.get(str(db.firm_id), calls)
    if calendar is None:
        raise Unavailable("calendar_unavailable")
    with db.unit_of_work(once=events) as uow:
        waiting = select(AutomationRun).where(AutomationRun.id.in_(ids), AutomationRun.state == "waiting")
        by_rule: dict[str, list[AutomationRun]] = defaultdict(list)
        for entry in uow.session.scalars(waiting.order_by(AutomationRun.id).with_for_update()):
            by_rule[entry.automation_rule_id].append(entry)
        for rule_id, entries in sorted(by_rule.items()):
            acting = _acting(rules[rule_id], entries, *meeting[rule_id])
            outcomes = take(uow, rules[rule_id].actions, acting, calendar=calendar, now=now) if acting else {}
            for entry in acting:
                entry.acted(outcomes[entry.id])


def record_rejection(db: Database, event: ReceivedEvent) -> None:
    """`case_change.rejected.v1`: the change of status that a run asked for was not made."""
    with db.unit_of_work(once=event) as uow:
        wanted = select(AutomationRun).where(AutomationRun.id == event.data["automation_run_id"]).with_for_update()
        entry = uow.session.scalars(wanted).one_or_none()
        if entry is not None:
            refused = {"kind": "change_status", "code": event.data["code"]}
            entry.acted([refused if of["kind"] == "change_status" else of for of in entry.outcomes])


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


def _rules_for(session: Session, kind: str) -> Sequence[AutomationRule]:
    # The value of `active` is in the text: a partial index serves where the query says the same.
    active: Any = literal_column("active = 1" if session.get_bind().dialect.name == "sqlite" else "active")
    found = select(AutomationRule).where(active, AutomationRule.trigger_kind == kind)
    return session.scalars(found.order_by(AutomationRule.name)).all()


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


def _run(rule: AutomationRule, event: ReceivedEvent, depths: dict[str, int], now: dt.datetime) -> Record:
    continued = depths.get(event.correlation_id or "")
    depth = 0 if continued is None else continued + 1
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
        "outcomes": [],
        "created_at": now,
    }


def _cases_meeting(calls: Any, node: Record | None, case_ids: set[str]) -> tuple[set[str], str | None]:
    """Those that meet a filter, archived ones never; or why it cannot be read any more."""
    left = set(case_ids)
    while left:
        selector = {"include_case_ids": sorted(left), **({} if node is None else {"case_filter": node})}
        try:
            page = calls.cases.select_cases(selector=selector, limit=len(left))
        except NotFound as refused:
            if refused.meta.get("case_id") not in left:
                return set(), refused.code
            left.remove(refused.meta["case_id"])
        except Invalid as refused:
            return set(), refused.code
        else:
            return {case["case_id"] for case in page["data"]}, None
    return set(), None


def _acting(
    rule: AutomationRule, entries: Sequence[AutomationRun], meeting: set[str], broken: str | None
) -> list[AutomationRun]:
    """The runs whose actions are to be taken; the others end."""
    acting = []
    for entry in entries:
        entry.rule_version = rule.version
        if not rule.active:
            entry.end("failed", "rule_inactive")
        elif broken is not None:
            entry.end("failed", broken)
        elif entry.case_id not in meeting:
            entry.end("filtered")
        else:
            acting.append(entry)
    return acting
