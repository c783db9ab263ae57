"""Entrypoints for types of case, cases, and what is chosen of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.columns import utc_now
from chassis.events import ReceivedEvent, on
from chassis.rpc import serve
from chassis.timers import every
from contracts import cases, tasks
from contracts.errors import invalid_field
from services.cases import (
    answers,
    case_types,
    new_client,
    reading,
    records,
    requested_changes,
    selecting,
    stored_values,
)
from services.cases.dependencies import BATCH, Dependencies, Record


class RecordEntrypoints(Dependencies):
    """Types of case, cases, and what other services ask about them."""

    @serve(cases.CREATE_CASE_TYPE)
    def create_case_type(self, **command: Any) -> Record:
        return case_types.create_case_type(self.db, self.calls, command, now=utc_now())

    @serve(cases.GET_CASE_TYPE)
    def get_case_type(self, case_type_id: str) -> Record:
        return case_types.get_case_type(self.db, case_type_id)

    @serve(cases.LIST_CASE_TYPES)
    def list_case_types(self, **paging: Any) -> Record:
        return case_types.list_case_types(self.db, **paging)

    @serve(cases.CHECK_CASE_TYPES)
    def check_case_types(self, case_type_ids: list[str]) -> Record:
        return case_types.check_case_types(self.db, case_type_ids)

    @serve(cases.UPDATE_CASE_TYPE)
    def update_case_type(self, case_type_id: str, changes: Record, expected_version: int | None) -> Record:
        return case_types.update_case_type(self.db, self.calls, case_type_id, changes, expected_version, now=utc_now())

    @serve(cases.CREATE_CASE)
    def create_case(self, **command: Any) -> Record:
        if (command.get("clients") is None) == (command["new_client"] is None):
            raise invalid_field("clients", "Exactly one of clients and new_client.")
        create = records.create_case if command["new_client"] is None else new_client.create_case_with_new_client
        return create(self.db, self.calls, command, actor_id=self._actor, now=utc_now())

    @serve(cases.GET_CASE)
    def get_case(self, case_id: str) -> Record:
        return reading.get_case(self.db, case_id)

    @serve(cases.UPDATE_CASE)
    def update_case(self, case_id: str, changes: Record, expected_version: int | None) -> Record:
        return records.update_case(
            self.db, self.calls, case_id, changes, expected_version, actor_id=self._actor, now=utc_now()
        )

    @serve(cases.ARCHIVE_CASE)
    def archive_case(self, case_id: str) -> Record:
        return records.archive_case(self.db, case_id, now=utc_now())

    @serve(cases.UNARCHIVE_CASE)
    def unarchive_case(self, case_id: str) -> Record:
        return records.unarchive_case(self.db, case_id, now=utc_now())

    @serve(cases.LIST_STATUS_CHANGES)
    def list_status_changes(self, case_id: str, **paging: Any) -> Record:
        return reading.list_status_changes(self.db, case_id, **paging)

    @serve(cases.LIST_CASES)
    def list_cases(self, **query: Any) -> Record:
        return reading.list_cases(self.db, self.calls, **query, now=self._now_for(query.get("filter")))

    @serve(cases.SELECT_CASES)
    def select_cases(self, selector: Record, cursor: str | None, **page: Any) -> Record:
        # A later page has its moment in the cursor.
        now = self._now_for(*(selecting.filters_of(self.db, selector) if cursor is None else ()))
        return selecting.select_cases(self.db, selector, cursor=cursor, now=now, kept=self.kept_selections, **page)

    @serve(cases.GET_CASE_FACTS)
    def get_case_facts(self, case_ids: list[str]) -> Record:
        return reading.get_case_facts(self.db, case_ids)

    @serve(cases.LIST_TYPES_OF_CASES)
    def list_types_of_cases(self, **page: Any) -> Record:
        return reading.list_types_of_cases(self.db, **page)

    @serve(cases.CHECK_MAPPING)
    def check_mapping(self, field: str, question_kind: str, options: Sequence[str] = ()) -> Record:
        return answers.check_mapping(self.db, field=field, question_kind=question_kind, options=options)

    @on(tasks.TASK_COMPLETED, batch=BATCH)
    def apply_answers(self, events: list[ReceivedEvent]) -> None:
        answers.apply_answers(self.db, self.calls, events, now=utc_now())

    @every(30, "reseal_custom_fields")
    def reseal_custom_fields(self) -> bool:
        return stored_values.reseal(self.db, utc_now())

    # One at a time: what follows from each belongs to its own chain of automations.
    @on(tasks.CASE_CHANGE_REQUESTED)
    def change_case(self, event: ReceivedEvent) -> None:
        requested_changes.change_case(self.db, event, utc_now())

    @every(10, "finish_new_clients")
    def finish_new_clients(self) -> None:
        new_client.finish_due(self.db, self.calls, now=utc_now())
