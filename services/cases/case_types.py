"""Case types: their statuses and custom fields, and how these change while cases exist.

- A status with cases in it cannot be removed (`status_in_use` names it). One that changes between open and closed takes
  the state of its cases along, and each of them says so.
- A removed custom field keeps its stored values, hidden; the same field added again shows them. The type of a field
  with stored values cannot change. An option that is taken away stays where it is stored. A field made required binds
  the next change that names it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.custom_fields import definition_problems, repeated
from chassis.database import Database, UnitOfWork
from chassis.paging import page
from contracts.errors import Conflict, Invalid, NotFound
from services.cases.case_events import emit_changed
from services.cases.models import Case, CaseFieldValue, CaseStatus, CaseType, CustomField
from services.cases.uniqueness import typed_clashes

Record = dict[str, Any]
SORTS = {"name": CaseType.name, "created_at": CaseType.created_at}


def create_case_type(db: Database, command: Record, *, now: dt.datetime) -> Record:
    """Raises Invalid that names what is wrong, and Conflict `name_taken`."""
    _check(command)
    with typed_clashes(), db.unit_of_work() as uow:
        case_type = CaseType(name=command["name"], created_at=now, updated_at=now)
        uow.session.add(case_type)
        uow.session.flush()
        _replace_statuses(uow, case_type.id, command["statuses"], now)
        _replace_fields(uow.session, case_type.id, command.get("custom_fields") or [], now)
        uow.session.flush()
        return uow.answer(_records(uow.session, [case_type])[0])


def get_case_type(db: Database, case_type_id: str) -> Record:
    """Raises NotFound `case_type_not_found`."""
    with db.read() as session:
        return _records(session, [find_case_type(session, case_type_id)])[0]


def list_case_types(db: Database, *, limit: int, cursor: str | None, sort: str | None) -> Record:
    """A page of case types. `sort`: name, created_at."""
    with db.read() as session:
        rows, meta = page(
            session, select(CaseType), model=CaseType, sorts=SORTS, default_sort="name", limit=limit, cursor=cursor,
            sort=sort,
        )  # fmt: skip
        return {"data": _records(session, rows), "meta": meta}


def update_case_type(
    db: Database, case_type_id: str, changes: Record, expected_version: int | None, *, now: dt.datetime
) -> Record:
    """Lists in `changes` replace the type's. Raises Invalid, NotFound, and Conflict: `stale_version`, `name_taken`,
    `status_in_use`, `custom_field_in_use`."""
    _check(changes)
    with typed_clashes(), db.unit_of_work() as uow:
        case_type = find_case_type(uow.session, case_type_id, lock=True)
        if expected_version is not None and case_type.version != expected_version:
            raise Conflict("stale_version", version=case_type.version)
        before = _records(uow.session, [case_type])[0]
        if "name" in changes:
            case_type.name = changes["name"]
        if "statuses" in changes:
            _replace_statuses(uow, case_type_id, changes["statuses"], now)
        if "custom_fields" in changes:
            _replace_fields(uow.session, case_type_id, changes["custom_fields"], now)
        uow.session.flush()
        after = _records(uow.session, [case_type])[0]
        if after != before:
            case_type.touch(now)
            uow.session.flush()
        return uow.answer(_records(uow.session, [case_type])[0])


def find_case_type(session: Session, case_type_id: str, *, lock: bool = False) -> CaseType:
    """Raises NotFound `case_type_not_found`."""
    statement = select(CaseType).where(CaseType.id == case_type_id)
    found = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if found is None:
        raise NotFound("case_type_not_found", case_type_id=case_type_id)
    return found


def statuses_of(session: Session, case_type_ids: Iterable[str]) -> dict[str, list[CaseStatus]]:
    """The statuses of case types, in order."""
    wanted = sorted(set(case_type_ids))
    found: dict[str, list[CaseStatus]] = {case_type_id: [] for case_type_id in wanted}
    statement = select(CaseStatus).where(CaseStatus.case_type_id.in_(wanted)).order_by(CaseStatus.position)
    for status in session.scalars(statement):
        found[status.case_type_id].append(status)
    return found


_FIELDS = (
    select(CustomField)
    .where(CustomField.case_type_id.in_(bindparam("case_type_ids", expanding=True)))
    .order_by(CustomField.position)
)


def fields_of(session: Session, case_type_ids: Iterable[str]) -> dict[str, list[CustomField]]:
    """The custom fields of case types in order, removed ones included."""
    wanted = sorted(set(case_type_ids))
    found: dict[str, list[CustomField]] = {case_type_id: [] for case_type_id in wanted}
    if not wanted:
        return found
    for field in session.scalars(_FIELDS, {"case_type_ids": wanted}):
        found[field.case_type_id].append(field)
    return found


def _records(session: Session, case_types: Sequence[CaseType]) -> list[Record]:
    ids = [case_type.id for case_type in case_types]
    statuses, fields = statuses_of(session, ids), fields_of(session, ids)
    return [
        {
            "id": case_type.id,
            "name": case_type.name,
            "statuses": [{"name": status.name, "closed": status.closed} for status in statuses[case_type.id]],
            "custom_fields": [
                {name: getattr(field, name) for name in ("key", "label", "type", "required", "sensitive", "options")}
                for field in fields[case_type.id]
                if field.removed_at is None
            ],
            "version": case_type.version,
            "created_at": case_type.created_at,
            "updated_at": case_type.updated_at,
        }
        for case_type in case_types
    ]


def _check(command: Record) -> None:
    errors = []
    names = [status["name"].casefold() for status in command.get("statuses") or []]
    errors += [_error(f"statuses.{index}.name", "Named twice.") for index in repeated(names)]
    fields = command.get("custom_fields") or []
    errors += [_error(f"custom_fields.{i}.key", "Named twice.") for i in repeated([field["key"] for field in fields])]
    for index, field in enumerate(fields):
        errors += definition_problems(field, f"custom_fields.{index}.")
    if errors:
        raise Invalid("invalid_input", fields=errors)


def _error(field: str, message: str) -> dict[str, str]:
    return {"field": field, "message": message}


def _replace_statuses(uow: UnitOfWork, case_type_id: str, wanted: Sequence[Record], now: dt.datetime) -> None:
    session = uow.session
    present = {status.name: status for status in statuses_of(session, [case_type_id])[case_type_id]}
    for position, entry in enumerate(wanted):
        status = present.pop(entry["name"], None)
        if status is None:
            status = CaseStatus(case_type_id=case_type_id, name=entry["name"], closed=entry["closed"])
            session.add(status)
        elif status.closed != entry["closed"]:
            status.closed = entry["closed"]
            _carry_state(uow, status, now)
        status.position = position
    session.flush()
    for name in present:
        of_status = (Case.case_type_id == case_type_id, Case.status == name)
        if cases := session.scalar(select(func.count()).select_from(Case).where(*of_status)):
            raise _in_use(name, cases)
        try:
            # The cases' own reference guards against one that enters the status at this moment.
            statement = delete(CaseStatus).where(CaseStatus.case_type_id == case_type_id, CaseStatus.name == name)
            session.execute(statement)
        except IntegrityError as error:
            raise _in_use(name, 1) from error


def _in_use(name: str, cases: int) -> Conflict:
    message = f"The status {name} has cases in it."
    return Conflict("status_in_use", fields=[_error("statuses", message)], status=name, cases=cases)


def _carry_state(uow: UnitOfWork, status: CaseStatus, now: dt.datetime) -> None:
    moved = update(Case).where(
        Case.case_type_id == status.case_type_id, Case.status == status.name, Case.state != "pending"
    )
    ids = uow.session.scalars(
        moved.values(state=status.state, version=Case.version + 1, updated_at=now).returning(Case.id)
    ).all()
    emit_changed(uow, {case_id: ["state"] for case_id in ids})


def _field_values(field: Record) -> Record:
    return {
        "key": field["key"],
        "label": field["label"],
        "type": field["type"],
        "required": field.get("required", False),
        "sensitive": field.get("sensitive", False),
        "options": list(field.get("options") or []),
    }


def _replace_fields(session: Session, case_type_id: str, wanted: Sequence[Record], now: dt.datetime) -> None:
    present = {field.key: field for field in fields_of(session, [case_type_id])[case_type_id]}
    for position, entry in enumerate(wanted):
        field = present.pop(entry["key"], None)
        if field is None:
            session.add(CustomField(case_type_id=case_type_id, position=position, **_field_values(entry)))
            continue
        if field.type != entry["type"] and _has_values(session, case_type_id, field.key):
            message = f"The field {field.key} has values of its present type."
            raise Conflict(
                "custom_field_in_use", fields=[_error(f"custom_fields.{position}.type", message)], key=field.key
            )
        for name, value in _field_values(entry).items():
            setattr(field, name, value)
        field.position = position
        field.removed_at = None
    for field in present.values():
        field.removed_at = field.removed_at or now


def _has_values(session: Session, case_type_id: str, key: str) -> bool:
    of_type = select(1).where(
        CaseFieldValue.key == key, Case.id == CaseFieldValue.case_id, Case.case_type_id == case_type_id
    )
    return bool(session.scalar(select(exists(of_type))))
