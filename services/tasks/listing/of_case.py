"""A case's tasks: filtered, grouped and in any order, with progress.

They are so few that all are read, without what is long, and put in order here: by one statement, whatever is asked.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.paging import meta_of
from chassis.scoping import BY_ID
from services.tasks.listing.request import Listing, no_cursor
from services.tasks.listing.slots import (
    GROUP_KEYS,
    Counts,
    Slot,
    counts_of,
    group_entry,
    key_of,
)
from services.tasks.models import CaseTask, KnownCaseStaff

Task = Any
"""A row with the columns of `_tasks`."""
Place = list[Any]
"""Where something is in an order, in JSON's values: of a task [its group's, whether it has no value, the value, id]."""
_PLACES = 4
_NOTHING: dict[str, Any] = {"assignee": ""}
"""What stands for no value where 0 does not: values of one order are compared, also with those which are not there."""

_RANKS = {status: rank for rank, status in enumerate(GROUP_KEYS["status"])}


def list_of_case(session: Session, asked: Listing) -> tuple[list[str], dict[str, Any]]:
    """The ids of a page, and `contracts.tasks.CaseTaskListing` without `data`. Raises Invalid `invalid_cursor`."""
    every = _tasks(session, asked.case_id)
    meant_ = [task for task in every if _is_meant(asked, task)]
    mine = _mine(session, asked, meant_)
    slots = set(asked.slots)
    listed = [task for task in (mine if asked.view == "mine" else meant_) if _slot(asked, task) in slots]
    groups = _Groups(asked, every)
    ids, following = _page(asked, listed, groups)
    return ids, {
        "meta": {**meta_of(len(listed)), "next_cursor": following},
        "counts": counts_of(_counted(asked, meant_), _counted(asked, mine), asked.view),
        "groups": None if asked.group is None else groups.told(listed),
        "progress": _progress(asked.case_id, every),
    }


def _tasks(session: Session, case_id: str | None) -> Sequence[Task]:
    statement = select(
        CaseTask.id, CaseTask.status, CaseTask.due_at, CaseTask.created_at, CaseTask.title, CaseTask.section,
        CaseTask.section_position, CaseTask.position, CaseTask.assignee_id, CaseTask.template_id,
        CaseTask.case_form_id,
    ).where(CaseTask.case_id == case_id)  # fmt: skip
    return session.execute(statement.execution_options(**BY_ID)).all()


def _is_meant(asked: Listing, task: Task) -> bool:
    return (
        asked.template_id in (None, task.template_id)
        and asked.assignee_id in (None, task.assignee_id)
        and (asked.due_from is None or (task.due_at is not None and task.due_at >= asked.due_from))
        and (asked.due_to is None or (task.due_at is not None and task.due_at < asked.due_to))
    )


def _mine(session: Session, asked: Listing, tasks: Sequence[Task]) -> Sequence[Task]:
    if asked.staff_id is None:
        return []
    on_it = select(KnownCaseStaff.staff_id).where(
        KnownCaseStaff.case_id == asked.case_id, KnownCaseStaff.staff_id == asked.staff_id
    )
    if session.scalars(on_it).first() is not None:
        return tasks
    return [task for task in tasks if task.assignee_id == asked.staff_id]


def _slot(asked: Listing, task: Task) -> Slot:
    return asked.clock.slot(task.status, task.due_at)


def _counted(asked: Listing, tasks: Iterable[Task]) -> Counts:
    return Counts(Counter(_slot(asked, task) for task in tasks))


def _progress(case_id: str | None, tasks: Sequence[Task]) -> dict[str, Any]:
    stored = Counter(task.status for task in tasks)
    return {"case_id": case_id, "completed": stored["completed"], "total": len(tasks) - stored["skipped"]}


# Groups


class _Groups:
    """The groups of a case's tasks."""

    def __init__(self, asked: Listing, every: Sequence[Task]) -> None:
        self._asked = asked
        self._sections: dict[str | None, Place] = {}
        for task in every if asked.group == "section" else ():
            place = _section_place(task)
            self._sections[_section_key(task)] = min(place, self._sections.get(_section_key(task), place))

    def place(self, task: Task) -> Place:
        """Where a task's group is among the groups."""
        match self._asked.group:
            case None:
                return []
            case "section":
                return self._sections[_section_key(task)]
            case "assignee":
                return [task.assignee_id is None, task.assignee_id or ""]
            case group:
                return [GROUP_KEYS[group].index(key_of(group, _slot(self._asked, task)))]

    def told(self, tasks: Sequence[Task]) -> list[dict[str, Any]]:
        """`contracts.tasks.TaskGroup` of each that tasks are in, in their order."""
        parted: dict[str | None, list[Task]] = {}
        for task in sorted(tasks, key=self.place):
            parted.setdefault(self._key(task), []).append(task)
        titled = self._asked.group == "section"
        return [
            group_entry(key, theirs[0].section if titled else None, _counted(self._asked, theirs))
            for key, theirs in parted.items()
        ]

    def _key(self, task: Task) -> str | None:
        match self._asked.group:
            case "section":
                return _section_key(task)
            case "assignee":
                assignee_id: str | None = task.assignee_id
                return assignee_id
            case group:
                return key_of(str(group), _slot(self._asked, task))


