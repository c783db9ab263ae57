"""One row of a file as the fields of a client, or as what is wrong with it. Pure: nothing is looked up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from chassis.custom_fields import Definition
from chassis.imports.cell_texts import split_texts
from chassis.imports.cells import is_no_date, misfit, read_cell, read_date, read_id, texts_by_field
from services.clients import government_cells
from services.clients.addresses import email_key
from services.clients.checking import Record, normalise_fields
from services.clients.imports.fields import Fields, addresses, emails, phones
from services.clients.imports.mapping import CUSTOM, MOST_OF_A_LIST, TEXT_FIELDS
from services.clients.imports.words import read_word
from services.clients.models import Client
from services.clients.names import name_key

OWN_SOURCE = "import"
"""The `external_source` of a row that has an external id and names no source."""
_CAN_BE_CLEARED = (
    "first_name", "middle_name", "last_name", "company_name", "occupation", "industry", "referral_source",
    "special_requirements", "flag_reason", "date_of_birth", "language", "time_zone", "assigned_staff_id",
)  # fmt: skip
_LISTS = ("phones", "emails", "addresses")
MOST_TAGS = 50
_LONGEST_TAG = 60
_LONGEST_EMAIL = 320

Key = tuple[str, ...]
"""What two records of the same client have in common: ("id", its own), ("external", source, id), ("phone", number),
("email", key), or ("person", name key, date of birth or postal code)."""


@dataclass
class Row:
    """One row: its number, its fields as they are kept, and its errors (`code:field`). A field with an empty cell is
    left out; where an empty cell clears, it is null or an empty list. `new`: what `matching.new_record` makes of
    it, where that was made ahead."""

    number: int
    fields: Record = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    new: tuple[Record, list[str]] | None = None


@dataclass(frozen=True)
class RowReader:
    """How the rows of one import are read: `places` holds each field's column, `defaults` what an empty cell means,
    `dates` is `auto` or one of `cells.DATE_FORMATS`. If it `clears`, an empty cell without a default clears its
    field. `staff` are the ids that a client may be assigned to, None if any.
    """

    width: int
    places: Mapping[str, int]
    defaults: Mapping[str, str]
    country: str
    now: dt.datetime
    dates: str = "auto"
    clears: bool = False
    own_fields: Sequence[Definition] = ()
    staff: frozenset[str] | None = None

    def read(self, number: int, cells: Sequence[str]) -> Row:
        """The row as fields of a client."""
        row = Row(number)
        if error := misfit(cells, self.width):
            row.errors.append(error)
            return row
        texts = texts_by_field(cells, self.places, self.defaults)
        sources: dict[str, str] = {}
        given = self._given(texts, sources, row.errors)
        row.fields, problems = normalise_fields(given, self.now, country=self.country, fields=self.own_fields)
        # The same number in two columns is a habit of exports, not a mistake; it is kept once.
        row.errors += [f"{code}:{_named(path, sources)}" for path, code, _ in problems if code != "given_twice"]
        row.errors += _too_long(row.fields)
        own_id = read_id(texts["id"]) if "id" in texts else None
        if "id" in texts and own_id is None:
            row.errors.append("invalid_id:id")
        if not row.errors:
            row.keys = [*([("id", own_id)] if own_id else ()), *keys_of(row.fields)]
            if self.clears:
                self._clear(row, texts)
        return row

    @property
    def filled(self) -> list[Definition]:
        """The firm's own fields that rows may fill."""
        return [field for field in self.own_fields if f"{CUSTOM}{field.key}" in self._fields.custom]

    @cached_property
    def _fields(self) -> Fields:
        return Fields.of(self.places.keys() | self.defaults.keys())

    def _given(self, texts: Mapping[str, str], sources: dict[str, str], errors: list[str]) -> Record:
        """The fields as the API takes them. Adds to `sources` which column's field an entry of a list came from."""
        known = self._fields
        given: Record = {name: texts[name] for name in known.texts if name in texts}
        for name in known.words:
            if name in texts:
                word = read_word(name, texts[name])
                if name == "assigned_staff_id" and self.staff is not None and word not in self.staff:
                    word = None
                _take(given, errors, name, word, f"unknown_{name}")
        if "full_name" in given:
            sources.update(dict.fromkeys(_split_name(given), "full_name"))
        if "date_of_birth" in texts and not is_no_date(texts["date_of_birth"]):
            date = read_date(texts["date_of_birth"], self.country, self.dates)
            _take(given, errors, "date_of_birth", date, "invalid_date")
        if "time_zone" in texts:
            given["time_zone"] = texts["time_zone"]
        if "tags" in texts:
            given["tags"] = split_texts(texts["tags"])
        if known.government_ids and (ids := government_cells.read_ids(texts, known.government_ids, errors)):
            given[government_cells.FIELD] = ids
        if "external_source_id" in given:
            given.setdefault("external_source", OWN_SOURCE)
        else:
            given.pop("external_source", None)
        custom = {name.removeprefix(CUSTOM): texts[name] for name in known.custom if name in texts}
        if custom:
            given["custom_fields"] = {key: self._custom(key, text) for key, text in custom.items()}
        lists = (
            ("phones", "number", phones(known, texts)),
            ("emails", "address", emails(known, texts)),
        )
        for name, part, entries in lists:
            if entries:
                given[name] = [entry for _, entry in entries]
                sources.update((f"{name}.{place}.{part}", column) for place, (column, _) in enumerate(entries))
        if known.addresses and (found := addresses(known, texts, errors)):
            given["addresses"] = [address for _, address in found]
            for place, (number, _) in enumerate(found):
                sources.update(
                    (f"addresses.{place}.{part}", name) for name, of, part in known.addresses if of == number
                )
        return given

    def _custom(self, key: str, text: str) -> Any:
        field = next((field for field in self.own_fields if field.key == key), None)
        return text if field is None else read_cell(field, text, lambda date: read_date(date, self.country, self.dates))

    def _clear(self, row: Row, texts: Mapping[str, str]) -> None:
        """Adds what empty cells clear, and to the errors what cannot be cleared."""
        known, fields = self._fields, row.fields
        fields.update((name, None) for name in _CAN_BE_CLEARED if name in self.places and name not in texts)
        for name, columns in (
            ("phones", [column for column, *_ in known.phones]), ("emails", known.emails),
            ("addresses", [column for column, *_ in known.addresses]), ("tags", ["tags"]),
            (government_cells.FIELD, known.government_ids),
        ):  # fmt: skip
            mapped = [column for column in columns if column in self.places]
            if mapped and not any(column in texts for column in columns):
                fields[name] = []
        cleared = {name.removeprefix(CUSTOM): None for name in known.custom if name not in texts}
        if cleared:
            fields["custom_fields"] = {**cleared, **fields.get("custom_fields", {})}
            required = [field.key for field in self.own_fields if field.required and field.key in cleared]
            row.errors += [f"required:{CUSTOM}{key}" for key in required]


