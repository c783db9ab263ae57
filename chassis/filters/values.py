"""The values that filters compare with, as JSON writes them. Pure."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from chassis.columns import fits
from chassis.filters.fields import Kind
from chassis.texts import is_storable

LONGEST_VALUE = 1000

_DECIMAL = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?\Z", re.ASCII)
_TOO_LARGE = 10**20  # Python refuses to write out a number of thousands of digits
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)


def read_value(kind: Kind, value: Any) -> Any:
    """The Python value that a JSON value writes for a field of a kind, or None if it writes none."""
    return _READERS[kind](value)


def read_decimal(value: Any) -> Decimal | None:
    """The decimal that a JSON number or a string writes, or None if it writes none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, str) and not _DECIMAL.match(value):
        return None
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def read_day(value: Any) -> dt.date | None:
    """The day that an ISO date writes, or None if it writes none."""
    if not isinstance(value, str) or not _DAY.match(value):
        return None
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= LONGEST_VALUE and is_storable(value) else None


def _id(value: Any) -> str | None:
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _number(value: Any) -> Decimal | None:
    number = read_decimal(value)
    return number if number is not None and fits(number) else None


def _instant(value: Any) -> dt.datetime | dt.date | None:
    if day := read_day(value):
        return day
    try:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment.astimezone(dt.UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


_READERS: dict[Kind, Callable[[Any], Any]] = {
    "text": _text,
    "word": _text,
    "words": _text,
    "id": _id,
    "number": _number,
    "day": read_day,
    "instant": _instant,
    "flag": _flag,
    "presence": lambda value: None,
}
MESSAGES: dict[Kind, str] = {
    "text": f"Not a text of at most {LONGEST_VALUE} characters.",
    "word": f"Not a text of at most {LONGEST_VALUE} characters.",
    "words": f"Not a text of at most {LONGEST_VALUE} characters.",
    "id": "Not a valid UUID.",
    "number": "Not a number with at most 12 digits before the point and 6 after it.",
    "day": "Not a date like 2026-01-31.",
    "instant": "Not an instant like 2026-01-31T15:00:00Z, nor a date.",
    "flag": "Not true or false.",
    "presence": "Takes no value.",
}
"""What is wrong with a value that a kind does not take."""
