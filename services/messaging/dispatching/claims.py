"""Reserving what can be sent right now, and the claim: the last question before a call to the provider.

A claim is one transaction. It holds the batches, the consent rows of every address and client `FOR SHARE` in key order,
and at last the sender's bucket (and that of the provider's account, where it has one), so that all of them stay as they
were read until it commits. What passes becomes `sending` with an attempt written, and is called at once. A STOP, a
cancel or a pause updates the same rows: it commits either before the claim has read them, and then the claim sees it,
or after the claim has committed. (On SQLite one transaction writes at a time, which gives the same.)
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Integer, bindparam, or_, select, update
from sqlalchemy.orm import Session

from chassis.columns import Instant
from chassis.database import Database
from chassis.unit_of_work import UnitOfWork
from chassis.value_sets import among
from services.messaging import consent
from services.messaging.deliveries import LONGEST_RESERVATION, move, move_each, unreserved
from services.messaging.dispatching.buckets import TooFewTokens, spend, spend_of_account, tokens_at
from services.messaging.dispatching.preparation import running_batches
from services.messaging.models import BULK, EXEMPT_KINDS, UNBLOCKED_KINDS, URGENT, Attempt, Batch, Delivery, Sender

RESERVED_FOR = dt.timedelta(seconds=10)
"""How long a reservation lasts: links are registered and texts rendered meanwhile."""


@dataclass(frozen=True)
class Reserved:
    """A delivery that this dispatcher has put aside."""

    id: str
    kind: str
    channel: str
    batch_id: str | None
    client_id: str | None
    contact_id: str | None
    case_task_id: str | None
    case_id: str | None
    address: str
    content_id: str | None
    language: str | None
    variables: dict[str, Any] | None
    needs_opt_in: bool
    fallback: list[str] | None
    window_closes: dt.datetime | None
    attempts: int
    joined_to: str | None
    version: int
    lease_until: dt.datetime


@dataclass(frozen=True)
class Ready:
    """A reserved delivery with its text. `body` goes to the provider, `stored` is what is kept of it. Of an email,
    `html`, `sender_name` and `unsubscribe_url` go to the provider as well, and nothing is kept of them."""

    reserved: Reserved
    body: str
    stored: str
    subject: str | None
    segments: int | None
    html: str | None = None
    sender_name: str | None = None
    unsubscribe_url: str | None = None


@dataclass(frozen=True)
class DueSender:
    """A sender with something to send now, and its token bucket as it was `tokens_at`."""

    id: str
    firm_id: str
    channel: str
    address: str
    provider: str
    messaging_service_sid: str | None
    rate: float
    tokens: float
    tokens_at: dt.datetime
    held_until: dt.datetime | None

    def allowed(self, now: dt.datetime) -> int:
        """How many its rate lets go now."""
        if self.held_until is not None and self.held_until > now:
            return 0
        return int(tokens_at(self.tokens, self.tokens_at, self.rate, now))

    def wait(self, now: dt.datetime) -> float:
        """Seconds until its rate lets one go."""
        if self.held_until is not None and self.held_until > now:
            return (self.held_until - now).total_seconds()
        return max(0.0, (1.0 - tokens_at(self.tokens, self.tokens_at, self.rate, now)) / self.rate)


@dataclass(frozen=True)
class Claim:
    """What came of a claim: the deliveries to call the provider for, those that must wait for the rate, the tokens that
    are left, until when the provider wants nothing from the sender, and from when on its account takes more.
    `committing` and `committed`: the moments before and after its commit, of `time.monotonic`."""

    begun: list[Ready] = field(default_factory=list)
    held: list[Ready] = field(default_factory=list)
    tokens: float = 0.0
    held_until: dt.datetime | None = None
    account_free_at: dt.datetime | None = None
    committing: float = 0.0
    committed: float = 0.0


AS_RESERVED = ("id", "version")
"""What finds a delivery as it was reserved: one that was prepared anew meanwhile, and reserved once more, has another
version, and may go to another address."""

# Statements that every round runs are made once: to make one takes longer than to run it.
_NOW = bindparam("now", type_=Instant)
_LONGEST = bindparam("longest", type_=Instant)
_DUE_NOW = (
    Delivery.state == "queued",
    Delivery.due_at <= _NOW,
    unreserved(_NOW, _LONGEST),
)
_RESERVED_NAMES = [name for name in Reserved.__dataclass_fields__ if name != "lease_until"]
_SENDERS_WITH_WORK = select(*(getattr(Sender, name) for name in DueSender.__dataclass_fields__)).where(
    or_(
        # Not EXISTS, which PostgreSQL may answer for all senders at once, by every queued delivery there is.
        *(
            select(Delivery.id)
            .where(Delivery.sender_id == Sender.id, Delivery.priority == priority, *_DUE_NOW)
            .limit(1)
            .scalar_subquery()
            .is_not(None)
            for priority in (URGENT, BULK)
        )
    )
)
_RESERVABLE = (
    select(*(getattr(Delivery, name) for name in _RESERVED_NAMES))
    .where(
        Delivery.sender_id == bindparam("sender_id"),
        *_DUE_NOW,
        or_(Delivery.batch_id.is_(None), Delivery.batch_id.in_(running_batches())),
    )
    .order_by(Delivery.priority, Delivery.due_at, Delivery.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True, of=Delivery)
)
_BATCHES = (
    select(Batch.id, Batch.state)
    .where(Batch.id.in_(bindparam("ids", expanding=True)))
    .order_by(Batch.id)
    .with_for_update(read=True)
)


def due_senders(session: Session, now: dt.datetime) -> list[DueSender]:
    """Across firms: the senders that have something to send now."""
    return [DueSender(**row._mapping) for row in session.execute(_SENDERS_WITH_WORK, _moments(now))]


def _moments(now: dt.datetime) -> dict[str, dt.datetime]:
    return {"now": now, "longest": now + LONGEST_RESERVATION}


def reserve(db: Database, owner: str, sender_id: str, now: dt.datetime, limit: int) -> list[Reserved]:
    """Takes up to `limit` queued deliveries of a sender under a lease, urgent ones first."""
    until = now + RESERVED_FOR
    wanted = {"sender_id": sender_id, "most": limit, **_moments(now)}
    with db.unit_of_work() as uow:
        rows = uow.session.execute(_RESERVABLE, wanted).all()
        if rows:
            uow.session.execute(
                update(Delivery)
                .where(among(uow.session, Delivery.id, [row.id for row in rows]))
                .values(lease_owner=owner, lease_until=until)
                .execution_options(synchronize_session=False)
            )
    return [Reserved(**row._mapping, lease_until=until) for row in rows]


def release(db: Database, owner: str, ids: Sequence[str], due_at: dt.datetime | None = None) -> None:
    """Gives reserved deliveries back, to be sent not before `due_at` if it is given."""
    if not ids:
        return
    later = {} if due_at is None else {"due_at": due_at}
    with db.unit_of_work() as uow:
        uow.session.execute(
            update(Delivery)
            .where(Delivery.id.in_(sorted(ids)), Delivery.state == "queued", Delivery.lease_owner == owner)
            .values(lease_owner=None, lease_until=None, **later)
            .execution_options(synchronize_session=False)
        )


def give_up(db: Database, owner: str, ids: Sequence[str], now: dt.datetime) -> None:
    """Ends reserved deliveries whose text cannot be made."""
    with db.unit_of_work() as uow:
        where = [Delivery.id.in_(sorted(ids)), Delivery.state == "queued", Delivery.lease_owner == owner]
        move(uow, "failed", now, where=where, reason="text_broken")


def claim(
    db: Database,
    owner: str,
    sender_id: str,
    ready: Sequence[Ready],
    now: dt.datetime,
    *,
    call_lease: dt.timedelta,
    account: str | None = None,
) -> Claim:
    """Begins as many of the ready deliveries of one sender as may be begun now. `call_lease`: after which a call that
    nobody reported on is asked about. `account`: the sender's provider, if all of its account has a rate."""
    candidates = list(ready)
    held: list[Ready] = []
    while True:
        try:
            begun, left, committing = _begin(db, owner, sender_id, candidates, now, now + call_lease, account)
        except TooFewTokens as short:
            most = min(int(short.tokens), len(candidates) - 1)
            candidates, held = candidates[:most], candidates[most:] + held
            if most <= 0:
                return Claim([], held, short.tokens, short.held_until, short.account_free_at)
        else:
            return Claim(begun, held, left, committing=committing, committed=time.monotonic())


