"""Statements about many rows with one parameter for all, so that one row and five hundred make the same statement.

The rows of an UPDATE travel as JSON and are opened inside the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import JSON, ColumnElement, Update, bindparam, column, func, inspect, type_coerce, update
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import cast


def one_of(session: Session, model: type[Any], rows: Iterable[dict[str, Any]]) -> list[ColumnElement[bool]]:
    """Conditions that select the records whose attributes are those of a row. No two rows are the same, and all name
    the same attributes."""
    given = list(rows)
    read = _read_rows(session, model, given)
    return [getattr(model, name) == read(name) for name in given[0]]


def update_rows(
    session: Session,
    model: type[Any],
    rows: Iterable[dict[str, Any]],
    *,
    where: Sequence[Any] = (),
    also: dict[str, Any] | None = None,
    key: Sequence[str] = ("id",),
    returning: Sequence[Any] = (),
) -> Sequence[Any]:
    """Sets on each record with a row's `key` the other attributes of that row. All rows name the same attributes.

    `where` are conditions that a record must meet as well, `also` values that are the same for all. Returns what
    `returning` names of the records that were changed, or [] if it names nothing.
    """
    given = list(rows)
    if not given:
        return []
    read = _read_rows(session, model, given)
    statement: Update = (
        update(model)
        .where(*(getattr(model, name) == read(name) for name in key), *where)
        .values({**{name: read(name) for name in given[0] if name not in key}, **(also or {})})
        .execution_options(synchronize_session=False)
    )
    if returning:
        return session.execute(statement.returning(*returning)).all()
    session.execute(statement)
    return []


def _read_rows(session: Session, model: type[Any], given: list[dict[str, Any]]) -> Callable[[str], Any]:
    """A function that reads an attribute of the rows, inside the database, by its name."""
    dialect = session.get_bind().dialect
    attributes = inspect(model).column_attrs
    types = {name: attributes[name].columns[0].type for name in given[0]}
    to_wire = {name: _binder(kind, dialect) for name, kind in types.items()}
    # A decimal travels as its digits.
    wire = orjson.dumps(
        [{name: to_wire[name](value) for name, value in row.items()} for row in given], default=str
    ).decode()
    return _open_rows(wire, types, dialect.name)


def _binder(kind: Any, dialect: Any) -> Any:
    """How a Python value becomes a JSON value that the column's type reads."""
    if isinstance(kind.dialect_impl(dialect), JSON) or isinstance(kind, JSON):
        return lambda value: value
    process = kind.dialect_impl(dialect).bind_processor(dialect)
    return (lambda value: value) if process is None else process


def _open_rows(wire: str, types: dict[str, Any], dialect: str) -> Callable[[str], Any]:
    """A function that reads a row's attribute by its name."""
    if dialect == "postgresql":
        columns = [column(name, kind) for name, kind in types.items()]
        opened = (
            func.jsonb_to_recordset(cast(bindparam(None, wire, SqlText), JSONB()))
            .table_valued(*columns)
            .render_derived(name="given", with_types=True)
        )
        return lambda name: opened.c[name]
    each = func.json_each(bindparam(None, wire, SqlText)).table_valued("value", name="given")

    def read(name: str) -> Any:
        return type_coerce(func.json_extract(each.c.value, f"$.{name}"), types[name])

    return read
