"""How long what is asked for now will take, behind what waits on the same senders already."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from chassis.scoping import EVERY_KIND
from services.messaging.deliveries import is_message
from services.messaging.dispatching.preparation import running_batches
from services.messaging.models import WAITING, Batch, Delivery, ProviderRate, Sender
from services.messaging.senders import FIRST, SANDBOX_RATE


@dataclass(frozen=True)
class Waiting:
    """Messages of a channel that wait: those whose time has come, and those whose time is still to come."""

    due: int = 0
    later: int = 0


def rates_of(session: Session, channels: Iterable[str], *, sandbox: Collection[str] = ()) -> dict[str, float]:
    """Messages a second by channel: the rate of the firm's sender, or of the provider's whole account if that is less.
    A channel without a sender gets one of the sandbox's where the `sandbox` carries it."""
    wanted = list(channels)
    rates = {channel: SANDBOX_RATE for channel in wanted if channel in sandbox}
    statement = (
        select(Sender.channel, Sender.rate, ProviderRate.rate)
        .join(ProviderRate, ProviderRate.provider == Sender.provider, isouter=True)
        .where(Sender.channel.in_(wanted))
        .order_by(*FIRST)
    )
    found: dict[str, float] = {}
    for channel, rate, of_account in session.execute(statement):
        found.setdefault(channel, min(rate, of_account or rate))
    return rates | found


def waiting(session: Session, now: dt.datetime, until: dt.datetime) -> dict[str, Waiting]:
    """By channel, what waits of the firm's and may go out by `until`. Nothing that is paused counts."""
    due = func.sum(case((Delivery.due_at <= now, 1), else_=0))
    found: dict[str, Waiting] = {}
    # One statement for each state, so that each goes through the index of what is in it.
    for in_state in (
        (Delivery.state == "accepted",),
        (Delivery.state == "queued", Delivery.sender_id.in_(select(Sender.id))),
    ):
        statement = (
            select(Delivery.channel, func.count(), due)
            .where(
                *in_state,
                Delivery.due_at <= until,
                is_message(),
                or_(Delivery.batch_id.is_(None), Delivery.batch_id.in_(running_batches())),
            )
            .group_by(Delivery.channel)
        )
        for channel, total, now_due in session.execute(statement, execution_options=EVERY_KIND):
            before = found.get(channel, Waiting())
            found[channel] = Waiting(before.due + now_due, before.later + total - now_due)
    return found


def finish_of(session: Session, batch: Batch, now: dt.datetime) -> dt.datetime | None:
    """When the last of a batch would have gone out, behind what goes before it on its senders; null if nothing of it
    waits, or nothing goes on. What is still to come due is taken to come due at once, so that it is rather late than
    early."""
    if batch.state not in ("accepted", "running"):
        return None
    mine = select(Delivery.channel, func.max(Delivery.due_at), func.max(Delivery.send_after)).where(
        Delivery.batch_id == batch.id, Delivery.state.in_(WAITING), is_message()
    )
    ends = []
    for channel, due_at, send_after in session.execute(mine.group_by(Delivery.channel), execution_options=EVERY_KIND):
        # One that waits for the rest of its batch is due at no time yet.
        last = due_at if due_at.year < 9999 else max(now, send_after)
        line = waiting(session, now, last).get(channel, Waiting())
        rate = rates_of(session, [channel]).get(channel, 1.0)
        free = now + dt.timedelta(seconds=line.due / rate)
        ends.append(max(free, last) + dt.timedelta(seconds=line.later / rate) if line.later else max(free, last, now))
    return max(ends, default=None)


def seconds_for(
    session: Session, counts: Mapping[str, int], rates: Mapping[str, float], now: dt.datetime
) -> dict[str, Any]:
    """For `counts` new messages by channel: the seconds until the last has gone out, and how many of them
    (`waits_seconds`) are those of what waits there already."""
    ahead = waiting(session, now, now)
    slowest = max(counts, key=lambda channel: (ahead.get(channel, Waiting()).due + counts[channel]) / rates[channel])
    waits = ahead.get(slowest, Waiting()).due / rates[slowest]
    return {"seconds": waits + counts[slowest] / rates[slowest], "waits_seconds": waits}
