"""Business hours and permitted hours: closed days, nights on which the clock changes, zones, a clock that steps."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.accounts import WEEKDAYS
from contracts.errors import Invalid
from services.messaging.quiet_hours import Place
from services.messaging.timing import FirmRules, check_timing, next_business_moment, next_business_window, next_time
from tests.examples import examples

ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "Pacific/Honolulu")
SPRING, AUTUMN = dt.date(2026, 3, 8), dt.date(2026, 11, 1)
"""Sundays on which the clocks of the United States change."""


def hours(opens: str = "09:00", closes: str = "17:00") -> dict[str, dt.time]:
    return {"opens": dt.time.fromisoformat(opens), "closes": dt.time.fromisoformat(closes)}


def firm(zone: str = "America/New_York", *, days: tuple[str, ...] = WEEKDAYS[:5], **given: Any) -> FirmRules:
    spans = given.pop("spans", [hours()])
    return FirmRules.from_firm(
        {"name": "A firm", "time_zone": zone, "business_hours": dict.fromkeys(days, spans), **given}
    )


def local(text: str, zone: str = "America/New_York") -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)


def test_an_open_firm_is_open_until_it_closes() -> None:
    window = next_business_window(firm(), local("2026-11-24 10:00"))
    assert window is not None
    assert (window.opens, window.closes) == (local("2026-11-24 10:00"), local("2026-11-24 17:00"))


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ("2026-11-24 08:59", "2026-11-24 09:00"),
        ("2026-11-24 17:00", "2026-11-25 09:00"),
        ("2026-11-27 16:59", "2026-11-27 16:59"),
        ("2026-11-27 17:00", "2026-11-30 09:00"),  # over the weekend
        ("2026-11-25 18:00", "2026-11-27 09:00"),  # over Thanksgiving
    ],
)
def test_a_closed_firm_opens_on_its_next_business_day(at: str, opens: str) -> None:
    rules = firm(closed_days=[dt.date(2026, 11, 26)])
    assert next_business_moment(rules, local(at)) == local(opens)


def test_a_pause_at_noon_is_closed() -> None:
    rules = firm(spans=[hours("09:00", "12:00"), hours("13:00", "17:00")])
    assert next_time(local("2026-11-24 11:00"), firm=rules, place=None)[1] == local("2026-11-24 12:00")
    assert next_business_moment(rules, local("2026-11-24 12:30")) == local("2026-11-24 13:00")


def test_a_firm_without_hours_is_always_open() -> None:
    at = local("2026-11-24 03:00")
    assert next_time(at, firm=FirmRules(name="A firm"), place=None) == (at, None)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("night", [SPRING, AUTUMN])
def test_opening_is_at_the_same_local_hour_around_a_night_on_which_the_clock_changes(zone: str, night: dt.date) -> None:
    rules = firm(zone, days=WEEKDAYS)
    for offset in (-1, 0, 1):
        day = night + dt.timedelta(days=offset)
        evening = dt.datetime.combine(day - dt.timedelta(days=1), dt.time(20), ZoneInfo(zone)).astimezone(dt.UTC)
        opens, closes = next_time(evening, firm=rules, place=Place((zone,)))
        assert closes is not None
        assert opens.astimezone(ZoneInfo(zone)) == dt.datetime.combine(day, dt.time(9), ZoneInfo(zone))
        assert closes.astimezone(ZoneInfo(zone)) == dt.datetime.combine(day, dt.time(17), ZoneInfo(zone))


def test_hours_inside_the_gap_and_the_overlap_stay_in_order() -> None:
    night_shift = firm(days=WEEKDAYS, spans=[hours("01:15", "02:30")])
    for night in (SPRING, AUTUMN):
        window = next_business_window(night_shift, local(f"{night} 00:30"))
        assert window is not None
        assert window.opens < window.closes <= window.opens + dt.timedelta(hours=2, minutes=15)


def test_what_is_permitted_and_the_firms_hours_both_bind() -> None:
    rules = firm("America/New_York")
    honolulu, angeles = Place(("Pacific/Honolulu",)), Place(("America/Los_Angeles",))
    morning = local("2026-11-24 09:00")
    # 8:00 in Los Angeles is 11:00 in New York.
    assert next_time(morning, firm=rules, place=angeles) == (local("2026-11-24 11:00"), local("2026-11-24 17:00"))
    assert next_time(morning, firm=rules, place=honolulu)[0] == local("2026-11-24 08:00", "Pacific/Honolulu")
    # After 12:00 in Honolulu the firm is closed: the next day, and after Friday on Monday.
    friday = local("2026-11-27 17:30")
    assert next_time(friday, firm=rules, place=honolulu)[0] == local("2026-11-30 08:00", "Pacific/Honolulu")


def test_hours_that_never_meet_leave_what_is_permitted() -> None:
    early = firm(spans=[hours("05:00", "07:00")])
    place = Place(("America/New_York",))
    opens, closes = next_time(local("2026-11-24 06:00"), firm=early, place=place)
    assert (opens, closes) == (local("2026-11-24 08:00"), local("2026-11-24 21:00"))


@settings(max_examples=examples(80), deadline=None)
@given(
    minutes=st.integers(0, 2 * 365 * 24 * 60),
    step=st.sampled_from([-3600, 0, 3600]),
    zone=st.sampled_from(ZONES),
    place=st.sampled_from(ZONES),
)
def test_whatever_the_clock_says_the_time_is_permitted_and_not_before_it(
    minutes: int, step: int, zone: str, place: str
) -> None:
    """A clock that steps by an hour asks again, and what it is told holds for what it says."""
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes, seconds=step)
    opens, closes = next_time(moment, firm=firm(zone), place=Place((place,)))
    assert closes is not None
    assert moment <= opens < closes
    there, office = opens.astimezone(ZoneInfo(place)), opens.astimezone(ZoneInfo(zone))
    assert dt.time(8) <= there.time() < dt.time(21)
    assert dt.time(9) <= office.time() < dt.time(17)
    assert office.weekday() < 5
    last = (closes - dt.timedelta(microseconds=1)).astimezone(ZoneInfo(place))
    assert dt.time(8) <= last.time() < dt.time(21)


def test_a_time_must_fit_its_mode() -> None:
    now = local("2026-11-24 09:00")
    for timing, code in (
        ({"mode": "at", "at": None}, "incomplete_timing"),
        ({"mode": "business_hours", "at": now}, "contradictory_timing"),
        ({"mode": "at", "at": now + dt.timedelta(days=367)}, "timing_too_far"),
    ):
        with pytest.raises(Invalid, match=code):
            check_timing(timing, now)
    check_timing({"mode": "at", "at": now - dt.timedelta(days=1)}, now)
    check_timing({"mode": "now", "at": None}, now)
