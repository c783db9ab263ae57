"""Column types that mean the same on SQLite and PostgreSQL, and ids."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import uuid_utils
from sqlalchemy import JSON, BigInteger, DateTime, Dialect, String, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from chassis.shifted_clock import ahead

Id = Uuid(as_uuid=False)
"""A UUID. In Python a lower-case string with dashes."""

Json = JSON().with_variant(JSONB(), "postgresql")
"""JSON, stored as JSONB on PostgreSQL. Change a value by assigning a new one, not in place."""

JsonOrNull = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON whose None is SQL's NULL, not JSON's."""

Folded = Text().with_variant(Text(collation="C"), "postgresql")
"""Text ordered by code point on both databases, so that a range over it means the same and can use its index."""

WHOLE_DIGITS = 12
DECIMALS = 6
_UNIT = Decimal(10) ** DECIMALS
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


class Exact(TypeDecorator[Decimal]):
    """A decimal with up to 12 digits before the point and 6 after it, kept as whole millionths.

    SQLite has no decimals: a NUMERIC there is a binary float, which compares amounts of money wrongly.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        scaled = value * _UNIT
        if scaled != int(scaled):
            raise ValueError("more decimals than are kept")
        return int(scaled)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value) / _UNIT


def fits(value: Decimal, decimals: int = DECIMALS) -> bool:
    """Whether a decimal is within what `Exact` keeps, with at most so many digits after the point."""
    if not value.is_finite() or abs(value) >= Decimal(10) ** WHOLE_DIGITS:
        return False
    exponent = value.normalize().as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= decimals
