"""What people write to us: kept once, understood, and taken at its word before anything else happens."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import UniqueConstraint, and_, bindparam, select
from sqlalchemy.exc import IntegrityError

from chassis.columns import new_id, utc_now
from chassis.database import Database, violates
from chassis.timers import wake
from contracts.errors import NotFound
from contracts.messaging import MESSAGE_RECEIVED, NUMBER_CHANNELS
from services.messaging import consent, replies
from services.messaging.consents import stops
from services.messaging.dispatching.doorbell import ring
from services.messaging.firm_rules import ALL_CHANNELS
from services.messaging.media import TIMER, media_rows
from services.messaging.models import Delivery, FirmRule, InboundMedia, InboundMessage, Sender
from services.messaging.senders import normalise_address

Record = dict[str, Any]

_TABLE: Any = InboundMessage.__table__
ONCE = next(entry for entry in _TABLE.constraints if isinstance(entry, UniqueConstraint))
"""One message of a provider's is kept once."""


def receive(
    db: Database, *, provider: str, provider_id: str, channel: str, now: dt.datetime | None = None, **said: Any
) -> Record:
    """Records an inbound message and what follows from it: {"message_id", "effect", "repeated"}. One that is known
    already changes nothing.

    Raises NotFound `sender_not_found` if no firm has the number that it was sent to.
    """
    now = now or utc_now()
    address = normalise_address(channel, said["from_"])
    office = _office_of(db, channel, said["to"], said.get("messaging_service_sid"), address)
    own = db.for_firm(office.firm_id)
    message_id = new_id()
    try:
        with own.unit_of_work() as uow:
            speaker = stops.Speaker(channel, address, office.client_ids, called=office.channel != channel)
            reply = replies.understand(uow, speaker, said, widely=office.widely)
            # Every turn of the database is a moment longer in which messages go out. Of two with one id the second has
            # waited for the rows of its address, and what it writes is undone.
            uow.write_together()
            row = {
                "id": message_id,
                "provider": provider,
                "provider_id": provider_id,
                "channel": channel,
                "sender": address,
                "recipient": said["to"],
                "subject": said.get("subject"),
                "body": said.get("body") or "",
                "effect": reply.effect,
                "rule": reply.found.rule,
                "client_id": speaker.client_id,
                "client_ids": speaker.client_ids,
                "created_at": now,
                "updated_at": now,
            }
            uow.insert(InboundMessage, [row])
            if uow.insert(InboundMedia, media_rows(message_id, provider, said.get("media") or (), now)):
                uow.after_commit(lambda: wake(TIMER))
            replies.act(uow, reply, row, office.sender_id, now)
            data = {
                "message_id": message_id,
                "channel": channel,
                "client_ids": speaker.client_ids,
                "effect": reply.effect,
            }
            uow.emit(MESSAGE_RECEIVED, message_id, data)
            uow.after_commit(lambda: ring(db.url))
    except IntegrityError as error:
        if not violates(error, ONCE):
            raise
        return _known(own, provider, provider_id)
    return {"message_id": message_id, "effect": reply.effect, "repeated": False}


@dataclass(frozen=True)
class _Office:
    """Who was written to: a sender and its channel, its firm, whether a STOP ends all of the firm's channels, and the
    clients, and contacts of clients, that it has written to at the address that the message is from."""

    sender_id: str
    channel: str
    firm_id: str
    widely: bool
    client_ids: list[str]


# Made once, and one statement for all that must be known before the transaction: a STOP waits for each of them.
_WRITTEN_TO = (
    select(Sender.id, Sender.channel, Sender.firm_id, FirmRule.opt_out_scope, consent.PERSON.label("person_id"))
    .outerjoin(FirmRule, FirmRule.firm_id == Sender.firm_id)
    .outerjoin(
        Delivery,
        and_(
            Delivery.firm_id == Sender.firm_id,
            Delivery.address == bindparam("address"),
            Delivery.client_id.is_not(None),
        ),
    )
    .distinct()
    .limit(consent.MOST_CLIENTS)
)
_BY_ADDRESS = _WRITTEN_TO.where(Sender.channel == bindparam("channel"), Sender.address == bindparam("to"))
_BY_NUMBER = _WRITTEN_TO.where(Sender.channel.in_(NUMBER_CHANNELS), Sender.address == bindparam("to"))
_BY_SERVICE = _WRITTEN_TO.where(
    Sender.id
    == select(Sender.id)
    .where(Sender.channel == bindparam("channel"), Sender.messaging_service_sid == bindparam("service_sid"))
    .order_by(Sender.created_at)
    .limit(1)
    .correlate(None)
    .scalar_subquery()
)


def _office_of(db: Database, channel: str, to: str, service_sid: str | None, address: str) -> _Office:
    asked = {"channel": channel, "to": normalise_address(channel, to), "address": address, "service_sid": service_sid}
    with db.across_firms("the number that was written to says which firm is meant").read() as session:
        rows = session.execute(_BY_ADDRESS, asked).all()
        if not rows and service_sid:
            rows = session.execute(_BY_SERVICE, asked).all()
        if not rows and channel in NUMBER_CHANNELS:
            # Who is called from a number writes to it all the same.
            rows = session.execute(_BY_NUMBER, asked).all()
    if not rows:
        raise NotFound("sender_not_found")
    client_ids = sorted(row.person_id for row in rows if row.person_id is not None)
    found = rows[0]
    return _Office(found.id, found.channel, found.firm_id, found.opt_out_scope == ALL_CHANNELS, client_ids)


def _known(db: Database, provider: str, provider_id: str) -> Record:
    statement = select(InboundMessage).where(
        InboundMessage.provider == provider, InboundMessage.provider_id == provider_id
    )
    with db.read() as session:
        message = session.scalars(statement).one()
    return {"message_id": message.id, "effect": message.effect, "repeated": True}
