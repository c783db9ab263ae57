"""Instants by days: each is on the day that a zone's clocks show, and a day is all its moments. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_

from chassis.filters.fields import Reading

Test = ColumnElement[bool]
Value = dt.date | dt.datetime
"""What an instant is compared with: a moment, or the whole of a day."""


def instant_test(column: Any, reading: Reading, now: dt.datetime) -> Test:
    """The test of an instant in a column. Days are those of the zone of `now`, counted from its own."""
    tests: dict[str, Callable[..., Test]] = {
        "any": lambda: column.is_not(None),
        "in": lambda value: _on(column, value, now.tzinfo),
        "gt": lambda value: _after(column, value, now.tzinfo),
        "gte": lambda value: column >= _start(value, now.tzinfo),
        "lt": lambda value: column < _start(value, now.tzinfo),
        "lte": lambda value: _until(column, value, now.tzinfo),
        "between": lambda first, last: and_(column >= _start(first, now.tzinfo), _until(column, last, now.tzinfo)),
        "older_than_days": lambda days: column < _start(now.date() - dt.timedelta(days), now.tzinfo),
        "within_next_days": lambda days: and_(
            column >= _start(now.date(), now.tzinfo), _until(column, now.date() + dt.timedelta(days), now.tzinfo)
        ),
    }
    return tests[reading.test](*reading.values)


def _is_day(value: Value) -> bool:
    return not isinstance(value, dt.datetime)


def _on(column: Any, value: Value, zone: dt.tzinfo | None) -> Any:
    return and_(column >= _start(value, zone), _until(column, value, zone)) if _is_day(value) else column == value


def _after(column: Any, value: Value, zone: dt.tzinfo | None) -> Any:
    return column >= _end(value, zone) if _is_day(value) else column > value


def _until(column: Any, value: Value, zone: dt.tzinfo | None) -> Any:
    return column < _end(value, zone) if _is_day(value) else column <= value


def _start(value: Value, zone: dt.tzinfo | None) -> dt.datetime:
    """The first moment of a day, or the moment itself."""
    if isinstance(value, dt.datetime):
        return value
    try:
        return dt.datetime.combine(value, dt.time(), zone).astimezone(dt.UTC)
    except OverflowError:  # the first day there is, east of Greenwich
        return dt.datetime.min.replace(tzinfo=dt.UTC)


def _end(day: dt.date, zone: dt.tzinfo | None) -> dt.datetime:
    """The first moment that is no longer on a day."""
    try:
        return _start(day + dt.timedelta(1), zone)
    except OverflowError:  # the last day there is
        return dt.datetime.max.replace(tzinfo=dt.UTC)
