"""Set-based writes that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
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


@dataclass(frozen=True)
class TableRows:
    """Rows of a table. `columns`: of each (its key, what the given rows call it, itself); `fixed` is what all rows have
    besides. What a row does not name has its column's default."""

    table: Table
    given: list[Row]
    columns: list[tuple[str, str, Column[Any]]]
    fixed: Row

    def as_rows(self) -> list[Row]:
        """The rows, keyed by column."""
        return [
            {key: row[name] if name in row else _default(column) for key, name, column in self.columns} | self.fixed
            for row in self.given
        ]

    def as_columns(self) -> dict[str, list[Any]]:
        """The values of each column, without those that are fixed."""
        named = self.given[0].keys()
        if any(row.keys() != named for row in self.given):
            rows = self.as_rows()
            return {key: [row[key] for row in rows] for key, _, _ in self.columns}
        return {
            key: list(map(itemgetter(name), self.given)) if name in named else [_default(column) for _ in self.given]
            for key, name, column in self.columns
        }

    def as_arrays(self, dialect: str) -> bool:
        """Whether they travel as arrays."""
        if dialect != "postgresql" or len(self.given) < MANY or not self.columns:
            return False
        return not any(isinstance(column.type, ARRAY) for _, _, column in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The keys of the columns that are not fixed."""
        return tuple(key for key, _, _ in self.columns)

    @property
    def parameters(self) -> Row:
        """Of a statement of arrays."""
        arrays = {f"rows_{key}": values for key, values in self.as_columns().items()}
        return arrays | {f"row_{key}": value for key, value in self.fixed.items()}


def insert_of(dialect: str, rows: TableRows) -> tuple[PostgresInsert, Row | list[Row]]:
    """An INSERT of rows, and the parameters to execute it with.

    On PostgreSQL many rows travel as one array for each column: one compiled statement for any number of rows, and a
    third of the time of VALUES lists.
    """
    if rows.as_arrays(dialect):
        return _insert_of_arrays(rows.table, rows.names, tuple(rows.fixed)), rows.parameters
    return dialect_insert(dialect, rows.table), rows.as_rows()


@functools.cache
def _insert_of_arrays(table: Table, names: tuple[str, ...], fixed: tuple[str, ...]) -> PostgresInsert:
    # Made once: to make it takes as long as to run it.
    return dialect_insert("postgresql", table).from_select(
        [*names, *fixed], _unnested(table, names, fixed), include_defaults=False
    )


def in_one_turn(inserts: Sequence[PostgresInsert]) -> PostgresInsert:
    """INSERTs of one row each, which return nothing, as one statement of PostgreSQL's: it writes all or none."""
    *first, last = inserts
    return last.add_cte(*(statement.cte(f"written_{number}") for number, statement in enumerate(first)))


def update_of(dialect: str, rows: TableRows, keys: Collection[str]) -> tuple[Update, Row | list[Row]]:
    """An UPDATE that sets each row's columns on the record with its keys, and the parameters to execute it with."""
    table = rows.table
    if rows.as_arrays(dialect):
        return _update_of_arrays(table, rows.names, tuple(rows.fixed), frozenset(keys)), rows.parameters
    changed = [name for name in (*rows.names, *rows.fixed) if name not in keys]
    matches = [table.c[name] == bindparam(f"key_{name}", type_=table.c[name].type) for name in sorted(keys)]
    values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in changed}
    parameters = [
        {f"key_{name}" if name in keys else f"new_{name}": value for name, value in row.items()}
        for row in rows.as_rows()
    ]
    return update(table).where(*matches).values(values), parameters


@functools.cache
def _update_of_arrays(table: Table, names: tuple[str, ...], fixed: tuple[str, ...], keys: frozenset[str]) -> Update:
    new = _unnested(table, names, fixed).subquery("new_rows")
    matches = [table.c[name] == new.c[name] for name in sorted(keys)]
    changed = {name: new.c[name] for name in (*names, *fixed) if name not in keys}
    return update(table).where(*matches).values(changed)


def _unnested(table: Table, names: Iterable[str], fixed: Iterable[str]) -> Select[Any]:
    columns = []
    for name in names:
        kind = table.c[name].type
        # One dimension, said outright: a JSON value may be a list itself.
        values = bindparam(f"rows_{name}", type_=ARRAY(kind, dimensions=1))
        columns.append(func.unnest(values, type_=kind).label(name))
    return select(*columns, *(bindparam(f"row_{name}", type_=table.c[name].type).label(name) for name in fixed))


def plain_rows(table: Table, rows: list[Row]) -> TableRows:
    """Rows that are keyed by column already, all by the same ones."""
    return TableRows(table, rows, [(key, key, table.c[key]) for key in rows[0]], {})


def table_rows(model: type[Any], rows: Iterable[Row], *, defaults: bool = True, **fixed: Any) -> TableRows:
    """The rows of a model's table: attribute names translated, `fixed` added, all rows with the same columns (one that
    only some rows name gets its default in the others; with `defaults` also one that none names, if its default is
    Python's).

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
    kept = [(columns[name].key, name, columns[name]) for name in names if name not in fixed]
    return TableRows(table, given, kept, {columns[name].key: value for name, value in fixed.items()})


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
