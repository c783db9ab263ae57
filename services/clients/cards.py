"""Clients as whole records, loaded and written many at a time: a constant number of statements for any number of them.

A record is a dict in the shape of `contracts.clients.Client`, with Python values. What is kept sealed passes unseen:
records hold it in clear, and null where the client's key has been destroyed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from chassis.value_sets import Statement, among, among_parameter, made_once
from services.clients import activity, sealed_fields
from services.clients.addresses import email_key
from services.clients.checking import Record, tag_key
from services.clients.custom_fields import hold_sensitive_keys
from services.clients.models import (
    Client,
    ClientAddress,
    ClientCompany,
    ClientEmail,
    ClientPhone,
    ClientTag,
    LastActivity,
)
from services.clients.names import name_key, sort_name
from services.clients.row_lists import row_list
from services.clients.search.search_index import firm_of
from services.clients.search.search_keys import stored_keys

_OWN = (
    "kind", "first_name", "middle_name", "last_name", "company_name", "date_of_birth", "government_ids", "occupation",
    "industry", "referral_source", "special_requirements", "status", "spam", "flag_reason", "language", "time_zone",
    "assigned_staff_id", "custom_fields", "external_source", "external_source_id", "data_consent", "photo_id",
)  # fmt: skip
_STAMPS = ("id", "version", "created_at", "updated_at")
_LISTS = ("phones", "emails", "addresses", "tags")
_POSTAL = ("kind", "line1", "line2", "city", "state", "postal_code", "country")
# What an entry of a list is made of: attribute of the row, name in the record.
_ENTRIES: dict[str, dict[str, str]] = {
    "phones": {"number": "number", "kind": "kind", "is_primary": "primary"},
    "emails": {"address": "address", "is_primary": "primary"},
    "addresses": dict(zip(_POSTAL, _POSTAL, strict=True)),
    "tags": {"tag": "tag"},
}
_NONE: Mapping[str, Any] = {}
_DEFAULTS: Record = {"kind": "individual", "status": "active", "spam": False}
_TABLES: dict[str, type[Any]] = {
    "phones": ClientPhone, "emails": ClientEmail, "addresses": ClientAddress, "tags": ClientTag,
}  # fmt: skip
_LAST = select(LastActivity.at).where(LastActivity.client_id == Client.id).correlate(Client).scalar_subquery()


def _any_of(dialect: str) -> Statement:
    return select(
        *(getattr(Client, name) for name in (*_STAMPS, *_OWN)),
        _LAST.label("last_activity_at"),
        *(row_list(_TABLES[name], *_ENTRIES[name]).label(name) for name in _LISTS),
    ).where(among_parameter(dialect, Client.id, "ids"))


def whole_of(dialect: str) -> Statement:
    """The records with these `ids` that are not archived."""
    return _any_of(dialect).where(Client.archived_at.is_(None))


_any, whole = made_once(_any_of), made_once(whole_of)


def new_record(client_id: str, fields: Record, now: dt.datetime) -> Record:
    """A record that is not stored yet."""
    stamps = {"id": client_id, "version": 1, "created_at": now, "updated_at": now, "last_activity_at": now}
    empty: Record = {**dict.fromkeys(_OWN), "custom_fields": {}, "government_ids": [], **{name: [] for name in _LISTS}}
    return {**empty, **_DEFAULTS, **fields, **stamps}


def load(
    session: Session,
    client_ids: Collection[str],
    *,
    lock: bool = False,
    archived: bool = False,
    statement: Callable[[Session], Statement] = whole,
) -> dict[str, Record]:
    """The records that exist, by id; those that are archived only if `archived` asks for them too. With `lock`, they
    stay as they are until the commit. `statement`: what gives `whole`, or that with columns beside, which the
    records then have too."""
    wanted = {"ids": list(set(client_ids))}
    if lock and client_ids:
        # A statement of its own: what waited for a lock sees the row as it is now, but other tables as they were
        # before. In key order, so that two transactions with the same clients wait for each other and do not deadlock.
        held = select(Client.id).where(Client.id.in_(wanted["ids"])).order_by(Client.id).with_for_update()
        wanted["ids"] = list(session.scalars(held))
    if not wanted["ids"]:
        return {}
    records = {row.id: _record(row) for row in session.execute((_any if archived else statement)(session), wanted)}
    sealed_fields.unseal(session, records)
    return records


def _record(row: Any) -> Record:
    record: Record = dict(row._mapping)
    if record["data_consent"] is not None:
        moment = dt.datetime.fromisoformat(record["data_consent"]["at"])
        record["data_consent"] = {**record["data_consent"], "at": moment}
    for name in _LISTS:
        record[name] = [_entry(name, values) for _, *values in sorted(record[name] or (), key=itemgetter(0))]
    return record


def _entry(name: str, values: list[Any]) -> Any:
    if name == "tags":
        return values[0]
    entry = dict(zip(_ENTRIES[name].values(), values, strict=True))
    if "primary" in entry:
        # SQLite's JSON has it as a number.
        entry["primary"] = bool(entry["primary"])
    return entry


@dataclass(frozen=True)
class NewRows:
    """A record that is not stored yet, and what of its rows is made without the database: `own`, with what is sensitive
    still in clear, and those of its lists."""

    record: Record
    own: dict[str, Any]
    lists: dict[str, list[dict[str, Any]]]


def rows_of(record: Record, firm_id: str) -> NewRows:
    """The rows of a record that is not stored yet."""
    return NewRows(record, _own(record, _STAMPS, firm_id), {name: _list_rows(name, [record]) for name in _LISTS})


def insert(
    uow: UnitOfWork,
    records: Sequence[Record],
    *,
    import_id: str | None = None,
    made: Mapping[str, NewRows] = _NONE,
    all_or_none: bool = False,
) -> set[str]:
    """Stores new records and returns the ids of those really stored: one whose id or external id is taken is left
    out. `made`: by id, rows of records that were made before; of a record that is another by now, they are made anew.

    With `all_or_none` a taken one is an IntegrityError, which spares the database to look first; nobody may have heard
    of the ids yet.
    """
    firm_id = firm_of(uow.session)
    new = [
        rows if (rows := made.get(record["id"])) is not None and rows.record is record else rows_of(record, firm_id)
        for record in records
    ]
    # Copies: they are sealed in place, and it may take a second transaction to store them.
    own = [{**rows.own, "import_id": import_id} for rows in new]
    keys = sealed_fields.seal(uow, own, _sensitive(uow, own), new=True)
    if all_or_none:
        uow.insert(Client, own)
        stored = {record["id"] for record in records}
    else:
        stored = {row.id for row in uow.insert_returning(Client, own, "id", ignore_conflicts=True)}
    sealed_fields.store_keys(uow, keys, stored)
    written = [rows for rows in new if rows.record["id"] in stored]
    sealed_fields.index_government_ids(uow, keys, [rows.record for rows in written], new=True)
    heard_of = {rows.record["id"]: rows.record["last_activity_at"] for rows in written}
    activity.touch(uow, heard_of, first=all_or_none)
    for name in _LISTS:
        uow.insert(_TABLES[name], [entry for rows in written for entry in rows.lists[name]])
    return stored


def save(uow: UnitOfWork, before_and_after: Iterable[tuple[Record, Record]], now: dt.datetime) -> dict[str, list[str]]:
    """Writes the records that differ, with their new version, into `after`; returns the changed fields by client id.
    Who is no business any more is no entry of the directory.

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
    activity.touch(uow, dict.fromkeys(changed, now))
    firm_id = firm_of(uow.session)
    rows = [_own(record, ("id", "version", "updated_at"), firm_id) for record in records]
    keys = sealed_fields.seal(uow, rows, _sensitive(uow, rows))
    uow.update_each(Client, rows)
    with_ids = [record for record in records if "government_ids" in changed[record["id"]]]
    sealed_fields.index_government_ids(uow, keys, with_ids)
    for name in _LISTS:
        _replace(uow, name, [record for record in records if name in changed[record["id"]]])
    private = [record["id"] for record in records if "kind" in changed[record["id"]] and record["kind"] != "business"]
    if private:
        links = delete(ClientCompany).where(among(uow.session, ClientCompany.client_id, private))
        uow.session.execute(links, execution_options={"synchronize_session": False})
    return changed


