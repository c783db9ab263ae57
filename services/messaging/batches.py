"""Bulk requests: their chunks become deliveries; pause, resume, cancel, and their end."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from chassis.columns import new_id, utc_now
from chassis.context import kinds_seen
from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.scoping import EVERY_KIND
from chassis.unit_of_work import UnitOfWork
from contracts.errors import Conflict, Forbidden, NotFound
from contracts.messaging import BATCH_FINISHED
from services.messaging.batch_views import batch_record
from services.messaging.deliveries import is_message, move
from services.messaging.dispatching import joining
from services.messaging.dispatching.doorbell import ring
from services.messaging.models import OPEN, WAITING, Batch, BatchChunk, Delivery

Record = dict[str, Any]

IN_A_ROW = 200
"""Deliveries that are written by one statement: while it is made, a STOP that comes in has to wait."""
SWEEP = 2000
"""Deliveries that are cancelled in one transaction."""
SWEPT_FOR = 1.0
"""Seconds that a cancel sweeps before it answers. What is left of a large batch, of which nothing is begun any more, is
swept by a dispatcher's housekeeping."""


def accept_chunk(db: Database, event: ReceivedEvent, now: dt.datetime | None = None) -> None:
    """Writes one delivery per case task, client and channel of a chunk; with `fallback` one per case task and client,
    which may change its channel when it is prepared. A chunk that is known already adds nothing."""
    accept(db, event, {**event.data, "kind": "notification"}, now or utc_now())


def accept(db: Database, event: ReceivedEvent, data: Record, now: dt.datetime) -> None:
    """Writes the deliveries of one chunk of either kind. `to_contacts`: as of a delivery."""
    with db.unit_of_work(once=event) as uow:
        batch = _lock(uow, data["batch_id"], accepted=data["accepted"])
        number = {"batch_id": batch.id, "chunk": data["chunk"]}
        if not uow.insert(BatchChunk, [number], ignore_conflicts=True):
            return
        _fill(batch, data, now)
        uow.session.flush()
        rows = _deliveries(batch, data, now)
        while part := list(islice(rows, IN_A_ROW)):
            uow.insert(Delivery, part, ignore_conflicts=True)
            uow.step_aside()
        if batch.coalesce and batch.chunks_seen >= batch.chunks:
            joining.group(uow.session, batch.id)
        uow.after_commit(lambda: ring(db.url))


def _fill(batch: Batch, data: Record, now: dt.datetime) -> None:
    batch.kind, batch.channels, batch.content_id = data["kind"], data["channels"], data["content_id"]
    batch.accepted = data["accepted"]
    batch.chunks = data["chunks"]
    batch.chunks_seen += 1
    batch.fallback, batch.coalesce = data["fallback"], data["coalesce"]
    batch.allow_repeat = data["allow_repeat"]
    batch.statuses = data["statuses"]
    at = data["timing"].get("at")
    batch.timing = {"mode": data["timing"]["mode"], "at": at.isoformat() if at else None}
    batch.requested_by, batch.requested_at = data["requested_by"], data["requested_at"]
    if batch.state == "accepted" and _send_after(data, now) <= now:
        batch.state = "running"
    batch.touch(now)


def _send_after(data: Record, now: dt.datetime) -> dt.datetime:
    at = data["timing"].get("at")
    return at if data["timing"]["mode"] == "at" and at is not None else min(data["requested_at"], now)


def _deliveries(batch: Batch, data: Record, now: dt.datetime) -> Iterator[Record]:
    send_after = _send_after(data, now)
    channels = data["channels"][:1] if batch.fallback else data["channels"]
    same = {
        "batch_id": batch.id,
        "kind": batch.kind,
        "state": "cancelled" if batch.state == "cancelled" else "accepted",
        "send_after": send_after,
        "due_at": joining.NEVER if batch.coalesce else send_after,
        "content_id": batch.content_id,
        "requested_by": batch.requested_by,
        "to_contacts": data.get("to_contacts", False),
        "fallback": data["channels"][1:] if batch.fallback else None,
        "created_at": now,
        "updated_at": now,
    }
    for item in data["items"]:
        for client_id in dict.fromkeys(item["client_ids"]):
            for channel in channels:
                yield {
                    **same,
                    "id": new_id(),
                    "subject_id": item["case_task_id"] or batch.id,
                    "case_task_id": item["case_task_id"],
                    "case_id": item["case_id"],
                    "client_id": client_id,
                    "channel": channel,
                }


def _lock(uow: UnitOfWork, batch_id: str, *, accepted: int) -> Batch:
    """The batch's row, made if it is not there yet, and held until the commit: chunks, cancel and pause take turns."""
    row = {"id": batch_id, "state": "accepted", "accepted": accepted, "statuses": [], "timing": {}}
    uow.insert(Batch, [row], ignore_conflicts=True)
    return uow.session.scalars(select(Batch).where(Batch.id == batch_id).with_for_update()).one()


# Commands


def pause_batch(db: Database, calls: Any, *, batch_id: str) -> Record:
    """Nothing more is begun until it is resumed. Raises NotFound, Conflict, Forbidden `limited_to_case_types`,
    Unavailable."""
    return _command(db, calls, batch_id, "paused", ("accepted", "running"))


