"""The key store as a dependency of a service: opened at its start, and a firm's keys made ready before its work."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from nameko.extensions import DependencyProvider
from sqlalchemy import select

from chassis.config import SettingsError
from chassis.context import context_of
from chassis.database import Database, database_url
from chassis.sealing.ciphers import Unsealable
from chassis.sealing.data_keys import Sealing
from chassis.sealing.firm_keys import known, place_of, ring_to_write
from chassis.sealing.key_stores import key_store, key_store_at, use_key_store
from chassis.telemetry import log_of, log_unexpected
from contracts.errors import Unavailable

AWAY_SECONDS = 10.0
"""How long a store that did not answer is left alone. To ask it takes seconds, and most work needs no keys."""

_log = log_of(__name__)


class Keys(DependencyProvider):
    """Opens the store of `SEALING_KEYS_URL`, and refuses to start with one that did not wrap what the database holds.

    Before a firm's first call or event in this process its keys are unwrapped, or made: so that no use case asks the
    key store inside its transaction.
    """

    def __init__(self, base: Any, sealing: Sealing) -> None:
        self.base = base
        self.sealing = sealing

    _away_until = 0.0

    def setup(self) -> None:
        self._url = database_url(self.container.config, self.base.service_name)
        address = self.container.config.get("SEALING_KEYS_URL")
        if not address:
            raise SettingsError("the setting SEALING_KEYS_URL is missing: the keys that seal sensitive fields")
        use_key_store(key_store_at(address))
        self._shown = str(Database(self._url, self.base).engines.write.url)

    def start(self) -> None:
        # A store that is away for a moment keeps nobody from starting: only work that needs the keys will fail.
        with suppress(Unavailable):
            check_keys(Database(self._url, self.base), self.sealing)

    def get_dependency(self, worker_ctx: Any) -> Sealing:
        firm_id = context_of(worker_ctx).firm_id
        if (
            firm_id is not None
            and not known(place_of(self._shown, self.sealing.firm_keys, firm_id))
            and time.monotonic() >= self._away_until
        ):
            try:
                make_ready(Database(self._url, self.base, firm_id=firm_id), self.sealing)
            except Exception as error:
                if isinstance(error, Unavailable):
                    self._away_until = time.monotonic() + AWAY_SECONDS
                # Only work that needs the keys fails, and says so itself: most needs none.
                log_unexpected(_log, error, event="keys_not_ready", firm_id=firm_id)
        return self.sealing


def make_ready(db: Database, sealing: Sealing) -> None:
    """Unwraps, or makes, the keys of the firm that `db` is bound to: for work that begins with no call or event of that
    firm, before its transaction. Raises Unavailable."""
    with db.unit_of_work() as uow:
        ring_to_write(uow, sealing.firm_keys)


def check_keys(db: Database, sealing: Sealing) -> None:
    """Raises SettingsError with one sentence if the newest key in the database is not one of this process's store."""
    model = sealing.firm_keys
    newest = select(model.firm_id, model.purpose, model.wrapped).order_by(model.created_at.desc()).limit(1)
    with db.across_firms("the key store is checked before anything is served").read() as session:
        row = session.execute(newest).one_or_none()
    if row is None:
        return
    try:
        key_store().unwrap(row.wrapped, row.firm_id, row.purpose)
    except Unsealable:
        raise SettingsError(
            "SEALING_KEYS_URL names other keys than those that the data was sealed with: restore them from the backup"
        ) from None
