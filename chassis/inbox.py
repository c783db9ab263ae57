"""The inbox table: which events a subscription has applied. It makes a repeat harmless."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ARRAY, Table, bindparam, func, literal, select
from sqlalchemy.orm import Session

from chassis import bulk
from chassis.columns import Id, Instant, utc_now
from chassis.envelope import ReceivedEvent
from chassis.scoping import UNGUARDED
from chassis.telemetry import events_repeated


def mark_received(session: Session, inbox: Table, events: Sequence[ReceivedEvent]) -> list[ReceivedEvent]:
    """Marks events as received in this transaction and returns those that were not before, one of each id."""
    subscriptions = {event.subscription for event in events}
    if len(subscriptions) > 1:
        raise ValueError("events of several subscriptions in one unit of work")
    by_id = {event.id: event for event in events}
    subscription = subscriptions.pop()
    # In key order, so that two replicas with the same events wait for each other and do not deadlock.
    fresh = _insert(session, inbox, subscription, sorted(by_id))
    events_repeated.labels(subscription).inc(len(events) - len(fresh))
    return [event for id_, event in by_id.items() if id_ in fresh]


def _insert(session: Session, inbox: Table, subscription: str, ids: list[str]) -> set[str]:
    dialect = session.get_bind().dialect.name
    statement = bulk.dialect_insert(dialect, inbox)
    if dialect == "postgresql":
        # One parameter for all ids: as fast for 500 as for one.
        rows = select(
            literal(subscription), func.unnest(bindparam("ids", ids, type_=ARRAY(Id))), literal(utc_now(), Instant)
        )
        inserted = statement.from_select(["subscription", "event_id", "received_at"], rows)
        result = session.execute(
            inserted.on_conflict_do_nothing().returning(inbox.c.event_id), execution_options=UNGUARDED
        )
    else:
        now = utc_now()
        values = [{"subscription": subscription, "event_id": id_, "received_at": now} for id_ in ids]
        result = session.execute(
            statement.on_conflict_do_nothing().returning(inbox.c.event_id), values, execution_options=UNGUARDED
        )
    return set(result.scalars())
