"""Events that a subscription could not apply: kept with the reason, for an operator to look at, replay or discard.

They live in the consumer's own database, whichever bus brought them. A replay is asked for here and done by a process
of the service that owns the subscription; it keeps the event's id, so that what was applied stays applied once. What
could not be asked or was not answered is replayed again and again without being asked for: whoever was away comes back.
"""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Row, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from chassis import bulk, topology
from chassis.columns import new_id, utc_now
from chassis.database import Database
from contracts.errors import NotFound

PARKED, REPLAY, REPLAYED, DISCARDED, TRYING = "parked", "replay", "replayed", "discarded", "trying"
PASSING = ("Unavailable", "DeadlineExceeded", "RateLimited")
"""What the reason of a message begins with that nothing was wrong with."""
WAITS = tuple(dt.timedelta(minutes=minutes) for minutes in (10, 20, 40, 80, 160))
"""How long such a message stays parked: after its first time, its second …; from the last one on as long each time."""
MOST_AT_ONCE = 100
ITSELF = "casewire"
"""Who asks for those replays."""
TRIALS = 2
"""How often an event that is suspected of killing its worker may be begun alone."""


@dataclass(frozen=True)
class Failed:
    """A delivery that cannot be applied. `envelope` is the parsed message, or {"undecodable": base64} of its body."""

    subscription: str
    event: str
    event_id: str
    firm_id: str | None
    envelope: dict[str, Any]
    attempts: int


def failed_delivery(subscription: str, event: str, body: bytes, attempts: int) -> Failed:
    """Describes a delivery from its body, whatever that is."""
    try:
        envelope = orjson.loads(body)
        event_id, firm_id = str(envelope["id"]), envelope.get("firmid")
        event = str(envelope.get("type", event))
    except (ValueError, TypeError, KeyError, AttributeError):
        envelope = {"undecodable": base64.b64encode(body).decode()}
        event_id, firm_id = str(uuid.uuid5(uuid.NAMESPACE_OID, envelope["undecodable"])), None
    return Failed(subscription, event[:120], event_id[:200], _uuid_or_none(firm_id), envelope, attempts)


def undecodable(envelope: dict[str, Any]) -> bytes | None:
    """The body that is kept in place of an envelope, where it could not be read; else None."""
    kept = envelope.get("undecodable")
    return None if kept is None else base64.b64decode(kept)


def park(db: Database, failed: Failed, reason: str) -> None:
    """Keeps a delivery with the reason. `reason` names types, codes and fields, never values of records."""
    with _everywhere(db).unit_of_work() as uow:
        _upsert(uow.session, db, failed, PARKED, reason, failed.attempts)


def begin_trial(db: Database, failed: Failed) -> bool:
    """Notes that an event which may have killed its worker is about to run alone. False: it has killed it again, and is
    now parked, or was parked before and comes once more."""
    table = db.tables.parked
    with _everywhere(db).unit_of_work() as uow:
        statement = select(table.c.attempts, table.c.state).where(*_same(table, failed))
        known = uow.session.execute(statement).one_or_none()
        if known is not None and known.state != TRYING:
            return False
        trials = known.attempts if known is not None else 0
        if trials >= TRIALS:
            _upsert(uow.session, db, failed, PARKED, "killed its worker", failed.attempts)
            return False
        _upsert(uow.session, db, failed, TRYING, "being tried alone", trials + 1)
    return True


def end_trial(db: Database, failed: Failed) -> None:
    """Notes that the event did not kill its worker."""
    table = db.tables.parked
    with _everywhere(db).unit_of_work() as uow:
        uow.session.execute(delete(table).where(*_same(table, failed), table.c.state == TRYING))


def list_parked(
    db: Database, *, state: str = PARKED, subscription: str | None = None, limit: int = 100, after: str | None = None
) -> Sequence[Row[Any]]:
    """Parked messages without their envelopes, oldest first; `after` is the id of the last one seen."""
    table = db.tables.parked
    statement = select(*(column for column in table.c if column.name != "envelope")).where(table.c.state == state)
    if subscription is not None:
        statement = statement.where(table.c.subscription == subscription)
    if after is not None:
        statement = statement.where(table.c.id > after)
    with _everywhere(db).read() as session:
        return session.execute(statement.order_by(table.c.id).limit(limit)).all()


def show(db: Database, message_id: str) -> Row[Any]:
    """One parked message with its envelope. Raises NotFound `dead_letter_not_found`."""
    with _everywhere(db).read() as session:
        return _get(session, db, message_id)


