"""One row of a file as the fields of a client, or as what is wrong with it. Pure: nothing is looked up."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chassis.cells import plain_text
from contracts.clients import CLIENT_STATUSES
from services.clients.addresses import email_key
from services.clients.checking import Record, normalise_fields
from services.clients.import_mapping import ADDRESS_FIELDS, CUSTOM, EMAIL_FIELDS, PHONE_FIELDS, TEXT_FIELDS
from services.clients.models import Client, ClientAddress
from services.clients.names import fold, name_key

OWN_SOURCE = "import"
"""The `external_source` of a row that has an external id and names no source."""
_KINDS = {"individual": "individual", "person": "individual", "business": "business", "company": "business"}
_LANGUAGES = {"english": "en", "spanish": "es", "espanol": "es", "french": "fr", "portuguese": "pt", "chinese": "zh"}
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_COUNTRIES = {"usa": "US", "united states": "US", "united states of america": "US", "canada": "CA", "mexico": "MX"}
_MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y")
_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y")
_LONGEST_TAG, _MOST_TAGS = 60, 50
_LONGEST_EMAIL = 320

Key = tuple[str, ...]
"""What two records of the same client have in common: ("phone", number), ("email", key), ("external", source, id), or
("person", name key, date of birth or postal code)."""


@dataclass
class Row:
    """One row: its number, its fields as they are kept (those with an empty cell left out), and its errors
    (`code:field`)."""

    number: int
    fields: Record = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)


@dataclass(frozen=True)
class RowReader:
    """How the rows of one import are read: `places` holds each field's column, `defaults` what an empty cell means."""

    width: int
    places: Mapping[str, int]
    defaults: Mapping[str, str]
    country: str
    now: dt.datetime

    def read(self, number: int, cells: Sequence[str]) -> Row:
        """The row as fields of a client."""
        row = Row(number)
        if len(cells) < self.width:
            row.errors.append("row_too_short:row")
        elif any(cell.strip() for cell in cells[self.width :]):
            row.errors.append("row_too_long:row")
        if row.errors:
            return row
        texts = {name: text for name, place in self.places.items() if (text := plain_text(cells[place]).strip())}
        given, sources = self._given({**self.defaults, **texts}, row.errors)
        row.fields, problems = normalise_fields(given, self.now, country=self.country)
        # The same number in two columns is a habit of exports, not a mistake; it is kept once.
        row.errors += [f"{code}:{_named(path, sources)}" for path, code, _ in problems if code != "given_twice"]
        row.errors += _too_long(row.fields)
        if not row.errors:
            row.keys = keys_of(row.fields)
        return row

    def _given(self, texts: Mapping[str, str], errors: list[str]) -> tuple[Record, dict[str, str]]:
        """The fields as the API takes them, and which column's field an entry of a list came from."""
        given: Record = {name: texts[name] for name in TEXT_FIELDS if name in texts}
        if "full_name" in given:
            _split_name(given)
        for name, read in (("kind", _kind), ("status", _status), ("language", _language)):
            if name in texts:
                _take(given, errors, name, read(texts[name]), f"unknown_{name}")
        if "date_of_birth" in texts:
            _take(given, errors, "date_of_birth", read_date(texts["date_of_birth"], self.country), "invalid_date")
        if "time_zone" in texts:
            given["time_zone"] = texts["time_zone"]
        if "tags" in texts:
            given["tags"] = [tag for tag in re.split(r"[;,|]", texts["tags"]) if tag.strip()]
        if "external_source_id" in given:
            given.setdefault("external_source", OWN_SOURCE)
        else:
            given.pop("external_source", None)
        custom = {name.removeprefix(CUSTOM): text for name, text in texts.items() if name.startswith(CUSTOM)}
        if custom:
            given["custom_fields"] = custom
        self._address(given, texts, errors)
        return given, self._lists(given, texts)

    def _address(self, given: Record, texts: Mapping[str, str], errors: list[str]) -> None:
        address: Record = {part: texts[name] for name, part in ADDRESS_FIELDS.items() if name in texts}
        if not set(address) - {"country"}:
            return
        if "country" in address:
            country = _country(address.pop("country"))
            _take(address, errors, "country", country, "unknown_country")
        given["addresses"] = [{"kind": "primary", **address}]

    def _lists(self, given: Record, texts: Mapping[str, str]) -> dict[str, str]:
        sources: dict[str, str] = {}
        phones: list[Record] = []
        for name, kind in PHONE_FIELDS.items():
            if name in texts:
                sources[f"phones.{len(phones)}.number"] = name
                phones.append({"number": texts[name], "kind": kind})
        emails: list[Record] = []
        for name in EMAIL_FIELDS:
            if name in texts:
                sources[f"emails.{len(emails)}.address"] = name
                emails.append({"address": texts[name]})
        if phones:
            given["phones"] = phones
        if emails:
            given["emails"] = emails
        return sources


