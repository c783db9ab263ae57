"""Removes bookkeeping rows that nobody needs any more."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Column, Table, delete, select, tuple_

from chassis.bookkeeping import KEEP_INBOX, KEEP_KEYS, KEEP_PUBLISHED
from chassis.columns import utc_now
from chassis.database import Database

SWEEP_SECONDS = 300.0
CHUNK = 1_000
"""Rows deleted in one transaction: on SQLite nothing else runs meanwhile."""


def sweep(db: Database, now: dt.datetime | None = None) -> int:
    """Deletes inbox rows after 30 days, published events after a day, and idempotency keys after 24 hours. Returns how
    many. `db` works across firms."""
    moment = now or utc_now()
    tables = db.tables
    return (
        _delete_older(db, tables.inbox, tables.inbox.c.received_at, moment - KEEP_INBOX)
        + _delete_older(db, tables.outbox, tables.outbox.c.published_at, moment - KEEP_PUBLISHED)
        + _delete_older(db, tables.keys, tables.keys.c.created_at, moment - KEEP_KEYS)
    )


def _delete_older(db: Database, table: Table, column: Column[dt.datetime], before: dt.datetime) -> int:
    key = tuple_(*table.primary_key.columns)
    old = select(*table.primary_key.columns).where(column < before).limit(CHUNK)
    deleted = 0
    while True:
        with db.unit_of_work() as uow:
            found = int(uow.session.execute(delete(table).where(key.in_(old))).rowcount)  # type: ignore[attr-defined]
        deleted += found
        if found < CHUNK:
            return deleted
