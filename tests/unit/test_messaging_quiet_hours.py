"""Quiet hours: whose zone, which hours, and the nights on which the clock changes."""

import datetime as dt
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from phonenumbers import geocoder

from services.messaging import quiet_hours
from services.messaging.quiet_hours import Place, next_window, place_of

EASTERN = ZoneInfo("America/New_York")


def local(text: str, zone: str = "America/New_York") -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)


def test_the_clients_own_zone_comes_first() -> None:
    place = place_of(time_zone="America/Los_Angeles", postal_state="NY", phone="+12125550123")
    assert place == Place(("America/Los_Angeles",))


def test_then_the_postal_region_then_the_area_code_then_the_firm() -> None:
    assert place_of(postal_state="Illinois", phone="+12125550123").zones == ("America/Chicago",)
    assert place_of(phone="+14155550123").zones == ("America/Los_Angeles",)
    assert place_of(phone="+447911123456").zones[-1] == "Europe/London"
    assert place_of(phone=None, firm_time_zone="America/Denver").zones == ("America/Denver",)


def test_an_invalid_zone_asks_the_next_source() -> None:
    assert place_of(time_zone="Mars/Olympus", phone="+14155550123").zones == ("America/Los_Angeles",)


@pytest.mark.parametrize(
    "place",
    [
        place_of(phone="+13055550123"),
        place_of(postal_state="FL", phone="+12125550123"),
        place_of(time_zone="America/New_York", phone="+17865550123"),
    ],
)
def test_florida_closes_at_eight_by_address_or_area_code(place: Place) -> None:
    assert next_window(place, local("2026-06-01T12:00")).closes == local("2026-06-01T20:00")
    assert next_window(place, local("2026-06-01T20:00")).opens.astimezone(EASTERN).hour in (8, 9)


def test_florida_codes_agree_with_the_numbers_own_data() -> None:
    for code in quiet_hours._FLORIDA_CODES:
        region = geocoder.description_for_number(phonenumbers.parse(f"+1{code}5550123"), "en")
        assert region in ("", "United States") or "FL" in region or "Florida" in region, code


def test_hours_of_a_plain_day() -> None:
    place = Place(("America/New_York",))
    assert next_window(place, local("2026-06-01T07:59")).opens == local("2026-06-01T08:00")
    assert next_window(place, local("2026-06-01T08:00")).opens == local("2026-06-01T08:00")
    assert next_window(place, local("2026-06-01T20:59")).closes == local("2026-06-01T21:00")
    assert next_window(place, local("2026-06-01T21:00")).opens == local("2026-06-02T08:00")


def test_several_zones_permit_only_what_all_permit() -> None:
    place = place_of(postal_state="TX")
    window = next_window(place, local("2026-06-01T00:00"))
    assert window.opens == local("2026-06-01T08:00", "America/Denver")
    assert window.closes == local("2026-06-01T21:00", "America/Chicago")


def test_an_unknown_area_is_permitted_in_all_of_the_country() -> None:
    window = next_window(place_of(phone="+18005550123"), local("2026-06-01T00:00"))
    assert window.opens == local("2026-06-01T08:00", "Pacific/Honolulu")
    assert window.closes == local("2026-06-01T21:00", "America/Puerto_Rico")


@pytest.mark.parametrize("night", ["2026-03-08", "2026-11-01"])
def test_nights_on_which_the_clock_changes(night: str) -> None:
    place = Place(("America/New_York",))
    before = (dt.date.fromisoformat(night) - dt.timedelta(days=1)).isoformat()
    window = next_window(place, local(f"{before}T22:00"))
    assert window.opens.astimezone(EASTERN).isoformat()[:16] == f"{night}T08:00"
    assert window.closes.astimezone(EASTERN).isoformat()[:16] == f"{night}T21:00"
    assert window.closes - window.opens == dt.timedelta(hours=13)


def test_a_firms_own_hours_that_zones_have_none_of_in_common_give_way_to_the_laws() -> None:
    place = Place(("America/New_York", "America/Los_Angeles")).within(dt.time(9), dt.time(12))
    window = next_window(place, local("2026-06-01T06:00"))
    assert (window.opens, window.closes) == (local("2026-06-01T11:00"), local("2026-06-01T20:00"))


def test_zones_with_no_hour_in_common_fall_back_to_the_first() -> None:
    place = Place(("Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/London"))
    window = next_window(place, local("2026-06-01T00:00"))
    assert window.opens.astimezone(ZoneInfo("Pacific/Kiritimati")).hour >= 8
