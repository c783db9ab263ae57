"""Reading a filter of clients, with the saved filters and the groups that it mentions.

A group that is not there is no group without members: who is to be left out by it would be written to. Nor is one
that goes by a filter, which has members only as its filter says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Text, cast, not_, select
from sqlalchemy.orm import Session

from chassis.filters import lookup
from chassis.filters.fields import Field
from chassis.filters.parsing import Wire, mentions
from chassis.filters.tree import Node
from chassis.filters.values import read_value
from chassis.value_sets import among
from contracts.errors import Conflict
from services.clients.filter_fields import CLIENT_FIELDS, custom_meaning
from services.clients.models import ClientField, ClientGroup, SavedFilter

_NO_GROUP = "Nothing here has this id"
_BY_FILTER = "This group goes by a filter: ask for what its filter asks for, which may be a saved one"


def read_filter(
    session: Session, wire: Any, *, path: str, saved_as: str | None = None, hold_groups: bool = False
) -> Node:
    """The tree of a filter, in as many queries as saved filters are nested deep.

    `saved_as` is the saved filter that the wire is about to become: it must not lead back to itself. With
    `hold_groups`, no group that is mentioned is deleted before the end of the transaction. Raises Invalid
    `invalid_filter` that names the place under `path`, of a group that is not there as well, and NotFound
    `saved_filter_not_found`.
    """
    return lookup.read_filter(
        wire,
        CLIENT_FIELDS,
        load_saved=partial(_load_saved, session),
        load_custom_fields=partial(_load_custom_fields, session),
        load_missing=partial(_missing_groups, session, hold_groups),
        path=path,
        saved_as=saved_as,
    )


def read_filter_to_save(session: Session, wire: Any, *, path: str, saved_as: str | None = None) -> Node:
    """As `read_filter`, for a filter that is kept: none of the fields of which it names a value becomes sensitive
    before the end of the transaction, and none of the groups that it names is deleted."""
    if keys := sorted(mentions(wire).valued):
        held = select(ClientField.key).where(ClientField.key.in_(keys)).order_by(ClientField.key)
        session.execute(held.with_for_update(read=True))
    return read_filter(session, wire, path=path, saved_as=saved_as, hold_groups=True)


def refuse_named_group(session: Session, group_id: str) -> None:
    """Before a group is deleted, whose row is locked. Raises Conflict `client_group_in_use` while a filter that is kept
    names it: `used_by` is a saved filter, or another group. Of both a firm has few."""
    for kept in (SavedFilter, ClientGroup):
        names_some = cast(kept.filter, Text).contains('"groups"', autoescape=True)
        rows = session.execute(select(kept.id, kept.filter).where(names_some, kept.id != group_id).order_by(kept.id))
        for user, filter in rows:
            if group_id in _groups_in(mentions(filter).values):
                raise Conflict("client_group_in_use", used_by=user)


def _groups_in(values: Mapping[str, Sequence[Any]]) -> set[str]:
    return {id_ for value in values.get("groups", ()) if (id_ := read_value("id", value)) is not None}


def _missing_groups(session: Session, hold: bool, values: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, str]]:
    if not (asked := _groups_in(values)):
        return {}
    named = among(session, ClientGroup.id, sorted(asked))
    there = select(ClientGroup.id, ClientGroup.kind).where(named).order_by(ClientGroup.id)
    # As a reference would hold it: only who deletes or locks the group waits.
    rows = session.execute(there.with_for_update(read=True, key_share=True) if hold else there)
    found = {row.id: row.kind for row in rows}
    reasons = {id_: _NO_GROUP if id_ not in found else _BY_FILTER for id_ in asked if found.get(id_) != "static"}
    return {"groups": reasons}


def _load_saved(session: Session, ids: Sequence[str]) -> dict[str, Wire]:
    statement = select(SavedFilter.id, SavedFilter.filter).where(SavedFilter.id.in_(ids))
    return {row.id: row.filter for row in session.execute(statement)}


def _load_custom_fields(session: Session, keys: Sequence[str]) -> dict[str, list[Field]]:
    """Those that can be asked for: what is sealed cannot, and of a removed field nothing is shown. A key that nobody
    defined is no field, whatever clients may hold under it."""
    asked = select(ClientField.key, ClientField.type).where(
        ClientField.key.in_(keys), ClientField.removed_at.is_(None), not_(ClientField.sensitive)
    )
    return {row.key: [custom_meaning(row.key, row.type)] for row in session.execute(asked)}
