"""What earlier rows of a file were, for a preview: it writes nothing, and a later row may be the same record again."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Hashable

_AT_ONCE = 500


class SeenKeys:
    """Numbers by keys. Of the keys only hashes are kept, and on disk: a large file has a million. To be closed."""

    def __init__(self) -> None:
        # An empty name is a file of SQLite's own, which goes when it is closed.
        self._kept = sqlite3.connect("", isolation_level=None)
        self._kept.execute("PRAGMA journal_mode = OFF")
        self._kept.execute("CREATE TABLE known (key INTEGER PRIMARY KEY, number INTEGER NOT NULL)")
        self._near: dict[int, int] = {}
        self._new: dict[int, int] = {}

    def close(self) -> None:
        """Forgets all."""
        self._kept.close()

    def look_up(self, keys: Collection[Hashable]) -> None:
        """Makes `find` ready for these keys and those that are added until `keep`."""
        hashes = [hash(key) for key in keys]
        self._near = {}
        for start in range(0, len(hashes), _AT_ONCE):
            some = hashes[start : start + _AT_ONCE]
            places = ",".join("?" * len(some))
            # S608: nothing but question marks is put together.
            found = self._kept.execute(f"SELECT key, number FROM known WHERE key IN ({places})", some)  # noqa: S608  # nosec B608
            self._near.update(found)

    def find(self, key: Hashable) -> int | None:
        """The number under this key."""
        return self._near.get(hash(key))

    def add(self, key: Hashable, number: int) -> None:
        """Remembers a number under a key that has none."""
        hashed = hash(key)
        if hashed not in self._near:
            self._near[hashed] = self._new[hashed] = number

    def keep(self) -> None:
        """Writes down what was added."""
        self._kept.execute("BEGIN")
        self._kept.executemany("INSERT OR IGNORE INTO known (key, number) VALUES (?, ?)", self._new.items())
        self._kept.execute("COMMIT")
        self._new = {}
