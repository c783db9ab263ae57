"""Calls whose fate is unknown: found, asked about, and settled; never blindly made again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.unit_of_work import UnitOfWork
from services.messaging.adapters.base import Absent, Accepted, Finding, Question
from services.messaging.deliveries import STATUSES, move
from services.messaging.dispatching import prices
from services.messaging.dispatching.postponing import GIVE_UP_AFTER
from services.messaging.models import Attempt, Delivery, Sender

FOUND_BY_NUMBER = ("sms", "phone")
ASKING_FOR = dt.timedelta(seconds=60)
"""How long a delivery is put aside while its provider is asked."""
_HOUR = dt.timedelta(hours=1)


def sweep_abandoned(db: Database, now: dt.datetime, ask_after: Mapping[str, float]) -> int:
    """Across firms: calls whose dispatcher never reported (it was killed) become unknown, to be asked about after
    `ask_after` seconds by provider; an hour where it is none of these, for another dispatcher may have it, and be told
    too early that there is no such message. Returns how many."""
    total = 0
    by_provider = [(Sender.provider == provider, seconds) for provider, seconds in sorted(ask_after.items())]
    with db.unit_of_work() as uow:
        for condition, seconds in [*by_provider, (Sender.provider.not_in(sorted(ask_after)), _HOUR.total_seconds())]:
            of_provider = select(Sender.id).where(condition)
            total += len(
                move(
                    uow,
                    "unknown",
                    now,
                    where=[
                        Delivery.state == "sending",
                        Delivery.lease_until < now,
                        Delivery.sender_id.in_(of_provider),
                    ],
                    due_at=now + dt.timedelta(seconds=seconds),
                )
            )
    return total


@dataclass(frozen=True)
class Doubt:
    """A delivery whose fate is to be asked about."""

    delivery_id: str
    firm_id: str
    provider: str
    question: Question
    attempts: int


def reserve_doubts(db: Database, owner: str, now: dt.datetime, limit: int = 50) -> list[Doubt]:
    """Across firms: takes up to `limit` deliveries of unknown fate that are due to be asked about."""
    with db.unit_of_work() as uow:
        statement = (
            select(Delivery, Sender.provider, Sender.address)
            .join(Sender, Sender.id == Delivery.sender_id)
            .where(
                Delivery.state == "unknown",
                Delivery.due_at <= now,
                or_(Delivery.lease_until.is_(None), Delivery.lease_until < now),
            )
            .order_by(Delivery.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True, of=Delivery)
        )
        rows = uow.session.execute(statement).all()
        taken = _taken(uow.session, [delivery for delivery, _, _ in rows if delivery.channel in FOUND_BY_NUMBER])
        doubts = []
        for delivery, provider, sender_address in rows:
            delivery.lease_owner, delivery.lease_until = owner, now + ASKING_FOR
            question = Question(
                token=delivery.id,
                to=delivery.address or "",
                sender=sender_address,
                body=delivery.body or "",
                begun_at=delivery.begun_at or now,
                channel=delivery.channel,
                taken=taken.get(delivery.address or "", frozenset()),
            )
            doubts.append(Doubt(delivery.id, delivery.firm_id, provider, question, delivery.attempts))
        return doubts


def _taken(session: Session, asked: Sequence[Delivery]) -> dict[str, frozenset[str]]:
    """By address: the provider's ids of the texts and calls that are known to be other deliveries'."""
    if not asked:
        return {}
    statement = select(Delivery.address, Delivery.provider_id).where(
        Delivery.firm_id.in_(sorted({delivery.firm_id for delivery in asked})),
        Delivery.address.in_(sorted({delivery.address for delivery in asked if delivery.address})),
        Delivery.channel.in_(FOUND_BY_NUMBER),
        Delivery.provider_id.is_not(None),
    )
    found: dict[str, set[str]] = {}
    for address, provider_id in session.execute(statement):
        found.setdefault(str(address), set()).add(str(provider_id))
    return {address: frozenset(ids) for address, ids in found.items()}


def settle(
    db: Database, owner: str, found: Iterable[tuple[Doubt, Finding]], now: dt.datetime, pauses: Sequence[float]
) -> None:
    """Records what providers answered about deliveries of one firm. What cannot be told yet is asked again, after the
    first of `pauses` (seconds since the call) that is still to come; unproven after a day it ends as failed."""
    with db.unit_of_work() as uow:
        for doubt, finding in found:
            mine = [Delivery.id == doubt.delivery_id, Delivery.state == "unknown", Delivery.lease_owner == owner]
            if isinstance(finding, Accepted):
                state = STATUSES[finding.status].state if finding.status in STATUSES else "sent"
                changes = {
                    "provider_id": finding.provider_id,
                    "provider_status": finding.status,
                    "sent_at": now,
                    "provider_segments": finding.segments,
                    "price": finding.price,
                    "currency": finding.currency,
                    **prices.due_after(state, now, finding.price),
                }
                done = move(uow, state, now, where=mine, **changes)
                outcome = "found"
            elif isinstance(finding, Absent):
                done = move(uow, "queued", now, where=mine, due_at=now)
                outcome = "absent"
            else:
                _ask_later(uow, mine, doubt, now, pauses)
                continue
            if done:
                _note(uow.session, doubt, outcome, now)


def _ask_later(uow: UnitOfWork, mine: list[Any], doubt: Doubt, now: dt.datetime, pauses: Sequence[float]) -> None:
    since = now - doubt.question.begun_at
    if since >= GIVE_UP_AFTER:
        move(uow, "failed", now, where=mine, reason="not_confirmed")
        return
    upcoming = [pause for pause in pauses if pause > since.total_seconds()]
    due_at = doubt.question.begun_at + dt.timedelta(seconds=upcoming[0]) if upcoming else now + _HOUR
    uow.session.execute(
        update(Delivery)
        .where(*mine)
        .values(due_at=due_at, lease_owner=None, lease_until=None)
        .execution_options(synchronize_session=False)
    )


def _note(session: Session, doubt: Doubt, outcome: str, now: dt.datetime) -> None:
    session.execute(
        update(Attempt)
        .where(Attempt.delivery_id == doubt.delivery_id, Attempt.number == doubt.attempts)
        .values(outcome=outcome, ended_at=now)
        .execution_options(synchronize_session=False)
    )
