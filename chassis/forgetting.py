"""What is left to do once personal data was deleted from a database and committed.

On SQLite a file still has it in two places: its log of writes, which is emptied at once, and the unused parts of pages,
where SQLite leaves copies of rows that it moved. Only a file that is written anew is free of these. That blocks other
writers, so that it is done in the background, once for all that was deleted meanwhile. The transaction that deletes
says in the file itself (`user_version`) that it is to be done: a killed process does it after its next start.
"""

from __future__ import annotations

import time

import eventlet
from eventlet import tpool
from sqlalchemy import text

from chassis.database import Database, UnitOfWork
from chassis.engines import Engines
from chassis.scoping import UNGUARDED
from chassis.telemetry import log_of

_log = log_of(__name__)
_PAUSES = (0.2, 0.2, 1, 5, 20, 60, 300)
"""Seconds before each try; the housekeeping begins once more."""
_SHARE = 20
"""How many times as long as it took the file is left alone before it is written anew once more."""
_at_work: set[Engines] = set()


def forget_deleted(uow: UnitOfWork, db: Database) -> None:
    """Removes what the transaction deletes from where the database may still have it afterwards."""
    if not db.engines.is_sqlite:
        return
    marked = uow.session.execute(text("PRAGMA user_version"), execution_options=UNGUARDED).scalar_one()
    # No value can be bound in a PRAGMA.
    more = text(f"PRAGMA user_version = {int(marked) % 1_000_000_000 + 1}")
    uow.session.execute(more, execution_options=UNGUARDED)
    uow.after_commit(lambda: _begin(db.engines))


def go_on(db: Database) -> None:
    """Begins what an ended process left to do."""
    if db.engines.to_forget():
        _begin(db.engines)


def _begin(engines: Engines) -> None:
    try:
        engines.empty_log()
    finally:
        if engines not in _at_work:
            _at_work.add(engines)
            eventlet.spawn_n(_insist, engines)


def _insist(engines: Engines) -> None:
    tries = 0
    took = 0.0
    try:
        while tries < len(_PAUSES) and engines.to_forget():
            eventlet.sleep(max(_PAUSES[tries], _SHARE * took))
            began = time.monotonic()
            # One at a time: SQLite on a thread of its own.
            tries = 0 if engines.forget_deleted(tpool.execute) else tries + 1
            took = time.monotonic() - began
    except Exception as error:
        # A full disk, for example.
        _log.warning("not_forgotten_yet", error=type(error).__name__)
    finally:
        _at_work.discard(engines)
