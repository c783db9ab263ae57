"""Entrypoints for clients that are one person: suspected, marked as two, merged, and two again."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.events import ReceivedEvent, on
from chassis.rpc import serve
from chassis.timers import every
from contracts import clients as contract
from services.clients import merging, suspect_sweep, suspects
from services.clients.merges import merge_tending, merge_undo

Answer = dict[str, Any]


class MergingEntrypoints:
    """Duplicates and merges."""

    db: Any
    calls: Any

    @serve(contract.LIST_DUPLICATES)
    def list_duplicates(self, **query: Any) -> Answer:
        return suspects.list_duplicates(self.db, **query)

    @serve(contract.MARK_NOT_DUPLICATE)
    def mark_not_duplicate(self, **two: Any) -> Answer:
        return suspects.mark_not_duplicate(self.db, utc_now(), **two)

    @serve(contract.UNMARK_NOT_DUPLICATE)
    def unmark_not_duplicate(self, **two: Any) -> None:
        suspects.unmark_not_duplicate(self.db, utc_now(), **two)

    @on(contract.CLIENT_CREATED, batch=200)
    def look_at_created(self, events: list[ReceivedEvent]) -> None:
        suspects.look_at_changed(self.db, events, utc_now())

    @on(contract.CLIENT_CHANGED, batch=200)
    def look_at_changed(self, events: list[ReceivedEvent]) -> None:
        suspects.look_at_changed(self.db, events, utc_now())

    @on(contract.CLIENT_RESTORED, batch=200)
    def look_at_restored(self, events: list[ReceivedEvent]) -> None:
        suspects.look_at_changed(self.db, events, utc_now())

    @on(contract.CLIENTS_IMPORTED, batch=50)
    def look_through_imported(self, events: list[ReceivedEvent]) -> None:
        suspect_sweep.ask_for_sweep(self.db, events, utc_now())

    @every(5, "clients: look for duplicates")
    def look_for_duplicates(self) -> bool:
        return suspect_sweep.sweep_some(self.db, utc_now())

    @serve(contract.MERGE_CLIENTS)
    def merge_clients(self, **command: Any) -> Answer:
        return merging.merge_clients(self.db, self.calls, utc_now(), **command)

    @serve(contract.GET_MERGE)
    def get_merge(self, merge_id: str) -> Answer:
        return merge_undo.get_merge(self.db, merge_id=merge_id)

    @serve(contract.LIST_MERGES)
    def list_merges(self, **query: Any) -> Answer:
        return merging.list_merges(self.db, **query)

    @serve(contract.UNDO_MERGE)
    def undo_merge(self, **command: Any) -> Answer:
        return merge_undo.undo_merge(self.db, utc_now(), **command)

    @every(20, "clients: tend to merges")
    def tend_to_merges(self) -> bool:
        return merge_tending.tend(self.db, utc_now())
