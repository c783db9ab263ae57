"""Entrypoints for many cases at once."""

from __future__ import annotations

from typing import Any

from chassis.asking_again import EVERY
from chassis.columns import utc_now
from chassis.envelope import ReceivedEvent
from chassis.events import on
from chassis.rpc import serve
from chassis.timers import every
from contracts import tasks
from services.tasks import bulk_assigning, bulk_left_out, bulk_pages, notifications

Answer = dict[str, Any]


class BulkEntrypoints:
    """Bulk assignments and requests to notify."""

    db: Any
    calls: Any
    raw_calls: Any

    @serve(tasks.BULK_ASSIGN)
    def bulk_assign(self, **command: Any) -> Answer:
        return bulk_assigning.bulk_assign(self.db, self.calls, self.raw_calls, utc_now(), **command)

    @serve(tasks.GET_BULK_ASSIGNMENT)
    def get_bulk_assignment(self, bulk_assignment_id: str) -> Answer:
        return bulk_assigning.get_bulk_assignment(self.db, bulk_assignment_id)

    @serve(tasks.LIST_BULK_ASSIGNMENTS)
    def list_bulk_assignments(self, **query: Any) -> Answer:
        return bulk_assigning.list_bulk_assignments(self.db, **query)

    @serve(tasks.CANCEL_BULK_ASSIGNMENT)
    def cancel_bulk_assignment(self, bulk_assignment_id: str) -> Answer:
        return bulk_assigning.cancel_bulk_assignment(self.db, utc_now(), bulk_assignment_id)

    @serve(tasks.LIST_LEFT_OUT)
    def list_left_out(self, **query: Any) -> Answer:
        return bulk_left_out.list_left_out(self.db, **query)

    @on(tasks.BULK_ASSIGNMENT_REQUESTED)
    def continue_bulk_assignment(self, event: ReceivedEvent) -> None:
        bulk_pages.continue_bulk_assignment(self.db, self.raw_calls, event)

    @every(EVERY, "tasks: ask for bulk assignments again")
    def ask_for_bulk_assignments(self) -> bool:
        return bulk_pages.ask_for_running(self.db, utc_now())

    @every(3600, bulk_left_out.TIMER)
    def let_go_left_out(self) -> bool:
        return bulk_left_out.let_go(self.db, utc_now())

    @serve(tasks.REQUEST_NOTIFICATIONS)
    def request_notifications(self, **command: Any) -> Answer:
        return notifications.request_notifications(self.db, self.calls, self.raw_calls, utc_now(), **command)

    @serve(tasks.GET_NOTIFICATION_REQUEST)
    def get_notification_request(self, batch_id: str) -> Answer:
        return notifications.get_notification_request(self.db, batch_id)
