"""What a list is put together from: case tasks by their stored status and, as long as they are open, by when they are
due. Views, statuses, groups and orders are unions of these slots, so that each slot is counted once for all of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from chassis.paging import TOTAL_CAP
from contracts.tasks import STATUSES, VIEWS
from services.tasks.models import LAST_SECOND, OPEN

DATED = ("overdue", "due_today", "due_this_week", "later")
"""When an open task is due: a moment is in the first whose end it does not pass."""
UNDATED = "no_due_date"
OF_VIEW = {"overdue": ("overdue",), "due_today": ("due_today",), "due_this_week": ("due_today", "due_this_week")}
"""The views of open tasks by when they are due. None has what the view `overdue` has but itself."""


class Slot(NamedTuple):
    """`due` is empty for what is not open."""

    stored: str
    due: str

    @property
    def status(self) -> str:
        """The status that is shown."""
        return "overdue" if self.due == "overdue" else self.stored


SLOTS = (
    *(Slot(stored, due) for stored in OPEN for due in (*DATED, UNDATED)),
    Slot("completed", ""),
    Slot("skipped", ""),
)


@dataclass(frozen=True)
class Counts:
    """Tasks by slot; `more`: there are others that nobody looked at."""

    by_slot: Mapping[Slot, int]
    more: bool = False

    def of(self, slots: Collection[Slot]) -> int:
        return sum(self.by_slot.get(slot, 0) for slot in slots)

    def told(self, slots: Collection[Slot]) -> dict[str, Any]:
        """`contracts.tasks.Counted`."""
        total = self.of(slots)
        return {"total": min(total, TOTAL_CAP), "total_is_lower_bound": self.more or total > TOTAL_CAP}


@dataclass(frozen=True)
class Clock:
    """The ends of what is overdue, due today and due this week, as of one moment: each includes its end."""

    now: dt.datetime

    @property
    def ends(self) -> tuple[dt.datetime, dt.datetime, dt.datetime]:
        return self.now - LAST_SECOND, self.now + dt.timedelta(hours=24), self.now + dt.timedelta(days=7)

    def slot(self, stored: str, due_at: dt.datetime | None) -> Slot:
        """Where a task is."""
        if stored not in OPEN:
            return Slot(stored, "")
        if due_at is None:
            return Slot(stored, UNDATED)
        return Slot(stored, next((due for due, end in zip(DATED, self.ends, strict=False) if due_at <= end), DATED[-1]))


def meant(view: str, statuses: Collection[str]) -> tuple[Slot, ...]:
    """The slots of a view and of statuses; no status at all means every. (`mine` is no matter of slots.)"""
    due = OF_VIEW.get(view)
    return tuple(
        slot for slot in SLOTS if (due is None or slot.due in due) and (not statuses or slot.status in statuses)
    )


GROUP_KEYS: dict[str, tuple[str, ...]] = {
    "status": ("overdue", "in_progress", "to_do", "completed", "skipped"),
    "due": (*DATED, UNDATED, "completed", "skipped"),
}
"""The groups that slots make, in their order: what is most urgent first."""


def key_of(group: str, slot: Slot) -> str:
    """The group of a slot: one of `GROUP_KEYS`."""
    return slot.status if group == "status" else slot.due or slot.stored


def counts_of(everybodys: Counts, mine: Counts, view: str) -> dict[str, Any]:
    """`contracts.tasks.TaskCounts`: by view, and by status within the view."""
    views = {name: (mine if name == "mine" else everybodys).told(meant(name, ())) for name in VIEWS}
    shown = mine if view == "mine" else everybodys
    return {"views": views, "statuses": {status: shown.told(meant(view, (status,))) for status in STATUSES}}


def groups_of(group: str, counts: Counts, slots: Collection[Slot]) -> list[dict[str, Any]]:
    """`contracts.tasks.TaskGroup` of each group with anything in it, in their order."""
    parted = [(key, [slot for slot in slots if key_of(group, slot) == key]) for key in GROUP_KEYS[group]]
    return [group_entry(key, None, counts, within) for key, within in parted if counts.of(within)]


def group_entry(key: str | None, title: str | None, counts: Counts, within: Collection[Slot] = SLOTS) -> dict[str, Any]:
    """One group, with what is completed and skipped in it."""
    finished = {
        stored: min(counts.of([slot for slot in within if slot.stored == stored]), TOTAL_CAP)
        for stored in ("completed", "skipped")
    }
    return {"key": key, "title": title, **counts.told(within), **finished}
