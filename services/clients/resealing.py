"""The values of a field that became sensitive, or is so no longer: moved in batches in the background."""

from __future__ import annotations

from sqlalchemy import select

from chassis.database import Database
from chassis.envelope import ReceivedEvent
from contracts.clients import CLIENT_FIELD_RESEALING
from services.clients import cards
from services.clients.custom_fields import holds
from services.clients.models import Client, ClientField

BATCH = 500


def continue_resealing(db: Database, event: ReceivedEvent) -> None:
    """Writes the values of a batch of clients anew, as the field is by now, and asks for the next. May be repeated."""
    field_id, after = event.data["client_field_id"], event.data["after"]
    with db.unit_of_work(once=event) as uow:
        key = uow.session.scalar(select(ClientField.key).where(ClientField.id == field_id))
        if key is None:
            return
        found = select(Client.id).where(holds(uow.session, key)).order_by(Client.id).limit(BATCH)
        if after is not None:
            found = found.where(Client.id > after)
        ids = list(uow.session.scalars(found))
        cards.rewrite(uow, ids)
        if len(ids) == BATCH:
            data = {"client_field_id": field_id, "after": ids[-1]}
            uow.emit(CLIENT_FIELD_RESEALING, field_id, data)
