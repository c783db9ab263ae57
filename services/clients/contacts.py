"""Contacts of business clients: made or assigned, changed, listed, deleted. Which business they belong to:
`contact_ties`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, bindparam, false, select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import Database, UnitOfWork
from chassis.paging import page
from chassis.words import UnfitText, bare_words, clean_text
from contracts.errors import Conflict, Invalid, NotFound
from services.clients import contact_ties
from services.clients.addresses import Problem, UnfitAddress, email_key, parse_email, parse_phone
from services.clients.clashes import typed_clash
from services.clients.erasures import contact_erasing
from services.clients.matching import search_terms
from services.clients.merges.merge_history import demand_client
from services.clients.models import Contact, ContactTie
from services.clients.names import sort_name

Record = dict[str, Any]

_SORTS = {"name": Contact.sort_name, "created_at": Contact.created_at}
_OF_CLIENT = select(Contact).where(
    Contact.id.in_(select(ContactTie.contact_id).where(ContactTie.client_id == bindparam("client_id")))
)
_TEXTS = ("first_name", "last_name", "title")
_OWN = (*_TEXTS, "email", "phone")
_STAMPS = ("id", "version", "created_at", "updated_at")
_TRIES = 3
"""For one who is deleted at the moment in which they would be assigned."""


def create_contact(
    db: Database, now: dt.datetime, *, client_ids: Sequence[str], notify: bool = False, **given: Any
) -> Record:
    """A contact of these business clients: `contracts.clients.Contact`. One with the same email is assigned to them,
    and stays as it is.

    Raises Invalid that names the fields at fault, or `client_ids.N` for a client that is no business; NotFound
    `client_not_found`, Gone `client_merged`.
    """
    fields = _checked(given, {})
    with db.unit_of_work() as uow:
        contact_ties.lock_businesses(uow, client_ids, "client_ids")
        contact = _made_or_found(uow, fields, now)
        contact_ties.tie(uow, contact, client_ids, notify=notify, now=now)
        return uow.answer(_records(uow.session, [contact])[0])


def add_client_contact(
    db: Database,
    now: dt.datetime,
    *,
    client_id: str,
    contact_id: str | None = None,
    notify: bool = False,
    **given: Any,
) -> Record:
    """Ties a contact to a business client: the one named, or as `create_contact`. One that is tied already stays so.

    Raises Invalid as `create_contact` does, or `contradictory` for an id with fields; NotFound `client_not_found` or
    `contact_not_found`.
    """
    if contact_id is not None and given:
        unfit = [{"field": name, "message": "Not with a contact_id."} for name in sorted(given)]
        raise Invalid("contradictory", fields=unfit)
    fields = None if contact_id is not None else _checked(given, {})
    with db.unit_of_work() as uow:
        contact_ties.lock_businesses(uow, [client_id], "client_id")
        contact = _find(uow.session, str(contact_id), lock=True) if fields is None else _made_or_found(uow, fields, now)
        contact_ties.tie(uow, contact, [client_id], notify=notify, now=now)
        return uow.answer(_records(uow.session, [contact])[0])


def get_contact(db: Database, *, contact_id: str) -> Record:
    """Raises NotFound `contact_not_found`."""
    with db.read() as session:
        return _records(session, [_find(session, contact_id)])[0]


def list_contacts(
    db: Database,
    *,
    q: str | None = None,
    client_id: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
) -> Record:
    """A page of contacts, by name unless `sort` says otherwise. Raises Invalid as `page` does, NotFound
    `client_not_found`, Gone `client_merged`."""
    terms = search_terms(q) if q is not None and q.strip() else None
    with db.read() as session:
        if client_id is not None:
            demand_client(session, client_id)
        statement = select(Contact) if client_id is None else _OF_CLIENT
        if terms is not None:
            holding = [Contact.search_text.contains(term, autoescape=True) for term in terms]
            statement = statement.where(*holding or [false()])
        return _listed(session, statement, {"client_id": client_id}, limit=limit, cursor=cursor, sort=sort)


def contacts_of(session: Session, client_id: str, **paging: Any) -> Record:
    """`list_contacts` of a client that is there."""
    return _listed(session, _OF_CLIENT, {"client_id": client_id}, **paging)


def _listed(session: Session, statement: Select[Any], parameters: Record, **paging: Any) -> Record:
    rows, meta = page(
        session, statement, model=Contact, sorts=_SORTS, default_sort="name", parameters=parameters, **paging
    )
    return {"data": _records(session, rows), "meta": meta}


def update_contact(
    db: Database, now: dt.datetime, *, contact_id: str, changes: Record, expected_version: int | None = None
) -> Record:
    """Whoever gets another email or phone, or none, loses what the portal opened to them under the old one.

    Raises Invalid, NotFound `contact_not_found`, Conflict `stale_version` or `email_taken`.
    """
    with typed_clash("uq_contact_email", "email_taken", "email"), db.unit_of_work() as uow:
        contact = _find(uow.session, contact_id, lock=True)
        contact.expect_version(expected_version)
        before = {name: getattr(contact, name) for name in _OWN}
        after = _checked(changes, before)
        if after != before:
            _write(contact, after)
            contact.touch(now)
            uow.session.flush()
        if (after["email"], after["phone"]) != (before["email"], before["phone"]):
            contact_ties.close(uow, contact.id, now)
            contact_ties.open_again(uow, contact, now)
        return uow.answer(_records(uow.session, [contact])[0])


def update_client_contact(db: Database, *, client_id: str, contact_id: str, changes: Record) -> Record:
    """The contact, tied as it is now. Raises NotFound `client_not_found`, Gone `client_merged`, and NotFound
    `contact_not_found` where there is no such tie."""
    with db.unit_of_work() as uow:
        demand_client(uow.session, client_id, lock=True)
        contact = _find(uow.session, contact_id, lock=True)
        if "notify" in changes:
            contact_ties.set_notify(uow, client_id, contact, changes["notify"])
        return uow.answer(_records(uow.session, [contact])[0])


def delete_contact(db: Database, now: dt.datetime, *, contact_id: str) -> None:
    """Deletes a contact with all ties, and with them what the portal opened to them; the other services forget them
    soon after. Raises NotFound `contact_not_found`."""
    with db.unit_of_work() as uow:
        contact = _find(uow.session, contact_id, lock=True)
        contact_ties.end_all(uow, contact_id, now)
        contact_erasing.begin(uow, contact, now)
        uow.answer({})


def _made_or_found(uow: UnitOfWork, fields: Record, now: dt.datetime) -> Contact:
    """The new contact, or the one that has the email, held to the commit."""
    row = {"id": new_id(), "version": 1, "created_at": now, "updated_at": now, **fields, **_derived(fields)}
    for _ in range(_TRIES):
        if uow.insert(Contact, [row], ignore_conflicts=True):
            return _find(uow.session, row["id"], lock=True)
        # The constraint has decided: somebody has the email, perhaps since a moment ago.
        theirs = select(Contact).where(Contact.email_key == row["email_key"]).with_for_update()
        if (found := uow.session.scalars(theirs).one_or_none()) is not None:
            return found
    raise Conflict("email_taken", fields=[{"field": "email", "message": "Taken already."}])


def _find(session: Session, contact_id: str, *, lock: bool = False) -> Contact:
    statement = select(Contact).where(Contact.id == contact_id)
    found = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if found is None:
        raise NotFound("contact_not_found", contact_id=contact_id)
    return found


def _checked(given: Mapping[str, Any], current: Record) -> Record:
    """All own fields, with the given ones in the form they are kept. Raises Invalid that names every field at fault."""
    fields: Record = {name: current.get(name) for name in _OWN}
    problems: list[Problem] = []
    for name in given:
        try:
            fields[name] = _normal(name, given[name])
        except UnfitText as error:
            problems.append((name, "invalid_text", str(error)))
        except UnfitAddress as error:
            problems.append((name, error.code, str(error)))
    unfit = {path for path, _, _ in problems}
    if not (fields["first_name"] or fields["last_name"]) and not unfit & {"first_name", "last_name"}:
        problems.append(("first_name", "name_required", "Needs a first name or a last name."))
    if problems:
        raise Invalid("invalid_input", fields=[{"field": path, "message": message} for path, _, message in problems])
    return fields


def _normal(name: str, value: str | None) -> str | None:
    if value is None or not value.strip():
        return None
    if name == "email":
        return parse_email(value)
    return parse_phone(value)[0] if name == "phone" else clean_text(value)


def _write(contact: Contact, fields: Record) -> None:
    for name, value in (fields | _derived(fields)).items():
        setattr(contact, name, value)


def _derived(fields: Record) -> Record:
    email = email_key(fields["email"]) if fields["email"] else None
    names = bare_words(" ".join(part for part in (fields["first_name"], fields["last_name"]) if part))
    number = (fields["phone"] or "").lstrip("+")
    return {
        "email_key": email,
        "sort_name": sort_name(fields),
        "search_text": " ".join(part for part in (names, email, number) if part),
    }


def _records(session: Session, contacts: Iterable[Contact]) -> list[Record]:
    rows = list(contacts)
    ties = contact_ties.ties_of(session, [contact.id for contact in rows])
    return [
        {
            **{name: getattr(contact, name) for name in (*_STAMPS, *_OWN)},
            "clients": ties.get(contact.id, []),
            "portal_access": bool(contact.email and ties.get(contact.id)),
        }
        for contact in rows
    ]
