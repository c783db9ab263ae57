"""Set-based writes that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import Column, Table, inspect
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapper

Row = dict[str, Any]


def dialect_insert(dialect: str, table: Table) -> PostgresInsert:
    """An INSERT that knows ON CONFLICT in the database's dialect. (SQLite's has the same methods.)"""
    return postgres_insert(table) if dialect == "postgresql" else sqlite_insert(table)  # type: ignore[return-value]


def table_rows(model: type[Any], rows: Iterable[Row], **fixed: Any) -> tuple[Table, list[Row]]:
    """The model's table, and the rows keyed by column: attribute names translated, `fixed` added, all rows with the
    same keys (a column that only some rows name gets its default in the others).

    Raises `TypeError` on a name that is no column, `ValueError` on a row whose value differs from a fixed one.
    """
    mapper: Mapper[Any] = inspect(model)
    columns: dict[str, Column[Any]] = {
        attribute.key: attribute.columns[0]
        for attribute in mapper.column_attrs
        if isinstance(attribute.columns[0], Column)
    }
    given = list(rows)
    names = dict.fromkeys(name for row in given for name in row) | dict.fromkeys(fixed)
    if unknown := [name for name in names if name not in columns]:
        raise TypeError(f"{model.__name__} has no column {', '.join(unknown)}")
    result = []
    for row in given:
        for name, value in fixed.items():
            if row.get(name, value) != value:
                raise ValueError(f"a row of {model.__name__} has another {name}")
        full = {**row, **fixed}
        result.append({columns[name].key: full[name] if name in full else _default(columns[name]) for name in names})
    return cast(Table, mapper.local_table), result


def _default(column: Column[Any]) -> Any:
    default: Any = column.default
    if default is None:
        return None
    return default.arg(None) if default.is_callable else default.arg


def columns_of(model: type[Any], names: Sequence[str]) -> list[Column[Any]]:
    """The table columns of a model's attributes."""
    mapper: Mapper[Any] = inspect(model)
    return [mapper.column_attrs[name].columns[0] for name in names]  # type: ignore[misc]
