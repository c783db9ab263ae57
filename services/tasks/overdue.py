"""Saying once that the time of a task has passed, whichever replica looks first and however late it is.

A deadline is told with the row that marks it, in one transaction that takes the case tasks of a page under a lock which
another replica passes over. A date that was moved is a new deadline; one that is moved away and back is the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update

from chassis.context import Context, use
from chassis.database import Database, UnitOfWork
from chassis.rpc import RemoteFault
from chassis.scoping import BY_ID
from chassis.telemetry import log_of
from chassis.value_sets import among
from contracts.errors import CasewireError
from contracts.tasks import TASK_OVERDUE
from services.tasks import overdue_actions, overdue_handling
from services.tasks.automation.named_rules import active_among
from services.tasks.history import wire_instant
from services.tasks.models import CaseTask, CaseTaskChange
from services.tasks.statuses import is_overdue, present

TIMER = "tasks: announce overdue"
EVERY = 5.0
AT_ONCE = 500
"""Deadlines in one transaction."""

_log = log_of(__name__)


def announce_due(db: Database, calls: Any, now: dt.datetime, *, at_once: int = AT_ONCE) -> bool:
    """Announces deadlines of all firms, those that passed first before the others; True if there may be more.

    A firm whose staff or cases cannot be asked waits for the next turn, and so does one with a deadline that cannot be
    announced, whatever the reason, and one whose page another replica has; they keep no other one waiting. What nobody
    expected is raised in the end.
    """
    left_out: set[str] = set()
    unexpected: Exception | None = None
    while True:
        page = _untold(db, now, left_out, at_once)
        announced = 0
        for firm_id, rows in groupby(sorted(page), key=lambda row: row[0]):
            with use(Context(firm_id=firm_id)):
                try:
                    of_firm = _announce(db.for_firm(firm_id), calls, [id_ for _, id_ in rows], now)
                    announced += of_firm
                    if not of_firm:
                        # Another replica has them, and needs no help; without it, the same page would be looked at on.
                        left_out.add(firm_id)
                except (CasewireError, RemoteFault) as error:
                    _log.warning("overdue_waits", firm_id=firm_id, code=getattr(error, "code", type(error).__name__))
                    left_out.add(firm_id)
                except Exception as error:
                    unexpected = unexpected or error
                    left_out.add(firm_id)
        if len(page) < at_once or not left_out:
            if unexpected is not None:
                raise unexpected
            return len(page) == at_once and announced > 0


def is_untold(now: dt.datetime) -> ColumnElement[bool]:
    """Whether the deadline of an open task of a case that is not archived has passed and was not announced."""
    return and_(is_overdue(now), present(), CaseTask.announced_due_at.is_distinct_from(CaseTask.due_at))


def _untold(db: Database, now: dt.datetime, left_out: Collection[str], at_once: int) -> list[tuple[str, str]]:
    statement = select(CaseTask.firm_id, CaseTask.id).where(is_untold(now))
    if left_out:
        statement = statement.where(CaseTask.firm_id.not_in(sorted(left_out)))
    with db.across_firms("deadlines of all firms are announced by a timer").read() as session:
        rows = session.execute(statement.order_by(CaseTask.due_at).limit(at_once))
        return [(row.firm_id, row.id) for row in rows]


def _announce(db: Database, calls: Any, case_task_ids: list[str], now: dt.datetime) -> int:
    """Announces the deadlines of these tasks that are still untold and not in another's hands; returns how many."""
    with db.read() as session:
        named = select(CaseTask).where(
            among(session, CaseTask.id, case_task_ids), CaseTask.overdue_handling.is_not(None)
        )
        known = overdue_actions.look_up(calls, session.scalars(named.execution_options(**BY_ID)).all())
    with db.unit_of_work() as uow:
        still = select(CaseTask).where(among(uow.session, CaseTask.id, case_task_ids), is_untold(now))
        locked = uow.session.scalars(
            still.order_by(CaseTask.id).with_for_update(of=CaseTask, skip_locked=True).execution_options(**BY_ID)
        ).all()
        # What was changed since it was looked at goes by the next turn.
        tasks = [task for task in locked if known.covers(task)]
        if not tasks:
            return 0
        known = replace(known, rules=active_among(uow.session, overdue_handling.rules_of(tasks)))
        plans = {task.id: overdue_actions.plan(task, known) for task in tasks}
        fresh = _mark(uow, tasks, plans, now)
        new = [task for task in tasks if task.id in fresh]
        uow.emit_many(TASK_OVERDUE, [(task.id, _overdue(task, plans[task.id])) for task in new])
        overdue_actions.act(uow, [(task, plans[task.id]) for task in new], now)
        return len(tasks)


def _mark(
    uow: UnitOfWork, tasks: Sequence[CaseTask], plans: dict[str, overdue_actions.Plan], now: dt.datetime
) -> set[str]:
    """Marks the deadlines as announced; returns the tasks whose deadline never was, a second time included."""
    rows = [
        {
            "case_task_id": task.id,
            "kind": "overdue",
            "deadline": task.due_at,
            "actor_kind": "system",
            "actor_id": None,
            "facts": {"due_at": wire_instant(task.due_at), "outcomes": plans[task.id].outcomes},
            "created_at": now,
        }
        for task in tasks
    ]
    added = uow.insert_returning(CaseTaskChange, rows, "case_task_id", ignore_conflicts=True)
    marked = update(CaseTask).where(among(uow.session, CaseTask.id, [task.id for task in tasks]))
    uow.session.execute(marked.values(announced_due_at=CaseTask.due_at).execution_options(synchronize_session=False))
    return {row.case_task_id for row in added}


def _overdue(task: CaseTask, plan: overdue_actions.Plan) -> dict[str, Any]:
    return {
        **({"automation_rule_ids": plan.rules} if plan.rules else {}),
        "case_task_id": task.id,
        "case_id": task.case_id,
        "assignee_id": task.assignee_id,
        "due_at": task.due_at,
        "template_id": task.template_id,
    }
