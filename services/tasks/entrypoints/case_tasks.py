"""Entrypoints for what is asked on a case, and what is answered."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.rpc import serve
from contracts import tasks
from services.tasks import answers, assigning, client_tasks, facts, views
from services.tasks.listing.lists import list_case_tasks
from services.tasks.listing.request import asking_staff

Answer = dict[str, Any]


class CaseTasksEntrypoints:
    """Case tasks: assigned, seen, answered, reopened."""

    db: Any
    calls: Any
    firms: Any

    @serve(tasks.ASSIGN_TASK)
    def assign_task(self, **command: Any) -> Answer:
        return assigning.assign_task(self.db, self.calls, utc_now(), **command)

    @serve(tasks.LIST_CASE_TASKS)
    def list_case_tasks(self, **query: Any) -> Answer:
        return list_case_tasks(self.db, self.calls, utc_now(), staff_id=asking_staff(), **query)

    @serve(tasks.GET_CASE_TASK)
    def get_case_task(self, case_task_id: str) -> Answer:
        return views.get_case_task(self.db, utc_now(), case_task_id)

    @serve(tasks.UPDATE_CASE_TASK)
    def update_case_task(self, **command: Any) -> Answer:
        return assigning.update_case_task(
            self.db, self.calls, utc_now(), firm=self.firms.get(self.db.firm_id, self.calls), **command
        )

    @serve(tasks.SUBMIT_ANSWER)
    def submit_answer(self, **command: Any) -> Answer:
        return answers.submit_answer(
            self.db, self.calls, utc_now(), calendar=self.firms.get(self.db.firm_id, self.calls), **command
        )

    @serve(tasks.REOPEN_CASE_TASK)
    def reopen_case_task(self, **command: Any) -> Answer:
        return answers.reopen_case_task(
            self.db, utc_now(), calendar=self.firms.get(self.db.firm_id, self.calls), **command
        )

    @serve(tasks.GET_CASE_PROGRESS)
    def get_case_progress(self, case_id: str) -> Answer:
        return views.get_case_progress(self.db, self.calls, case_id)

    @serve(tasks.LIST_OPEN_TASKS)
    def list_open_tasks(self, **query: Any) -> Answer:
        return views.list_open_tasks(self.db, utc_now(), **query)

    @serve(tasks.LIST_CLIENT_TASKS)
    def list_client_tasks(self, **query: Any) -> Answer:
        return client_tasks.list_client_tasks(self.db, self.calls, utc_now(), **query)

    @serve(tasks.GET_CASE_TASK_FACTS)
    def get_case_task_facts(self, case_task_ids: list[str]) -> Answer:
        return facts.get_case_task_facts(self.db, utc_now(), case_task_ids)

    @serve(tasks.GET_MAPPED_ANSWERS)
    def get_mapped_answers(self, case_task_ids: list[str]) -> Answer:
        return facts.get_mapped_answers(self.db, self.calls, case_task_ids)
