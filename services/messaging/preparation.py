"""Preparing deliveries: from the wish to write to a client about something to an address and a time, or to a reason why
not. Everything is decided for up to 500 deliveries at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import phonenumbers
from sqlalchemy import or_, select, update

from chassis.columns import utc_now
from chassis.database import Database
from services.messaging import consent
from services.messaging.deliveries import move_each
from services.messaging.models import EXEMPT_KINDS, NOTIFIED, Batch, Content, Delivery, InboundMessage
from services.messaging.quiet_hours import next_window, place_of
from services.messaging.recipients import Facts, gather, variables_for
from services.messaging.senders import make_sandbox_sender, sender_for
from services.messaging.templates import pick_variant
from services.messaging.timing import next_business_moment

PREPARED_AT_ONCE = 500
LEASE = dt.timedelta(seconds=30)
"""Longer than the calls to the owners of the facts may take."""
REPEAT_WITHIN = dt.timedelta(hours=24)
FRESH_INBOUND = dt.timedelta(hours=24)
"""How long after a client wrote a person's answer counts as an answer."""


@dataclass(frozen=True)
class Wish:
    """A delivery as it is before it is prepared."""

    id: str
    kind: str
    channel: str
    client_id: str | None = None
    batch_id: str | None = None
    subject_id: str | None = None
    case_task_id: str | None = None
    case_id: str | None = None
    requested_by: str | None = None
    content_id: str | None = None
    fallback: Sequence[str] = ()
    address: str | None = None
    language: str | None = None
    send_after: dt.datetime = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True)
class Request:
    """What holds for all wishes of a batch. A single message has one of its own."""

    statuses: frozenset[str] | None = None
    allow_repeat: bool = True
    business_hours: bool = False
    variants: Sequence[dict[str, Any]] = ()
    uses: Sequence[str] = ()


@dataclass(frozen=True)
class Sent:
    """A delivery that has been, or is about to be, sent to an address about a case task."""

    id: str
    batch_id: str | None
    case_task_id: str
    channel: str
    address: str
    state: str
    sent_at: dt.datetime | None


@dataclass(frozen=True)
class Known:
    """What messaging itself knows: consent, senders by channel, what went out before, who wrote to us lately."""

    states: consent.States = field(default_factory=dict)
    senders: Mapping[str, str] = field(default_factory=dict)
    sent: Sequence[Sent] = ()
    wrote: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Outcome:
    """What becomes of a wish: `queued`, `accepted` (not before `due_at`), `suppressed` or `failed` with a reason."""

    wish: Wish
    state: str
    reason: str | None = None
    channel: str | None = None
    address: str | None = None
    sender_id: str | None = None
    due_at: dt.datetime | None = None
    window_closes: dt.datetime | None = None
    language: str | None = None
    variables: dict[str, Any] | None = None
    needs_opt_in: bool = False


def addresses_of(wish: Wish, facts: Facts) -> list[tuple[str, str]]:
    """(channel, address) in the order in which they are to be tried."""
    if wish.address and wish.kind in EXEMPT_KINDS:
        return [(wish.channel, wish.address)]
    recipient = facts.recipients.get(wish.client_id or "") or {}
    found = ((channel, recipient.get(channel)) for channel in (wish.channel, *wish.fallback))
    return [(channel, address if channel == "sms" else address.lower()) for channel, address in found if address]


