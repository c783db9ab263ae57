"""The run of an import, in the background: its rows are taken in by chunks.

A chunk is one transaction that also keeps how far the import is, so that a restart goes on where it ended, without a
second copy of a row.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import eventlet
from sqlalchemy import select

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.files import Files
from chassis.imports.previews import Outcome, Rows, code_of
from chassis.imports.store import ImportStore
from chassis.imports.text_files import read_rows
from chassis.telemetry import log_of
from contracts.base import Event
from contracts.errors import CasewireError, DeadlineExceeded, Unavailable

BUDGET = 20.0
"""Seconds that one event's handler takes in rows; then another event goes on. A handler stays under a minute."""

_log = log_of(__name__)


def budget_of(event: ReceivedEvent) -> float:
    """A single chunk where the event came before: what kills its process again, or keeps another service away again,
    must not meet the same event so often that it is parked, although the import got on each time."""
    return 0.0 if event.came_before else BUDGET


class Overtaken(Exception):
    """The import is no longer where this chunk begins: another worker took it in, or it has ended."""


def cancel_import(db: Database, store: ImportStore, *, import_id: str) -> dict[str, Any]:
    """Ends an import; the rows that it has taken in stay, and can be undone.

    Raises NotFound `import_not_found`, Conflict `import_ended`.
    """
    with db.unit_of_work() as uow:
        found = store.find(uow.session, import_id, lock=True)
        found.cancelled()
        return uow.answer(store.wire(found))


def go_on(
    db: Database,
    files: Files,
    store: ImportStore,
    found: Any,
    chunks: Callable[[Rows], Iterator[Any]],
    take_in: Callable[[Any], bool],
    again: Event,
    budget: float = BUDGET,
) -> None:
    """Takes in rows of an import, if it runs, for at most `budget` seconds, then asks for another go by `again`.

    `take_in` is False if the import has ended or goes on elsewhere. May be repeated and may run twice at once: a chunk
    is taken in only by who finds the import where it left it.
    """
    until = time.monotonic() + budget
    if found.state != "running":
        return
    try:
        with files.get(found.rows_key) as stream:
            rows = read_rows(stream, found.encoding, found.delimiter, start=found.position)
            with closing(read_ahead(chunks(rows))) as ahead:
                goes_on = _take_in_all(db, found, ahead, take_in, again, until)
    except (Unavailable, DeadlineExceeded):
        raise
    except CasewireError as error:
        _give_up(db, store, found.id, error.code)
        return
    if goes_on:
        _give_up(db, store, found.id, "file_changed")


def _take_in_all(
    db: Database, found: Any, chunks: Iterable[Any], take_in: Callable[[Any], bool], again: Event, until: float
) -> bool:
    """Whether the import still goes on at the end of the file, which then has fewer rows than it had."""
    for chunk in chunks:
        if not take_in(chunk):
            return False
        if time.monotonic() > until:
            with db.unit_of_work() as uow:
                uow.emit(again, found.id, {"import_id": found.id})
            return False
    return True


def _give_up(db: Database, store: ImportStore, import_id: str, failure: str) -> None:
    """Ends an import whose file ended too early or can no longer be read. One that has ended stays as it is."""
    with db.unit_of_work() as uow:
        found = store.find(uow.session, import_id, lock=True)
        if found.state == "running":
            found.gave_up(failure)


def read_ahead(found: Iterator[Any]) -> Generator[Any]:
    """The chunks, each read while the database still works on the one before. To be closed."""
    reading = eventlet.spawn(next, found, None)
    try:
        while (chunk := reading.wait()) is not None:
            reading = eventlet.spawn(next, found, None)
            yield chunk
    finally:
        reading.kill()


def take_in(import_id: str, chunk: Any, whole: Callable[[Any], bool], refused: Callable[[Any, Exception], Any]) -> bool:
    """Takes in one chunk (`start`, `rows`) by `whole`; False if the import has ended or goes on elsewhere (Overtaken).

    A chunk that the database refuses is taken in row by row, so that a bad row fails alone: `refused` makes of
    such a row one that says so, and why.
    """
    try:
        return whole(chunk)
    except Overtaken:
        return False
    except (Unavailable, DeadlineExceeded):
        raise
    except Exception as error:
        _log.warning("import_chunk_refused", import_id=import_id, start=chunk.start, error=type(error).__name__)
    return all(
        _take_in_alone(import_id, replace(chunk, start=place, rows=[row]), whole, refused)
        for place, row in enumerate(chunk.rows, chunk.start)
    )


def _take_in_alone(
    import_id: str, chunk: Any, whole: Callable[[Any], bool], refused: Callable[[Any, Exception], Any]
) -> bool:
    number = chunk.rows[0].number
    try:
        return whole(chunk)
    except Overtaken:
        return False
    except (Unavailable, DeadlineExceeded):
        raise
    except Exception as error:
        _log.error("import_row_refused", import_id=import_id, row=number, error=type(error).__name__)
        row = refused(chunk.rows[0], error)
    return whole(replace(chunk, rows=[row]))


def at_its_place(uow: UnitOfWork, store: ImportStore, import_id: str, start: int) -> Any:
    """The import, held to the end of the transaction. Raises Overtaken if it does not run, or is elsewhere."""
    current = uow.session.scalar(select(store.imports).where(store.imports.id == import_id).with_for_update())
    if current is None or current.state != "running" or current.position != start:
        raise Overtaken
    return current


def keep_outcomes(uow: UnitOfWork, store: ImportStore, current: Any, outcomes: Sequence[Outcome]) -> bool:
    """Writes the rows of a chunk that failed, and how far the import is; whether it goes on."""
    failed = [outcome for outcome in outcomes if outcome.kind == "failed"]
    uow.insert(store.rows, [{"import_id": current.id, "row": row.row, "errors": row.errors} for row in failed])
    codes = Counter(code_of(error) for outcome in failed for error in outcome.errors)
    current.advanced(Counter(outcome.kind for outcome in outcomes), codes)
    return bool(current.state == "running")
