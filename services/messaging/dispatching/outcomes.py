"""What becomes of a wish to write to a client: an address and a time, or a reason why not. Pure rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import phonenumbers

from contracts.messaging import NUMBER_CHANNELS
from contracts.tasks import OPEN_STATUSES
from services.messaging import consent
from services.messaging.deliveries import LONG_AGO
from services.messaging.dispatching.recipients import NOTIFICATION, Facts, person_of, subject_of, variables_for
from services.messaging.emails.email_parts import NAMES as EMAIL_NAMES
from services.messaging.models import EXEMPT_KINDS
from services.messaging.quiet_hours import Place, place_of
from services.messaging.templates import LINKS, pick_variant
from services.messaging.timing import next_time

REPEAT_WITHIN = dt.timedelta(hours=24)
FRESH_INBOUND = dt.timedelta(hours=24)
"""How long after a client wrote a person's answer counts as an answer."""
ANSWER_WITHIN = dt.timedelta(minutes=5)
"""47 CFR 64.1200(a)(12): the confirmation of an opt-out comes within five minutes."""


@dataclass(frozen=True)
class Wish:
    """A delivery as it is before it is prepared; `followers` are joined to it."""

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
    sender_id: str | None = None
    send_after: dt.datetime = LONG_AGO
    joined_to: str | None = None
    in_business_hours: bool = False
    conversation_id: str | None = None
    staff_id: str | None = None
    variables: dict[str, Any] | None = None
    contact_id: str | None = None
    added: bool = False
    to_contacts: bool = False
    followers: Sequence[Wish] = ()

    @property
    def addressed(self) -> bool:
        """Whether it goes to its own address, whoever has it: an answer to what came from there, a notice to staff."""
        stays = self.kind in EXEMPT_KINDS or self.conversation_id is not None or self.staff_id is not None
        return bool(self.address) and stays

    @property
    def own_variables(self) -> dict[str, Any]:
        """What it was told with: the words of a notice to staff; which form or cases a new link leads to that a client
        wants."""
        known = self.variables or {}
        leads_to = {name: known[name] for name in known if name in ("form", "cases") and self.case_task_id is None}
        return known if self.staff_id is not None else leads_to

    @property
    def about(self) -> str | None:
        """What an address hears of once: of a batch, a case task or the batch's own message; else the message that goes
        to several contacts."""
        if self.kind == "notification":
            return self.case_task_id
        return self.subject_id if self.batch_id or self.to_contacts else None

    @classmethod
    def columns(cls) -> list[str]:
        """The names of what a delivery's row tells."""
        return [name for name in cls.__dataclass_fields__ if name != "followers"]

    @classmethod
    def from_row(cls, row: Any) -> Wish:
        """From a row of `columns`."""
        return cls(**{**row._mapping, "fallback": tuple(row.fallback or ())})


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
    """A delivery that has been, or is about to be, sent to an address about something (`Wish.about`)."""

    id: str
    batch_id: str | None
    about: str
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
    joined_to: str | None = None
    contact_id: str | None = None

    @property
    def follows(self) -> bool:
        """Whether another's message tells of it."""
        return self.joined_to not in (None, self.wish.id)


def addresses_of(wish: Wish, facts: Facts) -> list[tuple[str, str]]:
    """(channel, address) in the order in which they are to be tried."""
    if wish.addressed:
        return [(wish.channel, str(wish.address))]
    person = person_of(wish, facts)
    found = ((channel, person.get(channel)) for channel in (wish.channel, *wish.fallback))
    return [
        (channel, address if channel in NUMBER_CHANNELS else address.lower()) for channel, address in found if address
    ]


def _leads_to_task(wish: Wish, request: Request) -> bool:
    """Whether staff send a link to a task by a message of its own, which may be for later. (A new link that a client
    asked for is sent whatever became of the task.)"""
    by_staff = wish.kind == "message" and wish.batch_id is None and wish.requested_by is not None
    return by_staff and wish.case_task_id is not None and not LINKS.isdisjoint(request.uses)


def _is_closed_to(wish: Wish, request: Request, case: Mapping[str, Any]) -> bool:
    """Whether the case was archived since it was asked to write about a task of it, so that nothing can be done there,
    or the client is no longer one of it, who must not hear of it. (A case that was not asked for says neither.)"""
    asks = wish.kind == NOTIFICATION or _leads_to_task(wish, request)
    archived = asks and case.get("state") == "archived"
    by_rule = wish.kind == "message" and wish.batch_id is not None
    return archived or ((asks or by_rule) and wish.client_id not in case.get("client_ids", [wish.client_id]))


