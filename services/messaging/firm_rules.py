"""What follows from a firm's settings: what messaging keeps of them, because it must be known in the transaction that
takes a STOP; and that what was prepared by other ones is prepared again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.value_sets import among
from services.messaging.deliveries import come_back_late, is_in, is_message, prepare_anew
from services.messaging.dispatching.doorbell import ring
from services.messaging.models import EXEMPT_KINDS, Batch, Delivery, FirmRule, Sender

ALL_CHANNELS = "all_channels"
AT_ONCE = 500
"""Deliveries that are sent back in one transaction: on SQLite a STOP waits for each."""
_HOURS = frozenset({"quiet_hours", "time_zone", "business_hours", "holidays", "holiday_calendar"})
"""Settings that decide when something goes out."""
_DECIDE = _HOURS | {"require_opt_in", "allow_manual_reply"}
"""Settings that decide whether something goes out, and when."""


def refresh(db: Database, calls: Any, event: ReceivedEvent) -> None:
    """`firm.changed.v1`: keeps what is newer than what is kept. Raises NotFound, Unavailable."""
    firm = calls.accounts.get_firm()
    row = {"opt_out_scope": firm["opt_out_scope"], "version": firm["version"]}
    if not _DECIDE.isdisjoint(event.data["changed"]):
        _decide_anew(db)
    if not _HOURS.isdisjoint(event.data["changed"]):
        _time_anew(db)
    with db.unit_of_work(once=event) as uow:
        uow.upsert(FirmRule, [row], key=("firm_id",), change=("opt_out_scope", "version"), newer="version")


def _decide_anew(db: Database) -> None:
    """Has what is prepared for clients prepared again, in parts: no STOP waits for the whole of a large queue. Harmless
    to repeat."""
    theirs = (
        Delivery.client_id.is_not(None), Delivery.conversation_id.is_(None), Delivery.kind.not_in(EXEMPT_KINDS)
    )  # fmt: skip
    being_prepared = (Delivery.state == "accepted", Delivery.due_at <= utc_now(), Delivery.lease_owner.is_not(None))
    queued = (Delivery.state == "queued", Delivery.sender_id.in_(select(Sender.id)))
    with db.unit_of_work() as uow:
        come_back_late(uow, *theirs)
    for which in (being_prepared, queued):
        # Anew for what is queued: some of it may have been, by the rules of before, while the first were sent back.
        some = select(Delivery.id).where(*theirs, *which, Delivery.updated_at < utc_now()).limit(AT_ONCE)
        while True:
            with db.unit_of_work() as uow:
                moved = prepare_anew(uow, utc_now(), Delivery.id.in_(some))
                uow.after_commit(lambda: ring(db.url))
            if not moved:
                break


def _time_anew(db: Database) -> None:
    """Has what waits for the firm to open prepared again now, which puts back what has to wait still. In parts, and
    after what was being prepared: what the rules of before put off is there by then. Harmless to repeat."""
    now = utc_now()
    in_hours = select(Batch.id).where(
        Batch.state.in_(("accepted", "running", "paused")), Batch.timing["mode"].as_string() == "business_hours"
    )
    # Not what was asked for at a time of its own. What the dispatchers put back meanwhile is not looked at again.
    some = select(Delivery.id).where(
        Delivery.state == "accepted", Delivery.due_at > now, Delivery.send_after > now, Delivery.updated_at < now,
        or_(Delivery.in_business_hours, Delivery.batch_id.in_(in_hours)), is_message(),
    ).limit(AT_ONCE)  # fmt: skip
    waits = (is_in("accepted"), Delivery.send_after > now)
    # No move: what was accepted stays so, since when it was.
    sooner = update(Delivery).execution_options(synchronize_session=False).values(send_after=now)
    while True:
        with db.unit_of_work() as uow:
            first = sooner.where(Delivery.id.in_(some), *waits).values(due_at=now).returning(Delivery.id)
            ids = uow.session.scalars(first).all()
            if not ids:
                break
            # With its leader, or what is joined to it would wait for an hour of its own, and go out by itself.
            uow.session.execute(sooner.where(among(uow.session, Delivery.joined_to, ids), *waits))
            uow.after_commit(lambda: ring(db.url))


def stops_all_channels(session: Session) -> bool:
    """Whether a STOP ends everything from the firm, and not only what comes on its channel."""
    return session.scalar(select(FirmRule.opt_out_scope)) == ALL_CHANNELS
