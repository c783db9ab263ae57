"""A data key for each owner (a client, say), wrapped by its firm's key. Without it nothing of the owner's can be read:
to destroy it is to erase all that was sealed with it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from chassis.columns import Id
from chassis.database import UnitOfWork
from chassis.scoping import BY_ID
from chassis.sealing.ciphers import SealingKey, Unsealable, key_id_of, new_secret
from chassis.sealing.firm_keys import Ring, ring_to_read, ring_to_write
from chassis.telemetry import log_of
from chassis.value_sets import among

_log = log_of(__name__)


class DataKeyColumns:
    """Mixin of a service's table of data keys. The table's key is the owner's id and the firm; `firm_key_id` refers to
    the firm's key, which therefore cannot go while it is used."""

    id: Mapped[str] = mapped_column(String(16))
    firm_key_id: Mapped[str] = mapped_column(Id)
    wrapped: Mapped[str] = mapped_column(String(200))


class OwnerKeys:
    """The data keys of some owners of one firm."""

    def __init__(self, ring: Ring | None, keys: dict[str, SealingKey]) -> None:
        self.ring = ring
        self._keys = keys

    def seal(self, owner_id: str, plain: str, table: str, column: str, row_id: str) -> str:
        """The sealed text of a value kept in `column` of the row `row_id` of `table`."""
        assert self.ring is not None
        return self._keys[owner_id].seal(plain.encode(), table, column, self.ring.firm_id, row_id)

    def unseal(self, owner_id: str, sealed: str, table: str, column: str, row_id: str) -> str | None:
        """What was sealed there; None if the owner's key has been destroyed, or has not sealed it there."""
        key = self._keys.get(owner_id)
        if key is None or self.ring is None or key_id_of(sealed) != key.id:
            return None
        try:
            return key.unseal(sealed, table, column, self.ring.firm_id, row_id).decode()
        except Unsealable:
            # Written past this program, or damaged: not to be shown as if it were the row's own.
            _log.error("sealed_value_refused", table=table, column=column.partition(".")[0], row_id=row_id)
            return None

    def blind(self, column: str, value: str) -> str:
        """See `Ring.blind`."""
        assert self.ring is not None
        return self.ring.blind(column, value)


class Sealing:
    """How a service seals: its table of firm keys, its table of data keys, and the column there that names the owner.

    Every `session` and `uow` is bound to a firm.
    """

    def __init__(self, firm_keys: type[Any], data_keys: type[Any], owner: str) -> None:
        self.firm_keys = firm_keys
        self.data_keys = data_keys
        self.owner = owner
        self._owner: Any = getattr(data_keys, owner)
        self._found = select(self._owner, data_keys.id, data_keys.firm_key_id, data_keys.wrapped)

    def blind(self, session: Session, column: str, value: str) -> str | None:
        """The blind index of a value to be looked for; None if the firm has sealed nothing yet."""
        ring = ring_to_read(session, self.firm_keys)
        return None if ring is None else ring.blind(column, value)

    def keys_of(self, session: Session, owner_ids: Collection[str]) -> OwnerKeys:
        """The keys of owners, for reading."""
        found = self._rows(session, owner_ids)
        ring = ring_to_read(session, self.firm_keys) if found else None
        return OwnerKeys(ring, dict(self._opened(session, ring, found)))

    def keys_to_seal(self, uow: UnitOfWork, owner_ids: Collection[str], *, new: bool = False) -> OwnerKeys:
        """The keys of owners, for sealing; those that are missing are made. Of `new` owners, whose rows do not exist
        yet, none is looked for, and none is stored before `store_new`."""
        ring = ring_to_write(uow, self.firm_keys)
        session = uow.session
        keys = {} if new else dict(self._opened(session, ring, self._rows(session, owner_ids)))
        made = {owner_id: SealingKey(_key_id(), new_secret()) for owner_id in owner_ids if owner_id not in keys}
        sealing = OwnerKeys(ring, keys | made)
        if made and not new:
            overtaken = set(made) - self._store(uow, sealing, made)
            # Another transaction made theirs a moment ago.
            sealing._keys.update(self._opened(session, ring, self._rows(session, overtaken)))
        return sealing

    def store_new(self, uow: UnitOfWork, keys: OwnerKeys, owner_ids: Iterable[str]) -> None:
        """Stores the keys of `new` owners, which this transaction has written by now."""
        uow.insert(self.data_keys, self._new_rows(keys, owner_ids))

    def _store(self, uow: UnitOfWork, keys: OwnerKeys, owner_ids: Iterable[str]) -> set[str]:
        """Stores new keys of owners; returns those that had none yet."""
        rows = self._new_rows(keys, owner_ids)
        stored = uow.insert_returning(self.data_keys, rows, self.owner, ignore_conflicts=True)
        return {getattr(row, self.owner) for row in stored}

    def _new_rows(self, keys: OwnerKeys, owner_ids: Iterable[str]) -> list[dict[str, Any]]:
        ring = keys.ring
        assert ring is not None
        return [
            {self.owner: owner_id, "id": key.id, "firm_key_id": ring.current.id, "wrapped": wrap(ring, key)}
            for owner_id in owner_ids
            if (key := keys._keys.get(owner_id)) is not None
        ]

    def _rows(self, session: Session, owner_ids: Collection[str]) -> list[Any]:
        if not owner_ids:
            return []
        wanted = self._found.where(among(session, self._owner, owner_ids))
        return list(session.execute(wanted.execution_options(**BY_ID)))

    def _opened(self, session: Session, ring: Ring | None, rows: Iterable[Any]) -> Iterable[tuple[str, SealingKey]]:
        for owner_id, key_id, firm_key_id, wrapped in rows:
            if ring is None or firm_key_id not in ring.keys:
                ring = ring_to_read(session, self.firm_keys, firm_key_id)
            assert ring is not None
            yield owner_id, open_data_key(ring, key_id, firm_key_id, wrapped)


def wrap(ring: Ring, key: SealingKey) -> str:
    """A data key as it is kept, wrapped by the firm's current key."""
    return ring.current.seal(key.secret, "data_key", "wrapped", ring.firm_id, key.id)


def open_data_key(ring: Ring, key_id: str, firm_key_id: str, wrapped: str) -> SealingKey:
    """A data key, unwrapped. Raises Unsealable."""
    return SealingKey(key_id, ring.keys[firm_key_id].unseal(wrapped, "data_key", "wrapped", ring.firm_id, key_id))


def _key_id() -> str:
    return os.urandom(8).hex()
