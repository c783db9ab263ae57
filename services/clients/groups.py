"""Groups of clients: made, changed, listed, deleted. Who is in them: `group_members`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import Database
from chassis.paging import TOTAL_CAP, page
from chassis.words import UnfitText, clean_text, strip_accents
from contracts.errors import invalid_field
from services.clients import group_members
from services.clients.clashes import typed_clash
from services.clients.filter_lookup import read_filter_to_save, refuse_named_group
from services.clients.models import Client, ClientGroup, ClientGroupMember
from services.clients.saved_filters import SAVED_FILTERS
from services.clients.selecting import find_group

Record = dict[str, Any]

_SORTS = {"name": ClientGroup.name_key, "created_at": ClientGroup.created_at}
_OWN = ("id", "version", "created_at", "updated_at", "name", "description", "kind", "filter")
# Counted over as many rows as a list counts.
_COUNTED = (
    select(ClientGroupMember.client_id)
    .join(Client, Client.id == ClientGroupMember.client_id)
    .where(ClientGroupMember.group_id == ClientGroup.id, Client.archived_at.is_(None))
    .limit(TOTAL_CAP + 1)
    .correlate(ClientGroup)
    .subquery()
)
_STATIC_COUNT = select(func.count()).select_from(_COUNTED).scalar_subquery()


def create_client_group(
    db: Database,
    now: dt.datetime,
    *,
    name: str,
    kind: str = "static",
    description: str | None = None,
    filter: Record | None = None,
    client_ids: Sequence[str] = (),
) -> Record:
    """The new group: `contracts.clients.ClientGroup`.

    Raises Invalid, naming the field, for a static group with a filter, a filter group without one or with members, or
    a filter that cannot be read; NotFound `client_not_found`; Conflict `name_taken`.
    """
    group = ClientGroup(id=new_id(), kind=kind, created_at=now, updated_at=now, filter=None)
    _describe(group, {"name": name, "description": description})
    if kind == "filter" and client_ids:
        raise invalid_field("client_ids", "The members of a filter group are those of its filter.", "not_static")
    with typed_clash("uq_client_group_name", "name_taken", "name"), db.unit_of_work() as uow:
        _set_filter(uow.session, group, filter)
        uow.session.add(group)
        SAVED_FILTERS.note_uses(uow, group.id, group.filter)
        group_members.add(uow, group, client_ids)
        return uow.answer(_whole(uow.session, group, now))


def get_client_group(db: Database, now: dt.datetime, *, group_id: str) -> Record:
    """Raises NotFound `client_group_not_found`."""
    with db.read() as session:
        return _whole(session, find_group(session, group_id), now)


def list_client_groups(db: Database, **paging: Any) -> Record:
    """A page of groups. `sort`: name, created_at. Raises Invalid as `page` does."""
    with db.read() as session:
        rows, meta = page(session, select(ClientGroup), model=ClientGroup, sorts=_SORTS, default_sort="name", **paging)
        counted = select(ClientGroup.id, _STATIC_COUNT).where(
            ClientGroup.id.in_([row.id for row in rows]), ClientGroup.kind == "static"
        )
        counts: dict[str, int] = dict(session.execute(counted).all())
    return {"data": [_record(row, counts.get(row.id)) for row in rows], "meta": meta}


def update_client_group(
    db: Database, now: dt.datetime, *, group_id: str, changes: Record, expected_version: int | None = None
) -> Record:
    """Raises Invalid as `create_client_group` does, NotFound `client_group_not_found`, and Conflict `stale_version` or
    `name_taken`."""
    with typed_clash("uq_client_group_name", "name_taken", "name"), db.unit_of_work() as uow:
        group = find_group(uow.session, group_id, lock=True)
        group.expect_version(expected_version)
        before = _record(group, None)
        _describe(group, changes)
        if "filter" in changes:
            _set_filter(uow.session, group, changes["filter"])
            SAVED_FILTERS.note_uses(uow, group.id, group.filter)
        if _record(group, None) != before:
            group.touch(now)
        uow.session.flush()
        return uow.answer(_whole(uow.session, group, now))


def delete_client_group(db: Database, *, group_id: str) -> None:
    """Deletes a group; its clients stay as they are. Raises NotFound `client_group_not_found`, and Conflict
    `client_group_in_use` while a filter that is kept names it."""
    with db.unit_of_work() as uow:
        group = find_group(uow.session, group_id, lock=True)
        refuse_named_group(uow.session, group.id)
        group_members.empty(uow, group)
        SAVED_FILTERS.note_uses(uow, group_id, None)
        uow.answer({})


def _describe(group: ClientGroup, given: Record) -> None:
    if "name" in given:
        group.name = _text(given["name"], "name") or ""
        if not group.name:
            raise invalid_field("name", "Holds no text.", "required")
        group.name_key = strip_accents(group.name)[:240]
    if "description" in given:
        group.description = _text(given["description"], "description", lines=True)


def _text(value: str | None, field: str, *, lines: bool = False) -> str | None:
    try:
        return clean_text(value, lines=lines) if value is not None else None
    except UnfitText as error:
        raise invalid_field(field, str(error), "invalid_text") from error


def _set_filter(session: Session, group: ClientGroup, filter: Record | None) -> None:
    if group.kind == "static" and filter is not None:
        raise invalid_field("filter", "A static group has members and no filter.", "not_a_filter_group")
    if group.kind == "filter":
        if filter is None:
            raise invalid_field("filter", "Needed for a filter group.", "required")
        read_filter_to_save(session, filter, path="filter")
    group.filter = filter


def _whole(session: Session, group: ClientGroup, now: dt.datetime) -> Record:
    return _record(group, group_members.count(session, group, now))


def _record(group: ClientGroup, count: int | None) -> Record:
    record = {name: getattr(group, name) for name in _OWN}
    return record | group_members.count_shown(count)
