"""Who is told of what comes in: who looks after the conversation, else after the client, else those in charge.

What was understood and settled by itself, such as a plain STOP, is told to nobody.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.unit_of_work import UnitOfWork
from services.messaging import notices
from services.messaging.models import ConsentReview, Conversation, InboundMessage
from services.messaging.texts import notice_title


@dataclass(frozen=True)
class Watch:
    """Who is told of one message, in which language. `review_id`: a person must decide what it meant."""

    readers: Sequence[notices.Reader]
    language: str
    review_id: str | None


def review_of(session: Session, message: InboundMessage) -> str | None:
    """What waits for a person because of this message."""
    statement = select(ConsentReview.id).where(
        ConsentReview.channel == message.channel,
        ConsentReview.address == message.sender,
        ConsentReview.created_at == message.created_at,
        ConsentReview.decision.is_(None),
    )
    return session.scalar(statement.limit(1))


def assignee_of(session: Session, message: InboundMessage, owners: Sequence[str]) -> str | None:
    """Who looks after the conversation that a message will be in."""
    statement = select(Conversation.assigned_staff_id)
    if len(owners) == 1:
        return session.scalar(statement.where(Conversation.client_id == owners[0]))
    address = (Conversation.channel == message.channel, Conversation.address == message.sender)
    return session.scalar(statement.where(Conversation.client_id.is_(None), *address))


def watch(
    calls: Any, message: InboundMessage, owners: Sequence[str], assignee: str | None, review_id: str | None
) -> Watch | None:
    """Who is to be told, or None if nobody. Raises Unavailable."""
    if message.effect != "none" and review_id is None:
        return None
    firm = calls.accounts.get_firm.start()
    staff_ids = [assignee] if assignee is not None else _looking_after(calls, owners)
    readers = notices.readers_of(calls, staff_ids) or notices.in_charge(calls)
    return Watch(readers, firm.result().get("locale") or "en", review_id)


def _looking_after(calls: Any, owners: Sequence[str]) -> list[str]:
    if not owners:
        return []
    recipients = calls.clients.get_recipients(client_ids=list(owners))["recipients"]
    return [found["assigned_staff_id"] for found in recipients if found.get("assigned_staff_id")]


def tell(
    uow: UnitOfWork, watch: Watch, message: InboundMessage, conversation: Conversation, now: dt.datetime, *, first: bool
) -> None:
    """Writes the notices of a filed message. `first`: nothing in the conversation was unread until now; only then there
    is an email, unless a person must decide something."""
    about = {"conversation_id": conversation.id, "message_id": message.id}
    if conversation.client_id is not None:
        about["client_id"] = conversation.client_id
    kind, once = "message_received", f"message:{message.id}"
    if watch.review_id is not None:
        about["consent_review_id"] = watch.review_id
        kind, once = "consent_review", f"review:{watch.review_id}"
    elif conversation.kind == "unmatched":
        kind = "unknown_message_received"
    title = notice_title(kind, watch.language)
    news = notices.News(kind, title, about, once)
    notices.tell(uow, watch.readers, news, now, by_email=first or watch.review_id is not None)
