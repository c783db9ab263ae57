"""Columns of the tables in which a service keeps its imports, and the state changes that are legal."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, Index, Integer, PrimaryKeyConstraint, String, Text, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from chassis.asking_again import AskedAgain, first_time, index_of
from chassis.columns import Id, Instant, Json, new_id, utc_now
from contracts.errors import Conflict

UNSTARTED = ("uploaded", "previewing", "previewed")
"""States of an import of which no row has been taken in."""
ENDED = ("finished", "failed", "cancelled", "undone")
"""States of an import in which its file is read no more, but to make its file of errors."""
AT_WORK = ("previewing", "running", "undoing")
"""States that another follows by itself."""
UNDO = ("undoing", "undone")
OUTCOMES = ("created", "updated", "skipped", "failed")


class FileImportColumns(AskedAgain):
    """One uploaded file and how far its rows have been taken in.

    `position` is the number of rows whose outcome is committed: `created + updated + skipped + failed`;
    `preview_position` that of the rows which a preview has looked at. Of a workbook `table_key` names the sheet as CSV,
    from which its rows are read. `emptied_at` is when its files, and what it kept for an undo, were taken away
    (`chassis.imports.keeping`).
    """

    __tablename__ = "file_import"

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        kept = text("emptied_at IS NULL")
        return (
            PrimaryKeyConstraint("firm_id", "id"),
            CheckConstraint("created + updated + skipped + failed = position", name="counts_add_up"),
            Index("ix_file_import_created", "firm_id", "created_at", "id"),
            Index("ix_file_import_kept", "updated_at", sqlite_where=kept, postgresql_where=kept),
            index_of("file_import"),
        )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[dt.datetime] = mapped_column(Instant, default=utc_now)
    updated_at: Mapped[dt.datetime] = mapped_column(Instant, default=utc_now)
    state: Mapped[str] = mapped_column(String(20), default="uploaded")
    target: Mapped[str] = mapped_column(String(20))
    filename: Mapped[str] = mapped_column(String(255))
    file_key: Mapped[str] = mapped_column(String(300))
    table_key: Mapped[str | None] = mapped_column(String(300))
    sheet: Mapped[str | None] = mapped_column(String(100))
    sheets: Mapped[list[str]] = mapped_column(Json, default=list)
    encoding: Mapped[str] = mapped_column(String(40))
    delimiter: Mapped[str] = mapped_column(String(1))
    columns: Mapped[list[str]] = mapped_column(Json)
    suggested_mapping: Mapped[dict[str, str]] = mapped_column(Json)
    mapping: Mapped[dict[str, str] | None] = mapped_column(Json)
    duplicates: Mapped[str | None] = mapped_column(String(20))
    default_values: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    default_country: Mapped[str] = mapped_column(String(2), default="US")
    date_format: Mapped[str] = mapped_column(String(20), default="auto")
    clear_empty: Mapped[bool] = mapped_column(Boolean, default=False)
    total: Mapped[int] = mapped_column(Integer)
    position: Mapped[int] = mapped_column(Integer, default=0)
    created: Mapped[int] = mapped_column(Integer, default=0)
    updated: Mapped[int] = mapped_column(Integer, default=0)
    skipped: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    error_counts: Mapped[dict[str, int]] = mapped_column(Json, default=dict)
    preview_position: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    preview: Mapped[dict[str, Any] | None] = mapped_column(Json)
    undo_total: Mapped[int] = mapped_column(Integer, default=0)
    undo_counts: Mapped[dict[str, int]] = mapped_column(Json, default=dict)
    failure: Mapped[str | None] = mapped_column(String(200))
    emptied_at: Mapped[dt.datetime | None] = mapped_column(Instant)

    def preview_started(self) -> None:
        """Its rows are looked at. Raises Conflict `import_started`, or `import_ended` if it was cancelled."""
        self._demand_not_started()
        self.preview_position = 0
        self._moved("previewing")

    def preview_advanced(self, position: int) -> None:
        """So many rows have been looked at. Raises as `preview_started`."""
        self._demand_not_started()
        self.preview_position = position
        self.ask_at = first_time(utc_now())

    def preview_failed(self) -> None:
        """What an earlier preview found holds again, if there was one."""
        if self.state == "previewing":
            self._moved("uploaded" if self.preview is None else "previewed")

    def previewed(self, settings: dict[str, Any], outcome: dict[str, Any]) -> None:
        """Keeps the settings of a run, by their columns, and what it would do. Raises as `preview_started`."""
        self._demand_not_started()
        for name, value in settings.items():
            setattr(self, name, value)
        self.preview = outcome
        self._moved("previewed")

    def started(self) -> None:
        """Raises Conflict `import_started` if it runs or ran, `import_not_previewed` if no mapping is known."""
        if self.state not in UNSTARTED:
            raise Conflict("import_started", state=self.state)
        if self.mapping is None or self.state == "previewing":
            raise Conflict("import_not_previewed", state=self.state)
        self._moved("running")

    def advanced(self, outcomes: dict[str, int], error_counts: dict[str, int]) -> None:
        """Adds a chunk's outcomes (`created`, `updated`, `skipped`, `failed`); the import ends with its last row."""
        for outcome, count in outcomes.items():
            setattr(self, outcome, getattr(self, outcome) + count)
        self.position += sum(outcomes.values())
        self.error_counts = {
            code: self.error_counts.get(code, 0) + error_counts.get(code, 0)
            for code in {*self.error_counts, *error_counts}
        }
        self._moved("finished" if self.position >= self.total else "running")

    def gave_up(self, failure: str) -> None:
        """The rest of the file can no longer be read; what is committed stays, and counts."""
        self.failure = failure
        self._moved("failed")

    def cancelled(self) -> None:
        """No more rows are taken in, or looked at; what is committed stays, and counts. Raises Conflict
        `import_ended`."""
        if self.state not in (*UNSTARTED, "running"):
            raise Conflict("import_ended", state=self.state)
        self._moved("cancelled")

    def forget_names(self) -> None:
        """The file's name and those of its columns go. It has ended."""
        self.filename, self.columns, self.suggested_mapping, self.mapping = self.target, [], {}, {}

    def undo_started(self, total: int, oldest: dt.datetime) -> None:
        """Begins to take it back: `total` records. Raises Conflict `import_not_finished`, `import_undone`, or
        `import_too_old` if it has ended before `oldest`."""
        if self.state in UNDO:
            raise Conflict("import_undone", state=self.state)
        if self.state not in ("finished", "failed", "cancelled"):
            raise Conflict("import_not_finished", state=self.state)
        if self.updated_at < oldest:
            raise Conflict("import_too_old")
        self.undo_total = total
        self._moved("undoing")

    def undo_advanced(self, outcomes: list[str]) -> None:
        """Adds what became of a chunk's records."""
        self.undo_counts = {
            name: self.undo_counts.get(name, 0) + outcomes.count(name) for name in {*self.undo_counts, *outcomes}
        }
        self._moved("undoing")

    def undo_ended(self) -> None:
        """All its records were looked at."""
        self.undo_total = sum(self.undo_counts.values())
        self._moved("undone")

    def _demand_not_started(self) -> None:
        if self.state == "cancelled":
            raise Conflict("import_ended", state=self.state)
        if self.state not in UNSTARTED:
            raise Conflict("import_started", state=self.state)

    @property
    def file_keys(self) -> list[str]:
        """All that may be stored of it: what was uploaded, its rows, and the files of errors."""
        kept = [key for key in (self.file_key, self.table_key) if key]
        return [*kept, *(f"imports/{self.id}/errors.{form}" for form in ("csv", "xlsx"))]

    @property
    def rows_key(self) -> str:
        """The file that its rows are read from."""
        return self.table_key or self.file_key

    def _moved(self, state: str) -> None:
        self.state = state
        self.version += 1
        self.updated_at = utc_now()
        self.ask_at = first_time(self.updated_at) if state in AT_WORK else None


class FailedRowColumns:
    """A row of a file that failed. `row` counts from 1 without the header; `errors` are `code:field`.

    The row's cells stay in the file: personal data that was refused is not kept a second time.
    """

    __tablename__ = "import_row"

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        return (PrimaryKeyConstraint("firm_id", "import_id", "row"),)

    import_id: Mapped[str] = mapped_column(Id)
    row: Mapped[int] = mapped_column(Integer)
    errors: Mapped[list[str]] = mapped_column(Json)


class ImportChangeColumns:
    """A record that an import changed, or that its undo looked at.

    `version` is the one that the import left. `values` holds the changed fields before and after, sealed. `outcome` of
    the undo: removed, restored, conflict, gone; `conflicts` names fields that stay.
    """

    __tablename__ = "import_change"

    import_id: Mapped[str] = mapped_column(Id)
    version: Mapped[int] = mapped_column(Integer)
    values: Mapped[str | None] = mapped_column(Text)
    outcome: Mapped[str | None] = mapped_column(String(20))
    conflicts: Mapped[list[str]] = mapped_column(Json, default=list)
