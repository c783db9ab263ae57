"""How long an import keeps what it was made of: its list, its files of errors, and what its undo would give back.

As long as it can be undone: 30 days after it ended, and an hour for an undo that is asked for at the last moment. One
that was never started is given up then.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select, update

from chassis.context import Context, use
from chassis.database import Database
from chassis.files import Files
from services.clients.erased_files import ENDED
from services.clients.import_undo import UNDO_DAYS
from services.clients.importing import find
from services.clients.models import UNSTARTED, Import, ImportChange

TIMER = "clients: what imports keep"
KEPT = dt.timedelta(days=UNDO_DAYS, hours=1)
_AT_ONCE = 20
_CHANGES_AT_ONCE = 2000


def empty_due(db: Database, files: Files, now: dt.datetime) -> bool:
    """Across firms: empties imports whose time is over, the oldest first; whether there may be more.

    Raises Unavailable if the object store cannot be reached; what is done stays done.
    """
    due = (
        select(Import.firm_id, Import.id)
        .where(Import.emptied_at.is_(None), Import.updated_at <= now - KEPT, Import.state.in_((*ENDED, *UNSTARTED)))
        .order_by(Import.updated_at)
    )
    with db.across_firms("the time of imports ends in every firm").read() as session:
        found = session.execute(due.limit(_AT_ONCE)).all()
    for firm_id, import_id in found:
        with use(Context(firm_id=firm_id)):
            _empty(db.for_firm(firm_id), files, import_id, now)
    return len(found) == _AT_ONCE


def _empty(db: Database, files: Files, import_id: str, now: dt.datetime) -> None:
    """May be interrupted anywhere, and is done again then."""
    while _forget_changes(db, import_id):
        pass
    with db.read() as session:
        keys = find(session, import_id).file_keys
    for key in keys:
        files.delete(key)
    with db.unit_of_work() as uow:
        entry = find(uow.session, import_id, lock=True)
        if entry.state in UNSTARTED:
            entry.cancelled()
        entry.emptied_at = now


def _forget_changes(db: Database, import_id: str) -> bool:
    """Forgets what some of the changed clients had before; whether there may be more."""
    kept = (
        select(ImportChange.client_id)
        .where(ImportChange.import_id == import_id, ImportChange.values.is_not(None))
        .order_by(ImportChange.client_id)
        .limit(_CHANGES_AT_ONCE)
    )
    with db.unit_of_work() as uow:
        ids = list(uow.session.scalars(kept))
        some = update(ImportChange).where(ImportChange.import_id == import_id, ImportChange.client_id.in_(ids))
        uow.session.execute(some.values(values=None), execution_options={"synchronize_session": False})
    return len(ids) == _CHANGES_AT_ONCE
