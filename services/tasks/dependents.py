"""Dates that follow another task: `N` days after it is finished, or after its own time.

Pure but for `set_due` and `apply`. A task follows at most one other, and no circle is ever accepted, so that what
depends on what is a forest: one walk from the roots gives every date. A date is worked out anew only when the instant
that it is counted from is another one; a firm that changes its calendar moves no date that it has told a client.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.unit_of_work import UnitOfWork
from contracts.errors import Invalid, invalid_field
from contracts.tasks import Due
from services.tasks.case_tasks import CaseTasks
from services.tasks.due_dates import Calendar, check_rule, days_after, due_at, due_to_wire
from services.tasks.history import note_due_change
from services.tasks.models import CaseTask, KnownCase

_schema = Due()


class Dated(Protocol):
    """What a date is worked out from: a case task, or a task of a form by its key."""

    id: str
    status: str
    due_rule: Mapping[str, Any] | None
    due_anchor_id: str | None
    due_at: dt.datetime | None
    due_counted_from: dt.datetime | None
    completed_at: dt.datetime | None


@dataclass(frozen=True)
class Move:
    """`task` is now due at `due_at`, counted from an instant of the task that it follows."""

    task: Any
    due_at: dt.datetime | None
    counted_from: dt.datetime | None


def follows(task: Any) -> bool:
    """Whether a case task's date is another task's doing."""
    return task.due_rule is not None and task.due_rule["mode"] == "after_task"


def moves(tasks: Iterable[Dated], calendar: Calendar) -> list[Move]:
    """What has to change so that every date of these tasks, all of one case or form, is counted from what the task
    that it follows says now. A hidden task has no date, and one that follows it has none either."""
    known = {task.id: task for task in tasks}
    dates = {task.id: task.due_at for task in known.values()}
    found = []
    for task in _from_the_roots(known):
        anchor = known.get(task.due_anchor_id or "")
        rule: Mapping[str, Any] = _schema.load(task.due_rule or {})
        start = None if task.status == "skipped" else _counted_from(anchor, rule, dates)
        if start == task.due_counted_from and (start is None) == (task.due_at is None):
            continue
        dates[task.id] = None if start is None else days_after(rule, start, calendar)
        found.append(Move(task, dates[task.id], start))
    return found


def _from_the_roots(known: Mapping[str, Dated]) -> Iterator[Dated]:
    """The tasks that follow another one, each after the one that it follows."""
    followers: dict[str, list[Dated]] = defaultdict(list)
    for task in known.values():
        if follows(task):
            followers[task.due_anchor_id or ""].append(task)
    roots = [id_ for id_ in followers if id_ not in known or not follows(known[id_])]
    waiting = deque(task for root in roots for task in followers[root])
    while waiting:
        task = waiting.popleft()
        yield task
        waiting.extend(followers[task.id])


def _counted_from(
    anchor: Dated | None, rule: Mapping[str, Any], dates: Mapping[str, dt.datetime | None]
) -> dt.datetime | None:
    if anchor is None or anchor.status == "skipped":
        return None
    if rule["from_"] == "due":
        return dates[anchor.id]
    return anchor.completed_at if anchor.status == "completed" else None


def apply(uow: UnitOfWork, tasks: CaseTasks, *, calendar: Calendar, now: dt.datetime) -> None:
    """Moves the dates of a case's tasks with what they follow, and keeps why: a step of `flow.settle`."""
    for move in moves(tasks.all, calendar):
        task, before = move.task, move.task.due_at
        task.move_due(move.due_at, move.counted_from)
        if move.due_at != before:
            task.touch(now)
            tasks.note(task)
            note_due_change(uow, task, before, now, because=task.due_anchor_id)


