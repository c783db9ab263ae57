"""Requests to notify the clients of many cases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Json
from services.tasks.models.common import Base, Record


class NotificationRequest(Record, Base):
    """A request to notify the clients of many cases; its id is the batch's. What was asked, without the message:
    messaging keeps that under `content_id`."""

    __tablename__ = "notification_request"
    __table_args__ = (Index("ix_notification_request_firm_id_created_at", "firm_id", "created_at"),)

    content_id: Mapped[str] = mapped_column(Id)
    selector: Mapped[dict[str, Any]] = mapped_column(Json)
    options: Mapped[dict[str, Any]] = mapped_column(Json)
    accepted: Mapped[int] = mapped_column(Integer)
    chunks: Mapped[int] = mapped_column(Integer)
    requested_by: Mapped[str | None] = mapped_column(Id)


class NotificationChunk(Record, Base):
    """The case tasks of one `notification.requested.v1` event, about 500."""

    __tablename__ = "notification_chunk"
    __table_args__ = (
        UniqueConstraint("firm_id", "request_id", "number"),
        ForeignKeyConstraint(["firm_id", "request_id"], ["notification_request.firm_id", "notification_request.id"]),
    )

    request_id: Mapped[str] = mapped_column(Id)
    number: Mapped[int] = mapped_column(Integer)
    case_task_ids: Mapped[list[str]] = mapped_column(Json)
