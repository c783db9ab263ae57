"""Lists of case tasks with all that a screen shows beside them, in one request."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from chassis.database import Database
from chassis.scoping import BY_ID
from chassis.value_sets import Statement, among_parameter, made_once
from services.tasks.listing.dashboard import list_dashboard
from services.tasks.listing.moments import read_moment, with_moment
from services.tasks.listing.of_case import list_of_case
from services.tasks.listing.request import Listing
from services.tasks.listing.slots import Clock
from services.tasks.models import CaseTask, TaskTemplate
from services.tasks.views import case_task_views, demand_case


def list_case_tasks(
    db: Database, calls: Any, now: dt.datetime, *, staff_id: str | None = None, **query: Any
) -> dict[str, Any]:
    """`contracts.tasks.CaseTaskListing` for the `query` of `contracts.tasks.ListCaseTasks`, read by the moment of its
    first page; each task is shown as it is now. `staff_id`: who asks.

    Raises NotFound `case_not_found` for a case that is not the firm's; Invalid, see `Listing.check`, and
    `invalid_cursor`.
    """
    begun, place = read_moment(query.pop("cursor", None), now)
    asked = Listing(clock=Clock(begun), staff_id=staff_id, cursor=place, **query)
    asked.check()
    with db.read(alone=True) as session:
        ids, told = (list_dashboard if asked.case_id is None else list_of_case)(session, asked)
        tasks = _records(session, ids)
        shown = case_task_views(session, [tasks[id_] for id_ in ids if id_ in tasks], now)
    if asked.case_id is not None and not told["counts"]["views"]["all"]["total"]:
        # Only here is it unknown whether there is such a case: a task's case was there when it was assigned.
        demand_case(calls, asked.case_id)
    meta = {**told["meta"], "next_cursor": with_moment(told["meta"]["next_cursor"], begun)}
    return {"data": shown, **told, "meta": meta}


def _records(session: Session, ids: Sequence[str]) -> dict[str, CaseTask]:
    """By id. Templates by a statement of their own: joined to it, PostgreSQL looks through all tasks of a template that
    it takes for a rare one."""
    if not ids:
        return {}
    tasks = {task.id: task for task in session.scalars(_tasks(session), {"ids": list(ids)})}
    used = {task.template_id for task in tasks.values()}
    templates = {one.id: one for one in session.scalars(_templates(session), {"ids": sorted(used)})}
    for task in tasks.values():
        set_committed_value(task, "template", templates[task.template_id])
    return tasks


@made_once
def _tasks(dialect: str) -> Statement:
    return select(CaseTask).where(among_parameter(dialect, CaseTask.id, "ids")).execution_options(**BY_ID)


@made_once
def _templates(dialect: str) -> Statement:
    return select(TaskTemplate).where(among_parameter(dialect, TaskTemplate.id, "ids"))
