"""Cases, who is on them, and what is filtered by; the state changes that are legal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, ForeignKeyConstraint, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from chassis.columns import Exact, Folded, Id, Json, new_id
from chassis.database import ByKind
from chassis.texts import fold
from chassis.versioned import Versioned
from services.cases.models.common import Base, FirmKeyed, OfCase, case_key
from services.cases.models.types import CaseStatus


class Case(ByKind, FirmKeyed, Versioned, Base):
    """A case. `state` follows from its status (`pending` while its new client is being created).

    `custom_fields` holds the values as they are on the wire; `case_field_value` holds them again for filters. The
    folded columns are what `contains`, `starts_with`, search and sorting compare.
    """

    __tablename__ = "cases"  # CASE is a word of SQL.
    __table_args__ = (
        UniqueConstraint("firm_id", "number", name="uq_cases_number"),
        Index(
            "uq_cases_external_source_id",
            "firm_id",
            "external_source",
            "external_source_id",
            unique=True,
            sqlite_where=text("external_source_id IS NOT NULL"),
            postgresql_where=text("external_source_id IS NOT NULL"),
        ),
        ForeignKeyConstraint(
            ["firm_id", "case_type_id", "status"],
            ["case_status.firm_id", "case_status.case_type_id", "case_status.name"],
            name="fk_cases_status",
        ),
        Index("ix_cases_firm_id_name", "firm_id", "name_folded", "id"),
        Index("ix_cases_firm_id_number", "firm_id", "number_folded", "id"),
        Index("ix_cases_firm_id_created_at", "firm_id", "created_at", "id"),
        Index("ix_cases_firm_id_updated_at", "firm_id", "updated_at", "id"),
        Index(  # They are few among many, and are listed alone.
            "ix_cases_firm_id_archived",
            "firm_id",
            "created_at",
            "id",
            sqlite_where=text("archived_at IS NOT NULL"),
            postgresql_where=text("archived_at IS NOT NULL"),
        ),
        Index("ix_cases_firm_id_type_status", "firm_id", "case_type_id", "status", "id"),
        Index("ix_cases_firm_id_status", "firm_id", "status", "id"),
        Index("ix_cases_firm_id_state", "firm_id", "state", "id"),
        Index("ix_cases_firm_id_responsible_staff_id", "firm_id", "responsible_staff_id", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(String(60))
    number_folded: Mapped[str] = mapped_column(Folded)
    name: Mapped[str] = mapped_column(String(200))
    name_folded: Mapped[str] = mapped_column(Folded)
    case_type_id: Mapped[str] = mapped_column(Id)
    status: Mapped[str] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(10))
    description: Mapped[str | None] = mapped_column(Text)
    description_folded: Mapped[str | None] = mapped_column(Folded)
    responsible_staff_id: Mapped[str | None] = mapped_column(Id)
    source: Mapped[str | None] = mapped_column(String(120))
    source_folded: Mapped[str | None] = mapped_column(Folded)
    value: Mapped[Decimal | None] = mapped_column(Exact)
    external_source: Mapped[str | None] = mapped_column(String(60))
    external_source_id: Mapped[str | None] = mapped_column(String(120))
    custom_fields: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    archived_at: Mapped[dt.datetime | None]

    @classmethod
    def of_kinds(cls, kinds: Sequence[str]) -> ColumnElement[bool]:
        """The kinds that somebody may be limited to are types of cases."""
        return cls.case_type_id.in_(kinds)

    @validates("number", "name", "description", "source")
    def _fold(self, name: str, value: str | None) -> str | None:
        setattr(self, f"{name}_folded", None if value is None else fold(value))
        return value

    def move_to(self, status: CaseStatus) -> bool:
        """Takes a status of its type; False if it had it. A pending case stays pending."""
        if self.status == status.name:
            return False
        self.status = status.name
        if self.state != "pending":
            self.state = status.state
        return True

    def activate(self, status: CaseStatus, now: dt.datetime) -> bool:
        """Ends the wait for the new client; False if the case was not waiting. It counts as a change: who asked about
        the case meanwhile was told that it waits."""
        if self.state != "pending":
            return False
        self.state = status.state
        self.touch(now)
        return True

    def archive(self, now: dt.datetime) -> bool:
        """Takes the case out of lists and selections; False if it was archived before."""
        if self.archived_at is not None:
            return False
        self.archived_at = now
        self.touch(now)
        return True

    def unarchive(self, now: dt.datetime) -> bool:
        """Brings the case back, with the status it had; False if it was not archived."""
        if self.archived_at is None:
            return False
        self.archived_at = None
        self.touch(now)
        return True


class CaseClient(OfCase, Base):
    """A client of a case: each once, and no second primary."""

    __tablename__ = "case_client"
    __table_args__ = (
        case_key(),
        Index(
            "uq_case_client_primary",
            "firm_id",
            "case_id",
            unique=True,
            sqlite_where=text("role = 'primary'"),
            postgresql_where=text("role = 'primary'"),
        ),
        Index("ix_case_client_firm_id_client_id", "firm_id", "client_id", "case_id"),
    )

    client_id: Mapped[str] = mapped_column(Id, primary_key=True)
    role: Mapped[str] = mapped_column(String(10))
    label: Mapped[str | None] = mapped_column(String(60))
    position: Mapped[int]


class CaseStaff(OfCase, Base):
    """A staff member on a case, besides the responsible one."""

    __tablename__ = "case_staff"
    __table_args__ = (case_key(), Index("ix_case_staff_firm_id_staff_id", "firm_id", "staff_id", "case_id"))

    staff_id: Mapped[str] = mapped_column(Id, primary_key=True)
    position: Mapped[int]


class CaseFieldValue(OfCase, Base):
    """A custom field's value, typed, for filters; of several choices one row each.

    Rows of typed columns rather than one JSON document: PostgreSQL's index over JSONB answers equality only, not
    `between`, `starts_with` or a date's order, and SQLite has none at all. Here a btree serves every operator, the same
    on both. The index holds the start of a text, for a whole one can be longer than an entry may be.
    """

    __tablename__ = "case_field_value"
    __table_args__ = (
        case_key(),
        Index("ix_case_field_value_start", "firm_id", "key", "start", "case_id"),
        Index("ix_case_field_value_number", "firm_id", "key", "number", "case_id"),
        Index("ix_case_field_value_day", "firm_id", "key", "day", "case_id"),
    )

    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str | None] = mapped_column(Text)
    folded: Mapped[str | None] = mapped_column(Folded)
    start: Mapped[str | None] = mapped_column(Folded)
    number: Mapped[Decimal | None] = mapped_column(Exact)
    day: Mapped[dt.date | None]


class KeyDate(OfCase, Base):
    """A day that matters in a case, under the name that somebody gave it; `label_folded` is what filters compare."""

    __tablename__ = "case_key_date"
    __table_args__ = (
        case_key(),
        Index("ix_case_key_date_day", "firm_id", "day", "case_id"),
        Index("ix_case_key_date_label", "firm_id", "label_folded", "day", "case_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    position: Mapped[int]
    label: Mapped[str] = mapped_column(String(120))
    label_folded: Mapped[str] = mapped_column(Folded, server_default="")
    day: Mapped[dt.date]


class StatusChange(OfCase, Base):
    """The history of a case's status. `actor_id` null: the system."""

    __tablename__ = "case_status_change"
    __table_args__ = (case_key(),)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    from_status: Mapped[str | None] = mapped_column(String(60))
    to_status: Mapped[str] = mapped_column(String(60))
    actor_id: Mapped[str | None] = mapped_column(Id)
    at: Mapped[dt.datetime]


class NumberSeries(FirmKeyed, Base):
    """A series of case numbers, by what they begin with (nothing: the firm's own). Its row is the lock that makes each
    number given once."""

    __tablename__ = "number_series"

    key: Mapped[str] = mapped_column(String(60), primary_key=True, default="", server_default="")
    last: Mapped[int] = mapped_column(default=0)