class Decider:
    """Decides wishes one after the other, since an earlier one may make a later one a duplicate."""

    def __init__(self, facts: Facts, known: Known, requests: Mapping[str | None, Request], now: dt.datetime) -> None:
        self.facts, self.known, self.requests, self.now = facts, known, requests, now
        self._taken: dict[tuple[str, str, str], list[Sent]] = {}
        for sent in known.sent:
            self._taken.setdefault((sent.case_task_id, sent.channel, sent.address), []).append(sent)

    def decide(self, wish: Wish) -> Outcome:
        """The outcome of one wish."""
        request = self.requests[wish.batch_id or wish.id]
        if wish.kind in EXEMPT_KINDS:
            return self._queue(wish, request, wish.channel, str(wish.address), manual=True)
        recipient = self.facts.recipients.get(wish.client_id or "") or {"state": "erased"}
        if recipient["state"] != "found":
            reason = "client_blocked" if recipient["state"] == "blocked" else "client_erased"
            return Outcome(wish, "suppressed", reason)
        task = self.facts.tasks.get(wish.case_task_id or "")
        if request.statuses is not None and (task is None or task["status"] not in request.statuses):
            return Outcome(wish, "suppressed", "task_closed")
        return self._reach(wish, request)

    def _reach(self, wish: Wish, request: Request) -> Outcome:
        """Tries the channels in order; the first reason stands if none can be reached."""
        refused: Outcome | None = None
        tried = addresses_of(wish, self.facts)
        for channel, address in tried:
            reason = self._reason(wish, request, channel, address)
            if reason is None:
                return self._queue(wish, request, channel, address, manual=self._answers(wish, address))
            refused = refused or Outcome(wish, "suppressed", reason, channel=channel, address=address)
        return refused or Outcome(wish, "suppressed", "no_address")

    def _reason(self, wish: Wish, request: Request, channel: str, address: str) -> str | None:
        if channel == "sms" and not _could_be_valid(address):
            return "invalid_address"
        blocked = consent.block_reason(
            self.known.states,
            consent.keys_of(channel, address, wish.client_id),
            needs_opt_in=self._needs_opt_in(wish, address),
        )
        if blocked is not None or wish.case_task_id is None or wish.kind != "notification":
            return blocked
        for sent in self._taken.get((wish.case_task_id, channel, address), ()):
            if sent.id == wish.id:
                continue
            if sent.batch_id == wish.batch_id:
                return "duplicate"
            under_way = sent.state in ("queued", "sending", "unknown")
            if not request.allow_repeat and (under_way or (sent.sent_at or self.now) > self.now - REPEAT_WITHIN):
                return "repeated"
        return None

    def _answers(self, wish: Wish, address: str) -> bool:
        """Whether a person answers somebody who has just written."""
        return wish.kind == "message" and address in self.known.wrote

    def _needs_opt_in(self, wish: Wish, address: str) -> bool:
        rules = self.facts.rules
        return rules.require_opt_in and not (rules.allow_manual_reply and self._answers(wish, address))

    def _queue(self, wish: Wish, request: Request, channel: str, address: str, *, manual: bool) -> Outcome:
        if channel not in self.known.senders:
            return Outcome(wish, "failed", "no_sender", channel=channel, address=address)
        earliest = max(self.now, wish.send_after)
        if request.business_hours:
            opens = next_business_moment(self.facts.rules, earliest)
            if opens > self.now:
                return Outcome(wish, "accepted", due_at=opens)
        due_at, closes = (earliest, None) if manual else self._window(wish, channel, address, earliest)
        variant = pick_variant(request.variants, channel, self._language(wish))
        outcome = Outcome(
            wish,
            "queued",
            channel=channel,
            address=address,
            sender_id=self.known.senders[channel],
            due_at=due_at,
            window_closes=closes,
            language=variant.language if variant else self._language(wish),
            variables=variables_for(wish, self.facts, request.uses),
            needs_opt_in=wish.kind not in EXEMPT_KINDS and self._needs_opt_in(wish, address),
        )
        if wish.case_task_id is not None:
            sent = Sent(wish.id, wish.batch_id, wish.case_task_id, channel, address, "queued", None)
            self._taken.setdefault((wish.case_task_id, channel, address), []).append(sent)
        return outcome

    def _window(
        self, wish: Wish, channel: str, address: str, earliest: dt.datetime
    ) -> tuple[dt.datetime, dt.datetime | None]:
        permitted = self.facts.rules.permitted
        if channel != "sms" or permitted is None:
            return earliest, None
        recipient = self.facts.recipients.get(wish.client_id or "") or {}
        place = place_of(
            time_zone=recipient.get("time_zone"),
            postal_state=recipient.get("postal_state"),
            postal_country=recipient.get("postal_country"),
            phone=address,
            firm_time_zone=self.facts.rules.time_zone,
        )
        window = next_window(place.within(permitted.opens, permitted.closes), earliest)
        return window.opens, window.closes

    def _language(self, wish: Wish) -> str:
        recipient = self.facts.recipients.get(wish.client_id or "") or {}
        return wish.language or recipient.get("language") or self.facts.rules.locale


