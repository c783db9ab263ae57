"""What the bookkeeping of a service keeps of a record that is to be forgotten: answers for a repeat of the request,
events that were published, and messages that were parked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, delete, or_
from sqlalchemy.orm import Session

from chassis.bookkeeping import Bookkeeping
from chassis.scoping import UNGUARDED

_NAMED_AT_ONCE = 50
"""Ids that one statement looks for."""


def forget_mentions(session: Session, tables: Bookkeeping, firm_id: str, ids: Sequence[str]) -> int:
    """Deletes a firm's stored answers and published events that mention one of these ids, and the parked messages that
    are about one; returns how many. Looks through all of them, which are those of one day.

    An event that is still to be published, and a parked one about others too, stays: events hold no personal data.
    """
    found = 0
    keys, outbox, parked = tables.keys, tables.outbox, tables.parked
    for start in range(0, len(ids), _NAMED_AT_ONCE):
        some = list(ids[start : start + _NAMED_AT_ONCE])
        subject = parked.c.envelope["subject"].as_string()
        for gone in (
            delete(keys).where(keys.c.firm_id == firm_id, _mentions(keys.c.answer, some)),
            delete(outbox).where(
                outbox.c.firm_id == firm_id, outbox.c.published_at.is_not(None), _mentions(outbox.c.payload, some)
            ),
            delete(parked).where(parked.c.firm_id == firm_id, parked.c.state != "parked", subject.in_(some)),
        ):
            found += session.execute(gone, execution_options=UNGUARDED).rowcount  # type: ignore[attr-defined]
    return found


def _mentions(column: Any, ids: Sequence[str]) -> ColumnElement[bool]:
    # An id may be anywhere inside, in whatever the record is part of.
    return or_(*(cast(column, Text).contains(id_) for id_ in ids))
