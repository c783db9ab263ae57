"""How many case tasks are in each slot: each is counted up to a cap, so that a large firm's are as soon counted.

A slot that has twice as many as are counted is not counted again for a while: it still has more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, cast

from cachetools import TTLCache
from sqlalchemy import ColumnElement, Select, bindparam, case, func, or_, select, true
from sqlalchemy.orm import Session

from chassis.columns import Id, Instant
from chassis.context import kinds_seen
from chassis.paging import TOTAL_CAP
from chassis.scoping import ScopedSession
from chassis.value_sets import Statement, among_rows
from services.tasks.listing.request import Listing
from services.tasks.listing.slots import DATED, SLOTS, UNDATED, Clock, Counts, Slot
from services.tasks.models import OPEN, CaseTask, KnownCaseStaff
from services.tasks.statuses import is_open, present

MOST_READ = 15_000
"""Tasks of one person, one template or one assignee that are looked at; of more, each count is a lower bound."""

MOST_COUNTED = TOTAL_CAP
CROWD = 2 * MOST_COUNTED
CROWDED_SECONDS = 30
"""How long a slot with more than `CROWD` tasks is taken to have more than are counted: what ten thousand tasks leave at
once shows that much later."""
_FIRMS_KEPT = 10_000


class _Crowds(NamedTuple):
    """The slots that had more than `CROWD`, of tasks of any date, as of a moment."""

    at: dt.datetime
    slots: frozenset[Slot]


_crowded: TTLCache[str, _Crowds] = TTLCache(_FIRMS_KEPT, CROWDED_SECONDS)
"""By firm."""

_DUES = (*DATED, UNDATED)
_OVERDUE = Slot(OPEN[0], DATED[0])
COUNTED = tuple(slot for slot in SLOTS if slot.due != DATED[0] or slot == _OVERDUE)
"""What is overdue is one status, whatever is stored of it, and is counted once."""

Where = list[ColumnElement[bool]]


def count_slots(session: Session, asked: Listing) -> tuple[Counts, Counts]:
    """Everybody's case tasks by slot, and those that are the asking person's; of cases that are not archived."""
    everybodys = _read_through(session, asked) if narrowing(asked) else _each(session, asked)
    return everybodys, Counts({}) if asked.staff_id is None else _read_through(session, asked, mine=True)


def narrowing(asked: Listing) -> Where:
    """What else than slots and dates is asked for."""
    wanted = ((CaseTask.template_id, asked.template_id), (CaseTask.assignee_id, asked.assignee_id))
    where: Where = [column == value for column, value in wanted if value is not None]
    # Of some types of cases the session finds no others: no index has these in an order either.
    return where if kinds_seen() is None else [true(), *where]


def is_mine(session: Session, staff_id: str) -> ColumnElement[bool]:
    """Whether a task is of a case that a member of staff is on, or is assigned to that member."""
    return _is_of(session.get_bind().dialect.name, staff_id)


def _is_of(dialect: str, staff_id: Any) -> ColumnElement[bool]:
    of_cases = select(KnownCaseStaff.case_id).where(KnownCaseStaff.staff_id == staff_id)
    return or_(among_rows(dialect, CaseTask.case_id, of_cases), CaseTask.assignee_id == staff_id)


def due_between(asked: Listing) -> Where:
    """Whether a task is due in the asked time."""
    where: Where = []
    if asked.due_from is not None:
        where.append(CaseTask.due_at >= asked.due_from)
    if asked.due_to is not None:
        where.append(CaseTask.due_at < asked.due_to)
    return where


class Moments:
    """The ends of a `Clock` as parameters, called like the slots, for statements that are made once."""

    @property
    def ends(self) -> tuple[Any, ...]:
        return tuple(_moment(due) for due in DATED[:-1])


def moments(asked: Listing) -> dict[str, dt.datetime]:
    """What these parameters are, and those of the asked time."""
    limits = {"due_from": asked.due_from, "due_to": asked.due_to}
    given = {name: value for name, value in limits.items() if value is not None}
    return {**given, **dict(zip(DATED, asked.clock.ends, strict=False))}


def in_due_slots(dues: tuple[str, ...], clock: Clock | Moments) -> Where:
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
    given, values = limits_of(asked), moments(asked)
    firm_id = str(cast(ScopedSession, session).firm_id)
    kept = None if given else _crowded.get(firm_id)
    # A later page is read by an earlier moment, when other tasks were in the slots.
    timely = kept is not None and abs(asked.clock.now - kept.at).total_seconds() <= CROWDED_SECONDS
    known = kept.slots if kept is not None and timely else frozenset()
    slots = [slot for slot in COUNTED if slot not in known]
    row = session.execute(_numbers(tuple(slots), given, MOST_COUNTED + 1), values).one()
    counts = dict(zip(slots, row, strict=True)) | dict.fromkeys(known, MOST_COUNTED + 1)
    if not given and (kept is None or (not timely and kept.at < asked.clock.now)):
        _crowded[firm_id] = _Crowds(asked.clock.now, _look_for_crowds(session, counts, values))
    return Counts(counts)


def _look_for_crowds(session: Session, counts: Mapping[Slot, int], ends: dict[str, Any]) -> frozenset[Slot]:
    full = tuple(slot for slot, count in counts.items() if count > MOST_COUNTED)
    if not full:
        return frozenset()
    row = session.execute(_crowds(full, CROWD), ends).one()
    return frozenset(slot for slot, found in zip(full, row, strict=True) if found is not None)


@cache
def _numbers(slots: tuple[Slot, ...], given: frozenset[str], most: int) -> Select[Any]:
    """One number for each slot, `most` at most. Made once, as to put it together takes long."""

    def counted(slot: Slot) -> Any:
        within = _in_slot(slot, given).limit(most).subquery()
        return select(func.count()).select_from(within).scalar_subquery()

    return select(*(counted(slot) for slot in slots))


@cache
def _crowds(slots: tuple[Slot, ...], crowd: int) -> Select[Any]:
    """For each slot the id of a task after so many, null if there is none."""
    return select(*(_in_slot(slot, frozenset()).offset(crowd).limit(1).scalar_subquery() for slot in slots))


def _in_slot(slot: Slot, given: frozenset[str]) -> Statement:
    of_status = is_open() if slot == _OVERDUE else CaseTask.status == slot.stored
    return select(CaseTask.id).where(of_status, present(), *_due_parameters(slot), *between_parameters(given))


def limits_of(asked: Listing) -> frozenset[str]:
    """Which ends of the asked time are given."""
    return frozenset(name for name in ("due_from", "due_to") if getattr(asked, name) is not None)


def between_parameters(given: frozenset[str]) -> Where:
    """`due_between` with parameters, as far as its ends are `given`."""
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


def _read_through(session: Session, asked: Listing, *, mine: bool = False) -> Counts:
    people = {"template_id": asked.template_id, "assignee_id": asked.assignee_id}
    people |= {"staff_id": asked.staff_id if mine else None}
    ids = {name: id_ for name, id_ in people.items() if id_ is not None}
    counted = _by_slot(session.get_bind().dialect.name, limits_of(asked).union(ids), MOST_READ + 1)
    by_slot = {SLOTS[place]: count for place, count in session.execute(counted, {**ids, **moments(asked)})}
    return Counts(by_slot, more=sum(by_slot.values()) > MOST_READ)


@cache
def _by_slot(dialect: str, given: frozenset[str], most: int) -> Select[Any]:
    """(place among `SLOTS`, count) of `most` tasks of what is `given` by name. Made once, as `_numbers`."""
    where = between_parameters(given)
    where += [getattr(CaseTask, name) == _id(name) for name in ("template_id", "assignee_id") if name in given]
    if "staff_id" in given:
        where.append(_is_of(dialect, _id("staff_id")))
    tasks = select(_place().label("at")).where(*where, present()).limit(most).subquery()
    return select(tasks.c.at, func.count()).group_by(tasks.c.at)


def _id(name: str) -> Any:
    return bindparam(name, type_=Id, required=True)


def _place() -> ColumnElement[int]:
    """Where a task's slot is among `SLOTS`. A number, for PostgreSQL sorts texts slowly."""
    dues = case(
        (CaseTask.due_at.is_(None), _DUES.index(UNDATED)),
        *((CaseTask.due_at <= end, at) for at, end in enumerate(Moments().ends)),
        else_=_DUES.index(DATED[-1]),
    )
    finished = {slot.stored: at for at, slot in enumerate(SLOTS) if not slot.due}
    opened = {stored: at * len(_DUES) for at, stored in enumerate(OPEN)}
    return case(
        *((CaseTask.status == stored, at) for stored, at in finished.items()),
        *((CaseTask.status == stored, dues + first) for stored, first in opened.items()),
    )
