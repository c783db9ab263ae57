"""What messaging keeps of a firm's settings, because it must be known in the transaction that takes a STOP."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.envelope import ReceivedEvent
from services.messaging.models import FirmRule

ALL_CHANNELS = "all_channels"


def refresh(db: Database, calls: Any, event: ReceivedEvent) -> None:
    """`firm.changed.v1`: keeps what is newer than what is kept. Raises NotFound, Unavailable."""
    firm = calls.accounts.get_firm()
    row = {"opt_out_scope": firm["opt_out_scope"], "version": firm["version"]}
    with db.unit_of_work(once=event) as uow:
        uow.upsert(FirmRule, [row], key=("firm_id",), change=("opt_out_scope", "version"), newer="version")


def stops_all_channels(session: Session) -> bool:
    """Whether a STOP ends everything from the firm, and not only what comes on its channel."""
    return session.scalar(select(FirmRule.opt_out_scope)) == ALL_CHANNELS
