"""One message to each member of a group of clients, and what became of such messages.

The members are asked for page by page, before anything is written, as the cases of a selector are. From there on the
request is one of `bulk_messages`: batch, chunks and events are one transaction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.database import Database
from services.messaging import batch_views, bulk_messages, consent, estimates
from services.messaging.contents import keep, resolve_message
from services.messaging.models import ConsentEntry, Delivery
from services.messaging.settings import MessagingSettings
from services.messaging.templates import check_variants
from services.messaging.timing import check_timing

Record = dict[str, Any]

LARGEST_PAGE = 5_000
AFTER = dt.timedelta(days=7)
"""How long after a message a stop is taken for what came of it."""


def request_group_messages(
    db: Database,
    calls: Any,
    settings: MessagingSettings,
    *,
    actor_id: str | None,
    group_id: str,
    channels: list[str],
    fallback: bool,
    message: Record,
    timing: Record,
    dry_run: bool,
    now: dt.datetime | None = None,
) -> Record:
    """Takes one message to each client who is in the group now, or as a dry run estimates what would become of it.

    Who is archived, merged or blocked by the time it goes out is left out then, with the reason. Nothing is sent to a
    group without members, and its batch ends at once.

    Raises Invalid for a text that speaks of a task or a case, or for a group whose filter can no longer be read,
    NotFound for an unknown group or template, Unavailable.
    """
    now = now or utc_now()
    check_timing(timing, now)
    channels = list(dict.fromkeys(channels))
    with db.read() as session:
        content_id, variants = resolve_message(session, message, channels)
    bulk_messages.check_subject(message, variants)
    pages = _pages_of_members(calls, group_id)
    if dry_run:
        seen = _Counted(pages)
        found = estimates.estimate_messages(
            db,
            calls,
            settings,
            message=message,
            channels=channels,
            fallback=fallback,
            pages=seen,
            requested_by=actor_id,
            now=now,
        )
        return {"batch_id": None, "accepted": seen.count, "estimate": found}
    chunks, accepted = bulk_messages.packed_chunks(pages)
    with db.unit_of_work() as uow:
        if content_id is None:
            content_id = keep(uow, variants, check_variants(variants, "message")).id
        batch_id = bulk_messages.start_batch(
            uow,
            chunks,
            accepted=accepted,
            content_id=content_id,
            channels=channels,
            fallback=fallback,
            timing=timing,
            requested_by=actor_id,
            now=now,
            group_id=group_id,
        )
        return uow.answer({"batch_id": batch_id, "accepted": accepted, "estimate": None})


class _Counted:
    """Pages that are counted as they go by."""

    def __init__(self, pages: Iterable[list[str]]) -> None:
        self._pages = pages
        self.count = 0

    def __iter__(self) -> Iterator[list[str]]:
        for page in self._pages:
            self.count += len(page)
            yield page


def _pages_of_members(calls: Any, group_id: str) -> Iterator[list[str]]:
    """Pages of the members' ids, each once, for the pages are in order of the ids."""
    cursor: str | None = None
    while True:
        found = calls.clients.select_group_members(group_id=group_id, limit=LARGEST_PAGE, cursor=cursor)
        yield found["client_ids"]
        cursor = found["cursor"]
        if cursor is None:
            return


def list_group_messages(
    db: Database, *, group_id: str, limit: int = 50, cursor: str | None = None, sort: str | None = None
) -> Record:
    """A page of what was sent to a group, newest first, each with its figures. Of an unknown group: an empty one."""
    listed = batch_views.list_batches(
        db, state=None, kind=None, group_id=group_id, limit=limit, cursor=cursor, sort=sort
    )
    with db.read() as session:
        after = _opted_out_after(session, listed["data"])
    for row in listed["data"]:
        row["opted_out_after"] = after.get(row["id"], 0)
    return listed


def _opted_out_after(session: Session, batches: Sequence[Record]) -> dict[str, int]:
    """By batch, how many deliveries somebody answered with a stop. By way of the stops since the oldest of the batches:
    they are few, and deliveries many."""
    if not batches:
        return {}
    of_address = ConsentEntry.address == Delivery.address
    of_client = (ConsentEntry.address.is_(None)) & (ConsentEntry.client_id == Delivery.client_id)
    since = min(row["created_at"] for row in batches)
    ended: dict[str, set[str]] = {}
    for whose in (of_address, of_client):
        for row in session.execute(_stops(whose, [row["id"] for row in batches], since)):
            if row.sent_at <= row.at <= row.sent_at + AFTER and not _is_bounce(row.evidence):
                ended.setdefault(row.batch_id, set()).add(row.id)
    return {batch_id: len(deliveries) for batch_id, deliveries in ended.items()}


def _stops(whose: ColumnElement[bool], batch_ids: Iterable[str], since: dt.datetime) -> Any:
    return (
        select(Delivery.batch_id, Delivery.id, Delivery.sent_at, ConsentEntry.at, ConsentEntry.evidence)
        .join(ConsentEntry, whose & (ConsentEntry.channel == Delivery.channel))
        .where(
            ConsentEntry.state == consent.OPTED_OUT,
            ConsentEntry.at >= since,
            Delivery.batch_id.in_(list(batch_ids)),
            Delivery.sent_at.is_not(None),
        )
    )


def _is_bounce(evidence: Record) -> bool:
    """Whether nobody said stop: the address does not exist."""
    return evidence.get("kind") == "bounced"
