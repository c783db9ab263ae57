"""A chunk of an import as rows of the database: new cases set-based, those that are there one by one."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import delete, exists, select

from chassis.database import UnitOfWork
from chassis.texts import fold
from chassis.value_sets import among
from contracts.cases import CASE_IMPORT_UNDONE
from services.cases.case_events import Change, emit_imported
from services.cases.client_merges import as_survivors, survivors
from services.cases.imports.changes import changes_to, record_changes, record_made
from services.cases.imports.loading import PLAIN
from services.cases.imports.matching import Draft
from services.cases.imports.rows import Record
from services.cases.key_dates import date_row
from services.cases.models import (
    Case,
    CaseClient,
    CaseFieldValue,
    CaseImport,
    CaseImportClient,
    CaseStaff,
    KeyDate,
    StatusChange,
)
from services.cases.numbering import next_numbers
from services.cases.records import apply_changes
from services.cases.sealed_values import seal_new
from services.cases.stored_values import rows_of_value

_TOLD_AT_ONCE = 500
_FOLDED = ("number", "name", "description", "source")


def write_cases(
    uow: UnitOfWork, current: CaseImport, drafts: Iterable[Draft], now: dt.datetime, today: dt.date
) -> None:
    """Writes what is new and what differs, tells of it, and notes it for an undo."""
    written = [draft for draft in drafts if draft.before is None or draft.record != draft.before]
    _follow_merges(uow, written)
    new = [draft for draft in written if draft.before is None]
    told: dict[str, Change] = {draft.id: ([], None) for draft in new}
    _insert(uow, new, current.actor_id, now, today)
    record_made(uow, current.id, sorted(told))
    known = [draft for draft in written if draft.before is not None]
    told |= _update(uow, current, known, now)
    if told:
        emit_imported(uow, current.id, told)


def keep_clients(uow: UnitOfWork, current: CaseImport, made: Collection[str]) -> None:
    """Notes the clients that an import made."""
    rows = [{"import_id": current.id, "client_id": client_id} for client_id in sorted(made)]
    current.clients_created += uow.insert(CaseImportClient, rows, ignore_conflicts=True)


def give_back_unneeded(uow: UnitOfWork, current: CaseImport) -> None:
    """At the end of an import: clients that it made for rows that failed after all are on no case, and nobody's."""
    unneeded = select(CaseImportClient.client_id).where(
        CaseImportClient.import_id == current.id, ~exists().where(CaseClient.client_id == CaseImportClient.client_id)
    )
    ids = sorted(uow.session.scalars(unneeded))
    gone = delete(CaseImportClient).where(
        CaseImportClient.import_id == current.id, among(uow.session, CaseImportClient.client_id, ids)
    )
    uow.session.execute(gone, execution_options={"synchronize_session": False})
    current.clients_created -= len(ids)
    give_back(uow, current.id, ids)


def give_back_without_cases(uow: UnitOfWork, import_id: str, client_ids: Collection[str]) -> None:
    """Of clients that an import may have made, for rows that were not taken in after all, gives back those on no case.
    (Their owner deletes only such as there are, of this import, and unchanged.)"""
    on_cases = select(CaseClient.client_id).where(among(uow.session, CaseClient.client_id, client_ids))
    give_back(uow, import_id, sorted(set(client_ids) - set(uow.session.scalars(on_cases))))


def give_back(uow: UnitOfWork, import_id: str, client_ids: Sequence[str]) -> None:
    """Tells the owner of clients that an import made some that are on no case."""
    for start in range(0, len(client_ids), _TOLD_AT_ONCE):
        some = list(client_ids[start : start + _TOLD_AT_ONCE])
        uow.emit(CASE_IMPORT_UNDONE, import_id, {"import_id": import_id, "client_ids": some})


def _follow_merges(uow: UnitOfWork, drafts: Sequence[Draft]) -> None:
    """Who was merged into another client since the rows were matched is the other one."""
    named = {entry["client_id"] for draft in drafts for entry in draft.record["clients"]}
    merged = survivors(uow, named) if named else {}
    for draft in drafts if merged else ():
        draft.record = {**draft.record, "clients": as_survivors(draft.record["clients"], merged)}