def keys_of(record: Record) -> list[Key]:
    """By what the client of a row is found, the external id first."""
    keys: list[Key] = []
    if record.get("external_source_id"):
        keys.append(("external", record["external_source"], record["external_source_id"]))
    keys += [("phone", phone["number"]) for phone in record.get("phones") or ()]
    keys += [("email", email_key(email["address"])) for email in record.get("emails") or ()]
    born = record.get("date_of_birth")
    codes = [address["postal_code"] for address in record.get("addresses") or () if address["postal_code"]]
    if (born or codes) and (name := name_key(record)):
        if born:
            keys.append(("person", name, born.isoformat()))
        keys += [("person", name, code) for code in codes]
    return keys


def _take(given: Record, errors: list[str], name: str, value: object, code: str) -> None:
    if value is None:
        errors.append(f"{code}:{name}")
    else:
        given[name] = value


def _split_name(given: Record) -> tuple[str, ...]:
    """Fills first and last name from the full one where the row has none: `Lee, Ann` or `Ann Mary Lee`. A business
    without a name is called by it as a whole. Returns what it filled."""
    full = given.pop("full_name")
    if given.get("first_name") or given.get("last_name"):
        return ()
    if given.get("kind") == "business" and not given.get("company_name"):
        given["company_name"] = full
        return ("company_name",)
    if "," in full:
        last, _, first = full.partition(",")
    else:
        first, _, last = full.rpartition(" ") if " " in full else (full, "", "")
    given["first_name"], given["last_name"] = first.strip() or None, last.strip() or None
    return ("first_name", "last_name")


def _named(path: str, sources: Mapping[str, str]) -> str:
    """The column's field that a path of the API names."""
    if path in sources:
        return sources[path]
    start = path.partition(".")[0]
    if start == "addresses":
        place = path.split(".")[1]
        return next((name for of, name in sources.items() if of.startswith(f"addresses.{place}.")), start)
    return path if start == CUSTOM.rstrip(".") else start


_LONGEST = {name: column.type.length for name, column in Client.__table__.c.items() if name in TEXT_FIELDS}


def _too_long(record: Record) -> list[str]:
    errors = [
        f"too_long:{name}" for name, text in record.items() if name in _LONGEST and text and len(text) > _LONGEST[name]
    ]
    tags = record.get("tags") or ()
    if len(tags) > MOST_TAGS or any(len(tag) > _LONGEST_TAG for tag in tags):
        errors.append("too_long:tags")
    if any(len(email["address"]) > _LONGEST_EMAIL for email in record.get("emails") or ()):
        errors.append("too_long:email")
    return errors + [f"too_many:{name}" for name in _LISTS if len(record.get(name) or ()) > MOST_OF_A_LIST]
