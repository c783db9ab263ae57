"""Column types of cases' own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

WHOLE_DIGITS = 12
DECIMALS = 6
_UNIT = Decimal(10) ** DECIMALS

Folded = Text().with_variant(Text(collation="C"), "postgresql")
"""Text ordered by code point on both databases, so that a range over it means the same and can use its index."""


JsonOrNull = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON whose None is SQL's NULL, not JSON's."""


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
