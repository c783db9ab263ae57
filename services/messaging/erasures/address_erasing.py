"""What messaging has of an address that is forgotten, and of nobody else: what came from it before anybody knew whose
it was, what was answered, and what the sandbox keeps of both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.files import Files
from chassis.forgetting import forget_deleted
from chassis.value_sets import among
from contracts.errors import Unavailable
from services.messaging.consent import PERSON
from services.messaging.erasures.consent_erasing import Person, forget_consents
from services.messaging.erasures.contents_erasing import NOTHING
from services.messaging.erasures.inbound_erasing import file_keys, forget_messages
from services.messaging.models import (
    Conversation,
    ConversationClient,
    Delivery,
    InboundMessage,
    SandboxAddress,
    SandboxMessage,
    Sender,
)

Record = dict[str, Any]

_QUIET = {"synchronize_session": False}


def forget_addresses(db: Database, files: Files, now: dt.datetime, *, people: Sequence[Record]) -> None:
    """Forgets what messaging has of these addresses: [{client_ids, numbers, emails, shared}], all of which but the
    shared ones are about to be nobody's. What it has of the clients themselves goes with `client.erased.v1`; a
    contact's id is as good as a client's, and the rest of theirs goes with `contact.deleted.v1`.

    Raises Unavailable if files cannot be removed; then nothing is changed.
    """
    named = [Person(list(one["client_ids"]), set(one["numbers"]), {a.lower() for a in one["emails"]}) for one in people]
    _add_former(db, named, {address.lower() for one in people for address in one.get("shared", ())})
    ids = sorted({client_id for person in named for client_id in person.client_ids})
    addresses = addresses_of(named)
    with db.read() as session:
        keys = file_keys(session, _of_addresses(session, addresses, ids))
    for key in keys:
        files.delete(key)
    with db.unit_of_work() as uow:
        if not set(file_keys(uow.session, _of_addresses(uow.session, addresses, ids))) <= set(keys):
            raise Unavailable("files_still_coming")
        forget(uow, named, now)
        forget_deleted(uow, db)


def _add_former(db: Database, people: Sequence[Person], shared: Collection[str]) -> None:
    """Adds the addresses at which messaging once wrote to somebody as a contact, and to nobody else."""
    by_id = {client_id: person for person in people for client_id in person.client_ids}
    with db.read() as session:
        written = select(Delivery.contact_id, Delivery.address).where(
            among(session, Delivery.contact_id, by_id), Delivery.address.is_not(None)
        )
        former = {(str(contact_id), str(address)) for contact_id, address in session.execute(written.distinct())}
        every = {address for _, address in former}
        persons = select(Delivery.address, PERSON).where(among(session, Delivery.address, every)).distinct()
        kept = {*shared, *(address for address, person_id in session.execute(persons) if person_id not in by_id)}
    for contact_id, address in former:
        if address not in kept:
            by_id[contact_id].add(address)


def addresses_of(people: Sequence[Person]) -> list[str]:
    """All addresses of these people."""
    return sorted({address for person in people for address in (*person.numbers, *person.emails)})


def forget(uow: UnitOfWork, people: Sequence[Person], now: dt.datetime) -> None:
    """Forgets what these people said about consent, and what is known by their addresses alone."""
    forget_consents(uow, people, now)
    addresses = addresses_of(people)
    ids = sorted({client_id for person in people for client_id in person.client_ids})
    forget_messages(uow, _of_addresses(uow.session, addresses, ids), now)
    answered = update(Delivery).where(
        among(uow.session, Delivery.address, addresses), Delivery.client_id.is_(None), Delivery.staff_id.is_(None)
    )
    uow.session.execute(answered.values(**NOTHING, updated_at=now), execution_options=_QUIET)
    nobodys = delete(Conversation).where(
        Conversation.client_id.is_(None), among(uow.session, Conversation.address, addresses)
    )
    for conversation_id in uow.session.scalars(nobodys.returning(Conversation.id).execution_options(**_QUIET)).all():
        sharing = delete(ConversationClient).where(ConversationClient.conversation_id == conversation_id)
        uow.session.execute(sharing, execution_options=_QUIET)
    _forget_in_sandbox(uow, addresses)


def exclusive(session: Session, client_ids: Collection[str]) -> dict[str, set[str]]:
    """By client: the addresses that messaging has written to it at, or heard from it at, and has to do with no other
    client at."""
    found: dict[str, set[str]] = {}
    # A contact of a business is another person, who stays.
    delivered = select(Delivery.client_id, Delivery.address).where(
        among(session, Delivery.client_id, client_ids), Delivery.address.is_not(None), Delivery.contact_id.is_(None)
    )
    heard = select(InboundMessage.client_id, InboundMessage.sender).where(
        among(session, InboundMessage.client_id, client_ids)
    )
    for statement in (delivered.distinct(), heard.distinct()):
        for client_id, address in session.execute(statement):
            kept = str(address).lower()
            if "@" in kept or kept.startswith("+"):
                found.setdefault(str(client_id), set()).add(kept)
    every = {address for addresses in found.values() for address in addresses}
    others = select(Delivery.address).where(
        among(session, Delivery.address, every),
        or_(
            and_(Delivery.client_id.is_not(None), ~among(session, Delivery.client_id, client_ids)),
            Delivery.contact_id.is_not(None),
        ),
    )
    shared = {str(address) for address in session.scalars(others.distinct())}
    return {client_id: addresses - shared for client_id, addresses in found.items()}


def _of_addresses(session: Session, addresses: Collection[str], client_ids: Sequence[str]) -> Any:
    """A condition on inbound messages: from one of these addresses, and no other client's. What a contact wrote is the
    contact's, although it is in the conversation of the business."""
    gone = set(client_ids)
    for_business = _written_to_for(session, addresses, gone)
    names = ("id", "sender", "client_id", "client_ids")
    statement = select(*(getattr(InboundMessage, name) for name in names)).where(
        among(session, InboundMessage.sender, addresses)
    )
    theirs = [
        str(row.id)
        for row in session.execute(statement)
        if all(
            owner in gone or (owner, row.sender) in for_business
            for owner in (*row.client_ids, *([row.client_id] if row.client_id else []))
        )
    ]
    return among(session, InboundMessage.id, theirs)


def _written_to_for(session: Session, addresses: Collection[str], contact_ids: Collection[str]) -> set[tuple[str, str]]:
    """(client, address) of the businesses for which nobody but these contacts was written to at the address."""
    statement = select(Delivery.client_id, Delivery.address, PERSON.label("person_id")).where(
        among(session, Delivery.address, addresses), Delivery.client_id.is_not(None)
    )
    persons: dict[tuple[str, str], set[str]] = {}
    for row in session.execute(statement.distinct()):
        persons.setdefault((str(row.client_id), str(row.address)), set()).add(str(row.person_id))
    return {pair for pair, several in persons.items() if several <= set(contact_ids)}


def _forget_in_sandbox(uow: UnitOfWork, addresses: Collection[str]) -> None:
    """The stand-in for a provider keeps what it carried, as a real one does; but it is here."""
    ours = select(Sender.address)
    messages = delete(SandboxMessage).where(
        among(uow.session, SandboxMessage.address, addresses),
        or_(SandboxMessage.sender.in_(ours), SandboxMessage.recipient.in_(ours)),
    )
    uow.session.execute(messages, execution_options=_QUIET)
    behaviour = delete(SandboxAddress).where(among(uow.session, SandboxAddress.address, addresses))
    uow.session.execute(behaviour, execution_options=_QUIET)
