"""What a bulk request would do, without doing any of it: the same decisions as when it is prepared."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import eventlet

from chassis.columns import new_id, utc_now
from chassis.database import Database
from services.messaging import addressees, consent, queues
from services.messaging.contents import resolve_message
from services.messaging.dispatching import joining
from services.messaging.dispatching.outcomes import Decider, Known, Outcome, Request, Sent, Wish, addresses_of
from services.messaging.dispatching.preparation import read_known
from services.messaging.dispatching.recipients import Facts, gather, subject_of
from services.messaging.dispatching.rendering import with_link
from services.messaging.links import PLACEHOLDER_TOKEN, link_of
from services.messaging.segments import count_segments
from services.messaging.settings import MessagingSettings
from services.messaging.templates import check_variants, pick_variant, render

Record = dict[str, Any]
Item = TypeVar("Item")

LOOKED_UP_AT_ONCE = 2000
"""Wishes whose consent is read by one statement."""
DECIDED_AT_ONCE = 100


def estimate(
    db: Database,
    calls: Any,
    settings: MessagingSettings,
    *,
    message: Record,
    channels: list[str],
    fallback: bool,
    allow_repeat: bool,
    coalesce: bool,
    items: list[Record],
    now: dt.datetime | None = None,
) -> Record:
    """Of notifications: recipients by outcome (`joined`: told of by another's message), segments, cost, and the seconds
    until the last has gone out.

    Raises Invalid, NotFound for an unknown template, Unavailable.
    """
    now, batch_id = now or utc_now(), new_id()
    wishes = list(_notifications(items, channels, fallback, batch_id, now, coalesce=coalesce))
    request, tally = _request(db, message, channels, allow_repeat=allow_repeat), _Tally()
    _count(db, calls, settings, request, channels, wishes, now, tally)
    return _summed(db, settings, channels, tally, now)


def estimate_messages(
    db: Database,
    calls: Any,
    settings: MessagingSettings,
    *,
    message: Record,
    channels: list[str],
    fallback: bool,
    pages: Iterable[list[str]],
    requested_by: str | None,
    now: dt.datetime,
) -> Record:
    """Of one message to each of many clients, a page of ids after the other. Raises as `estimate` does."""
    batch_id = new_id()
    request = _request(db, message, channels)
    tally = _Tally()
    for client_ids in pages:
        wishes = _messages(client_ids, channels, fallback, batch_id, requested_by, now)
        _count(db, calls, settings, request, channels, wishes, now, tally)
    return _summed(db, settings, channels, tally, now)


def _messages(
    client_ids: list[str],
    channels: list[str],
    fallback: bool,
    batch_id: str,
    requested_by: str | None,
    now: dt.datetime,
) -> list[Wish]:
    return [
        Wish(
            id=new_id(),
            kind="message",
            channel=channel,
            client_id=client_id,
            batch_id=batch_id,
            subject_id=batch_id,
            requested_by=requested_by,
            fallback=channels[1:] if fallback else (),
            send_after=now,
        )
        for client_id in client_ids
        for channel in (channels[:1] if fallback else channels)
    ]


@dataclass
class _Tally:
    """What the pages of an estimate come to. `sent`: what would have gone out to whom, so that no later page counts an
    address again."""

    recipients: Counter[str] = field(default_factory=Counter)
    segments: int = 0
    by_channel: Counter[str] = field(default_factory=Counter)
    sent: dict[tuple[str, str], Sent] = field(default_factory=dict)


def _request(db: Database, message: Record, channels: list[str], *, allow_repeat: bool = True) -> Request:
    with db.read() as session:
        _, variants = resolve_message(session, message, channels)
    return Request(
        allow_repeat=allow_repeat,
        variants=[variant.as_row() for variant in variants],
        uses=check_variants(variants, "message"),
    )


def _count(
    db: Database,
    calls: Any,
    settings: MessagingSettings,
    request: Request,
    channels: list[str],
    wishes: list[Wish],
    now: dt.datetime,
    tally: _Tally,
) -> None:
    """Adds to the tally what would become of the wishes."""
    facts = gather(calls, wishes, request.uses)
    wishes = [*wishes, *addressees.more_wishes(wishes, facts)]
    with db.read() as session:
        rates = queues.rates_of(session, channels, sandbox=settings.channels_of("sandbox"))
        states = _states(session, wishes, facts)
        senders = dict.fromkeys(rates, "any")
        addressed = {pair for wish in wishes for pair in addresses_of(wish, facts)} if tally.sent else ()
        known = Known(states, senders, [tally.sent[pair] for pair in addressed if pair in tally.sent])
        if any(wish.case_task_id for wish in wishes):  # else nothing of the kind went out before
            known = read_known(session, wishes, facts, states, senders, now)
    decider = Decider(facts, known, dict.fromkeys((wish.batch_id for wish in wishes), request), now)
    outcomes = joining.join([decider.decide(wish) for wish in _by_turns(wishes)])
    sent = [outcome for outcome in outcomes if outcome.reason is None and not outcome.follows]
    tally.segments += sum(_segments(outcome, request, settings.public_url) for outcome in _by_turns(sent))
    tally.by_channel.update(outcome.channel or outcome.wish.channel for outcome in sent)
    tally.recipients.update("joined" if one.follows else one.reason or "send" for one in outcomes)
    tally.sent |= {(one.channel, one.address): one for one in map(_as_sent, sent)}


def _as_sent(outcome: Outcome) -> Sent:
    wish = outcome.wish
    channel = outcome.channel or wish.channel
    return Sent(wish.id, wish.batch_id, wish.about or "", channel, outcome.address or "", "queued", None)


def _summed(db: Database, settings: MessagingSettings, channels: list[str], tally: _Tally, now: dt.datetime) -> Record:
    cost = settings.segment_cost * tally.segments + settings.call_cost * tally.by_channel["phone"]
    took = {"seconds": 0.0, "waits_seconds": 0.0}
    if tally.by_channel:
        with db.read() as session:
            rates = queues.rates_of(session, channels, sandbox=settings.channels_of("sandbox"))
            took = queues.seconds_for(session, tally.by_channel, rates, now)
    return {
        "recipients": dict(tally.recipients),
        "segments": tally.segments,
        "cost": cost.quantize(Decimal("0.0001")),
        "currency": settings.currency,
        **took,
    }


def _notifications(
    items: list[Record], channels: list[str], fallback: bool, batch_id: str, now: dt.datetime, *, coalesce: bool
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
                    joined_to=f"{client_id} {channel}" if coalesce else None,
                )


def _by_turns(items: Sequence[Item]) -> Iterator[Item]:
    """The items, with a turn for others in between: an estimate of many thousands computes for seconds."""
    for start in range(0, len(items), DECIDED_AT_ONCE):
        eventlet.sleep(0)
        yield from items[start : start + DECIDED_AT_ONCE]


def _states(session: Any, wishes: Sequence[Wish], facts: Facts) -> consent.States:
    states: dict[consent.Key, str | None] = {}
    for start in range(0, len(wishes), LOOKED_UP_AT_ONCE):
        keys = [
            key
            for wish in wishes[start : start + LOOKED_UP_AT_ONCE]
            for channel, address in addresses_of(wish, facts)
            for key in consent.keys_of(channel, address, subject_of(wish, facts))
        ]
        states |= consent.read_states(session, keys)
    return states


def _segments(outcome: Outcome, request: Request, public_url: str) -> int:
    channel = outcome.channel or outcome.wish.channel
    variant = pick_variant(request.variants, channel, outcome.language)
    if channel != "sms" or variant is None:
        return 0
    filled = with_link(outcome.variables or {}, link_of(public_url, PLACEHOLDER_TOKEN))
    return count_segments(render(variant.body, filled)).count
