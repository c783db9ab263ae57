"""What still waits to notify about case tasks that were closed: completed, or hidden by an answer.

Events come late. A request that was made after a task was closed has found it open again, so that the event says
nothing of it; but an event may also tell of what was committed while the request looked. So what it says of such a
request is asked anew: the delivery is prepared again, by the task's status as it is now.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select

from chassis.unit_of_work import UnitOfWork
from chassis.value_sets import among
from services.messaging.deliveries import come_back_late, is_prepared, move
from services.messaging.models import WAITING, Batch, Delivery
from services.messaging.setwise import one_of

# The states are in the text: a partial index serves where the query says the same.
_WAITS = func.coalesce(Delivery.state, literal_column("''")).in_([literal_column(f"'{state}'") for state in WAITING])


def suppress(
    uow: UnitOfWork, closed: Iterable[tuple[str, dt.datetime]], now: dt.datetime, status: str = "completed"
) -> list[str]:
    """Suppresses what waits about case tasks that had this status at these moments, unless such ones were asked for. A
    message that tells of others too is prepared again, which leaves these out."""
    at: dict[str, dt.datetime] = {}
    for case_task_id, moment in closed:
        at[case_task_id] = max(moment, at.get(case_task_id, moment))
    come_back_late(uow, among(uow.session, Delivery.case_task_id, sorted(at)), Delivery.kind == "notification")
    waiting = _waiting(uow, sorted(at))
    named = sorted({row.batch_id for row in waiting})
    requests = {
        batch.id: batch for batch in uow.session.scalars(select(Batch).where(among(uow.session, Batch.id, named)))
    }
    meant = [row for row in waiting if status not in requests[row.batch_id].statuses]
    in_time: list[Any] = []
    late: list[Any] = []
    for row in meant:
        requested_at = requests[row.batch_id].requested_at
        (late if requested_at is not None and requested_at > at[row.case_task_id] else in_time).append(row)
    leaders = sorted({row.joined_to for row in meant if row.joined_to})
    if leaders:
        again = [among(uow.session, Delivery.id, leaders), is_prepared()]
        move(uow, "accepted", now, where=again, due_at=Delivery.send_after)
    alone = [Delivery.joined_to.is_(None), Delivery.kind == "notification"]
    if doubtful := _pairs(late):
        again = [*_of(uow, doubtful), *alone, is_prepared()]
        move(uow, "accepted", now, where=again, due_at=Delivery.send_after)
    if told := _pairs(in_time):
        over = [*_of(uow, told), *alone]
        return move(uow, "suppressed", now, where=over, reason="task_closed")
    return []


def _waiting(uow: UnitOfWork, case_task_ids: Sequence[str]) -> Sequence[Any]:
    found = select(Delivery.batch_id, Delivery.case_task_id, Delivery.joined_to).distinct()
    about = (among(uow.session, Delivery.case_task_id, case_task_ids), Delivery.kind == "notification")
    return uow.session.execute(found.where(*about, _WAITS)).all()


def _of(uow: UnitOfWork, pairs: list[dict[str, str]]) -> list[ColumnElement[bool]]:
    """What waits about case tasks in batches."""
    # The case tasks once more by themselves: as a join of pairs PostgreSQL may read all deliveries.
    about = among(uow.session, Delivery.case_task_id, sorted({pair["case_task_id"] for pair in pairs}))
    return [about, *one_of(uow.session, Delivery, pairs), _WAITS]


def _pairs(rows: Iterable[Any]) -> list[dict[str, str]]:
    pairs = {(row.batch_id, row.case_task_id) for row in rows}
    return [{"batch_id": batch_id, "case_task_id": case_task_id} for batch_id, case_task_id in sorted(pairs)]