def keys_of(record: Record) -> list[Key]:
    """By what the client of a row is found, the external id first."""
    keys: list[Key] = []
    if record.get("external_source_id"):
        keys.append(("external", record["external_source"], record["external_source_id"]))
    keys += [("phone", phone["number"]) for phone in record.get("phones") or ()]
    keys += [("email", email_key(email["address"])) for email in record.get("emails") or ()]
    name = name_key(record)
    if name and record.get("date_of_birth"):
        keys.append(("person", name, record["date_of_birth"].isoformat()))
    if name:
        codes = (address["postal_code"] for address in record.get("addresses") or ())
        keys += [("person", name, code) for code in codes if code]
    return keys


def read_date(text: str, country: str) -> dt.date | None:
    """A date as ISO 8601, or as the country writes it: the month first in the United States, elsewhere the day. Two
    digits of a year are not guessed at."""
    try:
        return dt.date.fromisoformat(text[:10] if text[10:].strip(" T0:.Z") == "" else text)
    except ValueError:
        pass
    for form in (*(_MONTH_FIRST if country == "US" else _DAY_FIRST), "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y"):
        try:
            return dt.datetime.strptime(text, form).date()  # noqa: DTZ007 - a day, not an instant
        except ValueError:
            continue
    return None


def _take(given: Record, errors: list[str], name: str, value: object, code: str) -> None:
    if value is None:
        errors.append(f"{code}:{name}")
    else:
        given[name] = value


def _split_name(given: Record) -> None:
    """Fills first and last name from the full one where the row has none: `Lee, Ann` or `Ann Mary Lee`."""
    full = given.pop("full_name")
    if given.get("first_name") or given.get("last_name"):
        return
    if "," in full:
        last, _, first = full.partition(",")
    else:
        first, _, last = full.rpartition(" ") if " " in full else (full, "", "")
    given["first_name"], given["last_name"] = first.strip() or None, last.strip() or None


def _kind(text: str) -> str | None:
    return _KINDS.get(fold(text))


def _status(text: str) -> str | None:
    status = fold(text)
    return status if status in CLIENT_STATUSES else None


def _language(text: str) -> str | None:
    named = _LANGUAGES.get(fold(text))
    code = "-".join(part.upper() if place else part.lower() for place, part in enumerate(re.split("[-_]", text)))
    return named or (code if _LANGUAGE.fullmatch(code) else None)


def _country(text: str) -> str | None:
    if re.fullmatch(r"[A-Za-z]{2}", text):
        return text.upper()
    return _COUNTRIES.get(fold(text))


def _named(path: str, sources: Mapping[str, str]) -> str:
    """The column's field that a path of the API names."""
    if path in sources:
        return sources[path]
    start, _, rest = path.partition(".")
    if start == "addresses":
        part = rest.rpartition(".")[2]
        return next((name for name, of in ADDRESS_FIELDS.items() if of == part), start)
    return path if start == CUSTOM.rstrip(".") else start


_LONGEST = {name: column.type.length for name, column in Client.__table__.c.items() if name in TEXT_FIELDS}
_LONGEST_POSTAL = {name: ClientAddress.__table__.c[part].type.length for name, part in ADDRESS_FIELDS.items()}


def _too_long(record: Record) -> list[str]:
    errors = [f"too_long:{name}" for name, most in _LONGEST.items() if len(record.get(name) or "") > most]
    for address in record.get("addresses") or ():
        errors += [
            f"too_long:{name}"
            for name, part in ADDRESS_FIELDS.items()
            if len(address[part] or "") > _LONGEST_POSTAL[name]
        ]
    tags = record.get("tags") or ()
    if len(tags) > _MOST_TAGS or any(len(tag) > _LONGEST_TAG for tag in tags):
        errors.append("too_long:tags")
    if any(len(email["address"]) > _LONGEST_EMAIL for email in record.get("emails") or ()):
        errors.append("too_long:email")
    return errors
