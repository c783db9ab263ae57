"""Taking an import back, by chunks in the background, as it went: a chunk is one transaction, and marks its records."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.imports.running import BUDGET
from chassis.imports.store import ImportStore
from contracts.base import Event

UNDO_DAYS = 30
CUSTOM = "custom_fields."
"""What the name of a custom field begins with among those of an import."""

Outcomes = dict[str, tuple[str, list[str]]]
"""Of each record what became of it (removed, restored, conflict, gone), and the fields that stay as they are."""
Values = dict[str, tuple[Any, Any]]
"""{field: (value before, value after)}, as JSON has them; custom fields one by one."""
TakeBack = Callable[[UnitOfWork, Any, Sequence[str], dt.datetime], Outcomes]


@dataclass(frozen=True)
class Step:
    """A part of taking back: `left` gives the ids that were not looked at yet, of an import, and their column."""

    left: Callable[[str], tuple[Select[Any], Any]]
    take_back: TakeBack


def undo_import(
    db: Database, store: ImportStore, steps: Sequence[Step], event: Event, now: dt.datetime, *, import_id: str
) -> dict[str, Any]:
    """Begins to take an import back; it goes on in the background, by `event`.

    Raises NotFound `import_not_found`, Conflict `import_not_finished`, `import_undone` if that was asked for before, or
    `import_too_old`.
    """
    with db.unit_of_work() as uow:
        found = store.find(uow.session, import_id, lock=True)
        parts = [step.left(import_id)[0] for step in steps]
        counts = [uow.session.scalar(select(func.count()).select_from(part.subquery())) or 0 for part in parts]
        found.undo_started(sum(counts), now - dt.timedelta(days=UNDO_DAYS))
        uow.emit(event, import_id, {"import_id": import_id})
        return uow.answer(store.wire(found))


def continue_undo(
    db: Database,
    store: ImportStore,
    steps: Sequence[Step],
    event: Event,
    import_id: str,
    clock: Callable[[], dt.datetime],
    at_once: int,
    budget: float = BUDGET,
) -> None:
    """Takes back records, `at_once` in a chunk, for at most `budget` seconds, then asks for another go. May be repeated
    and may run twice at once: chunks go one after the other."""
    until = time.monotonic() + budget
    for step in steps:
        after = ""
        while (last := _undo_chunk(db, store, import_id, step, after, clock(), at_once)) is not None:
            after = last
            if time.monotonic() > until:
                with db.unit_of_work() as uow:
                    uow.emit(event, import_id, {"import_id": import_id})
                return
            time.sleep(0)  # lets other green threads run
    with db.unit_of_work() as uow:
        found = store.find(uow.session, import_id, lock=True)
        if found.state == "undoing":
            found.undo_ended()


def _undo_chunk(
    db: Database, store: ImportStore, import_id: str, step: Step, after: str, now: dt.datetime, at_once: int
) -> str | None:
    """The last of the records that were taken back; None if there was none left, or the undo has ended."""
    with db.unit_of_work() as uow:
        found = store.find(uow.session, import_id, lock=True)
        statement, column = step.left(import_id)
        if after:
            # Not only to go on sooner: what was looked at lies before it.
            statement = statement.where(column > after)
        ids: list[str] = list(uow.session.scalars(statement.order_by(column).limit(at_once)))
        if found.state != "undoing" or not ids:
            return None
        outcomes = step.take_back(uow, found, ids, now)
        rows = [
            {"import_id": import_id, store.record: id_, "version": 0, "outcome": outcome, "conflicts": conflicts}
            for id_, (outcome, conflicts) in outcomes.items()
        ]
        uow.upsert(store.changes, rows, key=("import_id", store.record), change=("outcome", "conflicts"))
        found.undo_advanced([outcome for outcome, _ in outcomes.values()])
        return ids[-1]


def changes_of(session: Session, store: ImportStore, import_id: str, ids: Sequence[str]) -> Sequence[Any]:
    """What an import kept of records, in the order of their ids."""
    of_import = select(store.changes).where(store.changes.import_id == import_id, store.record_id.in_(ids))
    return session.scalars(of_import.order_by(store.record_id)).all()


def earlier_record(
    record: dict[str, Any],
    values: Values,
    *,
    plain: Callable[[Any], Any],
    python: Callable[[str, Any], Any],
) -> tuple[dict[str, Any], list[str]]:
    """The record with the values from before the import, and the fields that were changed since.

    `plain`: a value as it is kept; `python`: that of a field as a record has it.
    """
    after = {**record, "custom_fields": dict(record["custom_fields"])}
    conflicts = []
    for name, (earlier, imported) in sorted(values.items()):
        custom = name.removeprefix(CUSTOM) if name.startswith(CUSTOM) else None
        current = record["custom_fields"].get(custom) if custom else record[name]
        if plain(current) == earlier:
            continue
        if plain(current) != imported:
            conflicts.append(name)
        elif custom is None:
            after[name] = python(name, earlier)
        elif earlier is None:
            after["custom_fields"].pop(custom, None)
        else:
            after["custom_fields"][custom] = earlier
    return after, conflicts