def _insert(uow: UnitOfWork, drafts: Sequence[Draft], actor_id: str | None, now: dt.datetime, today: dt.date) -> None:
    if not drafts:
        return
    _number(uow, drafts, today)
    cases = {draft.id: (draft.known.fields, draft.record["custom_fields"]) for draft in drafts}
    kept, store_keys = seal_new(uow, cases)
    uow.insert(Case, [_own(draft.record, kept[draft.id], now) for draft in drafts])
    store_keys()
    uow.insert(CaseClient, _entries(drafts, "clients", dict))
    uow.insert(CaseStaff, _entries(drafts, "staff_ids", lambda staff_id: {"staff_id": staff_id}))
    uow.insert(KeyDate, _entries(drafts, "key_dates", date_row))
    values = [
        row
        for draft in drafts
        for field in draft.known.fields
        if field.key in draft.record["custom_fields"]
        for row in rows_of_value(uow, draft.id, field, draft.record["custom_fields"][field.key])
    ]
    uow.insert(CaseFieldValue, values)
    entered = [
        {"case_id": draft.id, "from_status": None, "to_status": draft.record["status"], "actor_id": actor_id, "at": now}
        for draft in drafts
    ]
    uow.insert(StatusChange, entered)


def _number(uow: UnitOfWork, drafts: Sequence[Draft], today: dt.date) -> None:
    """Gives those without a number the next ones of their types' series, in the order of the rows."""
    lacking: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        if draft.record["number"] is None:
            lacking[draft.known.row.id].append(draft)
    given = {draft.record["number"] for draft in drafts} - {None}
    for of_type in lacking.values():
        numbers = next_numbers(uow, of_type[0].known.row, today, len(of_type), besides=given)
        for draft, number in zip(of_type, numbers, strict=True):
            draft.record = {**draft.record, "number": number}


def _own(record: Record, custom_fields: Record, now: dt.datetime) -> Record:
    folded = {f"{name}_folded": None if record[name] is None else fold(record[name]) for name in _FOLDED}
    return {
        "id": record["id"], **{name: record[name] for name in PLAIN}, **folded, "state": record["state"],
        "custom_fields": custom_fields, "archived_at": now if record["archived"] else None, "version": 1,
        "created_at": now, "updated_at": now,
    }  # fmt: skip


def _entries(drafts: Sequence[Draft], name: str, made: Any) -> list[Record]:
    return [
        {"case_id": draft.id, "position": position, **made(entry)}
        for draft in drafts
        for position, entry in enumerate(draft.record[name])
    ]


def _update(uow: UnitOfWork, current: CaseImport, drafts: Sequence[Draft], now: dt.datetime) -> dict[str, Change]:
    found = select(Case).where(among(uow.session, Case.id, [draft.id for draft in drafts]))
    cases = {case.id: case for case in uow.session.scalars(found)} if drafts else {}
    told: dict[str, Change] = {}
    pairs = []
    for draft in drafts:
        assert draft.before is not None
        case, before = cases[draft.id], draft.before["status"]
        names = change_case(uow, case, draft.before, draft.record, current.actor_id, now)
        told[case.id] = (names, before if "status" in names else None)
        pairs.append((draft.before, draft.record))
    uow.session.flush()
    record_changes(uow, current.id, pairs, {case.id: case.version for case in cases.values()})
    return told


def change_case(
    uow: UnitOfWork, case: Case, before: Record, after: Record, actor_id: str | None, now: dt.datetime
) -> list[str]:
    """Makes a case, which is locked, what a record says; returns the changed fields. Raises what `update_case` does."""
    names = apply_changes(uow, case, changes_to(before, after), actor_id, now)
    if before["archived"] != after["archived"]:
        case.archived_at = now if after["archived"] else None
        names.append("archived_at")
    if names:
        case.touch(now)
    return names
