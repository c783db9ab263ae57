"""What a provider would not take now: it goes out later, and what has to wait with it waits.

A refusal that is about us (a wrong secret, a suspended account, a number that is not ours) says nothing about the
messages. They stay queued, in their order and without an end, while their sender, or all of the account where its rate
is limited, is tried again after growing pauses. Somebody who looks after the installation must set it right: it is
logged as an error and counted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import Counter
from sqlalchemy import ColumnElement, case, literal, select, update
from sqlalchemy.orm import Session

from chassis.columns import Instant
from chassis.telemetry import log_of
from chassis.unit_of_work import UnitOfWork
from services.messaging.adapters.base import Called, Deferred, NotConnected, Refused
from services.messaging.adapters.codes import Meaning, meaning_of
from services.messaging.deliveries import ITS_CALL, move, move_each
from services.messaging.models import Attempt, Batch, Delivery, ProviderRate, Sender

log = log_of(__name__)
refusals = Counter("casewire_provider_refusals_total", "Requests refused because of us", ["provider", "code"])

GIVE_UP_AFTER = dt.timedelta(days=1)
"""From the first call on."""
UNREACHED_PAUSES = (5, 15, 60, 300)
"""Seconds before a call that never left is made again, by the number of attempts."""
LATER_PAUSES = (15, 60, 300)
"""The same where the sender's queue or rate was full and nobody said for how long."""
OUR_PAUSES = (30, 120, 600, 1800)
"""The same where we are refused."""
TRIED_AFTER_SENT = 5
"""Attempts of a message that the provider accepted and then dropped because of its own queue, or of us."""


def postpones(item: Called) -> bool:
    """Whether a call ended with the message not taken, and may be made again."""
    if isinstance(item.result, Refused):
        return meaning_of(item.result.code).postpones
    return isinstance(item.result, Deferred | NotConnected)


def postpone(uow: UnitOfWork, called: Sequence[Called], provider: str, now: dt.datetime) -> None:
    """Queues again what a provider would not take, and holds its sender or account for as long as the provider said."""
    under_way = (Delivery.state == "sending",)
    ours = [item for item in called if _meaning(item).is_ours]
    if ours:
        # Their times stay, so that the same few are tried first, and the pauses grow.
        move_each(uow, "queued", now, [item.key for item in ours], where=under_way, key=ITS_CALL)
        _complain(provider, ours)
    others = [item for item in called if not _meaning(item).is_ours]
    if others:
        rows = [{**item.key, "due_at": now + dt.timedelta(seconds=_seconds(item))} for item in others]
        first_call = select(Attempt.delivery_id).where(
            Attempt.delivery_id == Delivery.id, Attempt.number == 1, Attempt.begun_at > now - GIVE_UP_AFTER
        )
        move_each(uow, "queued", now, rows, where=(*under_way, first_call.exists()), key=ITS_CALL)
        move_each(
            uow, "failed", now, [item.key for item in others], where=under_way, key=ITS_CALL, reason="not_reached"
        )
    _hold_all(uow.session, called, provider, now)


def send_again(
    uow: UnitOfWork, delivery: Delivery, *, status: str, code: str, provider_id: str, now: dt.datetime
) -> bool:
    """Prepares a message again that the provider accepted and then dropped for no fault of the message's. A batch that
    was finished goes on for it; one that was cancelled does not."""
    if delivery.batch_id is not None:
        batch = uow.session.scalars(select(Batch).where(Batch.id == delivery.batch_id).with_for_update()).one()
        if batch.state == "cancelled":
            said = {"provider_status": status, "provider_id": provider_id}
            return bool(move(uow, "failed", now, where=[Delivery.id == delivery.id], reason=code, **said))
        batch.go_on(now)
    meaning = meaning_of(code)
    pauses = OUR_PAUSES if meaning.is_ours else LATER_PAUSES
    seconds = _by_attempt(pauses, delivery.attempts)
    provider = uow.session.scalar(select(Sender.provider).where(Sender.id == delivery.sender_id)) or ""
    if meaning.is_ours:
        refusals.labels(provider, code).inc()
        log.error("provider_refuses_us", provider=provider, code=code)
    moved = move(
        uow,
        "accepted",
        now,
        where=[Delivery.id == delivery.id, Delivery.state == "sent"],
        due_at=now + dt.timedelta(seconds=seconds),
        sent_at=None,
        price_due_at=None,
        provider_status=status,
        provider_id=provider_id,
    )
    if moved and delivery.sender_id:
        _hold(uow.session, provider, {delivery.sender_id: seconds}, meaning.of_account, now)
    return bool(moved)


def may_be_sent_again(delivery: Delivery, code: str | None) -> bool:
    """Whether what a provider says of an accepted message means that it never tried."""
    return delivery.state == "sent" and delivery.attempts < TRIED_AFTER_SENT and meaning_of(code).postpones


def _meaning(item: Called) -> Meaning:
    return meaning_of(item.result.code) if isinstance(item.result, Refused) else Meaning.LATER


def _seconds(item: Called) -> float:
    if isinstance(item.result, Deferred):
        return item.result.seconds
    if isinstance(item.result, NotConnected):
        return _by_attempt(UNREACHED_PAUSES, item.number)
    return _by_attempt(OUR_PAUSES if _meaning(item).is_ours else LATER_PAUSES, item.number)


def _by_attempt(pauses: Sequence[int], number: int) -> float:
    return pauses[min(max(number, 1), len(pauses)) - 1]


def _complain(provider: str, items: Sequence[Called]) -> None:
    codes = [item.result.code for item in items if isinstance(item.result, Refused)]
    for code in codes:
        refusals.labels(provider, code).inc()
    log.error("provider_refuses_us", provider=provider, code=codes[0], messages=len(items))


def _hold_all(session: Session, called: Sequence[Called], provider: str, now: dt.datetime) -> None:
    for of_account in (False, True):
        held: dict[str, float] = {}
        for item in called:
            if not isinstance(item.result, NotConnected) and _of_account(item) == of_account:
                held[item.sender_id] = max(held.get(item.sender_id, 0.0), _seconds(item))
        if held:
            _hold(session, provider, held, of_account, now)


def _of_account(item: Called) -> bool:
    return item.result.of_account if isinstance(item.result, Deferred) else _meaning(item).of_account


def _hold(session: Session, provider: str, seconds: Mapping[str, float], of_account: bool, now: dt.datetime) -> None:
    """Holds senders, by id; or the account that all of them share, where its rate is limited."""
    if of_account:
        until = now + dt.timedelta(seconds=max(seconds.values()))
        values = {"held_until": _later(ProviderRate.held_until, until)}
        whole = update(ProviderRate).where(ProviderRate.provider == provider).values(values)
        if session.execute(whole.returning(ProviderRate.provider)).all():
            return
    for sender_id, wait in sorted(seconds.items()):
        session.execute(
            update(Sender)
            .where(Sender.id == sender_id)
            .values(held_until=_later(Sender.held_until, now + dt.timedelta(seconds=wait)))
            .execution_options(synchronize_session=False)
        )


def _later(held: Any, until: dt.datetime) -> ColumnElement[dt.datetime]:
    """What was asked for before may be longer: calls that were under way together are answered in any order."""
    moment = literal(until, Instant)
    return case((held > moment, held), else_=moment)
