"""An hour after its end an erasure is told once more, for what a service was just writing when it forgot the client."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select

from chassis.database import Database
from chassis.going_on import firm_by_firm
from services.clients.erasing import AT_ONCE, tell
from services.clients.erasures.erasure_reports import forget_what_came_late
from services.clients.models import Erasure


def tell_last(db: Database, now: dt.datetime) -> bool:
    """Across firms: tells of erasures that ended an hour ago; whether there may be more. Nobody waits for the reports:
    they are what they were. A firm that fails keeps no other one waiting; what it raises is raised in the end."""
    due = select(Erasure.firm_id, Erasure.id).where(Erasure.tell_last_at <= now).order_by(Erasure.tell_last_at)

    def tell_of(own: Database, ids: Sequence[str]) -> int:
        with own.unit_of_work() as uow:
            mine = select(Erasure).where(Erasure.id.in_(ids), Erasure.tell_last_at <= now).order_by(Erasure.id)
            for erasure in uow.session.scalars(mine.with_for_update()).all():
                tell(uow, erasure)
                erasure.tell_last_at = None
                forget_what_came_late(uow, erasure.client_ids)
        return len(ids)

    return firm_by_firm(db.across_firms("latecomers are looked for in every firm"), due, AT_ONCE, tell_of)
