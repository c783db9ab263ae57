"""Lists of clients: one search box, filters, and orders."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select

from chassis.database import Database
from chassis.paging import page
from services.clients import cards
from services.clients.models import Client, LastActivity
from services.clients.selecting import conditions

_SORTS: dict[str, Any] = {
    "name": Client.sort_name,
    "created_at": Client.created_at,
    "last_activity_at": LastActivity.at,
}


def list_clients(
    db: Database,
    *,
    now: dt.datetime,
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
    **query: Any,
) -> dict[str, Any]:
    """A page of clients, the newest first unless `sort` says otherwise. `query`: see `selecting`. Raises Invalid as
    `page` and `select_ids` do."""
    statement = select(Client)
    if sort is not None and sort.removeprefix("-") == "last_activity_at":
        statement = statement.join(LastActivity, LastActivity.client_id == Client.id).add_columns(LastActivity.at)
    with db.read() as session:
        statement = statement.where(*conditions(session, query, now=now))
        rows, meta = page(
            session, statement, model=Client, sorts=_SORTS, default_sort="-created_at", limit=limit, cursor=cursor,
            sort=sort,
        )  # fmt: skip
        ids = [(row if isinstance(row, Client) else row[0]).id for row in rows]
        found = cards.load(session, ids)
    return {"data": [found[id_] for id_ in ids if id_ in found], "meta": meta}
