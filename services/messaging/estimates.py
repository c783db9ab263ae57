"""What a bulk request would do, without doing any of it: the same decisions as when it is prepared."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from chassis.columns import new_id, utc_now
from chassis.database import Database
from services.messaging import consent
from services.messaging.contents import resolve_message
from services.messaging.links import PLACEHOLDER_TOKEN, link_of
from services.messaging.models import Sender
from services.messaging.outcomes import Decider, Outcome, Request, Wish, addresses_of
from services.messaging.preparation import read_known
from services.messaging.recipients import gather
from services.messaging.rendering import with_link
from services.messaging.segments import count_segments
from services.messaging.senders import SANDBOX_RATE
from services.messaging.templates import check_variants, pick_variant, render

Record = dict[str, Any]


def estimate(
    db: Database,
    calls: Any,
    *,
    public_url: str,
    sandbox: Collection[str],
    segment_cost: Decimal,
    call_cost: Decimal,
    currency: str,
    message: Record,
    channels: list[str],
    fallback: bool,
    allow_repeat: bool,
    items: list[Record],
    now: dt.datetime | None = None,
) -> Record:
    """Recipients by outcome, segments, cost, and the seconds that sending takes at the senders' rates.

    Raises Invalid, NotFound for an unknown template, Unavailable.
    """
    now = now or utc_now()
    with db.read() as session:
        _, variants = resolve_message(session, message, channels)
    request = Request(
        allow_repeat=allow_repeat,
        variants=[variant.as_row() for variant in variants],
        uses=check_variants(variants, "message"),
    )
    batch_id = new_id()
    wishes = list(_wishes(items, channels, fallback, batch_id, now))
    facts = gather(calls, wishes, request.uses)
    keys = [
        key
        for wish in wishes
        for channel, address in addresses_of(wish, facts)
        for key in consent.keys_of(channel, address, wish.client_id)
    ]
    with db.read() as session:
        states = consent.read_states(session, keys)
        rates = _rates(session, channels, sandbox=sandbox)
        known = read_known(session, wishes, facts, states, dict.fromkeys(rates, batch_id), now)
    decider = Decider(facts, known, {batch_id: request}, now)
    outcomes = [decider.decide(wish) for wish in wishes]
    sent = [outcome for outcome in outcomes if outcome.reason is None]
    segments = sum(_segments(outcome, request, public_url) for outcome in sent)
    by_channel = Counter(outcome.channel or outcome.wish.channel for outcome in sent)
    return {
        "recipients": dict(Counter(outcome.reason or "send" for outcome in outcomes)),
        "segments": segments,
        "cost": (segment_cost * segments + call_cost * by_channel["phone"]).quantize(Decimal("0.0001")),
        "currency": currency,
        "seconds": max((count / rates[channel] for channel, count in by_channel.items()), default=0.0),
    }


def _wishes(
    items: list[Record], channels: list[str], fallback: bool, batch_id: str, now: dt.datetime
) -> Iterator[Wish]:
    for item in items:
        for client_id in dict.fromkeys(item["client_ids"]):
            for channel in channels[:1] if fallback else channels:
                yield Wish(
                    id=new_id(),
                    kind="notification",
                    channel=channel,
                    client_id=client_id,
                    batch_id=batch_id,
                    case_task_id=item["case_task_id"],
                    case_id=item["case_id"],
                    fallback=channels[1:] if fallback else (),
                    send_after=now,
                )


def _rates(session: Any, channels: list[str], *, sandbox: Collection[str]) -> dict[str, float]:
    rates = {channel: SANDBOX_RATE for channel in channels if channel in sandbox}
    statement = select(Sender).where(Sender.channel.in_(channels)).order_by(Sender.created_at.desc(), Sender.id.desc())
    for sender in session.scalars(statement):
        rates[sender.channel] = sender.rate
    return rates


def _segments(outcome: Outcome, request: Request, public_url: str) -> int:
    channel = outcome.channel or outcome.wish.channel
    variant = pick_variant(request.variants, channel, outcome.language)
    if channel != "sms" or variant is None:
        return 0
    filled = with_link(outcome.variables or {}, link_of(public_url, PLACEHOLDER_TOKEN))
    return count_segments(render(variant.body, filled)).count
