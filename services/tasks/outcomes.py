"""What came of it elsewhere, shown on the case task: a mapped answer that was refused, and the last notification."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.scoping import BY_ID
from chassis.value_sets import among
from services.tasks.models import CaseTask

_RANK = {"suppressed": 0, "failed": 1, "undelivered": 1, "sent": 2, "delivered": 3}
"""Of two events of one instant, which one is told."""


def record_rejection(db: Database, event: ReceivedEvent, now: dt.datetime) -> None:
    """The owner of a mapped field refused the answer; one that was corrected since is left alone."""
    refused = event.data
    with db.unit_of_work(once=event) as uow:
        statement = select(CaseTask).where(CaseTask.id == refused["case_task_id"]).with_for_update()
        task = uow.session.scalars(statement).one_or_none()
        if task is not None:
            task.reject(refused["field"], refused["code"], refused["answer_version"], now)


def record_deliveries(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """Keeps the newest notification of each case task. Events come repeated and out of order: time never goes back."""
    with db.unit_of_work(once=list(events)) as uow:
        newest: dict[str, dict[str, Any]] = {}
        for event in uow.fresh:
            delivery = event.data
            task_id = delivery["case_task_id"]
            if task_id is not None and (task_id not in newest or _order(delivery) > _order(newest[task_id])):
                newest[task_id] = delivery
        if not newest:
            return
        statement = (
            select(CaseTask.id, CaseTask.version, CaseTask.notified_at, CaseTask.last_notification)
            .where(among(uow.session, CaseTask.id, newest))
            # In id order, so that two handlers with the same tasks wait for each other and do not deadlock.
            .order_by(CaseTask.id)
            .with_for_update()
            .execution_options(**BY_ID)
        )
        rows = []
        for task_id, version, notified_at, last in uow.session.execute(statement):
            delivery = newest[task_id]
            if notified_at is not None and (notified_at, _RANK.get(last["state"], 0)) >= _order(delivery):
                continue
            rows.append(
                {
                    "id": task_id,
                    "version": version + 1,
                    "updated_at": now,
                    "notified_at": delivery["at"],
                    "last_notification": _shown(delivery),
                }
            )
        uow.update_each(CaseTask, rows)


def _order(delivery: dict[str, Any]) -> tuple[dt.datetime, int]:
    return delivery["at"], _RANK.get(delivery["state"], 0)


def _shown(delivery: dict[str, Any]) -> dict[str, Any]:
    at: dt.datetime = delivery["at"]
    return {
        "state": delivery["state"],
        "reason": delivery["reason"],
        "channel": delivery["channel"],
        "at": at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"),
    }
