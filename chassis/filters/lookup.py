"""Reading a filter with what it mentions looked up: the firm's custom fields and saved filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chassis.filters.fields import Catalogue, Field
from chassis.filters.parsing import DEEPEST, Mentions, Vocabulary, Wire, mentions, parse
from chassis.filters.tree import Node
from contracts.errors import NotFound

LoadSaved = Callable[[Sequence[str]], Mapping[str, Wire]]
"""The firm's saved filters by id, of those asked for; what is not known is left out."""
LoadCustomFields = Callable[[Sequence[str]], Mapping[str, Sequence[Field]]]
"""The firm's custom fields by key, of those asked for, each as a field of every kind that it has."""

LoadMissing = Callable[[Mapping[str, Sequence[Any]]], Mapping[str, Mapping[Any, str]]]
"""By field, those of the values it is compared with, as written, that would name a record and name none that can be
asked for, each with the reason."""


def read_filter(
    wire: Any,
    catalogue: Catalogue,
    *,
    load_saved: LoadSaved,
    load_custom_fields: LoadCustomFields,
    load_missing: LoadMissing = lambda values: {},
    path: str,
    saved_as: str | None = None,
) -> Node:
    """The tree of a filter. Saved filters are loaded once for each depth to which they are nested, custom fields once.

    `saved_as` is the saved filter that the wire is about to become: it must not lead back to itself. Raises Invalid
    `invalid_filter` that names the place under `path`, and NotFound `saved_filter_not_found`.
    """
    found = mentions(wire)
    saved = _load_mentioned(found, load_saved)
    custom_fields = load_custom_fields(sorted(found.custom_fields)) if found.custom_fields else {}
    vocabulary = Vocabulary(catalogue, custom_fields, saved, load_missing(found.values))
    return parse(wire, vocabulary, path=path, saved_as=saved_as)


def saved_filters_in(wire: Any) -> set[str]:
    """The ids of the saved filters that a filter, known to be right, refers to itself."""
    return mentions(wire).saved


def _load_mentioned(found: Mentions, load_saved: LoadSaved) -> dict[str, Wire]:
    """The mentioned saved filters, and those that these mention; what they mention is added to `found`."""
    saved: dict[str, Wire] = {}
    for _ in range(DEEPEST):
        wanted = sorted(found.saved - saved.keys())
        if not wanted:
            break
        by_id = load_saved(wanted)
        for saved_id in wanted:
            if saved_id not in by_id:
                raise NotFound("saved_filter_not_found", saved_filter_id=saved_id)
            saved[saved_id] = by_id[saved_id]
            mentions(by_id[saved_id], found)
    return saved
