"""What the earlier rows of a file would have made, for a preview: it writes nothing, and a later row may be the same
client again."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable
from typing import Any

from chassis.imports.seen import SeenKeys
from services.clients.checking import Record
from services.clients.imports.rows import Key


class EarlierRows:
    """The clients that earlier chunks would have made, by their keys. (A run finds them in the database.)

    Of the rows only hashes are kept. To be closed.
    """

    def __init__(self) -> None:
        self._keys = SeenKeys()
        self._external_ids = array("q")
        self._last_rows = array("q")

    def close(self) -> None:
        """Forgets all."""
        self._keys.close()

    def look_up(self, keys: Collection[Key]) -> None:
        """Makes `find` ready for these keys and those that are added until `keep`."""
        self._keys.look_up(keys)

    def find(self, key: Key) -> int | None:
        """The number of the client with this key."""
        return self._keys.find(key)

    def add(self, record: Record, keys: Iterable[Key], row: Record) -> None:
        """Remembers a client that would have been created by a row."""
        self._external_ids.append(hash(external_id(record)))
        self._last_rows.append(hash(str(row)))
        self._extend(len(self._external_ids) - 1, keys)

    def changes(self, number: int, keys: Iterable[Key], row: Record) -> bool:
        """Whether a later row changes a client, which it does unless it repeats the last one, and remembers it. (One
        that only says less than the last is not seen to change nothing.)"""
        self._extend(number, keys)
        known, self._last_rows[number] = self._last_rows[number], hash(str(row))
        return known != self._last_rows[number]

    def has_other_external_id(self, number: int, record: Record) -> bool:
        """Whether a client's external id differs from a record's."""
        known = self._external_ids[number]
        return known not in (hash(external_id({})), hash(external_id(record)))

    def keep(self) -> None:
        """Writes down what was added."""
        self._keys.keep()

    def _extend(self, number: int, keys: Iterable[Key]) -> None:
        for key in keys:
            self._keys.add(key, number)


def external_id(record: Record) -> tuple[Any, Any]:
    """Both parts of a client's external id."""
    return record.get("external_source"), record.get("external_source_id")
