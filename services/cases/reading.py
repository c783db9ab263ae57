"""Reading cases: one, a list of them, and the facts that tasks and messaging need."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select, tuple_
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.filters.sql import condition
from chassis.paging import page
from chassis.texts import fold
from chassis.value_sets import Statement, among, among_parameter, made_once
from contracts.errors import NotFound
from services.cases.case_events import client_ids_of, staff_ids_of
from services.cases.case_types import find_case_type
from services.cases.filter_lookup import read_filter
from services.cases.freshness import freshness
from services.cases.key_dates import key_dates_of
from services.cases.models import Case, CaseClient, StatusChange
from services.cases.sealed_values import opened, shown
from services.cases.type_fields import fields_of

Record = dict[str, Any]
SORTS = {
    "name": Case.name_folded,
    "number": Case.number_folded,
    "created_at": Case.created_at,
    "updated_at": Case.updated_at,
}
_PLAIN = (
    "id", "number", "name", "case_type_id", "status", "state", "description", "responsible_staff_id", "source", "value",
    "external_source", "external_source_id", "archived_at", "version", "created_at", "updated_at",
)  # fmt: skip


def get_case(db: Database, case_id: str) -> Record:
    """Raises NotFound `case_not_found`."""
    with db.read() as session:
        return records(session, [find_case(session, case_id)])[0]


def list_cases(
    db: Database,
    calls: Any,
    *,
    q: str | None = None,
    state: str | None = None,
    case_type_id: str | None = None,
    client_id: str | None = None,
    filter: Record | None = None,
    archived: bool = False,
    now: dt.datetime,
    **paging: Any,
) -> Record:
    """A page of the cases that are not archived, or of those that are, newest first unless `sort` says otherwise.

    `q` finds part of a name or number; `meta.client_facts` is `freshness`, if `filter` asks about clients. `now`: in
    the firm's zone, if `filter` may count days from it. Raises Invalid that names a wrong place in `filter`, and
    NotFound for a case type, client or saved filter that is not the
    firm's.
    """
    sources: set[str] = set()
    with db.read() as session:
        wanted: list[ColumnElement[bool]] = [Case.archived_at.is_not(None) if archived else Case.archived_at.is_(None)]
        if q and q.strip():
            text = fold(q.strip())
            wanted.append(
                or_(
                    Case.name_folded.contains(text, autoescape=True), Case.number_folded.contains(text, autoescape=True)
                )
            )
        if state is not None:
            wanted.append(Case.state == state)
        if case_type_id is not None:
            wanted.append(Case.case_type_id == find_case_type(session, case_type_id).id)
        if client_id is not None:
            of_client = select(1).where(CaseClient.case_id == Case.id, CaseClient.client_id == client_id)
            wanted.append(exists(of_client.correlate(Case)))
        if filter is not None:
            wanted.append(condition(read_filter(session, filter, path="filter", sources=sources), now=now))
        rows, meta = page(
            session, select(Case).where(*wanted), model=Case, sorts=SORTS, default_sort="-created_at", **paging
        )
        found = {"data": records(session, rows), "meta": {**meta, **freshness(session, sources)}}
    if client_id is not None and not rows and not calls.clients.get_client_facts(client_ids=[client_id])["clients"]:
        raise NotFound("client_not_found", client_id=client_id)
    return found


def list_status_changes(db: Database, case_id: str, **paging: Any) -> Record:
    """A page of what a case's status was, from which to which. Raises NotFound `case_not_found`."""
    with db.read() as session:
        of_case = select(StatusChange).where(StatusChange.case_id == find_case(session, case_id).id)
        rows, meta = page(
            session, of_case, model=StatusChange, sorts={"at": StatusChange.at}, default_sort="-at", **paging
        )
        names = ("id", "from_status", "to_status", "actor_id", "at")
        return {"data": [{name: getattr(row, name) for name in names} for row in rows], "meta": meta}


