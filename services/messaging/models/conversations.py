"""Conversations, the log beside them, and notices to staff."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Json, new_id
from chassis.database import FirmScoped
from chassis.versioned import Versioned
from services.messaging.models.common import Base, where
from services.messaging.models.known_cases import OfCase


class Conversation(FirmScoped, Versioned, Base):
    """What was said with one client over all channels, or with an address that belongs to several clients or to none.
    `unread`: inbound messages since a person looked. `last_message_at` is null where all of it was assigned to a
    client's own."""

    __tablename__ = "conversation"
    __table_args__ = (
        Index("uq_conversation_client", "firm_id", "client_id", unique=True, **where("client_id IS NOT NULL")),
        Index(
            "uq_conversation_address",
            "firm_id",
            "channel",
            "address",
            unique=True,
            **where("client_id IS NULL AND address IS NOT NULL"),
        ),
        Index("ix_conversation_last_message_at", "firm_id", "last_message_at", "id"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default="open")
    client_id: Mapped[str | None] = mapped_column(Id)
    channel: Mapped[str | None] = mapped_column(String(10))
    address: Mapped[str | None] = mapped_column(String(320))
    assigned_staff_id: Mapped[str | None] = mapped_column(Id)
    unread: Mapped[int] = mapped_column(Integer, default=0)
    last_message_at: Mapped[dt.datetime | None]
    last_direction: Mapped[str | None] = mapped_column(String(10))
    preview: Mapped[str | None] = mapped_column(String(200))

    def hear(self, at: dt.datetime, preview: str | None, now: dt.datetime) -> None:
        """Something came in: there is something to read, and a closed conversation is open again."""
        self.unread += 1
        self.state = "open"
        self.show_last(at, "inbound", preview)
        self.touch(now)

    def say(self, at: dt.datetime, preview: str | None, now: dt.datetime) -> None:
        """Something goes out."""
        self.show_last(at, "outbound", preview)
        self.touch(now)

    def show_last(self, at: dt.datetime, direction: str | None, preview: str | None) -> None:
        """Shows a message as the last one, unless a later one is shown: they are filed in any order."""
        if self.last_message_at is None or at >= self.last_message_at:
            self.last_message_at, self.last_direction, self.preview = at, direction, preview

    def take_over(self, other: Conversation, now: dt.datetime) -> None:
        """Takes what the other one holds, which is empty afterwards."""
        if other.last_message_at is None:
            return
        self.show_last(other.last_message_at, other.last_direction, other.preview)
        self.unread += other.unread
        self.state = "open" if "open" in (self.state, other.state) else "closed"
        self.assigned_staff_id = self.assigned_staff_id or other.assigned_staff_id
        other.unread, other.state = 0, "closed"
        other.last_message_at = other.last_direction = other.preview = None
        self.touch(now)
        other.touch(now)


class ConversationClient(FirmScoped, Base):
    """One of the clients whose shared address a conversation is with, as `clients` said when its last message came."""

    __tablename__ = "conversation_client"
    __table_args__ = (Index("ix_conversation_client_firm_id_client_id", "firm_id", "client_id"),)
    firm_id: Mapped[str] = mapped_column(Id, primary_key=True)
    conversation_id: Mapped[str] = mapped_column(Id, primary_key=True)
    client_id: Mapped[str] = mapped_column(Id, primary_key=True)


class LogEntry(OfCase, FirmScoped, Versioned, Base):
    """What staff wrote down about a call or a meeting."""

    __tablename__ = "log_entry"
    __table_args__ = (Index("ix_log_entry_client", "firm_id", "client_id", "at"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    client_id: Mapped[str] = mapped_column(Id)
    case_id: Mapped[str | None] = mapped_column(Id)
    staff_id: Mapped[str | None] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(20))
    direction: Mapped[str | None] = mapped_column(String(10))
    at: Mapped[dt.datetime]
    minutes: Mapped[int | None] = mapped_column(Integer)
    subject: Mapped[str | None] = mapped_column(String(300))
    notes: Mapped[str] = mapped_column(Text)
    participants: Mapped[list[str]] = mapped_column(Json, default=list)


class Notice(OfCase, FirmScoped, Versioned, Base):
    """Something a staff member should know. `case_id`: the case that `about` names, if it does. `once` keeps the same
    from being told twice."""

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("firm_id", "staff_id", "once"),
        Index("ix_notice_staff", "firm_id", "staff_id", "created_at"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    staff_id: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(60))
    title: Mapped[str] = mapped_column(String(300))
    about: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    case_id: Mapped[str | None] = mapped_column(Id)
    once: Mapped[str | None] = mapped_column(String(120))
    read_at: Mapped[dt.datetime | None]
