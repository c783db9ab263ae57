"""How fresh what filters know of clients is: when the newest change that was heard of happened, by who told of it.

What is told late is late here too, and then the mark stands still. A firm whose clients do not change hears of nothing:
its mark is old, and right. A stale filter never sends, for consent is checked again when a message is claimed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.filters.tree import Node, readings_of
from services.cases.models import ClientFactsMark

CLIENTS, MESSAGING = "clients", "messaging"
_OF_CLIENTS, _CONSENT = "clients.", "clients.consent."


def note_heard(uow: UnitOfWork, source: str, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """Moves the mark of a source on, never back, in the transaction that applies its events."""
    if events:
        mark = {"source": source, "event_at": max(event.time for event in events), "applied_at": now}
        change = ("event_at", "applied_at")
        uow.upsert(ClientFactsMark, [mark], key=("source",), change=change, newer="event_at")


def sources_of(node: Node) -> set[str]:
    """Who tells what a filter asks of clients."""
    names = {reading.field.name for reading in readings_of(node)}
    return {MESSAGING if name.startswith(_CONSENT) else CLIENTS for name in names if name.startswith(_OF_CLIENTS)}


def freshness(session: Session, sources: Collection[str]) -> dict[str, Any]:
    """{"client_facts": {as_of, delay_seconds}} of the source whose mark is older, null if one was never heard; nothing
    without sources. For the `meta` of a list."""
    return freshness_of_each(session, [sources])[0]


def freshness_of_each(session: Session, sources: Sequence[Collection[str]]) -> list[dict[str, Any]]:
    """As `freshness`, for several at once."""
    wanted = sorted({source for each in sources for source in each})
    if not wanted:
        return [{} for _ in sources]
    heard = session.scalars(select(ClientFactsMark).where(ClientFactsMark.source.in_(wanted)))
    marks = {mark.source: mark for mark in heard}
    return [_freshness([marks.get(source) for source in each]) for each in sources]


def _freshness(heard: Sequence[ClientFactsMark | None]) -> dict[str, Any]:
    if not heard:
        return {}
    marks = [mark for mark in heard if mark is not None]
    if len(marks) < len(heard):
        return {"client_facts": {"as_of": None, "delay_seconds": None}}
    oldest = min(marks, key=lambda mark: mark.event_at)
    delay = (oldest.applied_at - oldest.event_at).total_seconds()
    return {"client_facts": {"as_of": oldest.event_at, "delay_seconds": max(delay, 0.0)}}
