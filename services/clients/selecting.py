"""Which clients a list, an export, a group or a bulk action means: `contracts.clients.ClientQuery` as SQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, bindparam, false, not_, select, true
from sqlalchemy.orm import Session

from chassis.context import current
from chassis.database import Database
from chassis.filters.sql import condition
from chassis.value_sets import among
from contracts.errors import NotFound
from services.clients.checking import tag_key
from services.clients.custom_values import looked_up
from services.clients.filter_lookup import read_filter
from services.clients.models import Client, ClientGroup, ClientGroupMember, ClientTag, LastActivity
from services.clients.search.search_index import Within, answers, asked_for

Query = Mapping[str, Any]
"""The parameters of `contracts.clients.ClientQuery`, as Python values. What is left out or None does not narrow."""

_COMPARED: dict[str, Any] = {"status": Client.status, "assigned_staff_id": Client.assigned_staff_id}
NEW_DAYS = 30
FEW = 1_000
"""Members up to which a static group's are looked for by their ids."""


def select_ids(session: Session, query: Query, *, now: dt.datetime) -> Select[Any]:
    """A SELECT of the ids of the clients that are meant, in no order. Archived ones never are.

    `now` is what days are counted from. "Mine" are the clients of the staff member for whom the work in hand is done.
    Raises Invalid `invalid_filter` that names the place, and NotFound `saved_filter_not_found` or
    `client_group_not_found`.
    """
    return select(Client.id).where(*conditions(session, query, now=now))


def conditions(session: Session, query: Query, *, now: dt.datetime) -> list[ColumnElement[bool]]:
    """As `select_ids`, the conditions on `Client`."""
    wanted: list[ColumnElement[bool]] = [Client.archived_at.is_(None), *narrowing(session, query, now=now)]
    if q := (query.get("q") or "").strip():
        asked = asked_for(session, q)
        wanted.append(answers(session, asked) if asked is not None else false())
    return wanted


def narrowing(session: Session, query: Query, *, now: dt.datetime) -> list[ColumnElement[bool]]:
    """What of a query is no search, as conditions on `Client`."""
    wanted: list[ColumnElement[bool]] = []
    given = {name: value for name, value in query.items() if value is not None}
    if "status" in given:
        wanted.append(Client.status == given["status"])
    if "tag" in given:
        wanted.append(Client.id.in_(_tagged(given["tag"])))
    if "group_id" in given:
        wanted.append(in_group(session, find_group(session, given["group_id"]), now, path="group_id"))
    if "assigned_staff_id" in given:
        wanted.append(Client.assigned_staff_id == given["assigned_staff_id"])
    if given.get("mine"):
        wanted.append(_mine())
    if "flagged" in given:
        wanted.append(Client.flag_reason.is_not(None) if given["flagged"] else Client.flag_reason.is_(None))
    if "spam" in given:
        # As it stands in the index.
        wanted.append(cast(Any, Client.spam) if given["spam"] else not_(Client.spam))
    if "created_since" in given:
        wanted.append(Client.created_at >= given["created_since"])
    if "new" in given:
        since = now - dt.timedelta(days=NEW_DAYS)
        wanted.append(Client.created_at >= since if given["new"] else Client.created_at < since)
    if "inactive_since" in given:
        wanted.append(Client.id.in_(_quiet(given["inactive_since"])))
    if "filter" in given:
        wanted.append(condition(read_filter(session, given["filter"], path="filter"), now=now))
    return wanted


def compared(query: Query) -> dict[str, Any] | None:
    """The values that columns of the client are to have, if a query asks for nothing else: see `having`."""
    given = {
        name: value for name, value in query.items() if value is not None and not (name in ("q", "mine") and not value)
    }
    return given if given.keys() <= _COMPARED.keys() else None


def having(names: Iterable[str]) -> list[ColumnElement[bool]]:
    """As `narrowing`, for a statement that is made once: the values of `compared` are parameters of these names."""
    return [_COMPARED[name] == bindparam(name, type_=_COMPARED[name].type, required=True) for name in sorted(names)]