def _begin(
    db: Database,
    owner: str,
    sender_id: str,
    candidates: list[Ready],
    now: dt.datetime,
    call_until: dt.datetime,
    account: str | None,
) -> tuple[list[Ready], float, float]:
    """The transaction of a claim: (what was begun, tokens that are left, when it was about to commit). Raises
    TooFewTokens."""
    with db.unit_of_work() as uow:
        passed = _passed(uow, owner, candidates, now)
        rows = [
            {
                "id": item.reserved.id,
                "version": item.reserved.version,
                "attempts": item.reserved.attempts + 1,
                "body": item.stored,
                "subject": item.subject,
                "segments": item.segments,
            }
            for item in passed
        ]
        mine = (Delivery.lease_owner == owner, Delivery.lease_until > now)
        begun_ids = set(
            move_each(uow, "sending", now, rows, where=mine, key=AS_RESERVED, begun_at=now, lease_until=call_until)
        )
        begun = [item for item in passed if item.reserved.id in begun_ids]
        attempts = [
            {"delivery_id": item.reserved.id, "number": item.reserved.attempts + 1, "begun_at": now} for item in begun
        ]
        uow.insert(Attempt, attempts)
        left = spend(uow, sender_id, len(begun), now)
        if account is not None:
            spend_of_account(uow, account, len(begun), now)
        committing = time.monotonic()
    return begun, left, committing


