"""Lists of clients: one search box, filters, and orders.

Every list has its order and a cursor, a search as well: who answers exactly and who only resembles what was typed are
never on one list (see `search_keys`), and the cursor says which of the two it goes on with.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.paging import TOTAL_CAP, allowed_sort, count_up_to, in_order, meta_of, page_rows
from services.clients import cards
from services.clients.models import Client, LastActivity
from services.clients.search_index import count, found, is_answered, matches
from services.clients.search_keys import Question, question
from services.clients.selecting import narrowing
from services.clients.showing import shown

_SORTS: dict[str, Any] = {
    "name": Client.sort_name,
    "created_at": Client.created_at,
    "last_activity_at": LastActivity.at,
}
_DEFAULT = "-created_at"
_MOST = TOTAL_CAP
"""How many are counted; where more answer, they are looked for in another way."""
_LOOKED_THROUGH = 20_000
"""Clients that are looked through in order before those who answer are gathered and put in order instead."""
_FORGIVING = "~"
"""What the cursor of a list of those who resemble begins with."""

Narrow = list[ColumnElement[bool]]
Answer = tuple[list[str], dict[str, Any]]


@dataclass(frozen=True)
class _Page:
    """What part of which order is asked for."""

    sort: str
    limit: int
    cursor: str | None

    @property
    def column(self) -> Any:
        return allowed_sort(_SORTS, self.sort)

    @property
    def statement(self) -> Select[Any]:
        """Of all clients the id and the value of the order."""
        statement = select(Client.id, self.column.label("value")).where(Client.archived_at.is_(None))
        if self.column.class_ is Client:
            return statement
        model = self.column.class_
        return statement.join(model, model.client_id == Client.id)

    def rows(self, session: Session, statement: Select[Any], **options: Any) -> tuple[list[Any], str | None]:
        """Those of a statement's rows, which begin with the id and the value of the order, that are on the page."""
        options = {"column": self.column, "ids": Client.id, **options}
        return page_rows(
            session, statement, sort=self.sort, limit=self.limit, cursor=self.cursor,
            place=lambda row: (row[1], row[0]), **options,
        )  # fmt: skip


def list_clients(
    db: Database,
    *,
    now: dt.datetime,
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
    **query: Any,
) -> dict[str, Any]:
    """A page of clients, the newest first unless `sort` says otherwise. `query`: see `selecting`. Raises Invalid
    `invalid_sort` and `invalid_cursor`, and what `select_ids` raises."""
    wanted = _Page(sort or _DEFAULT, limit, cursor)
    allowed_sort(_SORTS, wanted.sort)
    q = (query.get("q") or "").strip()
    with db.read() as session:
        narrow = narrowing(session, query, now=now)
        ids, meta = _searched(session, q, narrow, wanted) if q else _listed(session, narrow, wanted)
        records = cards.load(session, ids)
        data = shown(session, (records[id_] for id_ in ids if id_ in records))
    return {"data": data, "meta": meta}


def _listed(session: Session, narrow: Narrow, wanted: _Page) -> Answer:
    meta = meta_of(count_up_to(session, select(Client.id).where(Client.archived_at.is_(None), *narrow)))
    rows, meta["next_cursor"] = wanted.rows(session, wanted.statement.where(*narrow))
    return [row.id for row in rows], meta


def _searched(session: Session, q: str, narrow: Narrow, wanted: _Page) -> Answer:
    forgiving = wanted.cursor is not None and wanted.cursor.startswith(_FORGIVING)
    if not forgiving:
        asked = question(q)
        ids, meta = _answering(session, asked, narrow, wanted) if asked is not None else ([], meta_of(0))
        if meta["total"] or wanted.cursor is not None or asked is None or (narrow and is_answered(session, asked)):
            return ids, meta
    asked = question(q, forgiving=True)
    if asked is None:
        return [], meta_of(0)
    inner = replace(wanted, cursor=wanted.cursor.removeprefix(_FORGIVING) if wanted.cursor is not None else None)
    ids, meta = _answering(session, asked, narrow, inner)
    if meta["next_cursor"] is not None:
        meta["next_cursor"] = _FORGIVING + meta["next_cursor"]
    return ids, meta


def _answering(session: Session, asked: Question, narrow: Narrow, wanted: _Page) -> Answer:
    """Those who answer, put in order and counted."""
    if session.get_bind().dialect.name != "postgresql":
        return _gathered(session, _kept(found(session, asked), narrow), wanted)
    # Of a part of a number few are found, and only their numbers tell for certain.
    many = not asked.numbers and count(session, asked, _MOST + 1) > _MOST
    if many and (listed := _looked_through(session, asked, narrow, wanted)) is not None:
        return listed
    return _gathered(session, _kept(found(session, asked), narrow), wanted)


def _looked_through(session: Session, asked: Question, narrow: Narrow, wanted: _Page) -> Answer | None:
    """Where so many answer, the next few are soon found by looking through all in order. None where they are not, or
    where it is not known how many are meant."""
    if narrow:
        return None
    ordered = in_order(wanted.statement, column=wanted.column, ids=Client.id, sort=wanted.sort, cursor=wanted.cursor)
    part = ordered.add_columns(Client.keys.label("held")).limit(_LOOKED_THROUGH).subquery("part")
    answering = select(part.c.id, part.c.value).where(matches(part.c.id, part.c.held, asked))
    rows, following = page_rows(
        session, answering, column=part.c.value, ids=part.c.id, sort=wanted.sort, limit=wanted.limit, optional=False,
        place=lambda row: (row[1], row[0]),
    )  # fmt: skip
    if following is None:
        return None
    meta = meta_of(_MOST + 1, _MOST)
    meta["next_cursor"] = following
    return [row.id for row in rows], meta


def _kept(answering: CTE, narrow: Narrow) -> CTE:
    """Those of the clients found that the rest of the query means."""
    if not narrow:
        return answering
    kept = select(answering.c.client_id, answering.c.sort_name, answering.c.created_at)
    return kept.join(Client, Client.id == answering.c.client_id).where(*narrow).cte("kept")


def _gathered(session: Session, kept: CTE, wanted: _Page) -> Answer:
    """The page and the total, by one statement as a rule."""
    column: Any = wanted.column
    model = column.class_
    value = kept.c[column.key] if model is Client else column
    total = select(func.count()).select_from(kept).scalar_subquery()
    statement = select(kept.c.client_id, value.label("value"), total.label("total"))
    if model is not Client:
        statement = statement.join(model, model.client_id == kept.c.client_id)
    rows, following = wanted.rows(session, statement, column=value, ids=kept.c.client_id, optional=False)
    meta = meta_of(rows[0].total if rows else int(session.scalar(select(total)) or 0), _MOST)
    meta["next_cursor"] = following
    return [row.client_id for row in rows], meta
