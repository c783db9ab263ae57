"""Taking in the rows of an import, a chunk at a time: the clients, the rows that failed, and how far it is, in one
transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import eventlet

from chassis.database import Database, UnitOfWork
from chassis.imports import running
from contracts.clients import CLIENTS_IMPORTED
from services.clients import activity, cards
from services.clients.custom_fields import hold_as_read
from services.clients.imports.changes import record_changes
from services.clients.imports.matching import Draft, Matching, Outcome, new_record
from services.clients.imports.rows import Row, RowReader
from services.clients.imports.store import IMPORTS
from services.clients.models import Activity, Import
from services.clients.records import facts_of

CHUNK = 500
"""Rows of one transaction: also the most clients that one event names."""

_ROWS_AT_ONCE = 5


@dataclass(frozen=True)
class ChunkOfRows:
    """Rows that follow one another, read and checked before the transaction. `made`: by id, the database's rows of the
    clients that they become if nobody is known by them."""

    start: int
    """How many rows come before."""
    rows: list[Row]
    reader: RowReader
    made: dict[str, cards.NewRows] = field(default_factory=dict)


def chunks(
    rows: Iterator[tuple[int, list[str]]], reader: RowReader, *, firm_id: str | None = None
) -> Iterator[ChunkOfRows]:
    """The rows in chunks, each read as fields of clients; for a run, which names the firm, also as new clients, as most
    rows of most files become."""
    while batch := list(islice(rows, CHUNK)):
        chunk = ChunkOfRows(batch[0][0] - 1, [], reader)
        for number, cells in batch:
            row = reader.read(number, cells)
            if firm_id is not None and not row.errors:
                row.new = record, errors = new_record(row, reader)
                if not errors:
                    chunk.made[record["id"]] = cards.rows_of(record, firm_id)
            chunk.rows.append(row)
            if not number % _ROWS_AT_ONCE:
                eventlet.sleep(0)  # lets other green threads run
        yield chunk


def take_in(db: Database, found: Import, chunk: ChunkOfRows) -> bool:
    """Takes in one chunk; False if the import has ended or goes on elsewhere. `found` holds its settings."""
    return running.take_in(
        found.id,
        chunk,
        lambda part: _take_in_whole(db, found, part),
        lambda row, _: Row(row.number, errors=["refused:row"]),
    )


def _take_in_whole(db: Database, found: Import, chunk: ChunkOfRows) -> bool:
    with db.unit_of_work() as uow:
        current = running.at_its_place(uow, IMPORTS, found.id, chunk.start)
        uow.plan_anew()
        matching = Matching(uow.session, chunk.reader, current.duplicates or "skip")
        outcomes = matching.decide(chunk.rows)
        hold_as_read(uow.session, chunk.reader.filled)
        _write_clients(uow, current.id, matching, outcomes, chunk)
        return running.keep_outcomes(uow, IMPORTS, current, outcomes)


def _write_clients(
    uow: UnitOfWork, import_id: str, matching: Matching, outcomes: list[Outcome], chunk: ChunkOfRows
) -> None:
    now = matching.reader.now
    new = [draft.record for draft in matching.drafts.values() if draft.before is None]
    # Where an external id was taken since it was looked for, the chunk is refused, and taken in row by row.
    together = len(chunk.rows) > 1
    stored = cards.insert(uow, new, import_id=import_id, made=chunk.made, all_or_none=together) if new else set()
    if not together:
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
