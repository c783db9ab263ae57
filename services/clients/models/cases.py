"""When a case was last opened with each client, which lists are ordered by. `cases` owns the cases."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Index, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant
from chassis.database import FirmScoped
from services.clients.models.common import Base


class ClientCase(FirmScoped, Base):
    """That a client is or was on a case. `at`: when the case was opened, so far as is known here."""

    __tablename__ = "client_case"
    __table_args__ = (
        PrimaryKeyConstraint("client_id", "case_id", "firm_id"),
        Index("ix_client_case_case", "case_id", "firm_id"),
    )

    firm_id: Mapped[str] = mapped_column(Id)
    client_id: Mapped[str] = mapped_column(Id)
    case_id: Mapped[str] = mapped_column(Id)
    at: Mapped[dt.datetime] = mapped_column(Instant)


class LastCase(FirmScoped, Base):
    """When the last of a client's cases was opened. Whoever was never on one has no row."""

    __tablename__ = "last_case"
    __table_args__ = (
        PrimaryKeyConstraint("client_id", "firm_id"),
        Index("ix_last_case_at", "firm_id", "at", "client_id"),
    )

    firm_id: Mapped[str] = mapped_column(Id)
    client_id: Mapped[str] = mapped_column(Id)
    at: Mapped[dt.datetime] = mapped_column(Instant)
