"""Preparing deliveries, up to 500 at once: others are asked first, then all is decided in one transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select, text, update
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.database import Database
from chassis.scoping import EVERY_KIND
from chassis.unit_of_work import UnitOfWork
from chassis.value_sets import among
from services.messaging import addressees, client_merges, consent
from services.messaging.deliveries import LONGEST_RESERVATION, is_in, move, move_each, unreserved
from services.messaging.dispatching import joining
from services.messaging.dispatching.outcomes import (
    FRESH_INBOUND,
    Decider,
    Known,
    Outcome,
    Request,
    Sent,
    Wish,
    addresses_of,
)
from services.messaging.dispatching.recipients import NOTIFICATION, Facts, gather, subject_of
from services.messaging.models import NOTIFIED, Batch, Content, Delivery, InboundMessage
from services.messaging.senders import make_sandbox_sender, sender_for
from services.messaging.setwise import one_of

PREPARED_AT_ONCE = 500
_ABOUT: dict[str, Callable[[Wish], bool]] = {
    "case_task_id": lambda wish: wish.kind == NOTIFICATION,
    "batch_id": lambda wish: wish.kind == "message" and wish.batch_id is not None,
    "subject_id": lambda wish: wish.to_contacts,
}
"""By column of a delivery: of which wishes it holds what they are about (`Wish.about`)."""
LEASE = dt.timedelta(seconds=8)
"""Longer than the calls to the owners of the facts usually take. Where they take longer, another dispatcher does the
work as well, and only one of the two outcomes is written."""

TRIED_FOR, TRIED_EVERY = dt.timedelta(hours=1), dt.timedelta(minutes=10)
"""What cannot be prepared, for no reason that anybody named."""


def reserve(db: Database, owner: str, now: dt.datetime, limit: int = PREPARED_AT_ONCE) -> list[Wish]:
    """Takes up to `limit` deliveries of one firm whose time to be prepared has come, under a lease."""
    with db.unit_of_work() as uow:
        due = (
            select(*(getattr(Delivery, name) for name in Wish.columns()))
            .where(
                Delivery.state == "accepted",
                Delivery.due_at <= now,
                unreserved(now, now + LONGEST_RESERVATION),
                or_(Delivery.batch_id.is_(None), Delivery.batch_id.in_(running_batches())),
            )
            .order_by(Delivery.due_at, Delivery.id)
            .limit(limit)
            .with_for_update(skip_locked=True, of=Delivery)
        )
        found = [Wish.from_row(row) for row in uow.session.execute(due)]
        wishes = joining.with_followers(uow.session, found)
        if wishes:
            uow.session.execute(
                update(Delivery)
                .where(among(uow.session, Delivery.id, [wish.id for wish in wishes]))
                .values(lease_owner=owner, lease_until=now + LEASE)
                .execution_options(synchronize_session=False)
            )
    return wishes


def firms_with_due(session: Session, now: dt.datetime, largest: int = 50) -> list[str]:
    """Across firms: those with deliveries whose time to be prepared has come.

    Goes from firm to firm through the index, so that a firm with a large batch costs no more than another.
    """
    due = (
        Delivery.state == "accepted",
        Delivery.due_at <= now,
        unreserved(now, now + LONGEST_RESERVATION),
        or_(Delivery.batch_id.is_(None), Delivery.batch_id.in_(running_batches())),
    )
    found: list[str] = []
    while len(found) < largest:
        after = (Delivery.firm_id > found[-1],) if found else ()
        statement = select(Delivery.firm_id).where(*due, *after).order_by(Delivery.firm_id).limit(1)
        firm_id = session.scalar(statement)
        if firm_id is None:
            break
        found.append(str(firm_id))
    return found


def running_batches() -> Any:
    """The batches whose deliveries may be worked on: neither paused nor cancelled."""
    return select(Batch.id).where(Batch.state.in_(("accepted", "running")))


def prepare(
    db: Database,
    calls: Any,
    wishes: Sequence[Wish],
    owner: str,
    *,
    sandbox: Collection[str],
    now: Callable[[], dt.datetime] = utc_now,
) -> int:
    """Prepares reserved deliveries of one firm and returns how many. A firm without a sender gets one of the
    sandbox's on the channels that the `sandbox` carries.

    Raises Unavailable, DeadlineExceeded; then they are free again once the lease has ended.
    """
    if not wishes:
        return 0
    requests = read_requests(db, wishes)
    uses = {name for request in requests.values() for name in request.uses}
    members = joining.members_of(wishes)
    facts = gather(calls, members, uses, with_cases=True)
    merged = {client_id for client_id, one in facts.recipients.items() if one.get("surviving_id")}
    if merged:
        waiting = {wish.id: wish.client_id for wish in wishes if wish.client_id in merged}
        client_merges.catch_up(db, waiting, now())
        wishes = [wish for wish in wishes if wish.client_id not in merged]
        members = joining.members_of(wishes)
    keys = [key for wish in wishes for key in _keys(wish, facts)]
    with db.unit_of_work() as uow:
        # Apart from the rest: a STOP waits for a row that is being made, and must not wait for all that follows.
        consent.ensure_rows(uow, keys)
    with db.unit_of_work() as uow:
        _take_turns(uow.session)
        # Not held, so that a STOP waits for nothing here: the claim reads them again.
        states = consent.read_states(uow.session, keys)
        senders = _senders(uow, wishes, str(db.firm_id), sandbox)
        moment = now()
        known = read_known(uow.session, members, facts, states, senders, moment)
        decider = Decider(facts, known, requests, moment)
        outcomes = joining.join([decider.decide(member) for member in members])
        _write(uow, outcomes, owner, moment)
        more = addressees.more_rows(wishes, facts, moment)
        if more:
            uow.insert(Delivery, more, ignore_conflicts=True)
        _start_batches(uow.session, wishes, moment)
    return len(wishes)


def _take_turns(session: Session) -> None:
    """Those that prepare for one firm decide one after the other, to the commit: of two that prepare for one address,
    the second sees what the first decided. (On SQLite one transaction writes at a time.)"""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('prepare ' || :firm_id, 0))"))


def _write(uow: UnitOfWork, outcomes: Sequence[Outcome], owner: str, now: dt.datetime) -> None:
    """Those that are reserved first: what is joined to one follows only where that one was still ours."""
    followers = [outcome for outcome in outcomes if outcome.wish.joined_to not in (None, outcome.wish.id)]
    mine = (Delivery.lease_owner == owner, is_in("accepted"))
    if not followers:
        _move_by_state(uow, outcomes, now, mine)
        return
    apart = {outcome.wish.id for outcome in followers}
    moved = _move_by_state(uow, [outcome for outcome in outcomes if outcome.wish.id not in apart], now, mine)
    rest = [outcome for outcome in followers if outcome.wish.joined_to in moved]
    _move_by_state(uow, rest, now, (is_in("accepted"),))


def _move_by_state(uow: UnitOfWork, outcomes: Sequence[Outcome], now: dt.datetime, where: Sequence[Any]) -> set[str]:
    moved: set[str] = set()
    for state in sorted({outcome.state for outcome in outcomes}):
        rows = [_row(outcome) for outcome in outcomes if outcome.state == state]
        moved.update(move_each(uow, state, now, rows, where=where, alone=True))
    return moved


def give_up(db: Database, wishes: Sequence[Wish], owner: str, now: dt.datetime) -> None:
    """Ends reserved deliveries that cannot be prepared, an hour after their time, or after they were to be prepared
    anew. Until then they are tried again: the fault may be another service's, and ends when it is mended."""
    with db.unit_of_work() as uow:
        ids = [wish.id for wish in wishes]
        where = [Delivery.id.in_(ids), Delivery.state == "accepted", Delivery.lease_owner == owner]
        since = now - TRIED_FOR
        over = [Delivery.send_after <= since, Delivery.updated_at <= since]
        move(uow, "failed", now, where=[*where, *over], reason="not_prepared")
        # No move: what was accepted stays so, since when it was.
        uow.session.execute(
            update(Delivery)
            .where(*where)
            .values(due_at=now + TRIED_EVERY, lease_owner=None, lease_until=None)
            .execution_options(synchronize_session=False)
        )


