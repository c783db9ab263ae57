"""Token buckets: what a sender may send, and a provider's whole account, shared by all dispatchers."""

from __future__ import annotations

import datetime as dt
from typing import Any, cast

from sqlalchemy import bindparam, select, update

from chassis.unit_of_work import UnitOfWork
from services.messaging.models import ProviderRate, Sender

CLAIM_MAY_TAKE = dt.timedelta(seconds=5)
"""Longer than any claim takes from its look at the clock to its last statement."""

_BUCKET = (
    select(Sender.rate, Sender.tokens, Sender.tokens_at, Sender.held_until)
    .where(Sender.id == bindparam("sender_id"))
    .with_for_update()
)
_ACCOUNT = (
    select(ProviderRate.rate, ProviderRate.tokens, ProviderRate.tokens_at, ProviderRate.held_until)
    .where(ProviderRate.provider == bindparam("provider"))
    .with_for_update()
)


def burst_of(rate: float) -> float:
    """The most that may go out at once after a pause: a quarter second's worth, and at least one."""
    return max(1.0, rate / 4)


def tokens_at(tokens: float, since: dt.datetime, rate: float, now: dt.datetime) -> float:
    """The token bucket's content now. A clock that was set back adds nothing but one, by which the next claim takes the
    bucket's time back too: nothing would go out until the clock had caught up."""
    if since > now + CLAIM_MAY_TAKE:
        return max(1.0, tokens)
    elapsed = max(0.0, (now - since).total_seconds())
    return min(burst_of(rate), tokens + elapsed * rate)


class TooFewTokens(Exception):
    """The rate allows fewer than were begun: nothing of the transaction stays."""

    def __init__(self, tokens: float, bucket: Any, now: dt.datetime, *, of_account: bool) -> None:
        self.tokens = tokens
        self.held_until = None if of_account else bucket.held_until
        self.account_free_at = _free_at(tokens, bucket, now) if of_account else None
        super().__init__(tokens)


def spend(uow: UnitOfWork, sender_id: str, count: int, now: dt.datetime) -> float:
    """Takes `count` from the sender's bucket and returns what is left. The last of a claim's statements, because all
    claims of a sender meet here, and what ends its transaction. Raises TooFewTokens."""
    bucket = uow.session.execute(_BUCKET, {"sender_id": sender_id}).one()
    left, moment = _taken(bucket, count, now)
    uow.end_with(
        update(Sender)
        .where(Sender.id == sender_id)
        .values(tokens=left, tokens_at=moment)
        .execution_options(synchronize_session=False)
    )
    return left


def spend_of_account(uow: UnitOfWork, provider: str, count: int, now: dt.datetime) -> None:
    """The same from the bucket of a provider's whole account, where all firms' claims meet."""
    bucket = uow.session.execute(_ACCOUNT, {"provider": provider}).one_or_none()
    if bucket is None:  # the limit was lifted
        return
    left, moment = _taken(bucket, count, now, of_account=True)
    uow.end_with(
        update(ProviderRate)
        .where(ProviderRate.provider == provider)
        .values(tokens=left, tokens_at=moment)
        .execution_options(synchronize_session=False)
    )


def _taken(bucket: Any, count: int, now: dt.datetime, *, of_account: bool = False) -> tuple[float, dt.datetime]:
    """What is left of a bucket without `count`, and as of when. Raises TooFewTokens."""
    # Another claim may have looked at the clock later, and yet come first. Much later: the clock was set back.
    moment = max(now, bucket.tokens_at) if bucket.tokens_at < now + CLAIM_MAY_TAKE else now
    tokens = tokens_at(bucket.tokens, bucket.tokens_at, bucket.rate, moment)
    if bucket.held_until is not None and bucket.held_until > now:
        tokens = 0.0
    if count > int(tokens):
        raise TooFewTokens(tokens, bucket, now, of_account=of_account)
    return tokens - count, moment


def _free_at(tokens: float, bucket: Any, now: dt.datetime) -> dt.datetime:
    if bucket.held_until is not None and bucket.held_until > now:
        return cast(dt.datetime, bucket.held_until)
    return now + dt.timedelta(seconds=max(0.0, 1.0 - tokens) / bucket.rate)
