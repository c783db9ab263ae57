"""The tables that every service's database has besides its own: outbox, inbox, parked messages, keys, leases.

Only the chassis reads and writes them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, String, Table, Text

from chassis.columns import Id, Instant, Json

KEEP_INBOX = dt.timedelta(days=30)
"""Longer than any replay can come."""
KEEP_PUBLISHED = dt.timedelta(days=1)
KEEP_KEYS = dt.timedelta(hours=24)


@dataclass(frozen=True)
class Bookkeeping:
    """The bookkeeping tables in one service's metadata."""

    outbox: Table
    inbox: Table
    parked: Table
    keys: Table
    leases: Table


def add_bookkeeping(metadata: MetaData) -> Bookkeeping:
    """Adds the bookkeeping tables to a service's metadata, so that they are migrated with its own."""
    outbox = Table(
        "outbox",
        metadata,
        Column("id", Id, primary_key=True),
        Column("firm_id", Id, nullable=False),
        Column("aggregate_id", String(200), nullable=False),
        Column("aggregate_version", Integer),
        Column("event", String(120), nullable=False),
        Column("payload", Text, nullable=False),
        Column("correlation_id", String(120)),
        Column("created_at", Instant, nullable=False),
        Column("attempts", Integer, nullable=False, default=0, server_default="0"),
        Column("published_at", Instant),
    )
    # Partial: the relay asks for what is not yet published, and that is always a handful of rows.
    unpublished = outbox.c.published_at.is_(None)
    partial: dict[str, Any] = {"sqlite_where": unpublished, "postgresql_where": unpublished}
    Index("ix_outbox_unpublished", outbox.c.attempts, outbox.c.id, **partial)
    Index("ix_outbox_published_at", outbox.c.published_at)
    inbox = Table(
        "inbox",
        metadata,
        Column("subscription", String(200), primary_key=True),
        Column("event_id", Id, primary_key=True),
        Column("received_at", Instant, nullable=False),
        Index("ix_inbox_received_at", "received_at"),
    )
    parked = Table(
        "parked_message",
        metadata,
        Column("id", Id, primary_key=True),
        Column("firm_id", Id),
        Column("subscription", String(200), nullable=False),
        Column("event_id", String(200), nullable=False),
        Column("event", String(120), nullable=False),
        Column("envelope", Json, nullable=False),
        Column("reason", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("state", String(20), nullable=False),
        Column("parked_at", Instant, nullable=False),
        Column("settled_at", Instant),
        Column("settled_by", String(200)),
        Index("ix_parked_message_state", "state", "parked_at"),
        Index("uq_parked_message_event", "subscription", "event_id", unique=True),
    )
    keys = Table(
        "idempotency_key",
        metadata,
        Column("firm_id", Id, primary_key=True),
        Column("operation", String(120), primary_key=True),
        Column("key", String(255), primary_key=True),
        Column("request_hash", String(64), nullable=False),
        Column("answer", Json, nullable=False),
        Column("created_at", Instant, nullable=False),
        Index("ix_idempotency_key_created_at", "created_at"),
    )
    leases = Table(
        "lease",
        metadata,
        Column("name", String(120), primary_key=True),
        Column("holder", String(120), nullable=False),
        Column("until", Instant, nullable=False),
    )
    return Bookkeeping(outbox, inbox, parked, keys, leases)
