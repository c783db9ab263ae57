"""Sets of values, such as ids, in a statement that is compiled once, however many they are.

PostgreSQL takes an array. SQLite has none and takes a limited number of parameters: many values are JSON there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, wraps
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Dialect,
    Select,
    Text,
    any_,
    bindparam,
    column,
    func,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeEngine

from chassis.columns import Id
from chassis.turns import IN_ORDER

Attribute = InstrumentedAttribute[Any] | Column[Any]
Statement = Select[*tuple[Any, ...]]

FEW = 100
"""Values up to which SQLite has a list of parameters sooner than it has opened JSON: 12 ids are found in 0.35 ms rather
than 0.45, 500 in 1.0 ms rather than 0.7."""


def among(session: Session, attribute: Attribute, values: Iterable[str]) -> ColumnElement[bool]:
    """Whether an attribute is one of `values`, however many."""
    dialect = session.get_bind().dialect
    wanted = list(values)
    if dialect.name == "postgresql":
        # Not IN over the rows of `_rows`: that becomes a join, for which PostgreSQL guesses how many rows there are,
        # and guessing wrongly it compared each with each (10,000 ids of 20,000 cases took 9 s).
        return _in_array(attribute, bindparam(None, wanted, type_=ARRAY(attribute.type)))
    if len(wanted) < FEW:
        return attribute.in_(wanted)
    return attribute.in_(_rows(dialect, attribute.type, wanted))


def among_parameter(dialect: str, attribute: Attribute, name: str) -> ColumnElement[bool]:
    """Whether an attribute is one of the values of the parameter `name`, for a statement that is made once. (On SQLite
    each of the values becomes a parameter.)"""
    if dialect == "postgresql":
        return _in_array(attribute, bindparam(name, type_=ARRAY(attribute.type)))
    return attribute.in_(bindparam(name, expanding=True))


def among_rows(dialect: str, attribute: Attribute, rows: Select[Any]) -> ColumnElement[bool]:
    """Whether an attribute is one of the rows of a subquery. On PostgreSQL they are read first, and an index answers it
    also within an OR, where IN over rows has it look at all there is."""
    if dialect == "postgresql":
        return _in_array(attribute, func.array(rows.scalar_subquery(), type_=ARRAY(attribute.type)))
    return attribute.in_(rows)


def made_once(make: Callable[[str], Statement]) -> Callable[[Session], Statement]:
    """Turns a function that makes a statement for a dialect, its values parameters, into one that gives it for a
    session. It is made once: to put a statement together takes longer than to run it."""
    made = cache(make)

    @wraps(make)
    def statement(session: Session) -> Statement:
        return made(session.get_bind().dialect.name)

    return statement


def not_among(session: Session, attribute: Attribute, values: Iterable[str]) -> ColumnElement[bool]:
    """Whether an attribute is none of `values`. (NOT IN over rows is never a join: they are hashed once.)"""
    return attribute.not_in(_rows(session.get_bind().dialect, attribute.type, list(values)))


def id_rows(session: Session, ids: Iterable[str]) -> Select[tuple[str]]:
    """A subquery of one column `id`, with each id once."""
    return _rows(session.get_bind().dialect, Id, list(dict.fromkeys(ids)))


def each_of(dialect: str, kind: TypeEngine[Any]) -> Select[Any]:
    """A subquery of one column `id` with the values that `each_id` gives, for a statement that is made once."""
    if dialect == "postgresql":
        return select(func.unnest(bindparam("each_id", type_=ARRAY(kind)), type_=kind).label("id"))
    opened = func.json_each(bindparam("each_id", type_=Text)).table_valued(column("value", kind))
    return select(opened.c.value.label("id"))


def each_id(session: Session, ids: Iterable[str | None]) -> dict[str, Any]:
    """The parameter of `each_of`."""
    dialect = session.get_bind().dialect
    return {"each_id": list(ids) if dialect.name == "postgresql" else _packed(dialect, Id, ids)}


class ByValue:
    """Rows of one table by the values of an attribute, many at once; to be made once. `where` may hold parameters.

    There is an index of the firm and the attribute (and, between them, of what `where` sets equal): on PostgreSQL each
    value is looked up there, and nowhere else. Left to choose it takes any index of the firm as long as it has not
    counted this one's rows, and reads all that the firm has (ADR 0014); of those only the right one gives the order
    that is asked for, and without sorting (`IN_ORDER`) there is no other way. `options`: further execution options.
    """

    def __init__(
        self, attribute: Attribute, *columns: Attribute, where: Sequence[ColumnElement[bool]] = (),
        options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self._attribute = attribute
        self._options = dict(options or {})
        self._plain = select(attribute.label("wanted"), *columns).where(*where)
        array = bindparam("wanted", type_=ARRAY(attribute.type))
        given = func.unnest(array).table_valued(column("wanted", attribute.type), name="given").render_derived()
        # As a range: what is equal to something has no order of its own.
        within = (attribute >= given.c.wanted, attribute <= given.c.wanted)
        rows = select(*columns).where(*within, *where).order_by(attribute).lateral("same")
        self._in_order = select(given.c.wanted, *rows.c).join_from(given, rows, true())

    def rows(self, session: Session, values: Collection[str], **parameters: Any) -> Sequence[Any]:
        """(`wanted`, *columns) of each row with one of the values, in no certain order."""
        if not values:
            return []
        if session.get_bind().dialect.name == "postgresql":
            given = {"wanted": list(values), **parameters}
            return session.execute(self._in_order, given, execution_options=IN_ORDER | self._options).all()
        plain = self._plain.where(among(session, self._attribute, values))
        return session.execute(plain, parameters, execution_options=self._options).all()


def _in_array(attribute: Attribute, array: Any) -> ColumnElement[bool]:
    # An array of the attribute's own type: one of texts that is cast takes twice as long to plan (500 ids 0.19 ms).
    same: ColumnElement[bool] = attribute == any_(array)
    return same


def _rows(dialect: Dialect, kind: TypeEngine[Any], values: list[str]) -> Select[Any]:
    if dialect.name == "postgresql":
        return select(func.unnest(bindparam(None, values, type_=ARRAY(kind)), type_=kind).label("id"))
    opened = func.json_each(bindparam(None, _packed(dialect, kind, values), type_=Text)).table_valued(
        column("value", kind)
    )
    return select(opened.c.value.label("id"))


def _packed(dialect: Dialect, kind: TypeEngine[Any], values: Iterable[Any]) -> str:
    """Values as SQLite keeps them: an Id as 32 hexadecimal digits."""
    kept = kind.dialect_impl(dialect).bind_processor(dialect)
    return orjson.dumps(list(values) if kept is None else [kept(value) for value in values]).decode()
