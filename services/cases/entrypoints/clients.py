"""Entrypoints for what cases keep and tell of their clients."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.events import ReceivedEvent, on
from chassis.rpc import serve
from contracts import cases, clients, messaging
from services.cases import client_facts, client_merges, client_summaries, data_exports, erasing
from services.cases.dependencies import BATCH, Dependencies, Record


class ClientEntrypoints(Dependencies):
    """The clients of cases: what is heard of them, asked about them, and what becomes of them."""

    @on(clients.CLIENT_CREATED, batch=BATCH)
    def follow_created_clients(self, events: list[ReceivedEvent]) -> None:
        client_facts.apply_client_events(self.db, events, now=utc_now())

    @on(clients.CLIENT_CHANGED, batch=BATCH)
    def follow_changed_clients(self, events: list[ReceivedEvent]) -> None:
        client_facts.apply_client_events(self.db, events, now=utc_now())

    @on(clients.CLIENTS_IMPORTED, batch=4)
    def follow_imports(self, events: list[ReceivedEvent]) -> None:
        client_facts.apply_imports(self.db, events, now=utc_now())

    @on(clients.CLIENT_DELETED, batch=BATCH)
    def follow_deleted_clients(self, events: list[ReceivedEvent]) -> None:
        client_facts.apply_deletions(self.db, events, now=utc_now())

    @on(clients.CLIENT_RESTORED, batch=BATCH)
    def follow_restored_clients(self, events: list[ReceivedEvent]) -> None:
        client_facts.apply_client_events(self.db, events, now=utc_now())

    @on(messaging.CONSENT_CHANGED, batch=BATCH)
    def follow_consents(self, events: list[ReceivedEvent]) -> None:
        client_facts.apply_consents(self.db, events, now=utc_now())

    @on(clients.CLIENTS_MERGED, batch=20)
    def follow_merges(self, events: list[ReceivedEvent]) -> None:
        client_merges.follow_merges(self.db, events, now=utc_now())

    @on(clients.CLIENTS_UNMERGED, batch=20)
    def follow_undone_merges(self, events: list[ReceivedEvent]) -> None:
        client_merges.follow_undone_merges(self.db, events, now=utc_now())

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
