"""The sandbox's phones and inboxes."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Float, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Json, utc_now
from services.messaging.models.common import Base, where


class SandboxMessage(Base):
    """The sandbox provider's own record: every request it accepted, never deduplicated, and every reply of a person.

    It belongs to the stand-in for a provider, not to a firm. `address` is the person's side, whoever wrote.
    `delivery_token` came with the request. `status` moves queued → sent → delivered; `outcome` (delivered or bounced)
    is what the next status callback will say, and `announce_at` when it is due, null when none is."""

    __tablename__ = "sandbox_message"
    __table_args__ = (
        Index("ix_sandbox_message_at", "at", "id"),
        Index("ix_sandbox_message_address", "address", "at", "id"),
        Index("ix_sandbox_message_token", "delivery_token"),
        Index("ix_sandbox_message_announce_at", "announce_at", **where("announce_at IS NOT NULL")),
    )
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    direction: Mapped[str] = mapped_column(String(10))
    channel: Mapped[str] = mapped_column(String(10))
    sender: Mapped[str] = mapped_column(String(320))
    recipient: Mapped[str] = mapped_column(String(320))
    address: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str | None] = mapped_column(String(300))
    body: Mapped[str] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
    headers: Mapped[dict[str, str] | None] = mapped_column(Json)
    status: Mapped[str | None] = mapped_column(String(40))
    delivery_token: Mapped[str | None] = mapped_column(String(120))
    callback_url: Mapped[str | None] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(20), default="delivered", server_default="delivered")
    announce_at: Mapped[dt.datetime | None]
    announcements: Mapped[int] = mapped_column(Integer, default=0)


class SandboxAddress(Base):
    """How a phone or inbox of the sandbox takes what is sent to it. One without a row is normal."""

    __tablename__ = "sandbox_address"
    address: Mapped[str] = mapped_column(String(320), primary_key=True)
    behaviour: Mapped[str] = mapped_column(String(20))
    seconds: Mapped[float] = mapped_column(Float, default=30.0)
