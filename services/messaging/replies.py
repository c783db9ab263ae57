"""What a reply asks for, and what follows from it for consent: the ledger, one answer, and a question to a person."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.unit_of_work import UnitOfWork
from services.messaging import consent
from services.messaging.consent import States
from services.messaging.consents import stops
from services.messaging.consents.consent_reviews import ask_a_person
from services.messaging.emails.email_replies import own_words, subject_words
from services.messaging.models import URGENT, Delivery
from services.messaging.words import Classification, Context, asks_to_start, classify

Record = dict[str, Any]

_EFFECTS = {"stop": consent.OPTED_OUT, "start": consent.OPTED_IN, "help": "help", "none": "none"}
_BY_PROVIDER = {"STOP": "stop", "START": "start", "HELP": "help"}
_ANSWERS = {"stop": "opt_out_confirmation", "start": "opt_in_confirmation", "help": "help"}
_SPANISH = frozenset({"alto", "parar", "pare", "baja", "cancelar", "ayuda", "si"})
_WENT_OUT = ("sending", "sent", "delivered", "undelivered", "unknown")


@dataclass(frozen=True)
class Reply:
    """A reply that was understood. `states`: the rows that it may change, held. `answered`: the provider has answered
    it on its own. `widely`: a stop ends all channels."""

    speaker: stops.Speaker
    found: Classification
    states: States
    answered: bool
    widely: bool

    @property
    def effect(self) -> str:
        """What it was taken for."""
        return _EFFECTS[self.found.kind]


def understand(uow: UnitOfWork, speaker: stops.Speaker, said: Record, *, widely: bool) -> Reply:
    """What a message asks for. From here on the rows that decide about its address are held to the commit. `widely`:
    the firm's scope of a stop is all channels.

    Twilio's own Advanced Opt-Out goes before our rules, since it has acted already. What a machine sent by itself
    (an out-of-office answer) asks for nothing.
    """
    told = _BY_PROVIDER.get((said.get("opt_out_type") or "").upper())
    texts = _texts(speaker.channel, said)
    if said.get("automatic"):
        found = Classification("none", "automatic")
        return Reply(speaker, found, stops.hold(uow, speaker, widely=False), True, widely)
    if told is not None:
        found = Classification(told, f"provider:{told.upper()}")  # type: ignore[arg-type]
        return Reply(speaker, found, stops.hold(uow, speaker, widely=True), True, widely)
    may_start = any(classify(text, Context(opted_out=True)).kind == "start" for text in texts)
    states = stops.hold(uow, speaker, widely=may_start or widely)
    context = Context(
        opted_out=states.get(speaker.key) == consent.OPTED_OUT,
        asked_to_start=may_start and _asked_to_start(uow.session, speaker),
    )
    found = _first(texts, context)
    if found.kind == "start" and not said.get("proven", True):
        found = Classification("none", "sender_not_proven")
    return Reply(speaker, found, states, False, widely)


def act(uow: UnitOfWork, reply: Reply, message: Record, sender_id: str, now: dt.datetime) -> None:
    """Records what the kept `message` asks for, and answers it from the sender that it was written to: an opt-out and
    an opt-in once, a call for help each time, whether blocked or not."""
    found = reply.found
    said: Record = {
        "source": "reply",
        "evidence": {
            "words": _words(message),
            "provider": message["provider"],
            "provider_id": message["provider_id"],
            "message_id": message["id"],
            "rule": found.rule,
        },
        "at": now,
        "states": reply.states,
    }
    to_answer = found.kind == "help"
    if found.kind == "stop":
        stopped = stops.record_stop(uow, reply.speaker, **said, widely=reply.widely, doubtful=not found.confident)
        to_answer = stopped is not None and stopped.fresh
        if stopped is not None and not found.confident:
            ask_a_person(uow, {**message, "body": _words(message)}, found.rule, stopped.before, now)
    elif found.kind == "start":
        to_answer = stops.record_start(uow, reply.speaker, **said)
    if to_answer and not reply.answered:
        _answer(uow, found, message, sender_id, now)


def _texts(channel: str, said: Record) -> list[str]:
    """What is to be understood of a message: of an email the subject and what its writer added to our words."""
    body = said.get("body") or ""
    if channel != "email":
        return [body]
    return [subject_words(said.get("subject") or ""), own_words(body)]


def _first(texts: list[str], context: Context) -> Classification:
    """The first text that asks for something; a stop goes before all."""
    found = [classify(text, context) for text in texts]
    stops_first = sorted(found, key=lambda one: (one.kind != "stop", one.kind == "none"))
    return stops_first[0]


def _words(message: Record) -> str:
    """The exact words, for the ledger and for a person."""
    subject = message["subject"]
    return f"{subject}\n\n{message['body']}" if subject else str(message["body"])


def _asked_to_start(session: Session, speaker: stops.Speaker) -> bool:
    """Whether the last that we wrote to this address, on this channel, asked whether it wants messages."""
    statement = (
        select(Delivery.kind, Delivery.body)
        .where(
            Delivery.address == speaker.address,
            Delivery.channel == speaker.channel,
            Delivery.state.in_(_WENT_OUT),
        )
        .order_by(Delivery.begun_at.desc(), Delivery.id.desc())
        .limit(1)
    )
    last = session.execute(statement).one_or_none()
    return last is not None and (last.kind == "opt_out_confirmation" or asks_to_start(last.body or ""))


def _answer(uow: UnitOfWork, found: Classification, message: Record, sender_id: str, now: dt.datetime) -> None:
    delivery_id = new_id()
    spanish = found.rule.startswith("plain:es_") or found.rule.partition(":")[2] in _SPANISH
    row = {
        "id": delivery_id,
        "subject_id": delivery_id,
        "kind": _ANSWERS[found.kind],
        "state": "accepted",
        "priority": URGENT,
        "channel": message["channel"],
        "client_id": message["client_id"],
        "address": message["sender"],
        "sender_id": sender_id,
        "language": "es" if spanish else None,
        "send_after": now,
        "due_at": now,
        "created_at": now,
        "updated_at": now,
    }
    uow.insert(Delivery, [row])
