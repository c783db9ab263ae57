"""What messaging knows of cases: told by the events of `cases`, and asked for once as to those that are older. Only
what members who are limited to some types are shown depends on it; what is sent, and to whom, does not.

Events come twice, late and in any order: a case's `version` decides which is newer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from services.messaging.models import CasesAsked, KnownCase

Facts = dict[str, Any]

AT_ONCE = 1_000
"""Cases that are asked for by one call."""

_KEPT = ("case_id", "version", "case_type_id")
_ONE = 1


def follow_cases(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """`case.created.v1` and `case.changed.v1`."""
    with db.unit_of_work(once=events) as uow:
        _keep(uow, [event.data for event in uow.fresh])


def follow_imports(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """`cases.imported.v1`."""
    with db.unit_of_work(once=events) as uow:
        _keep(uow, [case for event in uow.fresh for case in event.data["cases"]])


def ask_for_older(db: Database, calls: Any) -> bool:
    """Asks for a page of the cases of all firms, each page once; whether there may be more.

    Raises Unavailable, DeadlineExceeded.
    """
    across = db.across_firms("older cases of every firm are asked for by a timer")
    with across.read() as session:
        asked = session.get(CasesAsked, _ONE) or CasesAsked(id=_ONE, done=False)
    if asked.done:
        return False
    told = calls.cases.list_types_of_cases(
        after_firm_id=asked.of_firm_id, after_case_id=asked.last_case_id, limit=AT_ONCE
    )["cases"]
    more = len(told) == AT_ONCE
    reached = {"of_firm_id": told[-1]["firm_id"], "last_case_id": told[-1]["case_id"]} if more else {}
    with across.unit_of_work() as uow:
        _keep(uow, told, "firm_id")
        uow.session.merge(CasesAsked(id=_ONE, done=not more, **reached))
    return more


def _keep(uow: UnitOfWork, facts: Iterable[Facts], *also: str) -> None:
    """Keeps what is newer than what is kept."""
    latest = {entry["case_id"]: entry for entry in sorted(facts, key=lambda entry: entry["version"])}
    # In the order of the ids, so that two replicas wait for each other and do not deadlock.
    rows = [{name: latest[case_id][name] for name in (*_KEPT, *also)} for case_id in sorted(latest)]
    uow.upsert(KnownCase, rows, key=("case_id", *also), change=("version", "case_type_id"), newer="version")
