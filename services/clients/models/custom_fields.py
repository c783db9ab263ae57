"""The fields that a firm adds to its clients."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Boolean, Index, Integer, PrimaryKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant, Json, new_id
from chassis.database import FirmScoped
from chassis.versioned import Versioned
from services.clients.models.common import Base


class ClientField(FirmScoped, Versioned, Base):
    """A field's definition. A removed one is kept: its values stay stored, and are hidden."""

    __tablename__ = "client_field"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        Index("uq_client_field_key", "firm_id", "key", unique=True),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    removed_at: Mapped[dt.datetime | None] = mapped_column(Instant)
    position: Mapped[int] = mapped_column(Integer)
    key: Mapped[str] = mapped_column(String(60))
    label: Mapped[str] = mapped_column(String(120))
    type: Mapped[str] = mapped_column(String(20))
    required: Mapped[bool] = mapped_column(Boolean, default=False)
    sensitive: Mapped[bool] = mapped_column(Boolean, default=False)
    options: Mapped[list[str]] = mapped_column(Json, default=list)
