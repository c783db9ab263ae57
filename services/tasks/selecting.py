"""The cases of a selector, page by page: ids only, and wire values as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from sqlalchemy import ColumnElement, String, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from chassis.columns import Id

LARGEST_PAGE = 5_000


def pages_of_cases(calls: Any, selector: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Pages of {"case_id", "case_type_id", "client_ids"} in order of case id; none is empty.

    `calls` are raw ones: thousands of ids are passed on as they are. Raises what `cases.select_cases` does; the first
    page is asked for by the first `next`.
    """
    cursor: str | None = None
    while True:
        found = calls.cases.select_cases(selector=selector, limit=LARGEST_PAGE, cursor=cursor)
        if found["data"]:
            yield found["data"]
        cursor = found["meta"]["next_cursor"]
        if cursor is None:
            return


def among(session: Session, column: Any, ids: Iterable[str]) -> ColumnElement[bool]:
    """`column IN ids` with the ids as one parameter, however many: one statement to parse, whatever the page."""
    if session.get_bind().dialect.name == "postgresql":
        wanted: ColumnElement[bool] = column == func.any(bindparam(None, list(ids), type_=ARRAY(Id)))
        return wanted
    # SQLite keeps a UUID as its 32 digits.
    digits = orjson.dumps([id_.replace("-", "") for id_ in ids]).decode()
    values = func.json_each(bindparam(None, digits, type_=String)).table_valued("value")
    chosen: ColumnElement[bool] = column.in_(select(values.c.value))
    return chosen
