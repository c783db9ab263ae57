"""Reading batches: progress and counts, which are everybody's, the list, and the ledger of deliveries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.database import Database
from chassis.paging import page
from chassis.scoping import EVERY_KIND
from services.messaging.models import OPEN, WAITING, Batch, Delivery
from services.messaging.queues import finish_of

Record = dict[str, Any]
Counts = dict[tuple[str, str | None], int]
"""Deliveries by (state, reason)."""

ENDED = ("finished", "cancelled")
_NO_FIGURES: Record = dict.fromkeys(("segments", "price", "unpriced", "currency"))

LARGE = 5_000
"""Deliveries that wait, from which on the end of a batch is not worked out anew for whoever asks: that is a look at
each of them, and who watches a batch asks every second."""
END_KEPT = dt.timedelta(seconds=10)
_ends: dict[tuple[str, int], tuple[dt.datetime, dt.datetime | None]] = {}
"""By a large batch and its version: until when its expected end is kept, and the end."""
_ENDS_KEPT = 1_000


def get_batch(db: Database, calls: Any, *, batch_id: str) -> Record:
    """Progress and counts. Until the first chunk has come, tasks' request answers.

    Raises NotFound, Unavailable.
    """
    with db.read() as session:
        found = session.get(Batch, batch_id)
        if found is not None:
            return batch_record(session, found)
    request = calls.tasks.get_notification_request(batch_id=batch_id)
    now = request.get("created_at") or utc_now()
    shell = Batch(
        id=batch_id, kind="notification", channels=[], state="accepted", accepted=request["accepted"], version=1,
        created_at=now, updated_at=now,
    )  # fmt: skip
    return {**_shape(shell, {}), "finish_expected_at": None, **_NO_FIGURES}


def batch_record(session: Session, batch: Batch) -> Record:
    """A batch as the contract shows it."""
    counts = _counts(session, [batch.id]).get(batch.id, {})
    return {
        **_shape(batch, counts),
        "finish_expected_at": _finish_expected(session, batch, counts, utc_now()),
        **_figures(session, batch),
    }


def _finish_expected(session: Session, batch: Batch, counts: Counts, now: dt.datetime) -> dt.datetime | None:
    if sum(count for (state, _), count in counts.items() if state in WAITING) < LARGE:
        return finish_of(session, batch, now)
    key = (batch.id, batch.version)
    if key not in _ends or _ends[key][0] <= now:
        if len(_ends) >= _ENDS_KEPT:
            _ends.clear()
        _ends[key] = (now + END_KEPT, finish_of(session, batch, now))
    return _ends[key][1]


def list_batches(
    db: Database,
    *,
    state: str | None,
    kind: str | None,
    limit: int,
    cursor: str | None,
    sort: str | None,
    group_id: str | None = None,
) -> Record:
    """One page, newest first. Notifications are there once their first chunk has come."""
    statement = select(Batch).where(Batch.content_id.is_not(None))
    if state is not None:
        statement = statement.where(Batch.state == state)
    if kind is not None:
        statement = statement.where(Batch.kind == kind)
    if group_id is not None:
        statement = statement.where(Batch.group_id == group_id)
    with db.read() as session:
        rows, meta = page(
            session,
            statement,
            model=Batch,
            sorts={"created_at": Batch.created_at},
            default_sort="-created_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        counts = _counts(session, [row.id for row in rows])
        return {"data": [_shape(row, counts.get(row.id, {})) for row in rows], "meta": meta}


def _counts(session: Session, batch_ids: Iterable[str]) -> dict[str, Counts]:
    found: dict[str, Counts] = {}
    grouped = (
        select(Delivery.batch_id, Delivery.state, Delivery.reason, func.count())
        .where(Delivery.batch_id.in_(list(batch_ids)))
        .group_by(Delivery.batch_id, Delivery.state, Delivery.reason)
    )
    for batch_id, state, reason, count in session.execute(grouped, execution_options=EVERY_KIND):
        found.setdefault(str(batch_id), {})[(state, reason)] = count
    return found


def _figures(session: Session, batch: Batch) -> Record:
    """What its messages came to: only once it has ended, for it takes a look at each."""
    if batch.state not in ENDED:
        return _NO_FIGURES
    sums = select(
        func.sum(func.coalesce(Delivery.provider_segments, Delivery.segments)),
        func.sum(Delivery.price),
        func.count().filter(Delivery.provider_id.is_not(None), Delivery.price.is_(None)),
        func.max(Delivery.currency),
    ).where(Delivery.batch_id == batch.id, Delivery.attempts > 0)
    return dict(zip(_NO_FIGURES, session.execute(sums, execution_options=EVERY_KIND).one(), strict=True))


def _shape(batch: Batch, found: Counts) -> Record:
    counts: dict[str, int] = {}
    suppressions: dict[str, int] = {}
    for (state, reason), count in found.items():
        counts[state] = counts.get(state, 0) + count
        if state == "suppressed" and reason is not None:
            suppressions[reason] = suppressions.get(reason, 0) + count
    total = sum(counts.values())
    return {
        "id": batch.id,
        "version": batch.version,
        "created_at": batch.created_at,
        "updated_at": batch.updated_at,
        "kind": batch.kind,
        "channels": batch.channels,
        "requested_by": batch.requested_by,
        "group_id": batch.group_id,
        "state": batch.state,
        "accepted": batch.accepted,
        "deliveries": total,
        "counts": counts,
        "suppressions": suppressions,
        "progress": {"done": total - sum(counts.get(state, 0) for state in OPEN), "total": total},
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
    "id", "version", "created_at", "updated_at", "batch_id", "case_task_id", "case_id", "client_id", "contact_id",
    "channel", "state", "reason", "address", "segments", "attempts", "provider_id", "provider_segments", "price",
    "currency", "send_after", "sent_at",
)  # fmt: skip


def delivery_record(row: Delivery) -> Record:
    """A delivery as the contract shows it."""
    joined_to = None if row.joined_to == row.id else row.joined_to
    return {**{name: getattr(row, name) for name in _DELIVERY_FIELDS}, "joined_to": joined_to}
