"""The dashboard: case tasks of all cases that are not archived, by view.

Without more to narrow it, every page is read along an index, however many tasks a firm has. In the order of dates each
stored status is read by itself, for an index has the dates of each in their order, and what comes first of all is
merged; the order of statuses and the groups are such parts one after the other. What one person, template or assignee
has is found and put in order.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from chassis import paging
from chassis.turns import IN_ORDER
from chassis.value_sets import Statement
from services.tasks.listing.by_assignee import Groups, count_by_assignee, page_by_assignee
from services.tasks.listing.counting import Where, count_slots, due_between, is_mine, narrowing
from services.tasks.listing.request import Listing, no_cursor
from services.tasks.listing.slots import GROUP_KEYS, SLOTS, Slot, counts_of, groups_of, key_of
from services.tasks.listing.streams import in_slots, streams
from services.tasks.models import CaseTask
from services.tasks.statuses import present

_WHOLE = "all"
"""The part of a list that has only one."""
Found = tuple[dt.datetime | None, str]
"""The date and the id of a task."""


def list_dashboard(session: Session, asked: Listing) -> tuple[list[str], dict[str, Any]]:
    """The ids of a page, and `contracts.tasks.CaseTaskListing` without `data`. Raises Invalid `invalid_cursor`."""
    everybodys, mine = count_slots(session, asked)
    counts = mine if asked.view == "mine" else everybodys
    total = counts.of(asked.slots)
    if not total and not counts.more:
        return [], _told(asked, everybodys, mine, paging.meta_of(0), [] if asked.by_assignee else None)
    narrow = narrowing(asked)
    if asked.view == "mine" and asked.staff_id is not None:
        narrow = [is_mine(session, asked.staff_id), *narrow]
    if counts.more:
        where = (*narrow, present(), *due_between(asked), in_slots(asked.slots, asked.clock))
        total = paging.count_up_to(session, select(CaseTask.id).where(*where))
    groups = None
    if asked.by_assignee:
        ids, following = page_by_assignee(session, asked, narrow)
        groups = count_by_assignee(session, asked, narrow, total)
    elif asked.order in ("due_at", "status"):
        ids, following = _by_date(session, asked, narrow)
    else:
        ids, following = _by_creation(session, asked, narrow, many=total > paging.TOTAL_CAP)
    return ids, _told(asked, everybodys, mine, {**paging.meta_of(total), "next_cursor": following}, groups)


def _told(
    asked: Listing, everybodys: Any, mine: Any, meta: dict[str, Any], groups: Groups | None = None
) -> dict[str, Any]:
    if asked.group is not None and not asked.by_assignee:
        groups = groups_of(asked.group, mine if asked.view == "mine" else everybodys, asked.slots)
    return {"meta": meta, "counts": counts_of(everybodys, mine, asked.view), "groups": groups, "progress": None}


def _by_creation(session: Session, asked: Listing, narrow: Where, *, many: bool) -> tuple[list[str], str | None]:
    """`many`: so many are in the list that a page is soon found among all tasks. Few are found and put in order."""
    statement = select(CaseTask.id, CaseTask.created_at).where(*narrow, present(), *due_between(asked))
    every = asked.slots == SLOTS
    if not every:
        statement = statement.where(in_slots(asked.slots, asked.clock))
    if not narrow and (every or many):
        statement = statement.execution_options(**IN_ORDER)
    rows, following = paging.page_rows(
        session, statement, column=CaseTask.created_at, ids=CaseTask.id, sort=asked.name, optional=False,
        place=lambda row: (row.created_at, row.id), limit=asked.limit, cursor=asked.cursor,
    )  # fmt: skip
    return [row.id for row in rows], following


# By dates, in parts


def _by_date(session: Session, asked: Listing, narrow: Where) -> tuple[list[str], str | None]:
    begun, after = _read_cursor(asked)
    found: list[tuple[str, Found]] = []
    for part, slots in _parts(asked):
        if begun is not None and part != begun:
            continue
        wanted = asked.limit + 1 - len(found)
        found += [(part, task) for task in _of_part(session, asked, narrow, slots, after, wanted)]
        begun = after = None
        if len(found) > asked.limit:
            break
    if begun is not None:
        raise no_cursor()
    ids = [task_id for _, (_, task_id) in found[: asked.limit]]
    if len(found) <= asked.limit:
        return ids, None
    part, last = found[asked.limit - 1]
    return ids, f"{part}.{paging.cursor_after(asked.name, *last)}"


def _read_cursor(asked: Listing) -> tuple[str | None, Found | None]:
    """The part and the task that the page comes after."""
    if asked.cursor is None:
        return None, None
    part, _, within = asked.cursor.partition(".")
    return part, paging.read_cursor(within, asked.name, CaseTask.due_at, CaseTask.id)


def _parts(asked: Listing) -> Iterator[tuple[str, Sequence[Slot]]]:
    """The parts of a list one after the other, each with its slots."""
    group = asked.group or ("status" if asked.order == "status" else None)
    if group is None:
        yield _WHOLE, asked.slots
        return
    keys = GROUP_KEYS[group]
    for key in reversed(keys) if asked.order == "status" and asked.descending else keys:
        slots = [slot for slot in asked.slots if key_of(group, slot) == key]
        if slots:
            yield key, slots


def _of_part(
    session: Session, asked: Listing, narrow: Where, slots: Sequence[Slot], after: Found | None, wanted: int
) -> list[Found]:
    """The first `wanted` tasks of a part `after` one of it: those without a date are last."""
    of_part = streams(slots)
    found: list[Found] = []
    for dated in (True, False):
        if after is not None and dated and after[0] is None:
            continue
        ways = [stream.where(asked.clock) for stream in of_part if stream.dated is dated]
        if narrow and ways:
            # What is found and sorted is found once.
            ways = [[or_(*(and_(*way) for way in ways))]]
        same_kind = after if after is not None and (after[0] is not None) is dated else None
        read: list[Found] = []
        for way in ways:
            statement = select(CaseTask.due_at, CaseTask.id).where(*way, *narrow, present(), *due_between(asked))
            ordered = _in_order(statement, same_kind, asked.descending).limit(wanted - len(found))
            options = {} if narrow else IN_ORDER
            read += [(due_at, id_) for due_at, id_ in session.execute(ordered, execution_options=options)]
        read.sort(key=lambda task: task if dated else task[1], reverse=asked.descending)
        found += read[: wanted - len(found)]
        if len(found) == wanted:
            break
    return found


def _in_order(statement: Statement, after: Found | None, descending: bool) -> Statement:
    """By date and id, which an index gives, also where there are no dates."""
    if after is not None:
        due_at, last_id = after
        if due_at is None:
            statement = statement.where(CaseTask.id < last_id if descending else CaseTask.id > last_id)
        elif descending:
            same = or_(CaseTask.due_at < due_at, CaseTask.id < last_id)
            statement = statement.where(CaseTask.due_at <= due_at, same)
        else:
            same = or_(CaseTask.due_at > due_at, CaseTask.id > last_id)
            statement = statement.where(CaseTask.due_at >= due_at, same)
    order = (CaseTask.due_at, CaseTask.id)
    return statement.order_by(*(column.desc() for column in order) if descending else order)
