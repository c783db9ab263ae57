"""`casewire keys`: the keys that seal what is sensitive, looked at and rotated while the services run."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from chassis.columns import utc_now
from chassis.config import SettingsError, stop
from chassis.database import Database, database_url
from chassis.sealing import Sealing, Unsealable, check_keys, key_store_at, rotation, use_key_store
from chassis.walls import Unwalled
from contracts.errors import CasewireError

SEALING = {
    "cases": "services.cases.sealed_values:SEALING",
    "clients": "services.clients.client_keys:SEALING",
    "tasks": "services.tasks.sealed_answers:SEALING",
}
"""How each service seals that does."""
ADDRESSES = "messaging"
"""Who keeps the key of addresses."""


def demand_keys(services: Collection[str], config: Mapping[str, Any]) -> None:
    """Ends the program with one sentence, before anything is started, if a service that seals has other keys than its
    data. What cannot be looked at is left for the service to say."""
    for service in SEALING.keys() & set(services):
        sealing, base = _sealing_of(service)
        try:
            use_key_store(key_store_at(config["SEALING_KEYS_URL"]))
            check_keys(Database(database_url(config, service), base), sealing)
        except SettingsError as error:
            stop(str(error))
        except (CasewireError, SQLAlchemyError, Unwalled):
            continue


def _sealing_of(service: str) -> tuple[Sealing, Any]:
    module, _, name = SEALING[service].partition(":")
    return getattr(importlib.import_module(module), name), importlib.import_module(f"services.{service}.models").Base


def act(action: str, urls: dict[str, str], store: str, firm_id: str | None) -> int:
    """Show or rotate the keys of every firm, or of one, in every service that seals. Returns the exit status."""
    done: set[str] = set()
    needed = [*SEALING, *([ADDRESSES] if firm_id is None else [])]
    missing = [service for service in needed if service not in urls]
    for service in missing:
        sys.stderr.write(f"casewire: no database is set for {service}: its keys are left as they are\n")
    try:
        use_key_store(key_store_at(store))
        for service in [name for name in SEALING if name in urls]:
            sealing, base = _sealing_of(service)
            db = Database(urls[service], base)
            check_keys(db, sealing)
            chosen = [firm for firm in rotation.firms_with_keys(db, sealing) if firm_id in (None, firm)]
            done.update(chosen)
            (_show if action == "status" else _rotate)(service, [db.for_firm(firm) for firm in chosen], sealing)
        if firm_id is None and ADDRESSES in urls:
            _address_key(action, urls[ADDRESSES])
    except (CasewireError, SettingsError, Unsealable) as error:
        sys.stderr.write(f"casewire: {error}\n")
        return 1
    if firm_id is not None and not done:
        sys.stderr.write(f"casewire: firm {firm_id} has no keys\n")
        return 1
    print(f"{len(done)} firm{'' if len(done) == 1 else 's'}")
    # Whoever took a key of the store away now would lock out who was left out.
    return 1 if missing and action == "rotate" else 0


def _address_key(action: str, url: str) -> None:
    """The one key that is of no firm: by it messaging finds opt-outs."""
    from services.messaging import address_keys, models

    db = Database(url, models.Base)
    if action == "rotate":
        address_keys.wrap_anew(db)
    if not address_keys.newest(db):
        print("messaging  the key of addresses is wrapped by an older key of the store: rotate")


def _show(service: str, firms: Sequence[Database], sealing: Sealing) -> None:
    for db in firms:
        found = rotation.status(db, sealing)
        if found is None:
            continue
        state = f"rotating, {found.older_wrapped} to go" if found.older_keys else "settled"
        store = "" if found.newest_store_key else ", wrapped by an older key of the store: rotate"
        since = f"since {found.since:%Y-%m-%d %H:%M}"
        print(f"{service}  {found.firm_id}  {since}  {found.wrapped} data keys  {state}{store}")


def _rotate(service: str, firms: Sequence[Database], sealing: Sealing) -> None:
    """All firms begin before the first old key is destroyed, so that there is one wait for all of them."""
    begun = []
    for db in firms:
        if (rotation_of := rotation.begin(db, sealing, now=utc_now, tell=_teller(service, db))) is not None:
            begun.append((db, rotation_of))
    for db, rotation_of in begun:
        late = rotation.end(db, sealing, rotation_of, now=utc_now, sleep=_wait)
        count = rotation_of.wrapped + late
        print(f"{service}  {db.firm_id}  rotated, {count} data keys wrapped anew, the old key destroyed", flush=True)


def _teller(service: str, db: Database) -> rotation.Told:
    shown = [0.0]

    def tell(done: int, total: int) -> None:
        at = time.monotonic()
        if at - shown[0] > 1 or done == total:
            shown[0] = at
            print(f"{service}  {db.firm_id}  {done} of {total} data keys", flush=True)

    return tell


def _wait(seconds: float) -> None:
    print(f"waiting {seconds:.0f} s until every process uses the new keys", flush=True)
    time.sleep(seconds)
