"""The people who work at a firm: their roles, who supervises whom, and who may change that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import Database, violates
from chassis.paging import page
from chassis.unit_of_work import UnitOfWork
from chassis.value_sets import among
from contracts.accounts import STAFF_CHANGED
from contracts.errors import Conflict, Forbidden, NotFound, invalid_field
from services.accounts.actors import Actor, find_actor
from services.accounts.credentials import revoke_keys_of
from services.accounts.firms import lock_firm
from services.accounts.models import Staff
from services.accounts.permissions import outranks

Record = dict[str, Any]

_SORTS = {"name": Staff.name, "created_at": Staff.created_at}
_FIELDS = ("name", "email", "role", "supervisor_id", "active", "case_type_ids")
_UNIQUE_EMAIL = next(
    constraint
    for constraint in Staff.__table__.constraints
    if isinstance(constraint, UniqueConstraint) and "email" in constraint.columns
)


def list_staff(db: Database, **paging: Any) -> Record:
    """The firm's staff, the inactive ones included."""
    with db.read() as session:
        staff, meta = page(session, select(Staff), model=Staff, sorts=_SORTS, default_sort="name", **paging)
        return {"data": [as_record(member) for member in staff], "meta": meta}


def get_staff(db: Database, staff_id: str) -> Record:
    """One staff member. Raises NotFound `staff_not_found`."""
    with db.read() as session:
        return as_record(_find(session, staff_id))


def get_staff_facts(db: Database, staff_ids: Sequence[str]) -> Record:
    """The facts of up to 1,000 staff members in one query, each once; unknown ids are left out."""
    columns = (Staff.id.label("staff_id"), Staff.active, Staff.role, Staff.supervisor_id)
    with db.read() as session:
        rows = session.execute(select(*columns).where(among(session, Staff.id, staff_ids))).all()
    facts = {row.staff_id: dict(row._mapping) for row in rows}
    return {"staff": [facts[staff_id] for staff_id in dict.fromkeys(staff_ids) if staff_id in facts]}


def create_staff(db: Database, now: dt.datetime, **values: Any) -> Record:
    """A new staff member. Raises Invalid, Conflict `email_taken`, or Forbidden `role_escalation` or
    `case_type_escalation`."""
    values = _normalised(values)
    staff = Staff(id=new_id(), created_at=now, updated_at=now, **values)
    with db.unit_of_work() as uow:
        lock_firm(uow.session)
        actor = find_actor(uow.session, db.context)
        _refuse_escalation(actor, staff.role)
        _refuse_wider_limit(actor, staff.case_type_ids)
        _check_supervisor(uow.session, staff.id, staff.supervisor_id)
        uow.session.add(staff)
        _flush(uow)
        _announce(uow, staff)
        return uow.answer(as_record(staff))


def update_staff(
    db: Database, now: dt.datetime, staff_id: str, changes: Record, expected_version: int | None = None
) -> Record:
    """Sets the named fields and leaves the others. Who is made inactive loses every API key with it.

    Raises Invalid, NotFound, Conflict `stale_version`, `email_taken` or `last_owner`, or Forbidden `role_escalation` or
    `case_type_escalation`.
    """
    values = _normalised(changes)
    with db.unit_of_work() as uow:
        lock_firm(uow.session)
        staff = _find(uow.session, staff_id)
        staff.expect_version(expected_version)
        changed = {name: value for name, value in values.items() if getattr(staff, name) != value}
        if not changed:
            return uow.answer(as_record(staff))
        actor = find_actor(uow.session, db.context)
        _refuse_escalation(actor, staff.role, changed.get("role", staff.role))
        if "case_type_ids" in changed:
            _refuse_wider_limit(actor, changed["case_type_ids"])
        if "supervisor_id" in changed:
            _check_supervisor(uow.session, staff.id, changed["supervisor_id"])
        was_owner = staff.role == "owner" and staff.active and staff.case_type_ids is None
        for name, value in changed.items():
            setattr(staff, name, value)
        staff.touch(now)
        _flush(uow)
        if was_owner:
            _refuse_without_owner(uow.session)
        if changed.get("active") is False:
            revoke_keys_of(uow, staff.id, now)
        _announce(uow, staff)
        return uow.answer(as_record(staff))


def as_record(staff: Staff) -> Record:
    """The staff member as the contract describes it."""
    stamps = {name: getattr(staff, name) for name in ("id", "version", "created_at", "updated_at")}
    return stamps | {name: getattr(staff, name) for name in _FIELDS}


def _normalised(values: Record) -> Record:
    if values.get("email"):
        values = {**values, "email": values["email"].lower()}
    if values.get("case_type_ids"):
        values = {**values, "case_type_ids": sorted(set(values["case_type_ids"]))}
    return values


def _find(session: Session, staff_id: str) -> Staff:
    staff = session.scalars(select(Staff).where(Staff.id == staff_id)).one_or_none()
    if staff is None:
        raise NotFound("staff_not_found", staff_id=staff_id)
    return staff


def _refuse_escalation(actor: Actor, *roles: str) -> None:
    """Nobody gives a role above the own one, nor changes somebody who has one."""
    for role in roles:
        if actor.role is not None and outranks(role, actor.role):
            raise Forbidden("role_escalation", role=role)


def _refuse_wider_limit(actor: Actor, case_type_ids: Sequence[str] | None) -> None:
    """Who is limited to some types of cases shows nobody others."""
    if not actor.covers(case_type_ids):
        raise Forbidden("case_type_escalation")


def _refuse_without_owner(session: Session) -> None:
    """An owner stays who is shown everything: nobody else could show it to anybody again."""
    limits = session.scalars(select(Staff.case_type_ids).where(Staff.role == "owner", Staff.active)).all()
    if None not in limits:
        raise Conflict("last_owner")


def _check_supervisor(session: Session, staff_id: str, supervisor_id: str | None) -> None:
    """A supervisor is an active colleague, and nobody supervises in a circle."""
    if supervisor_id is None:
        return
    rows = session.execute(select(Staff.id, Staff.supervisor_id, Staff.active)).all()
    above = {row.id: row.supervisor_id for row in rows}
    if supervisor_id not in {row.id for row in rows if row.active}:
        raise invalid_field("supervisor_id", "Not an active staff member of this firm.")
    step: str | None = supervisor_id
    while step is not None:
        if step == staff_id:
            raise invalid_field("supervisor_id", "Would make a circle of supervisors.")
        step = above[step]


def _flush(uow: UnitOfWork) -> None:
    try:
        uow.session.flush()
    except IntegrityError as error:
        if violates(error, _UNIQUE_EMAIL):
            raise Conflict("email_taken") from error
        raise


def _announce(uow: UnitOfWork, staff: Staff) -> None:
    data = {"staff_id": staff.id, "active": staff.active, "role": staff.role}
    uow.emit(STAFF_CHANGED, staff.id, data, aggregate_version=staff.version)
