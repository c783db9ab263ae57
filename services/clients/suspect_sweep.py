"""Looking through all clients of a firm for pairs that look like one, after an import or for the first time.

In steps, each by value: numbers that several have, email addresses, government ids, days of birth, postal codes; at
last what was found before and not again is looked at once more. Each turn of the timer takes some values of one step
and keeps how far it came in the transaction that writes the pairs, so that a killed sweep goes on there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.going_on import Failures
from chassis.precedence import precedence
from services.clients import cards, suspects
from services.clients.likenesses import (
    BIRTH,
    EMAIL,
    GOVERNMENT_ID,
    PHONE,
    POSTAL,
    Pairs,
    add_alike,
    add_sharing,
    reasons,
)
from services.clients.models import (
    Client,
    ClientAddress,
    ClientEmail,
    ClientGovernmentId,
    ClientPhone,
    SuspectedPair,
    SuspectSweep,
)

QUIET = dt.timedelta(seconds=10)
"""After the last of an import's events: an import is looked through once, not once for each of its chunks."""
LATEST = dt.timedelta(minutes=5)
"""After a sweep has begun it begins anew at the earliest so much later, however many ask for it."""
VALUES_AT_ONCE = 300
NAMES_AT_ONCE = 2000
_FIRMS_AT_ONCE = 20
_STEPS: dict[str, tuple[str, Any, Any]] = {
    "phone": (PHONE, ClientPhone, ClientPhone.number),
    "email": (EMAIL, ClientEmail, ClientEmail.key),
    "government_id": (GOVERNMENT_ID, ClientGovernmentId, ClientGovernmentId.key),
    "birth": (BIRTH, Client, Client.birth_key),
    "postal": (POSTAL, ClientAddress, ClientAddress.postal_code),
    "again": ("", SuspectedPair, SuspectedPair.id),
}
_NAMES = list(_STEPS)
_SHARED = ("phone", "email", "government_id")
"""Steps of what two have in common, whatever they are called."""


def ask_for_sweep(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`clients.imported.v1`"""
    with db.unit_of_work(once=events) as uow:
        uow.insert(SuspectSweep, [{"wanted_at": now, "step": _NAMES[0]}], ignore_conflicts=True)
        sweep = uow.session.scalars(select(SuspectSweep).with_for_update()).one()
        sweep.wanted_at = max(now, sweep.wanted_at)


def sweep_some(db: Database, now: dt.datetime) -> bool:
    """Across firms: one turn for each firm that wants a sweep; whether there is more to do. Beside a firm that fails
    the others have theirs to the end; what it raises is raised then."""
    due = select(SuspectSweep.firm_id).where(SuspectSweep.wanted_at <= now - QUIET).order_by(SuspectSweep.wanted_at)
    everywhere = db.across_firms("a timer looks for firms whose clients are to be looked through")
    left_out: set[str] = set()
    with Failures() as failures:
        while True:
            page = due.where(SuspectSweep.firm_id.not_in(sorted(left_out))) if left_out else due
            with everywhere.read() as session:
                firms = list(session.scalars(page.limit(_FIRMS_AT_ONCE)))
            for firm_id in firms:
                left_out.add(firm_id)
                with failures.kept(firm_id=firm_id):
                    _turn(db.for_firm(firm_id), now)
                    left_out.remove(firm_id)
            if not firms or not left_out:
                return bool(firms)


def _turn(db: Database, now: dt.datetime) -> None:
    with db.read() as session:
        sweep = session.scalars(select(SuspectSweep)).one_or_none()
        if sweep is None:
            return
        step, after, began_at = sweep.step, sweep.after, sweep.began_at or now
        pairs, stale, last = _some(session, step, after, began_at)
    with db.unit_of_work() as uow:
        held = uow.session.scalars(select(SuspectSweep).with_for_update()).one_or_none()
        if held is None or (held.step, held.after) != (step, after):
            return
        suspects.write(uow, pairs, now)
        suspects.forget(uow, stale)
        held.turns += 1
        held.began_at = began_at
        if last is not None:
            held.after = last
            return
        held.after = None
        position = _NAMES.index(step) + 1
        if position < len(_NAMES):
            held.step = _NAMES[position]
        elif held.wanted_at > began_at:
            # Asked for meanwhile: once more, from the beginning.
            held.step, held.began_at = _NAMES[0], None
            held.wanted_at = max(held.wanted_at, began_at + LATEST - QUIET)
        else:
            uow.session.delete(held)


def _some(session: Session, step: str, after: str | None, began_at: dt.datetime) -> tuple[Pairs, list[str], str | None]:
    """The pairs of the next values of a step, or the ids of pairs that are none any more, and the last of the values;
    None if there are no more."""
    why, model, column = _STEPS[step]
    if step == "again":
        return _look_again(session, after, began_at)
    pairs: Pairs = {}
    values = _values(session, column, after)
    if step in _SHARED:
        shared = [value for value, _ in values]
        add_sharing(pairs, why, suspects.holders(session, model, column, column.in_(shared)))
        return pairs, [], values[-1][0] if len(values) == VALUES_AT_ONCE else None
    read = 0
    for value, size in values:
        add_alike(pairs, why, suspects.names_of(session, column, value), precedence.step_aside)
        read += size
        if read >= NAMES_AT_ONCE:
            return pairs, [], value
    return pairs, [], values[-1][0] if len(values) == VALUES_AT_ONCE else None


def _values(session: Session, column: Any, after: str | None) -> list[tuple[str, int]]:
    """The next values that several clients have, in order, and how many have them; deleted ones count here."""
    size = func.count()
    statement = select(column, size).where(column.is_not(None)).group_by(column).order_by(column).having(size > 1)
    if after is not None:
        statement = statement.where(column > after)
    return [(value, count) for value, count in session.execute(statement.limit(VALUES_AT_ONCE))]


def _look_again(session: Session, after: str | None, began_at: dt.datetime) -> tuple[Pairs, list[str], str | None]:
    statement = select(SuspectedPair.id, SuspectedPair.first_id, SuspectedPair.second_id).where(
        SuspectedPair.seen_at < began_at
    )
    if after is not None:
        statement = statement.where(SuspectedPair.id > after)
    rows = session.execute(statement.order_by(SuspectedPair.id).limit(VALUES_AT_ONCE)).all()
    records = cards.load(session, {id_ for row in rows for id_ in (row.first_id, row.second_id)}, archived=True)
    stale = [
        row.id
        for row in rows
        if not {row.first_id, row.second_id} <= records.keys()
        or not reasons(records[row.first_id], records[row.second_id])
    ]
    return {}, stale, rows[-1].id if len(rows) == VALUES_AT_ONCE else None
