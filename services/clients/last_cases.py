"""When a case was last opened with each client, told by the events of `cases`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import func, select

from chassis.database import UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.value_sets import among
from services.clients.models import ClientCase, LastCase


def note_cases(uow: UnitOfWork, events: Sequence[ReceivedEvent]) -> None:
    """Of `case.created.v1` and `case.changed.v1`: who is on the case.

    A client who joins a case later is taken to have had it opened when it was, which is when it was first heard of
    here: a merge or a spouse added does not make an old case new. Whoever leaves a case had it all the same.
    """
    opened: dict[str, dt.datetime] = {}
    for event in events:
        case_id = event.data["case_id"]
        opened[case_id] = min(event.time, opened.get(case_id, event.time))
    heard = select(ClientCase.case_id, func.min(ClientCase.at)).where(
        among(uow.session, ClientCase.case_id, sorted(opened))
    )
    opened |= dict(uow.session.execute(heard.group_by(ClientCase.case_id)).all())
    pairs = {(client_id, event.data["case_id"]) for event in events for client_id in event.data["client_ids"]}
    # In the order of the ids, so that two transactions with the same clients wait for each other and do not deadlock.
    rows = [{"client_id": client_id, "case_id": case_id, "at": opened[case_id]} for client_id, case_id in sorted(pairs)]
    newest: dict[str, dt.datetime] = {}
    for row in uow.insert_returning(ClientCase, rows, "client_id", "at", ignore_conflicts=True):
        newest[row.client_id] = max(row.at, newest.get(row.client_id, row.at))
    last = [{"client_id": client_id, "at": at} for client_id, at in sorted(newest.items())]
    uow.upsert(LastCase, last, key=("client_id",), change=("at",), newer="at")
