"""A client is erased: what portal has of it are links, which open nothing any more and hold no personal data."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import select, update

from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.forgetting import forget_deleted
from chassis.value_sets import among
from contracts.portal import ERASURE_REPORTED, OWNER
from services.portal.ending import end
from services.portal.models import Link


def forget_clients(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`client.erased.v1`: ends the clients' links for good, those too that had ended before, and reports how many they
    have."""
    with db.unit_of_work(once=events) as uow:
        ids = sorted({client_id for event in uow.fresh for client_id in event.data["client_ids"]})
        theirs = among(uow.session, Link.client_id, ids)
        end(uow, now, theirs, "client_erased")
        ended = update(Link).where(theirs, Link.revoked_for != "client_erased")
        for_good = ended.values(revoked_for="client_erased", version=Link.version + 1, updated_at=now)
        uow.session.execute(for_good, execution_options={"synchronize_session": False})
        links = Counter(uow.session.scalars(select(Link.client_id).where(theirs)))
        uow.forget_mentions(ids)
        for event in uow.fresh:
            report = {
                "erasure_id": event.data["erasure_id"],
                "client_id": event.data["client_id"],
                "service": OWNER,
                "outcome": "done",
                "counts": {"links": sum(links[client_id] for client_id in event.data["client_ids"])},
            }
            uow.emit(ERASURE_REPORTED, event.data["client_id"], report)
        forget_deleted(uow, db)
