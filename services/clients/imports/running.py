"""The run of an import of clients, in the background."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from chassis.columns import utc_now
from chassis.database import Database
from chassis.files import Files
from chassis.imports import running
from contracts.clients import IMPORT_REQUESTED
from services.clients.custom_fields import define_missing
from services.clients.importing import keys_of_import, reader_of
from services.clients.imports.chunks import chunks, take_in
from services.clients.imports.sensitive import refuse_sensitive_columns
from services.clients.imports.store import IMPORTS


def run_import(db: Database, *, import_id: str) -> dict[str, Any]:
    """Starts the import with the settings of its last preview; it goes on in the background.

    Raises NotFound `import_not_found`, Conflict `import_started` or `import_not_previewed`, Forbidden that names
    columns.
    """
    with db.unit_of_work() as uow:
        found = IMPORTS.find(uow.session, import_id, lock=True)
        found.started()
        # Another may have previewed it, who sees more.
        refuse_sensitive_columns(uow.session, found)
        define_missing(uow, keys_of_import(found), utc_now())
        uow.emit(IMPORT_REQUESTED, import_id, {"import_id": import_id})
        return uow.answer(IMPORTS.wire(found))


def continue_import(
    db: Database, files: Files, import_id: str, clock: Callable[[], dt.datetime], budget: float = running.BUDGET
) -> None:
    """Takes in rows of a running import, for at most `budget` seconds, then asks for another go."""
    with db.read() as session:
        found = IMPORTS.find(session, import_id)
        reader = reader_of(session, found, clock())
    running.go_on(
        db,
        files,
        IMPORTS,
        found,
        lambda rows: chunks(rows, reader, firm_id=db.firm_id),
        lambda chunk: take_in(db, found, chunk),
        IMPORT_REQUESTED,
        budget,
    )
