"""The clients service: what it answers and what it listens to."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.database import Data
from chassis.events import ReceivedEvent, on
from chassis.files import FilesProvider
from chassis.going_on import Failures
from chassis.rpc import Calls, serve
from chassis.sealing import Keys
from chassis.timers import every
from contracts import accounts, cases, messaging, portal, tasks
from contracts import clients as contract
from services.clients import (
    activity,
    activity_limits,
    answers,
    archiving,
    client_card,
    data_exports,
    erasing,
    facts,
    records,
)
from services.clients.client_keys import SEALING
from services.clients.entrypoints.files import FilesEntrypoints
from services.clients.entrypoints.merging import MergingEntrypoints
from services.clients.entrypoints.record import RecordEntrypoints
from services.clients.entrypoints.ties import TiesEntrypoints
from services.clients.erasures import contact_erasing, erasure_journal, erasure_latecomers, erasure_reports, legal_holds
from services.clients.models import Base
from services.clients.saved_filters import SAVED_FILTERS
from services.clients.search import searching

_BATCH = 500


class ClientsService(FilesEntrypoints, RecordEntrypoints, TiesEntrypoints, MergingEntrypoints):
    """People and businesses, how to reach them, and their import."""

    name = contract.OWNER

    db = Data(Base)
    files = FilesProvider()
    calls = Calls(accounts, cases, messaging, tasks)
    keys = Keys(Base, SEALING)

    @serve(contract.CREATE_CLIENT)
    def create_client(self, **command: Any) -> dict[str, Any]:
        return records.create_client(self.db, utc_now(), calls=self.calls, **command)

    @serve(contract.GET_CLIENT)
    def get_client(self, client_id: str) -> dict[str, Any]:
        return records.get_client(self.db, client_id)

    @serve(contract.UPDATE_CLIENT)
    def update_client(self, **command: Any) -> dict[str, Any]:
        return records.update_client(self.db, utc_now(), calls=self.calls, **command)

    @serve(contract.DELETE_CLIENT)
    def delete_client(self, client_id: str) -> None:
        records.delete_client(self.db, utc_now(), client_id=client_id)

    # Deleted, held, erased

    @serve(contract.RESTORE_CLIENT)
    def restore_client(self, client_id: str) -> dict[str, Any]:
        return archiving.restore_client(self.db, utc_now(), client_id=client_id)

    @serve(contract.LIST_ARCHIVED_CLIENTS)
    def list_archived_clients(self, **query: Any) -> dict[str, Any]:
        return archiving.list_archived_clients(self.db, **query)

    @serve(contract.PLACE_LEGAL_HOLD)
    def place_legal_hold(self, **command: Any) -> dict[str, Any]:
        return legal_holds.place_legal_hold(self.db, utc_now(), actor_id=self._actor, **command)

    @serve(contract.RELEASE_LEGAL_HOLD)
    def release_legal_hold(self, **command: Any) -> dict[str, Any]:
        return legal_holds.release_legal_hold(self.db, utc_now(), actor_id=self._actor, **command)

    @serve(contract.LIST_LEGAL_HOLDS)
    def list_legal_holds(self, **query: Any) -> dict[str, Any]:
        return legal_holds.list_legal_holds(self.db, **query)

    @serve(contract.ERASE_CLIENT)
    def erase_client(self, client_id: str) -> dict[str, Any]:
        return erasing.erase_client(self.db, utc_now(), client_id=client_id, actor_id=self._actor)

    @serve(contract.GET_ERASURE)
    def get_erasure(self, erasure_id: str) -> dict[str, Any]:
        return erasure_reports.get_erasure(self.db, erasure_id=erasure_id)

    @serve(contract.LIST_ERASURES)
    def list_erasures(self, **query: Any) -> dict[str, Any]:
        return erasure_reports.list_erasures(self.db, **query)

    @serve(contract.EXPORT_CLIENT_DATA)
    def export_client_data(self, **query: Any) -> dict[str, Any]:
        return data_exports.export_client_data(self.db, utc_now(), **query)

    @on(contract.ERASURE_REQUESTED, batch=erasing.AT_ONCE)
    def continue_erasures(self, events: list[ReceivedEvent]) -> None:
        erasing.continue_erasures(self.db, self.calls, self.files, events, utc_now())

    @on(cases.ERASURE_REPORTED, batch=_BATCH)
    def record_reports_of_cases(self, events: list[ReceivedEvent]) -> None:
        erasure_reports.record_reports(self.db, events, utc_now())

    @on(tasks.ERASURE_REPORTED, batch=_BATCH)
    def record_reports_of_tasks(self, events: list[ReceivedEvent]) -> None:
        erasure_reports.record_reports(self.db, events, utc_now())

    @on(messaging.ERASURE_REPORTED, batch=_BATCH)
    def record_reports_of_messaging(self, events: list[ReceivedEvent]) -> None:
        erasure_reports.record_reports(self.db, events, utc_now())

    @on(portal.ERASURE_REPORTED, batch=_BATCH)
    def record_reports_of_portal(self, events: list[ReceivedEvent]) -> None:
        erasure_reports.record_reports(self.db, events, utc_now())

    @every(60, erasing.TIMER)
    def erase_due(self) -> bool:
        more = False
        with Failures() as failures:
            for job in (erasing.begin_due, erasing.ask_again, erasure_latecomers.tell_last, contact_erasing.ask_again):
                with failures.kept():
                    more = job(self.db, utc_now()) or more
        return more

    @every(3600, erasure_journal.TIMER)
    def apply_journal(self) -> None:
        erasure_journal.apply_journal(self.db, self.files, utc_now())

    # Lists and what others ask

    @serve(contract.LIST_CLIENTS)
    def list_clients(self, **query: Any) -> dict[str, Any]:
        return searching.list_clients(self.db, now=self._now_for(query), **query)

    @serve(contract.CREATE_SAVED_FILTER)
    def create_saved_filter(self, **command: Any) -> dict[str, Any]:
        return SAVED_FILTERS.create(self.db, utc_now(), **command)

    @serve(contract.GET_SAVED_FILTER)
    def get_saved_filter(self, saved_filter_id: str) -> dict[str, Any]:
        return SAVED_FILTERS.get(self.db, saved_filter_id)

    @serve(contract.LIST_SAVED_FILTERS)
    def list_saved_filters(self, **paging: Any) -> dict[str, Any]:
        return SAVED_FILTERS.list(self.db, **paging)

    @serve(contract.UPDATE_SAVED_FILTER)
    def update_saved_filter(self, **command: Any) -> dict[str, Any]:
        return SAVED_FILTERS.update(self.db, utc_now(), **command)

    @serve(contract.DELETE_SAVED_FILTER)
    def delete_saved_filter(self, saved_filter_id: str) -> None:
        SAVED_FILTERS.delete(self.db, saved_filter_id=saved_filter_id)

    @serve(contract.GET_CLIENT_CARD)
    def get_client_card(self, client_id: str, limit: int) -> dict[str, Any]:
        card = client_card.get_client_card(self.db, client_id=client_id, limit=limit)
        return {**card, "activity": activity_limits.without_hidden_cases(self.calls, card["activity"])}

    @serve(contract.LIST_CLIENT_ACTIVITY)
    def list_client_activity(self, **query: Any) -> dict[str, Any]:
        return activity_limits.without_hidden_cases(self.calls, activity.list_client_activity(self.db, **query))

    @serve(contract.GET_RECIPIENTS)
    def get_recipients(self, client_ids: list[str]) -> dict[str, Any]:
        return facts.get_recipients(self.db, client_ids=client_ids)

    @serve(contract.GET_CLIENT_FACTS)
    def get_client_facts(self, client_ids: list[str]) -> dict[str, Any]:
        return facts.get_client_facts(self.db, client_ids=client_ids)

    @serve(contract.FIND_CLIENTS_BY_ADDRESS)
    def find_clients_by_address(self, channel: str, address: str) -> dict[str, Any]:
        return facts.find_clients_by_address(self.db, channel=channel, address=address)

    @on(tasks.TASK_COMPLETED, batch=_BATCH)
    def follow_completed_tasks(self, events: list[ReceivedEvent]) -> None:
        answers.follow_completed_tasks(self.db, self.calls, events, utc_now())

    @on(messaging.CONSENT_CHANGED, batch=_BATCH)
    def record_consent_changes(self, events: list[ReceivedEvent]) -> None:
        activity.record_consent_changes(self.db, events)

    @on(messaging.DELIVERY_SENT, batch=_BATCH)
    def record_sent_deliveries(self, events: list[ReceivedEvent]) -> None:
        activity.record_deliveries(self.db, events)

    @on(messaging.DELIVERY_DELIVERED, batch=_BATCH)
    def record_delivered_deliveries(self, events: list[ReceivedEvent]) -> None:
        activity.record_deliveries(self.db, events)

    @on(messaging.DELIVERY_FAILED, batch=_BATCH)
    def record_failed_deliveries(self, events: list[ReceivedEvent]) -> None:
        activity.record_deliveries(self.db, events)

    @on(messaging.DELIVERY_SUPPRESSED, batch=_BATCH)
    def record_suppressed_deliveries(self, events: list[ReceivedEvent]) -> None:
        activity.record_deliveries(self.db, events)

    @on(cases.CASE_CREATED, batch=_BATCH)
    def record_created_cases(self, events: list[ReceivedEvent]) -> None:
        activity.record_cases(self.db, events)

    @on(cases.CASE_CHANGED, batch=_BATCH)
    def record_changed_cases(self, events: list[ReceivedEvent]) -> None:
        activity.record_cases(self.db, events)

    @on(cases.CASES_IMPORTED, batch=2)
    def record_imported_cases(self, events: list[ReceivedEvent]) -> None:
        activity.record_imported_cases(self.db, events)

    @on(tasks.TASKS_ASSIGNED, batch=10)
    def record_assigned_tasks(self, events: list[ReceivedEvent]) -> None:
        activity.record_tasks(self.db, self.calls, events)

    @on(tasks.TASK_REOPENED, batch=_BATCH)
    def record_reopened_tasks(self, events: list[ReceivedEvent]) -> None:
        activity.record_tasks(self.db, self.calls, events)

    @on(messaging.MESSAGE_RECEIVED, batch=_BATCH)
    def record_received_messages(self, events: list[ReceivedEvent]) -> None:
        activity.record_received_messages(self.db, events)

    @on(messaging.CONVERSATION_ASSIGNED, batch=_BATCH)
    def record_assigned_conversations(self, events: list[ReceivedEvent]) -> None:
        activity.record_assigned_conversations(self.db, events)

    @on(portal.LINK_USED, batch=_BATCH)
    def record_used_links(self, events: list[ReceivedEvent]) -> None:
        activity.record_links(self.db, events)

    @on(portal.LINK_REVOKED, batch=_BATCH)
    def record_revoked_links(self, events: list[ReceivedEvent]) -> None:
        activity.record_links(self.db, events)

    @on(portal.LINK_REQUESTED, batch=_BATCH)
    def record_requested_links(self, events: list[ReceivedEvent]) -> None:
        activity.record_links(self.db, events)

    @on(messaging.COMMUNICATION_LOGGED, batch=_BATCH)
    def record_communications(self, events: list[ReceivedEvent]) -> None:
        activity.record_communications(self.db, events)

    @property
    def _actor(self) -> str | None:
        return self.db.context.actor_id if self.db.context else None
