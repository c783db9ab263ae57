"""The keys of one firm: one that wraps data keys, older ones until nothing uses them, and one for blind indexes.

They are rows of the service's database, wrapped by the process's key store, and are unwrapped once in a process: the
store is not asked for each row, and not in the transactions of use cases (`Keys` makes them ready before).
"""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import time
from collections import OrderedDict
from typing import Any

from sqlalchemy import Boolean, Index, PrimaryKeyConstraint, String, select, text
from sqlalchemy.orm import Mapped, Session, declared_attr, mapped_column

from chassis.columns import Id, Instant, new_id, utc_now
from chassis.database import UnitOfWork
from chassis.sealing.ciphers import SealingKey, new_secret
from chassis.sealing.key_stores import key_store

SEAL, INDEX = "seal", "index"
FRESH_SECONDS = 30.0
"""How long a process may go on sealing with the key that was current when it looked."""
_RINGS_KEPT = 2000


class FirmKeyColumns:
    """Mixin of a service's table of firm keys. One key of each purpose is current."""

    __tablename__ = "firm_key"

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> Any:
        return (
            PrimaryKeyConstraint("firm_id", "id"),
            Index(
                "uq_firm_key_current", "firm_id", "purpose", unique=True,
                sqlite_where=text("is_current"), postgresql_where=text("is_current"),
            ),
        )  # fmt: skip

    id: Mapped[str] = mapped_column(Id, default=new_id)
    purpose: Mapped[str] = mapped_column(String(10))
    is_current: Mapped[bool] = mapped_column(Boolean, default=True)
    wrapped: Mapped[str] = mapped_column(String(2000))
    created_at: Mapped[dt.datetime] = mapped_column(Instant, default=utc_now)


class Ring:
    """A firm's keys, unwrapped."""

    def __init__(self, firm_id: str, current: SealingKey, index: SealingKey, keys: dict[str, SealingKey]) -> None:
        self.firm_id = firm_id
        self.current = current
        self.index = index
        self.keys = keys
        self._read_at = time.monotonic()

    @property
    def fresh(self) -> bool:
        return time.monotonic() - self._read_at < FRESH_SECONDS

    def blind(self, column: str, value: str) -> str:
        """What equal values of a sealed column have in common: a keyed hash, 22 characters. Nobody without the firm's
        key can tell the value, or make the hash of one."""
        digest = hmac.digest(self.index.secret, f"{column}\x1f{value}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


_Place = tuple[str, str, str]
_rings: OrderedDict[_Place, Ring] = OrderedDict()


def ring_to_read(session: Session, model: type[Any], key_id: str | None = None) -> Ring | None:
    """The firm's keys, or None if it has none yet. With `key_id`, such as hold this key if there is such a key.

    `session` is bound to the firm. Raises Unavailable if the key store is asked and cannot be reached.
    """
    place = _place(session, model)
    ring: Ring | None = session.info.get(place) or _rings.get(place)
    if ring is None or (key_id is not None and key_id not in ring.keys):
        ring = _read(session, model, ring)
        if ring is not None:
            _keep(place, ring)
    return ring


def ring_to_write(uow: UnitOfWork, model: type[Any]) -> Ring:
    """The firm's keys, made now if it has none, as they were at most `FRESH_SECONDS` ago."""
    session = uow.session
    place = _place(session, model)
    ring: Ring | None = session.info.get(place) or _rings.get(place)
    if ring is not None and ring.fresh:
        return ring
    ring = _read(session, model, ring)
    if ring is None:
        uow.insert(model, _new_keys(place[2]), ignore_conflicts=True)
        # Perhaps another transaction's, which this one waited for.
        ring = _read(session, model, None)
        assert ring is not None
        # To others they do not exist before the commit, and if there is none they never do.
        session.info[place] = made = ring
        uow.after_commit(lambda: _keep(place, made))
    else:
        _keep(place, ring)
    return ring


def forget_rings() -> None:
    """Drops what this process has unwrapped."""
    _rings.clear()


def known(place: _Place) -> bool:
    """Whether this process has a firm's keys at hand."""
    return place in _rings


def _place(session: Session, model: type[Any]) -> _Place:
    firm_id = session.firm_id  # type: ignore[attr-defined]
    if firm_id is None:
        raise ValueError("keys are a firm's: the session is bound to none")
    return place_of(str(session.get_bind().url), model, firm_id)  # type: ignore[union-attr]


def place_of(address: str, model: type[Any], firm_id: str) -> _Place:
    """Whose keys: the database (its address without the password), the table and the firm."""
    return (address, model.__module__, firm_id)


def _keep(place: _Place, ring: Ring) -> None:
    _rings[place] = ring
    _rings.move_to_end(place)
    while len(_rings) > _RINGS_KEPT:
        _rings.popitem(last=False)


def _read(session: Session, model: type[Any], known: Ring | None) -> Ring | None:
    """What the database holds; only what is not known yet is asked of the key store."""
    firm_id: str = session.firm_id  # type: ignore[attr-defined]
    keys = dict(known.keys) if known else {}
    current: dict[str, SealingKey] = {}
    for row in session.execute(select(model.id, model.purpose, model.is_current, model.wrapped)):
        if row.purpose == INDEX and known is not None and known.index.id == row.id:
            key = known.index
        else:
            key = keys.get(row.id) or SealingKey(row.id, key_store().unwrap(row.wrapped, firm_id, row.purpose))
        if row.purpose == SEAL:
            keys[row.id] = key
        if row.is_current:
            current[row.purpose] = key
    return Ring(firm_id, current[SEAL], current[INDEX], keys) if len(current) == 2 else None


def _new_keys(firm_id: str) -> list[dict[str, Any]]:
    return [new_key(firm_id, purpose) for purpose in (SEAL, INDEX)]


def new_key(firm_id: str, purpose: str) -> dict[str, Any]:
    """The row of a new current key."""
    wrapped = key_store().wrap(new_secret(), firm_id, purpose)
    return {"id": new_id(), "purpose": purpose, "is_current": True, "wrapped": wrapped}
