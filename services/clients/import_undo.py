"""Taking an import back: the clients that it made are deleted, as if one by one, and those that it changed get their
earlier values again, as far as nobody changed them since.

What was changed since stays, and is shown as a conflict. It goes by chunks in the background, as the import did: a
chunk is one transaction, and marks its clients.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.database import Database, UnitOfWork
from contracts.clients import CLIENT_DELETED, CLIENTS_IMPORTED, IMPORT_UNDO_REQUESTED
from services.clients import activity, cards
from services.clients.checking import Record, check_whole
from services.clients.import_changes import CUSTOM, Values, plain_value, python_value, values_of
from services.clients.import_running import BUDGET
from services.clients.importing import find, wire
from services.clients.models import Activity, Client, Import, ImportChange
from services.clients.records import facts_of

CHUNK = 500
UNDO_DAYS = 30


def undo_import(db: Database, now: dt.datetime, *, import_id: str) -> dict[str, Any]:
    """Begins to take an import back; it goes on in the background.

    Raises NotFound `import_not_found`, Conflict `import_not_finished`, `import_undone` if that was asked for before, or
    `import_too_old`.
    """
    with db.unit_of_work() as uow:
        found = find(uow.session, import_id, lock=True)
        parts = (_made(import_id)[0], _changed(import_id)[0])
        counts = [uow.session.scalar(select(func.count()).select_from(part.subquery())) or 0 for part in parts]
        found.undo_started(sum(counts), now - dt.timedelta(days=UNDO_DAYS))
        uow.emit(IMPORT_UNDO_REQUESTED, import_id, {"import_id": import_id})
        return uow.answer(wire(found, []))


def _made(import_id: str) -> tuple[Select[Any], Any]:
    """The clients that the import made and that were not looked at yet, and the column of their ids."""
    seen = select(ImportChange.client_id).where(ImportChange.import_id == import_id, ImportChange.outcome.is_not(None))
    made = select(Client.id).where(Client.import_id == import_id, Client.archived_at.is_(None), Client.id.not_in(seen))
    return made, Client.id


def _changed(import_id: str) -> tuple[Select[Any], Any]:
    """The other clients that it changed and that were not looked at yet, and the column of their ids."""
    changed = (
        select(ImportChange.client_id)
        .join(Client, Client.id == ImportChange.client_id)
        .where(
            ImportChange.import_id == import_id,
            ImportChange.outcome.is_(None),
            or_(Client.import_id.is_(None), Client.import_id != import_id),
        )
    )
    return changed, ImportChange.client_id


def continue_undo(
    db: Database, import_id: str, clock: Callable[[], dt.datetime] = utc_now, budget: float = BUDGET
) -> None:
    """Takes back clients for at most `budget` seconds, then asks for another go. May be repeated and may run twice at
    once: chunks go one after the other."""
    until = time.monotonic() + budget
    for step in (_remove, _restore):
        after = ""
        while (last := _undo_chunk(db, import_id, step, after, clock())) is not None:
            after = last
            if time.monotonic() > until:
                with db.unit_of_work() as uow:
                    uow.emit(IMPORT_UNDO_REQUESTED, import_id, {"import_id": import_id})
                return
            time.sleep(0)  # lets other green threads run
    with db.unit_of_work() as uow:
        found = find(uow.session, import_id, lock=True)
        if found.state == "undoing":
            found.undo_ended()


def _undo_chunk(db: Database, import_id: str, step: Step, after: str, now: dt.datetime) -> str | None:
    """The last of the clients that were taken back; None if there was none left, or the undo has ended."""
    with db.unit_of_work() as uow:
        found = find(uow.session, import_id, lock=True)
        statement, column = _LEFT[step](import_id)
        if after:
            # Not only to go on sooner: what was looked at lies before it.
            statement = statement.where(column > after)
        ids = list(uow.session.scalars(statement.order_by(column).limit(CHUNK)))
        if found.state != "undoing" or not ids:
            return None
        outcomes = step(uow, found, ids, now)
        rows = [
            {"import_id": import_id, "client_id": client_id, "version": 0, "outcome": outcome, "conflicts": conflicts}
            for client_id, (outcome, conflicts) in outcomes.items()
        ]
        uow.upsert(ImportChange, rows, key=("import_id", "client_id"), change=("outcome", "conflicts"))
        found.undo_advanced([outcome for outcome, _ in outcomes.values()])
        return ids[-1]


Outcomes = dict[str, tuple[str, list[str]]]
"""Of each client what became of it (removed, restored, conflict, gone), and the fields that stay as they are."""
Step = Callable[[UnitOfWork, Import, Sequence[str], dt.datetime], Outcomes]


def _remove(uow: UnitOfWork, found: Import, ids: Sequence[str], now: dt.datetime) -> Outcomes:
    """Deletes clients that the import made, but those that were changed since."""
    records = cards.load(uow.session, ids, lock=True)
    left = {change.client_id: change.version for change in _changes(uow.session, found.id, ids)}
    mine = {id_: record for id_, record in records.items() if record["version"] == left.get(id_, 1)}
    rows = [
        {"id": id_, "archived_at": now, "updated_at": now, "version": record["version"] + 1}
        for id_, record in mine.items()
    ]
    uow.update_each(Client, rows)
    for row in rows:
        data = {"client_id": row["id"], "version": row["version"]}
        uow.emit(CLIENT_DELETED, row["id"], data, aggregate_version=row["version"])
    _tell(uow, found, {id_: {"outcome": "removed"} for id_ in mine}, CLIENT_DELETED.name, now)
    outcomes: Outcomes = {id_: ("removed", []) for id_ in mine}
    return outcomes | {id_: ("conflict", ["id"]) if id_ in records else ("gone", []) for id_ in ids if id_ not in mine}


def _restore(uow: UnitOfWork, found: Import, ids: Sequence[str], now: dt.datetime) -> Outcomes:
    """Gives clients their earlier values."""
    records = cards.load(uow.session, ids, lock=True)
    changes = _changes(uow.session, found.id, ids)
    values = values_of(uow.session, changes)
    outcomes: Outcomes = {}
    pairs: list[tuple[Record, Record]] = []
    for change in changes:
        before = records.get(change.client_id)
        if before is None:
            outcomes[change.client_id] = ("gone", [])
            continue
        after, conflicts = _earlier(before, values.get(change.client_id, {}))
        problems: list[Any] = []
        check_whole(after, problems)
        if problems:
            after, conflicts = before, sorted({*conflicts, *(path for path, _, _ in problems)})
        outcomes[change.client_id] = ("conflict" if conflicts else "restored", conflicts)
        pairs.append((before, after))
    restored = cards.save(uow, pairs, now)
    written = [after for _, after in pairs if after["id"] in restored]
    if written:
        clients = [facts_of(record) for record in written]
        uow.emit(CLIENTS_IMPORTED, found.id, {"import_id": found.id, "clients": clients})
    told = {id_: {"outcome": "restored", "changed": names} for id_, names in restored.items()}
    _tell(uow, found, told, CLIENTS_IMPORTED.name, now)
    return outcomes


def _changes(session: Session, import_id: str, ids: Sequence[str]) -> Sequence[ImportChange]:
    statement = select(ImportChange).where(ImportChange.import_id == import_id, ImportChange.client_id.in_(ids))
    return session.scalars(statement.order_by(ImportChange.client_id)).all()


def _earlier(record: Record, values: Values) -> tuple[Record, list[str]]:
    """The record with the values from before the import, and the fields that were changed since."""
    after = {**record, "custom_fields": dict(record["custom_fields"])}
    conflicts = []
    for name, (earlier, imported) in sorted(values.items()):
        custom = name.removeprefix(CUSTOM) if name.startswith(CUSTOM) else None
        current = record["custom_fields"].get(custom) if custom else record[name]
        if plain_value(current) == earlier:
            continue
        if plain_value(current) != imported:
            conflicts.append(name)
        elif custom is None:
            after[name] = python_value(name, earlier)
        elif earlier is None:
            after["custom_fields"].pop(custom, None)
        else:
            after["custom_fields"][custom] = earlier
    return after, conflicts


_LEFT: dict[Step, Callable[[str], tuple[Select[Any], Any]]] = {_remove: _made, _restore: _changed}


def _tell(uow: UnitOfWork, found: Import, told: dict[str, dict[str, Any]], kind: str, now: dt.datetime) -> None:
    facts = {"import_id": found.id, "undone": True}
    uow.insert(Activity, [activity.entry(id_, now, kind, facts | more) for id_, more in told.items()])
