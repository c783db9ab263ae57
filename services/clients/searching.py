"""Lists of clients: one search box, filters, and orders.

Every list has its order and a cursor, a search as well: who answers exactly and who only resembles what was typed are
never on one list (see `search_keys`), and the cursor says which of the two it goes on with.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.paging import TOTAL_CAP, allowed_sort, count_up_to, in_order, meta_of, page_rows
from services.clients import cards
from services.clients.models import Client, ClientTag, LastActivity, LastCase
from services.clients.search_index import found, is_answered, matches
from services.clients.search_keys import Question, question
from services.clients.selecting import Query, narrowing, only_tag, rows_beside
from services.clients.showing import shown

_SORTS: dict[str, Any] = {
    "name": Client.sort_name,
    "created_at": Client.created_at,
    "last_activity_at": LastActivity.at,
    "last_case_at": LastCase.at,
}
_DEFAULT = "-created_at"
_QUIET = "last_activity_at"
_MOST = TOTAL_CAP
"""How many are counted; where more answer, they are looked for in another way."""
_LOOKED_THROUGH = 5_000
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
        return statement.join(model, model.client_id == Client.id, isouter=self.optional)

    @property
    def optional(self) -> bool:
        """Whether clients may have no value: who was never on a case."""
        return bool(self.column.class_ is LastCase)

    def rows(self, session: Session, statement: Select[Any], **options: Any) -> tuple[list[Any], str | None]:
        """Those of a statement's rows, which begin with the id and the value of the order, that are on the page."""
        options = {"column": self.column, "ids": Client.id, "optional": self.optional, **options}
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
    """A page of clients, the newest first unless `sort` says otherwise; of those with no activity since a moment, who
    has been quiet longest. `query`: see `selecting`. Raises Invalid
    `invalid_sort` and `invalid_cursor`, and what `select_ids` raises."""
    wanted = _Page(sort or (_DEFAULT if query.get("inactive_since") is None else _QUIET), limit, cursor)
    allowed_sort(_SORTS, wanted.sort)
    q = (query.get("q") or "").strip()
    with db.read() as session:
        narrow = narrowing(session, query, now=now)
        ids, meta = _searched(session, q, narrow, wanted) if q else _listed(session, query, narrow, wanted, now)
        records = cards.load(session, ids)
        data = shown(session, (records[id_] for id_ in ids if id_ in records))
    return {"data": data, "meta": meta}


def _listed(session: Session, query: Query, narrow: Narrow, wanted: _Page, now: dt.datetime) -> Answer:
    total = _count(session, query, narrow)
    meta = meta_of(total, _MOST)
    if total > _MOST and (tag := only_tag(query)) is not None:
        listed = _looked_through(session, lambda row: row.id.in_(tag.where(ClientTag.client_id == row.id)), wanted)
        if listed is not None:
            return listed
    statement = wanted.statement
    if wanted.column is LastActivity.at and query.get("inactive_since") is not None:
        # Of the rows that are in order anyway, not of the same rows once more.
        narrow = narrowing(session, {**query, "inactive_since": None}, now=now)
        statement = statement.where(LastActivity.at < query["inactive_since"])
    rows, meta["next_cursor"] = wanted.rows(session, statement.where(*narrow))
    return [row.id for row in rows], meta


def _count(session: Session, query: Query, narrow: Narrow) -> int:
    """How many are meant, `_MOST` + 1 if there are more."""
    beside = rows_beside(query)
    if beside is not None:
        # By their own index alone, as long as it cannot be the archived ones that make them too many.
        archived = count_up_to(session, select(Client.id).where(Client.archived_at.is_not(None)), _MOST)
        if count_up_to(session, beside, _MOST + archived) > _MOST + archived:
            return _MOST + 1
    return count_up_to(session, select(Client.id).where(Client.archived_at.is_(None), *narrow), _MOST)


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
    """Those who answer, put in order and counted: by one statement, unless they are very many."""
    if session.get_bind().dialect.name == "postgresql":
        counted = _gathered(session, found(session, asked, most=_MOST + 1), narrow, wanted, most=_MOST)
        if counted is not None:
            return counted
        if not narrow:
            listed = _looked_through(session, lambda row: matches(session, row.id, row.keys, asked), wanted)
            if listed is not None:
                return listed
    gathered = _gathered(session, found(session, asked), narrow, wanted)
    assert gathered is not None
    return gathered


def _looked_through(session: Session, is_meant: Callable[[Any], ColumnElement[bool]], wanted: _Page) -> Answer | None:
    """Where very many are meant, the next few are soon found by looking through all in order. None where they are not.
    `is_meant` says so of a row of `Client`."""
    column: Any = wanted.column
    model = column.class_
    if session.get_bind().dialect.name != "postgresql" or wanted.optional:
        return None
    ids = Client.id if model is Client else model.client_id
    ordered = in_order(
        select(ids.label("id"), column.label("value")), column=column, ids=ids, sort=wanted.sort, cursor=wanted.cursor
    )
    if model is Client:
        ordered = ordered.where(Client.archived_at.is_(None))
    part = ordered.limit(_LOOKED_THROUGH).subquery("part")
    meant = select(part.c.id, part.c.value).join(Client, Client.id == part.c.id)
    rows, following = page_rows(
        session, meant.where(Client.archived_at.is_(None), is_meant(Client)), column=part.c.value, ids=part.c.id,
        sort=wanted.sort, limit=wanted.limit, optional=False, place=lambda row: (row[1], row[0]),
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


def _gathered(
    session: Session, answering: CTE, narrow: Narrow, wanted: _Page, *, most: int | None = None
) -> Answer | None:
    """The page and the total, by one statement as a rule. None if more than `most` answer, of whom some are missing."""
    kept = _kept(answering, narrow)
    column: Any = wanted.column
    model = column.class_
    value = kept.c[column.key] if model is Client else column
    totals = [select(func.count()).select_from(part).scalar_subquery() for part in (answering, kept)]
    statement = select(kept.c.client_id, value.label("value"), *totals)
    if model is not Client:
        statement = statement.join(model, model.client_id == kept.c.client_id, isouter=wanted.optional)
    rows, following = wanted.rows(session, statement, column=value, ids=kept.c.client_id)
    # Without a row the totals have none to stand in.
    all_, total = rows[0][2:] if rows else session.execute(select(*totals)).one()
    if most is not None and all_ > most:
        return None
    meta = meta_of(total, _MOST)
    meta["next_cursor"] = following
    return [row.client_id for row in rows], meta
