"""A cell of a file as the value of a field that the firm defined. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chassis.custom_fields import Definition
from services.clients.cell_texts import split_texts
from services.clients.models import ClientField
from services.clients.names import fold

ReadDate = Callable[[str], dt.date | None]

_YES = frozenset(("yes", "y", "true", "1", "x", "si", "verdadero"))
_NO = frozenset(("no", "n", "false", "0", "falso"))
_AMOUNT = re.compile(r"[$€£\s,]")


def fields_of_import(fields: Sequence[Definition], keys: Iterable[str]) -> list[Definition]:
    """The firm's fields, and as texts those that the import would define."""
    known = {field.key: field for field in fields}
    new = [key for key in keys if key not in known]
    # One that was removed comes back as it was.
    back = {key: _as_defined(known[key]) for key in keys if key in known and known[key].removed_at is not None}
    missing: list[Definition] = [ClientField(key=key, type="text", required=False, options=[]) for key in new]
    return [back.get(field.key, field) for field in fields] + missing


def _as_defined(field: Definition) -> ClientField:
    return ClientField(key=field.key, type=field.type, required=field.required, options=field.options)


def read_cell(field: Definition, text: str, read_date: ReadDate) -> Any:
    """The value that a cell states, or the text itself where it states none of the field's type."""
    if field.type == "yes_no":
        folded = fold(text)
        return True if folded in _YES else False if folded in _NO else text
    if field.type == "date":
        day = read_date(text)
        return text if day is None else day.isoformat()
    if field.type in ("number", "money"):
        return _AMOUNT.sub("", text)
    if field.type == "choice":
        return _option(field, text)
    if field.type == "choices":
        return [_option(field, part) for part in split_texts(text, commas=False)]
    return text


def _option(field: Definition, text: str) -> str:
    """The option that is meant, without regard to case and accents."""
    return next((str(option) for option in field.options if fold(option) == fold(text)), text)