def set_due(
    session: Session,
    case: KnownCase,
    task: CaseTask,
    due: Mapping[str, Any] | None,
    calendar: Calendar | None,
    field: str,
) -> None:
    """Gives a task of a locked case a rule that `check_rule` has passed, and the date that it comes to. Its assignment
    is `created_at`.

    Raises Invalid `unknown_due_task`, `due_task_of_another_case`, `due_cycle`.
    """
    rule = due_to_wire(due)
    if due is None or due["mode"] != "after_task":
        task.set_due(rule, due_at(due, task.created_at, calendar))
        return
    named = f"{field}.case_task_id"
    anchor = session.scalars(select(CaseTask).where(CaseTask.id == due["case_task_id"])).one_or_none()
    if anchor is None:
        raise invalid_field(named, "There is no such task.", "unknown_due_task")
    if anchor.case_id != task.case_id:
        raise invalid_field(named, "This is a task of another case.", "due_task_of_another_case")
    if task.id is not None:
        refuse_circle({**_anchors_of(session, task.case_id), task.id: anchor.id}, lambda _: named)
    assert calendar is not None
    case.linked = True
    start = _counted_from(anchor, due, {anchor.id: anchor.due_at})
    task.set_due(rule, None if start is None else days_after(due, start, calendar), anchor.id, start)


def _anchors_of(session: Session, case_id: str) -> dict[str, str]:
    following = select(CaseTask.id, CaseTask.due_anchor_id).where(
        CaseTask.case_id == case_id, CaseTask.due_anchor_id.is_not(None)
    )
    return {id_: anchor_id for id_, anchor_id in session.execute(following) if anchor_id is not None}


def first_dates(
    rules: Mapping[str, Mapping[str, Any] | None],
    assigned_at: dt.datetime,
    calendar: Calendar | None,
    hidden: Collection[str] = (),
) -> dict[str, tuple[dt.datetime | None, dt.datetime | None]]:
    """For each key of a form's tasks its date at the assignment, and the instant that it is counted from if it follows
    another task. `rules` are loaded ones that `check` has passed; the calendar may be None if none needs it."""
    tasks = [
        SimpleNamespace(
            id=key,
            status="skipped" if key in hidden else "to_do",
            due_rule=due_to_wire(rule),
            due_anchor_id=None if rule is None else rule["task"],
            due_at=None if key in hidden else due_at(rule, assigned_at, calendar),
            due_counted_from=None,
            completed_at=None,
        )
        for key, rule in rules.items()
    ]
    dates: dict[str, tuple[dt.datetime | None, dt.datetime | None]] = {task.id: (task.due_at, None) for task in tasks}
    if calendar is not None:
        dates |= {move.task.id: (move.due_at, move.counted_from) for move in moves(tasks, calendar)}
    return dates


def check(content: Mapping[str, Any]) -> None:
    """Refuses due rules of a form that lack something, name no task of it, or go round in a circle. `content`: loaded
    values, {"sections": [{"tasks": [{"key", "due"}]}]}. Raises Invalid naming sections.0.tasks.2.due.task."""
    fields: dict[str, str] = {}
    anchors: dict[str, str] = {}
    for number, section in enumerate(content["sections"]):
        for place, item in enumerate(section["tasks"]):
            fields[item["key"]] = f"sections.{number}.tasks.{place}.due"
            check_rule(item.get("due"), fields[item["key"]], anchor="task")
            if item.get("due") is not None and item["due"]["mode"] == "after_task":
                anchors[item["key"]] = item["due"]["task"]
    for key, anchor in anchors.items():
        if anchor not in fields:
            raise invalid_field(f"{fields[key]}.task", "No task of this form has this key.", "unknown_due_task")
    refuse_circle(anchors, lambda key: f"{fields[key]}.task")


def refuse_circle(anchors: Mapping[str, str], field_of: Any) -> None:
    """Raises Invalid `due_cycle` with the way round if a task follows itself, by however many others. `anchors`: whom
    each task follows."""
    path = _circle(anchors)
    if path:
        way = " → ".join(path)
        message = f"The date would depend on itself: {way}."
        raise Invalid("due_cycle", fields=[{"field": field_of(path[0]), "message": message}], path=way)


def _circle(anchors: Mapping[str, str]) -> Sequence[str]:
    """A way round, its first task again at its end; empty if there is none."""
    safe: set[str] = set()
    for start in anchors:
        path: dict[str, None] = {}
        here = start
        while here in anchors and here not in safe:
            if here in path:
                walked = list(path)
                return [*walked[walked.index(here) :], here]
            path[here] = None
            here = anchors[here]
        safe |= path.keys()
    return ()
