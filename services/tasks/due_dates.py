"""When a task is due. Pure: the firm's zone, working week and holidays are arguments.

A day ends in the firm's zone, so `relative` gives the last second of a local day, whatever its length.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from contracts.accounts import WEEKDAYS
from contracts.errors import invalid_field

_MONDAY_TO_FRIDAY = frozenset(range(5))
_ONE_DAY = dt.timedelta(days=1)
_LATEST = dt.datetime(9990, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Calendar:
    """A firm's days. `weekdays` are those it works on, Monday is 0; never empty."""

    zone: ZoneInfo
    weekdays: Collection[int] = _MONDAY_TO_FRIDAY
    holidays: Collection[dt.date] = frozenset()

    @classmethod
    def of_firm(cls, firm: Mapping[str, Any]) -> Calendar:
        """From the answer of `accounts.get_firm`. A firm that states no hours works Monday to Friday."""
        hours = firm.get("business_hours") or {}
        weekdays = frozenset(number for number, name in enumerate(WEEKDAYS) if hours.get(name))
        return cls(
            ZoneInfo(firm.get("time_zone") or "UTC"),
            weekdays or _MONDAY_TO_FRIDAY,
            frozenset(firm.get("closed_days") or firm.get("holidays") or ()),
        )

    def is_business_day(self, day: dt.date) -> bool:
        return day.weekday() in self.weekdays and day not in self.holidays

    def end_of(self, day: dt.date) -> dt.datetime:
        """The last second of a local day, in UTC: one before the next day's first, on clock-change nights too."""
        next_day = dt.datetime.combine(day + _ONE_DAY, dt.time(), tzinfo=self.zone)
        return next_day.astimezone(dt.UTC) - dt.timedelta(seconds=1)


def check_rule(rule: Mapping[str, Any] | None, field: str = "due") -> None:
    """Raises `Invalid` where a rule lacks what its mode needs, or has what the other mode needs."""
    if rule is None:
        return
    needed, other = ("at", "days") if rule["mode"] == "fixed" else ("days", "at")
    if rule.get(needed) is None:
        raise invalid_field(f"{field}.{needed}", f"Needed when the mode is {rule['mode']}.", "incomplete_due_rule")
    if rule.get(other) is not None:
        raise invalid_field(f"{field}.{other}", f"Not with the mode {rule['mode']}.", "contradictory_due_rule")
    if rule["mode"] == "fixed" and rule["at"] > _LATEST:
        raise invalid_field(f"{field}.at", "Too far in the future.", "due_too_late")


def needs_calendar(rule: Mapping[str, Any] | None) -> bool:
    """Whether `due_at` must be told the firm's calendar."""
    return rule is not None and rule["mode"] == "relative"


def due_at(rule: Mapping[str, Any] | None, assigned_at: dt.datetime, calendar: Calendar | None) -> dt.datetime | None:
    """The instant after which a task with this rule is overdue, None if it never is.

    `days` counts from the local day of the assignment, which is day 0. Business days leave out the firm's free
    weekdays and holidays; day 0 is moved to the next business day if it is not one.
    """
    if rule is None:
        return None
    if rule["mode"] == "fixed":
        at: dt.datetime = rule["at"]
        return at
    assert calendar is not None
    day = assigned_at.astimezone(calendar.zone).date()
    if not rule.get("business"):
        return calendar.end_of(day + dt.timedelta(days=rule["days"]))
    for _ in range(rule["days"]):
        day = _next_business_day(day + _ONE_DAY, calendar)
    return calendar.end_of(_next_business_day(day, calendar))


def _next_business_day(day: dt.date, calendar: Calendar) -> dt.date:
    """`day` itself if it is one."""
    while not calendar.is_business_day(day):
        day += _ONE_DAY
    return day
