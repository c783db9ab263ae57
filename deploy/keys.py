"""`casewire keys`: the keys that seal what is sensitive, looked at and rotated while the services run."""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

from chassis.columns import utc_now
from chassis.config import SettingsError
from chassis.database import Database
from chassis.sealing import Sealing, Unsealable, check_keys, key_store_at, rotation, use_key_store
from contracts.errors import CasewireError

SEALING = {"clients": "services.clients.client_keys:SEALING"}
"""How each service seals that does."""


def act(action: str, urls: dict[str, str], store: str, firm_id: str | None) -> int:
    """Show or rotate the keys of every firm, or of one, in every service that seals. Returns the exit status."""
    done = 0
    try:
        use_key_store(key_store_at(store))
        for service, place in SEALING.items():
            module, _, name = place.partition(":")
            sealing: Sealing = getattr(importlib.import_module(module), name)
            db = Database(urls[service], importlib.import_module(f"services.{service}.models").Base)
            check_keys(db, sealing)
            firms = rotation.firms_with_keys(db, sealing)
            for known in [firm for firm in firms if firm_id in (None, firm)]:
                (_show if action == "status" else _rotate)(service, db.for_firm(known), sealing)
                done += 1
    except (CasewireError, SettingsError, Unsealable) as error:
        sys.stderr.write(f"casewire: {error}\n")
        return 1
    if firm_id is not None and not done:
        sys.stderr.write(f"casewire: firm {firm_id} has no keys\n")
        return 1
    print(f"{done} firm{'' if done == 1 else 's'}")
    return 0


def _show(service: str, db: Database, sealing: Sealing) -> None:
    found = rotation.status(db, sealing)
    if found is None:
        return
    state = f"rotating, {found.older_wrapped} to go" if found.older_keys else "settled"
    store = "" if found.newest_store_key else ", wrapped by an older key of the store: rotate"
    print(f"{service}  {found.firm_id}  since {found.since:%Y-%m-%d %H:%M}  {found.wrapped} data keys  {state}{store}")


def _rotate(service: str, db: Database, sealing: Sealing) -> None:
    shown: list[float] = [0.0]

    def tell(done: int, total: int) -> None:
        at = time.monotonic()
        if at - shown[0] > 1 or done == total:
            shown[0] = at
            print(f"{service}  {db.firm_id}  {done} of {total} data keys", flush=True)

    def wait(seconds: float) -> None:
        print(f"{service}  {db.firm_id}  waits {seconds:.0f} s until every process uses the new key", flush=True)
        time.sleep(seconds)

    count: Any = rotation.rotate(db, sealing, now=utc_now, sleep=wait, tell=tell)
    print(f"{service}  {db.firm_id}  rotated, {count} data keys wrapped anew, the old key destroyed", flush=True)
