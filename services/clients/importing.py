"""Import of clients from a file: upload, preview, and how far it has come. `import_running` takes the rows in."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import Database
from chassis.files import Files
from contracts.errors import NotFound, Unavailable, invalid_field
from services.clients import assignment, import_files, import_workbooks
from services.clients.custom_fields import definitions
from services.clients.import_chunks import chunks
from services.clients.import_custom_fields import fields_of_import
from services.clients.import_earlier import EarlierRows
from services.clients.import_mapping import check_default_values, check_mapping, custom_keys, suggest_mapping
from services.clients.import_matching import OUTCOMES, Matching
from services.clients.import_rows import RowReader
from services.clients.import_sensitive import refuse_sensitive_columns
from services.clients.import_workbooks import Table
from services.clients.models import Import, ImportChange, ImportRow
from services.clients.names import UnfitText, clean_text

_ROWS_SHOWN = 100
_TOLD_EVERY = 0.5
"""Seconds after which a preview tells how far it is, and sees whether it was cancelled."""
UNDO = ("undoing", "undone")


def create_import(
    db: Database, files: Files, *, file_key: str, filename: str, target: str = "clients", sheet: str | None = None
) -> dict[str, Any]:
    """The import of an uploaded file, with its columns and the suggested mapping.

    Raises NotFound `file_not_found` and Invalid, naming `file` or `sheet`, for a file that cannot be read
    (`import_files`, `import_workbooks`).
    """
    if target != "clients":
        raise invalid_field("target", "Only clients can be imported yet.", code="not_available_yet")
    try:
        name = clean_text(filename)
    except UnfitText as error:
        raise invalid_field("filename", str(error)) from error
    import_id = new_id()
    with files.get(file_key) as stream:
        is_workbook = stream.read(len(import_workbooks.BEGINNING)) == import_workbooks.BEGINNING
    if is_workbook:
        table_key: str | None = f"imports/{import_id}/rows.csv"
        table, layout = _read_workbook(files, file_key, str(table_key), sheet)
    else:
        table_key, table, layout = None, Table(None, []), _read_text(files, file_key)
    with db.unit_of_work() as uow:
        made = Import(
            id=import_id,
            target=target,
            filename=name or "clients.csv",
            file_key=file_key,
            table_key=table_key,
            sheet=table.sheet,
            sheets=table.sheets,
            encoding=layout.encoding,
            delimiter=layout.delimiter,
            columns=layout.columns,
            suggested_mapping=suggest_mapping(layout.columns, layout.sample),
            total=layout.rows,
        )
        uow.session.add(made)
        uow.session.flush()
        if table_key is not None:
            # Its rows are kept by themselves; other sheets nobody asked for.
            uow.after_commit(lambda: _delete(files, file_key))
        return uow.answer(wire(made, []))


def _delete(files: Files, key: str) -> None:
    """What is not reached now, `import_keeping` deletes in its time."""
    with suppress(Unavailable):
        files.delete(key)


def _read_text(files: Files, file_key: str) -> import_files.Layout:
    with files.get(file_key) as stream:
        encoding = import_files.detect_encoding(stream)
    with files.get(file_key) as stream:
        return import_files.read_layout(stream, encoding)


def _read_workbook(files: Files, file_key: str, table_key: str, sheet: str | None) -> tuple[Table, import_files.Layout]:
    """Keeps a sheet as the CSV that its rows are read from later."""
    with tempfile.TemporaryFile() as table, files.get(file_key) as stream:
        found = import_workbooks.read_workbook(stream, table, sheet)
        layout = import_files.read_layout(table, "utf-8", ",")
        table.seek(0)
        files.put(table_key, table)
    return found, layout


def preview_import(
    db: Database,
    files: Files,
    now: dt.datetime,
    *,
    import_id: str,
    mapping: dict[str, str] | None = None,
    duplicates: str = "skip",
    default_values: dict[str, str] | None = None,
    default_country: str = "US",
    date_format: str = "auto",
    clear_empty: bool = False,
    calls: Any = None,
) -> dict[str, Any]:
    """The import with what a run would do, and its settings kept for the run. No client is written.
    With `calls`, accounts is asked who the firm's staff are, where clients are to be assigned.

    Raises NotFound `import_not_found`, Invalid that names columns and fields, Forbidden that names columns, Conflict
    `import_started`, or `import_ended` if it is cancelled meanwhile.
    """
    with db.read() as session:
        found = find(session, import_id)
    settings: dict[str, Any] = {
        "mapping": check_mapping(found.suggested_mapping if mapping is None else mapping, found.columns),
        "duplicates": duplicates,
        "default_values": check_default_values(default_values or {}),
        "default_country": default_country,
        "date_format": date_format,
        "clear_empty": clear_empty and duplicates != "merge",
    }
    assigned = assignment.FIELD in (*settings["mapping"].values(), *settings["default_values"])
    settings["staff_ids"] = assignment.staff_ids(calls) if assigned and calls is not None else None
    planned = Import(id=found.id, columns=found.columns, **settings)
    with db.read() as session:
        refuse_sensitive_columns(session, planned)
        reader = reader_of(session, planned, now)
    with db.unit_of_work() as uow:
        find(uow.session, import_id, lock=True).preview_started()
    try:
        outcome = _look_at_rows(db, files, found, reader, duplicates)
    except Exception:
        with db.unit_of_work() as uow:
            find(uow.session, import_id, lock=True).preview_failed()
        raise
    with db.unit_of_work() as uow:
        found = find(uow.session, import_id, lock=True)
        found.previewed(settings, outcome)
        return uow.answer(wire(found, []))


def _look_at_rows(db: Database, files: Files, found: Import, reader: RowReader, duplicates: str) -> dict[str, Any]:
    """What a run would do, as `Import.preview`. Raises Conflict if the import is cancelled, or started, meanwhile."""
    counts: Counter[str] = Counter()
    error_counts: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    told_at = time.monotonic()
    with files.get(found.rows_key) as stream, closing(EarlierRows()) as earlier:
        for chunk in chunks(import_files.read_rows(stream, found.encoding, found.delimiter), reader):
            with db.read() as session:
                outcomes = Matching(session, reader, duplicates, earlier).decide(chunk.rows)
            for outcome in outcomes:
                counts[outcome.kind] += 1
                error_counts.update(_codes(outcome.errors))
                if outcome.errors and len(rows) < _ROWS_SHOWN:
                    rows.append({"row": outcome.row, "errors": outcome.errors})
            if time.monotonic() - told_at > _TOLD_EVERY:
                with db.unit_of_work() as uow:
                    find(uow.session, found.id, lock=True).preview_advanced(counts.total())
                told_at = time.monotonic()
            time.sleep(0)  # lets other green threads run
    return {
        "counts": {"read": counts.total(), **{name: counts[name] for name in OUTCOMES}},
        "error_counts": dict(error_counts),
        "rows": rows,
    }


def get_import(db: Database, *, import_id: str) -> dict[str, Any]:
    """The import with its progress, its counts, and the first 100 rows that failed. Raises NotFound
    `import_not_found`."""
    with db.read() as session:
        found = find(session, import_id)
        failed = select(ImportRow).where(ImportRow.import_id == import_id).order_by(ImportRow.row).limit(_ROWS_SHOWN)
        rows = [{"row": row.row, "errors": row.errors} for row in session.scalars(failed)]
        return wire(found, rows, _conflicts(session, found) if found.state in UNDO else [])


def _conflicts(session: Session, found: Import) -> list[dict[str, Any]]:
    """The first clients that the undo left."""
    left = (
        select(ImportChange.client_id, ImportChange.conflicts)
        .where(ImportChange.import_id == found.id, ImportChange.outcome == "conflict")
        .order_by(ImportChange.client_id)
        .limit(_ROWS_SHOWN)
    )
    return [{"client_id": row.client_id, "kept": row.conflicts} for row in session.execute(left)]


def reader_of(session: Session, found: Import, now: dt.datetime) -> RowReader:
    """How the rows of an import are read, by its settings."""
    places = {field: found.columns.index(column) for column, field in (found.mapping or {}).items()}
    return RowReader(
        len(found.columns),
        places,
        found.default_values,
        found.default_country,
        now,
        found.date_format,
        found.clear_empty,
        fields_of_import(definitions(session), keys_of_import(found)),
        None if found.staff_ids is None else frozenset(found.staff_ids),
    )


def keys_of_import(found: Import) -> list[str]:
    """The keys of the firm's own fields that an import fills."""
    return custom_keys([*(found.mapping or {}).values(), *found.default_values])


