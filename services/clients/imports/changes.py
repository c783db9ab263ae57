"""What an import changed of clients that there were: their values before and after it, for an undo.

They are sealed with the client's own key, and go with the client.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from chassis.imports.undoing import CUSTOM, Values
from services.clients.checking import Record
from services.clients.client_keys import SEALING
from services.clients.models import ImportChange

_TABLE = ImportChange.__tablename__


def record_changes(
    uow: UnitOfWork, import_id: str, pairs: Iterable[tuple[Record, Record]], changed: Mapping[str, Sequence[str]]
) -> None:
    """Keeps what differs in records that were saved. Of one that the import changed before, what it was at first."""
    written = {after["id"]: (before, after) for before, after in pairs if after["id"] in changed}
    if not written:
        return
    keys = SEALING.keys_to_seal(uow, sorted(written))
    known = uow.session.scalars(
        select(ImportChange).where(ImportChange.import_id == import_id, ImportChange.client_id.in_(written))
    )
    first = values_of(uow.session, known.all())
    rows = []
    for client_id, (before, after) in sorted(written.items()):
        values = {**first.get(client_id, {})}
        for name, (earlier, now) in _differences(before, after, changed[client_id]).items():
            values[name] = (values[name][0] if name in values else earlier, now)
        sealed = keys.seal(client_id, orjson.dumps(values).decode(), _TABLE, "values", client_id)
        rows.append({"import_id": import_id, "client_id": client_id, "version": after["version"], "values": sealed})
    uow.upsert(ImportChange, rows, key=("import_id", "client_id"), change=("version", "values"))


def _differences(before: Record, after: Record, names: Iterable[str]) -> Values:
    values: Values = {}
    for name in names:
        if name == "custom_fields":
            old, new = before[name], after[name]
            for key in sorted({*old, *new}):
                if old.get(key) != new.get(key):
                    values[CUSTOM + key] = (old.get(key), new.get(key))
        else:
            values[name] = (plain_value(before[name]), plain_value(after[name]))
    return values


def values_of(session: Session, changes: Sequence[ImportChange]) -> dict[str, Values]:
    """What was kept, by client. Of one whose key was destroyed, nothing."""
    keys = SEALING.keys_of(session, [change.client_id for change in changes if change.values])
    found: dict[str, Values] = {}
    for change in changes:
        if change.values:
            plain = keys.unseal(change.client_id, change.values, _TABLE, "values", change.client_id)
            if plain is not None:
                found[change.client_id] = {name: tuple(pair) for name, pair in orjson.loads(plain).items()}
    return found


def plain_value(value: Any) -> Any:
    """A field's value as JSON has it."""
    return value.isoformat() if isinstance(value, dt.date) else value


def python_value(name: str, value: Any) -> Any:
    """A field's value as records have it."""
    return dt.date.fromisoformat(value) if name == "date_of_birth" and value is not None else value
