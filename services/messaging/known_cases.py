"""What messaging knows of cases: told by the events of `cases`, and asked for once as to those that are older. Only
what members who are limited to some types are shown depends on it; what is sent, and to whom, does not: of a case that
was archived, or has other clients, what waits is prepared anew, which asks how the case is now.

Events come twice, late and in any order: a case's `version` decides which is newer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import func, literal_column, select, union_all
from sqlalchemy.orm import aliased

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.value_sets import among
from services.messaging.deliveries import prepare_anew
from services.messaging.models import CasesAsked, Delivery, KnownCase

Facts = dict[str, Any]

AT_ONCE = 1_000
"""Cases that are asked for by one call."""

_KEPT = ("case_id", "version", "case_type_id")
_ONE = 1
_DECISIVE = frozenset({"archived_at", "clients"})
"""What of a change of a case decides whether a client is asked for something there."""


def follow_cases(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`case.created.v1` and `case.changed.v1`."""
    with db.unit_of_work(once=events) as uow:
        _follow(uow, [event.data for event in uow.fresh], now)


def follow_imports(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`cases.imported.v1`."""
    with db.unit_of_work(once=events) as uow:
        _follow(uow, [case for event in uow.fresh for case in event.data["cases"]], now)


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


def _follow(uow: UnitOfWork, facts: Sequence[Facts], now: dt.datetime) -> None:
    _keep(uow, facts)
    turned = [entry["case_id"] for entry in facts if _DECISIVE.intersection(entry["changed"])]
    if turned and (waiting := _under_way(uow, turned)):
        prepare_anew(uow, now, among(uow.session, Delivery.id, waiting))


def _under_way(uow: UnitOfWork, case_ids: Sequence[str]) -> list[str]:
    """The messages about these cases that were prepared, are being so, or are being called for."""
    message = func.coalesce(Delivery.joined_to, Delivery.id)
    about = among(uow.session, Delivery.case_id, sorted(set(case_ids)))
    # A look for each state, which is in the text: each goes through the index of what is in it.
    looks = [
        select(message).where(about, Delivery.state == literal_column(f"'{state}'"))
        for state in ("queued", "sending", "unknown")
    ]
    looks.append(
        select(message).where(about, Delivery.state == literal_column("'accepted'"), Delivery.lease_owner.is_not(None))
    )
    # What is joined to another is never reserved itself: of a group that is being prepared, the leader has the lease.
    leader = aliased(Delivery)
    followers = (
        select(message)
        .join(leader, leader.id == Delivery.joined_to)
        .where(about, Delivery.state == literal_column("'accepted'"), leader.lease_owner.is_not(None))
    )
    return sorted(set(uow.session.scalars(union_all(*looks, followers))))


def _keep(uow: UnitOfWork, facts: Iterable[Facts], *also: str) -> None:
    """Keeps what is newer than what is kept."""
    latest = {entry["case_id"]: entry for entry in sorted(facts, key=lambda entry: entry["version"])}
    # In the order of the ids, so that two replicas wait for each other and do not deadlock.
    rows = [{name: latest[case_id][name] for name in (*_KEPT, *also)} for case_id in sorted(latest)]
    uow.upsert(KnownCase, rows, key=("case_id", *also), change=("version", "case_type_id"), newer="version")
