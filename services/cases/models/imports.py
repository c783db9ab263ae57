"""Files of cases that are taken in, their rows that failed, what they changed, and the clients that they made."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, Index, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, JsonOrNull, new_id
from chassis.database import FirmScoped
from chassis.imports.models import FailedRowColumns, FileImportColumns, ImportChangeColumns
from services.cases.models.common import Base


class CaseImport(FileImportColumns, FirmScoped, Base):
    """An import of cases. `actor_id`: who runs it. `sees_only`: the types of cases that who runs it is limited to, or
    before that who uploaded it; null: no limit. `clients_created`: clients that it made."""

    actor_id: Mapped[str | None] = mapped_column(Id)
    sees_only: Mapped[list[str] | None] = mapped_column(JsonOrNull)
    clients_created: Mapped[int] = mapped_column(default=0)


class CaseImportRow(FailedRowColumns, FirmScoped, Base):
    """A row that failed."""


class CaseImportChange(ImportChangeColumns, FirmScoped, Base):
    """A case that an import made (`made`) or changed, or that its undo looked at. `values` are sealed by `changes`."""

    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "import_id", "case_id"),
        ForeignKeyConstraint(["firm_id", "case_id"], ["cases.firm_id", "cases.id"], name="fk_import_change_case"),
        Index("ix_import_change_case", "firm_id", "case_id"),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    case_id: Mapped[str] = mapped_column(Id)
    made: Mapped[bool] = mapped_column(default=False)


class CaseImportClient(FirmScoped, Base):
    """A client that an import of cases made."""

    __tablename__ = "import_client"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "import_id", "client_id"),
        Index("ix_import_client_client", "firm_id", "client_id"),
    )

    import_id: Mapped[str] = mapped_column(Id)
    client_id: Mapped[str] = mapped_column(Id)
