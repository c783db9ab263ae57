"""Entrypoints for what happens in cases."""

from __future__ import annotations

from typing import Any

from chassis.events import ReceivedEvent, on
from chassis.rpc import serve
from contracts import cases, messaging, tasks
from services.cases import activity
from services.cases.dependencies import BATCH, Dependencies, Record


class ActivityEntrypoints(Dependencies):
    """What happened in a case: told, and heard of from other services."""

    @serve(cases.LIST_CASE_ACTIVITY)
    def list_case_activity(self, **query: Any) -> Record:
        return activity.list_case_activity(self.db, **query)

    @on(tasks.TASKS_ASSIGNED, batch=10)
    def record_assigned_tasks(self, events: list[ReceivedEvent]) -> None:
        activity.record_assigned_tasks(self.db, events)

    @on(tasks.TASK_REOPENED, batch=BATCH)
    def record_reopened_tasks(self, events: list[ReceivedEvent]) -> None:
        activity.record_reopened_tasks(self.db, events)

    @on(tasks.TASK_OVERDUE, batch=BATCH)
    def record_overdue_tasks(self, events: list[ReceivedEvent]) -> None:
        activity.record_overdue_tasks(self.db, events)

    @on(messaging.DELIVERY_SENT, batch=BATCH)
    def record_sent_deliveries(self, events: list[ReceivedEvent]) -> None:
        activity.record_deliveries(self.db, events)

    @on(messaging.DELIVERY_FAILED, batch=BATCH)
    def record_failed_deliveries(self, events: list[ReceivedEvent]) -> None:
        activity.record_deliveries(self.db, events)
