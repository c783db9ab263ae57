"""What came of calls to providers: recorded in sets, and settled for those whose fate is unknown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.unit_of_work import UnitOfWork
from services.messaging import consent
from services.messaging.adapters.base import (
    REFUSED_ADDRESS,
    REFUSED_OPT_OUT,
    Absent,
    Accepted,
    Deferred,
    Finding,
    NotConnected,
    Question,
    Refused,
    Result,
    Unknown,
)
from services.messaging.deliveries import STATUSES, may_follow, move, move_each
from services.messaging.models import Attempt, Delivery, Sender
from services.messaging.setwise import update_rows

GIVE_UP_AFTER = dt.timedelta(days=1)
_RETRY_PAUSES = (5, 15, 60, 300)
"""Seconds before a call that never left is made again, by the number of attempts."""
ASKING_FOR = dt.timedelta(seconds=60)
"""How long a delivery is put aside while its provider is asked."""


@dataclass(frozen=True)
class Called:
    """One call that has ended."""

    delivery_id: str
    number: int
    address: str
    channel: str
    sender_id: str
    result: Result
    created_at: dt.datetime | None = None


def record(db: Database, called: Sequence[Called], now: dt.datetime, *, ask_after: float) -> None:
    """Records calls of one firm. `ask_after`: seconds until the provider is asked about what is unknown."""
    with db.unit_of_work() as uow:
        for number, address, channel in sorted(
            {
                (item.delivery_id, item.address, item.channel)
                for item in called
                if isinstance(item.result, Refused) and item.result.code == REFUSED_OPT_OUT
            }
        ):
            record_provider_opt_out(uow, channel, address, {"delivery_id": number, "code": REFUSED_OPT_OUT}, now)
        _record_accepted(uow, [item for item in called if isinstance(item.result, Accepted)], now)
        _record_refused(uow, [item for item in called if isinstance(item.result, Refused)], now)
        _record_postponed(uow, [item for item in called if isinstance(item.result, Deferred | NotConnected)], now)
        unknown = [item.delivery_id for item in called if isinstance(item.result, Unknown)]
        if unknown:
            due_at = now + dt.timedelta(seconds=ask_after)
            move(uow, "unknown", now, where=[Delivery.id.in_(sorted(unknown))], due_at=due_at)
        update_rows(
            uow.session,
            Attempt,
            [{"delivery_id": item.delivery_id, "number": item.number, **_attempt(item.result)} for item in called],
            key=("delivery_id", "number"),
            also={"ended_at": now},
        )


def _attempt(result: Result) -> dict[str, Any]:
    if isinstance(result, Accepted):
        return {"outcome": "sent", "provider_id": result.provider_id, "code": None}
    if isinstance(result, Refused):
        return {"outcome": "refused", "provider_id": None, "code": result.code}
    if isinstance(result, Unknown):
        return {"outcome": "unknown", "provider_id": None, "code": result.code}
    return {
        "outcome": "deferred" if isinstance(result, Deferred) else "not_connected",
        "provider_id": None,
        "code": None,
    }


def _record_accepted(uow: UnitOfWork, items: Sequence[Called], now: dt.datetime) -> None:
    rows = [
        {"id": item.delivery_id, "provider_id": item.result.provider_id, "provider_status": item.result.status}
        for item in items
        if isinstance(item.result, Accepted)
    ]
    moved = set(move_each(uow, "sent", now, rows, sent_at=now))
    # A callback that came before us has moved these further: only what it did not know is added.
    overtaken = [
        {"id": row["id"], "provider_id": row["provider_id"], "sent_at": now} for row in rows if row["id"] not in moved
    ]
    update_rows(uow.session, Delivery, overtaken, where=(Delivery.sent_at.is_(None),))


def _record_refused(uow: UnitOfWork, items: Sequence[Called], now: dt.datetime) -> None:
    by_outcome: dict[tuple[str, str], list[str]] = {}
    for item in items:
        assert isinstance(item.result, Refused)
        by_outcome.setdefault(_refusal(item.result.code), []).append(item.delivery_id)
    for (state, reason), ids in sorted(by_outcome.items()):
        move(
            uow,
            state,
            now,
            where=[Delivery.id.in_(sorted(ids)), Delivery.state.in_(("sending", "unknown"))],
            reason=reason,
        )


def _refusal(code: str) -> tuple[str, str]:
    """(state, reason) of a message that the provider refused."""
    if code == REFUSED_OPT_OUT:
        return "suppressed", "opted_out"
    if code in REFUSED_ADDRESS:
        return "suppressed", "invalid_address"
    return "failed", code[:60]


def _record_postponed(uow: UnitOfWork, items: Sequence[Called], now: dt.datetime) -> None:
    rows = []
    held: dict[str, float] = {}
    for item in items:
        if isinstance(item.result, Deferred):
            seconds = item.result.seconds
            held[item.sender_id] = max(held.get(item.sender_id, 0.0), seconds)
        else:
            seconds = _RETRY_PAUSES[min(item.number, len(_RETRY_PAUSES)) - 1]
        rows.append({"id": item.delivery_id, "due_at": now + dt.timedelta(seconds=seconds)})
    move_each(uow, "queued", now, rows, where=(Delivery.state == "sending", Delivery.created_at > now - GIVE_UP_AFTER))
    tired = [row["id"] for row in rows]
    if tired:
        where = [Delivery.id.in_(sorted(tired)), Delivery.state == "sending"]
        move(uow, "failed", now, where=where, reason="not_reached")
    for sender_id, seconds in sorted(held.items()):
        uow.session.execute(
            update(Sender)
            .where(Sender.id == sender_id)
            .values(held_until=now + dt.timedelta(seconds=seconds))
            .execution_options(synchronize_session=False)
        )


def record_provider_opt_out(
    uow: UnitOfWork, channel: str, address: str, evidence: dict[str, Any], now: dt.datetime
) -> None:
    """Takes a provider's own refusal for what it is: the person has said stop, to the provider."""
    key = (channel, consent.address_key(address))
    if consent.read_states(uow.session, [key]).get(key) == consent.OPTED_OUT:
        return
    consent.record_change(
        uow,
        channel=channel,
        state=consent.OPTED_OUT,
        source="provider",
        evidence=evidence,
        address=address,
        client_ids=consent.clients_of_address(uow.session, address),
        at=now,
    )


