"""Taking in the rows of an import of cases, a chunk at a time.

The clients of a chunk's rows are found or made first, by one call of their owner; then the cases, the rows that failed
and how far the import is are written in one transaction. What ends in between is done again, with the same clients.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import eventlet
from sqlalchemy.exc import IntegrityError

from chassis.context import Context, kinds_seen, use
from chassis.database import Database
from chassis.imports import running
from chassis.imports.models import ENDED
from chassis.imports.previews import Rows
from contracts.errors import CasewireError
from services.cases.imports.fields import PEOPLE_FIELDS
from services.cases.imports.matching import Matching, Outcome
from services.cases.imports.people import id_of_new_client, match_people
from services.cases.imports.rows import Row, RowReader
from services.cases.imports.store import IMPORTS
from services.cases.imports.writing import (
    give_back_unneeded,
    give_back_without_cases,
    keep_clients,
    write_cases,
)
from services.cases.models import CaseImport
from services.cases.uniqueness import meaning_of

CHUNK = 500
"""Rows of one transaction: also the most cases that one event names."""
_ROWS_AT_ONCE = 20


@dataclass(frozen=True)
class ChunkOfRows:
    """Rows that follow one another, read and checked before the transaction."""

    start: int
    """How many rows come before."""
    rows: list[Row]


def chunks(rows: Rows, reader: RowReader) -> Iterator[ChunkOfRows]:
    """The rows in chunks, each read as fields of cases."""
    while batch := list(islice(rows, CHUNK)):
        chunk = ChunkOfRows(batch[0][0] - 1, [])
        for number, cells in batch:
            chunk.rows.append(reader.read(number, cells))
            if not number % _ROWS_AT_ONCE:
                eventlet.sleep(0)  # lets other green threads run
        yield chunk


def take_in(db: Database, calls: Any, found: CaseImport, reader: RowReader, today: dt.date, chunk: ChunkOfRows) -> bool:
    """Takes in one chunk; False if the import has ended or goes on elsewhere. `found` holds its settings."""
    return running.take_in(
        found.id, chunk, lambda part: _take_in_whole(db, calls, found, reader, today, part), _refused
    )


def _refused(row: Row, error: Exception) -> Row:
    """A row that fails alone: by what was taken since it was looked at, or by what nobody foresaw."""
    meant = meaning_of(error) if isinstance(error, IntegrityError) else error
    named = [str(entry["field"]) for entry in meant.fields] if isinstance(meant, CasewireError) else []
    code = meant.code if isinstance(meant, CasewireError) else "refused"
    errors = [f"{code}:{name}" for name in named] or [f"{code}:row"]
    return Row(row.number, errors=errors, refused=row.people)


def _take_in_whole(
    db: Database, calls: Any, found: CaseImport, reader: RowReader, today: dt.date, chunk: ChunkOfRows
) -> bool:
    policy = found.duplicates or "skip"
    asked = with_people(db, reader, policy, chunk.rows)
    made = match_people(calls, found.id, asked, found.default_country, create=True)
    # What the import may change was asked when it was previewed: here it may, in the name of who runs it.
    actor = Context(
        firm_id=db.firm_id,
        actor_id=found.actor_id,
        actor_kind="system" if found.actor_id is None else "staff",
        sees_sensitive=True,
        sees_only=kinds_seen(),
    )
    with use(actor), _given_back(db, found.id, made), db.unit_of_work() as uow:
        current = running.at_its_place(uow, IMPORTS, found.id, chunk.start)
        uow.plan_anew()
        reader.types.hold(uow.session)
        matching = Matching(uow.session, reader, policy, lock=True)
        outcomes = matching.decide(chunk.rows)
        write_cases(uow, current, matching.drafts.values(), reader.now, today)
        keep_clients(uow, current, made | _of_refused(found.id, chunk.rows))
        goes_on = running.keep_outcomes(uow, IMPORTS, current, outcomes)
        if not goes_on:
            give_back_unneeded(uow, current)
        return goes_on


@contextmanager
def _given_back(db: Database, import_id: str, made: Collection[str]) -> Iterator[None]:
    """Where the import was ended meanwhile, nobody else needs the clients that were made for these rows."""
    try:
        yield
    except running.Overtaken:
        with db.unit_of_work() as uow:
            if IMPORTS.find(uow.session, import_id, lock=True).state in ENDED:
                give_back_without_cases(uow, import_id, made)
        raise


def clients_of_next_chunk(found: CaseImport) -> set[str]:
    """The ids of the clients that the rows after those that were taken in would make."""
    fields = {*(found.mapping or {}).values(), *found.default_values}
    places = {PEOPLE_FIELDS[field][0] for field in fields & PEOPLE_FIELDS.keys()}
    rows = range(found.position + 1, min(found.position + CHUNK, found.total) + 1)
    return {id_of_new_client(found.id, row, place) for row in rows for place in places}


def with_people(
    db: Database, reader: RowReader, policy: str, rows: Sequence[Row]
) -> dict[int, tuple[Row, Sequence[str]]]:
    """The rows whose clients matter, by number, with who is on their cases already: for a row that fails, or is
    skipped, nobody is made."""
    for row in rows:
        row.people_errors = []
    with db.read() as session:
        outcomes = Matching(session, reader, policy).decide(rows)
    return {
        row.number: (row, _on_case(outcome))
        for row, outcome in zip(rows, outcomes, strict=True)
        if row.people and (outcome.kind in ("created", "updated") or (outcome.kind == "skipped" and policy != "skip"))
    }


def _on_case(outcome: Outcome) -> Sequence[str]:
    known = outcome.draft.before if outcome.draft is not None else None
    return [entry["client_id"] for entry in known["clients"]] if known is not None else []


def _of_refused(import_id: str, rows: Sequence[Row]) -> set[str]:
    """The clients that rows may have made before the database refused them."""
    return {id_of_new_client(import_id, row.number, person.place) for row in rows for person in row.refused}
