"""What people write to us: kept once, understood, and taken at its word before anything else happens."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.paging import page
from chassis.unit_of_work import UnitOfWork
from contracts.errors import Conflict, NotFound
from contracts.messaging import MESSAGE_RECEIVED
from services.messaging import consent
from services.messaging.doorbell import ring
from services.messaging.models import URGENT, ConsentReview, Delivery, InboundMessage, Sender
from services.messaging.senders import normalise_address
from services.messaging.words import Classification, Context, classify

Record = dict[str, Any]

_EFFECTS = {"stop": "opted_out", "start": "opted_in", "help": "help", "none": "none"}
_BY_PROVIDER = {"STOP": "stop", "START": "start", "HELP": "help"}
_SPANISH = frozenset({"alto", "parar", "pare", "baja", "cancelar", "ayuda", "si"})


def receive(
    db: Database, *, provider: str, provider_id: str, channel: str, now: dt.datetime | None = None, **said: Any
) -> Record:
    """Records an inbound message and what follows from it: {"message_id", "effect", "repeated"}. One that is known
    already changes nothing.

    Raises NotFound `sender_not_found` if no firm has the number that it was sent to.
    """
    now = now or utc_now()
    sender = _find_sender(db, channel, said["to"], said.get("messaging_service_sid"))
    address = normalise_address(channel, said["from_"])
    message_id = new_id()
    with db.for_firm(sender.firm_id).unit_of_work() as uow:
        key = (channel, consent.address_key(address))
        consent.ensure_rows(uow, [key])
        # Held to the commit: of two messages from one phone, the second sees what the first did.
        before = consent.read_states(uow.session, [key], lock="update").get(key)
        client_ids = consent.clients_of_address(uow.session, address)
        found = _classify(said.get("body") or "", said.get("opt_out_type"), before)
        row = {
            "id": message_id,
            "provider": provider,
            "provider_id": provider_id,
            "channel": channel,
            "sender": address,
            "recipient": said["to"],
            "body": said.get("body") or "",
            "media": said.get("media") or [],
            "effect": _EFFECTS[found.kind],
            "rule": found.rule,
            "client_id": client_ids[0] if len(client_ids) == 1 else None,
            "client_ids": client_ids,
            "created_at": now,
            "updated_at": now,
        }
        if not uow.insert(InboundMessage, [row], ignore_conflicts=True):
            return _known(uow.session, provider, provider_id)
        answered = bool(said.get("opt_out_type"))
        _apply(uow, found, row, before, sender, now, answered=answered)
        data = {"message_id": message_id, "channel": channel, "client_ids": client_ids, "effect": row["effect"]}
        uow.emit(MESSAGE_RECEIVED, message_id, data)
        uow.after_commit(lambda: ring(db.url))
    return {"message_id": message_id, "effect": row["effect"], "repeated": False}


def _find_sender(db: Database, channel: str, to: str, service_sid: str | None) -> Sender:
    statement = select(Sender).where(Sender.channel == channel, Sender.address == normalise_address(channel, to))
    with db.across_firms("the number that was written to says which firm is meant").read() as session:
        sender = session.scalars(statement).one_or_none()
        if sender is None and service_sid:
            by_service = select(Sender).where(Sender.channel == channel, Sender.messaging_service_sid == service_sid)
            sender = session.scalars(by_service.order_by(Sender.created_at).limit(1)).one_or_none()
    if sender is None:
        raise NotFound("sender_not_found")
    return sender


def _classify(body: str, opt_out_type: str | None, before: str | None) -> Classification:
    """Twilio's own Advanced Opt-Out goes before our rules: it has acted on its own already."""
    kind = _BY_PROVIDER.get((opt_out_type or "").upper())
    if kind == "stop":
        return Classification("stop", "provider:STOP")
    if kind == "start":
        return Classification("start", "provider:START")
    if kind == "help":
        return Classification("help", "provider:HELP")
    return classify(body, Context(opted_out=before == consent.OPTED_OUT))


def _apply(
    uow: UnitOfWork,
    found: Classification,
    message: Record,
    before: str | None,
    sender: Sender,
    now: dt.datetime,
    *,
    answered: bool,
) -> None:
    state = {"stop": consent.OPTED_OUT, "start": consent.OPTED_IN}.get(found.kind)
    if state is not None and state != before:
        consent.record_change(
            uow,
            channel=message["channel"],
            state=state,
            source="reply",
            evidence={
                "words": message["body"],
                "provider": message["provider"],
                "provider_id": message["provider_id"],
                "message_id": message["id"],
                "rule": found.rule,
            },
            address=message["sender"],
            client_id=message["client_id"],
            client_ids=message["client_ids"],
            at=now,
        )
        if not found.confident:
            _ask_a_person(uow, found, message, before, now)
    changed = state is not None and state != before
    if (changed or found.kind == "help") and not answered:
        _answer(uow, found, message, sender, now)


