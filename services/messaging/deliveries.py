"""What a delivery may become, and what the others hear of it. Every change of state goes through here.

Deliveries change in sets: each move names the states it may come from, and a delivery that is in another one by then
stays as it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal_column, null, or_, select, union_all, update
from sqlalchemy.orm import Session

from chassis.unit_of_work import UnitOfWork
from contracts.base import Event
from contracts.messaging import DELIVERY_DELIVERED, DELIVERY_FAILED, DELIVERY_SENT, DELIVERY_SUPPRESSED
from services.messaging.models import EXEMPT_KINDS, WAITING, Delivery
from services.messaging.setwise import update_rows

LONGEST_RESERVATION = dt.timedelta(minutes=1)
"""Longer than what waits is reserved by anybody, by however little the dispatchers' clocks differ. One that would last
longer was made before the clock was set back."""

LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""Before now by everybody's clock."""

MOVES: dict[str, tuple[str, ...]] = {
    "accepted": ("accepted", "queued", "sent"),
    "queued": ("accepted", "queued", "sending", "unknown"),
    "sending": ("queued",),
    "sent": ("queued", "sending", "unknown"),
    "delivered": ("queued", "sending", "unknown", "sent", "undelivered"),
    "undelivered": ("sending", "unknown", "sent", "delivered"),
    "failed": ("accepted", "queued", "sending", "unknown", "sent"),
    "suppressed": ("accepted", "queued", "sending", "unknown"),
    "cancelled": WAITING,
    "unknown": ("sending",),
}
"""State to the states it may follow. `queued` after `sending` or `unknown` only where the call is proven not to have
been accepted; `sent` after `queued` where that proof came too early; `accepted` after `sent` where the provider says
afterwards that it never tried."""

SETTLED = ("sent", "delivered", "undelivered", "failed", "suppressed", "cancelled")
"""States in which nothing is left to do, so that what the text was made of is forgotten."""

ITS_CALL = ("id", "attempts")
"""What finds a delivery for one of its calls: once a later one has begun, which may be under way, none is found."""

NOT_SENT = ("accepted", "failed", "suppressed", "cancelled")
"""States that leave the address to another delivery of the same batch and case task."""

_EVENTS: dict[str, Event] = {
    "sent": DELIVERY_SENT,
    "delivered": DELIVERY_DELIVERED,
    "undelivered": DELIVERY_FAILED,
    "failed": DELIVERY_FAILED,
    "suppressed": DELIVERY_SUPPRESSED,
}
_TOLD = (
    Delivery.id,
    Delivery.batch_id,
    Delivery.case_task_id,
    Delivery.case_id,
    Delivery.client_id,
    Delivery.channel,
    Delivery.state,
    Delivery.reason,
    Delivery.joined_to,
    Delivery.sent_at,
)


@dataclass(frozen=True)
class ProviderStatus:
    """A provider's word for a message: our state for it, and its rank. A rank never goes back."""

    state: str
    rank: int


STATUSES = {
    "accepted": ProviderStatus("sent", 1),
    "scheduled": ProviderStatus("sent", 1),
    "queued": ProviderStatus("sent", 2),
    "sending": ProviderStatus("sent", 3),
    "initiated": ProviderStatus("sent", 3),
    "sent": ProviderStatus("sent", 4),
    "ringing": ProviderStatus("sent", 4),
    "in-progress": ProviderStatus("sent", 5),
    "canceled": ProviderStatus("failed", 6),
    "failed": ProviderStatus("failed", 6),
    "undelivered": ProviderStatus("undelivered", 6),
    "busy": ProviderStatus("undelivered", 6),
    "no-answer": ProviderStatus("undelivered", 6),
    "delivered": ProviderStatus("delivered", 7),
    "partially_delivered": ProviderStatus("delivered", 7),
    "completed": ProviderStatus("delivered", 7),
    "read": ProviderStatus("delivered", 8),
    # Of an email. A soft bounce may be an out-of-office answer, and says nothing once the email was delivered.
    "rejected": ProviderStatus("failed", 6),
    "soft_bounced": ProviderStatus("undelivered", 6),
    "bounced": ProviderStatus("undelivered", 9),
    "complained": ProviderStatus("delivered", 10),
}
"""Twilio's statuses of an outbound message and of an outbound call, and what becomes of an email. A call that failed
before anybody answered was not delivered; one that was answered, by a person or a machine, was. An unknown status is
ignored: they are added without notice."""


def may_follow(new: str, before: str | None) -> bool:
    """Whether a provider's status says more than the one known before."""
    if new not in STATUSES:
        return False
    return before is None or before not in STATUSES or STATUSES[new].rank > STATUSES[before].rank


def unreserved(now: Any, longest: Any) -> ColumnElement[bool]:
    """Whether nobody has put aside what waits. `longest` is LONGEST_RESERVATION after `now`; both are instants, or
    parameters for them.

    Not for a delivery in `sending`: its call may be under way, and the clock may step forward again.
    """
    until = Delivery.lease_until
    return or_(until.is_(None), until < now, until > longest)


def move(
    uow: UnitOfWork,
    state: str,
    now: dt.datetime,
    *,
    where: Sequence[Any],
    **values: Any,
) -> list[str]:
    """Moves the deliveries that meet `where` to `state`, with the same `values` for all; returns the ids of those that
    were moved, and emits their events. What is joined to one of them goes along."""
    statement = (
        update(Delivery)
        .where(is_in(*MOVES[state]), *where)
        .values(**_changes(state, now), **values)
        .returning(*_TOLD)
        .execution_options(synchronize_session=False)
    )
    return _tell(uow, state, uow.session.execute(statement).all(), now)


