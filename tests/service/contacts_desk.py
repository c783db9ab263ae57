"""Business clients and their contacts at a desk, for the tests of clients: every answer is held to the contract."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.wire import strict
from contracts import clients as contract
from contracts.clients import CONTACT_ACCESS_CHANGED
from services.clients import contacts
from tests.service.clients_desk import NOW, Desk

LATER = NOW + dt.timedelta(hours=1)
ANN = {"first_name": "Ann", "last_name": "Lee", "email": "Ann.Lee@example.com", "phone": "(212) 555-0123"}


def business(desk: Desk, name: str = "Acme", **given: Any) -> str:
    return str(desk.create(first_name=None, company_name=name, kind="business", **given)["id"])


def checked(record: dict[str, Any]) -> dict[str, Any]:
    assert strict(contract.Contact).schema.validate(strict(contract.Contact).dump(record)) == {}
    return record


def make(desk: Desk, *client_ids: str, **given: Any) -> dict[str, Any]:
    return checked(contacts.create_contact(desk.db, NOW, client_ids=client_ids, **{**ANN, **given}))


def add(desk: Desk, client_id: str, **given: Any) -> dict[str, Any]:
    return checked(contacts.add_client_contact(desk.db, LATER, client_id=client_id, **given))


def get(desk: Desk, contact: dict[str, Any]) -> dict[str, Any]:
    return checked(contacts.get_contact(desk.db, contact_id=contact["id"]))


def listed(desk: Desk, **query: Any) -> list[str]:
    return [contact["id"] for contact in contacts.list_contacts(desk.db, **query)["data"]]


def tied(contact: dict[str, Any]) -> list[str]:
    return [tie["client_id"] for tie in contact["clients"]]


def told(desk: Desk) -> list[tuple[str, str, bool]]:
    """(contact, client, access) of each event, oldest first."""
    return [(data["contact_id"], data["client_id"], data["access"]) for data in desk.emitted(CONTACT_ACCESS_CHANGED)]
