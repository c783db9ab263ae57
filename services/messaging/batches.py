"""Bulk requests: their chunks become deliveries; progress, pause, resume, cancel, and the ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.paging import page
from chassis.unit_of_work import UnitOfWork
from contracts.errors import Conflict, NotFound
from contracts.messaging import BATCH_FINISHED
from services.messaging import joining
from services.messaging.deliveries import is_message, move
from services.messaging.doorbell import ring
from services.messaging.models import OPEN, WAITING, Batch, BatchChunk, Delivery, Sender

Record = dict[str, Any]

SWEEP = 2000
"""Deliveries that are cancelled in one transaction."""


def accept_chunk(db: Database, event: ReceivedEvent, now: dt.datetime | None = None) -> None:
    """Writes one delivery per case task, client and channel of a chunk; with `fallback` one per case task and client,
    which may change its channel when it is prepared. A chunk that is known already adds nothing."""
    data, now = event.data, now or utc_now()
    with db.unit_of_work(once=event) as uow:
        batch = _lock(uow, data["batch_id"], accepted=data["accepted"])
        number = {"batch_id": batch.id, "chunk": data["chunk"]}
        if not uow.insert(BatchChunk, [number], ignore_conflicts=True):
            return
        _fill(batch, data, now)
        uow.session.flush()
        uow.insert(Delivery, _deliveries(batch, data, now), ignore_conflicts=True)
        if batch.coalesce and batch.chunks_seen >= batch.chunks:
            joining.group(uow.session, batch.id)
        uow.after_commit(lambda: ring(db.url))


def _fill(batch: Batch, data: Record, now: dt.datetime) -> None:
    batch.content_id = data["content_id"]
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
        "kind": "notification",
        "state": "cancelled" if batch.state == "cancelled" else "accepted",
        "send_after": send_after,
        "due_at": joining.NEVER if batch.coalesce else send_after,
        "content_id": batch.content_id,
        "requested_by": batch.requested_by,
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
                    "subject_id": item["case_task_id"],
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


# Reading


def get_batch(db: Database, calls: Any, *, batch_id: str) -> Record:
    """Progress and counts. Until the first chunk has come, tasks' request answers.

    Raises NotFound, Unavailable.
    """
    with db.read() as session:
        found = session.get(Batch, batch_id)
        if found is not None:
            return _record(session, found)
    request = calls.tasks.get_notification_request(batch_id=batch_id)
    now = request.get("created_at") or utc_now()
    shell = Batch(
        id=batch_id, state="accepted", accepted=request["accepted"], version=1, created_at=now, updated_at=now
    )
    return _shape(shell, {}, {}, None)


def _record(session: Session, batch: Batch) -> Record:
    counts: dict[str, int] = {}
    suppressions: dict[str, int] = {}
    grouped = (
        select(Delivery.state, Delivery.reason, func.count())
        .where(Delivery.batch_id == batch.id)
        .group_by(Delivery.state, Delivery.reason)
    )
    for state, reason, count in session.execute(grouped):
        counts[state] = counts.get(state, 0) + count
        if state == "suppressed" and reason is not None:
            suppressions[reason] = suppressions.get(reason, 0) + count
    return _shape(batch, counts, suppressions, _finish_expected(session, batch, counts))


def _finish_expected(session: Session, batch: Batch, counts: dict[str, int]) -> dt.datetime | None:
    """When the last would go out at the senders' rates, and not before its time."""
    waiting = sum(counts.get(state, 0) for state in WAITING)
    if not waiting or batch.state not in ("accepted", "running"):
        return None
    last_due = session.scalar(
        select(func.max(Delivery.due_at)).where(
            Delivery.batch_id == batch.id, Delivery.state.in_(WAITING), Delivery.due_at < joining.NEVER
        )
    )
    rate = session.scalar(select(func.max(Sender.rate))) or 1.0
    now = utc_now()
    return max(now, last_due or now) + dt.timedelta(seconds=waiting / rate)


def _shape(batch: Batch, counts: dict[str, int], suppressions: dict[str, int], finish: dt.datetime | None) -> Record:
    total = sum(counts.values())
    return {
        "id": batch.id,
        "version": batch.version,
        "created_at": batch.created_at,
        "updated_at": batch.updated_at,
        "state": batch.state,
        "accepted": batch.accepted,
        "deliveries": total,
        "counts": counts,
        "suppressions": suppressions,
        "progress": {"done": total - sum(counts.get(state, 0) for state in OPEN), "total": total},
        "finish_expected_at": finish,
    }


