"""What the cells of a file state: days, ids, and values of the fields that a firm defined. Pure."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chassis.cells import plain_text
from chassis.custom_fields import Definition
from chassis.imports.cell_texts import split_texts
from chassis.words import bare_words

ReadDate = Callable[[str], dt.date | None]

_NUMBERS = re.compile(r"([0-9]{1,4})([./-])([0-9]{1,2})\2([0-9]{1,4})")
_SPELT = ("%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y")
DATE_FORMATS = ("month_first", "day_first", "year_first")
"""What an import can be told of its dates, other than `auto`."""
_NO_DATES = frozenset(("0/0/00", "00/00/0000", "0000-00-00"))
"""What Outlook and others write for none."""
_TIME = re.compile(r"[T ][\d:.]+Z?")
_YES = frozenset(("yes", "y", "true", "1", "x", "si", "verdadero"))
_NO = frozenset(("no", "n", "false", "0", "falso"))
_AMOUNT = re.compile(r"[$€£\s,]")


def misfit(cells: Sequence[str], width: int) -> str | None:
    """The error of a row that has not the cells of its header; more of them may be there if they are blank."""
    if len(cells) < width:
        return "row_too_short:row"
    return "row_too_long:row" if any(cell.strip() for cell in cells[width:]) else None


def texts_by_field(cells: Sequence[str], places: Mapping[str, int], defaults: Mapping[str, str]) -> dict[str, str]:
    """What a row states, by field; the defaults stand in for blank cells and missing columns."""
    stated = {name: text for name, place in places.items() if (text := plain_text(cells[place]).strip())}
    return {**defaults, **stated}


def is_no_date(text: str) -> bool:
    """Whether a cell says that there is no date."""
    return text in _NO_DATES


def read_date(text: str, country: str, form: str = "auto") -> dt.date | None:
    """A date as ISO 8601, or as `form` says: `auto` is what the country writes, the month first in the United States,
    elsewhere the day. Two digits of a year are not guessed at."""
    if _TIME.fullmatch(text[10:]):
        text = text[:10]
    if numbers := _NUMBERS.fullmatch(text):
        first, second, third = numbers[1], numbers[3], numbers[4]
        if len(first) == 4:
            return _date(first, second, third)
        if form == "month_first" or (form == "auto" and country == "US"):
            return _date(third, first, second)
        return _date(third, second, first) if form in ("auto", "day_first") else None
    for pattern in _SPELT:
        try:
            return dt.datetime.strptime(text, pattern).date()  # noqa: DTZ007 - a day, not an instant
        except ValueError:
            continue
    return None


def _date(year: str, month: str, day: str) -> dt.date | None:
    try:
        return dt.date(int(year), int(month), int(day)) if len(year) == 4 and len(day) <= 2 else None
    except ValueError:
        return None


def read_id(text: str) -> str | None:
    """An id in its usual form."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def read_yes_no(text: str) -> bool | None:
    """Whether a cell says yes or no; None if it says neither."""
    word = bare_words(text)
    return True if word in _YES else False if word in _NO else None


def read_amount(text: str) -> str:
    """A number as a cell has it, without what a currency and thousands put into it."""
    return _AMOUNT.sub("", text)


def read_cell(field: Definition, text: str, read_date: ReadDate) -> Any:
    """The value that a cell states, or the text itself where it states none of the field's type."""
    if field.type == "yes_no":
        said = read_yes_no(text)
        return text if said is None else said
    if field.type == "date":
        day = read_date(text)
        return text if day is None else day.isoformat()
    if field.type in ("number", "money"):
        return read_amount(text)
    if field.type == "choice":
        return _option(field, text)
    if field.type == "choices":
        return list(_options(field, text))
    return text


def _options(field: Definition, text: str) -> Iterator[str]:
    """The options that are meant. A comma is between two, unless there is an option with it."""
    for part in split_texts(text, commas=False):
        option = _option(field, part)
        if option in field.options:
            yield option
        else:
            yield from (_option(field, word) for word in split_texts(part))


def _option(field: Definition, text: str) -> str:
    """The option that is meant: the very same, else the only one that is the same without regard to case, or to accents
    and signs. (`A` means neither `A+` nor `A-`.)"""
    if text in field.options:
        return text
    for folded in (str.casefold, bare_words):
        alike = [str(option) for option in field.options if folded(option) == folded(text)]
        if len(alike) == 1:
            return alike[0]
    return text
