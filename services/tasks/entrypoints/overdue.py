"""Entrypoints for the time of case tasks."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.rpc import serve
from chassis.timers import every
from contracts import tasks
from services.tasks import history, overdue

Answer = dict[str, Any]


class OverdueEntrypoints:
    """Deadlines that have passed, and the history of tasks."""

    db: Any
    calls: Any

    @every(overdue.EVERY, overdue.TIMER, everywhere=True)
    def announce_overdue(self) -> bool:
        return overdue.announce_due(self.db, self.calls, utc_now())

    @serve(tasks.LIST_CASE_TASK_CHANGES)
    def list_case_task_changes(self, **query: Any) -> Answer:
        return history.list_case_task_changes(self.db, **query)
