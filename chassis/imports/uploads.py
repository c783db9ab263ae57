"""An uploaded file as the beginning of an import: looked through once, and of a workbook one sheet kept."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chassis.columns import new_id
from chassis.database import UnitOfWork
from chassis.files import Files
from chassis.imports import workbooks
from chassis.imports.left_over import take_turns
from chassis.imports.text_files import Layout, detect_encoding, read_layout
from chassis.words import UnfitText, clean_text
from contracts.errors import NotFound, Unavailable, invalid_field


@dataclass(frozen=True)
class Upload:
    """A file that can be read. `values` are columns of its import."""

    import_id: str
    layout: Layout
    values: dict[str, Any]

    def keep_after(self, uow: UnitOfWork, files: Files) -> None:
        """A workbook's rows are kept by themselves; other sheets nobody asked for. Raises NotFound `file_not_found` if
        what was read has been taken away since."""
        take_turns(uow.session, self.values["file_key"])
        if not files.exists(self.values["file_key"]):
            raise NotFound("file_not_found", key=self.values["file_key"])
        if self.values["table_key"] is not None:
            uow.after_commit(lambda: _delete(files, self.values["file_key"]))


def read_upload(
    files: Files, firm_id: str | None, *, file_key: str, filename: str, target: str, sheet: str | None
) -> Upload:
    """Raises NotFound `file_not_found` and Invalid, naming `filename`, `file` or `sheet`, for a file that cannot be
    read (`text_files`, `workbooks`)."""
    try:
        name = clean_text(filename)
    except UnfitText as error:
        raise invalid_field("filename", str(error)) from error
    import_id = new_id()
    with files.get(file_key) as stream:
        is_workbook = stream.read(len(workbooks.BEGINNING)) == workbooks.BEGINNING
    if is_workbook:
        table_key: str | None = f"imports/{target}/{firm_id}/{import_id}/rows.csv"
        table, layout = _read_workbook(files, file_key, str(table_key), sheet)
    else:
        table_key, table, layout = None, workbooks.Table(None, []), _read_text(files, file_key)
    values = {
        "id": import_id,
        "target": target,
        "filename": name or f"{target}.csv",
        "file_key": file_key,
        "table_key": table_key,
        "sheet": table.sheet,
        "sheets": table.sheets,
        "encoding": layout.encoding,
        "delimiter": layout.delimiter,
        "columns": layout.columns,
        "total": layout.rows,
    }
    return Upload(import_id, layout, values)


def _delete(files: Files, key: str) -> None:
    """What is not reached now, `keeping` deletes in its time."""
    with suppress(Unavailable):
        files.delete(key)


def _read_text(files: Files, file_key: str) -> Layout:
    with files.get(file_key) as stream:
        encoding = detect_encoding(stream)
    with files.get(file_key) as stream:
        return read_layout(stream, encoding)


def _read_workbook(files: Files, file_key: str, table_key: str, sheet: str | None) -> tuple[workbooks.Table, Layout]:
    """Keeps a sheet as the CSV that its rows are read from later."""
    with tempfile.TemporaryFile() as table, files.get(file_key) as stream:
        found = workbooks.read_workbook(stream, table, sheet)
        layout = read_layout(table, "utf-8", ",")
        table.seek(0)
        files.put(table_key, table)
    return found, layout