def parted(session: Session, query: Query, *, now: dt.datetime) -> tuple[Within, list[ColumnElement[bool]]]:
    """As `narrowing`, in two: what PostgreSQL narrows by while it searches, and the conditions that are left."""
    given = {name: value for name, value in query.items() if value is not None}
    since = given.pop("created_since", None)
    until = None
    if (new := given.pop("new", None)) is not None:
        border = now - dt.timedelta(days=NEW_DAYS)
        since, until = (max(since or border, border), None) if new else (since, border)
    own_fields, node = None, None
    if "filter" in given:
        own_fields, node = looked_up(read_filter(session, given.pop("filter"), path="filter"))
    tag = given.pop("tag", None)
    group_id = given.get("group_id")
    if group_id is not None and find_group(session, group_id).filter is None:
        del given["group_id"]
    else:
        group_id = None
    within = Within(
        own_fields=own_fields, since=since, until=until, tag=None if tag is None else tag_key(tag), group_id=group_id,
        **{name: given.pop(name, None) for name in ("status", "assigned_staff_id", "flagged", "spam")},
    )  # fmt: skip
    rest = narrowing(session, given, now=now)
    return within, [*rest, condition(node, now=now)] if node is not None else rest


def rows_beside(session: Session, query: Query) -> Select[Any] | None:
    """Rows beside the clients' own, one for each who is meant, archived ones included, if nothing else narrows."""
    match [name for name, value in query.items() if value is not None and not (name == "mine" and not value)]:
        case ["inactive_since"]:
            return _quiet(query["inactive_since"])
        case ["tag"]:
            return _tagged(query["tag"])
        case ["group_id"] if find_group(session, query["group_id"]).filter is None:
            return _members(query["group_id"])
    return None


def _tagged(tag: str) -> Select[Any]:
    return select(ClientTag.client_id).where(ClientTag.key == tag_key(tag))


def _quiet(since: dt.datetime) -> Select[Any]:
    return select(LastActivity.client_id).where(LastActivity.at < since)


def find_group(session: Session, group_id: str, *, lock: bool = False) -> ClientGroup:
    """Raises NotFound `client_group_not_found`. With `lock`, it stays as it is until the commit."""
    statement = select(ClientGroup).where(ClientGroup.id == group_id)
    found = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if found is None:
        raise NotFound("client_group_not_found", group_id=group_id)
    return found


def filter_of_group(db: Database, group_id: str) -> dict[str, Any] | None:
    """The filter of a group as it is written; None if the group has none, or is not known."""
    with db.read() as session:
        return session.scalars(select(ClientGroup.filter).where(ClientGroup.id == group_id)).one_or_none()


def in_group(session: Session, group: ClientGroup, now: dt.datetime, *, path: str) -> ColumnElement[bool]:
    """Who is in a group, as a condition on `Client`. Raises Invalid, naming `path`, if its filter can no longer be
    read."""
    if group.filter is not None:
        return condition(read_filter(session, group.filter, path=path), now=now)
    few = list(session.scalars(_members(group.id).limit(FEW + 1)))
    if len(few) <= FEW:
        return among(session, Client.id, few)
    # IS TRUE keeps the members a set that is hashed once. As a join, PostgreSQL takes a group that is younger than its
    # statistics for one row, and compares each client with each member (100,000 took more than two minutes).
    return Client.id.in_(_members(group.id)).is_(true())


def _members(group_id: str) -> Select[Any]:
    return select(ClientGroupMember.client_id).where(ClientGroupMember.group_id == group_id)


def _mine() -> ColumnElement[bool]:
    context = current()
    if context is None or context.actor_kind != "staff" or context.actor_id is None:
        # A key of the firm's is nobody's: nothing is assigned to it.
        return false()
    return Client.assigned_staff_id == context.actor_id
