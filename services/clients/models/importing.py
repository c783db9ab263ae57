"""Files that are taken in, their rows that failed, and what they changed."""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, JsonOrNull
from chassis.database import FirmScoped
from chassis.imports.models import FailedRowColumns, FileImportColumns, ImportChangeColumns
from services.clients.models.common import Base, of_client


class Import(FileImportColumns, FirmScoped, Base):
    """An import of clients. `staff_ids` are those to whom they may be assigned, where the preview asked."""

    staff_ids: Mapped[list[str] | None] = mapped_column(JsonOrNull)


class ImportRow(FailedRowColumns, FirmScoped, Base):
    """A row that failed."""


class ImportChange(ImportChangeColumns, FirmScoped, Base):
    """A client that an import changed, or that its undo looked at. `values` are sealed by `imports.changes`."""

    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "import_id", "client_id"),
        of_client("import_change"),
        Index("ix_import_change_client", "firm_id", "client_id"),
    )

    client_id: Mapped[str] = mapped_column(Id)
