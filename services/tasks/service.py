"""The tasks service: entrypoints only."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.database import Data
from chassis.envelope import ReceivedEvent
from chassis.events import on
from chassis.rpc import Calls, serve
from contracts import accounts, cases, clients, messaging, tasks
from services.tasks import (
    answers,
    assigning,
    bulk_assigning,
    client_merges,
    client_tasks,
    data_exports,
    erasing,
    facts,
    notifications,
    outcomes,
    templates,
    views,
)
from services.tasks.models import Base

Answer = dict[str, Any]


class TasksService:
    name = "tasks"

    db = Data(Base)
    calls = Calls(accounts, cases, messaging)
    # For thousands of ids at a time, which are passed on as they come.
    raw_calls = Calls(cases, messaging, raw=True)

    # Templates

    @serve(tasks.CREATE_TASK_TEMPLATE)
    def create_task_template(self, **command: Any) -> Answer:
        return templates.create_template(self.db, self.calls, utc_now(), **command)

    @serve(tasks.GET_TASK_TEMPLATE)
    def get_task_template(self, task_template_id: str) -> Answer:
        return templates.get_template(self.db, task_template_id)

    @serve(tasks.LIST_TASK_TEMPLATES)
    def list_task_templates(self, **query: Any) -> Answer:
        return templates.list_templates(self.db, **query)

    @serve(tasks.UPDATE_TASK_TEMPLATE)
    def update_task_template(self, **command: Any) -> Answer:
        return templates.update_template(self.db, self.calls, utc_now(), **command)

    # Case tasks

    @serve(tasks.ASSIGN_TASK)
    def assign_task(self, **command: Any) -> Answer:
        return assigning.assign_task(self.db, self.calls, utc_now(), **command)

    @serve(tasks.LIST_CASE_TASKS)
    def list_case_tasks(self, **query: Any) -> Answer:
        return views.list_case_tasks(self.db, self.calls, utc_now(), **query)

    @serve(tasks.GET_CASE_TASK)
    def get_case_task(self, case_task_id: str) -> Answer:
        return views.get_case_task(self.db, utc_now(), case_task_id)

    @serve(tasks.UPDATE_CASE_TASK)
    def update_case_task(self, **command: Any) -> Answer:
        return assigning.update_case_task(self.db, self.calls, utc_now(), **command)

    @serve(tasks.SUBMIT_ANSWER)
    def submit_answer(self, **command: Any) -> Answer:
        return answers.submit_answer(self.db, utc_now(), **command)

    @serve(tasks.REOPEN_CASE_TASK)
    def reopen_case_task(self, **command: Any) -> Answer:
        return answers.reopen_case_task(self.db, utc_now(), **command)

    @serve(tasks.GET_CASE_PROGRESS)
    def get_case_progress(self, case_id: str) -> Answer:
        return views.get_case_progress(self.db, self.calls, case_id)

    @serve(tasks.LIST_OPEN_TASKS)
    def list_open_tasks(self, case_ids: list[str]) -> Answer:
        return views.list_open_tasks(self.db, utc_now(), case_ids)

    @serve(tasks.LIST_CLIENT_TASKS)
    def list_client_tasks(self, **query: Any) -> Answer:
        return client_tasks.list_client_tasks(self.db, self.calls, utc_now(), **query)

    @serve(tasks.GET_CASE_TASK_FACTS)
    def get_case_task_facts(self, case_task_ids: list[str]) -> Answer:
        return facts.get_case_task_facts(self.db, utc_now(), case_task_ids)

    @serve(tasks.GET_MAPPED_ANSWERS)
    def get_mapped_answers(self, case_task_ids: list[str]) -> Answer:
        return facts.get_mapped_answers(self.db, self.calls, case_task_ids)

    # Many cases at once

    @serve(tasks.BULK_ASSIGN)
    def bulk_assign(self, **command: Any) -> Answer:
        return bulk_assigning.bulk_assign(self.db, self.calls, utc_now(), **command)

    @serve(tasks.GET_BULK_ASSIGNMENT)
    def get_bulk_assignment(self, bulk_assignment_id: str) -> Answer:
        return bulk_assigning.get_bulk_assignment(self.db, bulk_assignment_id)

    @on(tasks.BULK_ASSIGNMENT_REQUESTED)
    def continue_bulk_assignment(self, event: ReceivedEvent) -> None:
        bulk_assigning.continue_bulk_assignment(self.db, self.raw_calls, event)

    @serve(tasks.REQUEST_NOTIFICATIONS)
    def request_notifications(self, **command: Any) -> Answer:
        return notifications.request_notifications(self.db, self.calls, self.raw_calls, utc_now(), **command)

    @serve(tasks.GET_NOTIFICATION_REQUEST)
    def get_notification_request(self, batch_id: str) -> Answer:
        return notifications.get_notification_request(self.db, batch_id)

    # What came of it elsewhere

    @on(clients.FIELD_UPDATE_REJECTED)
    def record_client_rejection(self, event: ReceivedEvent) -> None:
        outcomes.record_rejection(self.db, event, utc_now())

    @on(cases.FIELD_UPDATE_REJECTED)
    def record_case_rejection(self, event: ReceivedEvent) -> None:
        outcomes.record_rejection(self.db, event, utc_now())

    @serve(tasks.EXPORT_CLIENT_DATA)
    def export_client_data(self, **query: Any) -> Answer:
        return data_exports.export_client_data(self.db, self.calls, **query)

    @on(clients.CLIENT_ERASED, batch=100)
    def forget_clients(self, events: list[ReceivedEvent]) -> None:
        erasing.forget_clients(self.db, self.calls, events, utc_now())

    @on(clients.CLIENTS_MERGED, batch=20)
    def follow_merges(self, events: list[ReceivedEvent]) -> None:
        client_merges.follow_merges(self.db, events)

    @on(clients.CLIENTS_UNMERGED, batch=20)
    def follow_undone_merges(self, events: list[ReceivedEvent]) -> None:
        client_merges.follow_undone_merges(self.db, events)

    @on(messaging.DELIVERY_SENT, batch=500)
    def record_sent(self, events: list[ReceivedEvent]) -> None:
        outcomes.record_deliveries(self.db, events, utc_now())

    @on(messaging.DELIVERY_DELIVERED, batch=500)
    def record_delivered(self, events: list[ReceivedEvent]) -> None:
        outcomes.record_deliveries(self.db, events, utc_now())

    @on(messaging.DELIVERY_FAILED, batch=500)
    def record_failed(self, events: list[ReceivedEvent]) -> None:
        outcomes.record_deliveries(self.db, events, utc_now())

    @on(messaging.DELIVERY_SUPPRESSED, batch=500)
    def record_suppressed(self, events: list[ReceivedEvent]) -> None:
        outcomes.record_deliveries(self.db, events, utc_now())
