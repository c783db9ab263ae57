"""Lists of clients: one search box, filters, and orders.

Every list has its order and a cursor, a search as well: who answers exactly and who only resembles what was typed are
never on one list (see `search_keys`), and the cursor says which of the two it goes on with.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.paging import TOTAL_CAP, allowed_sort, count_up_to, cursor_after, meta_of, page_rows, read_cursor
from services.clients import cards
from services.clients.models import Client, LastActivity, LastCase
from services.clients.search.search_index import (
    Place,
    Within,
    counted,
    found,
    found_page,
    is_answered,
    walked_page,
)
from services.clients.search.search_keys import Question, is_one_word, question
from services.clients.selecting import Query, compared, having, narrowing, parted, rows_beside
from services.clients.showing import shown

_SORTS: dict[str, Any] = {
    "name": Client.sort_name,
    "created_at": Client.created_at,
    "last_activity_at": LastActivity.at,
    "last_case_at": LastCase.at,
}
_OPTIONAL: type[Any] = LastCase
"""Who was never on a case has none."""
_DEFAULT = "-created_at"
_QUIET = "last_activity_at"
_MOST = TOTAL_CAP
"""How many are counted; where more answer, they are looked for in another way."""
_WALKED = {"created_at": 5_000, "name": 2_000, "last_activity_at": 4_000}
"""By order, clients that are looked through before those who are meant are found and put in order instead. Clients lie
in the order of their creation; in that of their names each is read from another place."""
_FIRST_NAMES = 300
"""Names that are looked through first. Where nobody of these is meant, those who are lie elsewhere together, as all who
are called Smith do: the others of `_WALKED` would be looked through in vain."""
_FEW = 1_000
"""Clients who are found and put in order at once; where more answer, the page is soon found along the order. (A single
word is common more often than several are: the order is looked through first.)"""
_FORGIVING = "~"
"""What the cursor of a list of those who resemble begins with."""
_MANY = "+"
"""What the cursor of a list begins with that had more than are counted: it is not counted anew for each page."""

Narrow = list[ColumnElement[bool]]
Answer = tuple[list[str], dict[str, Any]]


@dataclass(frozen=True)
class _Narrow:
    """What of a query is no search: what PostgreSQL narrows by `within` the search, and the `rest`, elsewhere all, as
    conditions on `Client`."""

    rest: Narrow
    within: Within | None = None

    @property
    def is_any(self) -> bool:
        """Whether anything narrows at all."""
        return bool(self.rest) or self.within not in (None, Within())


@dataclass(frozen=True)
class _Page:
    """What part of which order is asked for."""

    sort: str
    limit: int
    cursor: str | None
    many: bool = False
    """There were more than `_MOST` when the list began."""

    @property
    def column(self) -> Any:
        return allowed_sort(_SORTS, self.sort)

    @property
    def order(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def statement(self) -> Select[Any]:
        """Of all clients the id and the value of the order."""
        return _of_order(self.order).where(Client.archived_at.is_(None))

    @property
    def place(self) -> Place | None:
        """The same for the functions of PostgreSQL, with one client more than the page has. None if they have no such
        order."""
        if self.optional:
            return None
        value, last_id = (
            (None, None) if self.cursor is None else read_cursor(self.cursor, self.sort, self.column, Client.id)
        )
        return Place(self.order, self.sort.startswith("-"), self.limit + 1, value, last_id)

    @property
    def optional(self) -> bool:
        """Whether clients may have no value."""
        return self.column.class_ is _OPTIONAL

    def rows(self, session: Session, statement: Select[Any], **options: Any) -> tuple[list[Any], str | None]:
        """Those of a statement's rows, which begin with the id and the value of the order, that are on the page."""
        options = {"column": self.column, "ids": Client.id, "optional": self.optional, **options}
        return page_rows(
            session, statement, sort=self.sort, limit=self.limit, cursor=self.cursor,
            place=lambda row: (row[1], row[0]), **options,
        )  # fmt: skip


def _of_order(order: str) -> Select[Any]:
    column = _SORTS[order]
    model = column.class_
    statement = select(Client.id, column.label("value"))
    if model is Client:
        return statement
    return statement.join(model, model.client_id == Client.id, isouter=model is _OPTIONAL)


