"""Case types, with their statuses and custom fields."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKeyConstraint, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Folded, Id, Json, new_id
from chassis.texts import fold
from chassis.versioned import Versioned
from services.cases.models.common import Base, FirmKeyed

_RESEALING = text("resealing")


class CaseType(FirmKeyed, Versioned, Base):
    """A kind of case. Its statuses and custom fields are rows of their own. `default_form_ids` are tasks'. `name_key`
    is null of one that had the name of another one before that was refused, until it is renamed."""

    __tablename__ = "case_type"
    __table_args__ = (
        UniqueConstraint("firm_id", "name", name="uq_case_type_name"),
        Index("uq_case_type_name_key", "firm_id", "name_key", unique=True),
        Index("ix_case_type_firm_id_created_at", "firm_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120))
    name_key: Mapped[str | None] = mapped_column(Folded)
    number_prefix: Mapped[str | None] = mapped_column(String(10))
    number_digits: Mapped[int] = mapped_column(default=6, server_default="6")
    number_yearly: Mapped[bool] = mapped_column(default=False, server_default=false())
    archived: Mapped[bool] = mapped_column(default=False, server_default=false())
    default_form_ids: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")

    def rename(self, name: str) -> None:
        """Another name. The same again is none."""
        if name != self.name:
            self.name, self.name_key = name, name_key(name)


def name_key(name: str) -> str:
    """What names have in common that a file or a list would not tell apart: without regard to case, and to spaces
    around and between the words."""
    return fold(" ".join(name.split()))


class CaseStatus(FirmKeyed, Base):
    """One status of a case type. A case refers to it, so that one with cases in it cannot be removed."""

    __tablename__ = "case_status"
    __table_args__ = (ForeignKeyConstraint(["firm_id", "case_type_id"], ["case_type.firm_id", "case_type.id"]),)

    case_type_id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    position: Mapped[int]
    closed: Mapped[bool]

    @property
    def state(self) -> str:
        """The state of a case in this status."""
        return "closed" if self.closed else "open"


class FormerStatus(FirmKeyed, Base):
    """A name that a status had, which nothing else of its type has now. `status`: its present name."""

    __tablename__ = "case_status_former"
    __table_args__ = (
        ForeignKeyConstraint(
            ["firm_id", "case_type_id", "status"],
            ["case_status.firm_id", "case_status.case_type_id", "case_status.name"],
            name="fk_case_status_former_status",
        ),
        Index("ix_case_status_former_firm_id_name", "firm_id", "name"),
    )

    case_type_id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    status: Mapped[str] = mapped_column(String(60))


class CustomField(FirmKeyed, Base):
    """A field that a firm adds to a case type. A removed one is kept: its values stay stored, and are hidden.
    `resealing`: it became sensitive, or is so no longer, and some values are as before."""

    __tablename__ = "custom_field"
    __table_args__ = (
        ForeignKeyConstraint(["firm_id", "case_type_id"], ["case_type.firm_id", "case_type.id"]),
        Index("ix_custom_field_firm_id_key", "firm_id", "key"),
        Index("ix_custom_field_resealing", "resealing", sqlite_where=_RESEALING, postgresql_where=_RESEALING),
    )

    case_type_id: Mapped[str] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    position: Mapped[int]
    label: Mapped[str] = mapped_column(String(120))
    type: Mapped[str] = mapped_column(String(20))
    required: Mapped[bool] = mapped_column(default=False)
    sensitive: Mapped[bool] = mapped_column(default=False)
    resealing: Mapped[bool] = mapped_column(default=False, server_default=false())
    options: Mapped[list[str]] = mapped_column(Json, default=list)
    removed_at: Mapped[dt.datetime | None] = mapped_column(default=None)
