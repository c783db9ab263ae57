"""Clients that are likely the same person: one same normalised phone or email address, one same government id, or a
similar name together with the same date of birth or postal code."""

from __future__ import annotations

from rapidfuzz import fuzz
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from contracts.errors import Conflict
from services.clients.addresses import email_key
from services.clients.checking import Record
from services.clients.client_keys import birth_key, government_id_key
from services.clients.models import Client, ClientAddress, ClientEmail, ClientGovernmentId, ClientPhone
from services.clients.names import name_key

ALIKE = 88.0
"""Two folded names are similar from this likeness on (0 to 100; one wrong letter in a name of eleven is 91)."""
_MOST_COMPARED = 5000
_MOST_CANDIDATES = 20


def refuse_duplicates(session: Session, record: Record) -> None:
    """Raises Conflict `duplicate_client` with `candidates`, the ids of likely duplicates, the oldest first."""
    if candidates := find_duplicates(session, record):
        raise Conflict("duplicate_client", candidates=",".join(candidates[:_MOST_CANDIDATES]))


def find_duplicates(session: Session, record: Record) -> list[str]:
    """Ids of the clients that the record matches, the oldest first. (Not itself: the same request, come twice, may have
    written it a moment ago.)"""
    found = _same_address(session, record) | _same_government_id(session, record) | _same_person(session, record)
    return sorted(found - {record["id"]})


def _same_address(session: Session, record: Record) -> set[str]:
    numbers = [phone["number"] for phone in record["phones"]]
    keys = [email_key(email["address"]) for email in record["emails"]]
    found: set[str] = set()
    for column, client_id, values in (
        (ClientPhone.number, ClientPhone.client_id, numbers),
        (ClientEmail.key, ClientEmail.client_id, keys),
    ):
        if values:
            statement = (
                select(client_id)
                .join(Client, Client.id == client_id)
                .where(column.in_(values), Client.archived_at.is_(None))
                .limit(_MOST_CANDIDATES)
            )
            found.update(session.scalars(statement))
    return found


def _same_government_id(session: Session, record: Record) -> set[str]:
    keys = [key for entry in record["government_ids"] if (key := government_id_key(session, entry["number"]))]
    if not keys:
        return set()
    statement = (
        select(ClientGovernmentId.client_id)
        .join(Client, Client.id == ClientGovernmentId.client_id)
        .where(ClientGovernmentId.key.in_(keys), Client.archived_at.is_(None))
        .limit(_MOST_CANDIDATES)
    )
    return set(session.scalars(statement))


def _same_person(session: Session, record: Record) -> set[str]:
    name = name_key(record)
    codes = [address["postal_code"] for address in record["addresses"] if address["postal_code"]]
    hints = []
    born = birth_key(session, record["date_of_birth"]) if record["date_of_birth"] else None
    if born:
        hints.append(Client.birth_key == born)
    if codes:
        hints.append(Client.id.in_(select(ClientAddress.client_id).where(ClientAddress.postal_code.in_(codes))))
    if not name or not hints:
        return set()
    statement = select(Client.id, Client.name_key).where(or_(*hints), Client.archived_at.is_(None))
    return {client_id for client_id, other in session.execute(statement.limit(_MOST_COMPARED)) if alike(name, other)}


def alike(name: str, other: str) -> bool:
    """Whether two name keys (folded words in alphabetical order) are similar."""
    return bool(name and other) and fuzz.ratio(name, other, score_cutoff=ALIKE) > 0
