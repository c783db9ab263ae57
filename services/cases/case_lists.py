"""Case lists: static by ids added, dynamic by a filter, or both, with ids left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, true
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.context import kinds_seen
from chassis.database import Database, UnitOfWork
from chassis.filters.saved import refuse_blank_name
from chassis.filters.sql import condition
from chassis.filters.tree import Node, readings_of
from chassis.paging import TOTAL_CAP, count_up_to, page
from contracts.errors import Forbidden, Invalid, NotFound, invalid_field
from services.cases.filter_lookup import read_filter, read_filter_to_save
from services.cases.freshness import freshness_of_each
from services.cases.known_cases import refuse_unknown_cases
from services.cases.models import Case, CaseList, CaseListMember
from services.cases.saved_filters import SAVED_FILTERS
from services.cases.uniqueness import typed_clashes

Record = dict[str, Any]
SORTS = {"name": CaseList.name, "created_at": CaseList.created_at}
MEMBERS = {"include_ids": True, "exclude_ids": False}
COUNTS = {"include_count": True, "exclude_count": False}
NowFor = Callable[..., dt.datetime]
"""The moment to read filters at, each of which may be None: `Dependencies._now_for`. Not inside a transaction."""
MOST_CONDITIONS, MOST_VALUES = 1_000, 20_000
"""Of the filters of all lists that are selected by at once."""


def create_case_list(db: Database, command: Record, *, now: dt.datetime) -> Record:
    """Raises Invalid of a blank name, `invalid_filter`, NotFound `case_not_found` or `saved_filter_not_found`, Conflict
    `name_taken`."""
    refuse_blank_name(command["name"])
    with typed_clashes(), db.unit_of_work() as uow:
        case_list = CaseList(
            id=new_id(), name=command["name"], description=command.get("description"), created_at=now, updated_at=now
        )
        uow.session.add(case_list)
        uow.session.flush()
        _set_filter(uow, case_list, command.get("filter"))
        for part in MEMBERS:
            _set_members(uow, case_list.id, part, command.get(part) or [])
        return uow.answer(_record(uow.session, case_list, now))


def get_case_list(db: Database, case_list_id: str, *, now_for: NowFor) -> Record:
    """Raises NotFound `case_list_not_found`, and Unavailable if it counts days and accounts cannot say whose."""
    with db.read() as session:
        case_list = _find(session, case_list_id)
    now = now_for(case_list.filter)
    with db.read() as session:
        return _record(session, case_list, now)


def list_case_lists(db: Database, *, now_for: NowFor, **paging: Any) -> Record:
    """A page of case lists, with counts in place of their ids. `sort`: name, created_at. Raises Unavailable as
    `get_case_list`."""
    with db.read() as session:
        rows, meta = page(session, select(CaseList), model=CaseList, sorts=SORTS, default_sort="name", **paging)
    now = now_for(*(row.filter for row in rows))
    with db.read() as session:
        return {"data": _summaries(session, rows, now), "meta": meta}


def update_case_list(
    db: Database, case_list_id: str, changes: Record, expected_version: int | None, *, now_for: NowFor
) -> Record:
    """Lists of ids in `changes` replace the list's. Raises Invalid, NotFound, and Conflict `stale_version` or
    `name_taken`."""
    refuse_blank_name(changes.get("name"))
    with db.read() as session:
        present = _find(session, case_list_id).filter
    now = now_for(changes.get("filter", present))
    with typed_clashes(), db.unit_of_work() as uow:
        case_list = _find(uow.session, case_list_id, lock=True)
        case_list.expect_version(expected_version)
        before = (case_list.name, case_list.description, case_list.filter)
        for name in ("name", "description"):
            setattr(case_list, name, changes.get(name, getattr(case_list, name)))
        if "filter" in changes:
            _set_filter(uow, case_list, changes["filter"])
        replaced = [part for part in MEMBERS if part in changes]
        for part in replaced:
            _set_members(uow, case_list.id, part, changes[part])
        if replaced or before != (case_list.name, case_list.description, case_list.filter):
            case_list.touch(now)
        uow.session.flush()
        return uow.answer(_record(uow.session, case_list, now))


def delete_case_list(db: Database, case_list_id: str) -> None:
    """Raises NotFound `case_list_not_found`, Forbidden `limited_to_case_types` of a list with cases that the caller may
    not see."""
    with db.unit_of_work() as uow:
        case_list = _find(uow.session, case_list_id, lock=True)
        if _has_hidden(uow.session, case_list_id):
            raise Forbidden("limited_to_case_types")
        SAVED_FILTERS.note_uses(uow, case_list_id, None)
        uow.session.execute(delete(CaseListMember).where(CaseListMember.case_list_id == case_list_id))
        uow.session.delete(case_list)
        uow.answer({})


def in_lists(
    session: Session, case_list_ids: Sequence[str], *, path: str, now: dt.datetime, sources: set[str] | None = None
) -> ColumnElement[bool]:
    """The condition on `Case` of being in one of the lists. Who tells what they ask of clients is added to `sources`.

    Raises NotFound `case_list_not_found`, and Invalid that names the list whose filter no longer holds.
    """
    wanted = list(dict.fromkeys(case_list_ids))
    found = {row.id: row for row in session.scalars(select(CaseList).where(CaseList.id.in_(wanted)))}
    for case_list_id in wanted:
        if case_list_id not in found:
            raise NotFound("case_list_not_found", case_list_id=case_list_id)
    places = {id_: f"{path}.{case_list_ids.index(id_)}" for id_ in wanted}
    trees = {
        id_: read_filter(session, row.filter, path=places[id_], sources=sources)
        for id_, row in found.items()
        if row.filter is not None
    }
    readings = [reading for tree in trees.values() for reading in readings_of(tree)]
    if len(readings) > MOST_CONDITIONS or sum(len(reading.values) for reading in readings) > MOST_VALUES:
        raise invalid_field(path, "The filters of these lists are too long together.", code="invalid_filter")
    return or_(*(_in_list(case_list_id, trees.get(case_list_id), now=now) for case_list_id in wanted))


def _in_list(case_list_id: str, tree: Node | None, *, now: dt.datetime) -> ColumnElement[bool]:
    def members(included: bool) -> Select[Any]:
        of_list = (CaseListMember.case_list_id == case_list_id, CaseListMember.included == included)
        return select(CaseListMember.case_id).where(*of_list)

    # IS TRUE keeps the members a set that is hashed once. As a join, PostgreSQL takes a list that is younger than its
    # statistics for one row, and compares each case with each member (9,000 of 10,000 took 15 s).
    added: ColumnElement[bool] = Case.id.in_(members(True)).is_(true())
    if tree is not None:
        added = or_(added, condition(tree, now=now))
    return and_(added, Case.id.not_in(members(False)))


def _count(session: Session, case_list: CaseList, now: dt.datetime, sources: set[str]) -> Record:
    """Who tells what the list asks of clients is added to `sources`."""
    tree = None
    try:
        if case_list.filter is not None:
            tree = read_filter(session, case_list.filter, path="filter", sources=sources)
    except Invalid:
        return {"case_count": None}
    in_list = _in_list(case_list.id, tree, now=now)
    listed = select(Case.id).where(Case.archived_at.is_(None), Case.state != "pending", in_list)
    count = count_up_to(session, listed, TOTAL_CAP)
    more = {"case_count_is_lower_bound": True} if count > TOTAL_CAP else {}
    return {"case_count": min(count, TOTAL_CAP), **more}


def _set_filter(uow: UnitOfWork, case_list: CaseList, filter: Record | None) -> None:
    if filter is not None:
        read_filter_to_save(uow.session, filter, path="filter")
    case_list.filter = filter
    SAVED_FILTERS.note_uses(uow, case_list.id, filter)


def _set_members(uow: UnitOfWork, case_list_id: str, part: str, case_ids: Sequence[str]) -> None:
    refuse_unknown_cases(uow.session, case_ids)
    of_part = (CaseListMember.case_list_id == case_list_id, CaseListMember.included == MEMBERS[part])
    uow.session.execute(delete(CaseListMember).where(*of_part, *_seen()))
    uow.insert(
        CaseListMember,
        [
            {"case_list_id": case_list_id, "included": MEMBERS[part], "case_id": case_id}
            for case_id in dict.fromkeys(case_ids)
        ],
    )


def _seen() -> list[ColumnElement[bool]]:
    """Members that the caller may see: who is limited to some types of cases is shown no others, and replaces none."""
    return [] if kinds_seen() is None else [CaseListMember.case_id.in_(select(Case.id))]


def _has_hidden(session: Session, case_list_id: str) -> bool:
    """Whether cases were added to a list, or left out of it, that the caller may not see."""
    if kinds_seen() is None:
        return False
    # Neither NOT IN nor NOT EXISTS, for which PostgreSQL may read all of the firm's cases, and again for each member.
    seen = select(Case.id).where(Case.id == CaseListMember.case_id).scalar_subquery()
    hidden = select(CaseListMember.case_id).where(CaseListMember.case_list_id == case_list_id, seen.is_(None))
    return session.scalar(hidden.limit(1)) is not None


def _find(session: Session, case_list_id: str, *, lock: bool = False) -> CaseList:
    statement = select(CaseList).where(CaseList.id == case_list_id)
    found = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if found is None:
        raise NotFound("case_list_not_found", case_list_id=case_list_id)
    return found


def _record(session: Session, case_list: CaseList, now: dt.datetime) -> Record:
    columns = (CaseListMember.included, CaseListMember.case_id)
    of_list = (CaseListMember.case_list_id == case_list.id, *_seen())
    members = session.execute(select(*columns).where(*of_list).order_by(*columns)).all()
    ids = {part: [row.case_id for row in members if row.included is included] for part, included in MEMBERS.items()}
    return {**_described(session, [case_list], now)[0], **ids}


def _summaries(session: Session, case_lists: Sequence[CaseList], now: dt.datetime) -> list[Record]:
    columns = (CaseListMember.case_list_id, CaseListMember.included)
    of_lists = CaseListMember.case_list_id.in_([case_list.id for case_list in case_lists])
    counted = select(*columns, func.count()).where(of_lists, *_seen()).group_by(*columns)
    counts = {(case_list_id, included): count for case_list_id, included, count in session.execute(counted)}
    return [
        {**record, **{part: counts.get((record["id"], included), 0) for part, included in COUNTS.items()}}
        for record in _described(session, case_lists, now)
    ]


def _described(session: Session, case_lists: Sequence[CaseList], now: dt.datetime) -> list[Record]:
    names = ("id", "name", "description", "filter", "version", "created_at", "updated_at")
    sources: list[set[str]] = [set() for _ in case_lists]
    counts = [_count(session, case_list, now, told_by) for case_list, told_by in zip(case_lists, sources, strict=True)]
    fresh = freshness_of_each(session, sources)
    return [
        {**{name: getattr(case_list, name) for name in names}, **count, **how_fresh}
        for case_list, count, how_fresh in zip(case_lists, counts, fresh, strict=True)
    ]
