"""What was written to somebody who is forgotten: the texts of deliveries, and those that staff wrote to one alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Update, null, or_, select, update
from sqlalchemy.orm import aliased

from chassis.database import UnitOfWork
from chassis.value_sets import among
from services.messaging.models import Batch, Content, Delivery, MessageTemplate

NOTHING: dict[str, Any] = {"address": None, "address_once": None, "subject": None, "body": None, "keys": None}
"""A delivery without a word and an address."""


def without_words(*which: Any, now: dt.datetime) -> Update:
    """Takes words and addresses out of the deliveries that meet the conditions and have any."""
    some = [Delivery.address, Delivery.body, Delivery.subject, Delivery.keys, Delivery.variables]
    return (
        update(Delivery)
        .where(*which, or_(*(column.is_not(None) for column in some)))
        .values(**NOTHING, variables=null(), version=Delivery.version + 1, updated_at=now)
    )


def forget_contents(uow: UnitOfWork, whose: str, ids: Sequence[str]) -> None:
    """The texts that staff wrote to these alone. `whose`: the attribute of a delivery that holds their ids. A
    template's, and a batch's, are for many."""
    other = aliased(Delivery)
    theirs, others = getattr(Delivery, whose), getattr(other, whose)
    wrote = select(Delivery.content_id).where(
        among(uow.session, theirs, ids), Delivery.batch_id.is_(None), Delivery.content_id.is_not(None)
    )
    found = {str(content_id) for content_id in uow.session.scalars(wrote)}
    if not found:
        return
    used = select(other.content_id).where(
        among(uow.session, other.content_id, found),
        other.batch_id.is_(None),
        # By whose call may be under way, too.
        or_(others.is_(None), ~among(uow.session, others, ids), other.state == "sending"),
    )
    kept = {
        *uow.session.scalars(used),
        *uow.session.scalars(select(MessageTemplate.content_id).where(MessageTemplate.content_id.in_(found))),
        *uow.session.scalars(select(Batch.content_id).where(Batch.content_id.in_(found))),
    }
    emptied = update(Content).where(among(uow.session, Content.id, found - kept)).values(variants=[], uses=[])
    uow.session.execute(emptied, execution_options={"synchronize_session": False})
