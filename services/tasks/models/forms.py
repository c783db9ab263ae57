"""Forms, their versions, and what was assigned to cases of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, Integer, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Json, utc_now
from chassis.database import FirmScoped
from services.tasks.models.common import Base, Record, Versioned
from services.tasks.models.known_cases import OfCase


class Form(Versioned, Base):
    """Questions that are asked together. What it asks is its newest version's."""

    __tablename__ = "form"
    __table_args__ = (Index("ix_form_firm_id_title", "firm_id", "title", "id"),)

    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(Text)
    archived: Mapped[bool] = mapped_column(default=False, server_default=false())


class FormVersion(FirmScoped, Base):
    """What a form asked once: its title, sections and tasks as on the wire. Never changed."""

    __tablename__ = "form_version"
    __table_args__ = (ForeignKeyConstraint(["firm_id", "form_id"], ["form.firm_id", "form.id"]),)

    firm_id: Mapped[str] = mapped_column(Id, primary_key=True, sort_order=-2)
    form_id: Mapped[str] = mapped_column(Id, primary_key=True, sort_order=-1)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class CaseForm(OfCase, Record, Base):
    """A version of a form on a case; its tasks name it. `title` is the form's as it was.

    `assigned_once_key`: a repeat with the same key cannot double it; null where a person assigned it.
    """

    __tablename__ = "case_form"
    # No index but the key begins with the firm: PostgreSQL would look for the form of a task among all of its firm.
    __table_args__ = (
        UniqueConstraint("case_id", "assigned_once_key", "firm_id"),
        ForeignKeyConstraint(
            ["firm_id", "form_id", "form_version"],
            ["form_version.firm_id", "form_version.form_id", "form_version.version"],
        ),
        Index("ix_case_form_case_id", "case_id"),
        Index("ix_case_form_form_id", "form_id"),
    )

    case_id: Mapped[str] = mapped_column(Id)
    form_id: Mapped[str] = mapped_column(Id)
    form_version: Mapped[int] = mapped_column(Integer)
    title: Mapped[str] = mapped_column(String(200))
    assigned_once_key: Mapped[str | None] = mapped_column(Id)
    completed_at: Mapped[dt.datetime | None]
