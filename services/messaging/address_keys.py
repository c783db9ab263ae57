"""The key by which addresses are hashed where only their equality matters: in the projection of consent, and in the
proof of an opt-out that outlives its address.

One secret for the installation, made once, wrapped by the key store of sealed values and kept in messaging's database.
Who has the database alone cannot tell whose numbers said stop, not even by trying all that there are.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from contextlib import suppress
from typing import Any

from nameko.extensions import DependencyProvider
from sqlalchemy import delete, select, update

from chassis.config import SettingsError
from chassis.database import Database, database_url
from chassis.sealing import Unsealable, key_store, key_store_at, use_key_store
from chassis.value_sets import among
from contracts.errors import Unavailable
from services.messaging.models import AddressKey, Base, ConsentState

HASHED, PLAIN = "h:", "a:"
"""How the key of an address begins in the projection; and how it did before addresses were hashed there."""

_PURPOSE = "addresses"
_INSTALLATION = "00000000-0000-0000-0000-000000000000"
_AT_ONCE = 1000
_QUIET = {"synchronize_session": False}
_SAID = (ConsentState.state, ConsentState.entry_id, ConsentState.updated_at)
_STRICTNESS = (None, "opted_in", "unreachable", "opted_out")

_secret: list[bytes] = []


def use(secret: bytes) -> None:
    """The secret of this process from now on."""
    _secret[:] = [secret]


def loaded() -> bool:
    """Whether this process has the secret."""
    return bool(_secret)


def hashed(address: str, secret: bytes | None = None) -> str:
    """The keyed hash of an address, 22 characters: E.164, or an email address in any case."""
    digest = hmac.digest(secret or _secret[0], address.lower().encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def load(db: Database) -> None:
    """Reads the secret, or makes it if there is none, and hashes what the projection has in clear from before. Only
    then does this process have the secret: until the last row is hashed an opt-out might not be found.

    Raises SettingsError with one sentence if the key store is not the one that wrapped it, and Unavailable.
    """
    everywhere = db.across_firms("the key is the installation's")
    wrapped = _wrapped(everywhere)
    if wrapped is None:
        made = key_store().wrap(_new_secret(), _INSTALLATION, _PURPOSE)
        with everywhere.unit_of_work() as uow:
            uow.insert(AddressKey, [{"id": 1, "wrapped": made}], ignore_conflicts=True)
            # Perhaps another process's, which this one waited for.
            wrapped = uow.session.scalars(select(AddressKey.wrapped)).one()
    try:
        secret = key_store().unwrap(wrapped, _INSTALLATION, _PURPOSE)
    except Unsealable:
        raise SettingsError(
            "SEALING_KEYS_URL names other keys than those by which opt-outs are found: restore them from the backup"
        ) from None
    while _hash_some(everywhere, secret):
        pass
    use(secret)


def newest(db: Database) -> bool:
    """Whether the secret is wrapped as the key store wraps today, or there is none yet."""
    wrapped = _wrapped(db.across_firms("the key is the installation's"))
    return wrapped is None or key_store().newest(wrapped)


def wrap_anew(db: Database) -> None:
    """Wraps the secret as the key store wraps today; the secret stays, or no opt-out would be found. Raises Unsealable
    if the key store did not wrap it."""
    everywhere = db.across_firms("the key is the installation's")
    wrapped = _wrapped(everywhere)
    if wrapped is not None:
        again = key_store().wrap(key_store().unwrap(wrapped, _INSTALLATION, _PURPOSE), _INSTALLATION, _PURPOSE)
        with everywhere.unit_of_work() as uow:
            uow.session.execute(update(AddressKey).values(wrapped=again), execution_options=_QUIET)


def _wrapped(db: Database) -> str | None:
    with db.read() as session:
        return session.scalar(select(AddressKey.wrapped))


def _new_secret() -> bytes:
    import secrets

    return secrets.token_bytes(32)


def _hash_some(db: Database, secret: bytes) -> bool:
    """Hashes the keys of some rows that are in clear; whether there were any."""
    with db.unit_of_work() as uow:
        plain = select(ConsentState.key).where(ConsentState.key.like(f"{PLAIN}%")).distinct().limit(_AT_ONCE)
        keys = {str(key): HASHED + hashed(key.removeprefix(PLAIN), secret) for key in uow.session.scalars(plain)}
        places = (ConsentState.firm_id, ConsentState.channel, ConsentState.key)
        rows = (
            select(*places, *_SAID)
            .where(among(uow.session, ConsentState.key, [*keys, *keys.values()]))
            .order_by(*places)
            .with_for_update()
        )
        found = {(row.firm_id, row.channel, row.key): row for row in uow.session.execute(rows)}
        for (firm_id, channel, key), row in found.items():
            if key not in keys:
                continue
            here = (ConsentState.key == key, ConsentState.channel == channel, ConsentState.firm_id == firm_id)
            there = found.get((firm_id, channel, keys[key]))
            if there is None:
                renamed = update(ConsentState).where(*here).values(key=keys[key])
                uow.session.execute(renamed, execution_options=_QUIET)
                continue
            # An earlier release went on writing beside this one: of what both say the stricter stands.
            if _STRICTNESS.index(row.state) > _STRICTNESS.index(there.state):
                said = {column.key: getattr(row, column.key) for column in _SAID}
                hashed_one = (ConsentState.key == there.key, *here[1:])
                uow.session.execute(update(ConsentState).where(*hashed_one).values(said), execution_options=_QUIET)
            uow.session.execute(delete(ConsentState).where(*here), execution_options=_QUIET)
    return bool(keys)


class AddressKeys(DependencyProvider):
    """Gives a process the secret before its first work."""

    def setup(self) -> None:
        self._url = database_url(self.container.config, Base.service_name)
        address = self.container.config.get("SEALING_KEYS_URL")
        if not address:
            raise SettingsError("the setting SEALING_KEYS_URL is missing: the keys by which opt-outs are found")
        use_key_store(key_store_at(address))

    def start(self) -> None:
        # Without its key no opt-out could be found: that must end the start, and not the first message.
        with suppress(Unavailable):
            load(Database(self._url, Base))

    def get_dependency(self, worker_ctx: Any) -> None:
        if not loaded():
            load(Database(self._url, Base))
