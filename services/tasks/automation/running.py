"""Ending runs that wait: their cases are compared with the rules' filters, by one call for a rule and thousands of
cases, and the actions are taken.

What others know is asked for first. The transaction then takes the runs, the rules and the cases, in this order and
each by id: a rule that was changed meanwhile is asked about anew, and a case that was archived meanwhile is left alone.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.value_sets import among
from contracts.errors import Invalid, NotFound, Unavailable
from services.tasks import known_cases
from services.tasks.automation.actions import Facts, take
from services.tasks.firms import Calendars
from services.tasks.models import AutomationRule, AutomationRun, KnownCase
from services.tasks.selecting import LARGEST_PAGE
from services.tasks.staff import facts_of_staff

Record = dict[str, Any]
Meeting = tuple[dict[str, Record], str | None]
"""The cases that meet a filter, by id; or why it cannot be read any more."""

_TRIES = 5


class _Overtaken(Exception):
    """A rule was changed since it was read: the transaction must leave no trace."""


def run(db: Database, calls: Any, firms: Calendars, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`automation.requested.v1`: ends the runs that these events of one firm name. A rule acts as it is now.

    Raises Unavailable, DeadlineExceeded; then it is done later.
    """
    for _ in range(_TRIES):
        try:
            _run(db, calls, firms, events, now)
            return
        except _Overtaken:
            continue
    raise Unavailable("rules_are_changing")


def _run(db: Database, calls: Any, firms: Calendars, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    ids = sorted({run_id for event in events for run_id in event.data["automation_run_ids"]})
    with db.read() as session:
        cases = _cases_by_rule(session, ids)
        wanted = select(AutomationRule).where(among(session, AutomationRule.id, sorted(cases)))
        rules = {rule.id: rule for rule in session.scalars(wanted)}
        responsible = _responsible(session, rules.values(), cases)
    meeting = {rule_id: _cases_meeting(calls, rule.filter, cases[rule_id]) for rule_id, rule in rules.items()}
    staff = facts_of_staff(calls, {*_named_staff(rules.values()), *(id_ for id_ in responsible.values() if id_)})
    calendar = firms.get(str(db.firm_id), calls)
    if calendar is None:
        raise Unavailable("calendar_unavailable")
    working = {staff_id for staff_id, member in staff.items() if member is not None and member["active"]}
    with db.unit_of_work(once=events) as uow:
        by_rule = _waiting(uow.session, ids)
        _demand_same(uow.session, rules)
        acting = {
            rule_id: _acting(rules[rule_id], entries, *meeting[rule_id]) for rule_id, entries in sorted(by_rule.items())
        }
        _leave_archived(uow, acting)
        for rule_id, entries in acting.items():
            if entries:
                facts = Facts(calendar, now, working, responsible, meeting[rule_id][0])
                outcomes = take(uow, rules[rule_id], entries, facts)
                for entry in entries:
                    entry.acted(outcomes[entry.id])


def _cases_by_rule(session: Session, run_ids: Sequence[str]) -> dict[str, set[str]]:
    named = select(AutomationRun.automation_rule_id, AutomationRun.case_id)
    cases: dict[str, set[str]] = defaultdict(set)
    for rule_id, case_id in session.execute(named.where(among(session, AutomationRun.id, run_ids))):
        cases[rule_id].add(case_id)
    return cases


def _named_staff(rules: Collection[AutomationRule]) -> set[str]:
    actions = [action for rule in rules for action in rule.actions]
    named = {staff_id for action in actions for staff_id in action.get("staff_ids") or ()}
    return named | {action["assignee_id"] for action in actions if action.get("assignee_id")}


def _responsible(
    session: Session, rules: Collection[AutomationRule], cases: dict[str, set[str]]
) -> dict[str, str | None]:
    """Who is responsible for the cases of rules that tell them."""
    telling = [rule for rule in rules if any(action.get("notify_responsible") for action in rule.actions)]
    of_cases = sorted({case_id for rule in telling for case_id in cases[rule.id]})
    known = select(KnownCase.case_id, KnownCase.responsible_staff_id)
    return dict(session.execute(known.where(among(session, KnownCase.case_id, of_cases))).all()) if of_cases else {}


def _cases_meeting(calls: Any, node: Record | None, case_ids: set[str]) -> Meeting:
    """Archived cases meet none."""
    ids = sorted(case_ids)
    meeting: dict[str, Record] = {}
    for start in range(0, len(ids), LARGEST_PAGE):
        found, broken = _some_meeting(calls, node, ids[start : start + LARGEST_PAGE])
        if broken is not None:
            return {}, broken
        meeting |= found
    return meeting, None


def _some_meeting(calls: Any, node: Record | None, case_ids: Sequence[str]) -> Meeting:
    left = set(case_ids)
    while left:
        selector = {"include_case_ids": sorted(left), **({} if node is None else {"case_filter": node})}
        try:
            page = calls.cases.select_cases(selector=selector, limit=len(left))
        except NotFound as refused:
            if refused.meta.get("case_id") not in left:
                return {}, refused.code
            left.remove(refused.meta["case_id"])
        except Invalid as refused:
            return {}, refused.code
        else:
            return {case["case_id"]: case for case in page["data"]}, None
    return {}, None


def _waiting(session: Session, run_ids: Sequence[str]) -> dict[str, list[AutomationRun]]:
    """By rule, those that nobody has ended, locked."""
    waiting = select(AutomationRun).where(among(session, AutomationRun.id, run_ids), AutomationRun.state == "waiting")
    by_rule: dict[str, list[AutomationRun]] = defaultdict(list)
    for entry in session.scalars(waiting.order_by(AutomationRun.id).with_for_update()):
        by_rule[entry.automation_rule_id].append(entry)
    return by_rule


def _demand_same(session: Session, rules: dict[str, AutomationRule]) -> None:
    """Holds the rules as they were read. Raises _Overtaken."""
    held = select(AutomationRule.id, AutomationRule.version).where(among(session, AutomationRule.id, sorted(rules)))
    for rule_id, version in session.execute(held.order_by(AutomationRule.id).with_for_update(read=True)):
        if version != rules[rule_id].version:
            raise _Overtaken


def _acting(
    rule: AutomationRule, entries: Sequence[AutomationRun], meeting: dict[str, Record], broken: str | None
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


def _leave_archived(uow: UnitOfWork, acting: dict[str, list[AutomationRun]]) -> None:
    """Takes the cases of all runs at once, so that two who act on some of the same wait for each other; the runs of one
    that has been archived since it was asked about end."""
    held = known_cases.hold(uow, {entry.case_id for entries in acting.values() for entry in entries})
    archived = {case.case_id for case in held if case.archived}
    for rule_id, entries in acting.items():
        for entry in entries:
            if entry.case_id in archived:
                entry.end("filtered")
        acting[rule_id] = [entry for entry in entries if entry.case_id not in archived]
