"""Who sends, how fast, and by which rules of the firm."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Float, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, new_id, utc_now
from chassis.database import FirmScoped
from chassis.versioned import Versioned
from services.messaging.models.common import Base


class Sender(FirmScoped, Versioned, Base):
    """A number or address that messages go out from, and its token bucket, which all dispatchers share."""

    __tablename__ = "sender"
    # Without the firm: an address finds the firm of what comes in.
    __table_args__ = (UniqueConstraint("channel", "address"), Index("ix_sender_firm_id_channel", "firm_id", "channel"))
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(String(320))
    provider: Mapped[str] = mapped_column(String(30))
    rate: Mapped[float] = mapped_column(Float)
    messaging_service_sid: Mapped[str | None] = mapped_column(String(60), index=True)
    tokens: Mapped[float] = mapped_column(Float, default=1.0)
    tokens_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    held_until: Mapped[dt.datetime | None]


class ProviderRate(Base):
    """What an account at a provider may send a second, over all firms, and its token bucket. It belongs to the
    installation, not to a firm; a provider without a row has no such limit."""

    __tablename__ = "provider_rate"
    provider: Mapped[str] = mapped_column(String(30), primary_key=True)
    rate: Mapped[float] = mapped_column(Float)
    tokens: Mapped[float] = mapped_column(Float, default=1.0)
    tokens_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    held_until: Mapped[dt.datetime | None]


class FirmRule(FirmScoped, Base):
    """What must be known of a firm in the transaction that takes a STOP, kept as `accounts` says it. A firm without a
    row has the defaults."""

    __tablename__ = "firm_rule"
    firm_id: Mapped[str] = mapped_column(Id, primary_key=True)
    opt_out_scope: Mapped[str] = mapped_column(String(20))
    version: Mapped[int] = mapped_column(Integer)
