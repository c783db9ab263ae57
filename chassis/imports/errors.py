"""The rows that an import could not take in, as the original file with an `errors` column."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from itertools import chain
from typing import IO, Any

from sqlalchemy import select

from chassis.cells import neutral_text
from chassis.database import Database
from chassis.files import Files
from chassis.imports.models import ENDED
from chassis.imports.store import ImportStore
from chassis.imports.text_files import read_rows
from chassis.workbooks import workbook
from contracts.errors import Conflict, NotFound

COLUMN = "errors"
_PAGE = 1000
_IN_MEMORY = 1024 * 1024


def get_import_errors(
    db: Database, files: Files, store: ImportStore, *, import_id: str, form: str = "csv"
) -> dict[str, str]:
    """{"file_key", "filename"} of the error file, as `csv` or `xlsx`, which is made when it is first asked for.

    Raises NotFound `import_not_found` (`file_not_found` if the upload is gone, or the import's time is over), Conflict
    `import_not_finished`, Forbidden that names columns if the caller may not see what is in them.
    """
    key = f"imports/{import_id}/errors.{form}"
    found = _kept(db, store, import_id, key)
    if found.state not in (*ENDED, "undoing"):
        raise Conflict("import_not_finished", state=found.state)
    with db.read() as session:
        store.refuse_cells(session, found)
    if not files.exists(key):
        header = [*(neutral_text(column) for column in found.columns), COLUMN]
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as target:
            write = _write_csv if form == "csv" else _write_workbook
            write(target, found, header, _table(db, files, store, found))
            target.seek(0)
            files.put(key, target)  # type: ignore[arg-type]
        try:
            _kept(db, store, import_id, key)
        except NotFound:
            files.delete(key)
            raise
    return {"file_key": key, "filename": f"{found.filename.rsplit('.', 1)[0]}-errors.{form}"}


def _kept(db: Database, store: ImportStore, import_id: str, key: str) -> Any:
    """Another import may have the same list for longer."""
    with db.read() as session:
        found = store.find(session, import_id)
    if found.emptied_at is not None:
        raise NotFound("file_not_found", key=key)
    return found


def _write_csv(target: IO[bytes], found: Any, header: list[str], rows: Iterator[list[str]]) -> None:
    # With a mark, so that Excel takes it for UTF-8.
    text = io.TextIOWrapper(target, encoding="utf-8-sig", newline="", write_through=True)
    csv.writer(text, delimiter=found.delimiter).writerows(chain([header], rows))
    text.detach()


def _write_workbook(target: IO[bytes], found: Any, header: list[str], rows: Iterator[list[str]]) -> None:
    for part in workbook(header, rows):
        target.write(part)


def _table(db: Database, files: Files, store: ImportStore, found: Any) -> Iterator[list[str]]:
    """The failed rows as they were, with what is wrong with them."""
    columns_of = {field: column for column, field in (found.mapping or {}).items()}
    failed = _failed_rows(db, store, found.id)
    number, errors = next(failed, (0, []))
    width = len(found.columns)
    with files.get(found.rows_key) as source:
        for row, cells in read_rows(source, found.encoding, found.delimiter):
            if row != number:
                continue
            padded = [*cells[:width], *[""] * (width - len(cells))]
            named = "; ".join(_named(error, columns_of) for error in errors)
            yield [neutral_text(cell) for cell in (*padded, named, *cells[width:])]
            number, errors = next(failed, (0, []))


def _failed_rows(db: Database, store: ImportStore, import_id: str) -> Iterator[tuple[int, list[str]]]:
    last = 0
    while True:
        with db.read() as session:
            statement = (
                select(store.rows.row, store.rows.errors)
                .where(store.rows.import_id == import_id, store.rows.row > last)
                .order_by(store.rows.row)
                .limit(_PAGE)
            )
            rows = session.execute(statement).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        last = rows[-1][0]


def _named(error: str, columns_of: dict[str, str]) -> str:
    """`code: column`, as the file calls it."""
    code, _, field = error.partition(":")
    return f"{code}: {columns_of.get(field, field)}"
