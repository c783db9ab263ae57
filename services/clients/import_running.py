"""The run of an import, in the background: its rows are taken in by chunks.

A chunk is one transaction that also keeps how far the import is, so that a restart goes on where it ended, without a
second copy of a row.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from chassis.columns import utc_now
from chassis.database import Database
from chassis.files import Files
from contracts.clients import IMPORT_REQUESTED
from contracts.errors import CasewireError, Unavailable
from services.clients import import_files
from services.clients.custom_fields import define_missing
from services.clients.import_chunks import ChunkOfRows, chunks, read_ahead, take_in
from services.clients.importing import find, keys_of_import, reader_of, wire
from services.clients.models import Import

BUDGET = 20.0
"""Seconds that one event's handler takes in rows; then another event goes on. A handler stays under a minute."""


def run_import(db: Database, *, import_id: str) -> dict[str, Any]:
    """Starts the import with the settings of its last preview; it goes on in the background.

    Raises NotFound `import_not_found`, Conflict `import_started` or `import_not_previewed`.
    """
    with db.unit_of_work() as uow:
        found = find(uow.session, import_id, lock=True)
        found.started()
        define_missing(uow, keys_of_import(found), utc_now())
        uow.emit(IMPORT_REQUESTED, import_id, {"import_id": import_id})
        return uow.answer(wire(found, []))


def cancel_import(db: Database, *, import_id: str) -> dict[str, Any]:
    """Ends an import; the rows that it has taken in stay, and can be undone.

    Raises NotFound `import_not_found`, Conflict `import_ended`.
    """
    with db.unit_of_work() as uow:
        found = find(uow.session, import_id, lock=True)
        found.cancelled()
        return uow.answer(wire(found, []))


def continue_import(
    db: Database, files: Files, import_id: str, clock: Callable[[], dt.datetime], budget: float = BUDGET
) -> None:
    """Takes in rows of a running import, for at most `budget` seconds, then asks for another go.

    May be repeated and may run twice at once: a chunk is taken in only by who finds the import where it left it.
    """
    until = time.monotonic() + budget
    with db.read() as session:
        found = find(session, import_id)
        reader = reader_of(session, found, clock())
    if found.state != "running":
        return
    try:
        with files.get(found.rows_key) as stream:
            rows = import_files.read_rows(stream, found.encoding, found.delimiter, start=found.position)
            with closing(read_ahead(chunks(rows, reader, firm_id=db.firm_id))) as ahead:
                goes_on = _take_in_all(db, found, ahead, until)
    except Unavailable:
        raise
    except CasewireError as error:
        _give_up(db, import_id, error.code)
        return
    if goes_on:
        _give_up(db, import_id, "file_changed")


def _take_in_all(db: Database, found: Import, rows: Iterable[ChunkOfRows], until: float) -> bool:
    """Whether the import still goes on at the end of the file, which then has fewer rows than it had."""
    for chunk in rows:
        if not take_in(db, found, chunk):
            return False
        if time.monotonic() > until:
            with db.unit_of_work() as uow:
                uow.emit(IMPORT_REQUESTED, found.id, {"import_id": found.id})
            return False
    return True


def _give_up(db: Database, import_id: str, failure: str) -> None:
    """Ends an import whose file ended too early or can no longer be read. One that has ended stays as it is."""
    with db.unit_of_work() as uow:
        found = find(uow.session, import_id, lock=True)
        if found.state == "running":
            found.gave_up(failure)