# Status callbacks


def record_status(
    db: Database, *, provider_id: str, status: str, error_code: str | None, delivery_id: str, now: dt.datetime
) -> bool:
    """Applies a provider's word on a delivery, unless it is older than what is known. Returns whether it did."""
    with db.unit_of_work() as uow:
        delivery = uow.session.scalars(
            select(Delivery).where(Delivery.id == delivery_id).with_for_update()
        ).one_or_none()
        if delivery is None or not may_follow(status, delivery.provider_status):
            return False
        if error_code == REFUSED_OPT_OUT and delivery.address:
            evidence = {"delivery_id": delivery_id, "code": error_code, "provider_id": provider_id}
            record_provider_opt_out(uow, delivery.channel, delivery.address, evidence, now)
        state, reason = STATUSES[status].state, None
        if state in ("failed", "undelivered"):
            reason = (error_code or status)[:60]
            if error_code == REFUSED_OPT_OUT:
                state, reason = "failed", "opted_out"
        changes: dict[str, Any] = {"provider_status": status, "provider_id": delivery.provider_id or provider_id}
        if delivery.sent_at is None and state in ("sent", "delivered"):
            changes["sent_at"] = now
        if delivery.state == state:
            return bool(update_rows(uow.session, Delivery, [{"id": delivery_id, **changes}], returning=[Delivery.id]))
        return bool(move(uow, state, now, where=[Delivery.id == delivery_id], reason=reason, **changes))


# What became of calls without an answer


def sweep_abandoned(db: Database, now: dt.datetime, ask_after: Mapping[str, float]) -> int:
    """Across firms: calls whose dispatcher never reported (it was killed) become unknown, to be asked about after
    `ask_after` seconds by provider. Returns how many."""
    total = 0
    with db.unit_of_work() as uow:
        for provider, seconds in sorted(ask_after.items()):
            of_provider = select(Sender.id).where(Sender.provider == provider)
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
        doubts = []
        for delivery, provider, sender_address in uow.session.execute(statement):
            delivery.lease_owner, delivery.lease_until = owner, now + ASKING_FOR
            question = Question(
                token=delivery.id,
                to=delivery.address or "",
                sender=sender_address,
                body=delivery.body or "",
                begun_at=delivery.begun_at or now,
            )
            doubts.append(Doubt(delivery.id, delivery.firm_id, provider, question, delivery.attempts))
        return doubts


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
                changes = {"provider_id": finding.provider_id, "provider_status": finding.status, "sent_at": now}
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
    due_at = doubt.question.begun_at + dt.timedelta(seconds=upcoming[0]) if upcoming else now + dt.timedelta(hours=1)
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
