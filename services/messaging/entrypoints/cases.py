"""Entrypoints for what others say of cases."""

from __future__ import annotations

from chassis.columns import utc_now
from chassis.events import ReceivedEvent, on
from chassis.timers import every
from contracts import cases
from services.messaging import known_cases
from services.messaging.dependencies import Dependencies


class CaseEntrypoints(Dependencies):
    """Cases, as far as messaging has to know them."""

    @on(cases.CASE_CREATED, batch=500)
    def follow_created_cases(self, events: list[ReceivedEvent]) -> None:
        known_cases.follow_cases(self.db, events, utc_now())

    @on(cases.CASE_CHANGED, batch=500)
    def follow_changed_cases(self, events: list[ReceivedEvent]) -> None:
        known_cases.follow_cases(self.db, events, utc_now())

    @on(cases.CASES_IMPORTED, batch=2)
    def follow_imported_cases(self, events: list[ReceivedEvent]) -> None:
        known_cases.follow_imports(self.db, events, utc_now())

    @every(60, "messaging: ask for older cases")
    def ask_for_older_cases(self) -> bool:
        return known_cases.ask_for_older(self.db, self.calls)
