"""Creating, changing and archiving cases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from chassis.columns import fits, new_id
from chassis.database import Database, UnitOfWork
from contracts.cases import CASE_CHANGED, CASE_CREATED
from contracts.errors import Conflict, Invalid, invalid_field
from services.cases.case_clients import check_clients, placed, present_clients, set_clients, set_staff
from services.cases.case_events import emit_case
from services.cases.case_staff import OTHERS, RESPONSIBLE, demand_staff, present_staff
from services.cases.case_types import find_case_type
from services.cases.client_facts import keep_facts
from services.cases.custom_fields import merged
from services.cases.key_dates import check_key_dates, set_key_dates
from services.cases.limits import demand_type
from services.cases.models import Case, CaseStatus, StatusChange
from services.cases.new_client_requests import refuse_key_of_another
from services.cases.numbering import day_of_numbers, next_number, with_a_number
from services.cases.reading import answer, find_case
from services.cases.sealed_values import opened, refuse_sensitive_changes
from services.cases.stored_values import keep_values
from services.cases.type_fields import fields_of, hold_fields
from services.cases.type_statuses import find_status, statuses_of
from services.cases.uniqueness import typed_clashes

Record = dict[str, Any]
_EXTERNAL = ("external_source", "external_source_id")
_PLAIN = (
    "number", "name", "description", "responsible_staff_id", "source", "value", *_EXTERNAL,
)  # fmt: skip


def create_case(db: Database, calls: Any, command: Record, *, actor_id: str | None, now: dt.datetime) -> Record:
    """A case with clients that exist. (With a new one: `new_client.create_case_with_new_client`.)

    Raises Invalid that names what is wrong, or `idempotency_key_reused`, NotFound `case_type_not_found`, Forbidden
    `case_type_not_allowed`, Conflict `case_type_archived`, `number_taken` or `external_source_id_taken`, and
    Unavailable if clients, staff or the firm's day cannot be asked.
    """
    clients = placed(command["clients"])
    demand_staff(calls, command)
    facts = check_clients(calls, clients)
    today = day_of_numbers(db, calls, command, now=now)

    def write() -> Record:
        with typed_clashes(), db.unit_of_work() as uow:
            refuse_key_of_another(uow)
            keep_facts(uow, facts)
            case = add_case(uow, command, clients, actor_id=actor_id, now=now, today=today)
            emit_case(uow, CASE_CREATED, case)
            return answer(uow, case)

    return with_a_number(command, write)


def add_case(
    uow: UnitOfWork,
    command: Record,
    clients: Sequence[Record],
    *,
    actor_id: str | None,
    now: dt.datetime,
    today: dt.date | None = None,
    pending: bool = False,
) -> Case:
    """Writes the rows of a new case. `today`: the firm's day, if not that of `now`.

    Raises Invalid, NotFound, Conflict `case_type_archived`, Forbidden for a type that the caller is not limited to, or
    a sensitive field that the caller may not change, and what the session raises for what is taken.
    """
    check_key_dates(command)
    _check_names(command)
    _check_external(command)
    case_type = find_case_type(uow.session, command["case_type_id"], hold=True)
    demand_type(case_type.id)
    if case_type.archived:
        raise Conflict("case_type_archived", case_type_id=case_type.id)
    _check_value(command)
    status = _status(uow, case_type.id, command.get("status"))
    fields = fields_of(uow.session, [case_type.id])[case_type.id]
    given_values = command.get("custom_fields") or {}
    refuse_sensitive_changes(fields, given_values)
    values, errors = merged(fields, {}, given_values, creating=True)
    if errors:
        raise Invalid("invalid_input", fields=errors)
    given = {name: command.get(name) for name in _PLAIN}
    case = Case(
        **{**given, "number": command.get("number") or next_number(uow, case_type, today or now.date())},
        id=new_id(),
        case_type_id=case_type.id,
        status=status.name,
        state="pending" if pending else status.state,
        custom_fields={},
        created_at=now,
        updated_at=now,
    )
    uow.session.add(case)
    uow.session.flush()
    set_clients(uow, case.id, clients)
    set_staff(uow, case.id, command.get("staff_ids") or [])
    if command.get("key_dates"):
        set_key_dates(uow, case.id, command["key_dates"])
    keep_values(uow, [case], {case.id: (fields, {}, values)})
    _note_status(uow, case, None, actor_id, now)
    return case


def update_case(
    db: Database,
    calls: Any,
    case_id: str,
    changes: Record,
    expected_version: int | None,
    *,
    actor_id: str | None,
    now: dt.datetime,
) -> Record:
    """Changes what is named; lists replace, custom field values are merged (null clears).

    Raises Invalid, NotFound, Unavailable if clients or staff cannot be checked, and Conflict: `stale_version`,
    `case_pending` while its new client is being created, `case_archived`, `number_taken`, `external_source_id_taken`.
    """
    if changes.get(RESPONSIBLE) or changes.get(OTHERS):
        demand_staff(calls, changes, known=present_staff(db, case_id))
    facts: list[Record] = []
    if "clients" in changes:
        changes = {**changes, "clients": placed(changes["clients"])}
        facts = check_clients(calls, changes["clients"], known=present_clients(db, case_id))
    with typed_clashes(), db.unit_of_work() as uow:
        case = find_case(uow.session, case_id, lock=True)
        case.expect_version(expected_version)
        demand_changeable(case)
        keep_facts(uow, facts)
        before = case.status
        changed = apply_changes(uow, case, changes, actor_id, now)
        if changed:
            case.touch(now)
            uow.session.flush()
            emit_case(uow, CASE_CHANGED, case, changed, previous_status=before if "status" in changed else None)
        return answer(uow, case)


def demand_changeable(case: Case) -> None:
    """Raises Conflict: `case_pending` while its new client is being created, `case_archived`."""
    _demand_complete(case)
    if case.archived_at is not None:
        raise Conflict("case_archived", case_id=case.id)


def _demand_complete(case: Case) -> None:
    if case.state == "pending":
        raise Conflict("case_pending", case_id=case.id)


def change_status(uow: UnitOfWork, case: Case, status: str, actor_id: str | None, now: dt.datetime) -> bool:
    """Moves a case, locked, to the status of that name, and notes it in the history; False if it was in it. The caller
    counts the change (`touch`) and tells of it (`emit_case` with `previous_status`).

    Raises Invalid `unknown_status`.
    """
    before = case.status
    if not case.move_to(_status(uow, case.case_type_id, status)):
        return False
    _note_status(uow, case, before, actor_id, now)
    return True


def archive_case(db: Database, case_id: str, *, now: dt.datetime) -> Record:
    """Takes a case out of lists and selections, and lets nobody change it; again, nothing happens.

    Raises NotFound `case_not_found`, Conflict `case_pending` while its new client is being created.
    """
    with db.unit_of_work() as uow:
        case = find_case(uow.session, case_id, lock=True)
        _demand_complete(case)
        if case.archive(now):
            uow.session.flush()
            emit_case(uow, CASE_CHANGED, case, ["archived_at"])
        return answer(uow, case)


def unarchive_case(db: Database, case_id: str, *, now: dt.datetime) -> Record:
    """Brings an archived case back; again, nothing happens. Raises NotFound `case_not_found`."""
    with db.unit_of_work() as uow:
        case = find_case(uow.session, case_id, lock=True)
        if case.unarchive(now):
            uow.session.flush()
            emit_case(uow, CASE_CHANGED, case, ["archived_at"])
        return answer(uow, case)


def apply_changes(uow: UnitOfWork, case: Case, changes: Record, actor_id: str | None, now: dt.datetime) -> list[str]:
    """Writes what differs; returns the names of what did. No version grows. Raises as `update_case`."""
    _check_value(changes)
    _check_names(changes)
    check_key_dates(changes)
    if not changes.keys().isdisjoint(_EXTERNAL):
        _check_external({name: changes.get(name, getattr(case, name)) for name in _EXTERNAL})
    changed = []
    for name in _PLAIN:
        if name in changes and getattr(case, name) != changes[name]:
            setattr(case, name, changes[name])
            changed.append(name)
    if "status" in changes and change_status(uow, case, changes["status"], actor_id, now):
        changed.append("status")
    if "custom_fields" in changes:
        hold_fields(uow.session, [case.case_type_id], changes["custom_fields"])
        fields = fields_of(uow.session, [case.case_type_id])[case.case_type_id]
        refuse_sensitive_changes(fields, changes["custom_fields"])
        stored = opened(uow.session, {case.id: case.custom_fields})[case.id]
        values, errors = merged(fields, stored, changes["custom_fields"], creating=False)
        if errors:
            raise Invalid("invalid_input", fields=errors)
        names = [
            f"custom_fields.{key}" for key in sorted(changes["custom_fields"]) if stored.get(key) != values.get(key)
        ]
        if names:
            keep_values(uow, [case], {case.id: (fields, stored, values)})
            changed += names
    uow.session.flush()
    if "staff_ids" in changes and set_staff(uow, case.id, changes["staff_ids"]):
        changed.append("staff_ids")
    if "key_dates" in changes and set_key_dates(uow, case.id, changes["key_dates"]):
        changed.append("key_dates")
    if "clients" in changes and set_clients(uow, case.id, changes["clients"]):
        changed.append("clients")
    return changed


def _status(uow: UnitOfWork, case_type_id: str, name: str | None) -> CaseStatus:
    """The type's status of that name, its first if None. Raises Invalid that names `status`."""
    if name is not None and (named := find_status(uow.session, case_type_id, name)) is not None:
        return named
    statuses = statuses_of(uow.session, [case_type_id])[case_type_id]
    if name is None and (first := find_status(uow.session, case_type_id, statuses[0].name)) is not None:
        return first
    names = ", ".join(status.name for status in statuses)
    raise invalid_field("status", f"Not a status of this type of case, which has: {names}.", code="unknown_status")


def _check_names(values: Record) -> None:
    blank = [name for name in ("name", "number") if values.get(name) is not None and not values[name].strip()]
    if blank:
        raise Invalid("invalid_input", fields=[{"field": name, "message": "Blank."} for name in blank])


def _check_external(values: Record) -> None:
    if values.get("external_source_id") and not values.get("external_source"):
        raise invalid_field("external_source", "Needed with external_source_id.")


def _check_value(values: Record) -> None:
    if (value := values.get("value")) is not None and not fits(value, decimals=2):
        raise invalid_field("value", "At most 12 digits before the point and 2 after it.")


def _note_status(uow: UnitOfWork, case: Case, before: str | None, actor_id: str | None, now: dt.datetime) -> None:
    uow.session.add(StatusChange(case_id=case.id, from_status=before, to_status=case.status, actor_id=actor_id, at=now))