def _section_key(task: Task) -> str | None:
    section: str | None = task.section
    return section if task.case_form_id is None else f"{task.case_form_id}/{task.section_position}"


def _section_place(task: Task) -> Place:
    """As the forms were assigned, and their sections stand in them. What is in no section is last."""
    if task.section is None:
        return [1]
    return [0, _moment(task.created_at), task.case_form_id or "", task.section_position, task.section]


# Order and pages


def _page(asked: Listing, tasks: Sequence[Task], groups: _Groups) -> tuple[list[str], str | None]:
    placed = [([groups.place(task), *_place(asked, task)], task.id) for task in tasks]
    if asked.cursor is not None:
        last = _read_cursor(asked)
        try:
            placed = [entry for entry in placed if _is_after(entry[0], last, asked.descending)]
        except TypeError as error:  # values of another kind
            raise no_cursor() from error
    # Each later order keeps the earlier one where its own values are the same. What has no value is last either way.
    placed.sort(key=lambda entry: entry[0][2:], reverse=asked.descending)
    placed.sort(key=lambda entry: entry[0][:2])
    page = placed[: asked.limit]
    following = _write_cursor(asked, page[-1][0]) if len(placed) > asked.limit else None
    return [task_id for _, task_id in page], following


def _place(asked: Listing, task: Task) -> Place:
    """Where a task is within its group."""
    value: Any
    match asked.order:
        case "created_at":
            value = _moment(task.created_at)
        case "due_at":
            value = None if task.due_at is None else _moment(task.due_at)
        case "title":
            value = task.title.casefold()
        case "assignee":
            value = task.assignee_id
        case "position":
            value = [_moment(task.created_at), task.section_position, task.position]
        case _:
            due = 0 if task.due_at is None else _moment(task.due_at)
            value = [_RANKS[_slot(asked, task).status], (task.due_at is None) != asked.descending, due]
    if value is None:
        return [True, _NOTHING.get(asked.order, 0), task.id]
    return [False, value, task.id]


def _is_after(place: Place, last: Place, descending: bool) -> bool:
    if place[:2] != last[:2]:
        return bool(place[:2] > last[:2])
    return bool(place[2:] < last[2:] if descending else place[2:] > last[2:])


def _moment(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def _write_cursor(asked: Listing, place: Place) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([asked.name, place])).decode().rstrip("=")


def _read_cursor(asked: Listing) -> Place:
    try:
        text = str(asked.cursor)
        name, place = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if name != asked.name or not isinstance(place, list) or len(place) != _PLACES:
            raise ValueError("a cursor of another list")
    except (ValueError, TypeError) as error:
        raise no_cursor() from error
    return place
