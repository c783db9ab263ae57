"""Taking an import of cases back: those that it made are archived, as if they had never been, and those that it changed
get their earlier values again, as far as nobody changed them since.

What was changed since stays, and is shown as a conflict; so does a case that tasks were assigned to. A case that is
taken back gives its number and its external id free, so that the file can be imported again. Clients that the import
made, and who are on no other case, are given back to their owner.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.context import Context, use
from chassis.database import Database, UnitOfWork
from chassis.imports import undoing
from chassis.imports.running import BUDGET
from chassis.imports.undoing import Outcomes, Step, changes_of, earlier_record
from chassis.value_sets import among
from contracts.cases import IMPORT_UNDO_REQUESTED
from contracts.errors import CasewireError
from contracts.tasks import TASKS_ASSIGNED
from services.cases.case_events import Change, emit_imported
from services.cases.imports.changes import plain_value, python_value, values_of
from services.cases.imports.loading import load
from services.cases.imports.store import IMPORTS
from services.cases.imports.writing import change_case, give_back
from services.cases.models import Case, CaseActivity, CaseClient, CaseImport, CaseImportChange, CaseImportClient

CHUNK = 500
_LONGEST_NUMBER = 60


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
    values = values_of(uow.session, changes)
    outcomes: Outcomes = {}
    told: dict[str, Change] = {}
    for change in changes:
        before = records[change.case_id]
        after, conflicts = earlier_record(
            before, values.get(change.case_id, {}), plain=plain_value, python=python_value
        )
        names: list[str] = []
        try:
            with uow.session.begin_nested():
                names = change_case(uow, cases[change.case_id], before, after, None, now)
        except CasewireError as refused:
            # A status or an option that is gone since, say.
            conflicts = sorted({*conflicts, *(str(entry["field"]) for entry in refused.fields)})
        outcomes[change.case_id] = ("conflict" if conflicts else "restored", conflicts)
        if names:
            told[change.case_id] = (names, before["status"] if "status" in names else None)
    if told:
        emit_imported(uow, found.id, told)
    return outcomes


STEPS = (Step(_made, _remove), Step(_changed, _restore))