def list_clients(
    db: Database,
    *,
    now: dt.datetime,
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
    **query: Any,
) -> dict[str, Any]:
    """A page of clients, the newest first unless `sort` says otherwise; of those with no activity since a moment, who
    has been quiet longest. `query`: see `selecting`. Raises Invalid
    `invalid_sort` and `invalid_cursor`, and what `select_ids` raises."""
    sort = sort or (_DEFAULT if query.get("inactive_since") is None else _QUIET)
    many = cursor is not None and cursor.startswith(_MANY)
    wanted = _Page(sort, limit, cursor.removeprefix(_MANY) if cursor is not None else None, many)
    allowed_sort(_SORTS, wanted.sort)
    with db.read(alone=True) as session:
        ids, meta = _found(session, query, wanted, now)
        if "total_is_lower_bound" in meta and meta["next_cursor"] is not None:
            meta["next_cursor"] = _MANY + meta["next_cursor"]
        records = cards.load(session, ids)
        data = shown(session, (records[id_] for id_ in ids if id_ in records))
    return {"data": data, "meta": meta}


def _found(session: Session, query: Query, wanted: _Page, now: dt.datetime) -> Answer:
    q = (query.get("q") or "").strip()
    if session.get_bind().dialect.name != "postgresql":
        narrow = narrowing(session, query, now=now)
        return _searched(session, q, _Narrow(narrow), wanted) if q else _listed(session, query, wanted, now)
    within, rest = parted(session, query, now=now)
    if q:
        return _searched(session, q, _Narrow(rest, within), wanted)
    if within.own_fields is not None:
        return _answering(session, None, _Narrow(rest, within), wanted)
    return _listed(session, query, wanted, now, within)


def _listed(session: Session, query: Query, wanted: _Page, now: dt.datetime, within: Within | None = None) -> Answer:
    values = compared(query)
    if values is not None:
        return _at_once(session, _counted_order(wanted.order, frozenset(values)), wanted, values)
    beside = rows_beside(session, query)
    narrow: Narrow = [] if beside is not None else narrowing(session, query, now=now)
    total = _count(session, beside, narrow)
    meta = meta_of(total, _MOST)
    place = wanted.place
    if total > _MOST and within is not None and (within.tag or within.group_id) and place is not None:
        rows = walked_page(session, None, within, place, far=_WALKED[place.order], most=None)
        if len(rows) > wanted.limit:
            return _shown(rows, meta, wanted)
    narrow = narrow or narrowing(session, query, now=now)
    statement = wanted.statement
    if wanted.column is LastActivity.at and query.get("inactive_since") is not None:
        # Of the rows that are in order anyway, not of the same rows once more.
        narrow = narrowing(session, {**query, "inactive_since": None}, now=now)
        statement = statement.where(LastActivity.at < query["inactive_since"])
    rows, meta["next_cursor"] = wanted.rows(session, statement.where(*narrow))
    return [row.id for row in rows], meta


@cache
def _counted_order(order: str, names: frozenset[str]) -> Select[Any]:
    """Of the clients with values of their own columns (see `having`) the id, the value of the order and the total, up
    to `_MOST` + 1. Made once, as to put it together takes longer than to run it."""
    conditions = (Client.archived_at.is_(None), *having(names))
    counted_ = select(Client.id).where(*conditions).limit(_MOST + 1).subquery()
    total = select(func.count()).select_from(counted_).scalar_subquery()
    return _of_order(order).where(*conditions).add_columns(total.label("total"))


def _at_once(session: Session, statement: Select[Any], wanted: _Page, values: dict[str, Any]) -> Answer:
    """The page and the total by one statement as a rule."""
    rows, following = wanted.rows(session, statement, parameters=values)
    if rows or wanted.cursor is None:
        total = rows[0].total if rows else 0
    else:
        # Without a row the total has none to stand in.
        total = count_up_to(session, statement, _MOST, values)
    return [row.id for row in rows], {**meta_of(total, _MOST), "next_cursor": following}


def _count(session: Session, beside: Select[Any] | None, narrow: Narrow) -> int:
    """How many are meant, `_MOST` + 1 if there are more."""
    if beside is None:
        return count_up_to(session, select(Client.id).where(Client.archived_at.is_(None), *narrow), _MOST)
    # By their own index alone, as long as it cannot be the archived ones that make them too many.
    archived = count_up_to(session, select(Client.id).where(Client.archived_at.is_not(None)), _MOST)
    some = count_up_to(session, beside, _MOST + archived)
    if not archived or some > _MOST + archived:
        return min(some, _MOST + 1)
    # Each looked up by its id, however many PostgreSQL takes them for.
    rows = beside.limit(some).subquery()
    present = select(Client.archived_at.is_(None)).where(Client.id == rows.c.client_id).scalar_subquery()
    return min(session.scalars(select(func.count()).select_from(rows).where(present)).one(), _MOST + 1)


