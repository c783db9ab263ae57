"""A client is erased: what cases hold of the person goes, the facts of the cases stay.

A case whose clients are all erased is about nobody else: its texts, key dates and custom fields go, and its number is
its name. One that others are on is theirs too: the erased client stays on it as an id, without the label.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.forgetting import forget_deleted
from chassis.texts import fold
from chassis.value_sets import Statement, among, among_parameter, made_once
from contracts.cases import ERASURE_REPORTED, OWNER
from services.cases import client_merges
from services.cases.case_events import emit_changed
from services.cases.client_facts import keep_facts
from services.cases.models import (
    Case,
    CaseClient,
    CaseFieldValue,
    CaseImportChange,
    CaseImportClient,
    ClientConsent,
    ClientFacts,
    FieldAnswer,
    KeyDate,
    NewClientRequest,
)
from services.cases.sealed_values import destroy_keys

Record = dict[str, Any]

_QUIET = {"synchronize_session": False}
_EMPTIED = ["name", "description", "source", "external_source", "external_source_id", "custom_fields", "key_dates"]
_ROWS: tuple[type[Any], ...] = (CaseFieldValue, KeyDate)
"""What belongs to a case and goes with its texts."""
_GONE: tuple[type[Any], ...] = (*_ROWS, FieldAnswer)


def forget_clients(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`client.erased.v1`: forgets the clients, and reports how many cases were theirs alone and how many are others'
    too."""
    with db.unit_of_work(once=events) as uow:
        versions = {id_: event.data["version"] for event in uow.fresh for id_ in event.data["client_ids"]}
        ids = sorted(versions)
        _forget_facts(uow, versions, now)
        theirs = cases_of(uow.session, ids)
        alone = sorted(case_id for case_id, row in theirs.items() if row["alone"])
        _empty(uow, alone, now)
        uow.session.execute(
            update(CaseClient)
            .where(among(uow.session, CaseClient.client_id, ids), CaseClient.label.is_not(None))
            .values(label=None),
            execution_options=_QUIET,
        )
        uow.session.execute(
            update(NewClientRequest)
            .where(among(uow.session, NewClientRequest.client_id, ids))
            .values(client_data=None),
            execution_options=_QUIET,
        )
        _forget_imports(uow, ids, list(theirs))
        client_merges.following.forget(uow, ids)
        uow.forget_mentions([*ids, *alone])
        for event in uow.fresh:
            mine = [row for row in theirs.values() if set(row["client_ids"]) & set(event.data["client_ids"])]
            report = {
                "erasure_id": event.data["erasure_id"],
                "client_id": event.data["client_id"],
                "service": OWNER,
                "outcome": "done",
                "counts": {
                    "cases_emptied": sum(row["alone"] for row in mine),
                    "cases_of_others_too": sum(not row["alone"] for row in mine),
                },
            }
            uow.emit(ERASURE_REPORTED, event.data["client_id"], report)
        forget_deleted(uow, db)


def _forget_imports(uow: UnitOfWork, client_ids: Sequence[str], case_ids: Sequence[str]) -> None:
    """What imports keep of them: whom they made, and what an undo would give back of their cases. (Their lists:
    `imports.lists`.)"""
    made = delete(CaseImportClient).where(among(uow.session, CaseImportClient.client_id, client_ids))
    uow.session.execute(made, execution_options=_QUIET)
    changes = update(CaseImportChange).where(among(uow.session, CaseImportChange.case_id, case_ids))
    uow.session.execute(changes.values(values=None), execution_options=_QUIET)


def get_client_cases(db: Database, *, client_ids: Sequence[str]) -> Record:
    """{"cases": [{case_id, open, client_ids: those of the asked ones that are on it, alone: nobody but them and erased
    ones is}]}"""
    with db.read() as session:
        return {"cases": list(cases_of(session, client_ids).values())}


def cases_of(session: Session, client_ids: Collection[str]) -> dict[str, Record]:
    """{case: what `get_client_cases` says of it}"""
    asked = set(client_ids)
    found: dict[str, Record] = {}
    for case_id, client_id, is_erased, is_open in session.execute(_cases_of_any(session), {"client_ids": list(asked)}):
        begun: Record = {"case_id": case_id, "open": bool(is_open), "client_ids": [], "alone": True}
        row = found.setdefault(case_id, begun)
        if client_id in asked:
            row["client_ids"].append(client_id)
        elif not is_erased:
            row["alone"] = False
    return found


@made_once
def _cases_of_any(dialect: str) -> Statement:
    other, facts = aliased(CaseClient), aliased(ClientFacts)
    erased = exists().where(
        facts.firm_id == other.firm_id, facts.client_id == other.client_id, facts.erased_at.is_not(None)
    )
    mine = select(CaseClient.case_id).where(among_parameter(dialect, CaseClient.client_id, "client_ids"))
    is_open = (Case.state == "open") & Case.archived_at.is_(None)
    return (
        select(other.case_id, other.client_id, erased.label("erased"), is_open.label("open"))
        .join(Case, Case.id == other.case_id)
        .where(other.case_id.in_(mine))
        .order_by(other.case_id, other.position)
    )


def _forget_facts(uow: UnitOfWork, versions: dict[str, int], now: dt.datetime) -> None:
    """The version stays, so that an older event that comes late brings nothing back."""
    nothing: Record = {"status": None, "language": None, "tags": []}
    keep_facts(uow, [{**nothing, "client_id": id_, "version": version} for id_, version in versions.items()])
    theirs = among(uow.session, ClientFacts.client_id, versions)
    uow.session.execute(update(ClientFacts).where(theirs).values(erased_at=now), execution_options=_QUIET)
    said = delete(ClientConsent).where(among(uow.session, ClientConsent.client_id, versions))
    uow.session.execute(said, execution_options=_QUIET)


def _empty(uow: UnitOfWork, case_ids: Sequence[str], now: dt.datetime) -> None:
    """Takes every text that somebody wrote about them out of cases; what is empty already stays as it is."""
    if not case_ids:
        return
    statement = (
        select(Case.id, Case.number, Case.version, Case.state)
        .where(
            among(uow.session, Case.id, case_ids),
            or_(
                Case.name != Case.number,
                Case.description.is_not(None),
                Case.source.is_not(None),
                Case.external_source_id.is_not(None),
                *(
                    Case.id.in_(select(model.case_id).where(among(uow.session, model.case_id, case_ids)))
                    for model in _ROWS
                ),
            ),
        )
        .order_by(Case.id)
        .with_for_update()
    )
    nothing = dict.fromkeys(
        ("description", "description_folded", "source", "source_folded", "external_source", "external_source_id")
    )
    full = uow.session.execute(statement).all()
    rows = [
        {
            "id": row.id,
            "name": row.number,
            "name_folded": fold(row.number),
            "custom_fields": {},
            "version": row.version + 1,
            "updated_at": now,
            **nothing,
        }
        for row in full
    ]
    for model in _GONE:
        theirs = delete(model).where(among(uow.session, model.case_id, case_ids))
        uow.session.execute(theirs, execution_options=_QUIET)
    destroy_keys(uow, case_ids)
    uow.update_each(Case, rows)
    # A pending case has not been told of yet.
    emit_changed(uow, {row.id: _EMPTIED for row in full if row.state != "pending"})
