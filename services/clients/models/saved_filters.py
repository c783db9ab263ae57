"""Filters of clients with a name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, PrimaryKeyConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Json, new_id
from chassis.database import FirmScoped
from chassis.versioned import Versioned
from services.clients.models.common import Base


class SavedFilter(FirmScoped, Versioned, Base):
    """A filter with a name, as it was written."""

    __tablename__ = "saved_filter"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        UniqueConstraint("firm_id", "name", name="uq_saved_filter_name"),
        Index("ix_saved_filter_created", "firm_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    name: Mapped[str] = mapped_column(String(120))
    filter: Mapped[dict[str, Any]] = mapped_column(Json)


class FilterUse(FirmScoped, Base):
    """A saved filter or a group (`user_id`) that refers to a saved filter, which therefore cannot be deleted."""

    __tablename__ = "filter_use"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "user_id", "saved_filter_id"),
        ForeignKeyConstraint(
            ["firm_id", "saved_filter_id"], ["saved_filter.firm_id", "saved_filter.id"], name="fk_filter_use_filter"
        ),
        Index("ix_filter_use_filter", "firm_id", "saved_filter_id"),
    )

    user_id: Mapped[str] = mapped_column(Id)
    saved_filter_id: Mapped[str] = mapped_column(Id)
