"""An hour after its end an erasure is told once more, for what a service was just writing when it forgot the client."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from chassis.context import Context, use
from chassis.database import Database
from services.clients.erasing import AT_ONCE, tell
from services.clients.erasures.erasure_reports import forget_what_came_late
from services.clients.models import Erasure


def tell_last(db: Database, now: dt.datetime) -> bool:
    """Across firms: tells of erasures that ended an hour ago; whether there may be more. Nobody waits for the reports:
    they are what they were."""
    due = select(Erasure.firm_id, Erasure.id).where(Erasure.tell_last_at <= now).order_by(Erasure.tell_last_at)
    with db.across_firms("latecomers are looked for in every firm").read() as session:
        found = session.execute(due.limit(AT_ONCE)).all()
    by_firm: dict[str, list[str]] = {}
    for firm_id, erasure_id in found:
        by_firm.setdefault(firm_id, []).append(erasure_id)
    for firm_id, ids in by_firm.items():
        with use(Context(firm_id=firm_id)), db.for_firm(firm_id).unit_of_work() as uow:
            mine = select(Erasure).where(Erasure.id.in_(ids), Erasure.tell_last_at <= now).order_by(Erasure.id)
            for erasure in uow.session.scalars(mine.with_for_update()).all():
                tell(uow, erasure)
                erasure.tell_last_at = None
                forget_what_came_late(uow, erasure.client_ids)
    return len(found) == AT_ONCE
