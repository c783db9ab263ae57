"""Clients that may be one person: pairs that were found, and pairs of which somebody said that they are two."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Integer, PrimaryKeyConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant, Json, new_id
from chassis.database import FirmScoped
from services.clients.models.common import Base


def _of_client(table: str, column: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["firm_id", column], ["client.firm_id", "client.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )


class SuspectedPair(FirmScoped, Base):
    """Two clients that look like one, the smaller id first. `why` was true when they were looked at (`seen_at`); who
    reads them looks again."""

    __tablename__ = "suspected_pair"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        CheckConstraint("first_id < second_id", name="in_order"),
        Index("uq_suspected_pair", "firm_id", "first_id", "second_id", unique=True),
        Index("ix_suspected_pair_second", "firm_id", "second_id"),
        Index("ix_suspected_pair_found_at", "firm_id", "found_at", "id"),
        Index("ix_suspected_pair_seen_at", "firm_id", "seen_at", "id"),
        _of_client("suspected_pair", "first_id"),
        _of_client("suspected_pair", "second_id"),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    first_id: Mapped[str] = mapped_column(Id)
    second_id: Mapped[str] = mapped_column(Id)
    why: Mapped[list[str]] = mapped_column(Json)
    found_at: Mapped[dt.datetime] = mapped_column(Instant)
    seen_at: Mapped[dt.datetime] = mapped_column(Instant)


class NotDuplicate(FirmScoped, Base):
    """Two clients that somebody said are two, the smaller id first."""

    __tablename__ = "not_duplicate"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "first_id", "second_id"),
        CheckConstraint("first_id < second_id", name="in_order"),
        Index("ix_not_duplicate_second", "firm_id", "second_id"),
        _of_client("not_duplicate", "first_id"),
        _of_client("not_duplicate", "second_id"),
    )

    first_id: Mapped[str] = mapped_column(Id)
    second_id: Mapped[str] = mapped_column(Id)
    at: Mapped[dt.datetime] = mapped_column(Instant)
    by: Mapped[str | None] = mapped_column(Id)


class SuspectSweep(FirmScoped, Base):
    """That a firm's clients are to be looked through for pairs, and how far that is: the step, and the value that it
    goes on after. `wanted_at`: when something last asked for it."""

    __tablename__ = "suspect_sweep"
    __table_args__ = (PrimaryKeyConstraint("firm_id"), Index("ix_suspect_sweep_wanted_at", "wanted_at"))

    firm_id: Mapped[str] = mapped_column(Id)
    wanted_at: Mapped[dt.datetime] = mapped_column(Instant)
    began_at: Mapped[dt.datetime | None] = mapped_column(Instant)
    step: Mapped[str] = mapped_column(String(20), default="phone")
    after: Mapped[str | None] = mapped_column(Text)
    turns: Mapped[int] = mapped_column(Integer, default=0)