def _ask_a_person(
    uow: UnitOfWork, found: Classification, message: Record, before: str | None, now: dt.datetime
) -> None:
    row = {
        "channel": message["channel"],
        "address": message["sender"],
        "words": message["body"],
        "rule": found.rule,
        "before": before,
        "created_at": now,
        "updated_at": now,
    }
    uow.insert(ConsentReview, [{"id": new_id(), **row}])


def _answer(uow: UnitOfWork, found: Classification, message: Record, sender: Sender, now: dt.datetime) -> None:
    """One answer, from the number that was written to."""
    delivery_id = new_id()
    kinds = {"stop": "opt_out_confirmation", "start": "opt_in_confirmation", "help": "help"}
    spanish = found.rule.startswith("plain:es_") or found.rule.partition(":")[2] in _SPANISH
    row = {
        "id": delivery_id,
        "subject_id": delivery_id,
        "kind": kinds[found.kind],
        "state": "accepted",
        "priority": URGENT,
        "channel": message["channel"],
        "client_id": message["client_id"],
        "address": message["sender"],
        "sender_id": sender.id,
        "language": "es" if spanish else None,
        "send_after": now,
        "due_at": now,
        "created_at": now,
        "updated_at": now,
    }
    uow.insert(Delivery, [row])


def _known(session: Session, provider: str, provider_id: str) -> Record:
    message = session.scalars(
        select(InboundMessage).where(InboundMessage.provider == provider, InboundMessage.provider_id == provider_id)
    ).one()
    return {"message_id": message.id, "effect": message.effect, "repeated": True}


# What a person must decide


def list_reviews(db: Database, *, limit: int, cursor: str | None, sort: str | None) -> Record:
    """Undecided ones and decided ones, newest first."""
    with db.read() as session:
        rows, meta = page(
            session,
            select(ConsentReview),
            model=ConsentReview,
            sorts={"created_at": ConsentReview.created_at},
            default_sort="-created_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": [_review(row) for row in rows], "meta": meta}


def decide_review(db: Database, *, consent_review_id: str, decision: str, actor_id: str | None) -> Record:
    """Keeps the block, or lifts it because the words meant something else. Lifting restores what held before: it is
    refused if the address has opted out once more since.

    Raises NotFound, Conflict `review_decided`, Conflict `opted_out_since`.
    """
    with db.unit_of_work() as uow:
        statement = select(ConsentReview).where(ConsentReview.id == consent_review_id).with_for_update()
        review = uow.session.scalars(statement).one_or_none()
        if review is None:
            raise NotFound("consent_review_not_found", consent_review_id=consent_review_id)
        if review.decision is not None:
            raise Conflict("review_decided")
        if decision == consent.OPTED_IN:
            _demand_untouched(uow.session, review)
            consent.record_change(
                uow,
                channel=review.channel,
                state=consent.OPTED_IN,
                source="staff",
                evidence={"actor_id": actor_id, "consent_review_id": review.id, "words": review.words},
                address=review.address,
                client_ids=consent.clients_of_address(uow.session, review.address),
            )
        review.decision = decision
        review.touch(utc_now())
        uow.session.flush()
        return uow.answer(_review(review))


def _demand_untouched(session: Session, review: ConsentReview) -> None:
    later = select(InboundMessage.id).where(
        InboundMessage.sender == review.address,
        InboundMessage.effect == "opted_out",
        InboundMessage.created_at > review.created_at,
    )
    other = select(ConsentReview.id).where(
        ConsentReview.address == review.address,
        or_(ConsentReview.decision == consent.OPTED_OUT, ConsentReview.decision.is_(None)),
        ConsentReview.id != review.id,
        ConsentReview.created_at > review.created_at,
    )
    if session.scalar(later.limit(1)) is not None or session.scalar(other.limit(1)) is not None:
        raise Conflict("opted_out_since")


def _review(row: ConsentReview) -> Record:
    names = ("id", "version", "created_at", "updated_at", "channel", "address", "words", "rule", "decision")
    return {name: getattr(row, name) for name in names}
