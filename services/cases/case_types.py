"""Case types. How their statuses and custom fields change while cases exist: `type_statuses`, `type_fields`.

An archived type keeps its cases as they are; no new one is made of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.custom_fields import definition_problems, repeated
from chassis.database import Database
from chassis.paging import page
from chassis.value_sets import among
from contracts.errors import Invalid, NotFound
from services.cases.default_forms import demand_forms
from services.cases.limits import demand_no_limit, demand_type
from services.cases.models import CaseType, name_key
from services.cases.type_fields import fields_of, replace_fields
from services.cases.type_statuses import replace_statuses, statuses_of
from services.cases.uniqueness import typed_clashes

Record = dict[str, Any]
SORTS = {"name": CaseType.name, "created_at": CaseType.created_at}
_PLAIN = ("name", "number_prefix", "number_digits", "number_yearly", "archived", "default_form_ids")


def create_case_type(db: Database, calls: Any, command: Record, *, now: dt.datetime) -> Record:
    """Raises Invalid that names what is wrong, Conflict `name_taken` and `field_in_saved_filter`, Forbidden
    `limited_to_case_types`, and Unavailable if its forms cannot be checked."""
    demand_no_limit()
    _check(command)
    demand_forms(calls, command.get("default_form_ids"))
    with typed_clashes(), db.unit_of_work() as uow:
        given = {name: command[name] for name in _PLAIN if name in command}
        case_type = CaseType(**given, name_key=name_key(command["name"]), created_at=now, updated_at=now)
        uow.session.add(case_type)
        uow.session.flush()
        replace_statuses(uow, case_type.id, command["statuses"], now)
        replace_fields(uow, case_type.id, command.get("custom_fields") or [], now)
        uow.session.flush()
        return uow.answer(_records(uow.session, [case_type])[0])


def get_case_type(db: Database, case_type_id: str) -> Record:
    """Raises NotFound `case_type_not_found`."""
    with db.read() as session:
        return _records(session, [find_case_type(session, case_type_id)])[0]


def list_case_types(db: Database, *, archived: bool = False, **paging: Any) -> Record:
    """A page of the case types that are not archived, or of those that are. `sort`: name, created_at."""
    with db.read() as session:
        wanted = select(CaseType).where(CaseType.archived == archived)
        rows, meta = page(session, wanted, model=CaseType, sorts=SORTS, default_sort="name", **paging)
        return {"data": _records(session, rows), "meta": meta}


def check_case_types(db: Database, case_type_ids: Sequence[str]) -> Record:
    """Raises Invalid `unknown_case_type` that names each place, like `case_type_ids.0`, where there is no such type. An
    archived one is there."""
    with db.read() as session:
        known = set(session.scalars(select(CaseType.id).where(among(session, CaseType.id, case_type_ids))))
    unknown = [place for place, id_ in enumerate(case_type_ids) if id_ not in known]
    if unknown:
        fields = [_error(f"case_type_ids.{place}", "There is no such case type.") for place in unknown]
        raise Invalid("unknown_case_type", fields=fields)
    return {}


def update_case_type(
    db: Database, calls: Any, case_type_id: str, changes: Record, expected_version: int | None, *, now: dt.datetime
) -> Record:
    """Lists in `changes` replace the type's. Raises Invalid, NotFound, Unavailable if its forms cannot be checked,
    Forbidden `case_type_not_allowed`, and Conflict: `stale_version`, `name_taken`, `status_in_use`,
    `custom_field_in_use`, `field_in_saved_filter`."""
    _check(changes)
    demand_type(case_type_id)
    if "default_form_ids" in changes:
        known = get_case_type(db, case_type_id)["default_form_ids"]
        demand_forms(calls, changes["default_form_ids"], known=known)
    with typed_clashes(), db.unit_of_work() as uow:
        case_type = find_case_type(uow.session, case_type_id, lock=True)
        case_type.expect_version(expected_version)
        before = _records(uow.session, [case_type])[0]
        for name in _PLAIN:
            if name == "name" and name in changes:
                case_type.rename(changes[name])
            elif name in changes:
                setattr(case_type, name, changes[name])
        if "statuses" in changes:
            replace_statuses(uow, case_type_id, changes["statuses"], now)
        if "custom_fields" in changes:
            replace_fields(uow, case_type_id, changes["custom_fields"], now)
        uow.session.flush()
        after = _records(uow.session, [case_type])[0]
        if after != before:
            case_type.touch(now)
            uow.session.flush()
        return uow.answer(_records(uow.session, [case_type])[0])


def find_case_type(session: Session, case_type_id: str, *, lock: bool = False, hold: bool = False) -> CaseType:
    """`lock`: to change it; `hold`: so that nobody changes it before the end of the transaction, ahead of any case's
    lock. Raises NotFound `case_type_not_found`."""
    statement = select(CaseType).where(CaseType.id == case_type_id)
    if lock or hold:
        statement = statement.with_for_update(read=not lock)
    found = session.scalars(statement).one_or_none()
    if found is None:
        raise NotFound("case_type_not_found", case_type_id=case_type_id)
    return found


def _records(session: Session, case_types: Sequence[CaseType]) -> list[Record]:
    ids = [case_type.id for case_type in case_types]
    statuses, fields = statuses_of(session, ids), fields_of(session, ids)
    return [
        {
            "id": case_type.id,
            **{name: getattr(case_type, name) for name in _PLAIN},
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
    errors = [_error("name", "Blank.")] if command.get("name") is not None and not command["name"].strip() else []
    names = [status["name"].casefold() for status in command.get("statuses") or []]
    errors += [_error(f"statuses.{index}.name", "Blank.") for index, name in enumerate(names) if not name.strip()]
    errors += [_error(f"statuses.{index}.name", "Named twice.") for index in repeated(names)]
    fields = command.get("custom_fields") or []
    errors += [_error(f"custom_fields.{i}.key", "Named twice.") for i in repeated([field["key"] for field in fields])]
    for index, field in enumerate(fields):
        errors += definition_problems(field, f"custom_fields.{index}.")
    if errors:
        raise Invalid("invalid_input", fields=errors)


def _error(field: str, message: str) -> dict[str, str]:
    return {"field": field, "message": message}
