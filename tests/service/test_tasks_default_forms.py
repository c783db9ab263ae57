"""The forms that a new case gets by its type."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from chassis.envelope import ReceivedEvent
from chassis.testing import deliver, received
from contracts.cases import CASE_CREATED
from contracts.errors import Unavailable
from contracts.tasks import TASKS_ASSIGNED
from services.tasks import forms
from tests.service.forms_desk import assign, intake, listed, make, section, task, tasks_of
from tests.service.tasks_office import NOW, Office, a_case, database, office

__all__ = ["database", "office"]


def created(office: Office, case_id: str, *form_ids: str, **facts: Any) -> ReceivedEvent:
    client_ids = office.cases.clients[case_id]
    data = {**a_case(case_id), "client_ids": client_ids, "changed": [], "default_form_ids": list(form_ids), **facts}
    return received(CASE_CREATED, data, firm_id=office.firm_id)


def follow(office: Office, *events: ReceivedEvent) -> None:
    deliver(office.service, "follow_created_cases", *events)


def test_each_new_case_gets_the_forms_of_its_type_once(office: Office) -> None:
    first, second = intake(office), make(office, section("A", task(office, "a")), title="Consent")
    cases = [office.cases.open() for _ in range(3)]
    both = [created(office, case_id, first["id"], second["id"]) for case_id in cases[:2]]
    events = [*both, created(office, cases[2], second["id"])]
    follow(office, *events)
    follow(office, *events)
    again = [created(office, case_id, first["id"], second["id"]) for case_id in cases[:2]]
    follow(office, *again)
    titles = [sorted(entry["title"] for entry in listed(office, case_id)) for case_id in cases]
    assert titles == [["Consent", "Intake"], ["Consent", "Intake"], ["Consent"]]
    assert len(tasks_of(office)) == 2 * 4 + 3
    assert {event["form_id"] for event in office.emitted(TASKS_ASSIGNED)} == {first["id"], second["id"]}


@pytest.mark.parametrize("facts", [{"state": "closed"}, {"state": "pending"}])
def test_a_case_that_is_not_open_gets_none(office: Office, facts: dict[str, Any]) -> None:
    case_id = office.cases.open()
    follow(office, created(office, case_id, intake(office)["id"], **facts))
    assert listed(office, case_id) == []


def test_an_event_of_an_earlier_version_names_none(office: Office) -> None:
    case_id = office.cases.open()
    event = created(office, case_id)
    del event.data["default_form_ids"]
    follow(office, event)
    assert listed(office, case_id) == []


def test_a_form_out_of_use_is_left_out_and_the_others_come(office: Office) -> None:
    gone, empty, good = intake(office), make(office, section("Nothing")), make(office, section("A", task(office, "a")))
    forms.update_form(
        office.db, office.calls, NOW, form_id=gone["id"], changes={"archived": True}, expected_version=None
    )
    case_id = office.cases.open()
    follow(office, created(office, case_id, gone["id"], new_id(), empty["id"], good["id"]))
    assert [entry["form_id"] for entry in listed(office, case_id)] == [good["id"]]


def test_a_form_that_a_person_was_faster_with_is_not_doubled(office: Office) -> None:
    form, case_id = intake(office), office.cases.open()
    assign(office, form, case_id)
    follow(office, created(office, case_id, form["id"]))
    assert len(listed(office, case_id)) == 1


def test_without_the_firms_calendar_it_is_done_later(office: Office) -> None:
    form, case_id = intake(office), office.cases.open()
    event = created(office, case_id, form["id"])
    told = office.service.firms.get
    office.service.firms.get = lambda firm_id, calls: None
    with pytest.raises(Unavailable):
        follow(office, event)
    office.service.firms.get = told
    follow(office, event)
    assert len(listed(office, case_id)) == 1
