"""What happens in calls: keys that people press in ours, and calls that come in. Key 9 is a STOP to calls; what else is
pressed in ours is kept for those who read of the call."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select

from chassis.columns import utc_now
from chassis.context import Context, use
from chassis.database import Database
from chassis.unit_of_work import UnitOfWork
from contracts.errors import DeadlineExceeded, Invalid, NotFound, Unavailable
from contracts.messaging import NUMBER_CHANNELS
from services.messaging import consent
from services.messaging.consents import stops
from services.messaging.models import Delivery, ProviderEvent, Sender
from services.messaging.senders import normalise_address
from services.messaging.spoken import KEYS, OPT_OUT_KEY, own_language, said, script_of, voice_of
from services.messaging.statuses import as_delivery_id
from services.messaging.timing import FirmRules

Record = dict[str, Any]

_WITHHELD = frozenset({"+266696687", "+2562533", "+464", "+7378742833", "+8656696", "+86282452253"})
"""What Twilio gives for a caller's number that it is not told: ANONYMOUS, BLOCKED and the like, on a keypad."""


def press_key(
    db: Database,
    calls: Any,
    *,
    provider: str,
    provider_id: str,
    digits: str,
    token: str | None = None,
    event_id: str | None = None,
    now: dt.datetime | None = None,
) -> Record:
    """What is said after a key in a call that we made: {"text", "language", "awaits_key"}. 9 opts the number out of
    calls before it is confirmed; any other key has the message read once more. The call keeps what was pressed in it.
    The same `event_id` again changes nothing.

    Raises NotFound `call_not_found`, Unavailable.
    """
    call = _call_of(db, token)
    now = now or utc_now()
    if digits in KEYS:
        with db.for_firm(call.firm_id).unit_of_work() as uow:
            if digits == OPT_OUT_KEY:
                evidence = {"digits": digits, "provider": provider, "provider_id": provider_id, "delivery_id": call.id}
                # Consent first, as in a claim: two that want the same rows wait for each other, and do not deadlock.
                _stop(uow, str(call.address), evidence, now, client_id=call.contact_id or call.client_id)
            mark = None if event_id is None else {"provider": provider, "event_id": f"{event_id}:{call.id}", "at": now}
            _keep(uow, call.id, digits, mark, now)
    if digits == OPT_OUT_KEY:
        return _spoken("stopped", call.language, _rules_of(calls, call.firm_id))
    script = script_of(call.body or "", call.language)
    return {"text": f"{script.message} {script.menu}".strip(), "language": script.voice, "awaits_key": True}


def receive_call(
    db: Database,
    calls: Any,
    *,
    provider: str,
    provider_id: str,
    from_: str,
    to: str,
    digits: str | None = None,
    now: dt.datetime | None = None,
) -> Record:
    """What somebody hears who calls a number of ours: whose it is, and that 9 ends our calls.

    Raises NotFound `sender_not_found` if no firm has the number, Unavailable.
    """
    firm_id = _firm_called(db, to)
    number = _number_of(from_)
    if number is not None and digits == OPT_OUT_KEY:
        evidence = {"digits": digits, "provider": provider, "provider_id": provider_id, "called": to}
        with db.for_firm(firm_id).unit_of_work() as uow:
            _stop(uow, number, evidence, now or utc_now())
    rules = _rules_of(calls, firm_id)
    language = _language_of(db.for_firm(firm_id), number) or (rules.locale if rules else None)
    if number is None:
        return _spoken("no_number", language, rules)
    if digits == OPT_OUT_KEY:
        return _spoken("stopped", language, rules)
    return _spoken("greeting", language, rules, awaits_key=True)


def _stop(uow: UnitOfWork, number: str, evidence: Record, now: dt.datetime, client_id: str | None = None) -> None:
    known = consent.persons_of_address(uow.session, number)
    speaker = stops.Speaker("phone", number, sorted({*known, *([client_id] if client_id else [])}))
    stops.record_stop(uow, speaker, source="reply", evidence={**evidence, "rule": f"key:{OPT_OUT_KEY}"}, at=now)


def _keep(uow: UnitOfWork, call_id: str, key: str, mark: Record | None, now: dt.datetime) -> None:
    """Keeps a key with its call, under the lock of the row: two that are told at once are both kept. `mark`, a row of
    ProviderEvent, tells a repeat; nor is anything pressed after the key that ends a call."""
    call = uow.session.scalars(select(Delivery).where(Delivery.id == call_id).with_for_update()).one_or_none()
    # A call that was erased since keeps nothing, and what its key stops is stopped all the same.
    if call is None or OPT_OUT_KEY in (call.keys or ""):
        return
    if mark is None or uow.insert(ProviderEvent, [mark], ignore_conflicts=True):
        call.press(key, now)


def _call_of(db: Database, token: str | None) -> Delivery:
    """The call that a token, from the address of our own webhook, belongs to."""
    statement = select(Delivery).where(Delivery.id == as_delivery_id(token), Delivery.channel == "phone")
    with db.across_firms("a key press names its delivery, and the delivery its firm").read() as session:
        call = session.scalars(statement).one_or_none()
    if call is None or call.address is None:
        raise NotFound("call_not_found")
    return call


def _firm_called(db: Database, to: str) -> str:
    """A number that only texts go out from is called all the same."""
    statement = (
        select(Sender.firm_id)
        .where(Sender.channel.in_(NUMBER_CHANNELS), Sender.address == normalise_address("phone", to))
        .order_by(Sender.channel)
        .limit(1)
    )
    with db.across_firms("the number that was called says which firm is meant").read() as session:
        firm_id = session.scalar(statement)
    if firm_id is None:
        raise NotFound("sender_not_found")
    return str(firm_id)


def _number_of(caller: str) -> str | None:
    """The caller's number, None if it is withheld."""
    try:
        number = normalise_address("phone", caller)
    except Invalid:
        return None
    return None if number in _WITHHELD else number


def _language_of(db: Database, number: str | None) -> str | None:
    """The language that somebody at this number was last written to or called in."""
    if number is None:
        return None
    statement = (
        select(Delivery.language)
        .where(Delivery.address == number, Delivery.language.is_not(None))
        .order_by(Delivery.created_at.desc())
        .limit(1)
    )
    with db.read() as session:
        return session.scalar(statement)


def _rules_of(calls: Any, firm_id: str) -> FirmRules | None:
    """None where accounts cannot be asked: what a key does, it does all the same."""
    try:
        with use(Context(firm_id=firm_id)):
            return FirmRules.from_firm(calls.accounts.get_firm())
    except (Unavailable, DeadlineExceeded, NotFound):
        return None


def _spoken(kind: str, language: str | None, rules: FirmRules | None, *, awaits_key: bool = False) -> Record:
    text = said(kind, language, rules.name if rules else None)
    return {"text": text, "language": voice_of(own_language(language)), "awaits_key": awaits_key}
