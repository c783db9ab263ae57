"""The names that statuses had. Whoever wrote one down before, in a filter or a rule, means the status as it is called
now; a name that is given anew means the new status from then on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from chassis.filters.fields import Reach, Reading
from chassis.filters.tree import Node, readings_of, with_readings
from services.cases.models import Case, FormerStatus

_FIELD = "status"
_WITHOUT_SYNC = {"synchronize_session": False}


def note_renamed(uow: UnitOfWork, case_type_id: str, before: str, name: str) -> None:
    """A status, of which there is a row under its new name, was called otherwise before."""
    forget_name(uow.session, case_type_id, name)
    of_status = (FormerStatus.case_type_id == case_type_id, FormerStatus.status == before)
    uow.session.execute(update(FormerStatus).where(*of_status).values(status=name), execution_options=_WITHOUT_SYNC)
    uow.insert(FormerStatus, [{"case_type_id": case_type_id, "name": before, "status": name}])


def forget_name(session: Session, case_type_id: str, name: str) -> None:
    """A name belongs to a status of its own again."""
    given = (FormerStatus.case_type_id == case_type_id, FormerStatus.name == name)
    session.execute(delete(FormerStatus).where(*given), execution_options=_WITHOUT_SYNC)


def forget_names_of(session: Session, case_type_id: str, status: str) -> None:
    """A status goes, and its former names with it."""
    its = (FormerStatus.case_type_id == case_type_id, FormerStatus.status == status)
    session.execute(delete(FormerStatus).where(*its), execution_options=_WITHOUT_SYNC)


def present_name(session: Session, case_type_id: str, name: str) -> str:
    """What a status is called now that is, or was, called `name`; `name` itself if none is."""
    given = (FormerStatus.case_type_id == case_type_id, FormerStatus.name == name)
    return session.scalar(select(FormerStatus.status).where(*given)) or name


def by_present_names(session: Session, tree: Node) -> Node:
    """A filter in which the names that statuses had mean these statuses."""
    asked = {value for reading in readings_of(tree) if reading.field.name == _FIELD for value in reading.values}
    if not asked:
        return tree
    columns = (FormerStatus.name, FormerStatus.case_type_id, FormerStatus.status)
    former = session.execute(select(*columns).where(FormerStatus.name.in_(sorted(asked))).order_by(*columns)).all()
    if not former:
        return tree
    names = [(name, case_type_id, status) for name, case_type_id, status in former]

    def renamed(reading: Reading) -> Reading:
        if reading.field.name != _FIELD:
            return reading
        return replace(reading, field=replace(reading.field, reach=_Renamed(reading.field.reach, names)))

    return with_readings(tree, renamed)


@dataclass(frozen=True, eq=False)
class _Renamed:
    """A case's status by the name asked for, or by the one that it has now. `former`: (name, case type, status)."""

    reach: Reach
    former: Sequence[tuple[str, str, str]]

    def test(self, reading: Reading, now: dt.datetime) -> ColumnElement[bool]:
        meant = [
            and_(Case.case_type_id == case_type_id, Case.status == status)
            for name, case_type_id, status in self.former
            if name in reading.values
        ]
        return or_(self.reach.test(reading, now), *meant)
