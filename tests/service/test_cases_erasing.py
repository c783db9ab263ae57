"""cases forgets a client that is erased."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.testing import deliver, outbox_events, received
from contracts import cases, clients, messaging
from contracts.errors import NotFound, Unavailable
from services.cases.models import Base, NewClientRequest
from services.cases.new_client import finish_due
from tests.service.canaries import found_in, publish_all
from tests.service.cases_office import Office
from tests.service.one_database import on_one_database

WORDS = ["Oxenfree", "Wurlitzer", "Marzipan", "sheet-7", "cousin of Quimby", "lamplighter"]


@pytest.fixture
def office(new_database: Callable[[Any], Database]) -> Office:
    return Office(new_database(Base))


def erase(office: Office, *client_ids: str, version: int = 9) -> list[dict[str, Any]]:
    """Each of these clients, all at once and twice; what is reported."""
    events = [
        received(
            clients.CLIENT_ERASED,
            {"client_id": id_, "erasure_id": new_id(), "version": version, "client_ids": [id_]},
            firm_id=office.firm_id,
            subscription="forget_clients",
        )
        for id_ in client_ids
    ]
    deliver(office.service, "forget_clients", *events)
    deliver(office.service, "forget_clients", *events)
    wanted = {event.data["erasure_id"] for event in events}
    said = [event.data for event in outbox_events(office.db, cases.ERASURE_REPORTED)]
    return [report for report in said if report["erasure_id"] in wanted]


def facts(office: Office, client_id: str, version: int = 1, **more: Any) -> None:
    data = {"client_id": client_id, "version": version, "status": "active", "tags": ["lamplighter"], "language": "en",
            "changed": [], **more}  # fmt: skip
    event = received(clients.CLIENT_CHANGED, data, firm_id=office.firm_id, subscription="follow_changed_clients")
    deliver(office.service, "follow_changed_clients", event)


def case_about(office: Office, *client_ids: str) -> dict[str, Any]:
    placed = [
        {"client_id": id_, "role": "primary" if n == 0 else "additional", "label": "cousin of Quimby" if n else None}
        for n, id_ in enumerate(client_ids)
    ]
    return office.case(
        office.case_type(name=new_id()),
        name="Oxenfree v. Wurlitzer",
        description="She lives in Marzipan Row.",
        source="sheet-7",
        external_source="sheet",
        external_source_id="sheet-7",
        custom_fields={"notes": "Oxenfree is a lamplighter", "court": "north"},
        clients=placed,
    )


@on_one_database
def test_a_case_of_the_person_alone_keeps_its_facts_and_loses_its_texts(office: Office) -> None:
    client_id = office.client()
    facts(office, client_id)
    case = case_about(office, client_id)
    assert found_in(office.db, WORDS) == [word for word in WORDS if "cousin" not in word]
    publish_all(office.db)
    (report,) = erase(office, client_id)
    assert report["outcome"] == "done"
    assert report["counts"] == {"cases_emptied": 1, "cases_of_others_too": 0}
    assert found_in(office.db, WORDS) == []
    after = office.service.get_case(case["id"])
    assert after["name"] == after["number"] == case["number"]
    assert (after["status"], after["state"], after["description"]) == (case["status"], case["state"], None)
    assert not any(after["custom_fields"].values())
    assert [client["client_id"] for client in after["clients"]] == [client_id]
    (changed,) = outbox_events(office.db, cases.CASE_CHANGED)
    assert changed.data["version"] == after["version"] == case["version"] + 1


@on_one_database
def test_a_case_of_others_too_is_theirs_until_the_last_of_them_is_erased(office: Office) -> None:
    one, other = office.client(), office.client()
    case = case_about(office, one, other)
    (report,) = erase(office, other)
    assert report["counts"] == {"cases_emptied": 0, "cases_of_others_too": 1}
    after = office.service.get_case(case["id"])
    assert after["name"] == "Oxenfree v. Wurlitzer"
    assert found_in(office.db, ["cousin of Quimby"]) == []
    assert office.service.get_client_cases([one]) == {
        "cases": [{"case_id": case["id"], "open": True, "client_ids": [one], "alone": True}]
    }
    publish_all(office.db)
    erase(office, one)
    assert found_in(office.db, WORDS) == []


def test_two_of_one_case_are_erased_together(office: Office) -> None:
    one, other = office.client(), office.client()
    case_about(office, one, other)
    publish_all(office.db)
    reports = erase(office, one, other)
    assert [report["counts"]["cases_emptied"] for report in reports] == [1, 1]
    assert found_in(office.db, WORDS) == []


@on_one_database
def test_what_comes_late_brings_nothing_back(office: Office) -> None:
    client_id = office.client()
    erase(office, client_id, version=5)
    facts(office, client_id, version=4)
    consent = {"consent_id": new_id(), "channel": "sms", "state": "opted_out", "holds": "opted_out", "source": "reply",
               "client_ids": [client_id]}  # fmt: skip
    event = received(messaging.CONSENT_CHANGED, consent, firm_id=office.firm_id, subscription="follow_consents")
    deliver(office.service, "follow_consents", event)
    assert found_in(office.db, ["lamplighter"]) == []
    case = case_about(office, client_id)
    assert office.service.get_client_cases([client_id])["cases"][0]["case_id"] == case["id"]


def test_a_new_client_that_is_still_awaited_is_forgotten(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: Any) -> None:
        raise Unavailable("no_answer")

    monkeypatch.setitem(office.calls.answers, clients.CREATE_CLIENT, away)
    case_type = office.case_type()
    new_client = {"first_name": "Wurlitzer", "last_name": "Oxenfree"}
    pending = office.case(case_type, name="Marzipan", new_client=new_client)
    assert pending["state"] == "pending"
    assert found_in(office.db, WORDS) == ["Marzipan"]
    with office.db.read() as session:
        (awaited,) = session.query(NewClientRequest).all()
    erase(office, awaited.client_id)
    assert found_in(office.db, WORDS) == []
    assert outbox_events(office.db, cases.CASE_CHANGED) == []
    # Nobody is there any more for whom the case could wait.
    across = office.db.across_firms("a timer's database is bound to no firm")
    asked = len(office.calls.asked(clients.CREATE_CLIENT))
    assert finish_due(across, office.calls, now=utc_now() + dt.timedelta(minutes=1)) == 0
    assert len(office.calls.asked(clients.CREATE_CLIENT)) == asked
    with pytest.raises(NotFound):
        office.service.get_case(pending["id"])


@on_one_database
def test_a_client_that_is_taken_back_is_found_by_its_facts_again(office: Office) -> None:
    client_id = office.client()
    case = case_about(office, client_id)
    facts(office, client_id, version=1)
    gone = received(clients.CLIENT_DELETED, {"client_id": client_id, "version": 2}, firm_id=office.firm_id,
                    subscription="follow_deleted_clients")  # fmt: skip
    deliver(office.service, "follow_deleted_clients", gone)
    wanted = {"field": "clients.tags", "op": "eq", "value": "lamplighter"}
    assert office.selected(case_filter=wanted) == []
    back = {"client_id": client_id, "version": 3, "status": "active", "tags": ["lamplighter"], "language": "en",
            "changed": []}  # fmt: skip
    event = received(clients.CLIENT_RESTORED, back, firm_id=office.firm_id, subscription="follow_restored_clients")
    deliver(office.service, "follow_restored_clients", event)
    deliver(office.service, "follow_restored_clients", event)
    assert office.selected(case_filter=wanted) == [case["id"]]


def test_another_firms_cases_are_not_touched(office: Office) -> None:
    foreign = Office(office.db)
    client_id = foreign.client()
    case = case_about(foreign, client_id)
    erase(office, client_id)
    assert foreign.service.get_case(case["id"])["name"] == "Oxenfree v. Wurlitzer"
