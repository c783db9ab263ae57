"""Government ids as a cell of a table holds them: `ssn/US 123-45-6789; passport AB12345`. Pure.

A kind, the country if it is stated, and the number; several apart by `;`. A column of one kind holds numbers alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chassis.imports.cell_texts import joined_texts, split_texts
from chassis.words import bare_number
from contracts.clients import GOVERNMENT_IDS

FIELD = "government_ids"
OF_KIND = {f"{FIELD}.{kind}": kind for kind in GOVERNMENT_IDS}
"""Fields of an import that take the numbers of one kind."""
FIELDS = (FIELD, *OF_KIND)
MOST = 10
_LONGEST = 60
_ENTRY = re.compile(r"(\w+)(?:/([A-Za-z]{2}))?:?\s+(\S.*)", re.DOTALL)

Entry = dict[str, Any]


def written(ids: Iterable[Mapping[str, Any]] | None) -> str:
    """The cell for a client's ids."""
    return joined_texts(
        f"{entry['kind']}{'/' + entry['country'] if entry['country'] else ''} {entry['number']}" for entry in ids or ()
    )


def read_ids(cells: Mapping[str, str], columns: Sequence[str], errors: list[str]) -> list[Entry]:
    """The ids that the cells of these columns state, each once. Adds to `errors` what is no id."""
    found: list[Entry] = []
    for column in columns:
        for text in split_texts(cells[column]) if column in cells else ():
            entry = _read(text, OF_KIND.get(column))
            if entry is None:
                errors.append(f"unknown_government_id:{column}")
            elif len(entry["number"]) > _LONGEST:
                errors.append(f"too_long:{column}")
            elif entry not in found:
                found.append(entry)
    if len(found) > MOST:
        errors.append(f"too_many:{FIELD}")
    return found


def _read(text: str, kind: str | None) -> Entry | None:
    if kind is not None:
        return {"kind": kind, "number": " ".join(text.split()), "country": None}
    match = _ENTRY.fullmatch(text)
    if match is None or match[1].lower() not in GOVERNMENT_IDS:
        return None
    return {
        "kind": match[1].lower(), "number": " ".join(match[3].split()), "country": match[2] and match[2].upper(),
    }  # fmt: skip


def with_ids(known: Sequence[Entry], given: Iterable[Entry]) -> list[Entry]:
    """The known ids, and those of the given that are not among them. One that names no country may be that of any."""
    result = list(known)
    for entry in given:
        if not any(_is_same(entry, other) for other in result):
            result.append(entry)
    return result


def _is_same(given: Entry, known: Entry) -> bool:
    return (
        given["kind"] == known["kind"]
        and bare_number(given["number"]) == bare_number(known["number"])
        and given["country"] in (None, known["country"])
    )