def find(session: Session, import_id: str, *, lock: bool = False) -> Import:
    """Raises NotFound `import_not_found`."""
    statement = select(Import).where(Import.id == import_id)
    found: Import | None = session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NotFound("import_not_found", import_id=import_id)
    return found


def _codes(errors: list[str]) -> list[str]:
    return [error.partition(":")[0] for error in errors]


def wire(found: Import, failed: list[dict[str, Any]], conflicts: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """`contracts.clients.Import`: of a previewed one what a run would do, else what was done."""
    done = {
        "counts": {"read": found.position, **{name: getattr(found, name) for name in OUTCOMES}},
        "error_counts": found.error_counts,
        "rows": failed,
    }
    done_rows = found.preview_position if found.state == "previewing" else found.position
    stated = ("id", "version", "created_at", "updated_at", "filename", "target", "state", "sheet", "sheets",
              "columns", "suggested_mapping", "mapping", "duplicates", "failure")  # fmt: skip
    return {
        **{name: getattr(found, name) for name in stated},
        "progress": {"done": done_rows, "total": found.total},
        "undo": None,
        **(found.preview if found.state == "previewed" and found.preview else done),
        **(_undo_wire(found, conflicts) if found.state in UNDO else {}),
    }


def _undo_wire(found: Import, conflicts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    counted = found.undo_counts
    names = {"removed": "removed", "restored": "restored", "conflicts": "conflict", "gone": "gone"}
    return {
        "progress": {"done": sum(counted.values()), "total": max(found.undo_total, sum(counted.values()))},
        "undo": {
            "counts": {name: counted.get(outcome, 0) for name, outcome in names.items()},
            "conflicts": list(conflicts),
        },
    }
