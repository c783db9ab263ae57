"""A client's rows in other tables as one column of the client's: a whole record for one statement."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Dialect, ScalarSelect, Text, TypeDecorator, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from services.clients.models import Client


class _Lists(TypeDecorator[list[list[Any]]]):
    """Lists that come as their text, to be read by the faster library."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


class _Rows(FunctionElement[Any]):
    """An aggregate: JSON, a list with a list of the columns for each row, in no certain order; null for no rows."""

    name = "rows"
    type = _Lists()
    inherit_cache = True


@compiles(_Rows, "postgresql")
def _on_postgresql(element: _Rows, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_agg(json_build_array({compiler.process(element.clauses, **options)}))::text"


@compiles(_Rows, "sqlite")
def _on_sqlite(element: _Rows, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_group_array(json_array({compiler.process(element.clauses, **options)}))"


def row_list(model: type[Any], *names: str) -> ScalarSelect[Any]:
    """The client's rows of `model`, each as [position, the named attributes]: see `rows_where`."""
    return rows_where(*(getattr(model, name) for name in ("position", *names)), where=(model.client_id == Client.id,))


def rows_where(*columns: Any, where: tuple[Any, ...]) -> ScalarSelect[Any]:
    """The rows that are the client's by `where`, each as a list of the columns: texts, numbers, truth values (0 and 1
    on SQLite) and ids (there without dashes) only."""
    return select(_Rows(*columns)).where(*where).correlate(Client).scalar_subquery()
