"""Changes of status that automations ask for: made once, in the chain that asked, or answered with why not."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from chassis.testing import deliver, outbox_events, received
from contracts.cases import CASE_CHANGE_REJECTED, CASE_CHANGED
from contracts.tasks import CASE_CHANGE_REQUESTED
from services.cases.models import Base
from tests.service.cases_office import NEWEST, PROBATE, Office, events
from tests.service.one_database import on_one_database


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


def ask(office: Office, case_id: str, status: str) -> tuple[str, str]:
    """Asks, and asks again: the ids of the run and of its chain."""
    run_id, chain_id = new_id(), new_id()
    asked = {"automation_run_id": run_id, "case_id": case_id, "status": status}
    event = received(CASE_CHANGE_REQUESTED, asked, firm_id=office.firm_id, correlation_id=chain_id)
    deliver(office.service, "change_case", event)
    deliver(office.service, "change_case", event)
    return run_id, chain_id


def history(office: Office, case_id: str) -> list[tuple[str | None, str, str | None]]:
    found = office.service.list_status_changes(case_id=case_id, **NEWEST)["data"]
    return [(change["from_status"], change["to_status"], change["actor_id"]) for change in reversed(found)]


def test_a_case_comes_to_the_status_once_and_says_so_in_the_chain(office: Office) -> None:
    case = office.case(office.case_type(**PROBATE))
    _, chain_id = ask(office, case["id"], "In court")
    assert office.service.get_case(case["id"])["status"] == "In court"
    assert history(office, case["id"])[1:] == [("New", "In court", None)]
    (emitted,) = outbox_events(office.db, CASE_CHANGED)
    assert (emitted.data["changed"], emitted.data["previous_status"]) == (["status"], "New")
    assert emitted.correlation_id == chain_id
    ask(office, case["id"], "In court")
    assert len(events(office, CASE_CHANGED)) == 1, "it was there already"
    assert events(office, CASE_CHANGE_REJECTED) == []


@on_one_database
def test_a_rule_may_name_a_status_as_it_was_called(office: Office) -> None:
    kind = office.case_type(**PROBATE)
    case = office.case(kind)
    renamed = [{"name": "New", "closed": False}, {"name": "Hearing", "was": "In court", "closed": False}]
    office.service.update_case_type(kind["id"], {"statuses": [*renamed, {"name": "Closed", "closed": True}]}, None)
    ask(office, case["id"], "In court")
    assert office.service.get_case(case["id"])["status"] == "Hearing"
    assert history(office, case["id"])[1:] == [("New", "Hearing", None)]


@on_one_database
def test_what_cannot_be_done_is_answered_with_why(office: Office) -> None:
    case, archived = (office.case(office.case_type(**{**PROBATE, "name": name})) for name in ("a", "b"))
    office.service.archive_case(archived["id"])
    nobodys = new_id()
    expected = [
        (ask(office, case_id, status)[0], case_id, code)
        for case_id, status, code in (
            (case["id"], "Nowhere", "unknown_status"),
            (archived["id"], "In court", "case_archived"),
            (nobodys, "In court", "case_not_found"),
        )
    ]
    told = [(of["automation_run_id"], of["case_id"], of["code"]) for of in events(office, CASE_CHANGE_REJECTED)]
    assert told == expected
    assert office.service.get_case(case["id"])["status"] == "New"
    assert len(history(office, archived["id"])) == 1
