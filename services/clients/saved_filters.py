"""Filters of clients with a name. Every place that takes a filter takes `{"saved_filter_id": id}`."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import Database, UnitOfWork
from chassis.filters.lookup import saved_filters_in
from chassis.paging import page
from contracts.errors import Conflict, NotFound
from services.clients.clashes import typed_clash
from services.clients.filter_lookup import read_filter
from services.clients.models import FilterUse, SavedFilter

Record = dict[str, Any]
_SORTS = {"name": SavedFilter.name, "created_at": SavedFilter.created_at}
_NAME_TAKEN = ("uq_saved_filter_name", "name_taken", "name")


def create_saved_filter(db: Database, now: dt.datetime, *, name: str, filter: Record) -> Record:
    """Raises Invalid `invalid_filter`, NotFound for a saved filter inside that is not known, Conflict `name_taken`."""
    with typed_clash(*_NAME_TAKEN), db.unit_of_work() as uow:
        read_filter(uow.session, filter, path="filter")
        saved = SavedFilter(id=new_id(), name=name, filter=filter, version=1, created_at=now, updated_at=now)
        uow.session.add(saved)
        note_uses(uow, saved.id, filter)
        return uow.answer(_record(saved))


def get_saved_filter(db: Database, saved_filter_id: str) -> Record:
    """Raises NotFound `saved_filter_not_found`."""
    with db.read() as session:
        return _record(_find(session, saved_filter_id))


def list_saved_filters(db: Database, **paging: Any) -> Record:
    """A page of saved filters. `sort`: name, created_at."""
    with db.read() as session:
        rows, meta = page(session, select(SavedFilter), model=SavedFilter, sorts=_SORTS, default_sort="name", **paging)
        return {"data": [_record(saved) for saved in rows], "meta": meta}


def update_saved_filter(
    db: Database, now: dt.datetime, *, saved_filter_id: str, changes: Record, expected_version: int | None = None
) -> Record:
    """Raises Invalid `invalid_filter` (a filter that leads back to itself included), NotFound, and Conflict
    `stale_version` or `name_taken`."""
    with typed_clash(*_NAME_TAKEN), db.unit_of_work() as uow:
        saved = _find(uow.session, saved_filter_id, lock=True)
        if expected_version is not None and saved.version != expected_version:
            raise Conflict("stale_version", version=saved.version)
        before = (saved.name, saved.filter)
        if "filter" in changes:
            read_filter(uow.session, changes["filter"], path="filter", saved_as=saved_filter_id)
            saved.filter = changes["filter"]
            note_uses(uow, saved.id, saved.filter)
        saved.name = changes.get("name", saved.name)
        if before != (saved.name, saved.filter):
            saved.touch(now)
        uow.session.flush()
        return uow.answer(_record(saved))


def delete_saved_filter(db: Database, *, saved_filter_id: str) -> None:
    """Raises NotFound, and Conflict `saved_filter_in_use` while another filter or a group refers to it."""
    with db.unit_of_work() as uow:
        saved = _find(uow.session, saved_filter_id, lock=True)
        used_by = select(FilterUse.user_id).where(FilterUse.saved_filter_id == saved_filter_id).limit(1)
        if (user := uow.session.scalar(used_by)) is not None:
            raise Conflict("saved_filter_in_use", used_by=user)
        uow.session.execute(delete(FilterUse).where(FilterUse.user_id == saved_filter_id))
        uow.session.delete(saved)
        try:
            # The reference itself guards against one that is made at this moment.
            uow.session.flush()
        except IntegrityError as error:
            raise Conflict("saved_filter_in_use") from error
        uow.answer({})


def note_uses(uow: UnitOfWork, user_id: str, filter: Record | None) -> None:
    """Notes which saved filters a saved filter or a group (`user_id`) refers to. The filter is known to be right.
    Raises NotFound `saved_filter_not_found`."""
    uow.session.flush()
    uow.session.execute(delete(FilterUse).where(FilterUse.user_id == user_id))
    uses = sorted(saved_filters_in(filter)) if filter is not None else []
    try:
        uow.insert(FilterUse, [{"user_id": user_id, "saved_filter_id": saved_filter_id} for saved_filter_id in uses])
    except IntegrityError as error:
        # It was there when the filter was read, and is gone at this moment.
        raise NotFound("saved_filter_not_found") from error


def _find(session: Session, saved_filter_id: str, *, lock: bool = False) -> SavedFilter:
    statement = select(SavedFilter).where(SavedFilter.id == saved_filter_id)
    found = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if found is None:
        raise NotFound("saved_filter_not_found", saved_filter_id=saved_filter_id)
    return found


def _record(saved: SavedFilter) -> Record:
    names = ("id", "name", "filter", "version", "created_at", "updated_at")
    return {**{name: getattr(saved, name) for name in names}, "target": "clients"}
