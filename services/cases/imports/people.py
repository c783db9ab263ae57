"""The clients of the rows of an import: their owner is asked for those of a chunk at once, and makes those who are
nobody yet, under ids that follow from the import and the row, so that asking again makes no second one."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from chassis.imports.seen import SeenKeys
from services.cases.imports.rows import Person, Row


def match_people(
    calls: Any,
    import_id: str,
    rows: Mapping[int, tuple[Row, Sequence[str]]],
    country: str,
    *,
    create: bool,
    earlier: SeenKeys | None = None,
) -> set[str]:
    """Sets the `client_id` of each person of these rows, {number: (row, who is on its case already)}, or adds to the
    row's `people_errors`. Returns the ids of those who were made, or would be. Not inside a transaction.

    `earlier`: the keys of those whom earlier chunks of a preview would have made. Raises Unavailable, DeadlineExceeded.
    """
    for row, _ in rows.values():
        row.people_errors = []
    people = [(row, person) for row, _ in rows.values() for person in row.people]
    if not people:
        return set()
    asked = [
        {
            "row": row.number, "client_id": id_of_new_client(import_id, row.number, person.place),
            "values": person.values, "on_case": list(rows[row.number][1]),
        }
        for row, person in people
    ]  # fmt: skip
    found = calls.clients.match_people(import_id=import_id, people=asked, default_country=country, create=create)
    if earlier is not None:
        earlier.look_up([key for match in found["people"] for key in match["keys"]])
    made = set()
    for (row, person), match in zip(people, found["people"], strict=True):
        if match["errors"] and not _is_known(earlier, match["keys"]):
            row.people_errors += [_named(error, person.place) for error in match["errors"]]
            continue
        person.client_id = match["client_id"] or id_of_new_client(import_id, row.number, person.place)
        if match["created"]:
            made.add(person.client_id)
            if earlier is not None:
                for key in match["keys"]:
                    earlier.add(key, 0)
    if earlier is not None:
        earlier.keep()
    return made


def _is_known(earlier: SeenKeys | None, keys: Sequence[Hashable]) -> bool:
    """Whether an earlier row would have made this client: who says no more of it than how to find it says enough."""
    return earlier is not None and any(earlier.find(key) is not None for key in keys)


def _named(error: str, place: str) -> str:
    """`invalid_phone:phone` of a client as `invalid_phone:client_2.phone`."""
    code, _, field = error.partition(":")
    return f"{code}:{place}" if field == "client" else f"{code}:{place}.{field}"


def id_of_new_client(import_id: str, row: int, place: str) -> str:
    """The id of the client that this place of a row makes: always the same, and as new as the import."""
    digest = hashlib.sha256(f"{import_id}:{row}:{place}".encode()).digest()
    # Of a UUIDv7: the time in front, so that indexes grow at their end.
    made = bytearray(uuid.UUID(import_id).bytes[:6] + digest[:10])
    made[6] = made[6] & 0x0F | 0x70
    made[8] = made[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(made)))


def placed(people: Sequence[Person]) -> list[dict[str, Any]]:
    """The clients of a row as those of a case, each once: who stands in the first place is the primary one."""
    clients: dict[str, dict[str, Any]] = {}
    for number, person in enumerate(people):
        entry = {
            "client_id": person.client_id, "role": "additional" if number else "primary", "label": person.label
        }  # fmt: skip
        clients.setdefault(str(person.client_id), entry)
    return list(clients.values())
