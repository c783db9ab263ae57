"""What messages and calls have cost, asked of providers that name a price only some minutes after the end.

No callback carries it. Whoever records that a delivery was sent, or how it ended, sets when to ask first, in the same
statement; a dispatcher then asks for a few at a time. A crash between a question and its record only asks again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import eventlet
from sqlalchemy import ColumnElement, case, literal, or_, select, update

from chassis.columns import Instant
from chassis.database import Database
from chassis.telemetry import log_of, log_unexpected
from chassis.value_sets import among
from services.messaging.adapters.base import Deferred, Figures, Provider
from services.messaging.models import Delivery, Sender
from services.messaging.setwise import update_rows

log = log_of(__name__)

CHARGING = ("twilio",)
"""Providers that name the price of a message or call when they have charged for it."""
ASK_AFTER = (dt.timedelta(minutes=10), dt.timedelta(hours=1), dt.timedelta(hours=6))
"""From a delivery's end until each question. What has no price at the last has none."""
ASK_UNREPORTED_AFTER = dt.timedelta(hours=12)
"""From acceptance, where no end is ever reported: not all carriers and handsets do. Twilio keeps a message in its queue
for 10 hours at most; by then it was sent, and charged for, or it never will be."""
GIVE_UP_AFTER = dt.timedelta(days=1)
"""From a delivery's end, where the provider could not be asked."""
_FIRST_AFTER = {"sent": ASK_UNREPORTED_AFTER, **dict.fromkeys(("delivered", "undelivered", "failed"), ASK_AFTER[0])}
AT_ONCE = 50
SIDE_BY_SIDE = 8
"""Questions under way at once: a provider counts them with the requests that send."""
PAUSE = dt.timedelta(seconds=1)
"""Between a dispatcher's rounds, so that no more than `AT_ONCE` questions are asked in it."""
LEASE = dt.timedelta(minutes=5)
"""Longer than a round takes: what one that was killed had taken is asked about again after it."""
UNREACHED = 60.0
"""Seconds before a provider that could not be asked is asked again."""


def due_after(state: str, now: dt.datetime, price: Decimal | None) -> dict[str, Any]:
    """What the statement that moves a delivery to `state` sets as well. `price`: if it came with the news."""
    if state not in _FIRST_AFTER:
        return {}
    return {"price_due_at": None if price is not None else _due(now + _FIRST_AFTER[state])}


def due_after_acceptance(provider: str, now: dt.datetime, price: Decimal | None) -> dict[str, Any]:
    """`due_after` being sent, for one of many whose provider is known."""
    if provider not in CHARGING:
        return {}
    return {"price_due_at": None if price is not None else now + ASK_UNREPORTED_AFTER}


def _due(at: dt.datetime) -> ColumnElement[Any]:
    # The provider of the callback does not say it: the sandbox calls back as Twilio does.
    charged = select(Sender.id).where(Sender.id == Delivery.sender_id, Sender.provider.in_(CHARGING)).exists()
    return case((Delivery.price.is_(None) & charged, literal(at, Instant)))


@dataclass(frozen=True)
class _Unpriced:
    """A delivery whose price is to be asked for. `ended_at`: nothing has changed it since."""

    id: str
    provider: str
    provider_id: str
    channel: str
    segments: int | None
    ended_at: dt.datetime


