"""A conversation from inside: everything that was said in it, and what is said next."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import Database
from contracts.errors import invalid_field
from contracts.messaging import CHANNELS
from services.messaging import history
from services.messaging.conversations import find
from services.messaging.deliveries import is_message
from services.messaging.messages import send_message
from services.messaging.models import Conversation, Delivery, InboundMessage

Record = dict[str, Any]


def list_conversation_messages(
    db: Database, *, conversation_id: str, limit: int = 50, cursor: str | None = None, sort: str | None = None
) -> Record:
    """A page of what was said with a client over all channels, or with an address, newest first.

    Raises NotFound, and Invalid as `page` does.
    """
    with db.read() as session:
        conversation = find(session, conversation_id)
        if conversation.client_id is not None:
            sources = history.messages_of_client(session, conversation.client_id)
        else:
            sources = history.messages_of_address(conversation)
        rows, meta = history.merge(session, sources, "created_at", limit=limit, cursor=cursor, sort=sort)
        return {"data": history.records(session, rows), "meta": meta}


def send_to_conversation(
    db: Database, calls: Any, *, conversation_id: str, channel: str | None, **message: Any
) -> Record:
    """Takes one message to the client whose conversation it is, or to the address where that is nobody's or several
    people's; otherwise as `send_message`. An email without a subject answers the last one's.

    Raises NotFound, Invalid, Unavailable.
    """
    with db.read() as session:
        conversation = find(session, conversation_id)
        last = _last_from(session, conversation)
        channel = channel or (last.channel if last is not None else None) or _last_channel_to(session, conversation)
    if channel == "email" and last is not None and last.channel == "email" and last.subject:
        message["subject"] = message.get("subject") or _answer_to(last.subject)
    if conversation.client_id is not None:
        return send_message(db, calls, client_id=conversation.client_id, channel=channel, **message)
    if channel != conversation.channel:
        raise invalid_field("channel", f"Only {conversation.channel} reaches this address.", code="channel_unknown")
    return send_message(
        db, calls, client_id=None, conversation_id=conversation.id, address=conversation.address, channel=channel,
        **message,
    )  # fmt: skip


def _last_from(session: Session, conversation: Conversation) -> InboundMessage | None:
    """The last message that can be answered by the same channel."""
    statement = (
        select(InboundMessage)
        .where(InboundMessage.conversation_id == conversation.id, InboundMessage.channel.in_(CHANNELS))
        .order_by(InboundMessage.created_at.desc(), InboundMessage.id.desc())
        .limit(1)
    )
    return session.scalars(statement).one_or_none()


def _last_channel_to(session: Session, conversation: Conversation) -> str:
    if conversation.channel is not None:
        return conversation.channel
    statement = (
        select(Delivery.channel)
        .where(Delivery.client_id == conversation.client_id, is_message())
        .order_by(Delivery.created_at.desc())
        .limit(1)
    )
    return session.scalar(statement) or CHANNELS[0]


def _answer_to(subject: str) -> str:
    # Somebody else's words are no template of ours.
    words = subject.replace("{", "").replace("}", "")
    return (words if words.lower().startswith("re:") else f"Re: {words}")[:300]
