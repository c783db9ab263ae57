"""Asking the database which clients answer a question about their keys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    ScalarSelect,
    Text,
    bindparam,
    case,
    column,
    exists,
    func,
    null,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from chassis.columns import Id, Instant
from chassis.database import UnitOfWork
from chassis.scoping import UNGUARDED, ScopedSession
from services.clients.models import Client, ClientPhone
from services.clients.models.finding import FULL_TEXT
from services.clients.search.search_keys import Key, Question, Word, firm_tag, question


def forget_deleted(uow: UnitOfWork) -> None:
    """Makes SQLite's full-text table anew, which otherwise keeps the words of deleted rows until it has need of their
    place."""
    if uow.session.get_bind().dialect.name == "sqlite":
        # It names no firm: the table is all firms', and the rows that are there stay there.
        anew = text(f"INSERT INTO {FULL_TEXT} ({FULL_TEXT}) VALUES ('optimize')")  # noqa: S608  # nosec B608
        uow.session.execute(anew, execution_options=UNGUARDED)


def asked_for(session: Session, q: str) -> Question | None:
    """What is looked for: what was typed, or, where no client answers to that, what is like it. None if there is
    nothing in it to look for."""
    exact = question(q)
    if exact is None or is_answered(session, exact):
        return exact
    return question(q, forgiving=True) or exact


def is_answered(session: Session, asked: Question) -> bool:
    """Whether any client answers."""
    return bool(session.scalar(select(exists(select(found(session, asked, most=1).c.client_id)))))


def answers(session: Session, asked: Question) -> ColumnElement[bool]:
    """The condition on `Client` of answering."""
    return Client.id.in_(select(found(session, asked).c.client_id))


@dataclass(frozen=True)
class Within:
    """What PostgreSQL narrows a search by while it looks for it, None where it does not: past the walls, for it may
    look values of a firm's own fields up there alone, and joins with indexes what it finds of either.

    `own_fields`: a value of each field by its key, one that it must hold of several in a list. `since` and `until`:
    when they were added. `tag`: its key. `group_id`: a static group's.
    """

    own_fields: dict[str, Any] | None = None
    status: str | None = None
    assigned_staff_id: str | None = None
    flagged: bool | None = None
    spam: bool | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    tag: str | None = None
    group_id: str | None = None


def found(session: Session, asked: Question | None, *, within: Within | None = None, most: int | None = None) -> CTE:
    """The `client_id` of those who answer and are not archived. With `most`, PostgreSQL stops there. `within` is for
    PostgreSQL alone, which can also do without a question."""
    if session.get_bind().dialect.name == "postgresql":
        rows = func.find_clients(*_sought(session, asked, within or Within()), most)
        ids = rows.table_valued(column("client_id", Id), name="answering")
        return select(ids.c.client_id).cte("found")
    assert asked is not None
    return _sqlite(session, asked)


@dataclass(frozen=True)
class Place:
    """A page of an order, on PostgreSQL: `size` clients after one with `value` and `client_id`, the first if None.
    `order`: created_at, name or last_activity_at."""

    order: str
    down: bool
    size: int
    value: Any = None
    client_id: str | None = None

    @property
    def type(self) -> TypeEngine[Any]:
        return Text() if self.order == "name" else Instant()

    def arguments(self) -> tuple[Any, ...]:
        last = bindparam(None, self.value, type_=self.type), bindparam(None, self.client_id, type_=Id)
        return self.down, *last, self.size


def found_page(
    session: Session, asked: Question | None, within: Within, place: Place, most: int | None = None
) -> Sequence[Any]:
    """Rows of (client_id, value, total) by one statement that finds all, `most` at most. The total is how many were
    found; without a row it is not told."""
    function = getattr(func, f"found_by_{place.order}")
    rows = function(*_sought(session, asked, within), *place.arguments(), most).table_valued(
        column("client_id", Id), column("value", place.type), column("total", BigInteger), name="found"
    )
    return session.execute(select(rows.c.client_id, rows.c.value, rows.c.total)).all()


def walked_page(
    session: Session, asked: Question | None, within: Within, place: Place, *, far: int, most: int | None
) -> Sequence[Any]:
    """Rows of (client_id, value, total) among the next `far` of the order. The total, up to `most`, is counted only if
    the page is full, and not at all without `most`."""
    sought = _sought(session, asked, within)
    function = getattr(func, f"walked_by_{place.order}")
    rows = function(*sought, *place.arguments(), far).table_valued(
        column("client_id", Id), column("value", place.type), name="walked"
    )
    walked = select(rows.c.client_id, rows.c.value).cte("page")
    total: Any = null()
    if most is not None:
        full = select(func.count()).select_from(walked).scalar_subquery() >= place.size
        total = case((full, _total(sought, most)))
        if within.tag is None and within.group_id is None:
            # Not where each has to be looked up elsewhere. What fills a page so soon is the more likely so many.
            whole = None if asked is None else tsquery(asked, firm_of(session), whole=True)
            least = _total((sought[0], bindparam(None, whole, type_=Text), *sought[2:]), most, "glance_at_clients")
            total = case((full, case((least >= most, most), else_=total)))
    return session.execute(select(walked.c.client_id, walked.c.value, total.label("total"))).all()


def counted(session: Session, asked: Question | None, within: Within, most: int) -> int:
    """How many answer, `most` if there are more."""
    return int(session.scalars(select(_total(_sought(session, asked, within), most))).one())


def _total(sought: tuple[Any, ...], most: int, function: str = "count_clients") -> ScalarSelect[Any]:
    rows = getattr(func, function)(*sought, most).table_valued(column("total", BigInteger), name=function)
    return select(rows.c.total).scalar_subquery()


def _sought(session: Session, asked: Question | None, within: Within) -> tuple[Any, ...]:
    """What the functions begin with."""
    numbers = ["|".join(forms) for forms in asked.numbers] if asked is not None else []
    return (
        bindparam(None, firm_of(session), type_=Id),
        bindparam(None, None if asked is None else tsquery(asked, firm_of(session)), type_=Text),
        bindparam(None, numbers or None, type_=ARRAY(Text)),
        bindparam(None, within.own_fields, type_=JSONB(none_as_null=True)),
        bindparam(None, within.status, type_=Text),
        bindparam(None, within.assigned_staff_id, type_=Id),
        bindparam(None, within.flagged, type_=Boolean),
        bindparam(None, within.spam, type_=Boolean),
        bindparam(None, within.since, type_=Instant()),
        bindparam(None, within.until, type_=Instant()),
        bindparam(None, within.tag, type_=Text),
        bindparam(None, within.group_id, type_=Id),
    )


def _sqlite(session: Session, asked: Question) -> CTE:
    matching = text(f"SELECT client_id FROM {FULL_TEXT} WHERE {FULL_TEXT} MATCH :wanted")  # noqa: S608  # nosec B608
    ids = matching.bindparams(wanted=_full_text(asked, firm_of(session))).columns(column("client_id", Id))
    parts = (
        exists(
            select(ClientPhone.number)
            .where(ClientPhone.client_id == Client.id, or_(*(ClientPhone.number.contains(form) for form in forms)))
            .correlate(Client)
        )
        for forms in asked.numbers
    )
    rows = select(Client.id.label("client_id"))
    return rows.where(Client.id.in_(ids), Client.archived_at.is_(None), *parts).cte("found")


def firm_of(session: Session) -> str:
    """The firm that a session is bound to."""
    firm_id = session.firm_id if isinstance(session, ScopedSession) else None
    if firm_id is None:
        raise TypeError("clients are found within one firm")
    return firm_id


def tsquery(asked: Question, firm_id: str, *, whole: bool = False) -> str:
    """A question in PostgreSQL's language of full-text queries. Keys hold neither quotes nor backslashes. `whole`: what
    is but the beginning of a key does not answer, which takes half the time."""
    tag = firm_tag(firm_id)
    return _joined(asked.words, " & ", " | ", lambda key: f"'{tag}{key[0]}'" + (":*" if key[1] and not whole else ""))


def _full_text(asked: Question, firm_id: str) -> str:
    """The same in that of SQLite's FTS5."""
    tag = firm_tag(firm_id)
    return _joined(asked.words, " AND ", " OR ", lambda key: f'"{tag}{key[0]}"' + (" *" if key[1] else ""))


def _joined(words: Sequence[Word], and_sign: str, or_sign: str, written: Any) -> str:
    def way(keys: Sequence[Key]) -> str:
        return "(" + and_sign.join(map(written, keys)) + ")"

    return and_sign.join("(" + or_sign.join(map(way, word)) + ")" for word in words)
