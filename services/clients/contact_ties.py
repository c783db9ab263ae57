"""Which business clients a contact belongs to, and so what the portal opens to them.

A tie is written while its client's row is held, so that no client stops being a business meanwhile. What the portal
opened to a contact for a business is closed by an event with `access` false: it ends all that was made up to its time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.scoping import BY_ID
from chassis.value_sets import among
from contracts.clients import CONTACT_ACCESS_CHANGED
from contracts.errors import Conflict, Invalid, NotFound
from services.clients import activity
from services.clients.addresses import parse_phone
from services.clients.merges import merge_history
from services.clients.merges.merge_history import demand_client
from services.clients.models import Activity, Client, Contact, ContactTie
from services.clients.names import display_name

Record = dict[str, Any]

MOST_SHOWN = 200
"""Businesses that a contact is shown with."""


def lock_businesses(
    uow: UnitOfWork, client_ids: Sequence[str], field: str, message: str = "Only a business has contacts."
) -> None:
    """Holds these clients to the commit. Raises NotFound `client_not_found`, Gone `client_merged`, or Invalid for one
    that is no business, naming `field`, and its place in a list."""
    wanted = list(dict.fromkeys(client_ids))
    statement = select(Client.id, Client.kind).where(Client.id.in_(wanted), Client.archived_at.is_(None))
    kinds = dict(uow.session.execute(statement.order_by(Client.id).with_for_update()).all())
    for client_id in wanted:
        if client_id not in kinds:
            raise merge_history.absent(uow.session, client_id)
    unfit = [position for position, client_id in enumerate(client_ids) if kinds[client_id] != "business"]
    if unfit:
        paths = [f"{field}.{position}" if field == "client_ids" else field for position in unfit]
        raise Invalid("not_a_business", fields=[{"field": path, "message": message} for path in paths])


def tie(uow: UnitOfWork, contact: Contact, client_ids: Sequence[str], *, notify: bool, now: dt.datetime) -> None:
    """Ties a contact to clients that are held; ties that are there stay as they are."""
    rows = [
        {"client_id": client_id, "contact_id": contact.id, "notify": notify, "created_at": now}
        for client_id in sorted(set(client_ids))
    ]
    made = uow.insert_returning(ContactTie, rows, "client_id", ignore_conflicts=True)
    _tell(uow, contact.id, [row.client_id for row in made], bool(contact.email), now)


def set_notify(uow: UnitOfWork, client_id: str, contact: Contact, notify: bool) -> None:
    """Says whether notices about the business's cases go to the contact. Raises NotFound `contact_not_found` where
    there is no such tie."""
    contact_id = contact.id
    _demand_tie(uow, client_id, contact_id)
    marked = (
        update(ContactTie)
        .where(ContactTie.client_id == client_id, ContactTie.contact_id == contact_id)
        .values(notify=notify)
    )
    uow.session.execute(marked, execution_options={"synchronize_session": False})
    data = {"contact_id": contact_id, "client_id": client_id, "access": bool(contact.email)}
    uow.emit(CONTACT_ACCESS_CHANGED, contact_id, data)


def copy_notify(uow: UnitOfWork, whose: str, client_id: str, contact_ids: Sequence[str]) -> None:
    """Makes the ties of a client, to those of these contacts that it has, say of notices what those of `whose` say."""
    if not contact_ids:
        return
    said = select(ContactTie.contact_id, ContactTie.notify).where(
        ContactTie.client_id == whose, among(uow.session, ContactTie.contact_id, contact_ids)
    )
    for contact_id, notify in uow.session.execute(said).all():
        theirs = (ContactTie.client_id == client_id, ContactTie.contact_id == contact_id)
        same = update(ContactTie).where(*theirs).values(notify=notify)
        uow.session.execute(same, execution_options={"synchronize_session": False})


def remove_client_contact(db: Database, now: dt.datetime, *, client_id: str, contact_id: str) -> None:
    """Ends this tie and no other. Raises NotFound `client_not_found`, Gone `client_merged`, and NotFound
    `contact_not_found` where there is none."""
    with db.unit_of_work() as uow:
        demand_client(uow.session, client_id, lock=True)
        _demand_tie(uow, client_id, contact_id)
        _end(uow, contact_id, [ContactTie.client_id == client_id], now)
        uow.answer({})


def end_tie(uow: UnitOfWork, client_id: str, contact_id: str, now: dt.datetime) -> None:
    """Ends this tie and no other, if it is there."""
    _end(uow, contact_id, [ContactTie.client_id == client_id], now)


def end_all(uow: UnitOfWork, contact_id: str, now: dt.datetime) -> None:
    """Ends every tie of a contact."""
    _end(uow, contact_id, [], now)


def close(uow: UnitOfWork, contact_id: str, now: dt.datetime) -> None:
    """Closes what the portal opened to a contact until now, for each business."""
    _tell(uow, contact_id, _tied_to(uow.session, contact_id), False, now)


def open_again(uow: UnitOfWork, contact: Contact, now: dt.datetime) -> None:
    """Tells that a contact, whose ties stayed, may use the portal from now on, if they may."""
    if contact.email:
        _tell(uow, contact.id, _tied_to(uow.session, contact.id), True, now)


def with_contacts(session: Session, client_ids: Sequence[str]) -> set[str]:
    """Those of these clients that have contacts."""
    if not client_ids:
        return set()
    statement = select(ContactTie.client_id).where(among(session, ContactTie.client_id, client_ids)).distinct()
    return set(session.scalars(statement))


def has_contacts(session: Session, client_id: str) -> bool:
    """Whether a client has contacts, for which it must stay a business."""
    statement = select(ContactTie.contact_id).where(ContactTie.client_id == client_id).limit(1)
    return session.scalar(statement) is not None


def refuse_with_contacts(session: Session, client_id: str) -> None:
    """Raises Conflict `client_has_contacts` for a client that is to be no business any more."""
    if has_contacts(session, client_id):
        raise Conflict("client_has_contacts", client_id=client_id)


def ties_of(session: Session, contact_ids: Iterable[str]) -> dict[str, list[Record]]:
    """By contact, [{"client_id", "notify"}] in the order in which they were tied; archived clients are left out."""
    statement = (
        select(ContactTie.contact_id, ContactTie.client_id, ContactTie.notify)
        .join(Client, Client.id == ContactTie.client_id)
        .where(ContactTie.contact_id.in_(list(contact_ids)), Client.archived_at.is_(None))
        .order_by(ContactTie.created_at, ContactTie.client_id)
    )
    found: dict[str, list[Record]] = {}
    for contact_id, client_id, notify in session.execute(statement):
        of_contact = found.setdefault(contact_id, [])
        if len(of_contact) < MOST_SHOWN:
            of_contact.append({"client_id": client_id, "notify": notify})
    return found


def to_notify(session: Session, client_ids: Sequence[str]) -> dict[str, list[Record]]:
    """By business, its contacts whom notices about its cases go to, in the order in which they were tied:
    `contracts.clients.RecipientContact`."""
    # One after the other, each by ids alone (ADR 0014): as a join, PostgreSQL may start with all contacts.
    marked = select(ContactTie.client_id, ContactTie.contact_id, ContactTie.created_at).where(
        among(session, ContactTie.client_id, client_ids), ContactTie.notify
    )
    ties = session.execute(marked.execution_options(**BY_ID)).all()
    reached = _by_id(session, {row.contact_id for row in ties}) if ties else {}
    found: dict[str, list[Record]] = {}
    for row in sorted(ties, key=lambda row: (row.created_at, row.contact_id)):
        if row.contact_id in reached:  # not deleted between the two
            contact = {"contact_id": row.contact_id, **_reached(reached[row.contact_id])}
            found.setdefault(row.client_id, []).append(contact)
    return found


def persons(session: Session, contact_ids: Iterable[str]) -> dict[str, Record]:
    """By contact, how they are called and reached, as facts of a `contracts.clients.Recipient`."""
    return {
        contact_id: {**_reached(row), "display_name": display_name(dict(row._mapping))}
        for contact_id, row in _by_id(session, contact_ids).items()
    }


def _by_id(session: Session, contact_ids: Iterable[str]) -> dict[str, Any]:
    wanted = select(*_REACHED).where(among(session, Contact.id, sorted(contact_ids)))
    return {row.id: row for row in session.execute(wanted.execution_options(**BY_ID))}


_REACHED = (Contact.id, Contact.first_name, Contact.last_name, Contact.email, Contact.phone)


def _reached(row: Any) -> Record:
    mobile = row.phone is not None and parse_phone(row.phone)[1] == "mobile"
    return {
        "first_name": row.first_name,
        "last_name": row.last_name,
        "sms": row.phone if mobile else None,
        "phone": row.phone,
        "email": row.email,
    }


def get_contact_access(db: Database, *, client_id: str, contact_id: str) -> Record:
    """{"access", "first_name"}: whether a contact may use the portal for a business now."""
    statement = (
        select(Contact.first_name)
        .join(ContactTie, ContactTie.contact_id == Contact.id)
        .join(Client, Client.id == ContactTie.client_id)
        .where(
            Contact.id == contact_id,
            Contact.email.is_not(None),
            ContactTie.client_id == client_id,
            Client.archived_at.is_(None),
        )
    )
    with db.read() as session:
        found = session.execute(statement).one_or_none()
    return {"access": found is not None, "first_name": found.first_name if found else None}


def _demand_tie(uow: UnitOfWork, client_id: str, contact_id: str) -> None:
    statement = (
        select(ContactTie.contact_id)
        .where(ContactTie.client_id == client_id, ContactTie.contact_id == contact_id)
        .with_for_update()
    )
    if uow.session.scalar(statement) is None:
        raise NotFound("contact_not_found", contact_id=contact_id)


def _end(uow: UnitOfWork, contact_id: str, where: Sequence[Any], now: dt.datetime) -> None:
    ended = delete(ContactTie).where(ContactTie.contact_id == contact_id, *where).returning(ContactTie.client_id)
    client_ids = uow.session.scalars(ended, execution_options={"synchronize_session": False}).all()
    _tell(uow, contact_id, client_ids, False, now)


def _tied_to(session: Session, contact_id: str) -> list[str]:
    return list(session.scalars(select(ContactTie.client_id).where(ContactTie.contact_id == contact_id)))


def _tell(uow: UnitOfWork, contact_id: str, client_ids: Iterable[str], access: bool, now: dt.datetime) -> None:
    entries = []
    for client_id in sorted(client_ids):
        facts = {"contact_id": contact_id, "access": access}
        uow.emit(CONTACT_ACCESS_CHANGED, contact_id, {**facts, "client_id": client_id})
        entries.append(activity.entry(client_id, now, CONTACT_ACCESS_CHANGED.name, {**facts, **activity.by_actor()}))
    uow.insert(Activity, entries)
