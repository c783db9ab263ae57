"""The fields that a filter may name, the operators each kind of field takes, and the values these take. Pure."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from contracts.clients import CLIENT_STATUSES
from contracts.messaging import CONSENT_STATES
from services.cases.columns import fits
from services.cases.custom_fields import read_day, read_decimal
from services.cases.models import CustomField
from services.cases.texts import is_storable

MOST_VALUES = 1000
LONGEST_VALUE = 1000
MOST_DAYS = 36_500

EQUALITY = ("eq", "ne", "in", "not_in")
ORDER = ("gt", "gte", "lt", "lte", "between")
DAYS = ("older_than_days", "within_next_days")
EMPTINESS = ("is_empty", "is_not_empty")

OPERATORS: dict[str, tuple[str, ...]] = {
    "text": (*EQUALITY, "contains", "starts_with", *EMPTINESS),
    "word": (*EQUALITY, *EMPTINESS),
    "words": (*EQUALITY, "contains", *EMPTINESS),
    "id": (*EQUALITY, *EMPTINESS),
    "number": (*EQUALITY, *ORDER, *EMPTINESS),
    "day": (*EQUALITY, *ORDER, *DAYS, *EMPTINESS),
    "instant": ("eq", "ne", *ORDER, *DAYS, *EMPTINESS),
    "flag": ("eq", "ne", *EMPTINESS),
}
ALL_OPERATORS = frozenset(operator for operators in OPERATORS.values() for operator in operators)

_COMPLEMENTS = {"ne": "eq", "not_in": "in", "is_empty": "is_not_empty"}


@dataclass(frozen=True)
class Field:
    """A field that a filter may name. `options`: the only words it can hold, where they are fixed."""

    name: str
    kind: str
    options: tuple[str, ...] = ()


FIELDS: dict[str, Field] = {
    entry.name: entry
    for entry in (
        Field("number", "text"),
        Field("name", "text"),
        Field("description", "text"),
        Field("source", "text"),
        Field("external_source", "word"),
        Field("external_source_id", "word"),
        Field("status", "word"),
        Field("state", "word", ("open", "closed", "pending")),
        Field("case_type_id", "id"),
        Field("responsible_staff_id", "id"),
        Field("staff_ids", "id"),
        Field("client_id", "id"),
        Field("value", "number"),
        Field("created_at", "instant"),
        Field("updated_at", "instant"),
        Field("clients.status", "word", CLIENT_STATUSES),
        Field("clients.tags", "words"),
        Field("clients.language", "word"),
        Field("clients.consent.sms", "word", CONSENT_STATES),
        Field("clients.consent.email", "word", CONSENT_STATES),
        Field("clients.consent.phone", "word", CONSENT_STATES),
    )
}

CUSTOM_KINDS = {
    "text": "text",
    "number": "number",
    "money": "number",
    "date": "day",
    "yes_no": "flag",
    "choice": "text",
    "choices": "words",
}


@dataclass(frozen=True)
class Reading:
    """A test of some value of a field: `in`, `contains`, `starts_with`, an order, a count of days, or `any` value.

    `values` are Python values. `custom_key` marks a custom field, then `case_type_ids` are the types of case where this
    reading holds, None for all.
    """

    field: Field
    test: str
    values: tuple[Any, ...] = ()
    custom_key: str | None = None
    case_type_ids: tuple[str, ...] | None = None


class Wrong(Exception):
    """What is wrong with a condition, and in which part: `field`, `op`, or `value` with its place."""

    def __init__(self, part: str, message: str) -> None:
        self.part = part
        self.message = message
        super().__init__(part)


def read_condition(
    wire: dict[str, Any], custom_fields: Mapping[str, Sequence[CustomField]]
) -> tuple[tuple[Reading, ...], bool]:
    """The readings of `{field, op, value}`, of which one must hold, and whether their complement is meant.

    Raises Wrong.
    """
    name, operator = wire["field"], wire.get("op")
    if not isinstance(name, str):
        raise Wrong("field", "Not the name of a field.")
    if not isinstance(operator, str) or operator not in ALL_OPERATORS:
        raise Wrong("op", "Not an operator.")
    if operator in EMPTINESS:
        if wire.get("value") is not None:
            raise Wrong("value", f"{operator} takes no value.")
    elif "value" not in wire:
        raise Wrong("value", f"{operator} needs a value.")
    positive = _COMPLEMENTS.get(operator, operator)
    if name in FIELDS:
        return (_reading(FIELDS[name], operator, positive, wire.get("value")),), operator in _COMPLEMENTS
    readings, first_wrong = [], None
    fitting: set[int] = set()
    for field, case_type_ids in _custom_meanings(name, custom_fields):
        try:
            value, fits_here = _fitting(field, operator, wire.get("value"))
            reading = _reading(field, operator, positive, value)
        except Wrong as wrong:
            first_wrong = first_wrong or wrong
            continue
        fitting |= fits_here
        key = name.removeprefix("custom_fields.")
        readings.append(replace(reading, custom_key=key, case_type_ids=case_type_ids))
    if not readings:
        raise first_wrong or Wrong("field", "Not a field of cases.")
    if operator in ("in", "not_in") and (missing := set(range(len(wire["value"]))) - fitting):
        raise Wrong(f"value.{min(missing)}", "Fits no type that this field has.")
    return tuple(readings), operator in _COMPLEMENTS


def _fitting(field: Field, operator: str, value: Any) -> tuple[Any, set[int]]:
    """Of a list for `in`, what a field takes in one of its types: `in` is `eq` of one or of another."""
    if operator not in ("in", "not_in") or not isinstance(value, list):
        return value, set()
    indexes = {index for index, item in enumerate(value) if item is not None and _VALUES[field.kind](item) is not None}
    # If nothing fits, the whole list, so that the error says what is expected.
    return ([value[index] for index in sorted(indexes)] or value), indexes


def _custom_meanings(
    name: str, custom_fields: Mapping[str, Sequence[CustomField]]
) -> list[tuple[Field, tuple[str, ...] | None]]:
    """The kinds that a custom field has, each with the types of case where it has it (None: wherever it is stored)."""
    definitions = (
        custom_fields.get(name.removeprefix("custom_fields."), ()) if name.startswith("custom_fields.") else ()
    )
    by_kind: dict[str, list[str]] = {}
    for definition in definitions:
        if definition.removed_at is None:
            by_kind.setdefault(CUSTOM_KINDS[definition.type], []).append(definition.case_type_id)
    uniform = len(by_kind) == 1 and all(definition.removed_at is None for definition in definitions)
    return [
        (Field(name, kind), None if uniform else tuple(sorted(case_type_ids)))
        for kind, case_type_ids in sorted(by_kind.items())
    ]


def _reading(field: Field, operator: str, positive: str, value: Any) -> Reading:
    if operator not in OPERATORS[field.kind]:
        raise Wrong("op", f"This field takes: {', '.join(OPERATORS[field.kind])}.")
    if positive == "is_not_empty":
        return Reading(field, "any")
    if positive == "in":
        if not isinstance(value, list) or not value:
            raise Wrong("value", "Not a list with at least one value.")
        if len(value) > MOST_VALUES:
            raise Wrong("value", f"More than {MOST_VALUES} values.")
        read = (_value(field, item, f"value.{index}") for index, item in enumerate(value))
        return Reading(field, "in", tuple(dict.fromkeys(read)))
    if positive == "between":
        if not isinstance(value, list) or len(value) != 2:
            raise Wrong("value", "Not a list of two values, from and to.")
        return Reading(field, "between", tuple(_value(field, item, f"value.{i}") for i, item in enumerate(value)))
    if positive in DAYS:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_DAYS:
            raise Wrong("value", f"Not a whole number of days from 0 to {MOST_DAYS}.")
        return Reading(field, positive, (value,))
    test = "in" if positive == "eq" or field.kind == "words" else positive
    return Reading(field, test, (_value(field, value, "value"),))


def _value(field: Field, value: Any, part: str) -> Any:
    if value is None:
        raise Wrong(part, "null is no value: use is_empty.")
    read = _VALUES[field.kind](value)
    if read is None:
        raise Wrong(part, _MESSAGES[field.kind])
    if field.options and read not in field.options:
        raise Wrong(part, f"Must be one of: {', '.join(field.options)}.")
    return read


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= LONGEST_VALUE and is_storable(value) else None


def _id(value: Any) -> str | None:
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _number(value: Any) -> Decimal | None:
    number = read_decimal(value)
    return number if number is not None and fits(number) else None


def _instant(value: Any) -> dt.datetime | None:
    if day := read_day(value):
        return dt.datetime.combine(day, dt.time(), dt.UTC)
    try:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment.astimezone(dt.UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


_VALUES: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "word": _text,
    "words": _text,
    "id": _id,
    "number": _number,
    "day": read_day,
    "instant": _instant,
    "flag": _flag,
}
_MESSAGES = {
    "text": f"Not a text of at most {LONGEST_VALUE} characters.",
    "word": f"Not a text of at most {LONGEST_VALUE} characters.",
    "words": f"Not a text of at most {LONGEST_VALUE} characters.",
    "id": "Not a valid UUID.",
    "number": "Not a number with at most 12 digits before the point and 6 after it.",
    "day": "Not a date like 2026-01-31.",
    "instant": "Not an instant like 2026-01-31T15:00:00Z, nor a date.",
    "flag": "Not true or false.",
}
