"""Reading a filter of cases, with the firm's custom fields and saved filters that it mentions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.filters import lookup
from chassis.filters.fields import Field
from chassis.filters.parsing import Wire, mentions
from chassis.filters.tree import Node, readings_of
from contracts.errors import invalid_field
from services.cases.filter_fields import CASE_FIELDS, custom_meanings
from services.cases.freshness import sources_of
from services.cases.models import CustomField, SavedFilter
from services.cases.sealed_values import may_look_for_sensitive
from services.cases.status_names import by_present_names


def read_filter(
    session: Session, wire: Any, *, path: str, saved_as: str | None = None, sources: set[str] | None = None
) -> Node:
    """The tree of a filter, in as many queries as saved filters are nested deep, and one for the names of statuses.

    `saved_as` is the saved filter that the wire is about to become: it must not lead back to itself. Who tells what it
    asks of clients is added to `sources`. Raises Invalid `invalid_filter` that names the place under `path`, and
    NotFound `saved_filter_not_found`.
    """
    tree = lookup.read_filter(
        wire,
        CASE_FIELDS,
        load_saved=partial(_load_saved, session),
        load_custom_fields=partial(_load_custom_fields, session),
        path=path,
        saved_as=saved_as,
    )
    if sources is not None:
        sources |= sources_of(tree)
    return by_present_names(session, tree)


def read_filter_to_keep(session: Session, wire: Any, *, path: str, saved_as: str | None = None) -> Node:
    """As `read_filter`, for a filter that is kept as it is written, where everybody reads it.

    Raises Invalid `sensitive_value` besides, if it names a value of a sensitive field.
    """
    tree = read_filter(session, wire, path=path, saved_as=saved_as)
    if any(reading.field.narrow and reading.values for reading in readings_of(tree)):
        message = "It names a value of a sensitive field, which is not kept where everybody reads it."
        raise invalid_field(path, message, code="sensitive_value")
    return tree


def read_filter_to_save(session: Session, wire: Any, *, path: str, saved_as: str | None = None) -> Node:
    """As `read_filter_to_keep`, for a filter that is kept here: none of the fields of which it names a value becomes
    sensitive before the end of the transaction."""
    if keys := sorted(mentions(wire).valued):
        held = select(CustomField.key).where(CustomField.key.in_(keys))
        session.execute(held.order_by(CustomField.case_type_id, CustomField.key).with_for_update(read=True))
    return read_filter_to_keep(session, wire, path=path, saved_as=saved_as)


def _load_saved(session: Session, ids: Sequence[str]) -> dict[str, Wire]:
    statement = select(SavedFilter.id, SavedFilter.filter).where(SavedFilter.id.in_(ids))
    return {row.id: row.filter for row in session.execute(statement)}


def _load_custom_fields(session: Session, keys: Sequence[str]) -> dict[str, list[Field]]:
    definitions: dict[str, list[CustomField]] = {}
    for definition in session.scalars(select(CustomField).where(CustomField.key.in_(keys))):
        definitions.setdefault(definition.key, []).append(definition)
    # Who may not see a value may not find it out by asking for cases that have it either.
    looking = session if may_look_for_sensitive() else None
    return {key: custom_meanings(key, of_key, looking) for key, of_key in definitions.items()}
