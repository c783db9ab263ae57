"""A contact that was deleted is forgotten everywhere: messaging hears their addresses, which only clients know to be
nobody else's, then every service hears that they are gone.

What is interrupted goes on with the event that asked for it, or with the timer that asks again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.forgetting import forget_deleted
from chassis.going_on import firm_by_firm
from chassis.value_sets import among
from contracts.clients import CONTACT_DELETED, CONTACT_DELETION_REQUESTED
from services.clients.models import ClientEmail, ClientPhone, Contact, DeletedContact

Record = dict[str, Any]

AT_ONCE = 100
"""Contacts whom messaging forgets by one call."""
PATIENCE = dt.timedelta(hours=1)
"""Longer than an event is tried again."""

_QUIET = {"synchronize_session": False}


def begin(uow: UnitOfWork, contact: Contact, now: dt.datetime) -> None:
    """Deletes a contact, whose ties have ended; the rest goes on by itself."""
    id_, addresses = contact.id, {"email_key": contact.email_key, "phone": contact.phone}
    uow.insert(DeletedContact, [{"contact_id": id_, **addresses, "ask_at": now + PATIENCE}])
    uow.session.execute(delete(Contact).where(Contact.id == id_), execution_options=_QUIET)
    uow.emit(CONTACT_DELETION_REQUESTED, id_, {"contact_id": id_})


def forget_contacts(db: Database, calls: Any, events: Sequence[ReceivedEvent]) -> None:
    """`contact_deletion.requested.v1`: brings deleted contacts to their end.

    Raises Unavailable, DeadlineExceeded; then it is done later.
    """
    ids = sorted({event.data["contact_id"] for event in events})
    with db.read() as session:
        people = _people(session, ids)
    if people:
        calls.messaging.forget_addresses(people=people)
    with db.unit_of_work(once=events) as uow:
        gone = delete(DeletedContact).where(among(uow.session, DeletedContact.contact_id, ids))
        found = uow.session.scalars(gone.returning(DeletedContact.contact_id).execution_options(**_QUIET)).all()
        uow.forget_mentions(ids)
        uow.emit_many(CONTACT_DELETED, [(contact_id, {"contact_id": contact_id}) for contact_id in sorted(found)])
        forget_deleted(uow, db)


def ask_again(db: Database, now: dt.datetime) -> bool:
    """Across firms: asks once more for those that were not brought to their end; whether there may be more. A firm
    that fails keeps no other one waiting; what it raises is raised in the end."""
    waiting = select(DeletedContact.firm_id, DeletedContact.contact_id).where(DeletedContact.ask_at <= now)

    def ask(own: Database, ids: Sequence[str]) -> int:
        with own.unit_of_work() as uow:
            later = update(DeletedContact).where(among(uow.session, DeletedContact.contact_id, ids))
            uow.session.execute(later.values(ask_at=now + PATIENCE), execution_options=_QUIET)
            uow.emit_many(CONTACT_DELETION_REQUESTED, [(id_, {"contact_id": id_}) for id_ in ids])
        return len(ids)

    everywhere = db.across_firms("contacts of every firm are forgotten")
    return firm_by_firm(everywhere, waiting.order_by(DeletedContact.ask_at), AT_ONCE, ask)


def _people(session: Session, ids: Collection[str]) -> list[Record]:
    """`contracts.messaging.ForgottenPerson` of each, with the addresses that no client and no other contact has."""
    statement = select(DeletedContact).where(among(session, DeletedContact.contact_id, ids))
    found = session.scalars(statement.order_by(DeletedContact.contact_id)).all()
    numbers = {one.phone for one in found if one.phone}
    emails = {one.email_key for one in found if one.email_key}
    taken = {
        *_having(session, ClientPhone.number, numbers),
        *_having(session, Contact.phone, numbers),
        *_having(session, ClientEmail.key, emails),
        *_having(session, Contact.email_key, emails),
    }
    # Also without an address: what was said by the contact themselves goes too.
    return [
        {
            "client_ids": [one.contact_id],
            "numbers": [one.phone] if one.phone and one.phone not in taken else [],
            "emails": [one.email_key] if one.email_key and one.email_key not in taken else [],
            "shared": [address for address in (one.phone, one.email_key) if address in taken],
        }
        for one in found
    ]


def _having(session: Session, column: Any, addresses: Collection[str]) -> Sequence[str]:
    return session.scalars(select(column).where(among(session, column, addresses))).all() if addresses else []
