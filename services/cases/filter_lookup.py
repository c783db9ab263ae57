"""Reading a filter with what it mentions looked up: the firm's custom fields and saved filters."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from contracts.errors import NotFound
from services.cases.filters import DEEPEST, Mentions, Node, Vocabulary, Wire, mentions, parse
from services.cases.models import CustomField, SavedFilter


def read_filter(session: Session, wire: Any, *, path: str, saved_as: str | None = None) -> Node:
    """The tree of a filter, in as many queries as saved filters are nested deep.

    `saved_as` is the saved filter that the wire is about to become: it must not lead back to itself. Raises Invalid
    `invalid_filter` that names the place under `path`, and NotFound `saved_filter_not_found`.
    """
    found = mentions(wire)
    saved = _load_saved(session, found)
    vocabulary = Vocabulary(_load_fields(session, found.custom_fields), saved)
    return parse(wire, vocabulary, path=path, saved_as=saved_as)


def saved_filters_in(wire: Any) -> set[str]:
    """The ids of the saved filters that a filter, known to be right, refers to itself."""
    return {str(uuid.UUID(mentioned)) for mentioned in mentions(wire).saved}


def _load_saved(session: Session, found: Mentions) -> dict[str, Wire]:
    """The mentioned saved filters, and those that these mention; what they mention is added to `found`."""
    saved: dict[str, Wire] = {}
    for _ in range(DEEPEST):
        wanted = {mentioned: saved_id for mentioned in found.saved - saved.keys() if (saved_id := _read_id(mentioned))}
        if not wanted:
            break
        statement = select(SavedFilter.id, SavedFilter.filter).where(SavedFilter.id.in_(sorted(set(wanted.values()))))
        by_id: dict[str, Wire] = {row.id: row.filter for row in session.execute(statement)}
        for mentioned, saved_id in sorted(wanted.items()):
            if saved_id not in by_id:
                raise NotFound("saved_filter_not_found", saved_filter_id=saved_id)
            saved[mentioned] = by_id[saved_id]
            mentions(by_id[saved_id], found)
    return saved


def _load_fields(session: Session, keys: set[str]) -> dict[str, list[CustomField]]:
    fields: dict[str, list[CustomField]] = {}
    if keys:
        for field in session.scalars(select(CustomField).where(CustomField.key.in_(sorted(keys)))):
            fields.setdefault(field.key, []).append(field)
    return fields


def _read_id(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
