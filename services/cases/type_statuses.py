"""The statuses of a case type, and how they change while cases exist.

- One that is renamed (`was` names it as it is called now) takes its cases along. They have not moved: their history
  stays as it was written, and `case.changed.v1` says `status` without a previous one. `case_status.renamed.v1` tells
  those who keep the name; filters that name it as it was called go on to mean it (`status_names`).
- One with cases in it cannot be removed (`status_in_use` names it). To a filter, the name of one that was removed is
  that of no case: `eq` and `in` find none by it, `ne` and `not_in` leave none out.
- One that changes between open and closed takes the state of its cases along, and each of them says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from contracts.cases import CASE_STATUS_RENAMED
from contracts.errors import Conflict, invalid_field
from services.cases.case_events import emit_changed
from services.cases.models import Case, CaseStatus
from services.cases.status_names import forget_name, forget_names_of, note_renamed

Record = dict[str, Any]
TOLD_AT_ONCE = 1_000
"""Cases whose change is told of together: there may be hundreds of thousands in a status."""


def statuses_of(session: Session, case_type_ids: Iterable[str]) -> dict[str, list[CaseStatus]]:
    """The statuses of case types, in order."""
    wanted = sorted(set(case_type_ids))
    found: dict[str, list[CaseStatus]] = {case_type_id: [] for case_type_id in wanted}
    statement = select(CaseStatus).where(CaseStatus.case_type_id.in_(wanted)).order_by(CaseStatus.position)
    for status in session.scalars(statement):
        found[status.case_type_id].append(status)
    return found


def find_status(session: Session, case_type_id: str, name: str) -> CaseStatus | None:
    """A status that a case is about to enter. It neither changes nor goes before the end of the transaction: who
    changes it holds it for itself, see `_hold`."""
    statement = select(CaseStatus).where(CaseStatus.case_type_id == case_type_id, CaseStatus.name == name)
    held = statement.with_for_update(read=True, key_share=True)
    return session.scalars(held.execution_options(populate_existing=True)).one_or_none()


def replace_statuses(uow: UnitOfWork, case_type_id: str, wanted: Sequence[Record], now: dt.datetime) -> None:
    """Makes `wanted` ({name, closed, was?}) the statuses of the type, in this order. The type's row is locked.

    Raises Invalid that names what is wrong with a new name, and Conflict `status_in_use`.
    """
    session = uow.session
    present = {status.name: status for status in statuses_of(session, [case_type_id])[case_type_id]}
    old_names = _renames(present, wanted)
    turned = [
        before
        for entry in wanted
        if (before := old_names.get(entry["name"], entry["name"])) in present
        and present[before].closed != entry["closed"]
    ]
    if changing := {*turned, *old_names.values()}:
        _hold(session, case_type_id, changing)
    for position, entry in enumerate(wanted):
        name: str = entry["name"]
        status = present.pop(old_names.get(name, name), None)
        if status is None:
            forget_name(session, case_type_id, name)
            status = CaseStatus(case_type_id=case_type_id, name=name, closed=entry["closed"])
            session.add(status)
        else:
            status = _change(uow, status, entry, now)
        status.position = position
    session.flush()
    for gone in present:
        _remove(session, case_type_id, gone)


def _renames(present: Mapping[str, CaseStatus], wanted: Sequence[Record]) -> dict[str, str]:
    """{new name: present name}. Raises Invalid."""
    names = {entry["name"] for entry in wanted}
    found: dict[str, str] = {}
    for index, entry in enumerate(wanted):
        name, was = entry["name"], entry.get("was")
        if was is None or was == name:
            continue
        if was not in present:
            raise invalid_field(f"statuses.{index}.was", "Not a status of this type of case.", code="unknown_status")
        if was in names or was in found.values():
            raise invalid_field(f"statuses.{index}.was", "Named by another status too.")
        if name in present:
            raise invalid_field(f"statuses.{index}.name", "There is such a status by now.", code="status_exists")
        found[name] = was
    return found


def _hold(session: Session, case_type_id: str, names: Iterable[str]) -> None:
    """Locks the cases in statuses, in the order of their ids, and then the statuses: no case enters or leaves them."""
    wanted = sorted(names)
    cases = select(Case.id).where(Case.case_type_id == case_type_id, Case.status.in_(wanted))
    # Counted, so that hundreds of thousands of ids do not travel.
    session.scalar(select(func.count()).select_from(cases.order_by(Case.id).with_for_update().subquery()))
    statuses = select(CaseStatus.name).where(CaseStatus.case_type_id == case_type_id, CaseStatus.name.in_(wanted))
    session.execute(statuses.order_by(CaseStatus.name).with_for_update())


def _change(uow: UnitOfWork, status: CaseStatus, entry: Record, now: dt.datetime) -> CaseStatus:
    """The status as `entry` has it. Its cases go along, and each of them says what changed."""
    renamed, turned = status.name != entry["name"], status.closed != entry["closed"]
    if not renamed and not turned:
        return status
    became, old_name = status, status.name
    if renamed:  # Cases refer to it by its name: they go over to a new one before this one goes.
        became = CaseStatus(case_type_id=status.case_type_id, name=entry["name"], position=status.position)
        uow.session.add(became)
    became.closed = entry["closed"]
    uow.session.flush()
    moved = update(Case).where(Case.case_type_id == status.case_type_id, Case.status == old_name)
    if not renamed:
        moved = moved.where(Case.state != "pending")
    moved = moved.values(
        status=became.name,
        state=case((Case.state == "pending", Case.state), else_=became.state),
        version=Case.version + 1,
        updated_at=now,
    )
    rows = uow.session.execute(
        moved.returning(Case.id, Case.state), execution_options={"synchronize_session": False}
    ).all()
    names = [name for name, changed in (("status", renamed), ("state", turned)) if changed]
    # A pending case has not been told of yet.
    told = [row.id for row in rows if row.state != "pending"]
    for start in range(0, len(told), TOLD_AT_ONCE):
        emit_changed(uow, dict.fromkeys(told[start : start + TOLD_AT_ONCE], names))
        uow.step_aside()
    if renamed:
        _tell(uow, status.case_type_id, old_name, became.name)
        note_renamed(uow, status.case_type_id, old_name, became.name)
        uow.session.delete(status)
        uow.session.flush()
    return became


def _tell(uow: UnitOfWork, case_type_id: str, was: str, name: str) -> None:
    """Others keep what statuses are called."""
    others = select(CaseStatus.name).where(CaseStatus.case_type_id != case_type_id, CaseStatus.name == was).limit(1)
    told = {"case_type_id": case_type_id, "was": was, "name": name}
    uow.emit(CASE_STATUS_RENAMED, case_type_id, {**told, "elsewhere": uow.session.scalar(others) is not None})


def _remove(session: Session, case_type_id: str, name: str) -> None:
    of_status = (Case.case_type_id == case_type_id, Case.status == name)
    if cases := session.scalar(select(func.count()).select_from(Case).where(*of_status)):
        raise _in_use(name, cases)
    forget_names_of(session, case_type_id, name)
    try:
        # The cases' own reference guards against one that enters the status at this moment.
        session.execute(delete(CaseStatus).where(CaseStatus.case_type_id == case_type_id, CaseStatus.name == name))
    except IntegrityError as error:
        raise _in_use(name, 1) from error


def _in_use(name: str, cases: int) -> Conflict:
    message = f"The status {name} has cases in it."
    fields = [{"field": "statuses", "message": message}]
    return Conflict("status_in_use", fields=fields, status=name, cases=cases)
