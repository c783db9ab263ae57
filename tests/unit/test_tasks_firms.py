"""Calendars of firms: kept for a moment, dropped when they change, and still there when accounts is not."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.testing import FakeCalls
from contracts import accounts
from contracts.errors import Unavailable
from services.tasks.firms import Calendars


class Accounts:
    def __init__(self) -> None:
        self.zone, self.asked, self.away = "America/New_York", 0, False
        self.calls = FakeCalls(accounts, answers={accounts.GET_FIRM: self._firm})

    def _firm(self) -> dict[str, Any]:
        self.asked += 1
        if self.away:
            raise Unavailable("accounts_away")
        return {"time_zone": self.zone}


def zone(calendars: Calendars, office: Accounts, firm_id: str = "one") -> str | None:
    calendar = calendars.get(firm_id, office.calls)
    return calendar and str(calendar.zone)


def test_a_calendar_is_asked_for_once_until_it_changes() -> None:
    calendars, office = Calendars(), Accounts()
    assert [zone(calendars, office) for _ in range(3)] == ["America/New_York"] * 3
    assert office.asked == 1
    office.zone = "Europe/Madrid"
    assert zone(calendars, office, "other") == "Europe/Madrid"
    assert zone(calendars, office) == "America/New_York"
    calendars.drop("one")
    assert zone(calendars, office) == "Europe/Madrid"


def test_the_calendar_before_holds_while_accounts_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    calendars, office = Calendars(), Accounts()
    zone(calendars, office)
    office.away = True
    assert zone(calendars, office, "other") is None
    calendars._fresh.clear()
    assert [zone(calendars, office) for _ in range(3)] == ["America/New_York"] * 3
    assert office.asked == 3, "it is not asked for with every answer"
