"""Deleted clients: archived for 30 days, in which they can be taken back."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import exists, select

from chassis.database import Database
from chassis.paging import page
from chassis.value_sets import among
from contracts.clients import ARCHIVED_DAYS, CLIENT_RESTORED
from contracts.errors import Conflict
from services.clients import activity, cards
from services.clients.checking import Record
from services.clients.clashes import external_id_clash
from services.clients.erasures import legal_holds
from services.clients.models import Client, ClientMerge, Erasure
from services.clients.names import display_name
from services.clients.records import answer, facts_of

KEPT = dt.timedelta(days=ARCHIVED_DAYS)
_NAMES = ("kind", "first_name", "middle_name", "last_name", "company_name")


def restore_client(db: Database, now: dt.datetime, *, client_id: str) -> Record:
    """Takes a deleted client back; one that is not deleted stays as it is. Its portal links stay ended.

    Raises NotFound `client_not_found`, Gone `client_erased` or `client_merged`, Conflict `client_being_erased`, or
    `external_id_taken` with `client_id` if another client has its external id by now.
    """
    with external_id_clash(), db.unit_of_work() as uow:
        row = legal_holds.lock_client(uow, client_id)
        if uow.session.scalar(select(Erasure.id).where(Erasure.client_id == client_id)) is not None:
            raise Conflict("client_being_erased", client_id=client_id)
        if row.archived_at is None:
            return answer(uow, cards.load(uow.session, [client_id])[client_id])
        _refuse_taken(uow.session, client_id)
        version = row.version + 1
        uow.update_each(Client, [{"id": client_id, "archived_at": None, "updated_at": now, "version": version}])
        record = cards.load(uow.session, [client_id])[client_id]
        data = {**facts_of(record), "changed": [], "case_task_id": None}
        uow.emit(CLIENT_RESTORED, client_id, data, aggregate_version=version)
        activity.add(uow, client_id, now, CLIENT_RESTORED.name, activity.by_actor())
        return answer(uow, record)


def _refuse_taken(session: Any, client_id: str) -> None:
    mine = select(Client.external_source, Client.external_source_id).where(Client.id == client_id)
    source, source_id = session.execute(mine).one()
    holder = session.scalar(
        select(Client.id).where(
            Client.external_source == source, Client.external_source_id == source_id, Client.archived_at.is_(None)
        )
    )
    if source is not None and holder is not None:
        raise Conflict("external_id_taken", client_id=holder)


def list_archived_clients(
    db: Database, *, limit: int = 50, cursor: str | None = None, sort: str | None = None
) -> dict[str, Any]:
    """A page of the deleted clients that can still be taken back, those deleted last first. Raises Invalid as `page`
    does."""
    begun = exists().where(Erasure.client_id == Client.id, Erasure.firm_id == Client.firm_id)
    merged = exists().where(ClientMerge.merged_id == Client.id, ClientMerge.undone_at.is_(None))
    with db.read() as session:
        rows, meta = page(
            session,
            select(Client).where(Client.archived_at.is_not(None), ~begun, ~merged),
            model=Client,
            sorts={"archived_at": Client.archived_at},
            default_sort="-archived_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        shown = among(session, Client.id, [row.id for row in rows])
        under_hold = set(session.scalars(select(Client.id).where(shown, legal_holds.any_held(Client.id))))
    return {
        "data": [
            {
                "id": row.id,
                "display_name": display_name({name: getattr(row, name) for name in _NAMES}),
                "archived_at": row.archived_at,
                "erase_at": row.archived_at + KEPT,
                "held": row.id in under_hold,
            }
            for row in rows
        ],
        "meta": meta,
    }
