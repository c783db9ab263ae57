"""Entrypoints for what is kept of a case task before it is answered: drafts, and with whom it was shared."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.rpc import serve
from contracts import tasks
from services.tasks import drafts, form_tasks, sharing

Answer = dict[str, Any]


class SharingEntrypoints:
    """Case tasks: handed to a client, and begun."""

    db: Any
    calls: Any

    @serve(tasks.SAVE_DRAFT)
    def save_draft(self, **command: Any) -> Answer:
        return drafts.save_draft(self.db, utc_now(), **command)

    @serve(tasks.LIST_FORM_TASKS)
    def list_form_tasks(self, case_form_id: str) -> Answer:
        return form_tasks.list_form_tasks(self.db, utc_now(), case_form_id)

    @serve(tasks.PREPARE_SHARING)
    def prepare_sharing(self, **query: Any) -> Answer:
        return sharing.prepare_sharing(self.db, self.calls, **query)

    @serve(tasks.RECORD_SHARING)
    def record_sharing(self, **command: Any) -> Answer:
        return sharing.record_sharing(self.db, utc_now(), **command)
