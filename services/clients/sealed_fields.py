"""The sensitive fields of records, sealed on their way into rows of `Client` and unsealed on their way out: a constant
number of statements for any number of records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import delete
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from chassis.sealing import OwnerKeys, is_sealed
from services.clients.checking import Record
from services.clients.client_keys import SEALING, birth_keys, government_id_keys
from services.clients.models import Client, ClientGovernmentId

_TABLE = Client.__tablename__
_SEALED = "sealed"
FIELDS = ("date_of_birth", "government_ids", "custom_fields")
"""What may hold something sealed."""
Row = dict[str, Any]


def unseal(session: Session, records: Mapping[str, Record]) -> None:
    """Puts values in the place of what is sealed in records as they were read."""
    keys = SEALING.keys_of(session, [id_ for id_, record in records.items() if _holds_sealed(record)])
    for record in records.values():
        id_ = record["id"]
        if record["date_of_birth"] is not None:
            day = _opened(keys, id_, "date_of_birth", record["date_of_birth"])
            record["date_of_birth"] = dt.date.fromisoformat(day) if day is not None else None
        ids = record["government_ids"]
        opened = _opened(keys, id_, "government_ids", ids) if ids is not None else None
        record["government_ids"] = orjson.loads(opened) if opened is not None else []
        if any(isinstance(value, dict) for value in record["custom_fields"].values()):
            record["custom_fields"] = _open_custom(keys, id_, record["custom_fields"])


def _holds_sealed(record: Record) -> bool:
    if record["government_ids"] is not None or any(
        isinstance(value, dict) for value in record["custom_fields"].values()
    ):
        return True
    born: str | None = record["date_of_birth"]
    return born is not None and is_sealed(born)


def _opened(keys: OwnerKeys, id_: str, column: str, value: str) -> str | None:
    # In clear is what an earlier release wrote, until `sealing_up` comes to it.
    return keys.unseal(id_, value, _TABLE, column, id_) if is_sealed(value) else value


def _open_custom(keys: OwnerKeys, id_: str, values: Record) -> Record:
    """What cannot be read any more is left out, as a field without a value is."""
    result: Record = {}
    for key, value in values.items():
        if not isinstance(value, dict):
            result[key] = value
        elif (opened := _opened(keys, id_, f"custom_fields.{key}", value[_SEALED])) is not None:
            result[key] = orjson.loads(opened)
    return result


def seal(uow: UnitOfWork, rows: Sequence[Row], sensitive: Collection[str], *, new: bool = False) -> OwnerKeys | None:
    """Seals what is sensitive in rows that are to be written, and adds its blind indexes. `sensitive`: the keys of
    custom fields that are. The keys of `new` clients are to be stored after them, by `store_keys`."""
    for row in rows:
        row.update(birth_key=None, birthday_key=None)
    holding = [row for row in rows if _holds_sensitive(row, sensitive)]
    keys = SEALING.keys_to_seal(uow, [row["id"] for row in holding], new=new) if holding else None
    for row in holding:
        assert keys is not None
        _seal_row(keys, row, sensitive)
    for row in rows:
        row["government_ids"] = row["government_ids"] or None
    return keys


def _holds_sensitive(row: Row, sensitive: Collection[str]) -> bool:
    if row["date_of_birth"] is not None or row["government_ids"]:
        return True
    return not row["custom_fields"].keys().isdisjoint(sensitive)


def _seal_row(keys: OwnerKeys, row: Row, sensitive: Collection[str]) -> None:
    id_ = row["id"]
    if row["date_of_birth"] is not None:
        _seal_birth(keys, row)
    if row["government_ids"]:
        plain = orjson.dumps(row["government_ids"]).decode()
        row["government_ids"] = keys.seal(id_, plain, _TABLE, "government_ids", id_)
    if not row["custom_fields"].keys().isdisjoint(sensitive):
        row["custom_fields"] = {
            key: {_SEALED: keys.seal(id_, orjson.dumps(value).decode(), _TABLE, f"custom_fields.{key}", id_)}
            if key in sensitive
            else value
            for key, value in row["custom_fields"].items()
        }


def _seal_birth(keys: OwnerKeys, row: Row) -> None:
    born: dt.date = row["date_of_birth"]
    row.update(birth_keys(keys, born))
    row["date_of_birth"] = keys.seal(row["id"], born.isoformat(), _TABLE, "date_of_birth", row["id"])


def store_keys(uow: UnitOfWork, keys: OwnerKeys | None, client_ids: Collection[str]) -> None:
    """Stores the keys of clients that were new in `seal` and are stored by now."""
    if keys is not None:
        SEALING.store_new(uow, keys, client_ids)


def index_government_ids(
    uow: UnitOfWork, keys: OwnerKeys | None, records: Sequence[Record], *, new: bool = False
) -> None:
    """Keeps the blind indexes of the records' government ids, in place of those before."""
    if not new and records:
        mine = ClientGovernmentId.client_id.in_([record["id"] for record in records])
        uow.session.execute(delete(ClientGovernmentId).where(mine), execution_options={"synchronize_session": False})
    if keys is not None:
        rows = [
            {"client_id": record["id"], "key": key}
            for record in records
            for key in government_id_keys(keys, record["government_ids"])
        ]
        uow.insert(ClientGovernmentId, rows)


def seal_births(uow: UnitOfWork, rows: Sequence[Row]) -> None:
    """Seals dates of birth that rows of {id, date_of_birth} hold in clear."""
    keys = SEALING.keys_to_seal(uow, [row["id"] for row in rows])
    for row in rows:
        row["date_of_birth"] = dt.date.fromisoformat(row["date_of_birth"])
        _seal_birth(keys, row)
