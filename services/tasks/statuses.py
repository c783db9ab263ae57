"""The statuses of case tasks in SQL: what `CaseTask.status_at` says in Python."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, not_, or_, true

from services.tasks.models import LAST_SECOND, OPEN, CaseTask


def is_open(task: Any = CaseTask) -> ColumnElement[bool]:
    """Whether a case task is open, overdue or not. The statuses are part of the statement's text, without which neither
    server would use a partial index."""
    opened: ColumnElement[bool] = task.status.in_(bindparam("open", OPEN, expanding=True, literal_execute=True))
    return opened


def present(task: Any = CaseTask) -> ColumnElement[bool]:
    """Whether the case of a case task is not archived, in the words of the partial indexes."""
    return not_(task.archived)


def is_overdue(now: dt.datetime) -> ColumnElement[bool]:
    """Whether a case task is open and its time has passed."""
    return and_(is_open(), CaseTask.due_at <= now - LAST_SECOND)


def has_status(statuses: Collection[str], now: dt.datetime) -> ColumnElement[bool]:
    """Whether a case task has one of these statuses as of the clock. None at all is true for every task."""
    if not statuses:
        return true()
    stored_open = [status for status in OPEN if status in statuses]
    others = [status for status in statuses if status not in OPEN and status != "overdue"]
    if "overdue" in statuses and len(stored_open) == len(OPEN):
        return CaseTask.status.in_([*stored_open, *others])
    conditions: list[ColumnElement[bool]] = [CaseTask.status.in_(others)] if others else []
    if stored_open:
        in_time = or_(CaseTask.due_at.is_(None), CaseTask.due_at > now - LAST_SECOND)
        conditions.append(and_(CaseTask.status.in_(stored_open), in_time))
    if "overdue" in statuses:
        conditions.append(is_overdue(now))
    return or_(*conditions)
