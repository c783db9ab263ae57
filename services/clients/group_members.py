"""Who is in a group: counted, listed, selected by id, added and taken away.

A static group has a row for each member. A filter group has none: whoever answers its filter is in it. Archived clients
are in no group, as they are in no list.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.paging import TOTAL_CAP, page
from chassis.scoping import BY_ID
from chassis.value_sets import among
from contracts.errors import Conflict, Invalid, NotFound, invalid_field
from services.clients import cards, selecting
from services.clients.models import Client, ClientGroup, ClientGroupMember, LastActivity
from services.clients.selecting import find_group, select_ids
from services.clients.showing import shown

Record = dict[str, Any]

MOST_MATCHING = 50_000
"""Clients that are added by one query. More belong into a filter group, or are added in parts."""
_AT_ONCE = 5_000
_SORTS: dict[str, Any] = {
    "name": Client.sort_name,
    "created_at": Client.created_at,
    "last_activity_at": LastActivity.at,
}


def in_group(session: Session, group: ClientGroup, now: dt.datetime) -> list[ColumnElement[bool]]:
    """Who is in a group, as conditions on `Client`. Raises Invalid if its filter can no longer be read."""
    return [Client.archived_at.is_(None), selecting.in_group(session, group, now, path="filter")]


def _member_ids(session: Session, group: ClientGroup, limit: int, after: str | None = None) -> list[str]:
    """Members of a static group, archived ones too, in the order of their ids."""
    wanted = select(ClientGroupMember.client_id).where(ClientGroupMember.group_id == group.id)
    if after is not None:
        wanted = wanted.where(ClientGroupMember.client_id > after)
    return list(session.scalars(wanted.order_by(ClientGroupMember.client_id).limit(limit)))


def count(session: Session, group: ClientGroup, now: dt.datetime) -> int | None:
    """How many members a group has, at most one more than a list counts. None: its filter can no longer be read."""
    if group.kind == "static":
        some = (
            select(ClientGroupMember.client_id)
            .join(Client, Client.id == ClientGroupMember.client_id)
            .where(ClientGroupMember.group_id == group.id, Client.archived_at.is_(None))
        )
    else:
        try:
            some = select(Client.id).where(*in_group(session, group, now))
        except (Invalid, NotFound):
            return None
    return session.scalar(select(func.count()).select_from(some.limit(TOTAL_CAP + 1).subquery()))


def count_shown(found: int | None) -> Record:
    """A count as a group shows it."""
    if found is None or found <= TOTAL_CAP:
        return {"member_count": found}
    return {"member_count": TOTAL_CAP, "member_count_is_lower_bound": True}


def list_group_members(
    db: Database,
    now: dt.datetime,
    *,
    group_id: str,
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
) -> Record:
    """A page of the members as whole clients, as the caller may see them, by name unless `sort` says otherwise. Raises
    Invalid as `page` does, or if the group's filter can no longer be read; NotFound `client_group_not_found`."""
    with db.read() as session:
        group = find_group(session, group_id)
        statement = select(Client).where(*in_group(session, group, now))
        if sort is not None and sort.removeprefix("-") == "last_activity_at":
            statement = statement.join(LastActivity, LastActivity.client_id == Client.id).add_columns(LastActivity.at)
        rows, meta = page(
            session, statement, model=Client, sorts=_SORTS, default_sort="name", limit=limit, cursor=cursor, sort=sort
        )
        ids = [(row if isinstance(row, Client) else row[0]).id for row in rows]
        found = cards.load(session, ids)
        data = shown(session, (found[id_] for id_ in ids if id_ in found))
    return {"data": data, "meta": meta}


def select_group_members(
    db: Database, now: dt.datetime, *, group_id: str, limit: int = 1000, cursor: str | None = None
) -> Record:
    """{"client_ids", "cursor"}: the next members in the order of their ids. Who comes or goes meanwhile does not move
    the others: each is selected once. Raises as `list_group_members` does."""
    with db.read() as session:
        group = find_group(session, group_id)
        if group.kind == "static":
            found = _member_ids(session, group, limit + 1, cursor)
            # By their ids alone, as `get_recipients` does.
            known = select(Client.id, Client.archived_at).where(among(session, Client.id, found))
            rows = session.execute(known.execution_options(**BY_ID))
            there = {row.id for row in rows if row.archived_at is None}
        else:
            wanted = select(Client.id).where(*in_group(session, group, now))
            if cursor is not None:
                wanted = wanted.where(Client.id > cursor)
            found = list(session.scalars(wanted.order_by(Client.id).limit(limit + 1)))
            there = set(found)
    more = found[limit - 1] if len(found) > limit else None
    return {"client_ids": [client_id for client_id in found[:limit] if client_id in there], "cursor": more}


