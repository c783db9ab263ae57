"""Saved filters and case lists."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Json, JsonOrNull, new_id
from chassis.versioned import Versioned
from services.cases.models.common import Base, FirmKeyed, case_key


class SavedFilter(FirmKeyed, Versioned, Base):
    """A filter with a name, as it was written."""

    __tablename__ = "saved_filter"
    __table_args__ = (
        UniqueConstraint("firm_id", "name", name="uq_saved_filter_name"),
        Index("ix_saved_filter_firm_id_created_at", "firm_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120))
    filter: Mapped[dict[str, Any]] = mapped_column(Json)


class CaseList(FirmKeyed, Versioned, Base):
    """A named set of cases: a filter's, with cases added and cases left out."""

    __tablename__ = "case_list"
    __table_args__ = (
        UniqueConstraint("firm_id", "name", name="uq_case_list_name"),
        Index("ix_case_list_firm_id_created_at", "firm_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str | None] = mapped_column(Text)
    filter: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)


class CaseListMember(FirmKeyed, Base):
    """A case added to a list (`included`), or left out of it."""

    __tablename__ = "case_list_member"
    __table_args__ = (
        ForeignKeyConstraint(["firm_id", "case_list_id"], ["case_list.firm_id", "case_list.id"]),
        case_key(),
        Index("ix_case_list_member_firm_id_case_id", "firm_id", "case_id"),
    )

    case_list_id: Mapped[str] = mapped_column(Id, primary_key=True)
    included: Mapped[bool] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(Id, primary_key=True)


class FilterUse(FirmKeyed, Base):
    """A saved filter or case list (`user_id`) that refers to a saved filter, which therefore cannot be deleted."""

    __tablename__ = "filter_use"
    __table_args__ = (
        ForeignKeyConstraint(["firm_id", "saved_filter_id"], ["saved_filter.firm_id", "saved_filter.id"]),
        Index("ix_filter_use_firm_id_saved_filter_id", "firm_id", "saved_filter_id"),
    )

    user_id: Mapped[str] = mapped_column(Id, primary_key=True)
    saved_filter_id: Mapped[str] = mapped_column(Id, primary_key=True)
