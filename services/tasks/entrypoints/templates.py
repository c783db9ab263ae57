"""Entrypoints for what can be asked on any case."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.rpc import serve
from contracts import tasks
from services.tasks import templates

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
