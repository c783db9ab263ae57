"""A client's card: what is known here of one client, in as few statements as there are long lists."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session, aliased

from chassis.database import Database
from chassis.value_sets import Statement, made_once
from services.clients import cards
from services.clients.activity import activity_of
from services.clients.contacts import contacts_of
from services.clients.models import (
    Client,
    ClientEmail,
    ClientGroup,
    ClientGroupMember,
    ClientMerge,
    Contact,
    ContactTie,
)
from services.clients.names import display_name
from services.clients.notes import notes_of
from services.clients.records import record_of
from services.clients.row_lists import rows_where

Record = dict[str, Any]

_Business = aliased(Client)
_CALLED = ("kind", "company_name", "first_name", "middle_name", "last_name")
# Short lists travel with the record: each by a statement of its own would take several times as long.
_BESIDE = {
    "merged": rows_where(
        ClientMerge.merged_id, where=(ClientMerge.surviving_id == Client.id, ClientMerge.undone_at.is_(None))
    ),
    "groups": rows_where(
        ClientGroup.name_key, ClientGroup.id, ClientGroup.name,
        where=(ClientGroupMember.client_id == Client.id, ClientGroup.id == ClientGroupMember.group_id),
    ),
    "businesses": rows_where(
        _Business.sort_name, _Business.id, Contact.id, Contact.title, ContactTie.notify,
        *(getattr(_Business, name) for name in _CALLED),
        where=(
            ClientEmail.client_id == Client.id, Contact.email_key == ClientEmail.key,
            ContactTie.contact_id == Contact.id, _Business.id == ContactTie.client_id, _Business.archived_at.is_(None),
        ),
    ),
}  # fmt: skip


@made_once
def _with_ties(dialect: str) -> Statement:
    return cards.whole_of(dialect).add_columns(*(rows.label(name) for name, rows in _BESIDE.items()))


def get_client_card(db: Database, *, client_id: str, limit: int) -> Record:
    """`contracts.clients.ClientCardPart`, lists with their first `limit` entries. Raises NotFound `client_not_found`,
    Gone `client_merged` with `surviving_id`, Gone `client_erased`."""
    with db.read() as session:
        record = record_of(session, client_id, _with_ties)
        merged, groups, businesses = ([*(record.pop(name) or ())] for name in _BESIDE)
        return {
            "client": record,
            "activity": activity_of(session, client_id, merged=[_id(id_) for (id_,) in merged], limit=limit),
            "notes": notes_of(session, client_id, limit=limit),
            "contacts": _contacts(session, record, limit),
            "businesses": _first(map(_business, sorted(businesses)), limit),
            "groups": _first(({"id": _id(id_), "name": name} for _, id_, name in sorted(groups)), limit),
        }


def _contacts(session: Session, record: Record, limit: int) -> Record:
    # Nobody else has contacts: who is to be no business any more must have none.
    return contacts_of(session, record["id"], limit=limit) if record["kind"] == "business" else _first([], limit)


def _business(row: list[Any]) -> Record:
    _, client_id, contact_id, title, notify, *called = row
    name = display_name(dict(zip(_CALLED, called, strict=True)))
    return {
        "client_id": _id(client_id), "name": name, "contact_id": _id(contact_id), "title": title,
        "notify": bool(notify),
    }  # fmt: skip


def _first(entries: Iterable[Record], limit: int) -> Record:
    found = list(entries)
    return {"data": found[:limit], "meta": {"next_cursor": None, "total": len(found)}}


def _id(value: str) -> str:
    return str(uuid.UUID(value))
