"""One condition of a filter, `{field, op, value}`: what it may say, and what it then means. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.filters.fields import ALL_OPERATORS, CUSTOM, DAYS, EMPTINESS, Catalogue, Field, Reading
from chassis.filters.values import MESSAGES, read_value

MOST_VALUES = 1000
"""Of one condition; of all conditions of a filter see `parsing`."""
MOST_DAYS = 36_500

_COMPLEMENTS = {"ne": "eq", "not_in": "in", "is_empty": "is_not_empty"}


class Wrong(Exception):
    """What is wrong with a condition, and in which part: `field`, `op`, or `value` with its place."""

    def __init__(self, part: str, message: str) -> None:
        self.part = part
        self.message = message
        super().__init__(part)


def read_condition(
    wire: dict[str, Any], catalogue: Catalogue, custom_fields: Mapping[str, Sequence[Field]]
) -> tuple[tuple[Reading, ...], bool]:
    """The readings of `{field, op, value}`, of which one must hold, and whether their complement is meant.

    `custom_fields`: the firm's own fields by key, each as a field of every kind that it has. Raises Wrong.
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
    if (own := catalogue.find(name)) is not None:
        return (_reading(own, operator, positive, wire.get("value")),), operator in _COMPLEMENTS
    readings, first_wrong = [], None
    fitting: set[int] = set()
    for field in custom_fields.get(name.removeprefix(CUSTOM), ()) if name.startswith(CUSTOM) else ():
        try:
            value, fits_here = _fitting(field, operator, wire.get("value"))
            reading = _reading(field, operator, positive, value)
        except Wrong as wrong:
            first_wrong = first_wrong or wrong
            continue
        fitting |= fits_here
        readings.append(reading)
    if not readings:
        raise first_wrong or Wrong("field", f"Not a field of {catalogue.records}.")
    if operator in ("in", "not_in") and (missing := set(range(len(wire["value"]))) - fitting):
        raise Wrong(f"value.{min(missing)}", "Fits no type that this field has.")
    return tuple(readings), operator in _COMPLEMENTS


def _fitting(field: Field, operator: str, value: Any) -> tuple[Any, set[int]]:
    """Of a list for `in`, what a field takes in one of its kinds: `in` is `eq` of one or of another."""
    if operator not in ("in", "not_in") or not isinstance(value, list):
        return value, set()
    indexes = {
        index for index, item in enumerate(value) if item is not None and read_value(field.kind, item) is not None
    }
    # If nothing fits, the whole list, so that the error says what is expected.
    return ([value[index] for index in sorted(indexes)] or value), indexes


def _reading(field: Field, operator: str, positive: str, value: Any) -> Reading:
    if operator not in field.operators:
        raise Wrong("op", f"This field takes: {', '.join(field.operators)}.")
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
        ends = tuple(_value(field, item, f"value.{i}") for i, item in enumerate(value))
        # Of a day and a moment only the zone of days decides which is first; if it is the last, nothing is between.
        if type(ends[0]) is type(ends[1]) and ends[0] > ends[1]:
            raise Wrong("value", "The first is after the second.")
        return Reading(field, "between", ends)
    if positive in DAYS:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_DAYS:
            raise Wrong("value", f"Not a whole number of days from 0 to {MOST_DAYS}.")
        return Reading(field, positive, (value,))
    test = "in" if positive == "eq" or field.kind == "words" else positive
    return Reading(field, test, (_value(field, value, "value"),))


def _value(field: Field, value: Any, part: str) -> Any:
    if value is None:
        raise Wrong(part, "null is no value: use is_empty.")
    read = read_value(field.kind, value)
    if read is None:
        raise Wrong(part, MESSAGES[field.kind])
    if field.options and read not in field.options:
        raise Wrong(part, f"Must be one of: {', '.join(field.options)}.")
    return read
