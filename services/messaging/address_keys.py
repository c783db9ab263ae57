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
from sqlalchemy import select, update

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

_secret: list[bytes] = []


def use(secret: bytes) -> None:
    """The secret of this process from now on."""
    _secret[:] = [secret]


def loaded() -> bool:
    """Whether this process has the secret."""
    return bool(_secret)


def hashed(address: str) -> str:
    """The keyed hash of an address, 22 characters: E.164, or an email address in any case."""
    digest = hmac.digest(_secret[0], address.lower().encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def load(db: Database) -> None:
    """Reads the secret, or makes it if there is none, and hashes what the projection has in clear from before.

    Raises SettingsError with one sentence if the key store is not the one that wrapped it, and Unavailable.
    """
    everywhere = db.across_firms("the key is the installation's")
    with everywhere.unit_of_work() as uow:
        wrapped = uow.session.scalar(select(AddressKey.wrapped))
        if wrapped is None:
            # Perhaps another process's, which this one waited for.
            made = key_store().wrap(_new_secret(), _INSTALLATION, _PURPOSE)
            uow.insert(AddressKey, [{"id": 1, "wrapped": made}], ignore_conflicts=True)
            wrapped = uow.session.scalars(select(AddressKey.wrapped)).one()
    try:
        use(key_store().unwrap(wrapped, _INSTALLATION, _PURPOSE))
    except Unsealable:
        raise SettingsError(
            "SEALING_KEYS_URL names other keys than those by which opt-outs are found: restore them from the backup"
        ) from None
    while _hash_some(everywhere):
        pass


def newest(db: Database) -> bool:
    """Whether the secret is wrapped as the key store wraps today, or there is none yet."""
    with db.across_firms("the key is the installation's").read() as session:
        wrapped = session.scalar(select(AddressKey.wrapped))
    return wrapped is None or key_store().newest(wrapped)


def wrap_anew(db: Database) -> None:
    """Wraps the secret as the key store wraps today; the secret stays, or no opt-out would be found. Raises Unsealable
    if the key store did not wrap it."""
    with db.across_firms("the key is the installation's").unit_of_work() as uow:
        wrapped = uow.session.scalar(select(AddressKey.wrapped).with_for_update())
        if wrapped is not None and not key_store().newest(wrapped):
            secret = key_store().unwrap(wrapped, _INSTALLATION, _PURPOSE)
            again = key_store().wrap(secret, _INSTALLATION, _PURPOSE)
            uow.session.execute(update(AddressKey).values(wrapped=again))


def _new_secret() -> bytes:
    import secrets

    return secrets.token_bytes(32)


def _hash_some(db: Database) -> bool:
    """Hashes the keys of some rows that are in clear; whether there were any."""
    with db.unit_of_work() as uow:
        plain = select(ConsentState.key).where(ConsentState.key.like(f"{PLAIN}%")).distinct().limit(_AT_ONCE)
        keys = [str(key) for key in uow.session.scalars(plain)]
        rows = uow.session.execute(
            select(ConsentState.firm_id, ConsentState.channel, ConsentState.key).where(
                among(uow.session, ConsentState.key, keys)
            )
        ).all()
        for row in rows:
            new = HASHED + hashed(row.key.removeprefix(PLAIN))
            uow.session.execute(
                update(ConsentState)
                .where(
                    ConsentState.key == row.key,
                    ConsentState.channel == row.channel,
                    ConsentState.firm_id == row.firm_id,
                )
                .values(key=new),
                execution_options={"synchronize_session": False},
            )
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
