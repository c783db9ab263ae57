"""The log of rules is kept for so many days."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import delete, select, tuple_

from chassis.database import Database
from services.tasks.models import AutomationRun

TIMER = "tasks: forget old automation runs"
AT_ONCE = 1_000
"""Runs that are removed in one transaction."""


def forget_old_runs(db: Database, now: dt.datetime, *, days: int, at_once: int = AT_ONCE) -> bool:
    """Across firms: removes runs that are older, but for those that wait; whether there may be more."""
    key = (AutomationRun.firm_id, AutomationRun.id)
    old = select(*key).where(AutomationRun.created_at < now - dt.timedelta(days=days), AutomationRun.state != "waiting")
    with db.across_firms("old runs of all firms are removed by a timer").unit_of_work() as uow:
        gone = delete(AutomationRun).where(tuple_(*key).in_(old.order_by(AutomationRun.created_at).limit(at_once)))
        removed = uow.session.execute(gone, execution_options={"synchronize_session": False})
        return int(removed.rowcount) == at_once  # type: ignore[attr-defined]