def _senders(uow: UnitOfWork, wishes: Sequence[Wish], firm_id: str, sandbox: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for channel in sorted({channel for wish in wishes for channel in (wish.channel, *wish.fallback)}):
        sender = sender_for(uow.session, channel)
        if sender is None and channel in sandbox:
            sender = make_sandbox_sender(uow, firm_id, channel)
        if sender is not None:
            found[channel] = sender.id
    return found


def _start_batches(session: Any, wishes: Sequence[Wish], now: dt.datetime) -> None:
    ids = sorted({wish.batch_id for wish in wishes if wish.batch_id})
    if ids:
        session.execute(
            update(Batch)
            .where(Batch.id.in_(ids), Batch.state == "accepted")
            .values(state="running", updated_at=now, version=Batch.version + 1)
            .execution_options(synchronize_session=False)
        )


def _row(outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = {"id": outcome.wish.id, "joined_to": outcome.joined_to}
    due_at = joining.NEVER if outcome.follows else outcome.due_at
    if outcome.state == "accepted":
        return {**row, "due_at": due_at, "send_after": outcome.due_at}
    row |= {
        "reason": outcome.reason,
        "channel": outcome.channel or outcome.wish.channel,
        "address": outcome.address,
        "contact_id": outcome.contact_id,
    }
    if outcome.state != "queued":
        return row
    # A single message is no duplicate of another; of one, two contacts may have the same address.
    once = outcome.address if outcome.wish.batch_id or outcome.wish.to_contacts else None
    return row | {
        "address_once": once,
        "sender_id": outcome.sender_id,
        "due_at": due_at,
        "window_closes": outcome.window_closes,
        "language": outcome.language,
        "variables": outcome.variables,
        "needs_opt_in": outcome.needs_opt_in,
    }


def _keys(wish: Wish, facts: Facts) -> list[consent.Key]:
    return [
        key
        for channel, address in addresses_of(wish, facts)
        for key in consent.keys_of(channel, address, subject_of(wish, facts))
    ]


def read_requests(db: Database, wishes: Iterable[Wish]) -> dict[str | None, Request]:
    """The request of each batch, by its id, and of each single message, by the message's own."""
    rows = list(wishes)
    with db.read() as session:
        batch_ids = {wish.batch_id for wish in rows if wish.batch_id}
        batches = {
            batch.id: batch for batch in session.scalars(select(Batch).where(Batch.id.in_(sorted(batch_ids)))).all()
        }
        content_ids = {wish.content_id for wish in rows if wish.content_id}
        contents = {
            content.id: content
            for content in session.scalars(select(Content).where(Content.id.in_(sorted(content_ids)))).all()
        }
    requests: dict[str | None, Request] = {}
    for wish in rows:
        key = wish.batch_id or wish.id
        if key in requests:
            continue
        content = contents.get(wish.content_id or "")
        batch = batches.get(wish.batch_id or "")
        requests[key] = Request(
            statuses=frozenset(batch.statuses) if batch and batch.kind == "notification" else None,
            allow_repeat=batch.allow_repeat if batch else True,
            business_hours=bool(batch and batch.timing.get("mode") == "business_hours"),
            variants=content.variants if content else (),
            uses=content.uses if content else ("firm.name",),
        )
    return requests


def read_known(
    session: Any,
    wishes: Iterable[Wish],
    facts: Facts,
    states: consent.States,
    senders: Mapping[str, str],
    now: dt.datetime,
) -> Known:
    """What messaging's own tables say about the addresses of these wishes."""
    rows = list(wishes)
    addresses = sorted({address for wish in rows for _, address in addresses_of(wish, facts)})
    sent: list[Sent] = []
    for about, alike in _ABOUT.items():
        told = sorted(
            {
                (address, wish.about)
                for wish in rows
                if wish.about and alike(wish)
                for _, address in addresses_of(wish, facts)
            }
        )
        if told:
            names = (
                Delivery.id,
                Delivery.batch_id,
                Delivery.channel,
                Delivery.address,
                Delivery.state,
                Delivery.sent_at,
            )
            pairs = [{"address": address, about: subject} for address, subject in told]
            statement = select(*names, getattr(Delivery, about).label("about")).where(
                *one_of(session, Delivery, pairs), is_in(*NOTIFIED)
            )
            # What went out is known to all, also where it was about a case that the caller may not see.
            sent += [Sent(**row._mapping) for row in session.execute(statement, execution_options=EVERY_KIND)]
    wrote: frozenset[str] = frozenset()
    if any(wish.kind == "message" and wish.batch_id is None for wish in rows):
        writers = select(InboundMessage.sender).where(
            among(session, InboundMessage.sender, addresses), InboundMessage.created_at > now - FRESH_INBOUND
        )
        wrote = frozenset(session.scalars(writers))
    return Known(states, senders, sent, wrote)
