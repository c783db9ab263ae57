"""What happened to clients, and what of it was applied to their records."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant, Json, new_id
from chassis.database import FirmScoped
from services.clients.models.common import Base


class LastActivity(FirmScoped, Base):
    """When something last happened to a client. Apart from the record: each message moves it, and the record is wide
    and in many indexes."""

    __tablename__ = "last_activity"
    # The firm last, so that many are found by their clients alone.
    __table_args__ = (
        PrimaryKeyConstraint("client_id", "firm_id"),
        Index("ix_last_activity_at", "firm_id", "at", "client_id"),
    )

    firm_id: Mapped[str] = mapped_column(Id)
    client_id: Mapped[str] = mapped_column(Id)
    at: Mapped[dt.datetime] = mapped_column(Instant)


class Activity(FirmScoped, Base):
    """What happened to a client, from any service. `kind` is an event's name; `facts` holds ids and words of ours."""

    __tablename__ = "activity"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        Index("ix_activity_client", "firm_id", "client_id", "at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    client_id: Mapped[str] = mapped_column(Id)
    at: Mapped[dt.datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(String(120))
    facts: Mapped[dict[str, Any]] = mapped_column(Json)


class AppliedAnswer(FirmScoped, Base):
    """The newest answer of a case task that was applied to a client, or refused."""

    __tablename__ = "applied_answer"
    __table_args__ = (PrimaryKeyConstraint("firm_id", "case_task_id"),)

    case_task_id: Mapped[str] = mapped_column(Id)
    answer_version: Mapped[int] = mapped_column(Integer)


class FieldAnswer(FirmScoped, Base):
    """When the answer was given that was last written to a field of a client: one that was given before it and comes
    late does not replace it. `cleared`: it was a blank one."""

    __tablename__ = "field_answer"
    __table_args__ = (PrimaryKeyConstraint("firm_id", "client_id", "field"),)

    client_id: Mapped[str] = mapped_column(Id)
    field: Mapped[str] = mapped_column(String(60))
    given_at: Mapped[dt.datetime] = mapped_column(Instant)
    cleared: Mapped[bool]
