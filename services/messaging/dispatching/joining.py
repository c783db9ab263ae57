"""Several notifications to one recipient, joined into one message (`coalesce`).

The deliveries of a batch to one client on one channel are a group. One of them leads: it alone is prepared, claimed and
called for, and `joined_to` is its own id. The others are joined to it and go wherever it goes (`deliveries.move`). They
are never due by themselves and have no sender, so that no search for work finds them. Whoever changes a group locks its
leader first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from chassis.value_sets import among
from services.messaging.dispatching.outcomes import Outcome, Wish
from services.messaging.models import Delivery

NEVER = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
"""When a delivery that is joined to another is due by itself, and one whose batch has not come as a whole."""
JOINED_AT_ONCE = 2000
"""Deliveries that are prepared together, with those that are joined to them."""
NAMED = 3
"""Titles that are named before the rest is only counted."""

_WORDS = {"en": ("and", "more"), "es": ("y", "más")}


def group(session: Session, batch_id: str) -> None:
    """Makes the groups of a batch that has come as a whole, and lets it be prepared. Harmless to repeat."""
    alike = (Delivery.client_id, Delivery.channel)
    mine = (
        select(
            Delivery.id,
            func.first_value(Delivery.id).over(partition_by=alike, order_by=Delivery.id).label("leader"),
            func.count().over(partition_by=alike).label("size"),
        )
        .where(Delivery.batch_id == batch_id, Delivery.state == "accepted", Delivery.joined_to.is_(None))
        .subquery()
    )
    session.execute(
        update(Delivery)
        .where(Delivery.id == mine.c.id)
        .values(
            joined_to=case((mine.c.size > 1, mine.c.leader)),
            due_at=case((mine.c.leader == mine.c.id, Delivery.send_after), else_=Delivery.due_at),
        )
        .execution_options(synchronize_session=False)
    )


def with_followers(session: Session, wishes: Sequence[Wish]) -> list[Wish]:
    """The wishes with those that are joined to them; only as many as can be prepared together."""
    leaders = [wish.id for wish in wishes if wish.joined_to]
    if not leaders:
        return list(wishes)
    found: dict[str, list[Wish]] = {}
    statement = (
        select(*(getattr(Delivery, name) for name in Wish.columns()))
        .where(among(session, Delivery.joined_to, leaders), Delivery.id != Delivery.joined_to)
        .order_by(Delivery.id)
    )
    for row in session.execute(statement):
        found.setdefault(str(row.joined_to), []).append(Wish.from_row(row))
    taken: list[Wish] = []
    total = 0
    for wish in wishes:
        followers = found.get(wish.id, ())
        total += 1 + len(followers)
        if taken and total > JOINED_AT_ONCE:
            break
        taken.append(replace(wish, followers=tuple(followers)))
    return taken


def members_of(wishes: Iterable[Wish]) -> list[Wish]:
    """The wishes and what is joined to them, one after the other."""
    return [member for wish in wishes for member in (wish, *wish.followers)]


def join(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes with a leader for what can still go out of each group: the old one, or if something forbids that
    one, the next. What goes to another address than the rest, or goes out alone, stands by itself."""
    together: dict[tuple[str | None, ...], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.wish.joined_to and outcome.state in ("queued", "accepted"):
            key = (outcome.wish.joined_to, outcome.state, outcome.channel, outcome.address)
            together.setdefault(key, []).append(outcome)
    changed: dict[str, Outcome] = {}
    for several in together.values():
        first, *rest = several
        if rest:
            leader = replace(first, joined_to=first.wish.id, variables=_merged_variables(several))
            changed |= {first.wish.id: leader} | {one.wish.id: _follower(one, first) for one in rest}
    return [changed.get(outcome.wish.id, outcome) for outcome in outcomes]


def _follower(outcome: Outcome, leader: Outcome) -> Outcome:
    return replace(outcome, joined_to=leader.wish.id, sender_id=None, variables=None)


def _merged_variables(outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    values = [outcome.variables for outcome in outcomes]
    return _merged(values, outcomes[0].language) if all(values) else None


def _merged(values: Sequence[Any], language: str | None) -> Any:
    """What several texts' variables are in one text: numbers are added up, words are listed once each."""
    first = values[0]
    if isinstance(first, dict):
        return {key: _merged([value[key] for value in values], language) for key in first}
    if isinstance(first, int):
        return sum(values)
    return list_words([str(value) for value in values], language)


def list_words(words: Iterable[str], language: str | None) -> str:
    """`A`, `A and B`, `A, B and C`, `A, B, C and 2 more`; each word once, empty ones left out."""
    ordered = [word for word in dict.fromkeys(words) if word]
    conjunction, more = _WORDS.get((language or "en").partition("-")[0], _WORDS["en"])
    if len(ordered) > NAMED:
        return f"{', '.join(ordered[:NAMED])} {conjunction} {len(ordered) - NAMED} {more}"
    if len(ordered) > 1:
        return f"{', '.join(ordered[:-1])} {conjunction} {ordered[-1]}"
    return "".join(ordered)
