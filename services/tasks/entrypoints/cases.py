"""Entrypoints for what others say of cases and firms."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.envelope import ReceivedEvent
from chassis.events import on
from chassis.timers import every
from contracts import accounts, cases
from services.tasks import default_forms, known_cases
from services.tasks.automation import runs


class CasesEntrypoints:
    """Cases and firms, as far as tasks have to know them."""

    db: Any
    calls: Any
    firms: Any

    @on(cases.CASE_CREATED, batch=500)
    def follow_created_cases(self, events: list[ReceivedEvent]) -> None:
        default_forms.follow_created_cases(self.db, self.calls, self.firms, events, utc_now())

    @on(cases.CASE_CHANGED, batch=500)
    def follow_changed_cases(self, events: list[ReceivedEvent]) -> None:
        now = utc_now()
        known_cases.follow_cases(
            self.db, self.calls, events, lambda uow: runs.begin(uow, "case_status_changed", uow.fresh, now)
        )

    @on(cases.CASES_IMPORTED, batch=2)
    def follow_imported_cases(self, events: list[ReceivedEvent]) -> None:
        known_cases.follow_imports(self.db, events)

    @every(60, known_cases.TIMER)
    def ask_for_unknown_cases(self) -> bool:
        return known_cases.ask_for_unknown(self.db, self.calls)

    @on(accounts.FIRM_CHANGED, broadcast=True)
    def forget_calendar(self, event: ReceivedEvent) -> None:
        self.firms.drop(event.data["firm_id"])
