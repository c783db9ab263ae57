"""What is left to do once personal data was deleted from a database and committed."""

from __future__ import annotations

import eventlet

from chassis.database import Database
from chassis.telemetry import log_of

_log = log_of(__name__)
_PAUSES = (0.05, 0.2, 1, 5, 20, 60, 300)
"""Seconds before the next try, while somebody reads from the log of writes."""


def forget_deleted(db: Database) -> None:
    """Removes what was deleted from where the database may still have it; for `uow.after_commit`. Where that has to
    wait it goes on by itself."""
    if not db.engines.forget_deleted():
        eventlet.spawn_n(_insist, db)


def _insist(db: Database) -> None:
    for pause in _PAUSES:
        eventlet.sleep(pause)
        try:
            if db.engines.forget_deleted():
                return
        except Exception as error:
            # The next erasure, or SQLite's own turn of its log, does it as well.
            _log.warning("not_forgotten_yet", error=type(error).__name__)
