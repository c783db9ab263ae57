"""The kinds of fields, the operators that each kind takes, and a service's catalogue of fields. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sqlalchemy import ColumnElement

Kind = Literal["text", "word", "words", "id", "number", "day", "instant", "flag", "presence"]
"""`presence`: there is something, of which no more can be asked."""

EQUALITY = ("eq", "ne", "in", "not_in")
ORDER = ("gt", "gte", "lt", "lte", "between")
DAYS = ("older_than_days", "within_next_days")
EMPTINESS = ("is_empty", "is_not_empty")

OPERATORS: dict[Kind, tuple[str, ...]] = {
    "text": (*EQUALITY, "contains", "starts_with", *EMPTINESS),
    "word": (*EQUALITY, *EMPTINESS),
    "words": (*EQUALITY, "contains", *EMPTINESS),
    "id": (*EQUALITY, *EMPTINESS),
    "number": (*EQUALITY, *ORDER, *EMPTINESS),
    "day": (*EQUALITY, *ORDER, *DAYS, *EMPTINESS),
    "instant": ("eq", "ne", *ORDER, *DAYS, *EMPTINESS),
    "flag": ("eq", "ne", *EMPTINESS),
    "presence": EMPTINESS,
}
ALL_OPERATORS = frozenset(operator for operators in OPERATORS.values() for operator in operators)

CUSTOM = "custom_fields."
"""What the name of a firm's own field begins with; its key follows."""
CUSTOM_KINDS: Mapping[str, Kind] = {
    "text": "text",
    "number": "number",
    "money": "number",
    "date": "day",
    "yes_no": "flag",
    "choice": "text",
    "choices": "words",
}
"""In what kind a firm's own field is compared, by its type (see `chassis.custom_fields`)."""


class Reach(Protocol):
    """How SQL comes to the values of a field (see `chassis.filters.sql`)."""

    def test(self, reading: Reading, now: dt.datetime) -> ColumnElement[bool]:
        """Whether some value satisfies the reading: true or false, never NULL. Days are counted from `now`."""


@dataclass(frozen=True)
class Field:
    """A field that a filter may name. `options`: the only words it can hold, where they are fixed. `narrow`: it takes
    equality and emptiness only.

    A custom field is one `Field` for each kind that it has, all with one name.
    """

    name: str
    kind: Kind
    reach: Reach
    options: tuple[str, ...] = ()
    narrow: bool = False

    @property
    def operators(self) -> tuple[str, ...]:
        """What its kind takes, as far as it does."""
        taken = OPERATORS[self.kind]
        return tuple(op for op in taken if op in (*EQUALITY, *EMPTINESS)) if self.narrow else taken


@dataclass(frozen=True)
class Reading:
    """A test of some value of a field: `in`, `contains`, `starts_with`, an order, a count of days, or `any` value.

    `values` are Python values.
    """

    field: Field
    test: str
    values: tuple[Any, ...] = ()


class Catalogue:
    """The fields that a service's filters may name. `records`: what they are fields of, as messages to people say it,
    like "cases". `families`: by what their names begin with, what makes fields of the rest of a name, None of what is
    none."""

    def __init__(
        self, records: str, *fields: Field, families: Mapping[str, Callable[[str], Field | None]] | None = None
    ) -> None:
        self.records = records
        self.fields: Mapping[str, Field] = {field.name: field for field in fields}
        self._families = families or {}

    def find(self, name: str) -> Field | None:
        """The field of a name, custom ones aside."""
        if name in self.fields:
            return self.fields[name]
        for start, make in self._families.items():
            if name.startswith(start):
                return make(name.removeprefix(start))
        return None
