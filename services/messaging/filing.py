"""Filing: which conversation an inbound message belongs to.

A STOP waits for nothing, so nobody is asked before it is committed. Whose address it is comes after, from the service
that knows: one client, and the message is in that client's conversation; several, and it is in the address's own, which
shows for each of them; none, and it waits there for a person to say whose it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.asking_again import PATIENCE
from chassis.columns import new_id
from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.going_on import firm_by_firm
from chassis.precedence import precedence
from chassis.telemetry import log_of, log_unexpected
from chassis.unit_of_work import UnitOfWork
from contracts.errors import DeadlineExceeded, Unavailable
from services.messaging import consent, watching
from services.messaging.consents import stops
from services.messaging.dispatching.doorbell import ring
from services.messaging.erasures.inbound_erasing import ERASED
from services.messaging.merges.merged_clients import merged_clients
from services.messaging.models import Conversation, ConversationClient, Delivery, InboundMessage

PREVIEW = 200
"""Characters of a message that a list of conversations shows."""
_LEFT_AT_ONCE = 200

_log = log_of(__name__)


def file_message(db: Database, calls: Any, event: ReceivedEvent, now: dt.datetime) -> None:
    """`message.received.v1`, our own: puts the message into its conversation, once.

    Raises Unavailable, DeadlineExceeded; then it is filed later.
    """
    precedence.step_aside()  # the next STOP is answered before this one is filed
    _file(db, calls, event.data["message_id"], now, once=event)


def file_left(db: Database, calls: Any, now: dt.datetime) -> bool:
    """Across firms: files the messages whose event was parked; whether there may be more. One that cannot be filed is
    logged, and tried again the next time. Where another service cannot be asked, the firm's wait, and no other firm's;
    the first Unavailable, or DeadlineExceeded, is raised in the end."""
    left = select(InboundMessage.firm_id, InboundMessage.id).where(
        InboundMessage.conversation_id.is_(None),
        InboundMessage.created_at <= now - PATIENCE,
        InboundMessage.sender != ERASED,
    )

    def file(own: Database, message_ids: Sequence[str]) -> int:
        _log.warning("messages_left_unfiled", messages=len(message_ids))
        filed = 0
        for message_id in message_ids:
            try:
                _file(own, calls, message_id, now, once=None)
                filed += 1
            except (Unavailable, DeadlineExceeded):
                raise
            except Exception as error:
                log_unexpected(_log, error, event="message_not_filed", message_id=message_id)
        return filed

    everywhere = db.across_firms("messages of every firm are filed")
    return firm_by_firm(everywhere, left.order_by(InboundMessage.created_at), _LEFT_AT_ONCE, file)


def _file(db: Database, calls: Any, message_id: str, now: dt.datetime, *, once: ReceivedEvent | None) -> None:
    with db.read() as session:
        message = session.get(InboundMessage, message_id)
        if message is None or message.conversation_id is not None:
            return
        known, through_contacts = _known_owners(session, message)
        review_id = watching.review_of(session, message)
    owners = _owners(calls, message, known)
    with db.read() as session:
        assignee = watching.assignee_of(session, message, owners)
    watch = watching.watch(calls, message, owners, assignee, review_id)
    with db.unit_of_work(once=once) as uow:
        statement = select(InboundMessage).where(InboundMessage.id == message.id).with_for_update()
        message = uow.session.scalars(statement).one()
        if message.conversation_id is not None:
            return
        own = [client_id for client_id in owners if client_id not in through_contacts]
        stops.widen(uow, message, own, now)
        consent.tell_owners(uow, message, own)
        conversation = conversation_for(uow, message.channel, message.sender, owners, now)
        message.client_ids = owners
        message.client_id = conversation.client_id
        message.conversation_id = conversation.id
        message.touch(now)
        if watch is not None:
            watching.tell(uow, watch, message, conversation, now, first=conversation.unread == 0)
        conversation.hear(message.created_at, preview_of(message.body or message.subject), now)
        uow.after_commit(lambda: ring(db.url))


def _known_owners(session: Session, message: InboundMessage) -> tuple[list[str], set[str]]:
    """Who was written to at the address, and whose a person said that earlier messages from it are; and which of these
    clients were written to by a contact of theirs only, whose word is not the client's."""
    if message.client_id is not None and message.channel == "portal":
        return _as_merged(session, [message.client_id]), set()
    assigned = select(InboundMessage.client_id).where(
        InboundMessage.sender == message.sender,
        InboundMessage.channel == message.channel,
        InboundMessage.client_id.is_not(None),
    )
    earlier = {str(client_id) for client_id in session.scalars(assigned.distinct().limit(20))}
    written_to = (
        select(Delivery.client_id, Delivery.contact_id.is_(None).label("itself"))
        .where(Delivery.address == message.sender, Delivery.client_id.is_not(None))
        .distinct()
        .limit(2 * consent.MOST_CLIENTS)
    )
    rows = session.execute(written_to).all()
    itself = {str(row.client_id) for row in rows if row.itself}
    through_contacts = {str(row.client_id) for row in rows} - itself
    known = _as_merged(session, {*itself, *through_contacts, *earlier})
    return known, set(_as_merged(session, through_contacts)) - set(_as_merged(session, itself))


