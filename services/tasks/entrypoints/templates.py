"""Entrypoints for what can be asked on any case."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.envelope import ReceivedEvent
from chassis.events import on
from chassis.rpc import serve
from chassis.timers import every
from contracts import cases, tasks
from services.tasks import sealing_up, templates

Answer = dict[str, Any]


class TemplatesEntrypoints:
    """Task templates."""

    db: Any
    calls: Any

    @serve(tasks.CREATE_TASK_TEMPLATE)
    def create_task_template(self, **command: Any) -> Answer:
        return templates.create_template(self.db, self.calls, utc_now(), **command)

    @serve(tasks.GET_TASK_TEMPLATE)
    def get_task_template(self, task_template_id: str) -> Answer:
        return templates.get_template(self.db, task_template_id)

    @serve(tasks.LIST_TASK_TEMPLATES)
    def list_task_templates(self, **query: Any) -> Answer:
        return templates.list_templates(self.db, **query)

    @serve(tasks.COPY_TASK_TEMPLATE)
    def copy_task_template(self, **command: Any) -> Answer:
        return templates.copy_template(self.db, utc_now(), **command)

    @serve(tasks.UPDATE_TASK_TEMPLATE)
    def update_task_template(self, **command: Any) -> Answer:
        return templates.update_template(self.db, self.calls, utc_now(), **command)

    @on(cases.FIELD_BECAME_SENSITIVE, batch=50)
    def follow_sensitive_fields(self, events: list[ReceivedEvent]) -> None:
        sealing_up.follow_sensitive_fields(self.db, events, utc_now())

    @every(30, sealing_up.TIMER)
    def keep_answers_as_defined(self) -> bool:
        return sealing_up.keep_as_defined(self.db, self.calls, utc_now())
