"""Entrypoints for forms, and for what is assigned of them."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.rpc import serve
from contracts import tasks
from services.tasks import case_forms, forms

Answer = dict[str, Any]


class FormsEntrypoints:
    """Forms, their versions, and forms on cases."""

    db: Any
    calls: Any
    firms: Any

    @serve(tasks.CREATE_FORM)
    def create_form(self, **command: Any) -> Answer:
        return forms.create_form(self.db, self.calls, utc_now(), **command)

    @serve(tasks.GET_FORM)
    def get_form(self, form_id: str, version: int | None = None) -> Answer:
        return forms.get_form(self.db, form_id, version)

    @serve(tasks.LIST_FORMS)
    def list_forms(self, **query: Any) -> Answer:
        return forms.list_forms(self.db, **query)

    @serve(tasks.UPDATE_FORM)
    def update_form(self, **command: Any) -> Answer:
        return forms.update_form(self.db, self.calls, utc_now(), **command)

    @serve(tasks.COPY_FORM)
    def copy_form(self, **command: Any) -> Answer:
        return forms.copy_form(self.db, utc_now(), **command)

    @serve(tasks.LIST_FORM_VERSIONS)
    def list_form_versions(self, **query: Any) -> Answer:
        return forms.list_form_versions(self.db, **query)

    @serve(tasks.GET_FORM_FACTS)
    def get_form_facts(self, form_ids: list[str]) -> Answer:
        return forms.get_form_facts(self.db, form_ids)

    @serve(tasks.ASSIGN_FORM)
    def assign_form(self, **command: Any) -> Answer:
        calendar = self.firms.get(self.db.firm_id, self.calls)
        return case_forms.assign_form(self.db, self.calls, utc_now(), calendar=calendar, **command)

    @serve(tasks.LIST_CASE_FORMS)
    def list_case_forms(self, **query: Any) -> Answer:
        return case_forms.list_case_forms(self.db, self.calls, **query)

    @serve(tasks.REMOVE_CASE_FORM)
    def remove_case_form(self, case_form_id: str) -> Answer:
        return case_forms.remove_case_form(self.db, case_form_id)
