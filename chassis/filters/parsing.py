"""A filter read and checked, and brought into a small tree. Pure; `sql` turns the tree into a condition."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chassis.filters.conditions import Wrong, read_condition
from chassis.filters.fields import CUSTOM, DAYS, Catalogue, Field
from chassis.filters.tree import All, Complement, Condition, Node, Some
from chassis.filters.values import read_day
from chassis.texts import is_storable
from contracts.errors import Invalid, invalid_field

DEEPEST = 10
MOST_CONDITIONS = 200
MOST_VALUES_IN_ALL = 10_000
"""What a database takes in one statement has its limits."""

Wire = dict[str, Any]


@dataclass(frozen=True)
class Vocabulary:
    """What a filter may refer to: the service's fields, the firm's custom fields by key, each as a field of every kind
    that it has, and its saved filters by id. `missing`: by field, the values that would name a record and name none
    that can be asked for, each with the reason."""

    catalogue: Catalogue
    custom_fields: Mapping[str, Sequence[Field]] = field(default_factory=dict)
    saved: Mapping[str, Wire] = field(default_factory=dict)
    missing: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)


@dataclass
class Mentions:
    """The names in a filter that have to be looked up before it can be read. `saved`: ids in their usual form;
    `valued`: the custom fields of which it names a value; `counts_days`: it may ask for days from today; `with_days`:
    the fields that it compares with a day by its date; `values`: by field, what it compares it with, as written."""

    custom_fields: set[str] = field(default_factory=set)
    valued: set[str] = field(default_factory=set)
    saved: set[str] = field(default_factory=set)
    counts_days: bool = False
    with_days: set[str] = field(default_factory=set)
    values: dict[str, list[Any]] = field(default_factory=dict)


def mentions(wire: Any, found: Mentions | None = None, depth: int = 0) -> Mentions:
    """What a filter mentions, right or wrong: nothing is checked here, and nothing is read beyond the depth limit."""
    found = Mentions() if found is None else found
    if depth > DEEPEST or not isinstance(wire, dict):
        return found
    name = wire.get("field")
    if isinstance(name, str) and name.startswith(CUSTOM) and is_storable(name):
        found.custom_fields.add(name.removeprefix(CUSTOM))
        if wire.get("value") is not None:
            found.valued.add(name.removeprefix(CUSTOM))
    if isinstance(operator := wire.get("op"), str) and operator in DAYS:
        found.counts_days = True
    if isinstance(name, str) and "value" in wire:
        value = wire["value"]
        found.values.setdefault(name, []).extend(value if isinstance(value, list) else [value])
        if _names_a_day(value):
            found.with_days.add(name)
    if (saved := _saved_id(wire.get("saved_filter_id"))) is not None:
        found.saved.add(saved)
    for parts in (wire.get("and"), wire.get("or"), [wire.get("not")]):
        for part in parts[:MOST_CONDITIONS] if isinstance(parts, list) else ():
            mentions(part, found, depth + 1)
    return found


def _names_a_day(value: Any) -> bool:
    # Only `between` takes several of what may be a moment.
    return any(read_day(one) is not None for one in (value[:2] if isinstance(value, list) else [value]))


def _saved_id(given: Any) -> str | None:
    """The id of a saved filter in its usual form, however it was written; None if it is none."""
    try:
        return str(uuid.UUID(given)) if isinstance(given, str) else None
    except ValueError:
        return None


def parse(wire: Any, vocabulary: Vocabulary, *, path: str = "filter", saved_as: str | None = None) -> Node:
    """The tree of a filter. Raises Invalid `invalid_filter` that names the place, like `filter.and.1.field`.

    Every saved filter that is mentioned is in the vocabulary (what is unknown is NotFound beforehand). `saved_as` is
    the saved filter that the wire is about to become: it must not lead back to itself.
    """
    return _Reader(vocabulary, saved_as).node(wire, path, 1)


class _Reader:
    def __init__(self, vocabulary: Vocabulary, saved_as: str | None) -> None:
        self.vocabulary = vocabulary
        self.conditions = 0
        self.values = 0
        self.inside: list[str] = [] if saved_as is None else [saved_as]
        self.reference: str | None = None

    def node(self, wire: Any, path: str, depth: int) -> Node:
        if depth > DEEPEST:
            raise self.wrong(path, f"Nested deeper than {DEEPEST}.")
        if not isinstance(wire, dict):
            raise self.wrong(path, "Not an object.")
        if "and" in wire or "or" in wire:
            word = "and" if "and" in wire else "or"
            self.only(wire, {word}, path)
            return (All if word == "and" else Some)(self.parts(wire[word], f"{path}.{word}", depth))
        if "not" in wire:
            self.only(wire, {"not"}, path)
            return Complement(self.node(wire["not"], f"{path}.not", depth + 1))
        if "saved_filter_id" in wire:
            self.only(wire, {"saved_filter_id"}, path)
            return self.saved(wire["saved_filter_id"], f"{path}.saved_filter_id", depth)
        if "field" not in wire:
            raise self.wrong(path, "One of and, or, not, saved_filter_id, or field with op and value.")
        self.only(wire, {"field", "op", "value"}, path)
        return self.condition(wire, path)

    def parts(self, wire: Any, path: str, depth: int) -> tuple[Node, ...]:
        if not isinstance(wire, list) or not wire:
            raise self.wrong(path, "Not a list with at least one filter.")
        if len(wire) > MOST_CONDITIONS:
            raise self.wrong(path, f"More than {MOST_CONDITIONS} conditions.")
        return tuple(self.node(part, f"{path}.{index}", depth + 1) for index, part in enumerate(wire))

    def saved(self, given: Any, path: str, depth: int) -> Node:
        saved_filter_id = _saved_id(given)
        if saved_filter_id is None or saved_filter_id not in self.vocabulary.saved:
            raise self.wrong(path, "Not the id of a saved filter.")
        if saved_filter_id in self.inside:
            raise self.wrong(path, "The saved filter refers to itself.")
        outermost, self.reference = self.reference, self.reference or path
        self.inside.append(saved_filter_id)
        tree = self.node(self.vocabulary.saved[saved_filter_id], "filter", depth + 1)
        self.inside.pop()
        self.reference = outermost
        return tree

    def condition(self, wire: Wire, path: str) -> Node:
        self.conditions += 1
        if self.conditions > MOST_CONDITIONS:
            raise self.wrong(path, f"More than {MOST_CONDITIONS} conditions.")
        try:
            readings, complement = read_condition(wire, self.vocabulary.catalogue, self.vocabulary.custom_fields)
        except Wrong as wrong:
            raise self.wrong(f"{path}.{wrong.part}", wrong.message) from None
        self.values += sum(len(reading.values) for reading in readings)
        if self.values > MOST_VALUES_IN_ALL:
            raise self.wrong(f"{path}.value", f"More than {MOST_VALUES_IN_ALL} values in all.")
        for reading in readings:
            missing = self.vocabulary.missing.get(reading.field.name, {})
            if gone := [value for value in reading.values if value in missing]:
                raise self.wrong(f"{path}.value", f"{missing[gone[0]]}: {gone[0]}.")
        tree = Condition(readings)
        return Complement(tree) if complement else tree

    def only(self, wire: Wire, allowed: set[str], path: str) -> None:
        for name in wire:
            if name not in allowed:
                raise self.wrong(f"{path}.{name}"[:300], "Not known here.")

    def wrong(self, path: str, message: str) -> Invalid:
        if self.reference is not None:
            return invalid_field(self.reference, f"In the saved filter, at {path}: {message}", code="invalid_filter")
        return invalid_field(path, message, code="invalid_filter")