def rewrite(uow: UnitOfWork, client_ids: Collection[str]) -> None:
    """Writes custom fields anew, sealed or not as their definitions say by now. The records do not change for it.
    Archived ones are written too."""
    records = load(uow.session, client_ids, lock=True, archived=True)
    rows = [{name: record[name] for name in ("id", *sealed_fields.FIELDS)} for record in records.values()]
    sealed_fields.seal(uow, rows, _sensitive(uow, rows))
    uow.update_each(Client, [{name: row[name] for name in ("id", "custom_fields")} for row in rows])


def _sensitive(uow: UnitOfWork, rows: list[dict[str, Any]]) -> set[str]:
    """The keys of custom fields that the firm marks sensitive, if any of these rows has custom fields."""
    keys = {key for row in rows for key in row["custom_fields"]}
    return hold_sensitive_keys(uow.session, keys) if keys else set()


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


def _own(record: Record, stamps: Iterable[str], firm_id: str) -> dict[str, Any]:
    """A record's own row, with what is sensitive still in clear."""
    row = {name: record[name] for name in (*stamps, *_OWN)} | _derived(record, firm_id)
    if row["data_consent"] is not None:
        moment: dt.datetime = row["data_consent"]["at"]
        row["data_consent"] = {**row["data_consent"], "at": moment.isoformat()}
    return row


def _derived(record: Record, firm_id: str) -> dict[str, str]:
    return {"sort_name": sort_name(record), "name_key": name_key(record), "keys": stored_keys(record, firm_id)}
