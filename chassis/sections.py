"""Several lists of rows handed out as one, page by page, in a fixed order: what many tables say of one record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from contracts.errors import Invalid

Record = dict[str, Any]


def plain(row: Any, *leave_out: str) -> Record:
    """A row's attributes as JSON values, without the firm and those left out."""
    names = [column.key for column in inspect(type(row)).column_attrs if column.key not in ("firm_id", *leave_out)]
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


@dataclass(frozen=True)
class Section:
    """One list: the rows of `model` that meet `where`, in the order of `key`, a text that is unique among them. `show`
    makes the plain record of a row."""

    kind: str
    model: Any
    where: Any
    key: Any
    show: Callable[[Any], Record] = plain


def read_sections(
    session: Session, sections: Sequence[Section], *, limit: int, cursor: str | None
) -> tuple[list[tuple[Section, Any]], str | None]:
    """Up to `limit` rows, each with its section, and the cursor of what follows, None at the end.

    Raises Invalid `invalid_cursor`.
    """
    at, after = _read_cursor(cursor, len(sections))
    found: list[tuple[Section, Any]] = []
    while at < len(sections):
        section = sections[at]
        statement = select(section.model).where(section.where).order_by(section.key).limit(limit - len(found) + 1)
        if after is not None:
            statement = statement.where(section.key > after)
        rows = session.scalars(statement).all()
        taken = rows[: limit - len(found)]
        found += [(section, row) for row in taken]
        if len(rows) > len(taken):
            last = getattr(taken[-1], section.key.key) if taken else after
            return found, f"{at}:{last if last is not None else ''}"
        at, after = at + 1, None
    return found, None


def _read_cursor(cursor: str | None, count: int) -> tuple[int, str | None]:
    if cursor is None:
        return 0, None
    at, colon, after = cursor.partition(":")
    if not colon or not at.isdecimal() or int(at) >= count:
        raise Invalid("invalid_cursor", fields=[{"field": "cursor", "message": "Not a cursor of this list."}])
    return int(at), after or None
