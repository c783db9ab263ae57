"""Sealing what an earlier release kept in clear, in batches, while the service works."""

from __future__ import annotations

from sqlalchemy import select

from chassis.database import Database
from services.clients import sealed_fields
from services.clients.models import Client

_BATCH = 500


def seal_what_is_plain(db: Database) -> bool:
    """Seals a batch of dates of birth of one firm; whether there may be more. To be called again until there is not."""
    plain = (Client.date_of_birth.is_not(None), Client.birth_key.is_(None))
    with db.across_firms("what is in clear belongs to any firm").read() as session:
        firm_id = session.scalar(select(Client.firm_id).where(*plain).order_by(Client.firm_id).limit(1))
    if firm_id is None:
        return False
    with db.for_firm(firm_id).unit_of_work() as uow:
        found = select(Client.id, Client.date_of_birth).where(*plain).order_by(Client.id).limit(_BATCH)
        rows = [dict(row._mapping) for row in uow.session.execute(found.with_for_update())]
        sealed_fields.seal_births(uow, rows)
        uow.update_each(Client, rows)
    return True
