"""The run of an import of cases, in the background."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from chassis.context import limited_to, use
from chassis.database import Database
from chassis.files import Files
from chassis.imports import running
from contracts.cases import IMPORT_REQUESTED
from services.cases.imports.chunks import chunks, clients_of_next_chunk, take_in
from services.cases.imports.known import KnownTypes
from services.cases.imports.previewing import reader_of, refuse_sensitive_columns, staff_of
from services.cases.imports.store import IMPORTS, limit
from services.cases.imports.writing import give_back_without_cases
from services.cases.models import CaseImport
from services.cases.numbering import day_of_many


def run_import(db: Database, *, import_id: str, actor_id: str | None) -> dict[str, Any]:
    """Starts the import with the settings of its last preview. It goes on in the background, as `actor_id`'s.

    Raises NotFound `import_not_found`, Conflict `import_started` or `import_not_previewed`, Forbidden that names
    columns.
    """
    with db.unit_of_work() as uow:
        found = IMPORTS.find(uow.session, import_id, lock=True)
        found.started()
        # Another may have previewed it, who sees more.
        refuse_sensitive_columns(KnownTypes(uow.session), found)
        found.actor_id = actor_id
        found.sees_only = limit()
        uow.emit(IMPORT_REQUESTED, import_id, {"import_id": import_id})
        return uow.answer(IMPORTS.wire(found))


def cancel_import(db: Database, *, import_id: str) -> dict[str, Any]:
    """Ends an import; the rows that it has taken in stay, and can be undone. Of the rows that were to follow, clients
    may be there already: of a chunk that was killed, or is at work.

    Raises NotFound `import_not_found`, Conflict `import_ended`.
    """
    with db.unit_of_work() as uow:
        found = IMPORTS.find(uow.session, import_id, lock=True)
        ran = found.state == "running"
        found.cancelled()
        if ran:
            give_back_without_cases(uow, import_id, clients_of_next_chunk(found))
        return uow.answer(IMPORTS.wire(found))


def continue_import(
    db: Database,
    files: Files,
    calls: Any,
    import_id: str,
    clock: Callable[[], dt.datetime],
    budget: float = running.BUDGET,
) -> None:
    """Takes in rows of a running import, for at most `budget` seconds, then asks for another go.

    Raises Unavailable, DeadlineExceeded if staff or clients cannot be asked; then it goes on later where it was.
    """
    with db.read() as session:
        found = IMPORTS.find(session, import_id)
    if found.state != "running":
        return
    with use(limited_to(found.sees_only)):
        _take_in_some(db, files, calls, found, clock(), budget)


def _take_in_some(db: Database, files: Files, calls: Any, found: CaseImport, now: dt.datetime, budget: float) -> None:
    with db.read() as session:
        types = KnownTypes(session)
    reader = reader_of(found, types, staff_of(calls, found), now)
    today = day_of_many(calls, [known.row for known in types.by_id.values()], now)
    running.go_on(
        db,
        files,
        IMPORTS,
        found,
        lambda rows: chunks(rows, reader),
        lambda chunk: take_in(db, calls, found, reader, today, chunk),
        IMPORT_REQUESTED,
        budget,
    )
