"""What an import changed of records that there were: their values before and after it, for an undo.

They are sealed with the key of the record's owner, and go with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy.orm import Session

from chassis.imports.undoing import Values
from chassis.sealing import OwnerKeys, Sealing


class KeptValues:
    """Of a service's table of changes (see `ImportChangeColumns`), by the owners of what is sealed."""

    def __init__(self, sealing: Sealing, changes: type[Any]) -> None:
        self._sealing = sealing
        self._table: str = changes.__tablename__

    def sealed(self, keys: OwnerKeys, owner_id: str, first: Values, differences: Values) -> str:
        """What is to be kept: what differs, and of what the import changed before, what it was at first."""
        values = {**first}
        for name, (earlier, now) in differences.items():
            values[name] = (values[name][0] if name in values else earlier, now)
        return keys.seal(owner_id, orjson.dumps(values).decode(), self._table, "values", owner_id)

    def of(self, session: Session, changes: Sequence[Any]) -> list[Values | None]:
        """What was kept, in the order of the changes. Of an owner whose key was destroyed, nothing."""
        kept = [(getattr(change, self._sealing.owner), change.values) for change in changes]
        keys = self._sealing.keys_of(session, {owner_id for owner_id, sealed in kept if sealed})
        return [self._opened(keys, owner_id, sealed) for owner_id, sealed in kept]

    def by_owner(self, session: Session, changes: Sequence[Any]) -> dict[str, Values]:
        """What one import kept, by owner."""
        found = zip(changes, self.of(session, changes), strict=True)
        return {getattr(change, self._sealing.owner): values for change, values in found if values is not None}

    def _opened(self, keys: OwnerKeys, owner_id: str, sealed: str | None) -> Values | None:
        plain = keys.unseal(owner_id, sealed, self._table, "values", owner_id) if sealed else None
        return None if plain is None else {name: tuple(pair) for name, pair in orjson.loads(plain).items()}
