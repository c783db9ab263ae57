"""The addresses of clients who are about to be erased, for whom they mean nothing else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from chassis.database import Database
from chassis.value_sets import among
from services.clients.models import ClientEmail, ClientPhone, Contact, Erasure

Record = dict[str, Any]


def people(db: Database, erasures: Sequence[Erasure]) -> list[Record]:
    """`contracts.messaging.ForgottenPerson` of each, with the addresses that no other client has, deleted ones
    included: they can be taken back. Nor may a contact have them, who stays: what they said at them is theirs."""
    ids = sorted({client_id for erasure in erasures for client_id in erasure.client_ids})
    with db.read() as session:
        numbers = _own(session, ClientPhone, ClientPhone.number, Contact.phone, ids)
        emails = _own(session, ClientEmail, ClientEmail.key, Contact.email_key, ids)
    found = []
    for erasure in erasures:
        person = {
            "client_ids": erasure.client_ids,
            "numbers": sorted({number for id_ in erasure.client_ids for number in numbers.get(id_, ())}),
            "emails": sorted({email for id_ in erasure.client_ids for email in emails.get(id_, ())}),
        }
        # Also without an address: what it said itself must not be lost with it.
        found.append(person)
    return found


def _own(
    session: Session, model: Any, column: Any, of_contacts: Any, client_ids: Collection[str]
) -> dict[str, set[str]]:
    own: dict[str, set[str]] = {}
    for client_id, address in session.execute(
        select(model.client_id, column).where(among(session, model.client_id, client_ids))
    ):
        own.setdefault(client_id, set()).add(address)
    every = {address for addresses in own.values() for address in addresses}
    other = aliased(model)
    staying = select(getattr(other, column.key)).where(
        among(session, getattr(other, column.key), every),
        ~among(session, other.client_id, client_ids),
    )
    shared = {
        *session.scalars(staying),
        *session.scalars(select(of_contacts).where(among(session, of_contacts, every))),
    }
    return {client_id: addresses - shared for client_id, addresses in own.items()}
