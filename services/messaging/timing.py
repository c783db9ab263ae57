"""When a firm wants its messages to go out, and the rules of a firm that messaging goes by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from chassis.postal import as_lines
from contracts.accounts import WEEKDAYS
from contracts.errors import invalid_field
from services.messaging.quiet_hours import Place, Window, known_zone, next_window

LONGEST_AHEAD = dt.timedelta(days=366)
_LOOK_AHEAD_DAYS = 400
"""Longer than any run of holidays that a firm can enter."""
_TRIES = 60
"""Business days that are looked at for an hour that is permitted, too."""


@dataclass(frozen=True)
class Hours:
    """A span of local wall-clock time."""

    opens: dt.time
    closes: dt.time


@dataclass(frozen=True)
class FirmRules:
    """What messaging needs to know of a firm. `permitted` None: automated messages at all hours. `postal_address`: as
    on an envelope, in lines."""

    name: str
    time_zone: str = "America/New_York"
    locale: str = "en"
    permitted: Hours | None = field(default_factory=lambda: Hours(dt.time(8), dt.time(21)))
    business_hours: Mapping[str, tuple[Hours, ...]] = field(default_factory=dict)
    holidays: frozenset[dt.date] = frozenset()
    require_opt_in: bool = False
    allow_manual_reply: bool = False
    postal_address: str = ""

    @classmethod
    def from_firm(cls, firm: Mapping[str, Any]) -> FirmRules:
        """From the answer of `accounts.get_firm`."""
        permitted = firm.get("quiet_hours", {"opens": dt.time(8), "closes": dt.time(21)})
        branding = firm.get("branding") or {}
        return cls(
            name=branding.get("name") or firm["name"],
            time_zone=known_zone(firm.get("time_zone")) or cls.time_zone,
            locale=firm.get("locale") or "en",
            permitted=None if permitted is None else Hours(permitted["opens"], permitted["closes"]),
            business_hours={
                day: tuple(Hours(span["opens"], span["closes"]) for span in spans)
                for day, spans in (firm.get("business_hours") or {}).items()
            },
            holidays=frozenset(firm.get("closed_days") or firm.get("holidays") or ()),
            require_opt_in=bool(firm.get("require_opt_in")),
            allow_manual_reply=bool(firm.get("allow_manual_reply")),
            postal_address=as_lines(firm.get("postal_address") or {}, home="US"),
        )


def check_timing(timing: Mapping[str, Any], now: dt.datetime) -> None:
    """Raises Invalid for a time that is missing, contradicts its mode, or is more than a year ahead. One that has gone
    by means at once: it may have gone by on the way here."""
    at = timing.get("at")
    if timing["mode"] != "at":
        if at is not None:
            raise invalid_field("timing.at", f"Not with the mode {timing['mode']}.", code="contradictory_timing")
    elif at is None:
        raise invalid_field("timing.at", "Needed when the mode is at.", code="incomplete_timing")
    elif at > now + LONGEST_AHEAD:
        raise invalid_field("timing.at", "More than a year ahead.", code="timing_too_far")


def next_business_moment(rules: FirmRules, at: dt.datetime) -> dt.datetime:
    """`at` if the firm is open then, else when it opens next. A firm without business hours is always open."""
    window = next_business_window(rules, at)
    return window.opens if window else at


def next_business_window(rules: FirmRules, at: dt.datetime) -> Window | None:
    """The first time from `at` on in which the firm is open; None for a firm that is never closed, or never open.

    Computed from local wall-clock times, so that a day on which the clock changes comes out right.
    """
    if not any(rules.business_hours.values()):
        return None
    zone = ZoneInfo(rules.time_zone)
    first = at.astimezone(zone).date()
    for offset in range(_LOOK_AHEAD_DAYS):
        day = first + dt.timedelta(days=offset)
        if day in rules.holidays:
            continue
        for span in sorted(rules.business_hours.get(WEEKDAYS[day.weekday()], ()), key=lambda span: span.opens):
            opens = dt.datetime.combine(day, span.opens, zone).astimezone(dt.UTC)
            closes = dt.datetime.combine(day, span.closes, zone).astimezone(dt.UTC)
            if at < closes:
                return Window(max(at, opens), closes)
    return None


def next_time(
    at: dt.datetime, *, firm: FirmRules | None, place: Place | None
) -> tuple[dt.datetime, dt.datetime | None]:
    """When something may begin to go out from `at` on, and before when: in a firm's business hours and in the hours
    that are permitted where the recipient is, whichever are given. Where the two have no hour in common, only what is
    permitted counts: the law binds, the firm's wish cannot be met, and nothing is silently dropped."""
    moment = at
    for _ in range(_TRIES):
        open_ = next_business_window(firm, moment) if firm else None
        permitted = next_window(place, open_.opens if open_ else moment) if place else None
        if open_ is None or permitted is None:
            found = open_ or permitted
            return (found.opens, found.closes) if found else (at, None)
        if permitted.opens < open_.closes:
            return permitted.opens, min(permitted.closes, open_.closes)
        moment = permitted.opens
    return next_time(at, firm=None, place=place)
