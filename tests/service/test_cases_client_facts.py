"""What cases keep of clients: late and repeated events change nothing, newer ones do."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.testing import deliver, received
from contracts.base import Event
from contracts.clients import CLIENT_CHANGED, CLIENT_CREATED, CLIENT_DELETED, CLIENTS_IMPORTED
from contracts.messaging import CONSENT_CHANGED
from services.cases.models import Base, ClientConsent, ClientFacts, ClientTag
from tests.service.cases_office import Office

HANDLERS = {
    CLIENT_CREATED: "follow_created_clients",
    CLIENT_CHANGED: "follow_changed_clients",
    CLIENTS_IMPORTED: "follow_imports",
    CLIENT_DELETED: "follow_deleted_clients",
    CONSENT_CHANGED: "follow_consents",
}


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


def hear(office: Office, event: Event, *data: dict[str, Any]) -> None:
    """Every event twice: in one batch, then again."""
    events = [received(event, entry, firm_id=office.firm_id) for entry in data]
    deliver(office.service, HANDLERS[event], *events, *events)
    deliver(office.service, HANDLERS[event], *events)


def facts(client_id: str, version: int, **values: Any) -> dict[str, Any]:
    return {"client_id": client_id, "version": version, "status": "active", "tags": [], "language": "en", **values}


def kept(office: Office, client_id: str) -> tuple[Any, ...]:
    with office.db.read() as session:
        row = session.scalars(select(ClientFacts).where(ClientFacts.client_id == client_id)).one()
        tags = session.scalars(select(ClientTag.tag).where(ClientTag.client_id == client_id)).all()
    return row.version, row.status, row.language, sorted(tags)


def test_newer_facts_replace_older_ones_in_whatever_order_they_come(office: Office) -> None:
    client = new_id()
    hear(office, CLIENT_CHANGED, {**facts(client, 2, tags=["b", "c", "b"], language=None), "changed": ["tags"]})
    hear(office, CLIENT_CREATED, {**facts(client, 1, tags=["a"]), "changed": []})
    assert kept(office, client) == (2, "active", None, ["b", "c"])
    hear(office, CLIENT_CHANGED, {**facts(client, 3, tags=["c"], status="inactive"), "changed": ["tags"]})
    assert kept(office, client) == (3, "inactive", "en", ["c"])
    hear(office, CLIENT_DELETED, {"client_id": client, "version": 5})
    hear(office, CLIENT_CHANGED, {**facts(client, 4, tags=["late"]), "changed": ["tags"]})
    assert kept(office, client) == (5, None, None, [])


def test_an_import_brings_many_clients_at_once(office: Office) -> None:
    ids = [new_id() for _ in range(500)]
    hear(office, CLIENT_CHANGED, {**facts(ids[0], 9, tags=["newer"]), "changed": ["tags"]})
    imported = [facts(client_id, 1, tags=["imported", str(n)]) for n, client_id in enumerate(ids)]
    hear(office, CLIENTS_IMPORTED, {"import_id": new_id(), "clients": imported})
    assert kept(office, ids[0]) == (9, "active", "en", ["newer"])
    assert kept(office, ids[499]) == (1, "active", "en", ["499", "imported"])


def test_any_order_of_events_ends_in_the_newest(office: Office) -> None:
    client, chance = new_id(), random.Random(3)
    versions = [{**facts(client, version, tags=[f"v{version}"]), "changed": ["tags"]} for version in range(1, 20)]
    events = [received(CLIENT_CHANGED, entry, firm_id=office.firm_id) for entry in versions]
    shuffled = events * 3
    chance.shuffle(shuffled)
    while shuffled:
        batch = [shuffled.pop() for _ in range(min(len(shuffled), chance.randint(1, 6)))]
        deliver(office.service, "follow_changed_clients", *batch)
    assert kept(office, client) == (19, "active", "en", ["v19"])


def test_the_last_word_on_a_channel_is_kept(office: Office) -> None:
    ann, bob = new_id(), new_id()
    entries = [new_id() for _ in range(3)]

    def said(entry: str, state: str, *clients: str, channel: str = "sms") -> dict[str, Any]:
        return {"consent_id": entry, "channel": channel, "state": state, "source": "reply", "client_ids": list(clients)}

    hear(office, CONSENT_CHANGED, said(entries[2], "opted_out", ann), said(entries[1], "opted_in", ann, bob))
    hear(office, CONSENT_CHANGED, said(entries[0], "opted_in", ann, channel="email"))
    with office.db.read() as session:
        columns = (ClientConsent.client_id, ClientConsent.channel, ClientConsent.state)
        found = {tuple(row) for row in session.execute(select(*columns))}
    assert found == {(ann, "sms", "opted_out"), (bob, "sms", "opted_in"), (ann, "email", "opted_in")}


def test_filters_on_clients_stay_right_when_these_change(office: Office) -> None:
    kind = office.case_type()
    client = office.client(tags=["vip"], language="es")
    case = office.case(kind, clients=[{"client_id": client}])
    other = office.case(kind, clients=[{"client_id": client}, {"client_id": office.client()}])

    def found(field: str, op: str, value: Any = None) -> list[str]:
        return office.selected(case_filter={"field": f"clients.{field}", "op": op, "value": value})

    both = [case["id"], other["id"]]
    assert found("tags", "contains", "vip") == found("language", "in", ["es", "fr"]) == both
    # One of its two clients speaks English: it is not true that none does.
    assert found("language", "ne", "en") == [case["id"]]
    assert found("consent.sms", "is_empty") == found("consent.sms", "ne", "opted_out") == both
    hear(office, CLIENT_CHANGED, {**facts(client, 2, tags=["slow"], language="fr"), "changed": ["tags", "language"]})
    said = {"consent_id": new_id(), "channel": "sms", "state": "opted_out", "source": "reply", "client_ids": [client]}
    hear(office, CONSENT_CHANGED, said)
    assert found("tags", "contains", "vip") == found("language", "eq", "es") == []
    assert found("tags", "eq", "slow") == found("consent.sms", "eq", "opted_out") == both
    assert found("consent.sms", "ne", "opted_out") == []
    lifted = {**said, "consent_id": new_id(), "state": "opted_in", "holds": None}
    hear(office, CONSENT_CHANGED, lifted)
    hear(office, CONSENT_CHANGED, {**said, "holds": "opted_out"})  # the older one, late
    assert found("consent.sms", "is_empty") == found("consent.sms", "ne", "opted_in") == both
    assert found("consent.sms", "eq", "opted_in") == []
    hear(office, CLIENT_DELETED, {"client_id": client, "version": 3})
    assert found("status", "is_empty") == [case["id"]]
    assert found("status", "eq", "active") == [other["id"]]
