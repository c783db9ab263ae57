"""Reading a filter of clients, with the saved filters that it mentions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import not_, select
from sqlalchemy.orm import Session

from chassis.filters import lookup
from chassis.filters.fields import Field
from chassis.filters.parsing import Wire, mentions
from chassis.filters.tree import Node
from services.clients.filter_fields import CLIENT_FIELDS, custom_meaning
from services.clients.models import ClientField, SavedFilter


def read_filter(session: Session, wire: Any, *, path: str, saved_as: str | None = None) -> Node:
    """The tree of a filter, in as many queries as saved filters are nested deep.

    `saved_as` is the saved filter that the wire is about to become: it must not lead back to itself. Raises Invalid
    `invalid_filter` that names the place under `path`, and NotFound `saved_filter_not_found`.
    """
    return lookup.read_filter(
        wire,
        CLIENT_FIELDS,
        load_saved=partial(_load_saved, session),
        load_custom_fields=partial(_load_custom_fields, session),
        path=path,
        saved_as=saved_as,
    )


def read_filter_to_save(session: Session, wire: Any, *, path: str, saved_as: str | None = None) -> Node:
    """As `read_filter`, for a filter that is kept: none of the fields of which it names a value becomes sensitive
    before the end of the transaction."""
    if keys := sorted(mentions(wire).valued):
        held = select(ClientField.key).where(ClientField.key.in_(keys)).order_by(ClientField.key)
        session.execute(held.with_for_update(read=True))
    return read_filter(session, wire, path=path, saved_as=saved_as)


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
