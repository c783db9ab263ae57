"""One message to each of many clients: a newsletter, or a word to everybody in a list or group.

A request becomes a batch and chunks of clients, which the service takes up as events of its own: what was answered with
a 202 is done, whatever is killed in between. From there on it is a batch like any other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import orjson

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.unit_of_work import UnitOfWork
from contracts.messaging import MESSAGES_REQUESTED
from services.messaging import batches, estimates
from services.messaging.contents import keep, resolve_message
from services.messaging.known_clients import demand_clients
from services.messaging.models import Batch
from services.messaging.settings import MessagingSettings
from services.messaging.templates import Variant, check_variants, invalid
from services.messaging.timing import check_timing

Record = dict[str, Any]

CHUNK_SIZE = 500
"""Clients in one event."""
ASKED_AT_ONCE = 1000
_FACTS = ("clients", "merged")


def request_messages(
    db: Database,
    calls: Any,
    settings: MessagingSettings,
    *,
    actor_id: str | None,
    client_ids: list[str],
    channels: list[str],
    fallback: bool,
    message: Record,
    timing: Record,
    dry_run: bool,
    now: dt.datetime | None = None,
) -> Record:
    """Takes one message to each of the clients, or as a dry run estimates what would become of it.

    Raises Invalid for a text that speaks of a task or a case, NotFound for an unknown client or template, Gone for a
    merged client, Unavailable.
    """
    now = now or utc_now()
    check_timing(timing, now)
    wanted, channels = list(dict.fromkeys(client_ids)), list(dict.fromkeys(channels))
    with db.read() as session:
        content_id, variants = resolve_message(session, message, channels)
    check_subject(message, variants)
    _check_clients(calls, wanted)
    if dry_run:
        found = estimates.estimate_messages(
            db,
            calls,
            settings,
            message=message,
            channels=channels,
            fallback=fallback,
            pages=[wanted],
            requested_by=actor_id,
            now=now,
        )
        return {"batch_id": None, "accepted": len(wanted), "estimate": found}
    with db.unit_of_work() as uow:
        if content_id is None:
            content_id = keep(uow, variants, check_variants(variants, "message")).id
        batch_id = start_batch(
            uow,
            packed_chunks([wanted])[0],
            accepted=len(wanted),
            content_id=content_id,
            channels=channels,
            fallback=fallback,
            timing=timing,
            requested_by=actor_id,
            now=now,
        )
        return uow.answer({"batch_id": batch_id, "accepted": len(wanted), "estimate": None})


def start_batch(
    uow: UnitOfWork,
    chunks: list[bytes],
    *,
    accepted: int,
    content_id: str,
    channels: list[str],
    fallback: bool,
    timing: Record,
    requested_by: str | None,
    now: dt.datetime,
    group_id: str | None = None,
) -> str:
    """Writes a batch that sends the content to the clients of all `packed_chunks` (`accepted` of them, none twice), and
    has the chunks delivered to this service. Returns the batch's id."""
    batch_id = new_id()
    common = {
        "batch_id": batch_id,
        "chunks": len(chunks),
        "accepted": accepted,
        "content_id": content_id,
        "channels": channels,
        "fallback": fallback,
        "timing": timing,
        "requested_by": requested_by,
        "requested_at": now,
    }
    uow.session.add(Batch(
        id=batch_id, kind="message", state="accepted", accepted=accepted, chunks=len(chunks), chunks_seen=0,
        content_id=content_id, channels=channels, requested_by=requested_by, requested_at=now, statuses=[], timing={},
        group_id=group_id, version=1, created_at=now, updated_at=now,
    ))  # fmt: skip
    uow.session.flush()
    uow.emit_many(
        MESSAGES_REQUESTED,
        (
            (batch_id, {**common, "chunk": number, "client_ids": orjson.loads(chunk)})
            for number, chunk in enumerate(chunks, 1)
        ),
    )
    return batch_id


def accept_clients(db: Database, event: ReceivedEvent, now: dt.datetime) -> None:
    """`messages.requested.v1`: writes one delivery per client and channel of a chunk. Its subject is the batch, so that
    a client gets the message once, however often it is listed."""
    data = event.data
    subject = {"case_task_id": None, "case_id": None, "client_ids": data["client_ids"]}
    same = {"kind": "message", "coalesce": False, "allow_repeat": True, "statuses": [], "items": [subject]}
    batches.accept(db, event, {**data, **same}, now)


def packed_chunks(pages: Iterable[list[str]]) -> tuple[list[bytes], int]:
    """Clients' ids in chunks of `CHUNK_SIZE` or less, as JSON, and how many ids they are: what is selected waits as
    compact bytes, however much it is. One empty chunk if there are none, so that the batch ends."""
    chunks, count = [], 0
    for page in pages:
        count += len(page)
        chunks += [orjson.dumps(page[start : start + CHUNK_SIZE]) for start in range(0, len(page), CHUNK_SIZE)]
    return chunks or [orjson.dumps([])], count


def check_subject(message: Record, variants: Iterable[Variant]) -> None:
    """Refuses a text that speaks of a task or a case: these messages are about none."""
    for name in check_variants(variants, "message"):
        if name.startswith(("task.", "form.", "case.")):
            field = "message.template_id" if message.get("template_id") else "message.body"
            raise invalid(
                field, f"A message to many clients is about no case: it cannot use {name}.", "no_such_subject"
            )


def _check_clients(calls: Any, client_ids: list[str]) -> None:
    asked = [
        calls.clients.get_client_facts.start(client_ids=client_ids[start : start + ASKED_AT_ONCE])
        for start in range(0, len(client_ids), ASKED_AT_ONCE)
    ]
    answers = [reply.result() for reply in asked]
    # An id of another firm's is as unknown as one that nobody has.
    demand_clients({name: [one for answer in answers for one in answer.get(name) or ()] for name in _FACTS}, client_ids)
