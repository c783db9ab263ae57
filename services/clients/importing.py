"""Import of clients from a file: upload and preview. `imports.running` takes the rows in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.files import Files
from chassis.imports import previews
from chassis.imports.uploads import read_upload
from services.clients import assignment
from services.clients.custom_fields import definitions
from services.clients.imports.chunks import ChunkOfRows, chunks
from services.clients.imports.custom_fields import fields_of_import
from services.clients.imports.earlier import EarlierRows
from services.clients.imports.mapping import check_default_values, check_mapping, custom_keys, suggest_mapping
from services.clients.imports.matching import Matching, Outcome
from services.clients.imports.rows import RowReader
from services.clients.imports.sensitive import refuse_sensitive_columns
from services.clients.imports.store import IMPORTS
from services.clients.models import Import


def create_import(
    db: Database, files: Files, *, file_key: str, filename: str, sheet: str | None = None
) -> dict[str, Any]:
    """The import of an uploaded file, with its columns and the suggested mapping. Raises as `read_upload`."""
    upload = read_upload(files, db.firm_id, file_key=file_key, filename=filename, target="clients", sheet=sheet)
    layout = upload.layout
    with db.read() as session:
        suggested = suggest_mapping(layout.columns, layout.sample, definitions(session))
    with db.unit_of_work() as uow:
        made = Import(**upload.values, suggested_mapping=suggested)
        uow.session.add(made)
        uow.session.flush()
        upload.keep_after(uow, files)
        return uow.answer(IMPORTS.wire(made))


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
        found = IMPORTS.find(session, import_id)
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
    with closing(EarlierRows()) as earlier:

        def decide(chunk: ChunkOfRows) -> Sequence[Outcome]:
            with db.read() as session:
                return Matching(session, reader, duplicates, earlier).decide(chunk.rows)

        return previews.preview(db, files, IMPORTS, import_id, settings, lambda rows: chunks(rows, reader), decide)


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
