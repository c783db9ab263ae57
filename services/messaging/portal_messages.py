"""What a client writes to the firm behind a secure link: part of the same conversation as texts and emails."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select

from chassis.columns import new_id
from chassis.database import Database
from contracts.messaging import MESSAGE_RECEIVED
from services.messaging.models import InboundMessage

Record = dict[str, Any]

CHANNEL = "portal"


def receive_portal_message(
    db: Database, *, client_id: str, link_id: str, body: str, once: str, now: dt.datetime
) -> Record:
    """Keeps the message: {"message_id", "effect", "repeated"}. The same form sent again changes nothing.

    Its words change no consent: the page has switches for that, and a message may speak of stopping something else.
    """
    message_id, provider_id = new_id(), f"{link_id}:{once}"
    row = {
        "id": message_id,
        "provider": CHANNEL,
        "provider_id": provider_id,
        "channel": CHANNEL,
        "sender": client_id,
        "recipient": CHANNEL,
        "body": body,
        "effect": "none",
        "rule": "none",
        "client_id": client_id,
        "client_ids": [client_id],
        "created_at": now,
        "updated_at": now,
    }
    with db.unit_of_work() as uow:
        if not uow.insert(InboundMessage, [row], ignore_conflicts=True):
            known = select(InboundMessage.id).where(
                InboundMessage.provider == CHANNEL, InboundMessage.provider_id == provider_id
            )
            return {"message_id": uow.session.scalars(known).one(), "effect": "none", "repeated": True}
        data = {"message_id": message_id, "channel": CHANNEL, "client_ids": [client_id], "effect": "none"}
        uow.emit(MESSAGE_RECEIVED, message_id, data)
    return {"message_id": message_id, "effect": "none", "repeated": False}
