"""Asking to notify the clients of many cases: what is selected becomes chunks of case tasks for messaging."""

from __future__ import annotations

import datetime as dt
import zlib
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import Context, current
from chassis.database import Database, UnitOfWork
from chassis.scoping import EVERY_KIND
from chassis.value_sets import among
from contracts.errors import NotFound, invalid_field
from contracts.tasks import NOTIFICATION_REQUESTED, Timing
from services.tasks.models import CaseTask, NotificationChunk, NotificationRequest
from services.tasks.selecting import pages_of_cases
from services.tasks.statuses import has_status

CHUNK_SIZE = 500
"""Case tasks in one event, and in one call for an estimate."""
EVENTS_AT_ONCE = 10
"""Chunks that are unpacked at the same time: what is selected waits as compact bytes, however much it is."""
ESTIMATES_AT_ONCE = 4
LONGEST_AHEAD = dt.timedelta(days=366)
"""How far ahead a notification may be asked for."""

Item = dict[str, Any]
"""A contract's NotificationItem: {"case_task_id", "case_id", "client_ids"}, the primary client first."""


def request_notifications(
    db: Database,
    calls: Any,
    raw_calls: Any,
    now: dt.datetime,
    *,
    selector: dict[str, Any],
    statuses: list[str],
    template_ids: list[str],
    channels: list[str],
    fallback: bool,
    message: dict[str, Any],
    timing: dict[str, Any],
    dry_run: bool,
    coalesce: bool,
    allow_repeat: bool,
) -> dict[str, Any]:
    """Queues a notification for each case task of the selected cases that has one of the statuses, or, as a dry run,
    estimates what would become of them and writes nothing.

    The message is checked and kept by messaging before anything is written here. Request, chunks and events are one
    transaction; an outcome without any case task is a batch that is finished at once. Raises Invalid and NotFound, as
    `messaging.save_content` and `cases.select_cases` do, and Unavailable.
    """
    _check_timing(timing, now)
    channels = list(dict.fromkeys(channels))
    statuses = list(dict.fromkeys(statuses))
    selected = _chunks(_select_items(db, raw_calls, now, selector, statuses, template_ids, dry_run))
    if dry_run:
        return _estimate(
            raw_calls,
            _by_client(selected) if coalesce else selected,
            message=message,
            channels=channels,
            fallback=fallback,
            allow_repeat=allow_repeat,
            coalesce=coalesce,
        )
    content_id = calls.messaging.save_content(message=message, channels=channels)["content_id"]
    accepted, chunks = 0, []
    for items in selected:
        accepted += len(items)
        chunks.append(_packed(items))
    actor = current() or Context()
    request = NotificationRequest(
        id=new_id(),
        content_id=content_id,
        selector=selector,
        options={
            "statuses": statuses, "template_ids": template_ids, "channels": channels, "fallback": fallback,
            "timing": Timing().dump(timing), "coalesce": coalesce, "allow_repeat": allow_repeat,
        },
        accepted=accepted,
        chunks=len(chunks),
        requested_by=actor.actor_id,
        created_at=now,
    )  # fmt: skip
    common = {
        "batch_id": request.id,
        "chunks": request.chunks,
        "accepted": request.accepted,
        "content_id": content_id,
        "channels": channels,
        "fallback": fallback,
        "coalesce": coalesce,
        "allow_repeat": allow_repeat,
        "statuses": statuses,
        "timing": timing,
        "requested_by": request.requested_by,
        "requested_at": now,
    }
    with db.unit_of_work() as uow:
        uow.session.add(request)
        uow.session.flush()
        _queue(uow, request.id, chunks, common)
        return uow.answer(request_view(request))


def _queue(uow: UnitOfWork, request_id: str, chunks: Sequence[bytes], common: dict[str, Any]) -> None:
    """Writes the chunks, and the event of each: what is `common` to all of them, its number and items."""
    for first in range(0, len(chunks), EVENTS_AT_ONCE):
        numbered = [
            (number, _unpacked(chunk))
            for number, chunk in enumerate(chunks[first : first + EVENTS_AT_ONCE], start=first + 1)
        ]
        rows = [
            {"request_id": request_id, "number": number, "case_task_ids": [item["case_task_id"] for item in items]}
            for number, items in numbered
        ]
        uow.insert(NotificationChunk, rows)
        events = [(request_id, {**common, "chunk": number, "items": items}) for number, items in numbered]
        uow.emit_many(NOTIFICATION_REQUESTED, events)


def get_notification_request(db: Database, batch_id: str) -> dict[str, Any]:
    """Raises NotFound `notification_request_not_found`."""
    with db.read() as session:
        found = session.scalars(select(NotificationRequest).where(NotificationRequest.id == batch_id)).one_or_none()
        if found is None:
            raise NotFound("notification_request_not_found", batch_id=batch_id)
        return request_view(found)


