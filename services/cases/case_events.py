"""What cases tell the others about themselves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.context import current
from chassis.database import UnitOfWork
from chassis.value_sets import Statement, among, among_parameter, made_once
from contracts.base import Event
from contracts.cases import CASE_CHANGED, CASE_CREATED, CASES_IMPORTED
from services.cases.models import Case, CaseActivity, CaseClient, CaseStaff, CaseType

_FACTS = ("changed", "status", "previous_status", "state", "archived")
"""What of an event is kept in the case's activity."""
_IMPORTED_AT_ONCE = 500

Change = tuple[Sequence[str], str | None]
"""The changed fields, and the status before if it moved to another."""


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


@made_once
def _staff_of(dialect: str) -> Statement:
    return (
        select(CaseStaff.case_id, CaseStaff.staff_id)
        .where(among_parameter(dialect, CaseStaff.case_id, "case_ids"))
        .order_by(CaseStaff.case_id, CaseStaff.position)
    )


def staff_ids_of(session: Session, case_ids: Sequence[str]) -> dict[str, list[str]]:
    """The staff of each case besides the responsible one, in one query."""
    found: dict[str, list[str]] = {case_id: [] for case_id in case_ids}
    for case_id, staff_id in session.execute(_staff_of(session), {"case_ids": list(case_ids)}):
        found[case_id].append(staff_id)
    return found


def emit_case(
    uow: UnitOfWork, event: Event, case: Case, changed: Sequence[str] = (), *, previous_status: str | None = None
) -> None:
    """Emits an event about one case, whose rows are written already, and adds it to the case's activity. `changed`
    names fields. A new case names the forms that its type has for it."""
    clients, staff = client_ids_of(uow.session, [case.id]), staff_ids_of(uow.session, [case.id])
    data = _data(case, clients[case.id], staff[case.id], changed, previous_status)
    if event is CASE_CREATED:
        key = {"firm_id": case.firm_id, "id": case.case_type_id}
        data["default_form_ids"] = uow.session.get_one(CaseType, key).default_form_ids
    uow.emit(event, case.id, data, aggregate_version=case.version)
    uow.insert(CaseActivity, [_entry(event, data, case.updated_at)])


def emit_changed(uow: UnitOfWork, changed: Mapping[str, Sequence[str]]) -> None:
    """Emits `case.changed.v1` for many cases, none of which moved to another status: {case id: changed fields}. Their
    rows are written already."""
    entries = []
    for case, data in _of_many(uow, {case_id: (names, None) for case_id, names in changed.items()}):
        uow.emit(CASE_CHANGED, case.id, data, aggregate_version=case.version)
        entries.append(_entry(CASE_CHANGED, data, case.updated_at))
    uow.insert(CaseActivity, entries)


def emit_imported(uow: UnitOfWork, import_id: str, changed: Mapping[str, Change]) -> None:
    """Emits `cases.imported.v1` for the cases that an import made or changed, or that were taken back. Their rows are
    written already."""
    told = _of_many(uow, changed)
    for start in range(0, len(told), _IMPORTED_AT_ONCE):
        cases = [data for _, data in told[start : start + _IMPORTED_AT_ONCE]]
        uow.emit(CASES_IMPORTED, import_id, {"import_id": import_id, "cases": cases})
    uow.insert(
        CaseActivity, [_entry(CASES_IMPORTED, data, case.updated_at, import_id=import_id) for case, data in told]
    )


def _of_many(uow: UnitOfWork, changed: Mapping[str, Change]) -> list[tuple[Any, dict[str, Any]]]:
    """(case, what its event says) of each in the order of their ids, in a constant number of queries."""
    uow.session.flush()
    ids = list(changed)
    columns = (
        Case.id, Case.version, Case.case_type_id, Case.status, Case.state, Case.archived_at,
        Case.responsible_staff_id, Case.updated_at,
    )  # fmt: skip
    cases = uow.session.execute(select(*columns).where(among(uow.session, Case.id, ids)).order_by(Case.id)).all()
    clients, staff = client_ids_of(uow.session, ids), staff_ids_of(uow.session, ids)
    return [(case, _data(case, clients[case.id], staff[case.id], *changed[case.id])) for case in cases]


def _entry(event: Event, data: dict[str, Any], at: dt.datetime, **more: str) -> dict[str, Any]:
    """What an event tells, as a row of the case's activity, with who did it."""
    context = current()
    facts = {name: data[name] for name in _FACTS if data[name] is not None}
    facts |= more
    facts["actor_kind"] = context.actor_kind if context else "system"
    if context is not None and context.actor_id is not None:
        facts["actor_id"] = context.actor_id
    return {"id": new_id(), "case_id": data["case_id"], "at": at, "kind": event.name, "facts": facts}


def _data(
    case: Any,
    client_ids: Sequence[str],
    staff_ids: Sequence[str],
    changed: Sequence[str],
    previous_status: str | None,
) -> dict[str, Any]:
    return {
        "case_id": case.id,
        "version": case.version,
        "case_type_id": case.case_type_id,
        "status": case.status,
        "state": case.state,
        "client_ids": list(client_ids),
        "changed": list(changed),
        "previous_status": previous_status,
        "archived": case.archived_at is not None,
        "responsible_staff_id": case.responsible_staff_id,
        "staff_ids": list(staff_ids),
    }
