"""What other services ask about many clients at once: how to reach them, what to filter by, whose address it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.scoping import BY_ID
from chassis.value_sets import Statement, among_parameter, made_once
from services.clients import contact_ties
from services.clients.addresses import UnfitAddress, email_key, parse_phone, sms_number
from services.clients.merges import merge_history
from services.clients.models import Client, ClientAddress, ClientEmail, ClientPhone, ClientTag
from services.clients.names import display_name
from services.clients.row_lists import row_list

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

_Facts = tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]


def get_recipients(db: Database, *, client_ids: Sequence[str]) -> dict[str, Any]:
    """`contracts.clients.Recipients`: one for each id, in the order asked for, by four queries for any number, by one
    for a single id; one more if businesses are among them, or ids of no client. A client that was merged is reached as
    the one it is now."""
    persons: dict[str, dict[str, Any]] = {}
    with db.read() as session:
        clients, phones, emails, postal = (_of_one if len(client_ids) == 1 else _of_many)(session, client_ids)
        if len(clients) < len(set(client_ids)):
            merged = merge_history.survivors(session, set(client_ids) - clients.keys())
            if merged:
                return _as_survivors(db, client_ids, merged)
            persons = contact_ties.persons(session, set(client_ids) - clients.keys())
        businesses = [client_id for client_id, client in clients.items() if client["kind"] == "business"]
        contacts = contact_ties.to_notify(session, businesses) if businesses else {}
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


def _of_one(session: Session, client_ids: Sequence[str]) -> _Facts:
    """`_of_many` of a single one, by one statement."""
    row = session.execute(_ONE, {"client_id": client_ids[0]}).one_or_none()
    if row is None:
        return {}, {}, {}, {}
    phones, emails, postal = (sorted(values or ()) for values in row[-3:])
    numbers = [{"number": number, "kind": kind, "primary": bool(primary)} for _, number, kind, primary in phones]
    email = next((address for _, address, primary in emails if primary), None)
    # Of the kind `primary`, else the first.
    place = next(((row[2], row[3]) for row in sorted(postal, key=lambda row: row[1] != "primary")), None)
    known: _Facts = ({row.id: dict(row._mapping)}, {row.id: numbers}, {}, {})
    for facts, value in zip(known[2:], (email, place), strict=True):
        if value is not None:
            facts[row.id] = value
    return known


def _of_many(session: Session, client_ids: Sequence[str]) -> _Facts:
    """By client: its own columns, phones, primary email, and state and country of its address."""
    theirs = {"client_ids": list(client_ids)}
    # Archived ones are left out here and not there, where another index would answer that, with all there are.
    known = {row.id: dict(row._mapping) for row in session.execute(_known(session), theirs) if row.archived_at is None}
    phones: dict[str, list[dict[str, Any]]] = {}
    for client_id, number, kind, primary in session.execute(_phones(session), theirs):
        phones.setdefault(client_id, []).append({"number": number, "kind": kind, "primary": primary})
    emails: dict[str, str] = dict(session.execute(_primary_emails(session), theirs).all())
    # Of the kind `primary`, else the first: the last one found for a client stays.
    places = sorted(session.execute(_postal(session), theirs), key=lambda row: (row.kind == "primary", -row.position))
    postal = {row.client_id: (row.state, row.country) for row in places}
    return known, phones, emails, postal


_OWN = [getattr(Client, name) for name in _RECIPIENT]
_ONE = select(
    *_OWN, row_list(ClientPhone, "number", "kind", "is_primary"), row_list(ClientEmail, "address", "is_primary"),
    row_list(ClientAddress, "kind", "state", "country"),
).where(Client.id == bindparam("client_id"), Client.archived_at.is_(None))  # fmt: skip


@made_once
def _known(dialect: str) -> Statement:
    known = select(*_OWN, Client.archived_at).where(among_parameter(dialect, Client.id, "client_ids"))
    return known.execution_options(**BY_ID)


@made_once
def _phones(dialect: str) -> Statement:
    return (
        select(ClientPhone.client_id, ClientPhone.number, ClientPhone.kind, ClientPhone.is_primary)
        .where(among_parameter(dialect, ClientPhone.client_id, "client_ids"))
        .order_by(ClientPhone.client_id, ClientPhone.position)
    )


@made_once
def _primary_emails(dialect: str) -> Statement:
    theirs = among_parameter(dialect, ClientEmail.client_id, "client_ids")
    return select(ClientEmail.client_id, ClientEmail.address).where(theirs, ClientEmail.is_primary)


@made_once
def _postal(dialect: str) -> Statement:
    places = (ClientAddress.kind, ClientAddress.position, ClientAddress.state, ClientAddress.country)
    theirs = among_parameter(dialect, ClientAddress.client_id, "client_ids")
    return select(ClientAddress.client_id, *places).where(theirs)


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
