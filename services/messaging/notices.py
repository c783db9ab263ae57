"""Notices to staff: a list that each reads in the API, and an email to those who have an address.

An email tells that something waits, not what: who reads it may not be alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, select, update

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.paging import page
from chassis.unit_of_work import UnitOfWork
from contracts.errors import NotFound
from services.messaging.dispatching.doorbell import ring
from services.messaging.models import URGENT, Delivery, Notice

Record = dict[str, Any]

_ASKED_AT_ONCE = 200
_SHOWN = ("id", "version", "created_at", "updated_at", "staff_id", "kind", "title", "about", "read_at")
_IN_CHARGE = ("owner", "admin")


@dataclass(frozen=True)
class Reader:
    """A staff member who is told. `email` None: only by the list."""

    staff_id: str
    email: str | None


@dataclass(frozen=True)
class News:
    """What is told. `once`: the same again adds nothing."""

    kind: str
    title: str
    about: Mapping[str, str]
    once: str | None = None


def readers_of(calls: Any, staff_ids: Iterable[str]) -> list[Reader]:
    """Those of these staff members who work here now, asked for at once. Raises Unavailable."""
    asked = {staff_id: calls.accounts.get_staff.start(staff_id=staff_id) for staff_id in sorted(set(staff_ids))}
    found = []
    for staff_id, reply in asked.items():
        try:
            member = reply.result()
        except NotFound:
            continue
        if member["active"]:
            found.append(Reader(staff_id, member.get("email")))
    return found


def in_charge(calls: Any) -> list[Reader]:
    """The firm's owners and admins. Raises Unavailable."""
    found: list[Reader] = []
    cursor: str | None = None
    while True:
        listed = calls.accounts.list_staff(limit=_ASKED_AT_ONCE, cursor=cursor)
        found += [
            Reader(member["id"], member.get("email"))
            for member in listed["data"]
            if member["active"] and member["role"] in _IN_CHARGE
        ]
        cursor = listed["meta"]["next_cursor"]
        if cursor is None:
            return found


def tell(uow: UnitOfWork, readers: Sequence[Reader], news: News, now: dt.datetime, *, by_email: bool = True) -> int:
    """Writes the notices, and emails about those that are new; returns how many are new."""
    stamps = {"created_at": now, "updated_at": now}
    what = {
        "kind": news.kind, "title": news.title, "about": dict(news.about), "case_id": news.about.get("case_id"),
        "once": news.once,
    }  # fmt: skip
    rows = [{"id": new_id(), "staff_id": reader.staff_id, **what, **stamps} for reader in readers]
    fresh = uow.insert_returning(Notice, rows, "id", "staff_id", ignore_conflicts=True)
    addresses = {reader.staff_id: reader.email for reader in readers} if by_email else {}
    told = [(row.id, row.staff_id, addresses.get(row.staff_id)) for row in fresh]
    uow.insert(
        Delivery, [_email(notice_id, staff_id, email, news, now) for notice_id, staff_id, email in told if email]
    )
    return len(fresh)


def _email(notice_id: str, staff_id: str, address: str, news: News, now: dt.datetime) -> Record:
    return {
        "id": new_id(),
        "subject_id": notice_id,
        "kind": "staff_notice",
        "channel": "email",
        "staff_id": staff_id,
        "case_id": news.about.get("case_id"),
        "address": address.lower(),
        "state": "accepted",
        "priority": URGENT,
        "variables": {"notice": {"title": news.title}},
        "send_after": now,
        "due_at": now,
        "created_at": now,
        "updated_at": now,
    }


def notify_staff(
    db: Database,
    calls: Any,
    *,
    staff_ids: Sequence[str],
    kind: str,
    title: str,
    about: Mapping[str, str],
    once: str | None,
    now: dt.datetime | None = None,
) -> Record:
    """Tells staff members something, by the list and by email: {"notified"}, those who were not told before. Who does
    not work here any more is not told. Raises Unavailable."""
    now = now or utc_now()
    readers = readers_of(calls, staff_ids)
    with db.unit_of_work() as uow:
        notified = tell(uow, readers, News(kind, title, about, once), now)
        uow.after_commit(lambda: ring(db.url))
        return uow.answer({"notified": notified})


def list_notices(
    db: Database, *, actor_id: str | None, unread: bool = False, limit: int = 50, cursor: str | None = None,
    sort: str | None = None,
) -> Record:  # fmt: skip
    """A page of the notices of the staff member who asks, newest first. Raises Invalid as `page` does."""
    statement = select(Notice).where(Notice.staff_id == actor_id)
    if unread:
        statement = statement.where(Notice.read_at.is_(None))
    with db.read() as session:
        rows, meta = page(
            session, statement, model=Notice, sorts={"created_at": Notice.created_at}, default_sort="-created_at",
            limit=limit, cursor=cursor, sort=sort,
        )  # fmt: skip
        return {"data": [{name: getattr(row, name) for name in _SHOWN} for row in rows], "meta": meta}


def mark_notices_read(
    db: Database, *, actor_id: str | None, notice_ids: Sequence[str] = (), now: dt.datetime | None = None
) -> Record:
    """Marks these notices of the staff member who asks, or all if none is named: {"marked"}, those that were unread.

    Raises NotFound if one of them is not theirs.
    """
    theirs = Notice.staff_id == actor_id
    with db.unit_of_work() as uow:
        if notice_ids:
            theirs = and_(theirs, Notice.id.in_(notice_ids))
            known = set(uow.session.scalars(select(Notice.id).where(theirs)))
            for notice_id in notice_ids:
                if notice_id not in known:
                    raise NotFound("notice_not_found", notice_id=notice_id)
        return uow.answer({"marked": mark_read(uow, theirs, now or utc_now())})


def mark_read(uow: UnitOfWork, which: Any, now: dt.datetime) -> int:
    """Marks the unread notices that meet a condition; returns how many."""
    statement = (
        update(Notice)
        .where(which, Notice.read_at.is_(None))
        .values(read_at=now, updated_at=now, version=Notice.version + 1)
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    )
    return len(uow.session.execute(statement).all())
