"""Automation rules."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Json, JsonOrNull
from services.tasks.models.common import Base, Versioned


class AutomationRule(Versioned, Base):
    """A rule as on the wire; what its trigger and actions do not say is left out. `trigger_kind` is its trigger's."""

    __tablename__ = "automation_rule"
    __table_args__ = (
        UniqueConstraint("firm_id", "name"),
        Index(
            "ix_automation_rule_trigger",
            "firm_id",
            "trigger_kind",
            sqlite_where=text("active = 1"),
            postgresql_where=text("active"),
        ),
    )

    name: Mapped[str] = mapped_column(String(120))
    active: Mapped[bool]
    trigger_kind: Mapped[str] = mapped_column(String(30))
    trigger: Mapped[dict[str, Any]] = mapped_column(Json)
    filter: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    actions: Mapped[list[dict[str, Any]]] = mapped_column(Json)
