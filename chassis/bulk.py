"""Set-based writes that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import ARRAY, Column, Select, Table, Update, bindparam, func, inspect, select, update
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapper

Row = dict[str, Any]

MANY = 20
"""Rows from which on arrays are worth their other statement."""


def dialect_insert(dialect: str, table: Table) -> PostgresInsert:
    """An INSERT that knows ON CONFLICT in the database's dialect. (SQLite's has the same methods.)"""
    return postgres_insert(table) if dialect == "postgresql" else sqlite_insert(table)  # type: ignore[return-value]


def insert_of(dialect: str, table: Table, rows: list[Row]) -> tuple[PostgresInsert, list[Row] | None]:
    """An INSERT of rows that all name the same columns, and the parameters to execute it with.

    On PostgreSQL many rows travel as one array for each column: one compiled statement for any number of rows, and a
    third of the time of VALUES lists.
    """
    if dialect == "postgresql" and len(rows) >= MANY and _fits_arrays(table, rows[0]):
        columns = tuple(rows[0])
        arrays: Any = {f"rows_{name}": [row[name] for row in rows] for name in columns}
        return _insert_of_arrays(table, columns), arrays
    return dialect_insert(dialect, table), rows


@functools.cache
def _insert_of_arrays(table: Table, columns: tuple[str, ...]) -> PostgresInsert:
    # Made once: to make it takes as long as to run it.
    return dialect_insert("postgresql", table).from_select(
        list(columns), _unnested(table, columns), include_defaults=False
    )


def in_one_turn(inserts: Sequence[PostgresInsert]) -> PostgresInsert:
    """INSERTs of one row each, which return nothing, as one statement of PostgreSQL's: it writes all or none."""
    *first, last = inserts
    return last.add_cte(*(statement.cte(f"written_{number}") for number, statement in enumerate(first)))


def update_of(dialect: str, table: Table, rows: list[Row], keys: set[str]) -> tuple[Update, list[Row] | None]:
    """An UPDATE that sets each row's columns on the record with its keys, and the parameters to execute it with."""
    changed = [name for name in rows[0] if name not in keys]
    if dialect == "postgresql" and len(rows) >= MANY and _fits_arrays(table, rows[0]):
        arrays: Any = {f"rows_{name}": [row[name] for row in rows] for name in rows[0]}
        return _update_of_arrays(table, tuple(rows[0]), frozenset(keys)), arrays
    matches = [table.c[name] == bindparam(f"key_{name}", type_=table.c[name].type) for name in sorted(keys)]
    values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in changed}
    parameters = [{f"key_{name}" if name in keys else f"new_{name}": row[name] for name in row} for row in rows]
    return update(table).where(*matches).values(values), parameters


@functools.cache
def _update_of_arrays(table: Table, columns: tuple[str, ...], keys: frozenset[str]) -> Update:
    new = _unnested(table, columns).subquery("new_rows")
    matches = [table.c[name] == new.c[name] for name in sorted(keys)]
    return update(table).where(*matches).values({name: new.c[name] for name in columns if name not in keys})


def _fits_arrays(table: Table, names: Iterable[str]) -> bool:
    return not any(isinstance(table.c[name].type, ARRAY) for name in names)


def _unnested(table: Table, names: Iterable[str]) -> Select[Any]:
    columns = []
    for name in names:
        kind = table.c[name].type
        # One dimension, said outright: a JSON value may be a list itself.
        values = bindparam(f"rows_{name}", type_=ARRAY(kind, dimensions=1))
        columns.append(func.unnest(values, type_=kind).label(name))
    return select(*columns)


def table_rows(
    model: type[Any], rows: Iterable[Row], *, defaults: bool = True, **fixed: Any
) -> tuple[Table, list[Row]]:
    """The model's table, and the rows keyed by column: attribute names translated, `fixed` added, all rows with the
    same keys (a column that only some rows name gets its default in the others; with `defaults` also one that none
    names, if its default is Python's).

    Raises `TypeError` on a name that is no column, `ValueError` on a row whose value differs from a fixed one.
    """
    table, columns, with_default = _columns_by_attribute(cast(Any, model))
    given = list(rows)
    named = dict.fromkeys(given[0]) if given else {}
    if any(row.keys() != named.keys() for row in given):
        named = dict.fromkeys(name for row in given for name in row)
    names = named | dict.fromkeys(fixed) | (dict.fromkeys(with_default) if defaults else {})
    if unknown := [name for name in names if name not in columns]:
        raise TypeError(f"{model.__name__} has no column {', '.join(unknown)}")
    for name, value in fixed.items():
        if name in named and any(row.get(name, value) != value for row in given):
            raise ValueError(f"a row of {model.__name__} has another {name}")
    keys = [(columns[name].key, name, columns[name]) for name in names if name not in fixed]
    constant = {columns[name].key: value for name, value in fixed.items()}
    result = [
        {key: row[name] if name in row else _default(column) for key, name, column in keys} | constant for row in given
    ]
    return table, result


@functools.cache
def _columns_by_attribute(model: Any) -> tuple[Table, dict[str, Column[Any]], tuple[str, ...]]:
    """A model's table, its columns by attribute, and the attributes whose default is Python's."""
    mapper: Mapper[Any] = inspect(model)
    columns: dict[str, Column[Any]] = {
        attribute.key: attribute.columns[0]
        for attribute in mapper.column_attrs
        if isinstance(attribute.columns[0], Column)
    }
    with_default = tuple(name for name, column in columns.items() if _has_python_default(column))
    return cast(Table, mapper.local_table), columns, with_default


def _has_python_default(column: Column[Any]) -> bool:
    default: Any = column.default
    return default is not None and (default.is_callable or default.is_scalar)


def _default(column: Column[Any]) -> Any:
    default: Any = column.default
    if not _has_python_default(column):
        return None
    return default.arg(None) if default.is_callable else default.arg


def columns_of(model: type[Any], names: Sequence[str]) -> list[Column[Any]]:
    """The table columns of a model's attributes."""
    mapper: Mapper[Any] = inspect(model)
    return [mapper.column_attrs[name].columns[0] for name in names]  # type: ignore[misc]
