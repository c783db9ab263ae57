"""The fields that the columns of an import fill, and what a row's cells give for those that have several columns: phone
numbers, email addresses and postal addresses. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from services.clients import government_cells
from services.clients.checking import Record
from services.clients.imports.mapping import (
    ADDRESS_FIELDS,
    CUSTOM,
    EMAIL_FIELDS,
    PHONE_FIELDS,
    PHONE_KINDS,
    TEXT_FIELDS,
)
from services.clients.imports.words import read_address_kind, read_country, read_phone_kind
from services.clients.models import ClientAddress

_WORDS = ("kind", "status", "spam", "language", "assigned_staff_id")
_NUMBERS_APART = re.compile(r"\s:::\s|\n|;(?!\s*ext)|\s/\s")
_EMAILS_APART = re.compile(r"\s:::\s|[\n;,]|\s/\s")
"""Between several of one cell: ` ::: ` is Google's, the others are people's."""
_LONGEST_POSTAL = {
    part: ClientAddress.__table__.c[part].type.length for _, part in ADDRESS_FIELDS.values() if part != "kind"
}


@dataclass(frozen=True)
class Fields:
    """The fields that an import's columns and defaults fill, by how they are read."""

    texts: list[str]
    words: list[str]
    custom: list[str]
    phones: list[tuple[str, str | None, str]]
    """Field, the kind it states, the field that states its kind."""
    emails: list[str]
    addresses: list[tuple[str, int, str]]
    """Field, of which address, what of it."""
    government_ids: list[str]

    @classmethod
    def of(cls, names: Collection[str]) -> Fields:
        """Those among the names of fields."""
        kinds = {of: name for name, of in PHONE_KINDS.items()}
        return cls(
            [name for name in TEXT_FIELDS if name in names],
            [name for name in _WORDS if name in names],
            sorted(name for name in names if name.startswith(CUSTOM)),
            [(name, kind, kinds.get(name, "")) for name, kind in PHONE_FIELDS.items() if name in names],
            [name for name in EMAIL_FIELDS if name in names],
            [(name, number, part) for name, (number, part) in ADDRESS_FIELDS.items() if name in names],
            [name for name in government_cells.FIELDS if name in names],
        )


def phones(known: Fields, texts: Mapping[str, str]) -> list[tuple[str, Record]]:
    """(column's field, phone) of each number."""
    found: list[tuple[str, Record]] = []
    for name, stated, kind_field in known.phones:
        if text := texts.get(name):
            kind = stated or (read_phone_kind(texts[kind_field]) if kind_field in texts else None)
            found += [(name, {"number": number, "kind": kind}) for number in _several(text, _NUMBERS_APART)]
    return found


def emails(known: Fields, texts: Mapping[str, str]) -> list[tuple[str, Record]]:
    """(column's field, email address) of each."""
    return [
        (name, {"address": part})
        for name in known.emails
        if name in texts
        for part in _several(texts[name], _EMAILS_APART)
    ]


def _several(text: str, apart: re.Pattern[str]) -> list[str]:
    return [part for each in apart.split(text) if (part := each.strip())] or [text]


def addresses(known: Fields, texts: Mapping[str, str], errors: list[str]) -> list[tuple[int, Record]]:
    """(number in the file, address) of each that holds a text."""
    parts: dict[int, Record] = {}
    for name, number, part in known.addresses:
        if name in texts:
            parts.setdefault(number, {})[part] = texts[name]
            if part in _LONGEST_POSTAL and part != "country" and len(texts[name]) > _LONGEST_POSTAL[part]:
                errors.append(f"too_long:{name}")
    found: list[tuple[int, Record]] = []
    for number, address in parts.items():
        kind = read_address_kind(address.pop("kind", ""))
        if set(address) - {"country"}:
            if "country" in address:
                named = "country" if number == 1 else f"address_{number}_country"
                if (country := read_country(address["country"])) is None:
                    errors.append(f"unknown_country:{named}")
                address["country"] = country
            found.append((number, {"kind": kind or ("primary" if number == 1 else "mailing"), **address}))
    return found
