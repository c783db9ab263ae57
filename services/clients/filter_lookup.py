"""Reading a filter of clients, with the saved filters that it mentions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.filters import lookup
from chassis.filters.fields import Field
from chassis.filters.parsing import Wire
from chassis.filters.tree import Node
from services.clients.filter_fields import CLIENT_FIELDS, custom_meanings
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


def _load_saved(session: Session, ids: Sequence[str]) -> dict[str, Wire]:
    statement = select(SavedFilter.id, SavedFilter.filter).where(SavedFilter.id.in_(ids))
    return {row.id: row.filter for row in session.execute(statement)}


def _load_custom_fields(session: Session, keys: Sequence[str]) -> dict[str, list[Field]]:
    """Those that can be asked for: what is sealed cannot, and of a removed field nothing is shown."""
    named = select(ClientField.key, ClientField.type, ClientField.sensitive, ClientField.removed_at)
    defined = {row.key: row for row in session.execute(named.where(ClientField.key.in_(keys)))}
    left_out = {key for key, row in defined.items() if row.sensitive or row.removed_at is not None}
    types = {key: row.type for key, row in defined.items()}
    return {key: custom_meanings(key, types.get(key)) for key in keys if key not in left_out}
