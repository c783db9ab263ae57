"""The values of custom fields: which are accepted, how they are written, and how filters find them. Pure rules.

| type    | accepted                                   | kept and shown as                    |
|---------|--------------------------------------------|--------------------------------------|
| text    | a string of up to 10,000 characters        | the string                           |
| number  | a number, or a decimal as a string         | a number                             |
| date    | an ISO date                                | the same string                      |
| yes_no  | true or false                              | the same                             |
| choice  | one of the options                         | the string                           |
| choices | a list of options, each once               | the list, in the order of the options|
| money   | a decimal as a string, or a whole number   | a string with two decimals           |

null, an empty string, one of spaces only, and an empty list are blank: they clear the field.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from chassis.columns import fits
from chassis.filters.values import read_day, read_decimal
from chassis.texts import START_LENGTH, fold, is_storable
from services.cases.models import CustomField

LONGEST_TEXT = 10_000
SIGNIFICANT_DIGITS = 15
"""What a JSON number carries without loss, in every reader."""

Values = dict[str, Any]


class Refused(Exception):
    """A value that a field does not take. `code` is stable; `message` is for people and does not repeat the value."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(code)


def canonical(field: CustomField, value: Any) -> Any:
    """The value as it is kept, None if it is blank. Raises Refused (`wrong_type`, `not_an_option`, `too_long`,
    `out_of_range`)."""
    if value is None or value == [] or (isinstance(value, str) and not value.strip()):
        return None
    return _READERS[field.type](field, value)


def merge(
    fields: Iterable[CustomField], stored: Values, given: Mapping[str, Any], *, creating: bool
) -> tuple[Values, list[dict[str, str]]]:
    """The values after a change, and what is wrong with it as [{"field": "custom_fields.x", "message"}].

    What `given` does not name stays, values of removed fields included; a blank one is cleared. A required field must
    have a value when a case is created and cannot be cleared later. A value that is stored already is accepted again,
    even if its option has been taken away since.
    """
    by_key = {field.key: field for field in fields if field.removed_at is None}
    merged = dict(stored)
    errors = [_error(key, "There is no such field on this type of case.") for key in given if key not in by_key]
    for key, field in by_key.items():
        if key in given and not (key in stored and given[key] == stored[key]):
            try:
                value = canonical(field, given[key])
            except Refused as refused:
                errors.append(_error(key, refused.message))
                continue
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = value
        if field.required and key not in merged and (creating or key in given):
            errors.append(_error(key, "This field is required."))
    return merged, errors


def visible(fields: Iterable[CustomField], stored: Values) -> Values:
    """What is shown of the stored values: those of fields that are still on the type, in the type's order."""
    shown = sorted((field for field in fields if field.removed_at is None), key=lambda field: field.position)
    return {field.key: stored[field.key] for field in shown if field.key in stored}


def index_rows(field: CustomField, value: Any) -> list[dict[str, Any]]:
    """The rows of `case_field_value` for a kept value, without case and key."""
    empty = {"text": None, "folded": None, "start": None, "number": None, "day": None}
    if field.type in ("number", "money"):
        return [{**empty, "position": 0, "number": Decimal(str(value))}]
    if field.type == "yes_no":
        return [{**empty, "position": 0, "number": Decimal(int(value))}]
    if field.type == "date":
        return [{**empty, "position": 0, "day": dt.date.fromisoformat(value)}]
    words = value if isinstance(value, list) else [value]
    return [
        {**empty, "position": position, "text": word, "folded": fold(word), "start": fold(word)[:START_LENGTH]}
        for position, word in enumerate(words)
    ]


def _text(field: CustomField, value: Any) -> str:
    if not isinstance(value, str) or not is_storable(value):
        raise Refused("wrong_type", "Not a text.")
    if len(value) > LONGEST_TEXT:
        raise Refused("too_long", f"Longer than {LONGEST_TEXT} characters.")
    return value


def _number(field: CustomField, value: Any) -> int | float:
    number = read_decimal(value)
    if number is None:
        raise Refused("wrong_type", "Not a number.")
    if not fits(number) or len(number.normalize().as_tuple().digits) > SIGNIFICANT_DIGITS:
        raise Refused("out_of_range", "At most 12 digits before the point, 6 after it and 15 in all.")
    return int(number) if number == int(number) else float(number)


def _date(field: CustomField, value: Any) -> str:
    day = read_day(value)
    if day is None:
        raise Refused("wrong_type", "Not a date like 2026-01-31.")
    return day.isoformat()


def _yes_no(field: CustomField, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused("wrong_type", "Not true or false.")
    return value


def _choice(field: CustomField, value: Any) -> str:
    if not isinstance(value, str):
        raise Refused("wrong_type", "Not one of the options.")
    if value not in field.options:
        raise Refused("not_an_option", "Not one of the options.")
    return value


def _choices(field: CustomField, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise Refused("wrong_type", "Not a list of options.")
    if set(value) - set(field.options):
        raise Refused("not_an_option", "Holds something that is not one of the options.")
    if len(set(value)) != len(value):
        raise Refused("wrong_type", "Names an option twice.")
    return [option for option in field.options if option in value]


def _money(field: CustomField, value: Any) -> str:
    amount = None if isinstance(value, float) else read_decimal(value)
    if amount is None:
        raise Refused("wrong_type", 'Not an amount like "1250.00".')
    if not fits(amount, decimals=2):
        raise Refused("out_of_range", "At most 12 digits before the point and 2 after it.")
    return f"{amount:.2f}"


def _error(key: str, message: str) -> dict[str, str]:
    return {"field": f"custom_fields.{key}", "message": message}


_READERS: dict[str, Callable[[CustomField, Any], Any]] = {
    "text": _text,
    "number": _number,
    "date": _date,
    "yes_no": _yes_no,
    "choice": _choice,
    "choices": _choices,
    "money": _money,
}

FITTING_QUESTIONS: dict[str, tuple[str, ...]] = {
    "text": ("short_text", "long_text", "phone", "email", "address", "one_choice"),
    "number": ("number",),
    "money": ("number",),
    "date": ("date",),
    "yes_no": ("yes_no", "acknowledgement"),
    "choice": ("one_choice", "short_text"),
    "choices": ("several_choices",),
}
"""Which kinds of question may be mapped to a field of each type."""
