"""A case's tasks as the steps of `flow.settle` see them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

from chassis.database import UnitOfWork
from services.tasks.due_dates import Calendar
from services.tasks.models import CaseTask


class CaseTasks:
    """All tasks of a case, locked, with their templates. `changed`: those that were changed, to which steps add what
    they change, so that later ones see it."""

    def __init__(self, case_id: str, tasks: Sequence[CaseTask], changed: Sequence[CaseTask]) -> None:
        self.case_id = case_id
        self.all = list(tasks)
        self.by_id = {task.id: task for task in tasks}
        self.changed = list(changed)

    def note(self, task: CaseTask) -> None:
        """It was changed."""
        if task not in self.changed:
            self.changed.append(task)


class Step(Protocol):
    """Brings the tasks of a case in line with those that were changed. `now` is the time of the change."""

    def __call__(self, uow: UnitOfWork, tasks: CaseTasks, *, calendar: Calendar, now: dt.datetime) -> None: ...
