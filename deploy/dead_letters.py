"""`casewire dead-letters`: what a service parked, read and settled in its own database."""

from __future__ import annotations

import getpass
import importlib
import json
import os
import sys
from typing import Any

from chassis import dead_letters
from chassis.database import Database
from deploy.deployables import DATABASES


def act(action: str, service: str, url: str, message_ids: list[str]) -> int:
    """Do one of list, show, replay, discard and print the outcome. Returns the exit status."""
    if service not in DATABASES:
        sys.stderr.write(f"casewire: there is no service {service}; there are {', '.join(DATABASES)}\n")
        return 2
    db = Database(url, importlib.import_module(f"services.{service}.models").Base)
    if action == "list":
        return _list(db)
    if action == "show":
        print(json.dumps(_plain(dead_letters.show(db, message_ids[0])), indent=2, default=str))
        return 0
    if action == "replay":
        count = dead_letters.replay(db, message_ids, operator())
        print(f"{count} to be delivered again by {service} within seconds")
    else:
        count = dead_letters.discard(db, message_ids, operator())
        print(f"{count} discarded")
    return 0 if count == len(message_ids) else 1


def _list(db: Database) -> int:
    after, found = None, 0
    while rows := dead_letters.list_parked(db, after=after):
        for row in rows:
            print(f"{row.id}  {row.parked_at:%Y-%m-%d %H:%M:%S}  {row.subscription}  {row.event_id}  {row.reason}")
        after, found = rows[-1].id, found + len(rows)
    print(f"{found} parked")
    return 0


def _plain(row: Any) -> dict[str, Any]:
    return dict(row._mapping)


def operator() -> str:
    """Who asks: kept beside what was asked for."""
    return os.environ.get("SUDO_USER") or getpass.getuser()
