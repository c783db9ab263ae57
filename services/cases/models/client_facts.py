"""What filters need of clients, fed by events of the services that own it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id
from services.cases.models.common import Base, FirmKeyed


class ClientFacts(FirmKeyed, Base):
    """What filters need of a client, fed by its owner's events. Of a deleted one nothing but the version is left."""

    __tablename__ = "client_facts"
    __table_args__ = (
        Index("ix_client_facts_firm_id_status", "firm_id", "status", "client_id"),
        Index("ix_client_facts_firm_id_language", "firm_id", "language", "client_id"),
    )

    client_id: Mapped[str] = mapped_column(Id, primary_key=True)
    version: Mapped[int]
    status: Mapped[str | None] = mapped_column(String(20))
    language: Mapped[str | None] = mapped_column(String(20))
    erased_at: Mapped[dt.datetime | None]


class ClientTag(FirmKeyed, Base):
    """A tag of a client."""

    __tablename__ = "client_tag"
    __table_args__ = (Index("ix_client_tag_firm_id_tag", "firm_id", "tag", "client_id"),)

    client_id: Mapped[str] = mapped_column(Id, primary_key=True)
    tag: Mapped[str] = mapped_column(String(60), primary_key=True)


class ClientConsent(FirmKeyed, Base):
    """A client's consent on a channel, as far as something was said; null where that was taken back. `consent_id` grows
    with time: a later one wins."""

    __tablename__ = "client_consent"
    __table_args__ = (Index("ix_client_consent_firm_id_state", "firm_id", "channel", "state", "client_id"),)

    client_id: Mapped[str] = mapped_column(Id, primary_key=True)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    state: Mapped[str | None] = mapped_column(String(20))
    consent_id: Mapped[str] = mapped_column(Id)


class ClientFactsMark(FirmKeyed, Base):
    """The newest event of a source that was applied: when it happened, and when it was applied."""

    __tablename__ = "client_facts_mark"

    source: Mapped[str] = mapped_column(String(20), primary_key=True)
    event_at: Mapped[dt.datetime]
    applied_at: Mapped[dt.datetime]
