"""What follows from a firm's settings: what messaging keeps of them, because it must be known in the transaction that
takes a STOP; and that what was prepared by other ones is prepared again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.database import Database
from chassis.envelope import ReceivedEvent
from services.messaging.deliveries import come_back_late, prepare_anew
from services.messaging.dispatching.doorbell import ring
from services.messaging.models import EXEMPT_KINDS, Delivery, FirmRule, Sender

ALL_CHANNELS = "all_channels"
AT_ONCE = 500
"""Deliveries that are sent back in one transaction: on SQLite a STOP waits for each."""
_DECIDE = frozenset({
    "require_opt_in", "allow_manual_reply", "quiet_hours", "time_zone", "business_hours", "holidays",
    "holiday_calendar",
})  # fmt: skip
"""Settings that decide whether something goes out, and when."""


def refresh(db: Database, calls: Any, event: ReceivedEvent) -> None:
    """`firm.changed.v1`: keeps what is newer than what is kept. Raises NotFound, Unavailable."""
    firm = calls.accounts.get_firm()
    row = {"opt_out_scope": firm["opt_out_scope"], "version": firm["version"]}
    if not _DECIDE.isdisjoint(event.data["changed"]):
        _decide_anew(db)
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


def stops_all_channels(session: Session) -> bool:
    """Whether a STOP ends everything from the firm, and not only what comes on its channel."""
    return session.scalar(select(FirmRule.opt_out_scope)) == ALL_CHANNELS
