"""When a task is due. Pure: the firm's zone, working week and holidays are arguments.

A day ends in the firm's zone, so a rule with days gives the last second of a local day, whatever its length.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from contracts.accounts import WEEKDAYS
from contracts.errors import invalid_field
from contracts.tasks import Due

_schema = Due()
_MONDAY_TO_FRIDAY = frozenset(range(5))
_ONE_DAY = dt.timedelta(days=1)
_LONGEST = dt.timedelta(days=366 * 100)
"""Longer than any rule's days, also where a firm works one day a week."""
EARLIEST, LATEST = dt.datetime(1900, 1, 1, tzinfo=dt.UTC), dt.datetime(9990, 1, 1, tzinfo=dt.UTC)
"""No date is earlier or later: it is told in zones, days are added to it, and calendars have an end at either side."""


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


def check_rule(rule: Mapping[str, Any] | None, field: str = "due", *, anchor: str | None = None) -> None:
    """Raises `Invalid` where a rule lacks what its mode needs, or has what another mode needs.

    `anchor` is how another task is named here: `case_task_id`, in a form `task`; None where none can be.
    """
    if rule is None:
        return
    mode = rule["mode"]
    if mode == "after_task" and anchor is None:
        raise invalid_field(f"{field}.mode", "Only for a task of one case, or in a form.", "due_needs_one_case")
    needed = {"fixed": ("at",), "relative": ("days",)}.get(mode, ("days", anchor))
    for name in ("at", "days", "task", "case_task_id", "from_"):
        given, named = rule.get(name) is not None, f"{field}.{name.rstrip('_')}"
        if name in needed and not given:
            raise invalid_field(named, f"Needed when the mode is {mode}.", "incomplete_due_rule")
        if given and name not in needed and (name, mode) != ("from_", "after_task"):
            raise invalid_field(named, f"Not with the mode {mode} here.", "contradictory_due_rule")
    if mode == "fixed" and rule["at"] > LATEST:
        raise invalid_field(f"{field}.at", "Too far in the future.", "due_too_late")
    if mode == "fixed" and rule["at"] < EARLIEST:
        raise invalid_field(f"{field}.at", "Too far in the past.", "due_too_early")


def due_to_wire(due: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A due rule as it is stored."""
    if due is None:
        return None
    return {name: value for name, value in _schema.dump(due).items() if value is not None}


def needs_calendar(rule: Mapping[str, Any] | None) -> bool:
    """Whether the firm's calendar is needed to work out a date."""
    return rule is not None and rule["mode"] != "fixed"


def due_at(rule: Mapping[str, Any] | None, assigned_at: dt.datetime, calendar: Calendar | None) -> dt.datetime | None:
    """The instant after which a task with this rule is overdue, None if it never is, or not before another task is
    done."""
    if rule is None or rule["mode"] == "after_task":
        return None
    if rule["mode"] == "fixed":
        at: dt.datetime = rule["at"]
        return at
    assert calendar is not None
    return days_after(rule, assigned_at, calendar)


def days_after(rule: Mapping[str, Any], start: dt.datetime, calendar: Calendar) -> dt.datetime:
    """The end of the day that is the rule's `days` after the local day of `start`, which is day 0.

    Business days leave out the firm's free weekdays and holidays; day 0 is moved to the next business day if it is not
    one. What would be later than any date can be is the latest one.
    """
    if start > LATEST - _LONGEST:
        return LATEST
    day = start.astimezone(calendar.zone).date()
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
