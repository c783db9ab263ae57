"""What somebody who is forgotten wrote, and the files that came with it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

from sqlalchemy import Select, select, tuple_, update
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from services.messaging.media import file_key_of
from services.messaging.models import Conversation, InboundMedia, InboundMessage

ERASED = "erased"
"""What stands where an address was that a row cannot be without."""

_QUIET = {"synchronize_session": False}


def forget_messages(uow: UnitOfWork, theirs: Any, now: dt.datetime) -> Counter[str]:
    """Takes every word and the sender out of the inbound messages that meet the condition; how many, by client. The
    provider's id stays, so that a repeat of its webhook brings nothing back."""
    media = (
        update(InboundMedia)
        .where(InboundMedia.message_id.in_(select(InboundMessage.id).where(theirs)))
        .values(url=None, filename=None, file_key=None, state="refused", reason="client_erased", due_at=None)
    )
    uow.session.execute(media, execution_options=_QUIET)
    hide_last(uow, select(InboundMessage.conversation_id, InboundMessage.created_at).where(theirs), now)
    gone = (
        update(InboundMessage)
        .where(theirs, InboundMessage.sender != ERASED)
        .values(sender=ERASED, body="", subject=None, version=InboundMessage.version + 1, updated_at=now)
        .returning(InboundMessage.client_id)
        .execution_options(**_QUIET)
    )
    return Counter(str(client_id) for client_id in uow.session.scalars(gone))


def hide_last(uow: UnitOfWork, messages: Select[Any, Any], now: dt.datetime) -> None:
    """Takes the words out of the lists of conversations that show one of these messages as their last. `messages`: the
    conversation and the time of each."""
    shown = update(Conversation).where(
        Conversation.preview.is_not(None), tuple_(Conversation.id, Conversation.last_message_at).in_(messages)
    )
    values = {"preview": None, "version": Conversation.version + 1, "updated_at": now}
    uow.session.execute(shown.values(values), execution_options=_QUIET)


def file_keys(session: Session, theirs: Any) -> list[str]:
    """Where the files are that came with these messages, those included that are only being fetched."""
    statement = select(InboundMedia).join(InboundMessage, InboundMessage.id == InboundMedia.message_id).where(theirs)
    return sorted({file_key_of(media) for media in session.scalars(statement)})
