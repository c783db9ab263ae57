"""Files that nobody wants: uploads that no answer has named within a day, and what an answer, a condition or an erasure
let go. The content goes first, the row after it: whoever is interrupted in between finds it again."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, update

from chassis.context import Context, use
from chassis.database import Database
from chassis.files import Files
from services.tasks.models import TaskFile, is_to_tidy

UNANSWERED = dt.timedelta(hours=24)
"""How long an upload waits for an answer that names it."""
_AT_ONCE = 100
_QUIET: dict[str, Any] = {"synchronize_session": False}


def tidy_files(db: Database, files: Files, now: dt.datetime) -> bool:
    """Across firms: removes some of what is to go; whether there may be more.

    Raises Unavailable if the object store cannot be reached; what is done stays done.
    """
    due = select(TaskFile.firm_id, TaskFile.id).where(is_to_tidy(now - UNANSWERED)).order_by(TaskFile.created_at)
    with db.across_firms("files of all firms are tidied by a timer").read() as session:
        found = session.execute(due.limit(_AT_ONCE)).all()
    by_firm: dict[str, list[str]] = {}
    for firm_id, file_id in found:
        by_firm.setdefault(firm_id, []).append(file_id)
    for firm_id, file_ids in by_firm.items():
        with use(Context(firm_id=firm_id)):
            _tidy(db.for_firm(firm_id), files, file_ids, now)
    return len(found) == _AT_ONCE


def tidy_left_uploads(files: Files, now: dt.datetime) -> None:
    """Removes what the gateway has put into the object store for a service that was to take it away at once: whoever
    was killed in between left it there. Its key ends with an id, which tells when it was made.

    Raises Unavailable if the object store cannot be reached.
    """
    for key in files.keys("uploads"):
        made = made_at(key.rpartition("/")[2])
        if made is not None and made < now - UNANSWERED:
            files.delete(key)


def made_at(id_: str) -> dt.datetime | None:
    """When a UUIDv7 was made; None for what is none."""
    try:
        parsed = uuid.UUID(id_)
    except ValueError:
        return None
    return dt.datetime.fromtimestamp((parsed.int >> 80) / 1000, dt.UTC) if parsed.version == 7 else None


def _tidy(db: Database, files: Files, file_ids: Sequence[str], now: dt.datetime) -> None:
    with db.unit_of_work() as uow:
        # What an answer is just naming is not waited for; what is marked here, none can name any more.
        due = select(TaskFile.id).where(TaskFile.id.in_(file_ids), is_to_tidy(now - UNANSWERED)).order_by(TaskFile.id)
        leaving = list(uow.session.scalars(due.with_for_update(skip_locked=True)))
        marked = update(TaskFile).where(TaskFile.id.in_(leaving)).values(state="leaving")
        uow.session.execute(marked, execution_options=_QUIET)
    for file_id in leaving:
        files.delete(TaskFile(firm_id=db.firm_id, id=file_id).file_key)
    with db.unit_of_work() as uow:
        gone = delete(TaskFile).where(TaskFile.id.in_(leaving), TaskFile.state == "leaving")
        uow.session.execute(gone, execution_options=_QUIET)