def list_deliveries(
    db: Database,
    calls: Any,
    *,
    batch_id: str,
    state: str | None,
    reason: str | None,
    limit: int,
    cursor: str | None,
    sort: str | None,
) -> Record:
    """The ledger: one row per case task, recipient and channel. Raises NotFound, Unavailable."""
    statement = select(Delivery).where(Delivery.batch_id == batch_id)
    if state is not None:
        statement = statement.where(Delivery.state == state)
    if reason is not None:
        statement = statement.where(Delivery.reason == reason)
    with db.read() as session:
        known = session.get(Batch, batch_id) is not None
        rows, meta = page(
            session,
            statement,
            model=Delivery,
            sorts={"created_at": Delivery.created_at, "state": Delivery.state, "sent_at": Delivery.sent_at},
            default_sort="created_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
    if not known:
        calls.tasks.get_notification_request(batch_id=batch_id)
    return {"data": [delivery_record(row) for row in rows], "meta": meta}


_DELIVERY_FIELDS = (
    "id", "version", "created_at", "updated_at", "batch_id", "case_task_id", "case_id", "client_id", "channel", "state",
    "reason", "address", "segments", "attempts", "provider_id", "provider_segments", "price", "currency", "send_after",
    "sent_at",
)  # fmt: skip


def delivery_record(row: Delivery) -> Record:
    """A delivery as the contract shows it."""
    joined_to = None if row.joined_to == row.id else row.joined_to
    return {**{name: getattr(row, name) for name in _DELIVERY_FIELDS}, "joined_to": joined_to}


# Commands


def pause_batch(db: Database, calls: Any, *, batch_id: str) -> Record:
    """Nothing more is begun until it is resumed. Raises NotFound, Conflict, Unavailable."""
    return _command(db, calls, batch_id, "paused", ("accepted", "running"))


def resume_batch(db: Database, calls: Any, *, batch_id: str) -> Record:
    """Raises NotFound, Conflict, Unavailable."""
    return _command(db, calls, batch_id, "running", ("paused",))


def cancel_batch(db: Database, calls: Any, *, batch_id: str) -> Record:
    """From its commit on nothing is begun; what had been begun is not undone. Chunks that are still to come are
    cancelled as they arrive. Raises NotFound, Conflict, Unavailable."""
    answer = _command(db, calls, batch_id, "cancelled", ("accepted", "running", "paused"))
    if sweep_cancelled(db, batch_id):
        with db.read() as session:
            return _record(session, session.get_one(Batch, batch_id))
    return answer


def _command(db: Database, calls: Any, batch_id: str, state: str, allowed: tuple[str, ...]) -> Record:
    with db.read() as session:
        known = session.get(Batch, batch_id) is not None
    accepted = 0 if known else calls.tasks.get_notification_request(batch_id=batch_id)["accepted"]
    with db.unit_of_work() as uow:
        batch = _lock(uow, batch_id, accepted=accepted)
        if batch.state != state:
            if batch.state not in allowed:
                raise Conflict("batch_state", state=batch.state)
            batch.state = state
            batch.touch(utc_now())
            uow.after_commit(lambda: ring(db.url))
        uow.session.flush()
        return uow.answer(_record(uow.session, batch))


def sweep_cancelled(db: Database, batch_id: str) -> int:
    """Cancels what still waits of a cancelled batch, in chunks; returns how many. Harmless to repeat."""
    total = 0
    while True:
        with db.unit_of_work() as uow:
            waiting = (Delivery.batch_id == batch_id, Delivery.state.in_(WAITING), is_message())
            some = select(Delivery.id).where(*waiting).limit(SWEEP)
            moved = move(uow, "cancelled", utc_now(), where=[Delivery.id.in_(some)])
        total += len(moved)
        if not moved:
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
        total = uow.session.scalar(select(func.count()).select_from(Delivery).where(Delivery.batch_id == batch_id))
        data = {"batch_id": batch_id, "state": batch.state, "deliveries": total or 0}
        uow.emit(BATCH_FINISHED, batch_id, data)