def request_view(request: NotificationRequest) -> dict[str, Any]:
    """Python values of the contract's NotificationRequest."""
    return {
        "batch_id": request.id,
        "accepted": request.accepted,
        "estimate": None,
        "created_at": request.created_at,
    }


def _check_timing(timing: dict[str, Any], now: dt.datetime) -> None:
    if timing["mode"] == "at" and timing["at"] is None:
        raise invalid_field("timing.at", "Needed when the mode is at.", "incomplete_timing")
    if timing["mode"] != "at" and timing["at"] is not None:
        raise invalid_field("timing.at", f"Not with the mode {timing['mode']}.", "contradictory_timing")
    if timing["at"] is not None and timing["at"] > now + LONGEST_AHEAD:
        raise invalid_field("timing.at", "More than a year ahead.", "timing_too_far")


def _select_items(
    db: Database,
    raw_calls: Any,
    now: dt.datetime,
    selector: dict[str, Any],
    statuses: list[str],
    template_ids: list[str],
    dry_run: bool,
) -> Iterator[list[Item]]:
    """The case tasks to notify about, one list for each page of cases."""
    wanted = [has_status(statuses, now)]
    if template_ids:
        wanted.append(CaseTask.template_id.in_(template_ids))
    for cases in pages_of_cases(raw_calls, selector, to_keep=not dry_run):
        clients = {case["case_id"]: case["client_ids"] for case in cases}
        with db.read() as session:
            statement = select(CaseTask.id, CaseTask.case_id).where(among(session, CaseTask.case_id, clients), *wanted)
            # What cases has selected the caller may see, also where nothing was heard of a case yet.
            in_order = statement.order_by(CaseTask.case_id, CaseTask.id)
            rows = session.execute(in_order, execution_options=EVERY_KIND).all()
        yield [
            {"case_task_id": case_task_id, "case_id": case_id, "client_ids": clients[case_id]}
            for case_task_id, case_id in rows
        ]


def _chunks(pages: Iterator[list[Item]]) -> Iterator[list[Item]]:
    """The items in lists of `CHUNK_SIZE`; one empty list if there are none, for a batch must be known all the same."""
    waiting: list[Item] = []
    any_yet = False
    for items in pages:
        waiting += items
        while len(waiting) >= CHUNK_SIZE:
            yield waiting[:CHUNK_SIZE]
            del waiting[:CHUNK_SIZE]
            any_yet = True
    if waiting or not any_yet:
        yield waiting


def _packed(items: list[Item]) -> bytes:
    # An id is written in more than twice the bytes that it has: of 100,000 items, 16 MB become 7.
    return zlib.compress(orjson.dumps(items), 1)


def _unpacked(chunk: bytes) -> list[Item]:
    items: list[Item] = orjson.loads(zlib.decompress(chunk))
    return items


def _by_client(chunks: Iterator[list[Item]]) -> Iterator[list[Item]]:
    """The items in lists of about `CHUNK_SIZE`, those of one primary client together where they fit into one: what is
    joined is counted once. A client who is only an additional one of some cases may be counted once for each list."""
    items = sorted((item for chunk in chunks for item in chunk), key=_primary)
    waiting: list[Item] = []
    for _, of_client in groupby(items, key=_primary):
        several = list(of_client)
        if len(waiting) + len(several) > CHUNK_SIZE and waiting:
            yield waiting
            waiting = []
        waiting += several
        while len(waiting) > CHUNK_SIZE:
            yield waiting[:CHUNK_SIZE]
            del waiting[:CHUNK_SIZE]
    yield waiting


def _primary(item: Item) -> str:
    return str(next(iter(item["client_ids"]), ""))


def _estimate(raw_calls: Any, chunks: Iterator[list[Item]], **message: Any) -> dict[str, Any]:
    """The sum of messaging's estimates, a few of them under way at a time. What waits already is waited for once."""
    accepted, segments, seconds, waits, cost, currency = 0, 0, 0.0, 0.0, Decimal(0), "USD"
    recipients: Counter[str] = Counter()
    under_way: deque[Any] = deque()

    def settle() -> None:
        nonlocal segments, seconds, waits, cost, currency
        part = under_way.popleft().result()
        recipients.update(part["recipients"])
        segments += part["segments"]
        seconds += part["seconds"] - part["waits_seconds"]
        waits = max(waits, part["waits_seconds"])
        cost += Decimal(part["cost"])
        currency = part["currency"]

    for items in chunks:
        accepted += len(items)
        if len(under_way) >= ESTIMATES_AT_ONCE:
            settle()
        under_way.append(raw_calls.messaging.estimate_notifications.start(items=items, **message))
    while under_way:
        settle()
    estimate = {
        "recipients": dict(recipients),
        "segments": segments,
        "cost": cost,
        "currency": currency,
        "seconds": seconds + waits,
        "waits_seconds": waits,
    }
    return {"batch_id": None, "accepted": accepted, "estimate": estimate, "created_at": None}