def _searched(session: Session, q: str, narrow: _Narrow, wanted: _Page) -> Answer:
    forgiving = wanted.cursor is not None and wanted.cursor.startswith(_FORGIVING)
    if not forgiving:
        asked = question(q)
        ids, meta = _answering(session, asked, narrow, wanted) if asked is not None else ([], meta_of(0))
        if (
            meta["total"]
            or wanted.cursor is not None
            or asked is None
            or (narrow.is_any and is_answered(session, asked))
        ):
            return ids, meta
    asked = question(q, forgiving=True)
    if asked is None:
        return [], meta_of(0)
    inner = replace(wanted, cursor=wanted.cursor.removeprefix(_FORGIVING) if wanted.cursor is not None else None)
    ids, meta = _answering(session, asked, narrow, inner)
    if meta["next_cursor"] is not None:
        meta["next_cursor"] = _FORGIVING + meta["next_cursor"]
    return ids, meta


def _answering(session: Session, asked: Question | None, narrow: _Narrow, wanted: _Page) -> Answer:
    """Those who answer, put in order and counted."""
    within, place = narrow.within, wanted.place
    if within is None or narrow.rest or place is None:
        return _gathered(session, found(session, asked, within=within), narrow.rest, wanted)
    if asked is not None and not is_one_word(asked) and not wanted.many:
        rows = found_page(session, asked, within, place, _FEW + 1)
        total = _total(session, rows, asked, within, wanted, _FEW)
        if total <= _FEW:
            return _shown(rows, meta_of(total, _MOST), wanted)
    # So many that the page may be near by.
    rows = _walked(session, asked, within, place, None if wanted.many else _MOST + 1)
    if len(rows) < place.size:
        rows = found_page(session, asked, within, place)
    elif wanted.many:
        return _shown(rows, meta_of(_MOST + 1, _MOST), wanted)
    return _shown(rows, meta_of(_total(session, rows, asked, within, wanted, _MOST), _MOST), wanted)


def _walked(session: Session, asked: Question | None, within: Within, place: Place, most: int | None) -> Sequence[Any]:
    if place.order == "name" and not walked_page(session, asked, within, place, far=_FIRST_NAMES, most=None):
        return []
    return walked_page(session, asked, within, place, far=_WALKED[place.order], most=most)


def _shown(rows: Sequence[Any], meta: dict[str, Any], wanted: _Page) -> Answer:
    """A page of rows of (client_id, value), of which there is one more than the page has if another follows."""
    if len(rows) > wanted.limit:
        meta["next_cursor"] = cursor_after(wanted.sort, rows[wanted.limit - 1].value, rows[wanted.limit - 1].client_id)
    return [row.client_id for row in rows[: wanted.limit]], meta


def _total(
    session: Session, rows: Sequence[Any], asked: Question | None, within: Within, wanted: _Page, most: int
) -> int:
    """What the rows of a page say, `most` + 1 at least if there are more. Without a row it has none to stand in."""
    if rows or wanted.cursor is None:
        return rows[0].total if rows else 0
    return counted(session, asked, within, most + 1)


def _gathered(session: Session, answering: CTE, narrow: Narrow, wanted: _Page) -> Answer:
    """The page and the total of those who answer and are meant, by one statement as a rule."""
    column: Any = wanted.column
    model = column.class_
    meant = select(Client.id.label("client_id"), Client.sort_name, Client.created_at).where(
        Client.id.in_(select(answering.c.client_id)), *narrow
    )
    kept = meant.cte("kept")
    value = kept.c[column.key] if model is Client else column
    total_ = select(func.count()).select_from(kept).scalar_subquery()
    statement = select(kept.c.client_id, value.label("value"), total_)
    if model is not Client:
        statement = statement.join(model, model.client_id == kept.c.client_id, isouter=wanted.optional)
    rows, following = wanted.rows(session, statement, column=value, ids=kept.c.client_id)
    # Without a row the total has none to stand in.
    meta = meta_of(rows[0][2] if rows else session.scalars(select(total_)).one(), _MOST)
    meta["next_cursor"] = following
    return [row.client_id for row in rows], meta
