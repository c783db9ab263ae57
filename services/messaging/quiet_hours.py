"""When an automated text may reach a person: 8:00 to 21:00 where they are, 8:00 to 20:00 in Florida.

Where a person is: the client's own time zone, else the zones of the postal region, else those of the number's area
code, else those of the number's country. Of several candidate zones, only what is permitted in all counts. Everything
is computed from local wall-clock times of each day, so that nights with a daylight-saving change come out right.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone as number_zones

OPENS = dt.time(8)
CLOSES = dt.time(21)
CLOSES_IN_FLORIDA = dt.time(20)
_LOOK_AHEAD_DAYS = 4

_EASTERN, _CENTRAL, _MOUNTAIN, _PACIFIC = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
)
_STATE_ZONES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ["CT", "DC", "DE", "GA", "MA", "MD", "ME", "NC", "NH", "NJ", "NY", "OH", "PA", "RI", "SC", "VA", "VT", "WV"],
        (_EASTERN,),
    ),
    **dict.fromkeys(["AL", "AR", "IA", "IL", "LA", "MN", "MO", "MS", "OK", "WI"], (_CENTRAL,)),
    **dict.fromkeys(["CO", "MT", "NM", "UT", "WY"], (_MOUNTAIN,)),
    **dict.fromkeys(["CA", "WA"], (_PACIFIC,)),
    **dict.fromkeys(["FL", "KY", "MI", "TN"], (_EASTERN, _CENTRAL)),
    "IN": ("America/Indiana/Indianapolis", _CENTRAL),
    **dict.fromkeys(["KS", "ND", "NE", "SD", "TX"], (_CENTRAL, _MOUNTAIN)),
    "ID": (_MOUNTAIN, _PACIFIC),
    "OR": (_MOUNTAIN, _PACIFIC),
    "NV": (_PACIFIC, _MOUNTAIN),
    "AZ": ("America/Phoenix", _MOUNTAIN),
    "AK": ("America/Anchorage", "America/Adak"),
    "HI": ("Pacific/Honolulu",),
    "PR": ("America/Puerto_Rico",),
    "VI": ("America/St_Thomas",),
    "GU": ("Pacific/Guam",),
    "AS": ("Pacific/Pago_Pago",),
    "MP": ("Pacific/Saipan",),
}
"""USPS code to zones, every zone that a part of the state keeps (49 CFR part 71)."""

_STATE_NAMES = {
    "alabama": "AL", "alaska": "AK", "arizona": "AZ", "arkansas": "AR", "california": "CA", "colorado": "CO",
    "connecticut": "CT", "delaware": "DE", "district of columbia": "DC", "florida": "FL", "georgia": "GA",
    "hawaii": "HI", "idaho": "ID", "illinois": "IL", "indiana": "IN", "iowa": "IA", "kansas": "KS", "kentucky": "KY",
    "louisiana": "LA", "maine": "ME", "maryland": "MD", "massachusetts": "MA", "michigan": "MI", "minnesota": "MN",
    "mississippi": "MS", "missouri": "MO", "montana": "MT", "nebraska": "NE", "nevada": "NV", "new hampshire": "NH",
    "new jersey": "NJ", "new mexico": "NM", "new york": "NY", "north carolina": "NC", "north dakota": "ND",
    "ohio": "OH", "oklahoma": "OK", "oregon": "OR", "pennsylvania": "PA", "puerto rico": "PR", "rhode island": "RI",
    "south carolina": "SC", "south dakota": "SD", "tennessee": "TN", "texas": "TX", "utah": "UT", "vermont": "VT",
    "virginia": "VA", "washington": "WA", "west virginia": "WV", "wisconsin": "WI", "wyoming": "WY",
}  # fmt: skip

_FLORIDA_CODES = frozenset({
    "239", "305", "321", "324", "352", "386", "407", "448", "561", "645", "656", "689", "727", "728", "754",
    "772", "786", "813", "850", "863", "904", "941", "954",
})  # fmt: skip
_FLORIDA_PANHANDLE_CODES = frozenset(("448", "850"))
"""These reach into Central time, which the number's own data does not know."""

_UNITED_STATES = (
    _EASTERN,
    _CENTRAL,
    _MOUNTAIN,
    "America/Phoenix",
    _PACIFIC,
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Puerto_Rico",
)


@dataclass(frozen=True)
class Place:
    """Candidate IANA zones (at least one), and the local hours between which a text is permitted there."""

    zones: tuple[str, ...]
    closes: dt.time = CLOSES
    opens: dt.time = OPENS

    def or_at(self, other: Place) -> Place:
        """Where somebody is who is at one of the two."""
        zones = tuple(dict.fromkeys((*self.zones, *other.zones)))
        return Place(zones, min(self.closes, other.closes), max(self.opens, other.opens))

    def within(self, opens: dt.time, closes: dt.time) -> Place:
        """The same with a firm's own hours, which may be shorter than the law's, never longer."""
        narrowed = replace(self, opens=max(self.opens, opens), closes=min(self.closes, closes))
        return narrowed if narrowed.opens < narrowed.closes else self


