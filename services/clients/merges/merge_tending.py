"""What is due of merges by the clock: telling them again, and forgetting what an undo would have needed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import and_, delete, or_, select, update

from chassis.database import Database, UnitOfWork
from chassis.going_on import firm_by_firm
from chassis.value_sets import among
from services.clients.erasures import erased_rows, legal_holds
from services.clients.merges import merge_history
from services.clients.merging import TOLD_AGAIN_AFTER, tell_merged
from services.clients.models import UNDO_WITHIN, Activity, Client, ClientMerge, ClientPhoto, LegalHold, MergeMove
from services.clients.search import search_index

_AT_ONCE = 100
_WITHOUT_SYNC = {"synchronize_session": False}
_FOLLOW: tuple[Any, ...] = (LegalHold, ClientPhoto)
"""What becomes the survivor's at last: what holds it, and the photo that it may show."""


def tend(db: Database, now: dt.datetime) -> bool:
    """Works across firms on what is due; True if there is more. A firm that fails keeps no other one waiting; what it
    raises is raised in the end."""
    due = select(ClientMerge.firm_id, ClientMerge.id).where(or_(ClientMerge.tell_at <= now, _is_past(now)))
    everywhere = db.across_firms("merges of all firms are tended to by a timer")
    work = partial(_tend_to, now=now)
    return firm_by_firm(everywhere, due.order_by(ClientMerge.at), _AT_ONCE, work)


def _is_past(now: dt.datetime) -> Any:
    """The condition of having to be forgotten. Under a legal hold, which may have been placed on any of those that are
    one client by now, nothing is."""
    old = (ClientMerge.at <= now - UNDO_WITHIN) & ClientMerge.before.is_not(None)
    return and_(old, ~legal_holds.any_held(ClientMerge.merged_id))


def _tend_to(db: Database, merge_ids: Sequence[str], now: dt.datetime) -> int:
    with db.unit_of_work() as uow:
        statement = select(ClientMerge).where(ClientMerge.id.in_(merge_ids), ClientMerge.undone_at.is_(None))
        merges = uow.session.scalars(statement.order_by(ClientMerge.id).with_for_update()).all()
        for merge in merges:
            if merge.tell_at is not None and merge.tell_at <= now:
                tell_merged(uow, merge.id, _facts(merge), merge.version)
                merge.told += 1
                more = merge.told < len(TOLD_AGAIN_AFTER)
                merge.tell_at = merge.at + TOLD_AGAIN_AFTER[merge.told] if more else None
        # In their order: what one brought to its survivor goes on with the survivor's own.
        old = select(ClientMerge).where(ClientMerge.id.in_(merge_ids), _is_past(now)).order_by(ClientMerge.at)
        past = uow.session.scalars(old).all()
        for merge in past:
            merge.before = merge.after = None
        uow.session.flush()
        if past:
            _forget_merged(uow, past)
    return len(merge_ids)


def _forget_merged(uow: UnitOfWork, merges: Sequence[ClientMerge]) -> None:
    """The id goes on standing for the survivor. What was known of the merged one is the survivor's by now, or goes; its
    activity is read with the survivor's."""
    ids = [merge.merged_id for merge in merges]
    survivors = [merge.surviving_id for merge in merges]
    there = set(uow.session.scalars(select(Client.id).where(among(uow.session, Client.id, survivors))))
    now_are = merge_history.survivors(uow.session, ids)
    for merge in merges:
        # Of one who was merged as well, and forgotten before, all is with the last one.
        heir = merge.surviving_id if merge.surviving_id in there else now_are[merge.merged_id]
        for model in _FOLLOW:
            theirs = update(model).where(model.client_id == merge.merged_id)
            uow.session.execute(theirs.values(client_id=heir), execution_options=_WITHOUT_SYNC)
    for model in erased_rows.tables_of_clients():
        if model not in (*_FOLLOW, Activity):
            gone = delete(model).where(model.client_id.in_(ids))
            uow.session.execute(gone, execution_options=_WITHOUT_SYNC)
    uow.session.execute(delete(Client).where(Client.id.in_(ids)), execution_options=_WITHOUT_SYNC)
    search_index.forget_deleted(uow)
    moved = delete(MergeMove).where(MergeMove.merge_id.in_([merge.id for merge in merges]))
    uow.session.execute(moved, execution_options=_WITHOUT_SYNC)


def _facts(merge: ClientMerge) -> dict[str, object]:
    return {name: getattr(merge, name) for name in ("surviving_id", "merged_id", "at")}
