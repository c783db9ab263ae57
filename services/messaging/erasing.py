"""A client is erased: what was written to the person and came back goes. That a message was sent, when and by which
call of the provider's, stays, without a word of it and without an address.

Files go first, then the rows that name them: who is interrupted in between finds them again.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.files import Files
from chassis.forgetting import forget_deleted
from chassis.value_sets import among
from contracts.errors import Unavailable
from contracts.messaging import ERASURE_REPORTED, OWNER
from services.messaging.deliveries import is_in, is_message, move
from services.messaging.erasures.address_erasing import exclusive, forget
from services.messaging.erasures.consent_erasing import Person
from services.messaging.erasures.contents_erasing import forget_contents, without_words
from services.messaging.erasures.inbound_erasing import file_keys, forget_messages
from services.messaging.models import (
    WAITING,
    Conversation,
    ConversationClient,
    Delivery,
    InboundMessage,
    LogEntry,
)

_QUIET = {"synchronize_session": False}


def forget_clients(db: Database, files: Files, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`client.erased.v1`: forgets the clients and reports what went. `held`: a message is being sent right now; it is
    forgotten when its outcome is known.

    Raises Unavailable if files cannot be removed; then it is done later.
    """
    ids = sorted({client_id for event in events for client_id in event.data["client_ids"]})
    with db.read() as session:
        keys = file_keys(session, among(session, InboundMessage.client_id, ids))
    for key in keys:
        files.delete(key)
    with db.unit_of_work(once=events) as uow:
        written = among(uow.session, InboundMessage.client_id, ids)
        if not set(file_keys(uow.session, written)) <= set(keys):
            raise Unavailable("files_still_coming")
        known = exclusive(uow.session, ids)
        people = [Person(list(event.data["client_ids"])) for event in uow.fresh]
        for person in people:
            for address in {address for client_id in person.client_ids for address in known.get(client_id, ())}:
                person.add(address)
        counts = {
            "deliveries": _forget_deliveries(uow, ids, now),
            "messages": forget_messages(uow, written, now),
            "notes": _deleted(uow, LogEntry, ids),
            "conversations": _deleted(uow, Conversation, ids),
        }
        forget(uow, people, now)
        shared = delete(ConversationClient).where(among(uow.session, ConversationClient.client_id, ids))
        uow.session.execute(shared, execution_options=_QUIET)
        uow.forget_mentions(ids)
        sending = _being_sent(uow.session, ids)
        for event in uow.fresh:
            mine = event.data["client_ids"]
            report = {
                "erasure_id": event.data["erasure_id"],
                "client_id": event.data["client_id"],
                "service": OWNER,
                "outcome": "held" if any(sending[client_id] for client_id in mine) else "done",
                "counts": {name: sum(found[client_id] for client_id in mine) for name, found in counts.items()},
            }
            uow.emit(ERASURE_REPORTED, event.data["client_id"], report)
        forget_deleted(uow, db)


def _forget_deliveries(uow: UnitOfWork, ids: Sequence[str], now: dt.datetime) -> Counter[str]:
    theirs = among(uow.session, Delivery.client_id, ids)
    move(uow, "suppressed", now, where=[theirs, is_in(*WAITING), is_message()], reason="client_erased")
    # Nobody is asked any more whether these arrived: the provider would be asked about the person.
    move(uow, "failed", now, where=[theirs, is_in("unknown"), is_message()], reason="client_erased")
    settled = (theirs, ~is_in("sending"))
    forget_contents(uow, "client_id", ids)
    gone = without_words(*settled, now=now).returning(Delivery.client_id).execution_options(**_QUIET)
    return Counter(str(client_id) for client_id in uow.session.scalars(gone))


def _being_sent(session: Session, ids: Collection[str]) -> Counter[str]:
    statement = select(Delivery.client_id).where(among(session, Delivery.client_id, ids), is_in("sending"))
    return Counter(str(client_id) for client_id in session.scalars(statement))


def _deleted(uow: UnitOfWork, model: Any, ids: Sequence[str]) -> Counter[str]:
    gone = delete(model).where(among(uow.session, model.client_id, ids)).returning(model.client_id)
    return Counter(str(client_id) for client_id in uow.session.scalars(gone.execution_options(**_QUIET)))
