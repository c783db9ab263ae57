"""Legal holds: while one is in force, its client is not erased, however it is asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, case, exists, or_, select
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.paging import page
from chassis.value_sets import among
from contracts.clients import LEGAL_HOLD_PLACED, LEGAL_HOLD_RELEASED
from contracts.errors import Conflict, NotFound
from services.clients import activity
from services.clients.checking import demand_text
from services.clients.merges import merge_history
from services.clients.models import Client, ClientMerge, Erasure, LegalHold

Record = dict[str, Any]

_SHOWN = (
    "id", "version", "created_at", "updated_at", "client_id", "reason", "placed_by", "released_at", "released_by",
)  # fmt: skip


def place_legal_hold(
    db: Database, now: dt.datetime, *, client_id: str, reason: str, actor_id: str | None = None
) -> Record:
    """A new hold on a client, deleted or not. Several may be in force at once.

    Raises Invalid for a reason without a text, NotFound `client_not_found`, Gone `client_erased` or `client_merged`,
    Conflict `client_being_erased` if it comes too late.
    """
    reason = demand_text(reason, "reason", lines=True)
    with db.unit_of_work() as uow:
        lock_client(uow, client_id)
        if uow.session.scalar(select(Erasure.id).where(Erasure.client_id == client_id)) is not None:
            raise Conflict("client_being_erased", client_id=client_id)
        hold = LegalHold(client_id=client_id, reason=reason, placed_by=actor_id, created_at=now, updated_at=now)
        _placed(uow, hold, now)
        return uow.answer(_record(hold))


def release_legal_hold(
    db: Database, now: dt.datetime, *, client_id: str, legal_hold_id: str, actor_id: str | None = None
) -> Record:
    """Ends a hold; one that was ended stays as it is. Raises NotFound `legal_hold_not_found`, Gone `client_erased`."""
    with db.unit_of_work() as uow:
        statement = select(LegalHold).where(LegalHold.id == legal_hold_id, LegalHold.client_id == client_id)
        hold = uow.session.scalars(statement.with_for_update()).one_or_none()
        if hold is None:
            error = merge_history.absent(uow.session, client_id)
            raise (
                NotFound("legal_hold_not_found", legal_hold_id=legal_hold_id) if isinstance(error, NotFound) else error
            )
        if hold.release(actor_id, now):
            uow.session.flush()
            _tell(uow, hold, LEGAL_HOLD_RELEASED, now)
        return uow.answer(_record(hold))


def list_legal_holds(
    db: Database, *, client_id: str, limit: int = 50, cursor: str | None = None, sort: str | None = None
) -> Record:
    """A page of a client's holds, released ones included, newest first; also those placed on clients that were merged
    into it.

    Raises NotFound `client_not_found`, Gone `client_erased`, and Invalid as `page` does.
    """
    with db.read() as session:
        known = session.scalar(select(Client.id).where(Client.id == client_id)) is not None
        if not known or merge_history.survivors(session, [client_id]):
            raise merge_history.absent(session, client_id)
        rows, meta = page(
            session,
            select(LegalHold).where(
                LegalHold.client_id.in_([client_id, *merge_history.merged_into(session, client_id)])
            ),
            model=LegalHold,
            sorts={"created_at": LegalHold.created_at},
            default_sort="-created_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": [_record(row) for row in rows], "meta": meta}


def hold_as_well(uow: UnitOfWork, client_id: str, other_id: str, since: dt.datetime, now: dt.datetime) -> None:
    """Places on a client the holds in force that were placed on another since it had become part of that one: whom of
    the two they mean, nobody said."""
    theirs = select(LegalHold).where(
        LegalHold.client_id == other_id, LegalHold.released_at.is_(None), LegalHold.created_at >= since
    )
    for hold in uow.session.scalars(theirs.order_by(LegalHold.created_at, LegalHold.id)).all():
        same = {name: getattr(hold, name) for name in ("reason", "placed_by")}
        _placed(uow, LegalHold(client_id=client_id, created_at=now, updated_at=now, **same), now)


def held(session: Session, client_ids: Collection[str]) -> dict[str, str]:
    """Of these clients those under a hold, each with the id of one that is in force."""
    statement = select(LegalHold.client_id, LegalHold.id).where(
        among(session, LegalHold.client_id, client_ids), LegalHold.released_at.is_(None)
    )
    return dict(session.execute(statement).all())


def any_held(client_id: Any) -> ColumnElement[bool]:
    """Whether a hold is in force on a client, or on another of all that are one client by now: those that were merged,
    whichever into which."""
    together = select(LegalHold.firm_id, LegalHold.client_id).where(LegalHold.released_at.is_(None)).cte(recursive=True)
    is_merged = ClientMerge.merged_id == together.c.client_id
    other = case((is_merged, ClientMerge.surviving_id), else_=ClientMerge.merged_id)
    merged = select(ClientMerge.firm_id, other).where(
        ClientMerge.firm_id == together.c.firm_id,
        or_(is_merged, ClientMerge.surviving_id == together.c.client_id),
        ClientMerge.undone_at.is_(None),
    )
    together = together.union(merged)
    return exists().where(together.c.client_id == client_id)


def lock_client(uow: UnitOfWork, client_id: str) -> Any:
    """As `lock_clients`, of one that is nobody else now. Raises NotFound `client_not_found`, Gone `client_erased`, Gone
    `client_merged` with `surviving_id`."""
    row = lock_clients(uow, [client_id]).get(client_id)
    if row is None or merge_history.survivors(uow.session, [client_id]):
        raise merge_history.absent(uow.session, client_id)
    return row


def lock_clients(uow: UnitOfWork, client_ids: Collection[str]) -> dict[str, Any]:
    """The rows (id, version, archived_at) of clients, deleted ones included, by id; nobody else changes them to the
    commit. In key order, so that two transactions with the same clients wait for each other and do not deadlock."""
    statement = (
        select(Client.id, Client.version, Client.archived_at)
        .where(among(uow.session, Client.id, client_ids))
        .order_by(Client.id)
        .with_for_update()
    )
    return {row.id: row for row in uow.session.execute(statement)}


def _placed(uow: UnitOfWork, hold: LegalHold, now: dt.datetime) -> None:
    uow.session.add(hold)
    uow.session.flush()
    _tell(uow, hold, LEGAL_HOLD_PLACED, now)


def _tell(uow: UnitOfWork, hold: LegalHold, event: Any, now: dt.datetime) -> None:
    uow.emit(event, hold.id, {"legal_hold_id": hold.id, "client_id": hold.client_id}, aggregate_version=hold.version)
    activity.add(uow, hold.client_id, now, event.name, {"legal_hold_id": hold.id, **activity.by_actor()})


def _record(hold: LegalHold) -> Record:
    return {name: getattr(hold, name) for name in _SHOWN}
