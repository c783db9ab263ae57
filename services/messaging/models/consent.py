"""Consent: the ledger, what is in force, and what a person must decide."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Index, Integer, PrimaryKeyConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Json, new_id, utc_now
from chassis.database import FirmScoped
from chassis.versioned import Versioned
from services.messaging.models.common import Base, where


class ConsentEntry(FirmScoped, Base):
    """The ledger: append-only. `address` or `client_id`, or both, say whose consent it is. Of a person who was erased
    only what proves an opt-out is left, with `address_hash` in the place of the address."""

    __tablename__ = "consent_entry"
    __table_args__ = (
        Index("ix_consent_entry_firm_id_address", "firm_id", "address", "at"),
        Index("ix_consent_entry_firm_id_client_id", "firm_id", "client_id", "at"),
        Index("ix_consent_entry_firm_id_at", "firm_id", "at", "id"),
        Index("ix_consent_entry_address_hash", "address_hash", **where("address_hash IS NOT NULL")),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str | None] = mapped_column(String(320))
    address_hash: Mapped[str | None] = mapped_column(String(22))
    client_id: Mapped[str | None] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(20))
    source: Mapped[str] = mapped_column(String(20))
    evidence: Mapped[dict[str, Any]] = mapped_column(Json)
    rule_version: Mapped[str] = mapped_column(String(20))


class ConsentState(FirmScoped, Base):
    """The ledger's projection, and what a claim and a STOP meet on: one row per channel and address (`h:` and its keyed
    hash) or client (`c:<id>`). `state` is null as long as nothing was said. `consent.ensure_rows` makes it before it is
    needed."""

    __tablename__ = "consent_state"
    # The firm last, as with deliveries.
    __table_args__ = (PrimaryKeyConstraint("key", "channel", "firm_id"),)
    firm_id: Mapped[str] = mapped_column(Id)
    channel: Mapped[str] = mapped_column(String(10))
    key: Mapped[str] = mapped_column(String(330))
    state: Mapped[str | None] = mapped_column(String(20))
    entry_id: Mapped[str | None] = mapped_column(Id)
    updated_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class AddressKey(Base):
    """The one secret by which addresses are hashed, wrapped by the key store. It belongs to the installation."""

    __tablename__ = "address_key"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    wrapped: Mapped[str] = mapped_column(String(2000))
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class ConsentReview(FirmScoped, Versioned, Base):
    """A reply that was taken as a revocation without being sure. `before` is the address's state until then."""

    __tablename__ = "consent_review"
    __table_args__ = (Index("ix_consent_review_firm_id", "firm_id", "created_at"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(String(320))
    words: Mapped[str] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(String(60))
    before: Mapped[str | None] = mapped_column(String(20))
    decision: Mapped[str | None] = mapped_column(String(20))
    decided_by: Mapped[str | None] = mapped_column(Id)

    def decide(self, decision: str, staff_id: str | None, now: dt.datetime) -> None:
        """Marks what a person made of it."""
        self.decision, self.decided_by = decision, staff_id
        self.touch(now)
