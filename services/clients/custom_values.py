"""How a filter comes to the values of a firm's own fields: they are JSON in the client's row, each with its type."""

from __future__ import annotations

import datetime as dt
import unicodedata
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Numeric, Text, and_, bindparam, false, func, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from chassis.filters.fields import Reading
from chassis.filters.sql import lowered, value_test
from chassis.filters.tree import All, Condition, Node
from services.clients.models import Client

Test = ColumnElement[bool]


@dataclass(frozen=True, eq=False)
class CustomValue:
    """The value under a key. A value of another type than the reading's satisfies nothing. `money`: an amount, which is
    kept as a text with two decimals."""

    key: str
    money: bool = False

    def test(self, reading: Reading, now: dt.datetime) -> Test:
        at = (Client.custom_fields, bindparam(None, self.key, type_=Text))
        kind = func.coalesce(_type_of(*at), "")
        if reading.test == "any":
            return kind.in_(("string",) if self.money else _TYPES[reading.field.kind])
        if self.money:
            return and_(kind == "string", func.coalesce(value_test(_money_of(*at), reading, now), false()))
        if reading.field.kind == "words":
            return and_(kind == "array", or_(*(_has_word(*at, bindparam(None, v, type_=Text)) for v in reading.values)))
        if reading.field.kind == "flag":
            return kind.in_(["true" if value else "false" for value in reading.values])
        if reading.field.kind == "number":
            return and_(kind == "number", value_test(_number_of(*at), reading, now))
        text = _text_of(*at)
        if reading.field.kind == "day":
            return and_(kind == "string", text.like("____-__-__"), _day_test(text, reading, now))
        if reading.test in ("contains", "starts_with"):
            wanted = unicodedata.normalize("NFC", reading.values[0]).lower()
            held = lowered(text)
            found = held.contains if reading.test == "contains" else held.startswith
            return and_(kind == "string", found(wanted, autoescape=True))
        return and_(kind == "string", value_test(text, reading, now))


def looked_up(node: Node) -> tuple[dict[str, Any] | None, Node | None]:
    """Of a filter what an index of custom fields answers, as JSON that a client's holds, and the filter that is left.
    Both are None where there is nothing."""
    own_fields: dict[str, Any] = {}
    left: list[Node] = []
    for part in node.parts if isinstance(node, All) else (node,):
        if (held := _held(part)) is None or held[0] in own_fields:
            left.append(part)
        else:
            own_fields[held[0]] = held[1]
    rest = left[0] if len(left) == 1 else All(tuple(left)) if left else None
    return own_fields or None, rest


def _held(node: Node) -> tuple[str, Any] | None:
    """The key and the value of a condition that one value is there."""
    if not isinstance(node, Condition) or len(node.readings) != 1:
        return None
    reading = node.readings[0]
    reach, kind = reading.field.reach, reading.field.kind
    if not isinstance(reach, CustomValue) or reach.money or reading.test != "in" or len(reading.values) != 1:
        return None
    value = reading.values[0]
    if kind == "words":
        return reach.key, [value]
    return (reach.key, value) if kind in ("text", "flag") else None


_TYPES: dict[str, tuple[str, ...]] = {
    "text": ("string",),
    "day": ("string",),
    "number": ("number",),
    "flag": ("true", "false"),
    "words": ("array",),
}


def _day_test(text: Any, reading: Reading, now: dt.datetime) -> Test:
    """ISO dates sort as the days do."""
    if reading.test not in ("older_than_days", "within_next_days"):
        values = tuple(value.isoformat() for value in reading.values)
        return value_test(text, Reading(reading.field, reading.test, values), now)
    today = now.date()
    days = dt.timedelta(days=reading.values[0])
    if reading.test == "older_than_days":
        return text < (today - days).isoformat()
    return text.between(today.isoformat(), (today + days).isoformat())


class _type_of(FunctionElement[str]):
    """string, number, true, false, array, or NULL where nothing is stored."""

    type = Text()
    inherit_cache = True


class _text_of(FunctionElement[str]):
    type = Text()
    inherit_cache = True


class _number_of(FunctionElement[Any]):
    """The number, or NULL if it is none."""

    type = Numeric()
    inherit_cache = True


class _money_of(FunctionElement[Any]):
    """The number that a text writes, or NULL if it writes none."""

    type = Numeric()
    inherit_cache = True


class _has_word(FunctionElement[bool]):
    """Whether a list holds a word."""

    type = Boolean()
    inherit_cache = True


# What is put together here are parts that are compiled already, with every value a parameter. In the SQL of SQLite the
# key is a value and no part of a path: a path cannot hold every character that a key can.


def _parts(element: Any, compiler: SQLCompiler, options: dict[str, Any]) -> list[str]:
    return [compiler.process(clause, **options) for clause in element.clauses]


@compiles(_type_of, "postgresql")
def _type_postgresql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    held, key = _parts(element, compiler, options)
    typed = f"jsonb_typeof({held} -> {key})"
    return f"(CASE {typed} WHEN 'boolean' THEN {held} ->> {key} ELSE {typed} END)"


@compiles(_type_of, "sqlite")
def _type_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    held, key = _parts(element, compiler, options)
    named = "CASE type WHEN 'text' THEN 'string' WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' ELSE type END"
    return f"(SELECT {named} FROM json_each({held}) WHERE key = {key})"  # noqa: S608  # nosec B608


@compiles(_text_of, "postgresql")
def _text_postgresql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    held, key = _parts(element, compiler, options)
    return f"({held} ->> {key})"


@compiles(_text_of, "sqlite")
def _text_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    held, key = _parts(element, compiler, options)
    return f"(SELECT value FROM json_each({held}) WHERE key = {key})"  # noqa: S608  # nosec B608


@compiles(_number_of, "postgresql")
def _number_postgresql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    held, key = _parts(element, compiler, options)
    return f"(CASE jsonb_typeof({held} -> {key}) WHEN 'number' THEN ({held} ->> {key})::numeric END)"


@compiles(_number_of, "sqlite")
def _number_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    held, key = _parts(element, compiler, options)
    return f"(SELECT value FROM json_each({held}) WHERE key = {key} AND type IN ('integer', 'real'))"  # noqa: S608  # nosec B608


@compiles(_money_of, "postgresql")
def _money_postgresql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    held, key = _parts(element, compiler, options)
    return f"(CASE WHEN {held} ->> {key} ~ '^-?[0-9]+([.][0-9]+)?$' THEN ({held} ->> {key})::numeric END)"


@compiles(_money_of, "sqlite")
def _money_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    held, key = _parts(element, compiler, options)
    return f"(SELECT CAST(value AS REAL) FROM json_each({held}) WHERE key = {key} AND type = 'text')"  # noqa: S608  # nosec B608


@compiles(_has_word, "postgresql")
def _word_postgresql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    held, key, word = _parts(element, compiler, options)
    return f"(({held} -> {key}) ? {word})"


@compiles(_has_word, "sqlite")
def _word_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    held, key, word = _parts(element, compiler, options)
    inner = f"SELECT 1 FROM json_each({held}) AS field, json_each(field.value) AS entry"  # noqa: S608  # nosec B608
    return f"EXISTS ({inner} WHERE field.key = {key} AND field.type = 'array' AND entry.value = {word})"
