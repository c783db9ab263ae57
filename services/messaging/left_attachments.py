"""Attachments of emails that the gateway stored and of which no message came to be: messaging could not be reached
until the provider gave up, or refused the message. No erasure would find them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import islice

from sqlalchemy import select

from chassis.database import Database
from chassis.files import Files
from chassis.value_sets import among
from services.messaging.models import InboundMedia

UNNAMED = dt.timedelta(days=30)
"""How long one waits for a message that names it: providers hand one on for 23 days at most."""
_AT_ONCE = 10_000
"""No index says which files are named: so many are looked for in one pass through the table."""


def tidy_left_attachments(db: Database, files: Files, now: dt.datetime) -> None:
    """Removes them, of all firms. Raises Unavailable if the object store cannot be reached; what is done stays done."""
    stored = files.keys("inbound-email", before=now - UNNAMED)
    while some := list(islice(stored, _AT_ONCE)):
        for key in _unnamed(db, some):
            files.delete(key)


def _unnamed(db: Database, keys: Sequence[str]) -> list[str]:
    with db.across_firms("attachments are stored before it is known whose they are").read() as session:
        named = set(session.scalars(select(InboundMedia.file_key).where(among(session, InboundMedia.file_key, keys))))
    return [key for key in keys if key not in named]
