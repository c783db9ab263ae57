"""The moment that a list is read by, which its cursors carry: what is overdue, due today or due this week is decided by
the clock, and a task that passes from one to another between two pages would be on none of them, or on both. Pure."""

from __future__ import annotations

import datetime as dt
import re

from services.tasks.listing.request import no_cursor

LONGEST = dt.timedelta(days=1)
"""How far a list is read by an earlier moment than the present one."""
_SEPARATOR = "~"
_MICROSECONDS = re.compile(r"[0-9]{1,16}", re.ASCII)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TICK = dt.timedelta(microseconds=1)


def read_moment(cursor: str | None, now: dt.datetime) -> tuple[dt.datetime, str | None]:
    """The moment to read a page by, and the place in its list that its cursor has. Raises Invalid `invalid_cursor`."""
    if cursor is None or _SEPARATOR not in cursor:
        return now, cursor  # as an earlier release wrote it
    moment, _, place = cursor.partition(_SEPARATOR)
    if not _MICROSECONDS.fullmatch(moment):
        raise no_cursor()
    begun = _EPOCH + int(moment) * _TICK
    # Clocks of replicas differ: it may be ahead of the one here.
    return begun if abs(now - begun) <= LONGEST else now, place


def with_moment(place: str | None, begun: dt.datetime) -> str | None:
    """The cursor of a place in a list that is read by a moment."""
    return None if place is None else f"{(begun - _EPOCH) // _TICK}{_SEPARATOR}{place}"
