"""Lists of clients: one search box, filters, and orders."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from sqlalchemy import ColumnElement, and_, false, select

from chassis.database import Database
from chassis.paging import page
from services.clients import cards
from services.clients.addresses import UnfitAddress, parse_phone
from services.clients.checking import tag_key
from services.clients.models import Client, ClientTag, LastActivity
from services.clients.names import fold, strip_accents

_SORTS: dict[str, Any] = {
    "name": Client.sort_name,
    "created_at": Client.created_at,
    "last_activity_at": LastActivity.at,
}
_LIKE_A_NUMBER = re.compile(r"[\d\s()+./\-\u2010-\u2015\u00a0]+")
_FEWEST_DIGITS = 3


def list_clients(
    db: Database,
    *,
    q: str | None = None,
    status: str | None = None,
    tag: str | None = None,
    assigned_staff_id: str | None = None,
    created_since: dt.datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
) -> dict[str, Any]:
    """A page of clients, the newest first unless `sort` says otherwise. Raises Invalid as `page` does."""
    statement = select(Client).where(Client.archived_at.is_(None))
    if sort is not None and sort.removeprefix("-") == "last_activity_at":
        statement = statement.join(LastActivity, LastActivity.client_id == Client.id).add_columns(LastActivity.at)
    if q is not None and q.strip():
        statement = statement.where(matches(q))
    if status is not None:
        statement = statement.where(Client.status == status)
    if tag is not None:
        tagged = select(ClientTag.client_id).where(ClientTag.key == tag_key(tag))
        statement = statement.where(Client.id.in_(tagged))
    if assigned_staff_id is not None:
        statement = statement.where(Client.assigned_staff_id == assigned_staff_id)
    if created_since is not None:
        statement = statement.where(Client.created_at >= created_since)
    with db.read() as session:
        rows, meta = page(
            session, statement, model=Client, sorts=_SORTS, default_sort="-created_at", limit=limit, cursor=cursor,
            sort=sort,
        )  # fmt: skip
        ids = [(row if isinstance(row, Client) else row[0]).id for row in rows]
        found = cards.load(session, ids)
    return {"data": [found[id_] for id_ in ids if id_ in found], "meta": meta}


def matches(q: str) -> ColumnElement[bool]:
    """Whether a client answers to what was typed: every word is in the name or an email address, or it is a number in
    any form. One look into one column."""
    terms = search_terms(q)
    return and_(*(Client.search_text.contains(term, autoescape=True) for term in terms)) if terms else false()


def search_terms(q: str) -> list[str]:
    """What `search_text` must hold."""
    if _LIKE_A_NUMBER.fullmatch(q.strip()) and (digits := _digits(q)):
        return [digits]
    terms: list[str] = []
    for word in q.split():
        # The address is kept as it is written, a name without its punctuation.
        terms += [strip_accents(word)] if "@" in word else fold(word).split()
    return terms


def _digits(q: str) -> str | None:
    try:
        return parse_phone(q)[0].lstrip("+")
    except UnfitAddress:
        # Part of a number, perhaps with the zeros that are dialled before it at home or from abroad.
        digits = re.sub(r"\D", "", q).lstrip("0")
        return digits if len(digits) >= _FEWEST_DIGITS else None