class Prices:
    """The questions of one dispatcher. `owner` is its name in leases."""

    def __init__(
        self, db: Database, providers: Mapping[str, Provider], owner: str, now: Callable[[], dt.datetime]
    ) -> None:
        self._db = db.across_firms("a dispatcher asks for the prices of every firm")
        self._providers = providers
        self._owner = owner
        self._now = now
        self._next_at = now()
        self._rests_until: dict[str, dt.datetime] = {}

    def ask_some(self) -> bool:
        """Asks for some of the prices that are due. Returns whether there may be more at once: never, for a provider
        is asked at a measured pace, and not at all while it wants no requests."""
        now = self._now()
        if now < self._next_at:
            return False
        self._next_at = now + PAUSE
        if all(self._rests(name, now) for name in CHARGING):
            return False
        reserved = self._reserve(now)
        if reserved:
            pool = eventlet.GreenPool(SIDE_BY_SIDE)
            self._record(list(zip(reserved, pool.imap(self._ask, reserved), strict=True)))
        return False

    def _rests(self, provider: str, now: dt.datetime) -> float:
        """Seconds for which a provider wants no requests."""
        return max(0.0, (self._rests_until.get(provider, now) - now).total_seconds())

    def _reserve(self, now: dt.datetime) -> list[_Unpriced]:
        # No join: PostgreSQL may begin with the senders, and look through all that is due for each.
        provider = select(Sender.provider).where(Sender.id == Delivery.sender_id).scalar_subquery()
        free = or_(Delivery.lease_until.is_(None), Delivery.lease_until < now)
        statement = (
            select(
                Delivery.id,
                provider.label("provider"),
                Delivery.provider_id,
                Delivery.channel,
                Delivery.provider_segments.label("segments"),
                Delivery.updated_at.label("ended_at"),
            )
            .where(Delivery.price_due_at <= now, free)
            .order_by(Delivery.price_due_at)
            .limit(AT_ONCE)
            .with_for_update(skip_locked=True, of=Delivery)
        )
        with self._db.unit_of_work() as uow:
            reserved = [_Unpriced(**row._mapping) for row in uow.session.execute(statement)]
            if reserved:
                uow.session.execute(
                    update(Delivery)
                    .where(among(uow.session, Delivery.id, [one.id for one in reserved]))
                    .values(lease_owner=self._owner, lease_until=now + LEASE)
                    .execution_options(synchronize_session=False)
                )
        return reserved

    def _ask(self, one: _Unpriced) -> Figures | Deferred:
        provider = self._providers.get(one.provider)
        if provider is None:
            return Figures()
        rests = self._rests(one.provider, self._now())
        if rests:
            return Deferred(rests)
        answer: Figures | Deferred | None = None
        try:
            with eventlet.Timeout(provider.seconds, False):
                answer = provider.figures(one.provider_id, one.channel)
        except Exception as error:
            log_unexpected(log, error, event="price_not_asked", provider=one.provider)
            return Figures()
        answer = answer or Deferred(UNREACHED)
        if isinstance(answer, Deferred):
            self._rests_until[one.provider] = self._now() + dt.timedelta(seconds=answer.seconds)
        return answer

    def _record(self, answers: Iterable[tuple[_Unpriced, Figures | Deferred]]) -> None:
        """One statement for what is known now, and one for the rest. A delivery that has come to another end meanwhile
        is asked about anew."""
        now = self._now()
        known, others = [], []
        for one, answer in answers:
            if isinstance(answer, Figures) and answer.price is not None:
                segments = answer.segments or one.segments
                figures = {"provider_segments": segments, "price": answer.price, "currency": answer.currency}
                known.append({"id": one.id, **figures})
            else:
                others.append({"id": one.id, "price_due_at": _again(one.ended_at, answer, now)})
        # What was dropped meanwhile is to be sent again: its lease is of another kind.
        mine = (Delivery.lease_owner == self._owner, Delivery.price_due_at.is_not(None))
        free = {"lease_owner": None, "lease_until": None}
        news = {"price_due_at": None, "updated_at": now, "version": Delivery.version + 1}
        with self._db.unit_of_work() as uow:
            update_rows(uow.session, Delivery, known, where=mine, also={**free, **news})
            update_rows(uow.session, Delivery, others, where=mine, also=free)


def _again(ended_at: dt.datetime, answer: Figures | Deferred, now: dt.datetime) -> dt.datetime | None:
    """When to ask again for what has no price yet, None for never."""
    if isinstance(answer, Deferred):
        return now + dt.timedelta(seconds=answer.seconds) if now < ended_at + GIVE_UP_AFTER else None
    return next((ended_at + pause for pause in ASK_AFTER if ended_at + pause > now), None)
