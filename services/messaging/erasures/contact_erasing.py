"""A contact of a business is deleted: what was written to them goes, as with a client who is erased. What was known by
their addresses alone went before, when clients said that these are nobody else's (`address_erasing`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import exists, or_, select

from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.forgetting import forget_deleted
from chassis.value_sets import among
from contracts.errors import Unavailable
from services.messaging.deliveries import is_in, is_message, move
from services.messaging.dispatching.doorbell import ring
from services.messaging.erasures.contents_erasing import forget_contents, without_words
from services.messaging.erasures.inbound_erasing import hide_last
from services.messaging.models import WAITING, Conversation, Delivery


def forget_contacts(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`contact.deleted.v1`. What waits is prepared again, for those who are marked by now.

    Raises Unavailable while a message to one of them is being sent; then it is done later.
    """
    with db.unit_of_work(once=events) as uow:
        ids = sorted({event.data["contact_id"] for event in uow.fresh})
        # What answers a contact's own words, such as the confirmation of a STOP, is for nobody else.
        answers = among(uow.session, Delivery.client_id, ids)
        theirs = or_(among(uow.session, Delivery.contact_id, ids), answers)
        if uow.session.scalar(select(exists().where(theirs, is_in("sending")))):
            raise Unavailable("message_under_way")
        move(uow, "suppressed", now, where=[answers, is_in(*WAITING)], reason="client_erased")
        move(
            uow, "accepted", now, where=[theirs, is_in("queued"), is_message()], due_at=Delivery.send_after,
            address=None,
        )  # fmt: skip
        # Nobody is asked any more whether these arrived: the provider would be asked about the person.
        move(uow, "failed", now, where=[theirs, is_in("unknown"), is_message()], reason="client_erased")
        forget_contents(uow, "contact_id", ids)
        said = select(Conversation.id, Delivery.created_at).join(Delivery, Delivery.client_id == Conversation.client_id)
        hide_last(uow, said.where(theirs), now)
        uow.session.execute(without_words(theirs, now=now), execution_options={"synchronize_session": False})
        uow.forget_mentions(ids)
        forget_deleted(uow, db)
        uow.after_commit(lambda: ring(db.url))