def known_zone(name: str | None) -> str | None:
    """`name` if it is a time zone that exists; an invalid zone never drops a send, the next source is asked."""
    if not name:
        return None
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
    return name


def place_of(
    *,
    time_zone: str | None = None,
    postal_state: str | None = None,
    postal_country: str | None = None,
    phone: str | None = None,
    firm_time_zone: str = _EASTERN,
) -> Place:
    """Where a recipient is taken to be. `phone` is E.164; `postal_state` a USPS code or a name; the firm's own zone is
    the last resort. Florida's earlier close binds by address or by area code, whichever is known."""
    state = _state(postal_state) if (postal_country or "US") == "US" else None
    florida = _area(phone) in _FLORIDA_CODES or state == "FL"
    own = known_zone(time_zone)
    if own:
        zones: tuple[str, ...] = (own,)
    elif state:
        zones = _STATE_ZONES[state]
    else:
        zones = _zones_of_number(phone) if phone else ()
    return Place(zones or (known_zone(firm_time_zone) or _EASTERN,), CLOSES_IN_FLORIDA if florida else CLOSES)


def _state(text: str | None) -> str | None:
    code = (text or "").strip().upper()
    code = code if code in _STATE_ZONES else _STATE_NAMES.get(code.lower(), "")
    return code or None


@lru_cache(maxsize=4096)
def _zones_of_area(prefix: str, sample: str) -> tuple[str, ...]:
    found = number_zones.time_zones_for_geographical_number(phonenumbers.parse(sample))
    zones = tuple(zone for zone in found if known_zone(zone) and zone != number_zones.UNKNOWN_TIMEZONE)
    if prefix.startswith("+1") and len(zones) > 4:
        return _UNITED_STATES
    return zones


def _area(phone: str | None) -> str:
    """The area code of an E.164 number of North America."""
    return phone[2:5] if phone and phone.startswith("+1") else ""


def _zones_of_number(phone: str) -> tuple[str, ...]:
    """Candidate zones of an E.164 number."""
    area = _area(phone)
    if area in _FLORIDA_PANHANDLE_CODES:
        return _EASTERN, _CENTRAL
    prefix = phone[:8] if area else phone[:6]
    try:
        # Of North America the area and exchange decide: any number in them is the same.
        return _zones_of_area(prefix, prefix.ljust(len(phone), "0") if area else phone)
    except phonenumbers.NumberParseException:
        return ()


@dataclass(frozen=True)
class Window:
    """From `opens` on and before `closes`, both aware UTC instants."""

    opens: dt.datetime
    closes: dt.datetime


@lru_cache(maxsize=1024)
def next_window(place: Place, at: dt.datetime) -> Window:
    """The first window, open at `at` or later, that is permitted in every zone of `place`.

    If the zones have no hour of a firm's own in common, those of the law decide; if not even one of these, the first
    zone's own hours do (a message is not silently dropped).
    """
    lawful = replace(place, opens=OPENS, closes=CLOSES_IN_FLORIDA)
    found = (
        _next_window(place, place.zones, at)
        or _next_window(lawful, place.zones, at)
        or _next_window(place, place.zones[:1], at)
    )
    assert found is not None  # one zone alone is open every day
    return found


def _next_window(place: Place, zones: Sequence[str], at: dt.datetime) -> Window | None:
    open_spans: list[Window] | None = None
    for zone in zones:
        spans = _days(zone, place, at)
        open_spans = spans if open_spans is None else _common(open_spans, spans)
    for span in open_spans or ():
        if span.closes > at:
            return Window(max(span.opens, at), span.closes)
    return None


def _days(zone: str, place: Place, at: dt.datetime) -> list[Window]:
    local = ZoneInfo(zone)
    first = at.astimezone(local).date() - dt.timedelta(days=1)
    days = (first + dt.timedelta(days=offset) for offset in range(_LOOK_AHEAD_DAYS + 1))
    return [
        Window(
            dt.datetime.combine(day, place.opens, local).astimezone(dt.UTC),
            dt.datetime.combine(day, place.closes, local).astimezone(dt.UTC),
        )
        for day in days
    ]


def _common(left: list[Window], right: list[Window]) -> list[Window]:
    both = (Window(max(a.opens, b.opens), min(a.closes, b.closes)) for a in left for b in right)
    return sorted((span for span in both if span.opens < span.closes), key=lambda span: span.opens)
