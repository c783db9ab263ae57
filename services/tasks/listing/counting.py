"""How many case tasks are in each slot: each is counted up to a cap, so that a large firm's are as soon counted."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, case, func, or_, select
from sqlalchemy.orm import Session

from chassis.columns import Instant
from chassis.paging import TOTAL_CAP
from chassis.value_sets import among_rows
from services.tasks.listing.request import Listing
from services.tasks.listing.slots import DATED, SLOTS, UNDATED, Clock, Counts, Slot
from services.tasks.models import OPEN, CaseTask, KnownCaseStaff
from services.tasks.statuses import is_open, present

MOST_READ = 25_000
"""Tasks of one person, one template or one assignee that are looked at; of more, each count is a lower bound."""

_DUES = (*DATED, UNDATED)
_OVERDUE = Slot(OPEN[0], DATED[0])
COUNTED = tuple(slot for slot in SLOTS if slot.due != DATED[0] or slot == _OVERDUE)
"""What is overdue is one status, whatever is stored of it, and is counted once."""

Where = list[ColumnElement[bool]]


def count_slots(session: Session, asked: Listing) -> tuple[Counts, Counts]:
    """Everybody's case tasks by slot, and those that are the asking person's; of cases that are not archived."""
    mine = [] if asked.staff_id is None else [is_mine(session, asked.staff_id)]
    narrow = narrowing(asked)
    everybodys = _read_through(session, asked, narrow) if narrow else _each(session, asked)
    return everybodys, _read_through(session, asked, [*mine, *narrow]) if mine else Counts({})


def narrowing(asked: Listing) -> Where:
    """What else than slots and dates is asked for."""
    wanted = ((CaseTask.template_id, asked.template_id), (CaseTask.assignee_id, asked.assignee_id))
    return [column == value for column, value in wanted if value is not None]


def is_mine(session: Session, staff_id: str) -> ColumnElement[bool]:
    """Whether a task is of a case that a member of staff is on, or is assigned to that member."""
    of_cases = select(KnownCaseStaff.case_id).where(KnownCaseStaff.staff_id == staff_id)
    on_it = among_rows(session.get_bind().dialect.name, CaseTask.case_id, of_cases)
    return or_(on_it, CaseTask.assignee_id == staff_id)


def due_between(asked: Listing) -> Where:
    """Whether a task is due in the asked time."""
    where: Where = []
    if asked.due_from is not None:
        where.append(CaseTask.due_at >= asked.due_from)
    if asked.due_to is not None:
        where.append(CaseTask.due_at < asked.due_to)
    return where


def in_due_slots(dues: tuple[str, ...], clock: Clock) -> Where:
    """Whether an open task's date is in these slots, which have dates and follow each other in `DATED`."""
    first, last = DATED.index(dues[0]), DATED.index(dues[-1])
    where: Where = []
    if first > 0:
        where.append(CaseTask.due_at > clock.ends[first - 1])
    if last < len(clock.ends):
        where.append(CaseTask.due_at <= clock.ends[last])
    return where


# Over all cases, each slot by its part of one index


def _each(session: Session, asked: Listing) -> Counts:
    limits = {"due_from": asked.due_from, "due_to": asked.due_to}
    given = {name: value for name, value in limits.items() if value is not None}
    ends = dict(zip(DATED, asked.clock.ends, strict=False))
    row = session.execute(_all_slots(frozenset(given)), {**given, **ends}).one()
    return Counts(dict(zip(COUNTED, row, strict=True)))


@cache
def _all_slots(given: frozenset[str]) -> Select[Any]:
    """One number for each of `COUNTED`, `TOTAL_CAP` + 1 at most. Made once, as to put it together takes long."""
    between = _between_parameters(given)

    def counted(slot: Slot) -> Any:
        of_status = is_open() if slot == _OVERDUE else CaseTask.status == slot.stored
        tasks = select(CaseTask.id).where(of_status, present(), *_due_parameters(slot), *between)
        within = tasks.limit(TOTAL_CAP + 1).subquery()
        return select(func.count()).select_from(within).scalar_subquery()

    return select(*(counted(slot) for slot in COUNTED))


def _between_parameters(given: frozenset[str]) -> Where:
    where: Where = []
    if "due_from" in given:
        where.append(CaseTask.due_at >= _moment("due_from"))
    if "due_to" in given:
        where.append(CaseTask.due_at < _moment("due_to"))
    return where


def _due_parameters(slot: Slot) -> Where:
    if not slot.due:
        return []
    if slot.due == UNDATED:
        return [CaseTask.due_at.is_(None)]
    at = DATED.index(slot.due)
    after = [CaseTask.due_at > _moment(DATED[at - 1])] if at else []
    return [*after, CaseTask.due_at <= _moment(slot.due)] if slot.due != DATED[-1] else after


def _moment(name: str) -> Any:
    return bindparam(name, type_=Instant, required=True)


# Of one person, template or assignee, all in one pass


def _read_through(session: Session, asked: Listing, narrow: Where) -> Counts:
    at = _place_of(asked.clock).label("at")
    tasks = select(at).where(*narrow, present(), *due_between(asked)).limit(MOST_READ + 1).subquery()
    counted = select(tasks.c.at, func.count()).group_by(tasks.c.at)
    by_slot = {SLOTS[place]: count for place, count in session.execute(counted)}
    return Counts(by_slot, more=sum(by_slot.values()) > MOST_READ)


def _place_of(clock: Clock) -> ColumnElement[int]:
    """Where a task's slot is among `SLOTS`. A number, for PostgreSQL sorts texts slowly."""
    dues = case(
        (CaseTask.due_at.is_(None), _DUES.index(UNDATED)),
        *((CaseTask.due_at <= end, at) for at, end in enumerate(clock.ends)),
        else_=_DUES.index(DATED[-1]),
    )
    finished = {slot.stored: at for at, slot in enumerate(SLOTS) if not slot.due}
    opened = {stored: at * len(_DUES) for at, stored in enumerate(OPEN)}
    return case(
        *((CaseTask.status == stored, at) for stored, at in finished.items()),
        *((CaseTask.status == stored, dues + first) for stored, first in opened.items()),
    )