def replay(db: Database, message_ids: Sequence[str], by: str) -> int:
    """Asks for parked messages to be run again and returns how many. `by` names who asks.

    Raises NotFound `dead_letter_not_found`.
    """
    with _everywhere(db).read() as session:
        for message_id in message_ids:
            _get(session, db, message_id)
    return _settle(db, message_ids, REPLAY, by)


def replay_what_passes(db: Database, now: dt.datetime, subscriptions: Collection[str]) -> int:
    """Asks for what was parked of these because somebody was away, and has waited for long enough; returns how many
    that was. Some at once: those that fail again make room for others."""
    table = db.tables.parked
    first = len(topology.RETRY_SECONDS) + 1
    waited = or_(
        *(
            and_(table.c.attempts >= first + number if number == len(WAITS) - 1 else table.c.attempts == first + number,
                 table.c.parked_at <= now - wait)
            for number, wait in enumerate(WAITS)
        )
    )  # fmt: skip
    passing = or_(*(table.c.reason.startswith(begins) for begins in PASSING))
    due = select(table.c.id).where(table.c.state == PARKED, table.c.subscription.in_(subscriptions), passing, waited)
    with _everywhere(db).read() as session:
        found = session.scalars(due.order_by(table.c.parked_at).limit(MOST_AT_ONCE)).all()
    return _settle(db, found, REPLAY, ITSELF) if found else 0


def discard(db: Database, message_ids: Sequence[str], by: str) -> int:
    """Gives parked messages up, and returns how many. They stay readable. `by` names who asks."""
    return _settle(db, message_ids, DISCARDED, by)


def awaiting_replay(db: Database, subscriptions: Collection[str], limit: int = 100) -> Sequence[Row[Any]]:
    """Messages of these to run again, with their envelopes. (Those of another process, or of none any more, take no
    place from them.)"""
    table = db.tables.parked
    wanted = select(table).where(table.c.state == REPLAY, table.c.subscription.in_(subscriptions))
    with _everywhere(db).read() as session:
        return session.execute(wanted.order_by(table.c.id).limit(limit)).all()


def begin_replay(db: Database, message_id: str) -> bool:
    """Takes a message that is to be run again; False if another process has. It is parked as before until it has run:
    what kills its process is not begun anew at every start, and can be given up."""
    table = db.tables.parked
    with _everywhere(db).unit_of_work() as uow:
        taken = update(table).where(table.c.id == message_id, table.c.state == REPLAY)
        values = {"state": PARKED, "attempts": table.c.attempts + 1, "parked_at": utc_now()}
        return bool(uow.session.execute(taken.values(values)).rowcount)  # type: ignore[attr-defined]


def note_replayed(db: Database, message_id: str) -> None:
    """Notes that a message was run again and applied."""
    table = db.tables.parked
    with _everywhere(db).unit_of_work() as uow:
        uow.session.execute(update(table).where(table.c.id == message_id).values(state=REPLAYED, settled_at=utc_now()))


def _settle(db: Database, message_ids: Sequence[str], state: str, by: str) -> int:
    table = db.tables.parked
    with _everywhere(db).unit_of_work() as uow:
        statement = update(table).where(table.c.id.in_(message_ids), table.c.state == PARKED)
        result = uow.session.execute(statement.values(state=state, settled_at=utc_now(), settled_by=by))
    return int(result.rowcount)  # type: ignore[attr-defined]


def _get(session: Session, db: Database, message_id: str) -> Row[Any]:
    table = db.tables.parked
    row = session.execute(select(table).where(table.c.id == message_id)).one_or_none()
    if row is None:
        raise NotFound("dead_letter_not_found", message_id=message_id)
    return row


def _upsert(session: Session, db: Database, failed: Failed, state: str, reason: str, attempts: int) -> None:
    table = db.tables.parked
    row = {
        "id": new_id(),
        "firm_id": failed.firm_id,
        "subscription": failed.subscription,
        "event_id": failed.event_id,
        "event": failed.event,
        "envelope": failed.envelope,
        "reason": reason,
        "attempts": attempts,
        "state": state,
        "parked_at": utc_now(),
    }
    statement = bulk.dialect_insert(session.get_bind().dialect.name, table)
    changed = {name: statement.excluded[name] for name in ("reason", "attempts", "state", "parked_at")}
    keys = [table.c.subscription, table.c.event_id]
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), [row])


def _same(table: Any, failed: Failed) -> tuple[Any, Any]:
    return table.c.subscription == failed.subscription, table.c.event_id == failed.event_id


def _everywhere(db: Database) -> Database:
    return db.across_firms("parked messages are the operator's, of whichever firm")


def _uuid_or_none(value: object) -> str | None:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        return None
