"""What is asked of a list of case tasks, checked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from chassis.context import current
from contracts.errors import Invalid, invalid_field
from services.tasks.listing.slots import OF_VIEW, Clock, Slot, meant
from services.tasks.models import OPEN

CASE_SORTS = ("assignee", "created_at", "due_at", "position", "status", "title")
SORTS = ("created_at", "due_at", "status")
GROUPS = ("assignee", "due", "status")
_DONE = ("completed", "skipped")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """`contracts.tasks.ListCaseTasks` as of `clock`, by a member of staff or, with `staff_id` None, by somebody who has
    no cases. `cursor`: without its moment."""

    clock: Clock
    staff_id: str | None
    case_id: str | None = None
    template_id: str | None = None
    assignee_id: str | None = None
    status: Sequence[str] = field(default_factory=tuple)
    due_from: dt.datetime | None = None
    due_to: dt.datetime | None = None
    view: str = "all"
    group: str | None = None
    limit: int = 50
    cursor: str | None = None
    sort: str | None = None

    def check(self) -> None:
        """Raises Invalid, naming the field: `invalid_sort`; `sort_needs_case` and `group_needs_case` for what no index
        answers over all cases."""
        if self.due_from is not None and self.due_to is not None and self.due_from > self.due_to:
            raise invalid_field("due_from", "Must not be after due_to.")
        if self.order not in CASE_SORTS:
            raise invalid_field("sort", f"Must be one of: {', '.join(CASE_SORTS)}.", "invalid_sort")
        if self.case_id is not None:
            return
        if self.group not in (None, *GROUPS):
            raise invalid_field("group", f"Over all cases one of: {', '.join(GROUPS)}.", "group_needs_case")
        if self.order not in SORTS:
            raise invalid_field("sort", f"Over all cases one of: {', '.join(SORTS)}.", "sort_needs_case")
        if self.group is not None and self.order != "due_at":
            raise invalid_field("sort", "Groups over all cases are sorted by due_at.", "sort_needs_case")
        if self.by_assignee and self.descending:
            raise invalid_field("sort", "By assignee over all cases only by due_at.", "sort_needs_case")
        if self.by_assignee and set(self.status).intersection(_DONE):
            raise invalid_field("status", "Over all cases, open tasks are grouped by assignee.", "group_needs_case")

    @property
    def by_assignee(self) -> bool:
        """Whether it is of the open tasks of all cases, by whose they are."""
        return self.group == "assignee" and self.case_id is None

    @property
    def sorted_by(self) -> str:
        """The order, with `-` if it descends: if none is asked for, the newest first as a rule."""
        if self.sort:
            return self.sort
        if self.case_id is not None:
            return "position" if self.group == "section" else "-created_at"
        # Of some statuses, and of what is due, only this order is in an index.
        return "due_at" if self.status or self.group or self.view in OF_VIEW else "-created_at"

    @property
    def order(self) -> str:
        return self.sorted_by.removeprefix("-")

    @property
    def descending(self) -> bool:
        return self.sorted_by.startswith("-")

    @property
    def name(self) -> str:
        """What a cursor is good for; it begins with the order."""
        return f"{self.sorted_by}/{self.view}/{self.group or ''}"

    @property
    def slots(self) -> tuple[Slot, ...]:
        if self.by_assignee and not self.status:
            return meant(self.view, (*OPEN, "overdue"))
        return meant(self.view, self.status)


def asking_staff() -> str | None:
    """The member of staff whom the running work is for."""
    context = current()
    return context.actor_id if context is not None and context.actor_kind == "staff" else None


def no_cursor() -> Invalid:
    """What is raised for a cursor of another list."""
    return invalid_field("cursor", "Not a cursor of this list.", "invalid_cursor")
