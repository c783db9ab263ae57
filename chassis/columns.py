"""Column types that mean the same on SQLite and PostgreSQL, and ids."""

from __future__ import annotations

import datetime as dt
from typing import Any

import uuid_utils
from sqlalchemy import JSON, DateTime, Dialect, String, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from chassis.shifted_clock import ahead

Id = Uuid(as_uuid=False)
"""A UUID. In Python a lower-case string with dashes."""

Json = JSON().with_variant(JSONB(), "postgresql")
"""JSON, stored as JSONB on PostgreSQL. Change a value by assigning a new one, not in place."""

_TEXT_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def new_id() -> str:
    """A new UUIDv7: later ids sort after earlier ones, so that indexes grow at their end."""
    return str(uuid_utils.uuid7())


def utc_now() -> dt.datetime:
    """The present instant, aware, in UTC."""
    return dt.datetime.now(dt.UTC) + ahead()


class Instant(TypeDecorator[dt.datetime]):
    """An aware UTC datetime. A naive one is a `ValueError`.

    PostgreSQL stores `timestamptz`; SQLite a text of fixed width, so that it sorts and compares as the instants do.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive datetime is not an instant: {value!r}")
        moment = value.astimezone(dt.UTC)
        return moment.strftime(_TEXT_FORMAT) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        if isinstance(value, str):
            return dt.datetime.fromisoformat(value)
        moment: dt.datetime = value
        return moment.astimezone(dt.UTC)
