"""Entrypoints for saved filters and case lists."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.rpc import serve
from contracts import cases
from services.cases import case_lists
from services.cases.dependencies import Dependencies, Record
from services.cases.saved_filters import SAVED_FILTERS


class ListEntrypoints(Dependencies):
    """Saved filters and case lists."""

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
        return case_lists.create_case_list(self.db, command, now=self._now_for(command.get("filter")))

    @serve(cases.GET_CASE_LIST)
    def get_case_list(self, case_list_id: str) -> Record:
        return case_lists.get_case_list(self.db, case_list_id, now_for=self._now_for)

    @serve(cases.LIST_CASE_LISTS)
    def list_case_lists(self, **paging: Any) -> Record:
        return case_lists.list_case_lists(self.db, **paging, now_for=self._now_for)

    @serve(cases.UPDATE_CASE_LIST)
    def update_case_list(self, case_list_id: str, changes: Record, expected_version: int | None) -> Record:
        return case_lists.update_case_list(self.db, case_list_id, changes, expected_version, now_for=self._now_for)

    @serve(cases.DELETE_CASE_LIST)
    def delete_case_list(self, case_list_id: str) -> None:
        case_lists.delete_case_list(self.db, case_list_id)
