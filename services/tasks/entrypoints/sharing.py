"""Entrypoints for what there is of a case task before it is answered: drafts, what is known, and sharing."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.rpc import serve
from contracts import tasks
from services.tasks import drafts, form_tasks, known_answers, sharing

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

    @serve(tasks.GET_KNOWN_ANSWERS)
    def get_known_answers(self, case_task_ids: list[str], client_id: str) -> Answer:
        return known_answers.get_known_answers(self.db, self.calls, case_task_ids=case_task_ids, client_id=client_id)

    @serve(tasks.PREPARE_SHARING)
    def prepare_sharing(self, **query: Any) -> Answer:
        return sharing.prepare_sharing(self.db, self.calls, **query)

    @serve(tasks.RECORD_SHARING)
    def record_sharing(self, **command: Any) -> Answer:
        return sharing.record_sharing(self.db, utc_now(), **command)
