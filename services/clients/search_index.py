"""Asking the database which clients answer a question about their keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Text,
    and_,
    bindparam,
    cast,
    column,
    exists,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session

from chassis.columns import Id, Instant
from chassis.database import UnitOfWork
from chassis.scoping import UNGUARDED, ScopedSession
from services.clients.models import Client, ClientPhone
from services.clients.models.finding import FULL_TEXT
from services.clients.search_keys import Key, Question, Word, firm_tag, question


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


def found(session: Session, asked: Question, *, most: int | None = None) -> CTE:
    """The clients that answer and are not archived: `client_id`, `sort_name`, `created_at`. With `most`, PostgreSQL
    stops there."""
    return (_postgresql if session.get_bind().dialect.name == "postgresql" else _sqlite)(session, asked, most)


def _postgresql(session: Session, asked: Question, most: int | None) -> CTE:
    rows = func.find_clients(
        bindparam(None, firm_of(session), type_=Id),
        tsquery(asked, firm_of(session)),
        bindparam(None, ["|".join(forms) for forms in asked.numbers], type_=ARRAY(Text)),
        most,
    ).table_valued(
        column("client_id", Id), column("sort_name", Text), column("created_at", Instant()), name="answering"
    )
    return select(rows.c.client_id, rows.c.sort_name, rows.c.created_at).cte("found")


def _sqlite(session: Session, asked: Question, most: int | None) -> CTE:
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
    rows = select(Client.id.label("client_id"), Client.sort_name, Client.created_at)
    return rows.where(Client.id.in_(ids), Client.archived_at.is_(None), *parts).cte("found")


def matches(session: Session, client_id: ColumnElement[str], keys: Any, asked: Question) -> ColumnElement[bool]:
    """As `answers`, looked at in one row after the other: PostgreSQL alone, for a list of which many answer."""
    numbers = (
        exists(
            select(ClientPhone.number).where(
                ClientPhone.client_id == client_id, or_(*(ClientPhone.number.contains(form) for form in forms))
            )
        )
        for forms in asked.numbers
    )
    return and_(keys.op("@@")(cast(tsquery(asked, firm_of(session)), TSQUERY)), *numbers)


def firm_of(session: Session) -> str:
    """The firm that a session is bound to."""
    firm_id = session.firm_id if isinstance(session, ScopedSession) else None
    if firm_id is None:
        raise TypeError("clients are found within one firm")
    return firm_id


def tsquery(asked: Question, firm_id: str) -> str:
    """A question in PostgreSQL's language of full-text queries. Keys hold neither quotes nor backslashes."""
    tag = firm_tag(firm_id)
    return _joined(asked.words, " & ", " | ", lambda key: f"'{tag}{key[0]}'" + (":*" if key[1] else ""))


def _full_text(asked: Question, firm_id: str) -> str:
    """The same in that of SQLite's FTS5."""
    tag = firm_tag(firm_id)
    return _joined(asked.words, " AND ", " OR ", lambda key: f'"{tag}{key[0]}"' + (" *" if key[1] else ""))


def _joined(words: Sequence[Word], and_sign: str, or_sign: str, written: Any) -> str:
    def way(keys: Sequence[Key]) -> str:
        return "(" + and_sign.join(map(written, keys)) + ")"

    return and_sign.join("(" + or_sign.join(map(way, word)) + ")" for word in words)
