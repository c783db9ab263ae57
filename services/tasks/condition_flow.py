"""What the answers of a case hide and show of its forms: a step of `flow.settle`."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from contracts.base import Event
from contracts.tasks import TASKS_SHOWN, TASKS_SKIPPED, Due
from services.tasks import due_dates, task_files
from services.tasks.case_tasks import CaseTasks
from services.tasks.conditions import Item, visible
from services.tasks.history import change_of, note_due_change
from services.tasks.models import CaseTask
from services.tasks.sealed_answers import destroy_keys, opened

_IN_ONE_EVENT = 500


def apply(uow: UnitOfWork, tasks: CaseTasks, *, calendar: due_dates.Calendar, now: dt.datetime) -> None:
    """Hides and shows tasks of a case by its answers as they are now.

    A hidden task loses its answer, with its files and with what it showed. What was written to a mapped field stays
    there: nobody knows what was in it before. One that is shown again is to do, and days of its due date count from
    now.
    """
    hidden, shown = _decided(uow.session, tasks.all, calendar, now)
    due_before = {task.id: task.due_at for task in (*hidden, *shown)}
    for task in hidden:
        task.skip(now)
        uow.session.add(change_of(task, "skipped", {}, now))
    for task in shown:
        task.show(due_dates.due_at(_rule(task.due_rule), now, calendar), now)
        uow.session.add(change_of(task, "shown", {}, now))
    for task in (*hidden, *shown):
        if task.due_at != due_before[task.id]:
            note_due_change(uow, task, due_before[task.id], now)
    if with_files := [task.id for task in hidden if task.kind in task_files.WITH_FILES]:
        task_files.release(uow, with_files)
    if sealed := [task.id for task in hidden if task.sealed]:
        destroy_keys(uow, sealed)
    for task in (*hidden, *shown):
        tasks.note(task)
    uow.session.flush()
    _tell(uow, TASKS_SKIPPED, tasks.case_id, hidden)
    _tell(uow, TASKS_SHOWN, tasks.case_id, shown)


def _decided(
    session: Session, tasks: Iterable[CaseTask], calendar: due_dates.Calendar, now: dt.datetime
) -> tuple[list[CaseTask], list[CaseTask]]:
    """The tasks to be hidden, and those to be shown."""
    forms: dict[str, list[CaseTask]] = defaultdict(list)
    for task in tasks:
        if task.case_form_id is not None:
            forms[task.case_form_id].append(task)
    hidden, shown = [], []
    for of_form in forms.values():
        if not any(task.condition for task in of_form):
            continue
        in_order = sorted(of_form, key=lambda task: (task.section_position, task.position))
        items = [Item(task.item_key or "", task.kind, task.condition or ()) for task in in_order]
        # The answer in force is kept while a task is reopened; what the client saved for later is no answer.
        clear = opened(session, in_order)
        answers = {item.key: clear[task.id].answer for item, task in zip(items, in_order, strict=True)}
        holds = visible(items, answers, now.astimezone(calendar.zone).date())
        for item, task in zip(items, in_order, strict=True):
            if holds[item.key] and task.status == "skipped":
                shown.append(task)
            elif not holds[item.key] and task.status != "skipped":
                hidden.append(task)
    return hidden, shown


def _rule(wire: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return None if wire is None else dict(Due().load(wire))


def _tell(uow: UnitOfWork, event: Event, case_id: str, tasks: Sequence[CaseTask]) -> None:
    for start in range(0, len(tasks), _IN_ONE_EVENT):
        some = [task.id for task in tasks[start : start + _IN_ONE_EVENT]]
        uow.emit(event, case_id, {"case_id": case_id, "case_task_ids": some})