class Decider:
    """Decides wishes one after the other, since an earlier one may make a later one a duplicate."""

    def __init__(self, facts: Facts, known: Known, requests: Mapping[str | None, Request], now: dt.datetime) -> None:
        self.facts, self.known, self.requests, self.now = facts, known, requests, now
        self._taken: dict[tuple[str, str, str], list[Sent]] = {}
        for sent in known.sent:
            self._taken.setdefault((sent.about, sent.channel, sent.address), []).append(sent)

    def decide(self, wish: Wish) -> Outcome:
        """The outcome of one wish."""
        request = self.requests[wish.batch_id or wish.id]
        if wish.kind in EXEMPT_KINDS:
            return self._answer(wish, request)
        if wish.client_id is not None or not wish.addressed:
            recipient = self.facts.recipients.get(wish.client_id or "") or {"state": "erased"}
            if recipient["state"] != "found":
                reason = "client_blocked" if recipient["state"] == "blocked" else "client_erased"
                return Outcome(wish, "suppressed", reason)
        task = self.facts.tasks.get(wish.case_task_id or "")
        if request.statuses is not None and (task is None or task["status"] not in request.statuses):
            return Outcome(wish, "suppressed", "task_closed")
        if _leads_to_task(wish, request) and (task is None or task["status"] not in OPEN_STATUSES):
            return Outcome(wish, "suppressed", "task_closed")
        if _is_closed_to(wish, request, self.facts.cases.get(wish.case_id or "") or {}):
            return Outcome(wish, "suppressed", "task_closed")
        return self._reach(wish, request)

    def _answer(self, wish: Wish, request: Request) -> Outcome:
        """An answer to what somebody wrote: at any hour, but soon or not at all."""
        until = wish.send_after + ANSWER_WITHIN
        if self.now >= until:
            return Outcome(wish, "failed", "too_late", channel=wish.channel, address=wish.address)
        outcome = self._queue(wish, request, wish.channel, str(wish.address), manual=True)
        return replace(outcome, window_closes=until) if outcome.state == "queued" else outcome

    def _reach(self, wish: Wish, request: Request) -> Outcome:
        """Tries the channels in order; the first reason stands if none can be reached."""
        refused: Outcome | None = None
        contact_id = person_of(wish, self.facts).get("contact_id")
        for channel, address in addresses_of(wish, self.facts):
            reason = self._reason(wish, request, channel, address)
            if reason is None:
                outcome = self._queue(wish, request, channel, address, manual=self._answers(wish, channel, address))
                return outcome if contact_id is None else replace(outcome, contact_id=contact_id)
            refused = refused or Outcome(
                wish, "suppressed", reason, channel=channel, address=address, contact_id=contact_id
            )
        return refused or Outcome(wish, "suppressed", "no_address", contact_id=contact_id or wish.contact_id)

    def _reason(self, wish: Wish, request: Request, channel: str, address: str) -> str | None:
        if channel in NUMBER_CHANNELS and not _could_be_valid(address):
            return "invalid_address"
        blocked = consent.block_reason(
            self.known.states,
            consent.keys_of(channel, address, subject_of(wish, self.facts)),
            needs_opt_in=self._needs_opt_in(wish, channel, address),
        )
        if blocked is not None or wish.about is None:
            return blocked
        for sent in self._taken.get((wish.about, channel, address), ()):
            if sent.id == wish.id:
                continue
            if sent.batch_id == wish.batch_id:
                return "duplicate"
            under_way = sent.state in ("queued", "sending", "unknown")
            if not request.allow_repeat and (under_way or (sent.sent_at or self.now) > self.now - REPEAT_WITHIN):
                return "repeated"
        return None

    def _answers(self, wish: Wish, channel: str, address: str) -> bool:
        """Whether a person answers somebody who has just written. A call that reads a text aloud is no answer."""
        by_hand = wish.kind == "message" and wish.batch_id is None
        return by_hand and channel != "phone" and address in self.known.wrote

    def _needs_opt_in(self, wish: Wish, channel: str, address: str) -> bool:
        rules = self.facts.rules
        if wish.staff_id is not None:
            return False
        return rules.require_opt_in and not (rules.allow_manual_reply and self._answers(wish, channel, address))

    def _queue(self, wish: Wish, request: Request, channel: str, address: str, *, manual: bool) -> Outcome:
        sender_id = wish.sender_id or self.known.senders.get(channel)
        if sender_id is None:
            return Outcome(wish, "failed", "no_sender", channel=channel, address=address)
        earliest = max(self.now, wish.send_after)
        firm = self.facts.rules if request.business_hours or wish.in_business_hours else None
        place = None if manual else self._place(wish, channel, address)
        due_at, closes = next_time(earliest, firm=firm, place=place)
        if firm is not None and due_at > self.now:
            return Outcome(wish, "accepted", due_at=due_at)
        variant = pick_variant(request.variants, channel, self._language(wish))
        uses = [*request.uses, *(EMAIL_NAMES if channel == "email" else ())]
        outcome = Outcome(
            wish,
            "queued",
            channel=channel,
            address=address,
            sender_id=sender_id,
            due_at=due_at,
            window_closes=closes,
            language=variant.language if variant else self._language(wish),
            variables={**variables_for(wish, self.facts, uses), **wish.own_variables},
            needs_opt_in=wish.kind not in EXEMPT_KINDS and self._needs_opt_in(wish, channel, address),
        )
        if wish.about is not None:
            sent = Sent(wish.id, wish.batch_id, wish.about, channel, address, "queued", None)
            self._taken.setdefault((wish.about, channel, address), []).append(sent)
        return outcome

    def _place(self, wish: Wish, channel: str, address: str) -> Place | None:
        """Where the recipient is, with the hours that are permitted there; None where all are."""
        permitted = self.facts.rules.permitted
        if channel not in NUMBER_CHANNELS or permitted is None:
            return None
        recipient = self.facts.recipients.get(wish.client_id or "") or {}
        place = place_of(
            time_zone=recipient.get("time_zone"),
            postal_state=recipient.get("postal_state"),
            postal_country=recipient.get("postal_country"),
            phone=address,
            firm_time_zone=self.facts.rules.time_zone,
        )
        if person_of(wish, self.facts).get("contact_id") is not None:
            # A contact of a business may be elsewhere than the business.
            place = place.or_at(place_of(phone=address, firm_time_zone=self.facts.rules.time_zone))
        return place.within(permitted.opens, permitted.closes)

    def _language(self, wish: Wish) -> str:
        recipient = self.facts.recipients.get(wish.client_id or "") or {}
        return wish.language or recipient.get("language") or self.facts.rules.locale


def _could_be_valid(number: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
