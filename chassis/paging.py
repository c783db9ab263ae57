"""Lists by keyset cursor: as fast on the last page as on the first, and stable while rows come and go."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Date, Integer, Numeric, Select, Uuid, and_, false, func, or_, select
from sqlalchemy.orm import Session

from chassis.columns import Instant
from contracts.errors import Invalid, invalid_field

TOTAL_CAP = 10_000


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
) -> tuple[Sequence[Any], dict[str, Any]]:
    """One page of `statement`, which selects `model` (or rows whose first element it is) and has no order or limit.

    `sorts` maps the allowed sort names to attributes of `model`, or to a column that the statement then selects too;
    a name with `-` before it is descending. Rows without a value come last either way; ties go by id. Returns the rows
    (records if the statement selects one entity) and `meta` = {"next_cursor", "total", "total_is_lower_bound"?} where
    `total` is exact up to `total_cap`.

    Raises Invalid, naming `sort`, if it is not allowed, and Invalid `invalid_cursor` if the cursor is not of this list
    in this order.
    """
    name = sort or default_sort
    descending = name.startswith("-")
    if name.removeprefix("-") not in sorts:
        raise invalid_field("sort", f"Must be one of: {', '.join(sorted(sorts))}.", code="invalid_sort")
    column = sorts[name.removeprefix("-")]
    total = _total(session, statement, total_cap)
    ordered = statement
    if cursor is not None:
        value, last_id = _read_cursor(cursor, name, column, model.id)
        ordered = ordered.where(_after(column, model.id, value, last_id, descending))
    if _may_be_null(column):
        ordered = ordered.order_by(column.is_(None))
    order = (column.desc(), model.id.desc()) if descending else (column.asc(), model.id.asc())
    found = session.execute(ordered.order_by(*order).limit(limit + 1)).all()
    rows = found[:limit]
    meta: dict[str, Any] = {"next_cursor": None, "total": min(total, total_cap)}
    if total > total_cap:
        meta["total_is_lower_bound"] = True
    if len(found) > limit:
        last = rows[-1][0]
        value = getattr(last if getattr(column, "class_", None) is model else rows[-1], column.key)
        meta["next_cursor"] = _write_cursor(name, value, last.id)
    single = bool(rows) and len(rows[0]) == 1
    return [row[0] for row in rows] if single else rows, meta


def cursor_after(sort: str, value: Any, row_id: str) -> str:
    """The cursor that goes on after the row with this value and id in a list by `sort`; for lists that are put together
    from several."""
    return _write_cursor(sort, value, row_id)


def _total(session: Session, statement: Select[Any], cap: int) -> int:
    # Counted over at most cap + 1 rows, so that a large firm's list does not cost a full scan.
    some = statement.order_by(None).limit(cap + 1).subquery()
    return session.execute(select(func.count()).select_from(some)).scalar_one()


def _may_be_null(column: Any) -> bool:
    return bool(getattr(column.expression, "nullable", True))


def _after(column: Any, ids: Any, value: Any, last_id: str, descending: bool) -> ColumnElement[bool]:
    beyond_id = ids < last_id if descending else ids > last_id
    if value is None:
        return and_(column.is_(None), beyond_id)
    beyond = column < value if descending else column > value
    without = column.is_(None) if _may_be_null(column) else false()
    return or_(beyond, and_(column == value, beyond_id), without)


def _write_cursor(name: str, value: Any, last_id: str) -> str:
    text = value.isoformat() if isinstance(value, dt.date) else value
    packed = orjson.dumps([name, text, last_id], default=str)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _read_cursor(cursor: str, name: str, column: Any, ids: Any) -> tuple[Any, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        written_for, text, last_id = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if written_for != name:
            raise ValueError("a cursor of another list")
        if isinstance(ids.type, Uuid):
            uuid.UUID(last_id)
        elif not isinstance(last_id, str):
            raise TypeError("an id is a text")
        return _value_of(text, column), last_id
    except (ValueError, TypeError, AttributeError, decimal.InvalidOperation) as error:
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
        return moment
    if isinstance(kind, Date):
        return dt.date.fromisoformat(text)
    if isinstance(kind, Integer):
        return int(text)
    if isinstance(kind, Numeric):
        return decimal.Decimal(str(text))
    return str(text)