def move_each(
    uow: UnitOfWork,
    state: str,
    now: dt.datetime,
    rows: Iterable[dict[str, Any]],
    *,
    where: Sequence[Any] = (),
    alone: bool = False,
    key: Sequence[str] = ("id",),
    **values: Any,
) -> list[str]:
    """Like `move`, for rows that name a delivery's `id` and each their own values. `alone`: what is joined to them
    stays where it is. `key`: the attributes of the rows that find a delivery."""
    moved = update_rows(
        uow.session,
        Delivery,
        rows,
        where=(is_in(*MOVES[state]), *where),
        key=key,
        also={**_changes(state, now), **values},
        returning=_TOLD,
    )
    return _tell(uow, state, moved, now, alone=alone)


def _changes(state: str, now: dt.datetime) -> dict[str, Any]:
    changes: dict[str, Any] = {"state": state, "updated_at": now, "version": Delivery.version + 1}
    if state != "sending":
        changes |= {"lease_owner": None, "lease_until": None}
    if state in SETTLED:
        changes["variables"] = null()
    if state in NOT_SENT:
        changes["address_once"] = None
    return changes


def _tell(uow: UnitOfWork, state: str, moved: Sequence[Any], now: dt.datetime, *, alone: bool = False) -> list[str]:
    leaders = [] if alone else [row for row in moved if row.joined_to == row.id]
    followed = _follow(uow.session, state, leaders, now) if leaders else ()
    event = _EVENTS.get(state)
    if event is not None:
        told = [(row.id, event_data(row, now)) for row in (*moved, *followed) if row.client_id is not None]
        uow.emit_many(event, told)
    return [row.id for row in moved]


def _follow(session: Session, state: str, leaders: Sequence[Any], now: dt.datetime) -> Sequence[Any]:
    return update_rows(
        session,
        Delivery,
        [{"joined_to": row.id, "reason": row.reason, "sent_at": row.sent_at} for row in leaders],
        key=("joined_to",),
        where=(Delivery.id != Delivery.joined_to,),
        also=_changes(state, now),
        returning=_TOLD,
    )


def is_in(*states: str) -> ColumnElement[bool]:
    """Whether a delivery that is found by something else is in one of these states. No index answers it: PostgreSQL,
    which does not know yet that thousands have come into a state, would read all of them to find a few."""
    return func.coalesce(Delivery.state, "").in_(states)


def is_prepared() -> ColumnElement[bool]:
    """Whether a delivery that is found by something else waits and was prepared, or is being so: once it is moved and
    has no lease any more, what somebody prepares is not written."""
    return and_(is_in(*WAITING), or_(is_in("queued"), Delivery.lease_owner.is_not(None)))


def is_message() -> ColumnElement[bool]:
    """Whether a delivery is a message of its own: not joined to another one, which it follows."""
    return or_(Delivery.joined_to.is_(None), Delivery.joined_to == Delivery.id)


def event_data(row: Any, now: dt.datetime) -> dict[str, Any]:
    """The data of a `delivery.*.v1` event."""
    return {
        "delivery_id": row.id,
        "batch_id": row.batch_id,
        "case_task_id": row.case_task_id,
        "case_id": row.case_id,
        "client_id": row.client_id,
        "channel": row.channel,
        "state": row.state,
        "reason": row.reason,
        "at": now,
    }


# What happens elsewhere and concerns what still waits


def prepare_again(uow: UnitOfWork, client_ids: Iterable[str], now: dt.datetime) -> list[str]:
    """Has what goes to these clients prepared again, since their addresses or zones may have changed."""
    return prepare_anew(uow, now, Delivery.client_id.in_(sorted(set(client_ids))))


def prepare_anew(uow: UnitOfWork, now: dt.datetime, *which: ColumnElement[bool]) -> list[str]:
    """Sends what is queued of these deliveries back to be prepared, and what is being prepared right now, by facts that
    may be older than what is told; what is being called for, if it comes back. An answer to an address still goes
    there."""
    mine = (*which, Delivery.conversation_id.is_(None), Delivery.kind.not_in(EXEMPT_KINDS))
    come_back_late(uow, *mine)
    where = [*mine, is_prepared(), is_message()]
    return move(uow, "accepted", now, where=where, due_at=Delivery.send_after, address=None)


def come_back_late(uow: UnitOfWork, *which: ColumnElement[bool]) -> None:
    """Has what is under way of these deliveries prepared again if it is queued once more, since its call was not taken:
    what is told meanwhile finds nothing that waits. For a claim it is then as if its window had closed."""
    # A look for each state, which is in the text: each goes through the index of what is in it.
    messages = [
        select(func.coalesce(Delivery.joined_to, Delivery.id)).where(*which, Delivery.state == literal_column(state))
        for state in ("'sending'", "'unknown'")
    ]
    late = update(Delivery).where(Delivery.id.in_(union_all(*messages))).values(window_closes=LONG_AGO)
    uow.session.execute(late, execution_options={"synchronize_session": False})


def suppress_erased(uow: UnitOfWork, client_id: str, now: dt.datetime) -> list[str]:
    """Suppresses what still waits for a client that was deleted."""
    theirs = Delivery.client_id == client_id
    come_back_late(uow, theirs)
    return move(
        uow,
        "suppressed",
        now,
        where=[theirs, Delivery.state.in_(WAITING), is_message()],
        reason="client_erased",
    )


def find(session: Session, delivery_id: str) -> Delivery | None:
    """A delivery by its id."""
    return session.scalars(select(Delivery).where(Delivery.id == delivery_id)).one_or_none()
