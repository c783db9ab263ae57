"""Taking an import back: the clients that it made are deleted, as if one by one, and those that it changed get their
earlier values again, as far as nobody changed them since.

What was changed since stays, and is shown as a conflict; so does a client with whom work was begun.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.custom_fields import given_back
from chassis.database import Database, UnitOfWork
from chassis.imports import undoing
from chassis.imports.running import BUDGET
from chassis.imports.undoing import CUSTOM, Outcomes, Step, changes_of, earlier_record
from chassis.value_sets import among
from contracts.clients import CLIENT_DELETED, CLIENTS_IMPORTED, IMPORT_UNDO_REQUESTED
from services.clients import activity, cards, contact_ties
from services.clients.checking import Record, check_whole
from services.clients.custom_fields import held_definitions
from services.clients.imports.changes import KEPT, plain_value, python_value
from services.clients.imports.store import IMPORTS
from services.clients.models import (
    Activity,
    Client,
    ClientMerge,
    ClientNote,
    ContactTie,
    Import,
    ImportChange,
    LastCase,
)
from services.clients.records import facts_of

CHUNK = 500
USES: dict[str, tuple[Any, ...]] = {
    "cases": (LastCase.client_id,),
    "contacts": (ContactTie.client_id,),
    "merges": (ClientMerge.surviving_id, ClientMerge.undone_at.is_(None)),
    "notes": (ClientNote.client_id,),
}
"""What may hang on a client: the column that names it, and conditions."""


def undo_import(db: Database, now: dt.datetime, *, import_id: str) -> dict[str, Any]:
    """Begins to take an import back. Raises as `undoing.undo_import`."""
    return undoing.undo_import(db, IMPORTS, STEPS, IMPORT_UNDO_REQUESTED, now, import_id=import_id)


def continue_undo(
    db: Database, import_id: str, clock: Callable[[], dt.datetime] = utc_now, budget: float = BUDGET
) -> None:
    """Takes back clients for at most `budget` seconds, then asks for another go."""
    undoing.continue_undo(db, IMPORTS, STEPS, IMPORT_UNDO_REQUESTED, import_id, clock, CHUNK, budget)


def _made(import_id: str) -> tuple[Select[Any], Any]:
    """The clients that the import made and that were not looked at yet, whoever was deleted or merged since included,
    and the column of their ids."""
    seen = select(ImportChange.client_id).where(ImportChange.import_id == import_id, ImportChange.outcome.is_not(None))
    made = select(Client.id).where(Client.import_id == import_id, Client.id.not_in(seen))
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


def _remove(uow: UnitOfWork, found: Import, ids: Sequence[str], now: dt.datetime) -> Outcomes:
    """Deletes clients that the import made, but those that were changed since, and those that are used."""
    records = cards.load(uow.session, ids, lock=True)
    left = {change.client_id: change.version for change in changes_of(uow.session, IMPORTS, found.id, ids)}
    kept = uses_of(uow.session, ids)
    for id_, record in records.items():
        if record["version"] != left.get(id_, 1):
            kept.setdefault(id_, []).insert(0, "id")
    mine = {id_: record for id_, record in records.items() if id_ not in kept}
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
    return outcomes | {
        id_: ("conflict", kept[id_]) if id_ in records else ("gone", []) for id_ in ids if id_ not in mine
    }


def uses_of(session: Session, ids: Sequence[str], names: Iterable[str] = tuple(USES)) -> dict[str, list[str]]:
    """Of clients that something hangs on which no import of clients brings: what of `names`."""
    found: dict[str, list[str]] = {}
    for name in names:
        column, *where = USES[name]
        for id_ in session.scalars(select(column).where(among(session, column, ids), *where).distinct()):
            found.setdefault(id_, []).append(name)
    return found


def _restore(uow: UnitOfWork, found: Import, ids: Sequence[str], now: dt.datetime) -> Outcomes:
    """Gives clients their earlier values."""
    records = cards.load(uow.session, ids, lock=True)
    changes = changes_of(uow.session, IMPORTS, found.id, ids)
    values = KEPT.by_owner(uow.session, changes)
    keys = {name.removeprefix(CUSTOM) for of_one in values.values() for name in of_one if name.startswith(CUSTOM)}
    fields = held_definitions(uow.session, keys)
    businesses = [id_ for id_, record in records.items() if record["kind"] == "business"]
    with_contacts = contact_ties.with_contacts(uow.session, businesses)
    outcomes: Outcomes = {}
    pairs: list[tuple[Record, Record]] = []
    for change in changes:
        before = records.get(change.client_id)
        if before is None:
            outcomes[change.client_id] = ("gone", [])
            continue
        after, conflicts = earlier_record(
            before, values.get(change.client_id, {}), plain=plain_value, python=python_value
        )
        after["custom_fields"], unfit = given_back(fields, before["custom_fields"], after["custom_fields"])
        conflicts = sorted({*conflicts, *(CUSTOM + key for key in unfit)})
        if before["id"] in with_contacts and after["kind"] != "business":
            after["kind"], conflicts = before["kind"], sorted({*conflicts, "kind"})
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


STEPS = (Step(_made, _remove), Step(_changed, _restore))


def _tell(uow: UnitOfWork, found: Import, told: dict[str, dict[str, Any]], kind: str, now: dt.datetime) -> None:
    facts = {"import_id": found.id, "undone": True}
    uow.insert(Activity, [activity.entry(id_, now, kind, facts | more) for id_, more in told.items()])
