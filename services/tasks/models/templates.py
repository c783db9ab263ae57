"""Questions that can be asked on any case."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Json, JsonOrNull
from contracts.errors import Conflict
from services.tasks.models.common import Base, Versioned

_RESEALING = text("resealing")


class TaskTemplate(Versioned, Base):
    """A question that can be asked on any case. Limits of `checks` are kept as on the wire, and so is what is done when
    its time has passed, with the `content_id` of a reminder's words. `archived`: not assigned any more, but by forms
    that have it. `sensitive`: what is answered is sealed. `resealing`: some answers are kept as before that changed, or
    nobody has asked yet whether the mapped field is sensitive."""

    __tablename__ = "task_template"
    __table_args__ = (
        Index("ix_task_template_firm_id_title", "firm_id", "title", "id"),
        Index("ix_task_template_resealing", "resealing", sqlite_where=_RESEALING, postgresql_where=_RESEALING),
    )

    title: Mapped[str] = mapped_column(String(200))
    instructions: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(30))
    required: Mapped[bool]
    options: Mapped[list[str]] = mapped_column(Json)
    checks: Mapped[dict[str, Any]] = mapped_column(Json)
    mapping_target: Mapped[str | None] = mapped_column(String(10))
    mapping_field: Mapped[str | None] = mapped_column(String(60))
    archived: Mapped[bool] = mapped_column(default=False, server_default=false())
    overdue_handling: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    sensitive: Mapped[bool] = mapped_column(default=False, server_default=false())
    resealing: Mapped[bool] = mapped_column(default=False, server_default=false())

    @property
    def mapping(self) -> dict[str, str] | None:
        """Where an answer goes: {"target", "field"}."""
        if self.mapping_target is None or self.mapping_field is None:
            return None
        return {"target": self.mapping_target, "field": self.mapping_field}

    @mapping.setter
    def mapping(self, mapping: dict[str, str] | None) -> None:
        self.mapping_target = mapping["target"] if mapping else None
        self.mapping_field = mapping["field"] if mapping else None

    def demand_in_use(self) -> None:
        """Raises Conflict `template_archived`."""
        if self.archived:
            raise Conflict("template_archived", task_template_id=self.id)

    def copy(self) -> dict[str, Any]:
        """What a case task takes over, by attribute: later changes of the template leave it as it is."""
        return {
            "template_version": self.version,
            "title": self.title,
            "instructions": self.instructions,
            "kind": self.kind,
            "required": self.required,
            "options": self.options,
            "checks": self.checks,
            "overdue_handling": self._handling_of_tasks(),
        }

    def _handling_of_tasks(self) -> dict[str, Any] | None:
        """All but the words of a reminder, which go by their `content_id`."""
        handling = self.overdue_handling
        if handling is None or handling["remind_client"] is None:
            return handling
        reminder = {name: value for name, value in handling["remind_client"].items() if name != "message"}
        return {**handling, "remind_client": reminder}