def resume_batch(db: Database, calls: Any, *, batch_id: str) -> Record:
    """Raises NotFound, Conflict, Forbidden `limited_to_case_types`, Unavailable."""
    return _command(db, calls, batch_id, "running", ("paused",))


def cancel_batch(db: Database, calls: Any, *, batch_id: str) -> Record:
    """From its commit on nothing is begun; what had been begun is not undone. Chunks that are still to come are
    cancelled as they arrive. Raises NotFound, Conflict, Forbidden `limited_to_case_types`, Unavailable."""
    answer = _command(db, calls, batch_id, "cancelled", ("accepted", "running", "paused"))
    if sweep_cancelled(db, batch_id, seconds=SWEPT_FOR):
        with db.read() as session:
            return batch_record(session, session.get_one(Batch, batch_id))
    return answer


def _command(db: Database, calls: Any, batch_id: str, state: str, allowed: tuple[str, ...]) -> Record:
    with db.read() as session:
        known = session.get(Batch, batch_id) is not None
    accepted = 0 if known else calls.tasks.get_notification_request(batch_id=batch_id)["accepted"]
    with db.unit_of_work() as uow:
        batch = _lock(uow, batch_id, accepted=accepted)
        _demand_all_seen(uow.session, batch_id)
        if batch.state != state:
            if batch.state not in allowed:
                raise Conflict("batch_state", state=batch.state)
            batch.state = state
            batch.touch(utc_now())
            uow.after_commit(lambda: ring(db.url))
        uow.session.flush()
        return uow.answer(batch_record(uow.session, batch))


def _demand_all_seen(session: Session, batch_id: str) -> None:
    """Raises Forbidden `limited_to_case_types` to whom some deliveries of a batch are not shown."""
    if kinds_seen() is None:
        return
    deliveries = select(func.count(Delivery.id)).where(Delivery.batch_id == batch_id)
    if session.scalar(deliveries) != session.scalar(deliveries, execution_options=EVERY_KIND):
        raise Forbidden("limited_to_case_types")


def sweep_cancelled(db: Database, batch_id: str, seconds: float = math.inf) -> int:
    """Cancels what still waits of a cancelled batch, in chunks, beginning none after `seconds`; returns how many.
    Harmless to repeat."""
    total, until = 0, time.monotonic() + seconds
    while True:
        with db.unit_of_work() as uow:
            waiting = (Delivery.batch_id == batch_id, Delivery.state.in_(WAITING), is_message())
            some = select(Delivery.id).where(*waiting).limit(SWEEP)
            moved = move(uow, "cancelled", utc_now(), where=[Delivery.id.in_(some)])
        total += len(moved)
        if not moved or time.monotonic() >= until:
            return total


def unfinished() -> Select[Any, Any]:
    """Across firms: (firm, batch) of batches whose chunks have all come and none of whose deliveries is open."""
    an_open_one = (
        select(Delivery.id).where(
            Delivery.firm_id == Batch.firm_id, Delivery.batch_id == Batch.id, Delivery.state.in_(OPEN)
        )
    ).exists()
    return select(Batch.firm_id, Batch.id).where(
        Batch.state.in_(("accepted", "running")),
        Batch.chunks > 0,
        Batch.chunks_seen >= Batch.chunks,
        ~an_open_one,
    )


def unswept() -> Select[Any, Any]:
    """Across firms: (firm, batch) of cancelled batches that were not swept to the end."""
    waiting = select(Delivery.id).where(
        Delivery.firm_id == Batch.firm_id, Delivery.batch_id == Batch.id, Delivery.state.in_(WAITING)
    )
    return select(Batch.firm_id, Batch.id).where(Batch.state == "cancelled", waiting.exists())


def finish_batch(db: Database, batch_id: str) -> None:
    """Marks a batch as finished if nothing of it is open any more, and emits `batch.finished.v1`."""
    with db.unit_of_work() as uow:
        batch = uow.session.scalars(select(Batch).where(Batch.id == batch_id).with_for_update()).one_or_none()
        if batch is None:
            raise NotFound("batch_not_found", batch_id=batch_id)
        an_open_one = select(Delivery.id).where(Delivery.batch_id == batch_id, Delivery.state.in_(OPEN)).limit(1)
        if batch.state not in ("accepted", "running") or uow.session.scalar(an_open_one) is not None:
            return
        now = utc_now()
        batch.state, batch.finished_at = "finished", now
        batch.touch(now)
        uow.emit(BATCH_FINISHED, batch_id, {"batch_id": batch_id, "state": batch.state, **_counted(uow, batch_id)})


def _counted(uow: UnitOfWork, batch_id: str) -> Record:
    """What `batch.finished.v1` says of the deliveries."""
    grouped = select(Delivery.state, Delivery.reason, func.count()).where(Delivery.batch_id == batch_id)
    counts: Counter[str] = Counter()
    suppressions: Counter[str] = Counter()
    for state, reason, count in uow.session.execute(grouped.group_by(Delivery.state, Delivery.reason)):
        counts[state] += count
        if state == "suppressed":
            suppressions[str(reason)] += count
    return {"deliveries": counts.total(), "counts": dict(counts), "suppressions": dict(suppressions)}
