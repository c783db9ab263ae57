"""The dashboard's open tasks by whose they are: the groups in the order of their ids, those of nobody last, and within
each by date.

One index has all of them in this order. A firm's staff are few: what each has open is counted along it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased

from chassis import paging
from chassis.columns import Id
from chassis.turns import IN_ORDER
from chassis.value_sets import each_id, each_of
from contracts.base import CANONICAL_ID
from services.tasks.listing.counting import Moments, Where, between_parameters, due_between, limits_of, moments
from services.tasks.listing.request import Listing, no_cursor
from services.tasks.listing.slots import Slot
from services.tasks.listing.streams import open_in_slots
from services.tasks.models import CaseTask
from services.tasks.statuses import is_open, present

MOST_COUNTED, FEWEST = paging.TOTAL_CAP, 50
"""Tasks that are counted for all groups together, of which each has its share, and at least for each: to count all that
a large firm's staff have took as long as the rest of the page."""

Groups = list[dict[str, Any]]
_NOBODY = "nobody"
Last = tuple[str | None, dt.datetime | None, str]
"""The assignee, the date and the id of a page's last task."""


def count_by_assignee(session: Session, asked: Listing, narrow: Where, total: int) -> Groups:
    """`contracts.tasks.TaskGroup` of each assignee who has anything in the list, which has `total` tasks and holds
    what is `narrow`. Of many tasks each group is counted up to a cap: the more people there are, the lower."""
    if narrow or total <= MOST_COUNTED:
        theirs = [*narrow, *open_in_slots(asked.slots, asked.clock), present(), *due_between(asked)]
        counted = select(CaseTask.assignee_id, func.count()).where(*theirs).group_by(CaseTask.assignee_id)
        counts: dict[str | None, int] = dict(session.execute(counted).all())
        nobodys = counts.pop(None, 0)
        return _groups(counts, nobodys, paging.TOTAL_CAP)
    people: list[str | None] = list(session.scalars(_people(), execution_options=IN_ORDER))
    cap = max(FEWEST, MOST_COUNTED // (len(people) + 1))
    counts = _counts(session, asked, people, cap)
    return _groups(counts, counts.pop(None), cap)


def _groups(counts: Mapping[str | None, int], nobodys: int, cap: int) -> Groups:
    found = [_group(assignee_id, count, cap) for assignee_id, count in sorted(counts.items()) if count]
    return [*found, _group(None, nobodys, cap)] if nobodys else found


def _group(assignee_id: str | None, count: int, cap: int) -> dict[str, Any]:
    counted = {"total": min(count, cap), "total_is_lower_bound": count > cap}
    return {"key": assignee_id, "title": None, **counted, "completed": 0, "skipped": 0}


@cache
def _people() -> Select[Any]:
    """Who has open tasks. From each the index leads to the next, past what that one has."""
    of_somebody = select(CaseTask.assignee_id).where(is_open(), present(), CaseTask.assignee_id.is_not(None))
    first = of_somebody.order_by(*_place(CaseTask)).limit(1).scalar_subquery()
    found = select(first.label("assignee_id")).cte("people", recursive=True)
    more = aliased(CaseTask)
    following = (
        select(more.assignee_id)
        .where(is_open(more), present(more), more.assignee_id > found.c.assignee_id)
        .order_by(*_place(more))
        .limit(1)
        .correlate(found)
        .scalar_subquery()
    )
    people = found.union_all(select(following).where(found.c.assignee_id.is_not(None)))
    return select(people.c.assignee_id).where(people.c.assignee_id.is_not(None))


def _counts(session: Session, asked: Listing, people: Sequence[str | None], cap: int) -> dict[str | None, int]:
    """What each has, and nobody."""
    made = _of_each(session.get_bind().dialect.name, tuple(asked.slots), limits_of(asked))
    values = {**moments(asked), **each_id(session, people), "most": cap + 1}
    rows = session.execute(made.of_people, values, execution_options=IN_ORDER).all() if people else []
    nobodys = rows[0][2] if rows else session.scalar(made.of_nobody, {**moments(asked), "most": cap + 1})
    return {**{assignee_id: count for assignee_id, count, _ in rows}, None: nobodys}


class _OfEach(NamedTuple):
    """Statements: (assignee, count, nobody's count) of each of some people, and nobody's alone."""

    of_people: Select[Any]
    of_nobody: Select[Any]


@cache
def _of_each(dialect: str, slots: tuple[Slot, ...], given: frozenset[str]) -> _OfEach:
    """Counts up to the parameter `most`. Made once: to put them together took as long as a third of the counting."""
    theirs = [*open_in_slots(slots, Moments()), present(), *between_parameters(given)]
    most = bindparam("most", type_=Integer, required=True)
    each = each_of(dialect, Id).subquery("each_assignee")
    # As a range: what is equal to something has no order of its own.
    of_one = (CaseTask.assignee_id >= each.c.id, CaseTask.assignee_id <= each.c.id)
    within = select(CaseTask.id).where(*theirs, *of_one).order_by(*_place(CaseTask)).limit(most).correlate(each)
    count = select(func.count()).select_from(within.subquery()).scalar_subquery()
    nobodys = select(CaseTask.id).where(*theirs, CaseTask.assignee_id.is_(None)).limit(most).subquery()
    of_nobody = select(func.count()).select_from(nobodys)
    return _OfEach(select(each.c.id, count, of_nobody.scalar_subquery()), of_nobody)


def _place(task: Any) -> tuple[Any, Any, Any]:
    """The order that this index has and no other one."""
    return task.assignee_id, task.due_at.nulls_last(), task.id


def page_by_assignee(session: Session, asked: Listing, narrow: Where) -> tuple[list[str], str | None]:
    """The ids of a page, and the cursor of the next. What is `narrow` is found and put in order, for no index has it
    so. Raises Invalid `invalid_cursor`."""
    where, sorted_here = [*narrow, *open_in_slots(asked.slots, asked.clock)], bool(narrow)
    last = None if asked.cursor is None else _read_cursor(asked)
    # What is nobody's is read by itself: it is neither before an id nor after it.
    rows = [] if last is not None and last[0] is None else _read(session, asked, [*where, *_of_somebody(last)],
                                                                  asked.limit + 1, sorted_here)  # fmt: skip
    if len(rows) <= asked.limit:
        nobodys = [*where, *_of_nobody(last)]
        rows += _read(session, asked, nobodys, asked.limit + 1 - len(rows), sorted_here)
    following = _write_cursor(asked, rows[asked.limit - 1]) if len(rows) > asked.limit else None
    return [row.id for row in rows[: asked.limit]], following


def _read(session: Session, asked: Listing, where: Where, limit: int, sorted_here: bool) -> list[Any]:
    columns = (CaseTask.assignee_id, CaseTask.due_at, CaseTask.id)
    wanted = select(*columns).where(*where, present(), *due_between(asked))
    # By the assignee too where it is nobody: only so PostgreSQL sees that the index has this order.
    in_order = wanted.order_by(*_place(CaseTask)).limit(limit)
    return list(session.execute(in_order, execution_options={} if sorted_here else IN_ORDER))


def _of_somebody(last: Last | None) -> Where:
    theirs: Where = [CaseTask.assignee_id.is_not(None)]
    if last is None:
        return theirs
    assignee_id, due_at, last_id = last
    # The first comparison is in the others: as it stands, an index begins where the page does.
    after = or_(CaseTask.assignee_id > assignee_id, _after(due_at, last_id))
    return [*theirs, CaseTask.assignee_id >= assignee_id, after]


def _of_nobody(last: Last | None) -> Where:
    nobodys: Where = [CaseTask.assignee_id.is_(None)]
    return nobodys if last is None or last[0] is not None else [*nobodys, _after(*last[1:])]


def _after(due_at: Any, last_id: str) -> ColumnElement[bool]:
    undated = CaseTask.due_at.is_(None)
    if due_at is None:
        return and_(undated, CaseTask.id > last_id)
    return or_(CaseTask.due_at > due_at, and_(CaseTask.due_at == due_at, CaseTask.id > last_id), undated)


def _write_cursor(asked: Listing, row: Any) -> str:
    return f"{row.assignee_id or _NOBODY}.{paging.cursor_after(asked.name, row.due_at, row.id)}"


def _read_cursor(asked: Listing) -> Last:
    whose, _, within = str(asked.cursor).partition(".")
    if whose != _NOBODY and not CANONICAL_ID.fullmatch(whose):
        raise no_cursor()
    return (None if whose == _NOBODY else whose, *paging.read_cursor(within, asked.name, CaseTask.due_at, CaseTask.id))
