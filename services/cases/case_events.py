"""What cases tell the others about themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from chassis.value_sets import among
from contracts.base import Event
from contracts.cases import CASE_CHANGED
from services.cases.models import Case, CaseClient


def client_ids_of(session: Session, case_ids: Sequence[str]) -> dict[str, list[str]]:
    """The clients of each case, the primary first, in one query."""
    found: dict[str, list[str]] = {case_id: [] for case_id in case_ids}
    statement = (
        select(CaseClient.case_id, CaseClient.client_id, CaseClient.role)
        .where(among(session, CaseClient.case_id, case_ids))
        .order_by(CaseClient.case_id, CaseClient.position)
    )
    for case_id, client_id, role in session.execute(statement):
        found[case_id].insert(0 if role == "primary" else len(found[case_id]), client_id)
    return found


def emit_case(uow: UnitOfWork, event: Event, case: Case, client_ids: Sequence[str], changed: Sequence[str]) -> None:
    """Emits an event about one case. `changed` names fields; `client_ids` with the primary first."""
    uow.emit(event, case.id, _data(case, client_ids, changed), aggregate_version=case.version)


def emit_changed(uow: UnitOfWork, changed: Mapping[str, Sequence[str]]) -> None:
    """Emits `case.changed.v1` for many cases: {case id: changed fields}. Their rows are written already."""
    uow.session.flush()
    ids = list(changed)
    columns = (Case.id, Case.version, Case.case_type_id, Case.status, Case.state)
    cases = uow.session.execute(select(*columns).where(among(uow.session, Case.id, ids))).all()
    clients = client_ids_of(uow.session, ids)
    for case in cases:
        data = _data(case, clients[case.id], changed[case.id])
        uow.emit(CASE_CHANGED, case.id, data, aggregate_version=case.version)


def _data(case: Any, client_ids: Sequence[str], changed: Sequence[str]) -> dict[str, Any]:
    return {
        "case_id": case.id,
        "version": case.version,
        "case_type_id": case.case_type_id,
        "status": case.status,
        "state": case.state,
        "client_ids": list(client_ids),
        "changed": list(changed),
    }
