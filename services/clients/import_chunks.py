"""Taking in the rows of an import, a chunk at a time: the clients, the rows that failed, and how far it is, in one
transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import eventlet
from sqlalchemy import select

from chassis.database import Database, UnitOfWork
from chassis.telemetry import log_of
from contracts.clients import CLIENTS_IMPORTED
from contracts.errors import Unavailable
from services.clients import activity, cards
from services.clients.import_changes import record_changes
from services.clients.import_matching import Draft, Matching, Outcome
from services.clients.import_rows import Row, RowReader
from services.clients.models import Activity, Import, ImportRow
from services.clients.records import facts_of

CHUNK = 500
"""Rows of one transaction: also the most clients that one event names."""

_ROWS_AT_ONCE = 5

_log = log_of(__name__)


@dataclass(frozen=True)
class ChunkOfRows:
    """Rows that follow one another, read and checked before the transaction."""

    start: int
    """How many rows come before."""
    rows: list[Row]
    reader: RowReader


class Overtaken(Exception):
    """The import is no longer where this chunk begins: another worker took it in, or it has ended."""


def chunks(rows: Iterator[tuple[int, list[str]]], reader: RowReader) -> Iterator[ChunkOfRows]:
    """The rows in chunks, each read as fields of clients."""
    while batch := list(islice(rows, CHUNK)):
        read = []
        for number, cells in batch:
            read.append(reader.read(number, cells))
            if not number % _ROWS_AT_ONCE:
                eventlet.sleep(0)  # lets other green threads run
        yield ChunkOfRows(batch[0][0] - 1, read, reader)


def read_ahead(found: Iterator[ChunkOfRows]) -> Generator[ChunkOfRows]:
    """The chunks, each read while the database still works on the one before. To be closed."""
    reading = eventlet.spawn(next, found, None)
    try:
        while (chunk := reading.wait()) is not None:
            reading = eventlet.spawn(next, found, None)
            yield chunk
    finally:
        reading.kill()


def take_in(db: Database, found: Import, chunk: ChunkOfRows) -> bool:
    """Takes in one chunk; False if the import has ended or goes on elsewhere. `found` holds its settings.

    A chunk that the database refuses is taken in row by row, so that a bad row fails alone.
    """
    try:
        return _take_in_whole(db, found, chunk)
    except Overtaken:
        return False
    except Unavailable:
        raise
    except Exception as error:
        _log.warning("import_chunk_refused", import_id=found.id, start=chunk.start, error=type(error).__name__)
    return all(_take_in_alone(db, found, place, row, chunk.reader) for place, row in enumerate(chunk.rows, chunk.start))


def _take_in_alone(db: Database, found: Import, place: int, row: Row, reader: RowReader) -> bool:
    try:
        return _take_in_whole(db, found, ChunkOfRows(place, [row], reader))
    except Overtaken:
        return False
    except Unavailable:
        raise
    except Exception as error:
        _log.error("import_row_refused", import_id=found.id, row=row.number, error=type(error).__name__)
    return _take_in_whole(db, found, ChunkOfRows(place, [Row(row.number, errors=["refused:row"])], reader))


def _take_in_whole(db: Database, found: Import, chunk: ChunkOfRows) -> bool:
    with db.unit_of_work() as uow:
        current = uow.session.scalar(select(Import).where(Import.id == found.id).with_for_update())
        if current is None or current.state != "running" or current.position != chunk.start:
            raise Overtaken
        uow.plan_anew()
        matching = Matching(uow.session, chunk.reader, current.duplicates or "skip")
        outcomes = matching.decide(chunk.rows)
        _write_clients(uow, current.id, matching, outcomes)
        failed = [outcome for outcome in outcomes if outcome.kind == "failed"]
        uow.insert(ImportRow, [{"import_id": found.id, "row": row.row, "errors": row.errors} for row in failed])
        codes = Counter(error.partition(":")[0] for outcome in failed for error in outcome.errors)
        current.advanced(Counter(outcome.kind for outcome in outcomes), codes)
        return bool(current.state == "running")


def _write_clients(uow: UnitOfWork, import_id: str, matching: Matching, outcomes: list[Outcome]) -> None:
    now = matching.reader.now
    new = [draft for draft in matching.drafts.values() if draft.before is None]
    stored = cards.insert(uow, [draft.record for draft in new], import_id=import_id) if new else set()
    _fail_those_not_stored(outcomes, stored)
    known = [(draft.before, draft.record) for draft in matching.drafts.values() if draft.before is not None]
    changed = cards.save(uow, known, now)
    record_changes(uow, import_id, known, changed)
    written = [draft for draft in matching.drafts.values() if draft.id in stored or draft.id in changed]
    if written:
        facts = {"import_id": import_id}
        uow.emit(CLIENTS_IMPORTED, import_id, {**facts, "clients": [facts_of(draft.record) for draft in written]})
        entries = [_entry(draft, changed.get(draft.id), facts, now) for draft in written]
        uow.insert(Activity, entries)


def _entry(draft: Draft, changed: list[str] | None, facts: dict[str, Any], now: Any) -> activity.Entry:
    told = {**facts, "outcome": "created"} if changed is None else {**facts, "outcome": "updated", "changed": changed}
    return activity.entry(draft.id, now, CLIENTS_IMPORTED.name, told)


def _fail_those_not_stored(outcomes: list[Outcome], stored: set[str]) -> None:
    """Another client took the external id since it was looked for."""
    for outcome in outcomes:
        draft = outcome.draft
        if draft is not None and draft.before is None and draft.id not in stored:
            outcome.kind, outcome.errors = "failed", ["external_id_taken:external_source_id"]