def get_case_facts(db: Database, case_ids: Sequence[str]) -> Record:
    """The facts of up to 1,000 cases in a few queries, without sensitive values; unknown ids are left out. `state` of
    an archived case is `archived`."""
    with db.read() as session:
        cases = session.scalars(select(Case).where(among(session, Case.id, case_ids))).all()
        ids = [case.id for case in cases]
        clients, staff = client_ids_of(session, ids), staff_ids_of(session, ids)
        fields = fields_of(session, {case.case_type_id for case in cases})
        # Nothing is unsealed but what stays sealed until a field that is sensitive no longer is tended to.
        plain = {kind: {field.key for field in of_kind if not field.sensitive} for kind, of_kind in fields.items()}
        kept = {
            case.id: {key: value for key, value in case.custom_fields.items() if key in plain[case.case_type_id]}
            for case in cases
        }
        values = opened(session, kept)
    facts = {
        case.id: {
            "case_id": case.id,
            "case_type_id": case.case_type_id,
            "number": case.number,
            "name": case.name,
            "status": case.status,
            "state": "archived" if case.archived_at else case.state,
            "archived": case.archived_at is not None,
            "version": case.version,
            "responsible_staff_id": case.responsible_staff_id,
            "staff_ids": staff[case.id],
            "client_ids": clients[case.id],
            "custom_fields": shown(fields[case.case_type_id], values[case.id], to_all=True)[0],
        }
        for case in cases
    }
    return {"cases": [facts[case_id] for case_id in dict.fromkeys(case_ids) if case_id in facts]}


def list_types_of_cases(
    db: Database, *, after_firm_id: str | None = None, after_case_id: str | None = None, limit: int = 1000
) -> Record:
    """A page of all cases there are, for a service that begins to follow their events: {"cases": [{firm_id, case_id,
    case_type_id, version}]} by firm and case."""
    statement = select(Case.firm_id, Case.id.label("case_id"), Case.case_type_id, Case.version)
    if after_case_id is not None:
        statement = statement.where(tuple_(Case.firm_id, Case.id) > (after_firm_id, after_case_id))
    with db.across_firms("another service asks for the cases of every firm").read() as session:
        rows = session.execute(statement.order_by(Case.firm_id, Case.id).limit(limit)).all()
    return {"cases": [row._asdict() for row in rows]}


def find_case(session: Session, case_id: str, *, lock: bool = False) -> Case:
    """Raises NotFound `case_not_found`."""
    statement = select(Case).where(Case.id == case_id)
    found = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if found is None:
        raise NotFound("case_not_found", case_id=case_id)
    return found


def answer(uow: UnitOfWork, case: Case) -> Record:
    """What a use case answers about a case: what the caller may see, and what anybody may to a repeat."""
    return uow.answer(records(uow.session, [case])[0], kept=lambda: records(uow.session, [case], to_all=True)[0])


def records(session: Session, cases: Sequence[Case], *, to_all: bool = False) -> list[Record]:
    """Cases as they are on the wire, in a constant number of queries: as the caller may see them, or anybody may."""
    ids = [case.id for case in cases]
    if not ids:
        return []
    clients: dict[str, list[Record]] = {case_id: [] for case_id in ids}
    staff, dates = staff_ids_of(session, ids), key_dates_of(session, ids)
    for case_id, client_id, role, label in session.execute(_clients_of(session), {"case_ids": ids}):
        clients[case_id].append({"client_id": client_id, "role": role, "label": label})
    # Of those alone that have values to show.
    fields = fields_of(session, {case.case_type_id for case in cases if case.custom_fields})
    values = opened(session, {case.id: case.custom_fields for case in cases})
    seen = {case.id: shown(fields.get(case.case_type_id, ()), values[case.id], to_all=to_all) for case in cases}
    return [
        {
            **{name: getattr(case, name) for name in _PLAIN},
            "clients": clients[case.id],
            "staff_ids": staff[case.id],
            "key_dates": dates[case.id],
            "custom_fields": seen[case.id][0],
            "hidden": seen[case.id][1],
        }
        for case in cases
    ]


@made_once
def _clients_of(dialect: str) -> Statement:
    return (
        select(CaseClient.case_id, CaseClient.client_id, CaseClient.role, CaseClient.label)
        .where(among_parameter(dialect, CaseClient.case_id, "case_ids"))
        .order_by(CaseClient.case_id, CaseClient.position)
    )
