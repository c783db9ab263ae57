"""Due dates: days that end in the firm's zone, business days, holidays, clock-change nights."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Invalid
from services.tasks.due_dates import Calendar, check_rule, due_at

NEW_YORK = Calendar.of_firm({"time_zone": "America/New_York"})


def local(text: str, zone: str = "America/New_York") -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)


def relative(days: int, assigned: dt.datetime, calendar: Calendar = NEW_YORK, *, business: bool = False) -> Any:
    return due_at({"mode": "relative", "days": days, "business": business}, assigned, calendar)


def test_a_fixed_date_is_itself_and_no_rule_is_never_due() -> None:
    at = local("2026-12-01 15:00")
    assert due_at({"mode": "fixed", "at": at}, at, None) == at
    assert due_at(None, at, None) is None


def test_the_day_is_the_firms_and_ends_with_its_last_second() -> None:
    late_evening = dt.datetime(2026, 11, 21, 3, 30, tzinfo=dt.UTC)  # the 20th in New York
    assert relative(0, late_evening) == local("2026-11-20 23:59:59")
    assert relative(7, late_evening) == local("2026-11-27 23:59:59")
    kiritimati = Calendar(ZoneInfo("Pacific/Kiritimati"))
    assert relative(0, late_evening, kiritimati) == local("2026-11-21 23:59:59", "Pacific/Kiritimati")


@pytest.mark.parametrize(
    ("zone", "day", "next_day_begins"),
    [
        ("America/New_York", dt.date(2026, 3, 8), dt.datetime(2026, 3, 9, 4, tzinfo=dt.UTC)),
        ("America/New_York", dt.date(2026, 11, 1), dt.datetime(2026, 11, 2, 5, tzinfo=dt.UTC)),
        ("America/Havana", dt.date(2026, 3, 7), dt.datetime(2026, 3, 8, 5, tzinfo=dt.UTC)),  # no midnight that night
        ("America/Havana", dt.date(2026, 10, 31), dt.datetime(2026, 11, 1, 4, tzinfo=dt.UTC)),  # midnight comes twice
        ("America/Sao_Paulo", dt.date(2018, 2, 17), dt.datetime(2018, 2, 18, 3, tzinfo=dt.UTC)),  # 23:00 comes twice
    ],
)
def test_a_day_ends_right_where_the_clock_changes(zone: str, day: dt.date, next_day_begins: dt.datetime) -> None:
    end = Calendar(ZoneInfo(zone)).end_of(day)
    assert end == next_day_begins - dt.timedelta(seconds=1)
    assert end.astimezone(ZoneInfo(zone)).date() == day


def test_business_days_leave_out_free_weekdays_and_holidays() -> None:
    thanksgiving = Calendar.of_firm({"time_zone": "America/New_York", "holidays": [dt.date(2026, 11, 26)]})
    wednesday, saturday = local("2026-11-25 10:00"), local("2026-11-28 10:00")
    assert relative(1, wednesday, thanksgiving, business=True) == local("2026-11-27 23:59:59")
    assert relative(2, wednesday, thanksgiving, business=True) == local("2026-11-30 23:59:59")
    assert relative(0, saturday, thanksgiving, business=True) == local("2026-11-30 23:59:59")
    assert relative(1, saturday, thanksgiving, business=True) == local("2026-11-30 23:59:59")


def test_the_working_week_is_the_firms() -> None:
    hours = [{"opens": dt.time(9), "closes": dt.time(17)}]
    firm = {"time_zone": "America/New_York", "business_hours": {"saturday": hours, "sunday": hours, "monday": []}}
    friday = local("2026-11-27 10:00")
    assert relative(3, friday, Calendar.of_firm(firm), business=True) == local("2026-12-05 23:59:59")


@given(
    st.integers(0, 400),
    st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: dt.datetime.fromtimestamp(seconds, dt.UTC)),
    st.sampled_from(["America/New_York", "America/Havana", "Asia/Kathmandu", "Pacific/Apia", "UTC"]),
    st.sets(st.integers(0, 6), min_size=1),
)
def test_business_days_fall_on_business_days_and_never_before_calendar_days(
    days: int, assigned: dt.datetime, zone: str, weekdays: set[int]
) -> None:
    calendar = Calendar(ZoneInfo(zone), weekdays)
    due = relative(days, assigned, calendar, business=True)
    assert calendar.is_business_day(due.astimezone(calendar.zone).date())
    assert due >= relative(days, assigned, calendar) >= assigned.replace(microsecond=0)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"mode": "fixed", "at": None, "days": None}, "due.at"),
        ({"mode": "relative", "at": None, "days": None}, "due.days"),
        ({"mode": "relative", "at": local("2026-12-01"), "days": 1}, "due.at"),
        ({"mode": "fixed", "at": local("2026-12-01"), "days": 1}, "due.days"),
        ({"mode": "fixed", "at": dt.datetime.max.replace(tzinfo=dt.UTC), "days": None}, "due.at"),
        ({"mode": "fixed", "at": dt.datetime.min.replace(tzinfo=dt.UTC), "days": None}, "due.at"),
    ],
)
def test_a_rule_that_lacks_or_contradicts_itself_is_refused(rule: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_rule(rule)
    assert refused.value.fields[0]["field"] == field
