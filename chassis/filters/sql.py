"""A filter's tree as one SQL condition, the same on SQLite and PostgreSQL, and the ways to a field's values.

Every condition is true or false, never NULL, so that NOT is the true complement. Fields that are rows of other tables
become EXISTS, so that no join multiplies the records.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, exists, not_, or_, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import Select

from chassis.filters.days import instant_test
from chassis.filters.fields import DAYS, Reading
from chassis.filters.tree import All, Complement, Condition, Node, Some
from chassis.texts import START_LENGTH, beyond, fold

Test = ColumnElement[bool]
Attribute = InstrumentedAttribute[Any]


def condition(node: Node, *, now: dt.datetime) -> Test:
    """The SQL condition of a filter, on the model that the catalogue's fields belong to. Days are those of the zone of
    `now`, counted from its own."""
    match node:
        case All(parts):
            return and_(*(condition(part, now=now) for part in parts))
        case Some(parts):
            return or_(*(condition(part, now=now) for part in parts))
        case Complement(part):
            return not_(condition(part, now=now))
        case Condition(readings):
            return or_(*(reading.field.reach.test(reading, now) for reading in readings))


@dataclass(frozen=True, eq=False)
class Column:
    """One value in a column. `folded`: the same text folded, which a field of the kind `text` needs."""

    column: Attribute
    folded: Attribute | None = None

    def test(self, reading: Reading, now: dt.datetime) -> Test:
        if reading.test in ("contains", "starts_with"):
            if self.folded is None:
                raise TypeError(f"{reading.field.name} has no folded column")
            return _known(self.folded, _folded_test(self.folded, reading))
        return _known(self.column, value_test(self.column, reading, now))


@dataclass(frozen=True, eq=False)
class Rows:
    """A value in each of some rows. `rows`: those of a record, correlated with its model, on an index that begins with
    the record."""

    rows: Select[Any]
    value: Column

    def test(self, reading: Reading, now: dt.datetime) -> Test:
        return exists(self.rows.where(self.value.test(reading, now)))


@dataclass(frozen=True, eq=False)
class TypedColumns:
    """The columns of a table in which each row holds one value, in the column of its kind.

    `text`, `folded` (the text folded) and `start` (its indexed start, `START_LENGTH` of it): `text` and `words`;
    `number`: `number`, and `flag` as 1 or 0; `day`: `day`.
    """

    text: Attribute
    folded: Attribute
    start: Attribute
    number: Attribute
    day: Attribute


@dataclass(frozen=True, eq=False)
class TypedRows:
    """Values in rows of `TypedColumns`. `rows` as in `Rows`. `within`: which records have the field in this kind, None
    for all where it is stored."""

    rows: Select[Any]
    columns: TypedColumns
    within: Test | None = None

    def test(self, reading: Reading, now: dt.datetime) -> Test:
        held = exists(self.rows.where(self._value_test(reading, now)))
        return held if self.within is None else and_(self.within, held)

    def _value_test(self, reading: Reading, now: dt.datetime) -> Test:
        kind, columns = reading.field.kind, self.columns
        if reading.test == "any":
            return true()
        if kind == "number":
            return value_test(columns.number, reading, now)
        if kind == "flag":
            return columns.number.in_([Decimal(int(value)) for value in reading.values])
        if kind == "day":
            return value_test(columns.day, reading, now)
        if reading.test == "in":
            # By the start, which is indexed, and then by the whole.
            starts = {fold(value)[:START_LENGTH] for value in reading.values}
            return and_(columns.start.in_(sorted(starts)), columns.text.in_(reading.values))
        return _folded_test(columns.folded, reading, indexed=columns.start)


class lowered(FunctionElement[str]):
    """A text in lower case in every language, so that it can be compared without a folded column beside it. No index
    serves it."""

    type = Text()
    inherit_cache = True
    name = "lowered"


@compiles(lowered)
def _lowered(element: lowered, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower({compiler.process(element.clauses, **options)})"


@compiles(lowered, "sqlite")
def _lowered_sqlite(element: lowered, compiler: SQLCompiler, **options: Any) -> str:
    # SQLite's own knows the letters of English only (see `chassis.engines`).
    return f"casewire_lower({compiler.process(element.clauses, **options)})"


@dataclass(frozen=True, eq=False)
class Lowered:
    """One text in a column that has no folded one beside it. `contains` and `starts_with` read each row."""

    column: Attribute

    def test(self, reading: Reading, now: dt.datetime) -> Test:
        if reading.test not in ("contains", "starts_with"):
            return _known(self.column, value_test(self.column, reading, now))
        wanted = unicodedata.normalize("NFC", reading.values[0]).lower()
        held = lowered(self.column)
        found = held.contains if reading.test == "contains" else held.startswith
        return _known(self.column, found(wanted, autoescape=True))


def _known(column: Attribute, test: Test) -> Test:
    """The test, and false where there is no value."""
    return and_(column.is_not(None), test) if column.expression.nullable else test


def _folded_test(column: Attribute, reading: Reading, indexed: Attribute | None = None) -> Test:
    wanted = fold(reading.values[0])
    if reading.test == "contains":
        return column.contains(wanted, autoescape=True)
    # A range, which an index serves on both databases. (The index of `TypedColumns` holds the start only.)
    start = wanted if indexed is None else wanted[:START_LENGTH]
    by = column if indexed is None else indexed
    upper = beyond(start)
    test = by >= start if upper is None else and_(by >= start, by < upper)
    return test if len(start) == len(wanted) else and_(test, column.startswith(wanted, autoescape=True))


def _days(column: Attribute, reading: Reading, now: dt.datetime) -> Test:
    today, days = now.date(), dt.timedelta(days=reading.values[0])
    return column < today - days if reading.test == "older_than_days" else column.between(today, today + days)


_TESTS: dict[str, Callable[[Attribute, tuple[Any, ...]], Test]] = {
    "any": lambda column, values: column.is_not(None),
    "in": lambda column, values: column == values[0] if len(values) == 1 else column.in_(values),
    "gt": lambda column, values: column > values[0],
    "gte": lambda column, values: column >= values[0],
    "lt": lambda column, values: column < values[0],
    "lte": lambda column, values: column <= values[0],
    "between": lambda column, values: column.between(values[0], values[1]),
}


def value_test(column: Any, reading: Reading, now: dt.datetime) -> Test:
    """The test of one value, for every test but `contains` and `starts_with`; NULL where there is no value."""
    if reading.field.kind == "instant":
        return instant_test(column, reading, now)
    if reading.test in DAYS:
        return _days(column, reading, now)
    return _TESTS[reading.test](column, reading.values)
