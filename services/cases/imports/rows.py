"""One row of a file as the fields of a case and the clients on it, or as what is wrong with it. Pure: nothing is looked
up but what the firm is known to have. What depends on the type of a case (its status and its custom fields) is read
when it is known which case the row is of."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from chassis.columns import fits
from chassis.custom_fields import merge
from chassis.filters.values import read_decimal
from chassis.imports.cell_texts import split_texts
from chassis.imports.cells import is_no_date, misfit, read_amount, read_cell, read_date, read_yes_no, texts_by_field
from chassis.words import UnfitText, clean_text
from services.cases.imports.fields import CUSTOM, KEY_DATE, KEY_DATES, LABEL, LONGEST_LABEL, PEOPLE_FIELDS, PLACES
from services.cases.imports.known import KnownStaff, KnownType, KnownTypes
from services.cases.key_dates import Dates

Record = dict[str, Any]
Key = tuple[str, ...]
"""By what a case is known: ("number", it) or ("external", source, id)."""

OWN_SOURCE = "import"
"""The `external_source` of a row that has an external id and names no source."""
_TEXTS = {
    "number": 60, "name": 200, "description": 20_000, "source": 120, "external_source": 60, "external_source_id": 120,
}  # fmt: skip
"""The longest of each."""
_CLEARED: Record = {"description": None, "source": None, "value": None, "responsible_staff": None, "staff": []}
_COLUMN_OF = {"responsible_staff": "responsible_staff_id", "staff": "staff_ids"}
_MOST_STAFF = 50
MOST_KEY_DATES = 50
_LONGEST_CLIENT_LABEL = 60
_LONGEST_OF_A_CLIENT = 1000
_DAY = re.compile(r"(.*?)[:,]?\s*(\d{1,4}[./-]\d{1,2}[./-]\d{1,4})")
_LONGEST_KEY_DATE = 300
"""A label and a day. Where there is no day at the end, a text of 30,000 blanks was looked at for eight seconds."""


@dataclass
class Person:
    """A client as the row has it: `place` is `client`, `client_2` …; `client_id` is known once its owner was asked."""

    place: str
    values: dict[str, str]
    label: str | None = None
    client_id: str | None = None


@dataclass
class Row:
    """One row: its number, its fields as they are kept, and its errors (`code:field`). A field with an empty cell is
    left out; where an empty cell clears, it is null or an empty list. `case_type`, `status` and `custom` wait for the
    case, as do `people_errors`; `cleared_dates` are labels of key dates that empty cells clear; `refused`
    the clients of a row that the database would not take."""

    number: int
    fields: Record = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    people_errors: list[str] = field(default_factory=list)
    case_type: KnownType | None = None
    status: str | None = None
    custom: dict[str, str | None] = field(default_factory=dict)
    cleared_dates: list[str] = field(default_factory=list)
    refused: list[Person] = field(default_factory=list)

    @property
    def keys(self) -> list[Key]:
        """The external id first."""
        keys: list[Key] = []
        if self.fields.get("external_source_id"):
            keys.append(("external", self.fields["external_source"], self.fields["external_source_id"]))
        if self.fields.get("number"):
            keys.append(("number", self.fields["number"]))
        return keys


@dataclass(frozen=True)
class RowReader:
    """How the rows of one import are read: `places` holds each field's column, `defaults` what an empty cell means,
    `dates` is `auto` or one of `cells.DATE_FORMATS`. If it `clears`, an empty cell without a default clears its field.
    """

    width: int
    places: Mapping[str, int]
    defaults: Mapping[str, str]
    country: str
    now: dt.datetime
    types: KnownTypes
    staff: KnownStaff
    dates: str = "auto"
    clears: bool = False

    def read(self, number: int, cells: Sequence[str]) -> Row:
        """The row as a case."""
        row = Row(number)
        if error := misfit(cells, self.width):
            row.errors.append(error)
            return row
        texts = texts_by_field(cells, self.places, self.defaults)
        self._read_texts(row, texts)
        self._read_staff(row, texts)
        self._read_rest(row, texts)
        row.fields.update(self._key_dates(row, texts))
        row.people = self._people(row, texts)
        row.custom = {name.removeprefix(CUSTOM): texts[name] for name in self._custom if name in texts}
        if self.clears:
            self._clear(row, texts)
        return row

    @cached_property
    def _custom(self) -> list[str]:
        return sorted(name for name in {*self.places, *self.defaults} if name.startswith(CUSTOM))

    @cached_property
    def _labelled_dates(self) -> list[str]:
        return [name for name in {**self.places, **self.defaults} if name.startswith(KEY_DATE)]

    def _read_texts(self, row: Row, texts: Mapping[str, str]) -> None:
        for name, longest in _TEXTS.items():
            if name in texts:
                text = _clean(texts[name], name, longest, row.errors, lines=name == "description")
                if text is not None:
                    row.fields[name] = text
        if "external_source_id" in row.fields:
            row.fields.setdefault("external_source", OWN_SOURCE)
        else:
            row.fields.pop("external_source", None)

    def _read_staff(self, row: Row, texts: Mapping[str, str]) -> None:
        if "responsible_staff" in texts:
            row.fields["responsible_staff_id"] = self._staff_member(
                texts["responsible_staff"], "responsible_staff", row
            )
        if "staff" in texts:
            ids: list[str] = []
            for part in split_texts(texts["staff"], commas=False):
                # Names may be apart by commas, or have one: `Lee, Ann`.
                several = [part] if self.staff.find(part) else split_texts(part)
                ids += [id_ for text in several if (id_ := self._staff_member(text, "staff", row))]
            row.fields["staff_ids"] = list(dict.fromkeys(ids))
            if len(row.fields["staff_ids"]) > _MOST_STAFF:
                row.errors.append("too_many:staff")

    def _staff_member(self, text: str, name: str, row: Row) -> str | None:
        found = self.staff.find(text)
        if len(found) != 1:
            error = f"{'several_staff' if found else 'unknown_staff'}:{name}"
            row.errors += [] if error in row.errors else [error]
            return None
        return next(iter(found))

    def _read_rest(self, row: Row, texts: Mapping[str, str]) -> None:
        if "case_type" in texts:
            row.case_type = self.types.find(texts["case_type"])
            if row.case_type is None:
                row.errors.append("unknown_case_type:case_type")
        row.status = texts.get("status")
        if "value" in texts:
            value = read_decimal(read_amount(texts["value"]))
            if value is None:
                row.errors.append("invalid_number:value")
            elif not fits(value, decimals=2):
                row.errors.append("out_of_range:value")
            else:
                row.fields["value"] = value.quantize(Decimal("0.01"))
        if "archived" in texts:
            archived = read_yes_no(texts["archived"])
            if archived is None:
                row.errors.append("unknown_word:archived")
            else:
                row.fields["archived"] = archived

    def _key_dates(self, row: Row, texts: Mapping[str, str]) -> Record:
        dates: Dates = []
        for name in self._labelled_dates:
            if name in texts and not is_no_date(texts[name]):
                day = self.day(texts[name])
                if day is None:
                    row.errors.append(f"invalid_date:{name}")
                else:
                    dates.append({"label": name.removeprefix(KEY_DATE).strip(), "day": day})
        for part in split_texts(texts.get(KEY_DATES, ""), commas=False):
            match = _DAY.fullmatch(part) if len(part) <= _LONGEST_KEY_DATE else None
            day = self.day(match[2]) if match else None
            label = _clean(match[1], KEY_DATES, LONGEST_LABEL, row.errors) if match else None
            if day is None or label is None:
                row.errors += [] if f"invalid_date:{KEY_DATES}" in row.errors else [f"invalid_date:{KEY_DATES}"]
            elif {"label": label, "day": day} not in dates:
                dates.append({"label": label, "day": day})
        if len(dates) > MOST_KEY_DATES:
            row.errors.append(f"too_many:{KEY_DATES}")
        return {KEY_DATES: dates} if dates else {}

    def day(self, text: str) -> dt.date | None:
        """The day that a cell states."""
        return read_date(text, self.country, self.dates)

    def _people(self, row: Row, texts: Mapping[str, str]) -> list[Person]:
        people: dict[str, Person] = {}
        labels: dict[str, str] = {}
        for name, (place, part) in PEOPLE_FIELDS.items():
            if name not in texts:
                continue
            if part == LABEL:
                label = _clean(texts[name], name, _LONGEST_CLIENT_LABEL, row.errors)
                labels |= {place: label} if label else {}
            elif len(texts[name]) > _LONGEST_OF_A_CLIENT:
                row.errors.append(f"too_long:{name}")
            else:
                people.setdefault(place, Person(place, {})).values[part] = texts[name]
        for place, person in people.items():
            # Who is named by nothing but what many may share is nobody: a default language or source.
            if not set(person.values) - {"language", "kind", "external_source"}:
                person.values.clear()
            person.label = labels.get(place)
        found = [people[place] for place in PLACES if place in people and people[place].values]
        if found and found[0].place != PLACES[0]:
            row.errors.append("required:client")
        return found

    def _clear(self, row: Row, texts: Mapping[str, str]) -> None:
        """Adds what empty cells clear."""
        for name, nothing in _CLEARED.items():
            if name in self.places and name not in texts:
                row.fields[_COLUMN_OF.get(name, name)] = nothing
        row.cleared_dates = [
            name.removeprefix(KEY_DATE).strip()
            for name in self._labelled_dates
            if name in self.places and name not in texts
        ]
        row.custom |= {name.removeprefix(CUSTOM): None for name in self._custom if name not in texts}

    def custom_values(self, row: Row, known: KnownType, stored: Record, *, new: bool) -> tuple[Record, list[str]]:
        """The custom fields of a case of this type after the row, and what is wrong with them."""
        by_key = {each.key: each for each in known.fields if each.removed_at is None}
        given = {
            key: text if text is None or key not in by_key else read_cell(by_key[key], text, self.day)
            for key, text in row.custom.items()
            # A column may belong to other types of case than this one.
            if text is not None or key in by_key
        }
        values, problems = merge(known.fields, stored, given, creating=new, of="this type of case")
        return values, [f"{code}:{path}" for path, code, _ in problems]


def _clean(text: str, name: str, longest: int, errors: list[str], *, lines: bool = False) -> str | None:
    try:
        cleaned = clean_text(text, lines=lines)
    except UnfitText:
        errors.append(f"invalid_text:{name}")
        return None
    if cleaned is not None and len(cleaned) > longest:
        errors.append(f"too_long:{name}")
        return None
    return cleaned
