"""Clients as whole records, loaded and written many at a time: a constant number of statements for any number of them.

A record is a dict in the shape of `contracts.clients.Client`, with Python values.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from services.clients.addresses import email_key
from services.clients.checking import Record, tag_key
from services.clients.models import Client, ClientAddress, ClientEmail, ClientPhone, ClientTag
from services.clients.names import fold, name_key, sort_name

_OWN = (
    "kind", "first_name", "middle_name", "last_name", "company_name", "date_of_birth", "occupation", "status", "spam",
    "flag_reason", "language", "time_zone", "assigned_staff_id", "custom_fields", "external_source",
    "external_source_id",
)  # fmt: skip
_STAMPS = ("id", "version", "created_at", "updated_at", "last_activity_at")
_LISTS = ("phones", "emails", "addresses", "tags")
_POSTAL = ("kind", "line1", "line2", "city", "state", "postal_code", "country")
_DEFAULTS: Record = {"kind": "individual", "status": "active", "spam": False}
_TABLES: dict[str, type[Any]] = {
    "phones": ClientPhone, "emails": ClientEmail, "addresses": ClientAddress, "tags": ClientTag,
}  # fmt: skip


def new_record(client_id: str, fields: Record, now: dt.datetime) -> Record:
    """A record that is not stored yet."""
    stamps = {"id": client_id, "version": 1, "created_at": now, "updated_at": now, "last_activity_at": now}
    empty: Record = {**dict.fromkeys(_OWN), "custom_fields": {}, **{name: [] for name in _LISTS}}
    return {**empty, **_DEFAULTS, **fields, **stamps}


def load(session: Session, client_ids: Collection[str], *, lock: bool = False) -> dict[str, Record]:
    """The records that exist and are not archived, by id. With `lock`, they stay as they are until the commit."""
    wanted = set(client_ids)
    if not wanted:
        return {}
    columns = [getattr(Client, name) for name in (*_STAMPS, *_OWN)]
    statement = select(*columns).where(Client.id.in_(wanted), Client.archived_at.is_(None))
    if lock:
        # In key order, so that two transactions with the same clients wait for each other and do not deadlock.
        statement = statement.order_by(Client.id).with_for_update()
    records = {row.id: dict(row._mapping) for row in session.execute(statement)}
    lists = {name: _load_list(session, name, records) for name in _LISTS}
    for client_id, record in records.items():
        record.update({name: entries[client_id] for name, entries in lists.items()})
    return records


def _load_list(session: Session, name: str, client_ids: Iterable[str]) -> dict[str, list[Any]]:
    model = _TABLES[name]
    entries: dict[str, list[Any]] = defaultdict(list)
    ids = list(client_ids)
    if ids:
        columns = [column for column in model.__table__.c if column.key not in ("firm_id", "position")]
        statement = select(*(getattr(model, column.key) for column in columns)).where(model.client_id.in_(ids))
        for row in session.execute(statement.order_by(model.client_id, model.position)):
            entries[row.client_id].append(_entry(name, row))
    return entries


def _entry(name: str, row: Any) -> Any:
    if name == "phones":
        return {"number": row.number, "kind": row.kind, "primary": row.is_primary}
    if name == "emails":
        return {"address": row.address, "primary": row.is_primary}
    if name == "tags":
        return row.tag
    return {field: getattr(row, field) for field in _POSTAL}


def insert(uow: UnitOfWork, records: Sequence[Record], *, import_id: str | None = None) -> set[str]:
    """Stores new records and returns the ids of those really stored: one whose id or external id is taken is left
    out."""
    rows = [{name: record[name] for name in (*_STAMPS, *_OWN)} | _derived(record) for record in records]
    for row in rows:
        row["import_id"] = import_id
    stored = {row.id for row in uow.insert_returning(Client, rows, "id", ignore_conflicts=True)}
    for name in _LISTS:
        uow.insert(_TABLES[name], _list_rows(name, (record for record in records if record["id"] in stored)))
    return stored


def save(uow: UnitOfWork, before_and_after: Iterable[tuple[Record, Record]], now: dt.datetime) -> dict[str, list[str]]:
    """Writes the records that differ, with their new version, into `after`; returns the changed fields by client id.

    The records were loaded under a lock in this unit of work.
    """
    changed: dict[str, list[str]] = {}
    records: list[Record] = []
    for before, after in before_and_after:
        names = [name for name in (*_OWN, *_LISTS) if before[name] != after[name]]
        if names:
            after.update(version=before["version"] + 1, updated_at=now, last_activity_at=now)
            changed[after["id"]] = names
            records.append(after)
    columns = ("id", "version", "updated_at", "last_activity_at", *_OWN)
    uow.update_each(Client, [{name: record[name] for name in columns} | _derived(record) for record in records])
    for name in _LISTS:
        _replace(uow, name, [record for record in records if name in changed[record["id"]]])
    return changed


def _replace(uow: UnitOfWork, name: str, records: list[Record]) -> None:
    if records:
        model = _TABLES[name]
        uow.session.execute(
            delete(model).where(model.client_id.in_([record["id"] for record in records])),
            execution_options={"synchronize_session": False},
        )
        uow.insert(model, _list_rows(name, records))


def _list_rows(name: str, records: Iterable[Record]) -> list[dict[str, Any]]:
    return [
        {"client_id": record["id"], "position": position, **_row(name, entry)}
        for record in records
        for position, entry in enumerate(record[name])
    ]


def _row(name: str, entry: Any) -> dict[str, Any]:
    if name == "phones":
        return {"number": entry["number"], "kind": entry["kind"], "is_primary": entry["primary"]}
    if name == "emails":
        address = entry["address"]
        return {"address": address, "key": email_key(address), "is_primary": entry["primary"]}
    if name == "tags":
        return {"tag": entry, "key": tag_key(entry)}
    return dict(entry)


def _derived(record: Record) -> dict[str, str]:
    return {"sort_name": sort_name(record), "name_key": name_key(record), "search_text": search_text(record)}


def search_text(record: Record) -> str:
    """What the search box looks into: folded names, email addresses, and the digits of the numbers."""
    names = (record[name] for name in ("first_name", "middle_name", "last_name", "company_name") if record[name])
    emails = (email_key(email["address"]) for email in record["emails"])
    numbers = (phone["number"].lstrip("+") for phone in record["phones"])
    return " ".join((fold(" ".join(names)), *emails, *numbers))
