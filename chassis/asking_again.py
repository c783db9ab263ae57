"""Jobs that go on by events of their own service, asked for once more where none came.

An event whose handler cannot reach another service is tried for some six minutes, and then waits for an operator. So a
row of a job keeps the time at which it is to be asked for again: every step of the job puts it off, its end takes it
away, and a timer emits the event of those whose time has come. Handlers stand being asked twice, also at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import Index, select, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Instant
from chassis.database import Database, UnitOfWork
from chassis.going_on import firm_by_firm
from chassis.value_sets import among

PATIENCE = dt.timedelta(minutes=10)
"""Longer than an event is tried again, so that nobody asks beside it."""
LONGEST = dt.timedelta(minutes=30)
EVERY = 60
"""Seconds between two looks."""
_AT_ONCE = 500
_KEPT = text("ask_at IS NOT NULL")


class AskedAgain:
    """`ask_at`: when the job is to be asked for again; null where nothing of it is to be done."""

    ask_at: Mapped[dt.datetime | None] = mapped_column(Instant)


def index_of(table: str) -> Index:
    """The index by which those that are due are found."""
    return Index(f"ix_{table}_ask_at", "ask_at", sqlite_where=_KEPT, postgresql_where=_KEPT)


def first_time(now: dt.datetime) -> dt.datetime:
    """When to ask for a job again that was just asked for, or just took a step."""
    return now + PATIENCE


def ask_again(
    db: Database,
    job: Any,
    states: Collection[str],
    ask: Callable[[UnitOfWork, Sequence[Any]], object],
    now: dt.datetime,
    *,
    since: str = "updated_at",
) -> bool:
    """Across firms: asks for the jobs of these states whose time has come, by `ask`, which gets those of one firm under
    their locks; whether there may be more.

    Those whose row is held are at work. Each time it takes as long again as the job has stood still (its attribute
    `since` says since when), half an hour at most. A firm that fails keeps no other one waiting; what it raises is
    raised in the end.
    """
    due = (job.ask_at <= now, job.state.in_(states))

    def ask_for(own: Database, ids: Sequence[str]) -> int:
        with own.unit_of_work() as uow:
            theirs = select(job).where(among(uow.session, job.id, ids), *due).order_by(job.id)
            rows = uow.session.scalars(theirs.with_for_update(skip_locked=True)).all()
            for row in rows:
                row.ask_at = now + min(max(now - getattr(row, since), PATIENCE), LONGEST)
            if rows:
                ask(uow, rows)
        return len(rows)

    everywhere = db.across_firms("jobs of every firm are asked for again")
    return firm_by_firm(everywhere, select(job.firm_id, job.id).where(*due).order_by(job.ask_at), _AT_ONCE, ask_for)