def _passed(uow: UnitOfWork, owner: str, candidates: list[Ready], now: dt.datetime) -> list[Ready]:
    """The candidates that nothing forbids; the others are suppressed, or wait for what they must wait for."""
    if not candidates:
        return []
    keys = {item.reserved.id: _keys(item.reserved) for item in candidates}
    # Before the consent rows: a STOP waits for as long as these are held, and nobody else takes both.
    batch_states = _share_batches(uow.session, candidates)
    states = consent.read_states(uow.session, [key for several in keys.values() for key in several], lock="share")
    blocked: dict[str, list[dict[str, Any]]] = {}
    again: list[dict[str, Any]] = []
    passed: list[Ready] = []
    for item in candidates:
        row = item.reserved
        found = {"id": row.id, "version": row.version}
        reason = None
        if row.kind not in UNBLOCKED_KINDS:
            # A START is the address's own word, and opens nothing that its client has closed.
            asked = keys[row.id][:1] if row.kind in EXEMPT_KINDS else keys[row.id]
            reason = consent.block_reason(states, asked, needs_opt_in=row.needs_opt_in)
        if reason is not None and not row.fallback:
            blocked.setdefault(reason, []).append(found)
        elif reason is not None or _late(row, now) or any(key not in states for key in keys[row.id]):
            # Another channel may be open, or the next window; and without a row to hold, a STOP could pass unseen.
            # Preparing finds or makes each of them.
            again.append(found)
        elif batch_states.get(row.batch_id, "running") in ("accepted", "running"):
            passed.append(item)
    mine = (Delivery.lease_owner == owner, Delivery.state == "queued")
    for reason, rows in sorted(blocked.items()):
        move_each(uow, "suppressed", now, rows, where=mine, key=AS_RESERVED, reason=reason)
    move_each(uow, "accepted", now, again, where=mine, key=AS_RESERVED, due_at=now)
    return passed


def _late(row: Reserved, now: dt.datetime) -> bool:
    """Whether quiet hours have begun for a delivery, or something changed during a call that was not taken."""
    return row.window_closes is not None and row.window_closes <= now


def _share_batches(session: Session, candidates: list[Ready]) -> dict[str | None, str]:
    ids = sorted({item.reserved.batch_id for item in candidates if item.reserved.batch_id})
    if not ids:
        return {}
    return {row.id: row.state for row in session.execute(_BATCHES, {"ids": ids})}


def _keys(row: Reserved) -> list[consent.Key]:
    return consent.keys_of(row.channel, row.address, row.contact_id or row.client_id)