def change_group_members(
    db: Database,
    now: dt.datetime,
    *,
    group_id: str,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    add_matching: Record | None = None,
) -> Record:
    """`contracts.clients.GroupMembersChanged`. All of it is done or nothing.

    Raises NotFound `client_group_not_found` or `client_not_found`, Conflict `not_a_static_group`, and Invalid for a
    query that cannot be read or that more than `MOST_MATCHING` answer.
    """
    with db.unit_of_work() as uow:
        group = find_group(uow.session, group_id, lock=True)
        if group.kind != "static":
            raise Conflict("not_a_static_group", group_id=group_id)
        added_ids = set(add)
        if add_matching is not None:
            added_ids |= _matching(uow.session, add_matching, now)
        _refuse_unknown(uow.session, add)
        removed = _remove(uow, group, remove)
        added = _insert(uow, group, added_ids - set(remove))
        shown = count_shown(count(uow.session, group, now))
        return uow.answer({"added": added, "removed": removed, **shown})


def add(uow: UnitOfWork, group: ClientGroup, client_ids: Sequence[str]) -> int:
    """Adds clients to a static group and returns how many were not in it. Raises NotFound `client_not_found`."""
    _refuse_unknown(uow.session, client_ids)
    return _insert(uow, group, set(client_ids))


def empty(uow: UnitOfWork, group: ClientGroup) -> None:
    """Deletes a group with the rows of its members."""
    in_group = delete(ClientGroupMember).where(ClientGroupMember.group_id == group.id)
    uow.session.execute(in_group, execution_options={"synchronize_session": False})
    uow.session.delete(group)


def _matching(session: Session, query: Record, now: dt.datetime) -> set[str]:
    if all(value in (None, "") or (name, value) == ("mine", False) for name, value in query.items()):
        # As with every selector: nothing that is asked for is never all.
        raise invalid_field("add_matching", "Asks for nothing: name at least one condition.", "required")
    try:
        wanted = select_ids(session, query, now=now)
    except Invalid as error:
        unfit = [{**entry, "field": f"add_matching.{entry['field']}"} for entry in error.fields]
        raise Invalid(error.code, fields=unfit) from error
    found = set(session.scalars(wanted.limit(MOST_MATCHING + 1)))
    if len(found) > MOST_MATCHING:
        raise invalid_field("add_matching", f"More than {MOST_MATCHING} clients answer.", "too_many_matching")
    return found


def _refuse_unknown(session: Session, client_ids: Sequence[str]) -> None:
    statement = select(Client.id).where(among(session, Client.id, client_ids), Client.archived_at.is_(None))
    known = set(session.scalars(statement)) if client_ids else set()
    for client_id in client_ids:
        if client_id not in known:
            # An id of another firm's is as unknown as one that nobody has.
            raise NotFound("client_not_found", client_id=client_id)


def _insert(uow: UnitOfWork, group: ClientGroup, client_ids: set[str]) -> int:
    # In the order of the ids, as everybody takes clients: to refer to one waits for who changes it.
    ordered = sorted(client_ids)
    added = 0
    for start in range(0, len(ordered), _AT_ONCE):
        rows = [{"group_id": group.id, "client_id": id_} for id_ in ordered[start : start + _AT_ONCE]]
        added += uow.insert(ClientGroupMember, rows, ignore_conflicts=True)
        uow.step_aside()
    return added


def _remove(uow: UnitOfWork, group: ClientGroup, client_ids: Sequence[str]) -> int:
    if not client_ids:
        return 0
    statement = (
        delete(ClientGroupMember)
        .where(ClientGroupMember.group_id == group.id, among(uow.session, ClientGroupMember.client_id, client_ids))
        .returning(ClientGroupMember.client_id)
    )
    return len(uow.session.execute(statement, execution_options={"synchronize_session": False}).all())
