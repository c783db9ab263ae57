"""How long an import keeps what it was made of: its list, its files of errors, and what its undo would give back.

As long as it can be undone: 30 days after it ended, and an hour for an undo that is asked for at the last moment. One
that was never started is given up then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select, update

from chassis.database import Database
from chassis.files import Files
from chassis.going_on import Failures, firm_by_firm
from chassis.imports.models import ENDED, UNSTARTED
from chassis.imports.store import ImportStore
from chassis.imports.undoing import UNDO_DAYS

KEPT = dt.timedelta(days=UNDO_DAYS, hours=1)
_AT_ONCE = 20
_CHANGES_AT_ONCE = 2000


def empty_due(db: Database, files: Files, store: ImportStore, now: dt.datetime) -> bool:
    """Across firms: empties imports whose time is over, the oldest first; whether there may be more.

    One that cannot be emptied, because a file of it cannot be deleted say, keeps no other one waiting; what it raises,
    Unavailable say, is raised in the end.
    """
    imports = store.imports
    due = (
        select(imports.firm_id, imports.id)
        .where(imports.emptied_at.is_(None), imports.updated_at <= now - KEPT, imports.state.in_((*ENDED, *UNSTARTED)))
        .order_by(imports.updated_at)
    )

    def empty(own: Database, import_ids: Sequence[str]) -> int:
        with Failures() as failures:
            for import_id in import_ids:
                with failures.kept(import_id=import_id):
                    _empty(own, files, store, import_id, now)
        return len(import_ids)

    return firm_by_firm(db.across_firms("the time of imports ends in every firm"), due, _AT_ONCE, empty)


def _empty(db: Database, files: Files, store: ImportStore, import_id: str, now: dt.datetime) -> None:
    """May be interrupted anywhere, and is done again then."""
    while _forget_changes(db, store, import_id):
        pass
    with db.read() as session:
        entry = store.find(session, import_id)
        shared = store.shares_file(session, entry)
        keys = [key for key in entry.file_keys if not (shared and key == entry.file_key)]
    for key in keys:
        files.delete(key)
    with db.unit_of_work() as uow:
        entry = store.find(uow.session, import_id, lock=True)
        if entry.state in UNSTARTED:
            entry.cancelled()
        entry.emptied_at = now


def _forget_changes(db: Database, store: ImportStore, import_id: str) -> bool:
    """Forgets what some of the changed records were before; whether there may be more."""
    changes = store.changes
    kept = (
        select(store.record_id)
        .where(changes.import_id == import_id, changes.values.is_not(None))
        .order_by(store.record_id)
        .limit(_CHANGES_AT_ONCE)
    )
    with db.unit_of_work() as uow:
        ids = list(uow.session.scalars(kept))
        some = update(changes).where(changes.import_id == import_id, store.record_id.in_(ids))
        uow.session.execute(some.values(values=None), execution_options={"synchronize_session": False})
    return len(ids) == _CHANGES_AT_ONCE
