"""What people write to us: kept once, understood, and taken at its word before anything else happens."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.timers import wake
from contracts.errors import NotFound
from contracts.messaging import MESSAGE_RECEIVED
from services.messaging import consent, replies, stops
from services.messaging.doorbell import ring
from services.messaging.media import TIMER, media_rows
from services.messaging.models import InboundMedia, InboundMessage, Sender
from services.messaging.senders import normalise_address

Record = dict[str, Any]


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
        speaker = stops.Speaker(channel, address, consent.clients_of_address(uow.session, address))
        reply = replies.understand(uow, speaker, said)
        row = {
            "id": message_id,
            "provider": provider,
            "provider_id": provider_id,
            "channel": channel,
            "sender": address,
            "recipient": said["to"],
            "subject": said.get("subject"),
            "body": said.get("body") or "",
            "effect": reply.effect,
            "rule": reply.found.rule,
            "client_id": speaker.client_id,
            "client_ids": speaker.client_ids,
            "created_at": now,
            "updated_at": now,
        }
        if not uow.insert(InboundMessage, [row], ignore_conflicts=True):
            return _known(uow.session, provider, provider_id)
        if uow.insert(InboundMedia, media_rows(message_id, provider, said.get("media") or (), now)):
            uow.after_commit(lambda: wake(TIMER))
        replies.act(uow, reply, row, sender.id, now)
        data = {
            "message_id": message_id,
            "channel": channel,
            "client_ids": speaker.client_ids,
            "effect": reply.effect,
        }
        uow.emit(MESSAGE_RECEIVED, message_id, data)
        uow.after_commit(lambda: ring(db.url))
    return {"message_id": message_id, "effect": reply.effect, "repeated": False}


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


def _known(session: Session, provider: str, provider_id: str) -> Record:
    message = session.scalars(
        select(InboundMessage).where(InboundMessage.provider == provider, InboundMessage.provider_id == provider_id)
    ).one()
    return {"message_id": message.id, "effect": message.effect, "repeated": True}
