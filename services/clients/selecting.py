"""Which clients a list, an export, a group or a bulk action means: `contracts.clients.ClientQuery` as SQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, false, not_, select
from sqlalchemy.orm import Session

from chassis.context import current
from chassis.filters.sql import condition
from contracts.errors import NotFound
from services.clients.checking import tag_key
from services.clients.filter_lookup import read_filter
from services.clients.models import Client, ClientGroup, ClientGroupMember, ClientTag, LastActivity
from services.clients.search_index import answers, asked_for

Query = Mapping[str, Any]
"""The parameters of `contracts.clients.ClientQuery`, as Python values. What is left out or None does not narrow."""

NEW_DAYS = 30


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
        wanted.append(_in_group(session, given["group_id"], now))
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


def rows_beside(query: Query) -> Select[Any] | None:
    """Rows beside the clients' own, one for each who is meant, archived ones included, if nothing else narrows."""
    if _given(query) == ["inactive_since"]:
        return _quiet(query["inactive_since"])
    return only_tag(query)


def only_tag(query: Query) -> Select[Any] | None:
    """The rows of the tag, if nothing else narrows."""
    return _tagged(query["tag"]) if _given(query) == ["tag"] else None


def _given(query: Query) -> list[str]:
    return [name for name, value in query.items() if value is not None and not (name == "mine" and not value)]


def _tagged(tag: str) -> Select[Any]:
    return select(ClientTag.client_id).where(ClientTag.key == tag_key(tag))


def _quiet(since: dt.datetime) -> Select[Any]:
    return select(LastActivity.client_id).where(LastActivity.at < since)


def _in_group(session: Session, group_id: str, now: dt.datetime) -> ColumnElement[bool]:
    group = session.scalars(select(ClientGroup).where(ClientGroup.id == group_id)).one_or_none()
    if group is None:
        raise NotFound("client_group_not_found", group_id=group_id)
    if group.filter is not None:
        return condition(read_filter(session, group.filter, path="group_id"), now=now)
    return Client.id.in_(select(ClientGroupMember.client_id).where(ClientGroupMember.group_id == group_id))


def _mine() -> ColumnElement[bool]:
    context = current()
    if context is None or context.actor_kind != "staff" or context.actor_id is None:
        # A key of the firm's is nobody's: nothing is assigned to it.
        return false()
    return Client.assigned_staff_id == context.actor_id
