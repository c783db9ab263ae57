"""The outbox table: events that are committed, and whether the broker has them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import Row, Table, func, select, update
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.envelope import CONTENT_TYPE, wrap
from chassis.publisher import Outgoing
from chassis.value_sets import among

PUBLICATION = "casewire-publication"
"""Header: how often this event was published, counting from 1. Above 1 it may have met its consumers before."""


def unpublished(session: Session, outbox: Table, limit: int, without: Collection[str] = ()) -> Sequence[Row[Any]]:
    """The next rows to publish, locked on PostgreSQL against other replicas until the transaction ends.

    Those that failed least come first, so that one row that the broker will not take does not block the rest.
    """
    statement = select(outbox).where(outbox.c.published_at.is_(None))
    if without:
        statement = statement.where(~among(session, outbox.c.id, without))
    ordered = statement.order_by(outbox.c.attempts, outbox.c.id).limit(limit)
    return session.execute(ordered.with_for_update(skip_locked=True)).all()


def mark_published(session: Session, outbox: Table, ids: Collection[str]) -> None:
    """Marks rows as confirmed by the broker."""
    if ids:
        session.execute(
            update(outbox).where(among(session, outbox.c.id, ids)).values(published_at=utc_now()),
        )


def count_attempt(session: Session, outbox: Table, ids: Collection[str]) -> None:
    """Counts one more attempt at publishing rows."""
    if ids:
        session.execute(
            update(outbox).where(among(session, outbox.c.id, ids)).values(attempts=outbox.c.attempts + 1),
        )


def outgoing(row: Row[Any], service: str) -> Outgoing:
    """The message of a row: its CloudEvents envelope on the service's event exchange."""
    envelope = wrap(
        source=service,
        event_id=row.id,
        name=row.event,
        firm_id=row.firm_id,
        subject=row.aggregate_id,
        time=row.created_at,
        data=orjson.Fragment(row.payload),
        correlation_id=row.correlation_id,
        aggregate_version=row.aggregate_version,
    )
    return Outgoing(
        body=orjson.dumps(envelope),
        exchange=exchange_name(service),
        routing_key=row.event,
        content_type=CONTENT_TYPE,
        headers={PUBLICATION: row.attempts + 1},
        message_id=row.id,
    )


def exchange_name(service: str) -> str:
    """The topic exchange of a service's events: Nameko's own, so that its `event_handler` can listen too."""
    return f"{service}.events"


def waiting(session: Session, outbox: Table) -> int:
    """How many events are not yet published."""
    return session.execute(select(func.count()).where(outbox.c.published_at.is_(None))).scalar_one()
