"""What other services ask about many clients at once: how to reach them, what to filter by, whose address it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.scoping import BY_ID
from chassis.value_sets import among
from services.clients import contact_ties, merge_history
from services.clients.addresses import UnfitAddress, email_key, parse_phone, sms_number
from services.clients.models import Client, ClientAddress, ClientEmail, ClientPhone, ClientTag
from services.clients.names import display_name

_RECIPIENT = (
    "id", "kind", "first_name", "middle_name", "last_name", "company_name", "status", "spam", "language", "time_zone",
    "assigned_staff_id",
)  # fmt: skip
_NOWHERE = dict.fromkeys(
    (
        "first_name",
        "last_name",
        "display_name",
        "language",
        "time_zone",
        "postal_state",
        "postal_country",
        "sms",
        "phone",
        "email",
        "assigned_staff_id",
    )
)
_TOLD = ("first_name", "last_name", "language", "time_zone", "assigned_staff_id")
_MOST_FOUND = 100


def get_recipients(db: Database, *, client_ids: Sequence[str]) -> dict[str, Any]:
    """`contracts.clients.Recipients`: one for each id, in the order asked for, by four queries for any number; one more
    if businesses are among them, or ids of no client. A client that was merged is reached as the one it is now."""
    persons: dict[str, dict[str, Any]] = {}
    with db.read() as session:
        columns = [getattr(Client, name) for name in _RECIPIENT]
        # Archived ones are left out here and not there, where another index would answer that, with all there are.
        known = select(*columns, Client.archived_at).where(among(session, Client.id, client_ids))
        found = session.execute(known.execution_options(**BY_ID))
        clients = {row.id: dict(row._mapping) for row in found if row.archived_at is None}
        if len(clients) < len(set(client_ids)):
            merged = merge_history.survivors(session, set(client_ids) - clients.keys())
            if merged:
                return _as_survivors(db, client_ids, merged)
            persons = contact_ties.persons(session, set(client_ids) - clients.keys())
        businesses = [client_id for client_id, client in clients.items() if client["kind"] == "business"]
        contacts = contact_ties.to_notify(session, businesses) if businesses else {}
        phones = _phones(session, client_ids)
        emails = _primary_emails(session, client_ids)
        postal = _primary_postal(session, client_ids)
    recipients = []
    for client_id in client_ids:
        client = clients.get(client_id)
        if client is None:
            known_as = {"state": "found" if client_id in persons else "erased", **persons.get(client_id, {})}
            recipients.append({"client_id": client_id, **_NOWHERE, **known_as})
            continue
        state, country = postal.get(client_id, (None, None))
        recipients.append(
            {
                "client_id": client_id,
                "state": "blocked" if client["spam"] or client["status"] == "blacklisted" else "found",
                "display_name": display_name(client),
                **{name: client[name] for name in _TOLD},
                "postal_state": state,
                "postal_country": country,
                "sms": sms_number(phones.get(client_id, ())),
                "phone": next((one["number"] for one in phones.get(client_id, ()) if one["primary"]), None),
                "email": emails.get(client_id),
                **({"contacts": contacts[client_id]} if client_id in contacts else {}),
            }
        )
    return {"recipients": recipients}


def _as_survivors(db: Database, client_ids: Sequence[str], merged: dict[str, str]) -> dict[str, Any]:
    asked = list(dict.fromkeys(merged.get(client_id, client_id) for client_id in client_ids))
    found = {one["client_id"]: one for one in get_recipients(db, client_ids=asked)["recipients"]}
    recipients = []
    for client_id in client_ids:
        surviving_id = merged.get(client_id)
        known = found[surviving_id or client_id]
        recipients.append({"surviving_id": surviving_id, **known, "client_id": client_id})
    return {"recipients": recipients}


def _phones(session: Session, client_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    statement = (
        select(ClientPhone.client_id, ClientPhone.number, ClientPhone.kind, ClientPhone.is_primary)
        .where(among(session, ClientPhone.client_id, client_ids))
        .order_by(ClientPhone.client_id, ClientPhone.position)
    )
    phones: dict[str, list[dict[str, Any]]] = {}
    for client_id, number, kind, primary in session.execute(statement):
        phones.setdefault(client_id, []).append({"number": number, "kind": kind, "primary": primary})
    return phones


def _primary_emails(session: Session, client_ids: Sequence[str]) -> dict[str, str]:
    statement = select(ClientEmail.client_id, ClientEmail.address).where(
        among(session, ClientEmail.client_id, client_ids), ClientEmail.is_primary
    )
    return dict(session.execute(statement).all())


def _primary_postal(session: Session, client_ids: Sequence[str]) -> dict[str, tuple[str | None, str | None]]:
    """State and country of the address of the kind `primary`, else of the first."""
    statement = select(
        ClientAddress.client_id, ClientAddress.state, ClientAddress.country, ClientAddress.kind, ClientAddress.position
    ).where(among(session, ClientAddress.client_id, client_ids))
    # The last one found for a client stays.
    rows = sorted(session.execute(statement), key=lambda row: (row.kind == "primary", -row.position))
    return {row.client_id: (row.state, row.country) for row in rows}


def get_client_facts(db: Database, *, client_ids: Sequence[str]) -> dict[str, Any]:
    """`contracts.clients.ClientFactsList`, by two queries. Unknown, archived and merged ids are left out; of the merged
    ones it is told who they are now."""
    with db.read() as session:
        statement = select(Client.id, Client.status, Client.language, Client.version).where(
            Client.id.in_(client_ids), Client.archived_at.is_(None)
        )
        found = {row.id: row for row in session.execute(statement)}
        tags: dict[str, list[str]] = {}
        tagged = select(ClientTag.client_id, ClientTag.tag).where(ClientTag.client_id.in_(found))
        for client_id, tag in session.execute(tagged.order_by(ClientTag.client_id, ClientTag.position)):
            tags.setdefault(client_id, []).append(tag)
        merged = merge_history.with_survivors(session, client_ids, found)
    return {
        "merged": [{"client_id": id_, "surviving_id": surviving_id} for id_, surviving_id in sorted(merged.items())],
        "clients": [
            {
                "client_id": client_id,
                "status": found[client_id].status,
                "tags": tags.get(client_id, []),
                "language": found[client_id].language,
                "version": found[client_id].version,
            }
            for client_id in dict.fromkeys(client_ids)
            if client_id in found
        ],
    }


def find_clients_by_address(db: Database, *, channel: str, address: str) -> dict[str, Any]:
    """{"client_ids"} of those who have the number or email address, the oldest first, at most 100."""
    with db.read() as session:
        if channel == "email":
            having = select(ClientEmail.client_id).where(ClientEmail.key == email_key(address.strip()))
        else:
            having = select(ClientPhone.client_id).where(or_(*(ClientPhone.number == form for form in _forms(address))))
        statement = select(Client.id).where(Client.id.in_(having), Client.archived_at.is_(None))
        return {"client_ids": list(session.scalars(statement.order_by(Client.id).limit(_MOST_FOUND)))}


def _forms(address: str) -> set[str]:
    """The number as it was given and in E.164. A short code has no such form."""
    try:
        return {address, parse_phone(address)[0]}
    except UnfitAddress:
        return {address}
