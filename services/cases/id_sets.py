"""Sets of ids as one parameter of a statement, however many: SQLite takes a limited number of parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import ARRAY, ColumnElement, Select, Text, any_, bindparam, cast, column, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from chassis.columns import Id


def among(session: Session, attribute: InstrumentedAttribute[str], ids: Iterable[str]) -> ColumnElement[bool]:
    """Whether an id is one of `ids`."""
    if _is_postgresql(session):
        # Not IN over the rows of `id_rows`: that becomes a join, for which PostgreSQL guesses how many rows there are,
        # and guessing wrongly it compared each with each (10,000 ids of 20,000 cases took 9 s).
        return attribute == any_(_array(ids))
    return attribute.in_(id_rows(session, ids))


def not_among(session: Session, attribute: InstrumentedAttribute[str], ids: Iterable[str]) -> ColumnElement[bool]:
    """Whether an id is none of `ids`. (NOT IN over rows is never a join: they are hashed once.)"""
    return attribute.not_in(id_rows(session, ids))


def id_rows(session: Session, ids: Iterable[str]) -> Select[tuple[str]]:
    """A subquery of one column `id`."""
    if _is_postgresql(session):
        return select(func.unnest(_array(ids), type_=Id).label("id"))
    # SQLite keeps an Id as 32 hexadecimal digits.
    packed = orjson.dumps([wanted.replace("-", "") for wanted in dict.fromkeys(ids)]).decode()
    values = func.json_each(bindparam(None, packed, type_=Text)).table_valued(column("value", Id))
    return select(values.c.value.label("id"))


def _array(ids: Iterable[str]) -> Any:
    return cast(bindparam(None, list(dict.fromkeys(ids)), type_=ARRAY(Text)), ARRAY(Id))


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
