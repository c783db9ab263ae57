"""Taking an import of cases back: those that it made are archived, as if they had never been, and those that it changed
get their earlier values again, as far as nobody changed them since.

What was changed since stays, and is shown as a conflict; so does a case that tasks were assigned to. A case that is
taken back gives its number and its external id free, so that the file can be imported again. Clients that the import
made, and who are on no other case, are given back to their owner.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.context import Context, use
from chassis.database import Database, UnitOfWork
from chassis.imports import undoing
from chassis.imports.running import BUDGET
from chassis.imports.undoing import CUSTOM, Outcomes, Step, changes_of, earlier_record
from chassis.value_sets import among
from contracts.cases import IMPORT_UNDO_REQUESTED
from contracts.errors import CasewireError
from contracts.tasks import TASKS_ASSIGNED
from services.cases.case_events import Change, emit_imported
from services.cases.client_merges import as_survivors, survivors
from services.cases.imports.changes import KEPT, differences, plain_value, python_value
from services.cases.imports.loading import load
from services.cases.imports.rows import Record
from services.cases.imports.store import IMPORTS
from services.cases.imports.writing import change_case, give_back
from services.cases.models import (
    Case,
    CaseActivity,
    CaseClient,
    CaseImport,
    CaseImportChange,
    CaseImportClient,
    ClientFacts,
)
from services.cases.uniqueness import typed_clashes

CHUNK = 500
_LONGEST_NUMBER = 60
_TOGETHER = ("external_source", "external_source_id")


def undo_import(db: Database, now: dt.datetime, *, import_id: str) -> dict[str, Any]:
    """Begins to take an import back. Raises as `undoing.undo_import`."""
    return undoing.undo_import(db, IMPORTS, STEPS, IMPORT_UNDO_REQUESTED, now, import_id=import_id)


def continue_undo(
    db: Database, import_id: str, clock: Callable[[], dt.datetime] = utc_now, budget: float = BUDGET
) -> None:
    """Takes back cases for at most `budget` seconds, then asks for another go."""
    # Whoever may import may take it back, sensitive values included.
    with use(Context(firm_id=db.firm_id, actor_kind="system", sees_sensitive=True)):
        undoing.continue_undo(db, IMPORTS, STEPS, IMPORT_UNDO_REQUESTED, import_id, clock, CHUNK, budget)


def _left(import_id: str, *, made: bool) -> tuple[Select[Any], Any]:
    """The cases that the import made, or changed, and that were not looked at yet, and the column of their ids."""
    left = select(CaseImportChange.case_id).where(
        CaseImportChange.import_id == import_id, CaseImportChange.made.is_(made), CaseImportChange.outcome.is_(None)
    )
    return left, CaseImportChange.case_id


def _made(import_id: str) -> tuple[Select[Any], Any]:
    return _left(import_id, made=True)


def _changed(import_id: str) -> tuple[Select[Any], Any]:
    return _left(import_id, made=False)


def _remove(uow: UnitOfWork, found: CaseImport, ids: Sequence[str], now: dt.datetime) -> Outcomes:
    """Archives cases that the import made, but those that were changed since, or have tasks."""
    cases = _locked(uow.session, ids)
    left = {change.case_id: change.version for change in changes_of(uow.session, IMPORTS, found.id, ids)}
    with_tasks = _with_tasks(uow.session, ids)
    outcomes: Outcomes = {}
    told: dict[str, Change] = {}
    for case in cases:
        if case.version != left[case.id]:
            outcomes[case.id] = ("conflict", ["id"])
        elif case.id in with_tasks:
            outcomes[case.id] = ("conflict", ["tasks"])
        else:
            _take_back(case, now)
            outcomes[case.id] = ("removed", [])
            told[case.id] = (["number", "external_source", "external_source_id", "archived_at"], None)
    if told:
        emit_imported(uow, found.id, told)
        give_back(uow, found.id, _without_cases(uow.session, found.id, told))
    return outcomes


def _take_back(case: Case, now: dt.datetime) -> None:
    mark = f" (undone {case.id[-12:]})"
    case.number = case.number[: _LONGEST_NUMBER - len(mark)] + mark
    case.external_source = case.external_source_id = None
    case.archived_at = case.archived_at or now
    case.touch(now)


def _locked(session: Session, ids: Sequence[str]) -> Sequence[Case]:
    return session.scalars(select(Case).where(among(session, Case.id, ids)).order_by(Case.id).with_for_update()).all()


def _with_tasks(session: Session, ids: Sequence[str]) -> set[str]:
    """Those of the cases that tasks were assigned to."""
    assigned = select(CaseActivity.case_id).where(
        among(session, CaseActivity.case_id, ids), CaseActivity.kind == TASKS_ASSIGNED.name
    )
    return set(session.scalars(assigned))


def _without_cases(session: Session, import_id: str, removed: Collection[str]) -> list[str]:
    """The clients of these cases that the import made, and who are on no case but such as were taken back."""
    of_cases = (
        select(CaseClient.client_id)
        .join(CaseImportClient, CaseImportClient.client_id == CaseClient.client_id)
        .where(among(session, CaseClient.case_id, removed), CaseImportClient.import_id == import_id)
    )
    clients = set(session.scalars(of_cases))
    gone = select(CaseImportChange.case_id).where(
        CaseImportChange.import_id == import_id, CaseImportChange.outcome == "removed"
    )
    elsewhere = select(CaseClient.client_id).where(
        among(session, CaseClient.client_id, clients),
        ~among(session, CaseClient.case_id, removed),
        CaseClient.case_id.not_in(gone),
    )
    return sorted(clients - set(session.scalars(elsewhere)))


def _restore(uow: UnitOfWork, found: CaseImport, ids: Sequence[str], now: dt.datetime) -> Outcomes:
    """Gives cases their earlier values."""
    records = load(uow.session, ids, lock=True)
    cases = {case.id: case for case in _locked(uow.session, ids)}
    changes = changes_of(uow.session, IMPORTS, found.id, ids)
    values = KEPT.by_owner(uow.session, changes)
    earlier = {
        id_: earlier_record(records[id_], values.get(id_, {}), plain=plain_value, python=python_value)
        for id_ in records
    }
    lost = _follow_clients(uow, {id_: after for id_, (after, _) in earlier.items()}, records)
    outcomes: Outcomes = {}
    told: dict[str, Change] = {}
    for change in changes:
        before = records[change.case_id]
        after, conflicts = earlier[change.case_id]
        if change.case_id in lost:
            conflicts = sorted({*conflicts, "clients"})
        names, refused = _give_back_values(uow, cases[change.case_id], before, after, now)
        conflicts = sorted({*conflicts, *refused})
        outcomes[change.case_id] = ("conflict" if conflicts else "restored", conflicts)
        if names:
            told[change.case_id] = (names, before["status"] if "status" in names else None)
    if told:
        emit_imported(uow, found.id, told)
    return outcomes


def _give_back_values(
    uow: UnitOfWork, case: Case, before: Record, after: Record, now: dt.datetime
) -> tuple[list[str], set[str]]:
    """The fields of a case that have their earlier values again, and those that cannot: their status or option is gone
    since, say, or another case has their number."""
    refused: set[str] = set()
    while True:
        try:
            with typed_clashes(), uow.session.begin_nested():
                return change_case(uow, case, before, _but(refused, before, after), None, now), refused
        except CasewireError as error:
            named = {str(entry["field"]) for entry in error.fields} - refused
            if not named:
                return [], refused | set(differences(before, after))
            refused |= named


def _but(fields: Collection[str], before: Record, after: Record) -> Record:
    """The record `after`, with these fields as `before` has them."""
    result = {**after, "custom_fields": dict(after["custom_fields"])}
    for field in fields:
        name = field.partition(".")[0]
        if name in _TOGETHER:
            result |= {part: before[part] for part in _TOGETHER}
        elif name != "custom_fields":
            result[name] = before[name]
        elif (key := field.removeprefix(CUSTOM)) in before["custom_fields"]:
            result["custom_fields"][key] = before["custom_fields"][key]
        else:
            result["custom_fields"].pop(key, None)
    return result


def _follow_clients(uow: UnitOfWork, records: Mapping[str, Record], present: Mapping[str, Record]) -> set[str]:
    """Who was merged since is whom they were merged into. The cases that keep their `present` clients, since one whom
    they had before was erased."""
    changed = {id_: record for id_, record in records.items() if record["clients"] != present[id_]["clients"]}
    named = {entry["client_id"] for record in changed.values() for entry in record["clients"]}
    if not named:
        return set()
    merged = survivors(uow, named)
    known = among(uow.session, ClientFacts.client_id, sorted({*named, *merged.values()}))
    erased = set(uow.session.scalars(select(ClientFacts.client_id).where(known, ClientFacts.erased_at.is_not(None))))
    lost = set()
    for id_, record in changed.items():
        record["clients"] = as_survivors(record["clients"], merged)
        if not erased.isdisjoint(entry["client_id"] for entry in record["clients"]):
            record["clients"] = present[id_]["clients"]
            lost.add(id_)
    return lost


STEPS = (Step(_made, _remove), Step(_changed, _restore))
