"""Clients that are created together with a case."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, JsonOrNull
from services.cases.models.common import Base, OfCase, case_key


class NewClientRequest(OfCase, Base):
    """A pending case's new client, whose id was chosen beforehand, so that creating it can be repeated to the end.

    `client_data` is {"sealed": text}, and cleared when it is settled or the client is erased. The key finds the case
    again when its caller repeats the request.
    """

    __tablename__ = "new_client_request"
    __table_args__ = (
        case_key(),
        UniqueConstraint("firm_id", "idempotency_key", name="uq_new_client_request_key"),
        Index(
            "ix_new_client_request_due_at",
            "due_at",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
        Index("ix_new_client_request_settled_at", "settled_at"),
    )

    client_id: Mapped[str] = mapped_column(Id)
    client_data: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_hash: Mapped[str | None] = mapped_column(String(64))
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[dt.datetime]
    settled_at: Mapped[dt.datetime | None]

    def settle(self, now: dt.datetime) -> None:
        """The client exists: its data has one home, and that is not here."""
        self.client_data = None
        self.settled_at = now
