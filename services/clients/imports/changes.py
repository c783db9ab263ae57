"""What an import changed of clients that there were: their values before and after it, for an undo.

They are sealed with the client's own key, and go with the client.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from chassis.database import UnitOfWork
from chassis.imports.kept_values import KeptValues
from chassis.imports.undoing import CUSTOM, Values
from services.clients.checking import Record
from services.clients.client_keys import SEALING
from services.clients.models import ImportChange

KEPT = KeptValues(SEALING, ImportChange)


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
    first = KEPT.by_owner(uow.session, known.all())
    rows = []
    for client_id, (before, after) in sorted(written.items()):
        differences = _differences(before, after, changed[client_id])
        sealed = KEPT.sealed(keys, client_id, first.get(client_id, {}), differences)
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


def plain_value(value: Any) -> Any:
    """A field's value as JSON has it."""
    return value.isoformat() if isinstance(value, dt.date) else value


def python_value(name: str, value: Any) -> Any:
    """A field's value as records have it."""
    return dt.date.fromisoformat(value) if name == "date_of_birth" and value is not None else value
