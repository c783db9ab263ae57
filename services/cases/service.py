"""The entrypoints of cases: decode, call one use case, encode."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.context import current
from chassis.database import Data
from chassis.events import ReceivedEvent, on
from chassis.rpc import Calls, serve
from chassis.timers import every
from contracts import cases, clients, messaging, tasks
from contracts.errors import invalid_field
from services.cases import (
    answers,
    case_lists,
    case_types,
    client_facts,
    client_merges,
    client_summaries,
    data_exports,
    erasing,
    new_client,
    reading,
    records,
    selecting,
)
from services.cases.models import Base
from services.cases.saved_filters import SAVED_FILTERS

Record = dict[str, Any]
BATCH = 500


class CasesService:
    """Case types, cases, filters, case lists and selectors."""

    name = cases.OWNER
    db = Data(Base)
    calls = Calls(clients, tasks)

    @serve(cases.CREATE_CASE_TYPE)
    def create_case_type(self, **command: Any) -> Record:
        return case_types.create_case_type(self.db, command, now=utc_now())

    @serve(cases.GET_CASE_TYPE)
    def get_case_type(self, case_type_id: str) -> Record:
        return case_types.get_case_type(self.db, case_type_id)

    @serve(cases.LIST_CASE_TYPES)
    def list_case_types(self, **paging: Any) -> Record:
        return case_types.list_case_types(self.db, **paging)

    @serve(cases.UPDATE_CASE_TYPE)
    def update_case_type(self, case_type_id: str, changes: Record, expected_version: int | None) -> Record:
        return case_types.update_case_type(self.db, case_type_id, changes, expected_version, now=utc_now())

    @serve(cases.CREATE_CASE)
    def create_case(self, **command: Any) -> Record:
        if (command.get("clients") is None) == (command["new_client"] is None):
            raise invalid_field("clients", "Exactly one of clients and new_client.")
        create = records.create_case if command["new_client"] is None else new_client.create_case_with_new_client
        return create(self.db, self.calls, command, actor_id=_actor_id(), now=utc_now())

    @serve(cases.GET_CASE)
    def get_case(self, case_id: str) -> Record:
        return reading.get_case(self.db, case_id)

    @serve(cases.UPDATE_CASE)
    def update_case(self, case_id: str, changes: Record, expected_version: int | None) -> Record:
        return records.update_case(
            self.db, self.calls, case_id, changes, expected_version, actor_id=_actor_id(), now=utc_now()
        )

    @serve(cases.ARCHIVE_CASE)
    def archive_case(self, case_id: str) -> Record:
        return records.archive_case(self.db, case_id, now=utc_now())

    @serve(cases.LIST_CASES)
    def list_cases(self, **query: Any) -> Record:
        return reading.list_cases(self.db, self.calls, **query, now=utc_now())

    @serve(cases.SELECT_CASES)
    def select_cases(self, selector: Record, limit: int, cursor: str | None) -> Record:
        return selecting.select_cases(self.db, selector, limit=limit, cursor=cursor, now=utc_now())

    @serve(cases.GET_CASE_FACTS)
    def get_case_facts(self, case_ids: list[str]) -> Record:
        return reading.get_case_facts(self.db, case_ids)

    @serve(cases.CHECK_MAPPING)
    def check_mapping(self, field: str, question_kind: str) -> None:
        answers.check_mapping(self.db, field=field, question_kind=question_kind)

    @serve(cases.CREATE_SAVED_FILTER)
    def create_saved_filter(self, name: str, filter: Record) -> Record:
        return SAVED_FILTERS.create(self.db, utc_now(), name=name, filter=filter)

    @serve(cases.GET_SAVED_FILTER)
    def get_saved_filter(self, saved_filter_id: str) -> Record:
        return SAVED_FILTERS.get(self.db, saved_filter_id)

    @serve(cases.LIST_SAVED_FILTERS)
    def list_saved_filters(self, **paging: Any) -> Record:
        return SAVED_FILTERS.list(self.db, **paging)

    @serve(cases.UPDATE_SAVED_FILTER)
    def update_saved_filter(self, saved_filter_id: str, changes: Record, expected_version: int | None) -> Record:
        return SAVED_FILTERS.update(
            self.db, utc_now(), saved_filter_id=saved_filter_id, changes=changes, expected_version=expected_version
        )

    @serve(cases.DELETE_SAVED_FILTER)
    def delete_saved_filter(self, saved_filter_id: str) -> None:
        SAVED_FILTERS.delete(self.db, saved_filter_id)

    @serve(cases.CREATE_CASE_LIST)
    def create_case_list(self, **command: Any) -> Record:
        return case_lists.create_case_list(self.db, command, now=utc_now())

    @serve(cases.GET_CASE_LIST)
    def get_case_list(self, case_list_id: str) -> Record:
        return case_lists.get_case_list(self.db, case_list_id, now=utc_now())

    @serve(cases.LIST_CASE_LISTS)
    def list_case_lists(self, **paging: Any) -> Record:
        return case_lists.list_case_lists(self.db, **paging, now=utc_now())

    @serve(cases.UPDATE_CASE_LIST)
    def update_case_list(self, case_list_id: str, changes: Record, expected_version: int | None) -> Record:
        return case_lists.update_case_list(self.db, case_list_id, changes, expected_version, now=utc_now())

    @serve(cases.DELETE_CASE_LIST)
    def delete_case_list(self, case_list_id: str) -> None:
        case_lists.delete_case_list(self.db, case_list_id)

    @on(clients.CLIENT_CREATED, batch=BATCH)
    def follow_created_clients(self, events: list[ReceivedEvent]) -> None:
        client_facts.apply_client_events(self.db, events)

    @on(clients.CLIENT_CHANGED, batch=BATCH)
    def follow_changed_clients(self, events: list[ReceivedEvent]) -> None:
        client_facts.apply_client_events(self.db, events)

    @on(clients.CLIENTS_IMPORTED, batch=4)
    def follow_imports(self, events: list[ReceivedEvent]) -> None:
        client_facts.apply_imports(self.db, events)

    @on(clients.CLIENT_DELETED, batch=BATCH)
    def follow_deleted_clients(self, events: list[ReceivedEvent]) -> None:
        client_facts.apply_deletions(self.db, events)

    @on(clients.CLIENT_RESTORED, batch=BATCH)
    def follow_restored_clients(self, events: list[ReceivedEvent]) -> None:
        client_facts.apply_client_events(self.db, events)

    @serve(cases.EXPORT_CLIENT_DATA)
    def export_client_data(self, **query: Any) -> Record:
        return data_exports.export_client_data(self.db, **query)

    @on(clients.CLIENT_ERASED, batch=100)
    def forget_clients(self, events: list[ReceivedEvent]) -> None:
        erasing.forget_clients(self.db, events, utc_now())

    @serve(cases.SUMMARIZE_CLIENT_CASES)
    def summarize_client_cases(self, **query: Any) -> Record:
        return client_summaries.summarize_client_cases(self.db, **query)

    @serve(cases.GET_CLIENT_CASES)
    def get_client_cases(self, client_ids: list[str]) -> Record:
        return erasing.get_client_cases(self.db, client_ids=client_ids)

    @on(clients.CLIENTS_MERGED, batch=20)
    def follow_merges(self, events: list[ReceivedEvent]) -> None:
        client_merges.follow_merges(self.db, events, now=utc_now())

    @on(clients.CLIENTS_UNMERGED, batch=20)
    def follow_undone_merges(self, events: list[ReceivedEvent]) -> None:
        client_merges.follow_undone_merges(self.db, events, now=utc_now())

    @on(messaging.CONSENT_CHANGED, batch=BATCH)
    def follow_consents(self, events: list[ReceivedEvent]) -> None:
        client_facts.apply_consents(self.db, events)

    @on(tasks.TASK_COMPLETED, batch=BATCH)
    def apply_answers(self, events: list[ReceivedEvent]) -> None:
        answers.apply_answers(self.db, self.calls, events, now=utc_now())

    @every(10, "finish_new_clients")
    def finish_new_clients(self) -> None:
        new_client.finish_due(self.db, self.calls, now=utc_now())


def _actor_id() -> str | None:
    context = current()
    return context.actor_id if context is not None else None