def _as_merged(session: Session, client_ids: Iterable[str]) -> list[str]:
    """The clients that these are now, as far as messaging has heard."""
    known = set(client_ids)
    merged = merged_clients.current(session, known) if known else {}
    return sorted({merged.get(client_id, client_id) for client_id in known})


def _owners(calls: Any, message: InboundMessage, known: list[str]) -> list[str]:
    """The clients that a message may be from. Only where `clients` knows nobody with the address does it count what
    messaging remembers: the address may have been changed since it was written to."""
    if message.channel == "portal":
        return known
    found: list[str] = calls.clients.find_clients_by_address(channel=message.channel, address=message.sender)[
        "client_ids"
    ]
    if found or not known:
        return sorted(found)
    still_there = calls.clients.get_client_facts(client_ids=known)["clients"]
    return sorted(client["client_id"] for client in still_there)


def conversation_for(
    uow: UnitOfWork, channel: str, address: str, owners: Sequence[str], now: dt.datetime
) -> Conversation:
    """The one conversation for an address of these clients, made if there is none, and locked."""
    if len(owners) == 1:
        return conversation_of_client(uow, owners[0], now)
    kind = "shared" if owners else "unmatched"
    row = {"id": new_id(), "kind": kind, "channel": channel, "address": address, "created_at": now, "updated_at": now}
    uow.insert(Conversation, [row], ignore_conflicts=True)
    own = (Conversation.client_id.is_(None), Conversation.channel == channel, Conversation.address == address)
    conversation = uow.session.scalars(select(Conversation).where(*own).with_for_update()).one()
    conversation.kind = kind
    sharing = ConversationClient.conversation_id == conversation.id
    uow.session.execute(delete(ConversationClient).where(sharing, ConversationClient.client_id.not_in(owners)))
    links = [{"conversation_id": conversation.id, "client_id": client_id} for client_id in owners]
    uow.insert(ConversationClient, links, ignore_conflicts=True)
    return conversation


def conversation_of_client(uow: UnitOfWork, client_id: str, now: dt.datetime) -> Conversation:
    """A client's conversation, made if there is none, and locked."""
    row = {"id": new_id(), "kind": "client", "client_id": client_id, "created_at": now, "updated_at": now}
    uow.insert(Conversation, [row], ignore_conflicts=True)
    statement = select(Conversation).where(Conversation.client_id == client_id).with_for_update()
    return uow.session.scalars(statement).one()


def preview_of(text: str | None) -> str | None:
    """The beginning of a text in one line."""
    line = " ".join((text or "").split())
    return line if len(line) <= PREVIEW else f"{line[: PREVIEW - 1]}…"
