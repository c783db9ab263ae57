"""Entrypoints for what came of case tasks elsewhere, and of the clients who answered them."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.envelope import ReceivedEvent
from chassis.events import on
from chassis.rpc import serve
from contracts import cases, clients, messaging, tasks
from services.tasks import client_merges, data_exports, erasing, outcomes

Answer = dict[str, Any]


class OutcomesEntrypoints:
    """Refused answers, deliveries, and clients that are merged, exported or erased."""

    db: Any
    files: Any
    calls: Any
    firms: Any

    @on(clients.FIELD_UPDATE_REJECTED)
    def record_client_rejection(self, event: ReceivedEvent) -> None:
        outcomes.record_rejection(self.db, event, utc_now())

    @on(cases.FIELD_UPDATE_REJECTED)
    def record_case_rejection(self, event: ReceivedEvent) -> None:
        outcomes.record_rejection(self.db, event, utc_now())

    @serve(tasks.EXPORT_CLIENT_DATA)
    def export_client_data(self, **query: Any) -> Answer:
        return data_exports.export_client_data(self.db, self.calls, **query)

    @on(clients.CLIENT_ERASED, batch=100)
    def forget_clients(self, events: list[ReceivedEvent]) -> None:
        erasing.forget_clients(self.db, self.files, self.calls, self.firms, events, utc_now())

    @on(clients.CLIENTS_MERGED, batch=20)
    def follow_merges(self, events: list[ReceivedEvent]) -> None:
        client_merges.follow_merges(self.db, events)

    @on(clients.CLIENTS_UNMERGED, batch=20)
    def follow_undone_merges(self, events: list[ReceivedEvent]) -> None:
        client_merges.follow_undone_merges(self.db, events)

    @on(messaging.DELIVERY_SENT, batch=500)
    def record_sent(self, events: list[ReceivedEvent]) -> None:
        outcomes.record_deliveries(self.db, events, utc_now())

    @on(messaging.DELIVERY_DELIVERED, batch=500)
    def record_delivered(self, events: list[ReceivedEvent]) -> None:
        outcomes.record_deliveries(self.db, events, utc_now())

    @on(messaging.DELIVERY_FAILED, batch=500)
    def record_failed(self, events: list[ReceivedEvent]) -> None:
        outcomes.record_deliveries(self.db, events, utc_now())

    @on(messaging.DELIVERY_SUPPRESSED, batch=500)
    def record_suppressed(self, events: list[ReceivedEvent]) -> None:
        outcomes.record_deliveries(self.db, events, utc_now())
