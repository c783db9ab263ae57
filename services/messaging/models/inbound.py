"""What comes in from providers."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Json, new_id, utc_now
from chassis.database import FirmScoped
from chassis.versioned import Versioned
from services.messaging.models.common import Base, where


class InboundMessage(FirmScoped, Versioned, Base):
    """What somebody wrote to us. `client_ids`: whose address it is as far as messaging knew when it came, and then as
    `clients` says. `conversation_id` is null until it is filed."""

    __tablename__ = "inbound_message"
    __table_args__ = (
        UniqueConstraint("firm_id", "provider", "provider_id"),
        Index("ix_inbound_message_sender", "firm_id", "sender", "created_at"),
        Index("ix_inbound_message_client", "firm_id", "client_id", "created_at"),
        Index("ix_inbound_message_conversation", "firm_id", "conversation_id", "created_at"),
        # Of all firms, for what was left.
        Index("ix_inbound_message_unfiled", "created_at", **where("conversation_id IS NULL")),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    provider: Mapped[str] = mapped_column(String(30))
    provider_id: Mapped[str] = mapped_column(String(120))
    channel: Mapped[str] = mapped_column(String(10))
    sender: Mapped[str] = mapped_column(String(320))
    recipient: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str | None] = mapped_column(String(998))
    body: Mapped[str] = mapped_column(Text)
    effect: Mapped[str] = mapped_column(String(20))
    rule: Mapped[str] = mapped_column(String(60))
    client_id: Mapped[str | None] = mapped_column(Id)
    client_ids: Mapped[list[str]] = mapped_column(Json)
    conversation_id: Mapped[str | None] = mapped_column(Id)


class InboundMedia(FirmScoped, Versioned, Base):
    """A picture or file that came with a message. `state`: waiting → stored, refused or failed; `due_at` is when it is
    to be fetched from `url` (next), null when it is not."""

    __tablename__ = "inbound_media"
    __table_args__ = (
        UniqueConstraint("firm_id", "message_id", "position"),
        Index("ix_inbound_media_due_at", "due_at", **where("due_at IS NOT NULL")),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    message_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer)
    provider: Mapped[str] = mapped_column(String(30))
    url: Mapped[str | None] = mapped_column(Text)
    filename: Mapped[str | None] = mapped_column(String(255))
    content_type: Mapped[str | None] = mapped_column(String(120))
    size: Mapped[int | None] = mapped_column(Integer)
    file_key: Mapped[str | None] = mapped_column(String(300))
    state: Mapped[str] = mapped_column(String(20), default="waiting")
    reason: Mapped[str | None] = mapped_column(String(60))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    due_at: Mapped[dt.datetime | None]

    def settle(self, now: dt.datetime, *, state: str, **values: Any) -> None:
        """It is stored, refused or failed, and nothing more is tried. `values`: what is known of it by then."""
        self.state, self.due_at = state, None
        for name, value in values.items():
            setattr(self, name, value)
        self.touch(now)


class ProviderEvent(Base):
    """A provider's notification that was applied: its id, with the firm's or the call's after it, counts once. It
    belongs to the installation, whose provider it is."""

    __tablename__ = "provider_event"
    __table_args__ = (Index("ix_provider_event_at", "at"),)
    provider: Mapped[str] = mapped_column(String(30), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(160), primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(default=utc_now)
