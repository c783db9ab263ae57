"""The custom fields of cases: how filters find their values, and which questions may be mapped to them. What values a
field takes is `chassis.custom_fields`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from chassis.custom_fields import Values, merge
from chassis.texts import START_LENGTH, fold
from services.cases.models import CustomField


def merged(
    fields: Iterable[CustomField], stored: Values, given: Mapping[str, Any], *, creating: bool
) -> tuple[Values, list[dict[str, str]]]:
    """`chassis.custom_fields.merge` for a case: what is wrong as [{"field": "custom_fields.x", "message"}]."""
    values, problems = merge(fields, stored, given, creating=creating, of="this type of case")
    return values, [{"field": path, "message": message} for path, _, message in problems]


_EMPTY = {"text": None, "folded": None, "start": None, "number": None, "day": None}


def words_of(field: CustomField, value: Any) -> list[Any]:
    """The single values of a value in clear, as a filter has them."""
    if field.type in ("number", "money"):
        return [Decimal(str(value))]
    return value if isinstance(value, list) else [value]


def sealed_rows(hashes: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of `case_field_value` for a sensitive value, by its blind indexes, without case and key."""
    return [{**_EMPTY, "position": position, "start": start} for position, start in enumerate(hashes)]


def index_rows(field: CustomField, value: Any) -> list[dict[str, Any]]:
    """The rows of `case_field_value` for a value in clear, without case and key."""
    if field.type in ("number", "money"):
        return [{**_EMPTY, "position": 0, "number": Decimal(str(value))}]
    if field.type == "yes_no":
        return [{**_EMPTY, "position": 0, "number": Decimal(int(value))}]
    if field.type == "date":
        return [{**_EMPTY, "position": 0, "day": dt.date.fromisoformat(value)}]
    return [
        {**_EMPTY, "position": position, "text": word, "folded": fold(word), "start": fold(word)[:START_LENGTH]}
        for position, word in enumerate(words_of(field, value))
    ]


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
