"""Lists by keyset cursor: as fast on the last page as on the first, and stable while rows come and go."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import uuid
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Numeric,
    Select,
    Uuid,
    and_,
    bindparam,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session

from chassis.columns import Instant
from chassis.texts import is_storable
from contracts.errors import Invalid, invalid_field

TOTAL_CAP = 10_000
_INTEGERS = 2**31

Parameters = Mapping[str, Any]

_prepared: weakref.WeakKeyDictionary[Any, dict[Any, Any]] = weakref.WeakKeyDictionary()
"""By statement that is made once, what is made of it: to put a page's statement together takes longer than to run it.
"""
_LIMIT, _MOST = (bindparam(name, type_=Integer, required=True) for name in ("page_limit", "page_most"))


def page(
    session: Session,
    statement: Select[*tuple[Any, ...]],
    *,
    model: type[Any],
    sorts: Mapping[str, Any],
    default_sort: str,
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
    total_cap: int = TOTAL_CAP,
    parameters: Parameters | None = None,
    short: bool = False,
) -> tuple[Sequence[Any], dict[str, Any]]:
    """One page of `statement`, which selects `model` (or rows whose first element it is) and has no order or limit.

    A statement with `parameters` is one that its module makes once; what is made of it here is kept with it. It selects
    one entity. Its first page comes with the total, or, if the list is `short` as a rule, without, for what is all
    there need not be counted.

    `sorts` maps the allowed sort names to attributes of `model`, or to a column that the statement then selects too (or
    loads into the attribute of its name);
    a name with `-` before it is descending. Rows without a value come last either way; ties go by id. Returns the rows
    (records if the statement selects one entity) and `meta` = {"next_cursor", "total", "total_is_lower_bound"?} where
    `total` is exact up to `total_cap`.

    Raises Invalid, naming `sort`, if it is not allowed, and Invalid `invalid_cursor` if the cursor is not of this list
    in this order.
    """
    name = sort or default_sort
    column = allowed_sort(sorts, name)

    def place(row: Any) -> tuple[Any, str]:
        record = row[0]
        beside = getattr(column, "class_", None) is not model and column.key in row._fields
        return getattr(row if beside else record, column.key), record.id

    if parameters is not None and not short and cursor is None and not _may_be_null(column):
        counted = _first_page(session, statement, column, model.id, name, limit, total_cap, parameters)
        total = counted[0].page_total if counted else 0
        following = cursor_after(name, *place(counted[limit - 1])) if len(counted) > limit else None
        return [row[0] for row in counted[:limit]], {**meta_of(total, total_cap), "next_cursor": following}
    rows, following = page_rows(
        session, statement, column=column, ids=model.id, sort=name, place=place, limit=limit, cursor=cursor,
        parameters=parameters,
    )  # fmt: skip
    # Most lists are shorter than a page, and what is all there need not be counted.
    all_there = cursor is None and following is None
    total = len(rows) if all_there else count_up_to(session, statement, total_cap, parameters)
    meta = {**meta_of(total, total_cap), "next_cursor": following}
    single = bool(rows) and len(rows[0]) == 1
    return [row[0] for row in rows] if single else rows, meta


def _first_page(
    session: Session,
    statement: Any,
    column: Any,
    ids: Any,
    sort: str,
    limit: int,
    cap: int,
    parameters: Parameters,
) -> Sequence[Any]:
    """The rows of the first page, and one more if there is, each with the total beside it: in one turn."""

    def make() -> Select[Any]:
        total = _counting(statement, _MOST).scalar_subquery().label("page_total")
        return _in_order(statement, column, ids, sort, None, None).add_columns(total).limit(_LIMIT)

    wanted = _made(statement, parameters, ("first", sort), make)
    return session.execute(wanted, {**parameters, "page_limit": limit + 1, "page_most": cap + 1}).all()


def allowed_sort(sorts: Mapping[str, Any], name: str) -> Any:
    """What `sorts` has for a name, which may begin with `-`. Raises Invalid `invalid_sort`."""
    if name.removeprefix("-") not in sorts:
        raise invalid_field("sort", f"Must be one of: {', '.join(sorted(sorts))}.", code="invalid_sort")
    return sorts[name.removeprefix("-")]


def page_rows(
    session: Session,
    statement: Select[*tuple[Any, ...]],
    *,
    column: Any,
    ids: Any,
    sort: str,
    place: Callable[[Any], tuple[Any, str]],
    limit: int,
    cursor: str | None = None,
    optional: bool | None = None,
    parameters: Parameters | None = None,
) -> tuple[list[Any], str | None]:
    """The rows of one page, ordered by `column` and then `ids`, and the cursor of the next page if there is one.

    `sort` is the order's name, with `-` if it descends; `place` is the value and the id of a row. `optional`: rows may
    have no value (as a rule what the column says). They come last, by a statement of their own, so that an index
    serves both. `parameters`: see `page`. Raises Invalid `invalid_cursor`.
    """
    optional = _may_be_null(column) if optional is None else optional
    value, last_id = (None, None) if cursor is None else read_cursor(cursor, sort, column, ids)
    after = {} if last_id is None else {"page_value": value, "page_last": last_id}
    found: list[Any] = []

    def read(part: str, make: Callable[[], Select[Any]]) -> None:
        shape = (part, sort, optional, last_id is None, value is None)
        wanted = _made(statement, parameters, shape, lambda: make().limit(_LIMIT))
        given = {**(parameters or {}), **after, "page_limit": limit + 1 - len(found)}
        found.extend(session.execute(wanted, given).all())

    def with_value() -> Select[Any]:
        place = (None, None) if last_id is None else (_parameter("page_value", column), _parameter("page_last", ids))
        ordered = _in_order(statement, column, ids, sort, *place)
        return ordered.where(column.is_not(None)) if optional else ordered

    def without() -> Select[Any]:
        descending = sort.startswith("-")
        rest = statement.where(column.is_(None)).order_by(ids.desc() if descending else ids.asc())
        if last_id is not None and value is None:
            last = _parameter("page_last", ids)
            rest = rest.where(ids < last if descending else ids > last)
        return rest

    if last_id is None or value is not None:
        read("with a value", with_value)
    if optional and len(found) <= limit:
        read("without one", without)
    following = cursor_after(sort, *place(found[limit - 1])) if len(found) > limit else None
    return found[:limit], following


def _parameter(name: str, column: Any) -> Any:
    return bindparam(name, type_=column.expression.type, required=True)


def _made(statement: Any, parameters: Parameters | None, shape: Any, make: Callable[[], Any]) -> Any:
    """What `make` makes of a statement; of one that is made once, once."""
    if parameters is None:
        return make()
    shapes = _prepared.setdefault(statement, {})
    if shape not in shapes:
        shapes[shape] = make()
    return shapes[shape]


def in_order(
    statement: Select[*tuple[Any, ...]], *, column: Any, ids: Any, sort: str, cursor: str | None
) -> Select[*tuple[Any, ...]]:
    """A statement whose rows all have a value of `column`, in the order `sort` and from the cursor on. Raises Invalid
    `invalid_cursor`."""
    place = (None, None) if cursor is None else read_cursor(cursor, sort, column, ids)
    return _in_order(statement, column, ids, sort, *place)


def _in_order(
    statement: Select[*tuple[Any, ...]], column: Any, ids: Any, sort: str, value: Any, last_id: Any
) -> Select[*tuple[Any, ...]]:
    descending = sort.startswith("-")
    if last_id is not None:
        statement = statement.where(_after(column, ids, value, last_id, descending))
    return statement.order_by(*((column.desc(), ids.desc()) if descending else (column.asc(), ids.asc())))


def meta_of(total: int, cap: int = TOTAL_CAP) -> dict[str, Any]:
    """What `meta` says of a total that was counted up to `cap` + 1."""
    meta: dict[str, Any] = {"next_cursor": None, "total": min(total, cap)}
    if total > cap:
        meta["total_is_lower_bound"] = True
    return meta


def cursor_after(sort: str, value: Any, row_id: str) -> str:
    """The cursor that goes on after the row with this value and id in a list by `sort`; for lists that are put together
    from several."""
    return _write_cursor(sort, value, row_id)


def count_up_to(
    session: Session, statement: Select[Any], cap: int = TOTAL_CAP, parameters: Parameters | None = None
) -> int:
    """How many rows a statement has, `cap` + 1 if there are more. `parameters`: see `page`."""
    counted = _made(statement, parameters, "count", lambda: _counting(statement, _MOST))
    return int(session.execute(counted, {**(parameters or {}), "page_most": cap + 1}).scalar_one())


def _counting(statement: Select[Any], most: Any) -> Select[Any]:
    # Counted over at most so many rows, so that a large firm's list does not cost a full scan.
    return select(func.count()).select_from(statement.order_by(None).limit(most).subquery())


def _may_be_null(column: Any) -> bool:
    return bool(getattr(column.expression, "nullable", True))


def _after(column: Any, ids: Any, value: Any, last_id: Any, descending: bool) -> ColumnElement[bool]:
    # The first comparison is in the others: as it stands, an index on the column begins where the page does.
    if descending:
        return and_(column <= value, or_(column < value, ids < last_id))
    return and_(column >= value, or_(column > value, ids > last_id))


def _write_cursor(name: str, value: Any, last_id: str) -> str:
    text = value.isoformat() if isinstance(value, dt.date) else value
    packed = orjson.dumps([name, text, last_id], default=str)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_cursor(cursor: str, name: str, column: Any, ids: Any) -> tuple[Any, str]:
    """The value and the id that a list by `name` goes on after. Raises Invalid `invalid_cursor`."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        written_for, text, last_id = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if written_for != name:
            raise ValueError("a cursor of another list")
        if isinstance(ids.type, Uuid):
            last_id = _id(last_id)
        elif not isinstance(last_id, str):
            raise TypeError("an id is a text")
        return _value_of(text, column), _storable(last_id)
    except (ValueError, TypeError, AttributeError, OverflowError, decimal.InvalidOperation) as error:
        raise Invalid(
            "invalid_cursor", fields=[{"field": "cursor", "message": "Not a cursor of this list."}]
        ) from error


def _value_of(text: Any, column: Any) -> Any:
    """The cursor's value as the column's type takes it. A value of another type is a ValueError."""
    if text is None:
        return None
    kind = column.expression.type
    if isinstance(kind, Instant):
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("an instant without a zone")
        return moment.astimezone(dt.UTC)
    if isinstance(kind, Uuid):
        return _id(text)
    if isinstance(kind, Date):
        return dt.date.fromisoformat(text)
    if isinstance(kind, Integer):
        number = int(text)
        if not -_INTEGERS <= number < _INTEGERS and not isinstance(kind, BigInteger):
            raise ValueError("a number that no row can have")
        return number
    if isinstance(kind, Numeric):
        return decimal.Decimal(str(text))
    return _storable(str(text))


def _id(text: str) -> str:
    # Python takes forms that PostgreSQL does not.
    return str(uuid.UUID(text))


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("a text that no row can have")
    return text
