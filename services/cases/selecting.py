"""Selectors, which every bulk action takes: which cases, in pages ordered by their ids.

The set is the union of `case_ids`, `case_filter` and `case_list_ids`; `include_case_ids` then limits it (alone, it is
the set); `exclude_case_ids` is taken away last. Archived and pending cases are never in it.

Pages go by the primary key, so that the last costs what the first does, and are looked up ahead (`looking_ahead`), so
that what finds all of them is not done for each. The cursor carries the moment of the first page and the firm's zone:
days are those of that zone, counted from then, on every page, and a case created later is on none.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import uuid
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from chassis.context import kinds_seen
from chassis.database import Database
from chassis.filters.sql import condition
from chassis.paging import TOTAL_CAP
from chassis.turns import MANY
from chassis.value_sets import Statement, among, among_parameter, made_once, not_among
from contracts.errors import Invalid, invalid_field
from services.cases.case_lists import in_lists
from services.cases.filter_lookup import read_filter, read_filter_to_keep
from services.cases.freshness import freshness
from services.cases.known_cases import refuse_unknown_cases
from services.cases.looking_ahead import PAGES, Ahead, KeptSelections
from services.cases.models import Case, CaseClient, CaseList
from services.cases.sealed_values import may_look_for_sensitive

Record = dict[str, Any]
ADDING = ("case_ids", "case_filter", "case_list_ids")
PARTS = (*ADDING, "include_case_ids", "exclude_case_ids")
SHORTLY = dt.timedelta(minutes=1)
"""A case that is archived says when before it is committed, by a clock of its own."""


def check_selector(selector: Record) -> None:
    """Raises Invalid `empty_selector` if it is empty, only excludes, or holds an empty list."""
    if not any(part in selector for part in PARTS):
        raise _empty("selector", "Empty: it must name the cases, or a filter or list of them.")
    for part in PARTS:
        if part in selector and not selector[part]:
            raise _empty(f"selector.{part}", "Empty. Leave it out if it is not meant.")
    if set(selector) == {"exclude_case_ids"}:
        raise _empty("selector", "It only excludes: it must say of what.")


def select_cases(
    db: Database,
    selector: Record,
    *,
    limit: int,
    cursor: str | None,
    now: dt.datetime,
    count_all: bool = False,
    to_keep: bool = False,
    kept: KeptSelections | None = None,
) -> Record:
    """One page: {"data": [{case_id, case_type_id, client_ids}], "meta"}, the primary client first; `meta.client_facts`
    is `freshness`, if it depends on clients. `now`: in the firm's zone, if days may be counted from it. With
    `count_all` the first page counts beyond what lists count. `to_keep`: who asks keeps the selector. With `kept`,
    pages are looked up ahead; what was archived meanwhile is not shown.

    Raises Invalid `empty_selector`, `invalid_filter`, `sensitive_value` (of one to keep) and `invalid_cursor`, and
    NotFound `case_not_found`, `case_list_not_found` and `saved_filter_not_found` for what is not the firm's.
    """
    check_selector(selector)
    place = _Place.first(selector, now) if cursor is None else _Place.read(selector, cursor)
    # Who may look for what is sensitive, or at more types of cases, is no other's guide to it.
    key = (db.firm_id, place.digest, place.at, may_look_for_sensitive(), kinds_seen())
    with db.read() as session:
        if cursor is None:
            refuse_unknown(session, selector)
        if to_keep and "case_filter" in selector:
            read_filter_to_keep(session, selector["case_filter"], path="selector.case_filter")
        ahead = kept.get(key) if kept is not None and cursor is not None else None
        found = ahead.page(place.after, limit) if ahead is not None else None
        if ahead is not None and found is not None:
            archived = _archived_since(session, ahead.at)
        else:
            most = limit if kept is None else limit * PAGES
            ahead = _look_up(session, selector, place, most, None if count_all else TOTAL_CAP, now)
            found, archived = ahead.first_page(limit), set()
        page, more = found
        if kept is not None and more:
            kept.keep(key, ahead)
        clients = _clients_of(session, [case_id for case_id in page if case_id not in archived])
        fresh = freshness(session, ahead.sources)
    total = place.total or 0
    shown_total = total if count_all else min(total, TOTAL_CAP)
    meta: Record = {"next_cursor": None, "total": shown_total, **fresh}
    if total > shown_total:
        meta["total_is_lower_bound"] = True
    if more:
        meta["next_cursor"] = place.write(after=list(page)[-1])
    data = [
        {"case_id": case_id, "case_type_id": page[case_id], "client_ids": client_ids}
        for case_id, client_ids in clients.items()
    ]
    return {"data": data, "meta": meta}


def filters_of(db: Database, selector: Record) -> list[Record | None]:
    """The filters that a selector is about, its own and those of its lists, as they are written."""
    listed = selector.get("case_list_ids")
    if not listed:
        return [selector.get("case_filter")]
    with db.read() as session:
        of_lists = select(CaseList.filter).where(CaseList.id.in_(listed))
        return [selector.get("case_filter"), *session.scalars(of_lists)]


def selected(
    session: Session, selector: Record, *, now: dt.datetime, sources: set[str] | None = None
) -> ColumnElement[bool]:
    """The condition on `Case` that a selector, known not to be empty, stands for. Who tells what it asks of clients is
    added to `sources`."""
    added: list[ColumnElement[bool]] = []
    if "case_ids" in selector:
        added.append(among(session, Case.id, selector["case_ids"]))
    if "case_filter" in selector:
        tree = read_filter(session, selector["case_filter"], path="selector.case_filter", sources=sources)
        added.append(condition(tree, now=now))
    if "case_list_ids" in selector:
        listed = selector["case_list_ids"]
        added.append(in_lists(session, listed, path="selector.case_list_ids", now=now, sources=sources))
    parts = [or_(*added)] if added else []
    if "include_case_ids" in selector:
        parts.append(among(session, Case.id, selector["include_case_ids"]))
    if "exclude_case_ids" in selector:
        parts.append(not_among(session, Case.id, selector["exclude_case_ids"]))
    return and_(*parts)


def refuse_unknown(session: Session, selector: Record) -> None:
    """Raises NotFound `case_not_found` for an id that is no case of the firm: a typing error in an exclusion would
    otherwise write to a client who was to be left out."""
    ids = [
        case_id for part in ("case_ids", "include_case_ids", "exclude_case_ids") for case_id in selector.get(part) or ()
    ]
    refuse_unknown_cases(session, ids)


def _look_up(session: Session, selector: Record, place: _Place, most: int, cap: int | None, now: dt.datetime) -> Ahead:
    """The cases from the place on, `most` and one at most. What is not known of the total yet is counted, up to `cap`
    and one: first, if there may be many, for then they are found in another way."""
    sources: set[str] = set()
    wanted = and_(
        Case.archived_at.is_(None),
        Case.state != "pending",
        Case.created_at <= place.at,
        selected(session, selector, now=place.at, sources=sources),
    )
    open_ended = selector.keys() & {"case_filter", "case_list_ids"} and "include_case_ids" not in selector
    if place.total is None and most > TOTAL_CAP and open_ended:
        place.total = _count(session, wanted, cap)
    many = MANY if place.total is not None and place.total > TOTAL_CAP else {}
    following = select(Case.id, Case.case_type_id).where(wanted).order_by(Case.id).limit(most + 1)
    if place.after is not None:
        following = following.where(Case.id > place.after)
    rows = session.execute(following, execution_options=many).all()
    complete = len(rows) <= most
    if place.total is None:
        place.total = len(rows) if complete else _count(session, wanted, cap)
    return Ahead.of(rows, at=now, after=place.after, complete=complete, sources=sources)


def _count(session: Session, wanted: ColumnElement[bool], cap: int | None) -> int:
    # Over at most cap + 1 rows, so that a large firm's selection does not cost a full scan.
    some = select(Case.id).where(wanted).limit(None if cap is None else cap + 1).subquery()
    return session.execute(select(func.count()).select_from(some)).scalar_one()


def _clients_of(session: Session, case_ids: Sequence[str]) -> dict[str, list[str]]:
    """The clients of each case, the primary first."""
    found: dict[str, list[str]] = {case_id: [] for case_id in case_ids}
    for case_id, client_id in session.execute(_clients(session), {"case_ids": list(case_ids)}):
        found[case_id].append(client_id)
    return found


@made_once
def _clients(dialect: str) -> Statement:
    return (
        select(CaseClient.case_id, CaseClient.client_id)
        .where(among_parameter(dialect, CaseClient.case_id, "case_ids"))
        .order_by(CaseClient.case_id, CaseClient.role == "additional", CaseClient.position)
    )


def _archived_since(session: Session, at: dt.datetime) -> set[str]:
    """The cases that were archived since a moment, and some from shortly before it."""
    since = Case.updated_at >= at - SHORTLY
    return set(session.scalars(select(Case.id).where(Case.archived_at.is_not(None), since)))


class _Place:
    """Where a selection's paging stands. The cursor is bound to its selector."""

    def __init__(self, digest: str, at: dt.datetime, after: str | None, total: int | None) -> None:
        self.digest = digest
        self.at = at
        self.after = after
        self.total = total

    @classmethod
    def first(cls, selector: Record, now: dt.datetime) -> _Place:
        return cls(_digest(selector), now, None, None)

    @classmethod
    def read(cls, selector: Record, cursor: str) -> _Place:
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            digest, at, after, total, *zone = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            moment = dt.datetime.fromisoformat(at)
            if digest != _digest(selector) or moment.tzinfo is None or not isinstance(after, str):
                raise ValueError("a cursor of another selection")
            # Also without a zone, as one that lies in no year of UTC is no moment.
            moment = moment.astimezone(ZoneInfo(*zone) if zone else dt.UTC)
            return cls(digest, moment, str(uuid.UUID(after)), int(total))
        except (ValueError, TypeError, OverflowError, OSError, ZoneInfoNotFoundError) as error:
            raise invalid_field("cursor", "Not a cursor of this selection.", code="invalid_cursor") from error

    def write(self, after: str) -> str:
        # A firm's zone by its name: its offset is another one in summer than in winter.
        zone = [self.at.tzinfo.key] if isinstance(self.at.tzinfo, ZoneInfo) else []
        packed = orjson.dumps([self.digest, self.at.isoformat(), after, self.total, *zone])
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _digest(selector: Record) -> str:
    return hashlib.sha256(orjson.dumps(selector, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _empty(field: str, message: str) -> Invalid:
    return invalid_field(field, message, code="empty_selector")