def _could_be_valid(number: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


# Reserving, reading, writing


def reserve(db: Database, owner: str, now: dt.datetime, limit: int = PREPARED_AT_ONCE) -> list[Wish]:
    """Takes up to `limit` deliveries of one firm whose time to be prepared has come, under a lease."""
    with db.unit_of_work() as uow:
        due = (
            select(Delivery.id)
            .where(
                Delivery.state == "accepted",
                Delivery.due_at <= now,
                or_(Delivery.lease_until.is_(None), Delivery.lease_until < now),
                or_(Delivery.batch_id.is_(None), Delivery.batch_id.in_(running_batches())),
            )
            .order_by(Delivery.due_at, Delivery.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        names = [name for name in Wish.__dataclass_fields__]
        taken = uow.session.execute(
            update(Delivery)
            .where(Delivery.id.in_(due), Delivery.state == "accepted")
            .values(lease_owner=owner, lease_until=now + LEASE)
            .returning(*(getattr(Delivery, name) for name in names))
            .execution_options(synchronize_session=False)
        ).all()
    wishes = [Wish(**{**row._mapping, "fallback": tuple(row.fallback or ())}) for row in taken]
    return sorted(wishes, key=lambda wish: wish.id)


def running_batches() -> Any:
    """The batches whose deliveries may be worked on: neither paused nor cancelled."""
    return select(Batch.id).where(Batch.state.in_(("accepted", "running")))


def prepare(db: Database, calls: Any, wishes: Sequence[Wish], owner: str, *, sandbox: bool, now: Any = utc_now) -> int:
    """Prepares reserved deliveries of one firm and returns how many. Raises Unavailable, DeadlineExceeded; then they are
    free again once the lease has ended.
    """
    if not wishes:
        return 0
    requests = read_requests(db, wishes)
    uses = {name for request in requests.values() for name in request.uses}
    facts = gather(calls, wishes, uses)
    keys = [key for wish in wishes for key in _keys(wish, facts)]
    with db.unit_of_work() as uow:
        consent.ensure_rows(uow, keys)
        # Held to the commit: of two that prepare for one address, the second sees what the first decided.
        states = consent.read_states(uow.session, keys, lock="update")
        senders = {}
        for channel in sorted({channel for wish in wishes for channel in (wish.channel, *wish.fallback)}):
            sender = sender_for(uow.session, channel)
            if sender is None and sandbox:
                sender = make_sandbox_sender(uow, str(db.firm_id), channel)
            if sender is not None:
                senders[channel] = sender.id
        moment = now()
        known = read_known(uow.session, wishes, facts, states, senders, moment)
        decider = Decider(facts, known, requests, moment)
        outcomes = [decider.decide(wish) for wish in wishes]
        mine = (Delivery.lease_owner == owner, Delivery.state == "accepted")
        for state in sorted({outcome.state for outcome in outcomes}):
            rows = [_row(outcome) for outcome in outcomes if outcome.state == state]
            move_each(uow, state, moment, rows, where=mine)
        _start_batches(uow.session, wishes, moment)
    return len(wishes)


def _start_batches(session: Any, wishes: Sequence[Wish], now: dt.datetime) -> None:
    ids = sorted({wish.batch_id for wish in wishes if wish.batch_id})
    if ids:
        session.execute(
            update(Batch)
            .where(Batch.id.in_(ids), Batch.state == "accepted")
            .values(state="running", updated_at=now, version=Batch.version + 1)
            .execution_options(synchronize_session=False)
        )


def _row(outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = {"id": outcome.wish.id}
    if outcome.state == "accepted":
        return {**row, "due_at": outcome.due_at, "send_after": outcome.due_at}
    row |= {"reason": outcome.reason, "channel": outcome.channel or outcome.wish.channel, "address": outcome.address}
    if outcome.state != "queued":
        return row
    # A single message is no duplicate of another.
    once = outcome.address if outcome.wish.batch_id else None
    return row | {
        "address_once": once,
        "sender_id": outcome.sender_id,
        "due_at": outcome.due_at,
        "window_closes": outcome.window_closes,
        "language": outcome.language,
        "variables": outcome.variables,
        "needs_opt_in": outcome.needs_opt_in,
    }


def _keys(wish: Wish, facts: Facts) -> list[consent.Key]:
    return [
        key
        for channel, address in addresses_of(wish, facts)
        for key in consent.keys_of(channel, address, wish.client_id)
    ]


def read_requests(db: Database, wishes: Iterable[Wish]) -> dict[str | None, Request]:
    """The request of each batch, by its id, and of each single message, by the message's own."""
    rows = list(wishes)
    with db.read() as session:
        batch_ids = {wish.batch_id for wish in rows if wish.batch_id}
        batches = {
            batch.id: batch for batch in session.scalars(select(Batch).where(Batch.id.in_(sorted(batch_ids)))).all()
        }
        content_ids = {wish.content_id for wish in rows if wish.content_id}
        contents = {
            content.id: content
            for content in session.scalars(select(Content).where(Content.id.in_(sorted(content_ids)))).all()
        }
    requests: dict[str | None, Request] = {}
    for wish in rows:
        key = wish.batch_id or wish.id
        if key in requests:
            continue
        content = contents.get(wish.content_id or "")
        batch = batches.get(wish.batch_id or "")
        requests[key] = Request(
            statuses=frozenset(batch.statuses) if batch else None,
            allow_repeat=batch.allow_repeat if batch else True,
            business_hours=bool(batch and batch.timing.get("mode") == "business_hours"),
            variants=content.variants if content else (),
            uses=content.uses if content else ("firm.name",),
        )
    return requests


def read_known(
    session: Any,
    wishes: Iterable[Wish],
    facts: Facts,
    states: consent.States,
    senders: Mapping[str, str],
    now: dt.datetime,
) -> Known:
    """What messaging's own tables say about the addresses of these wishes."""
    rows = list(wishes)
    addresses = sorted({address for wish in rows for _, address in addresses_of(wish, facts)})
    task_ids = sorted({wish.case_task_id for wish in rows if wish.case_task_id and wish.kind == "notification"})
    sent: list[Sent] = []
    if addresses and task_ids:
        names = ("id", "batch_id", "case_task_id", "channel", "address", "state", "sent_at")
        statement = select(*(getattr(Delivery, name) for name in names)).where(
            Delivery.address.in_(addresses),
            Delivery.case_task_id.in_(task_ids),
            Delivery.state.in_(NOTIFIED),
        )
        sent = [Sent(**row._mapping) for row in session.execute(statement)]
    wrote: frozenset[str] = frozenset()
    if any(wish.kind == "message" for wish in rows):
        statement = select(InboundMessage.sender).where(
            InboundMessage.sender.in_(addresses), InboundMessage.created_at > now - FRESH_INBOUND
        )
        wrote = frozenset(session.scalars(statement))
    return Known(states, senders, sent, wrote)
