"""What staff write about a client, and what the client accepted of the firm's privacy policy."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Boolean, Index, PrimaryKeyConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant, new_id, utc_now
from chassis.database import FirmScoped
from chassis.versioned import Versioned
from services.clients.models.common import Base, of_client


class ClientNote(FirmScoped, Versioned, Base):
    """`text` is sealed where the note is confidential."""

    __tablename__ = "client_note"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        of_client("client_note"),
        Index("ix_client_note_client", "firm_id", "client_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    client_id: Mapped[str] = mapped_column(Id)
    author_id: Mapped[str | None] = mapped_column(Id)
    confidential: Mapped[bool] = mapped_column(Boolean, default=False)
    text: Mapped[str] = mapped_column(Text)


class ClientPolicyConsent(FirmScoped, Base):
    """One consent to data collection, or its withdrawal. Rows are added, never changed."""

    __tablename__ = "client_policy_consent"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        of_client("client_policy_consent"),
        Index("ix_client_policy_consent_client", "firm_id", "client_id", "at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    client_id: Mapped[str] = mapped_column(Id)
    given: Mapped[bool] = mapped_column(Boolean)
    policy_version: Mapped[str] = mapped_column(String(60))
    source: Mapped[str] = mapped_column(String(20))
    at: Mapped[dt.datetime] = mapped_column(Instant)
    recorded_by: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[dt.datetime] = mapped_column(Instant, default=utc_now)
