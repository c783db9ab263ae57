"""Import of cases from a file: upload and preview. `running` takes the rows in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from chassis.database import Database
from chassis.files import Files
from chassis.imports import previews
from chassis.imports.uploads import read_upload
from contracts.errors import Forbidden
from services.cases.imports.chunks import ChunkOfRows, chunks, with_people
from services.cases.imports.fields import CUSTOM, check_default_values, check_mapping, suggest_mapping
from services.cases.imports.known import KnownStaff, KnownTypes, ask_for_staff
from services.cases.imports.matching import EarlierRows, Matching, Outcome
from services.cases.imports.people import match_people
from services.cases.imports.rows import RowReader
from services.cases.imports.store import IMPORTS, limit
from services.cases.models import CaseImport
from services.cases.sealed_values import PERMISSION, sees_sensitive

_STAFF_FIELDS = {"responsible_staff", "staff"}


def create_import(
    db: Database, files: Files, *, file_key: str, filename: str, sheet: str | None = None
) -> dict[str, Any]:
    """The import of an uploaded file, with its columns and the suggested mapping. Raises as `read_upload`."""
    upload = read_upload(files, db.firm_id, file_key=file_key, filename=filename, target="cases", sheet=sheet)
    with db.read() as session:
        suggested = suggest_mapping(upload.layout.columns, KnownTypes(session).fields)
    with db.unit_of_work() as uow:
        made = CaseImport(**upload.values, suggested_mapping=suggested, sees_only=limit())
        uow.session.add(made)
        uow.session.flush()
        upload.keep_after(uow, files)
        return uow.answer(IMPORTS.wire(made))


def preview_import(
    db: Database,
    files: Files,
    calls: Any,
    now: dt.datetime,
    *,
    import_id: str,
    mapping: dict[str, str] | None = None,
    duplicates: str = "skip",
    default_values: dict[str, str] | None = None,
    default_country: str = "US",
    date_format: str = "auto",
    clear_empty: bool = False,
) -> dict[str, Any]:
    """The import with what a run would do, and its settings kept for the run. No case is written, and no client.

    Raises NotFound `import_not_found`, Invalid that names columns and fields, Forbidden that names columns, Conflict
    `import_started`, or `import_ended` if it is cancelled meanwhile, and Unavailable, DeadlineExceeded if staff or
    clients cannot be asked.
    """
    with db.read() as session:
        found = IMPORTS.find(session, import_id)
        types = KnownTypes(session)
    settings: dict[str, Any] = {
        "mapping": check_mapping(found.suggested_mapping if mapping is None else mapping, found.columns, types.keys),
        "duplicates": duplicates,
        "default_values": check_default_values(default_values or {}, types.keys),
        "default_country": default_country,
        "date_format": date_format,
        "clear_empty": clear_empty and duplicates != "merge",
    }
    planned = CaseImport(id=found.id, columns=found.columns, **settings)
    refuse_sensitive_columns(types, planned)
    reader = reader_of(planned, types, staff_of(calls, planned), now)
    with closing(EarlierRows()) as earlier:

        def decide(chunk: ChunkOfRows) -> Sequence[Outcome]:
            asked = with_people(db, reader, duplicates, chunk.rows)
            match_people(calls, found.id, asked, default_country, create=False, earlier=earlier.people)
            with db.read() as session:
                return Matching(session, reader, duplicates, earlier=earlier).decide(chunk.rows)

        return previews.preview(db, files, IMPORTS, import_id, settings, lambda rows: chunks(rows, reader), decide)


def refuse_sensitive_columns(types: KnownTypes, planned: CaseImport) -> None:
    """As with single cases: who may not see what is sensitive may not state it. Raises Forbidden that names columns."""
    if sees_sensitive():
        return
    sensitive = {CUSTOM + field.key for field in types.fields if field.sensitive}
    paths = {f"mapping.{column}": field for column, field in (planned.mapping or {}).items()}
    paths |= {f"default_values.{field}": field for field in planned.default_values}
    named = [
        {"field": path, "message": "Sensitive: needs another permission."}
        for path, field in paths.items()
        if field in sensitive
    ]
    if named:
        raise Forbidden("permission_denied", fields=named, permission=PERMISSION)


def staff_of(calls: Any, found: CaseImport) -> KnownStaff:
    """The firm's staff, if rows may name some. Raises Unavailable if accounts cannot say."""
    named = {*(found.mapping or {}).values(), *found.default_values}
    return ask_for_staff(calls) if named & _STAFF_FIELDS else KnownStaff()


def reader_of(found: CaseImport, types: KnownTypes, staff: KnownStaff, now: dt.datetime) -> RowReader:
    """How the rows of an import are read, by its settings."""
    places = {field: found.columns.index(column) for column, field in (found.mapping or {}).items()}
    return RowReader(
        len(found.columns),
        places,
        found.default_values,
        found.default_country,
        now,
        types,
        staff,
        found.date_format,
        found.clear_empty,
    )
