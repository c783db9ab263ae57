"""What tasks know of cases: told twice, late and in any order, asked for where nothing was told."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.testing import deliver, received
from contracts.base import Event
from contracts.cases import CASE_CHANGED, CASE_CREATED, CASES_IMPORTED, GET_CASE_FACTS
from contracts.errors import Conflict, Unavailable
from contracts.tasks import BULK_ASSIGNMENT_REQUESTED
from services.tasks import known_cases
from services.tasks.models import CaseTask, KnownCase, KnownCaseStaff
from tests.service.tasks_office import Office, a_case, database, office

__all__ = ["database", "office"]


def told(office: Office, case_id: str, event: Event = CASE_CHANGED, **about: Any) -> Any:
    data = {**a_case(case_id), "client_ids": [], "changed": [], **about}
    return received(event, {name: value for name, value in data.items() if value != ...}, firm_id=office.firm_id)


def known(office: Office, case_id: str) -> dict[str, Any] | None:
    """What is kept of a case, with its staff."""
    with office.db.read() as session:
        case = session.scalars(select(KnownCase).where(KnownCase.case_id == case_id)).one_or_none()
        staff = select(KnownCaseStaff.staff_id).where(KnownCaseStaff.case_id == case_id)
        return case and {
            "version": case.version, "status": case.status, "state": case.state, "archived": case.archived,
            "staff": {*session.scalars(staff)},
        }  # fmt: skip


def archived(office: Office, task: dict[str, Any]) -> bool | None:
    with office.db.read() as session:
        return session.scalar(select(CaseTask.archived).where(CaseTask.id == task["id"]))


def test_the_newest_word_of_a_case_stands(office: Office) -> None:
    case_id, responsible, colleague, third = (new_id() for _ in range(4))
    created = told(office, case_id, CASE_CREATED, responsible_staff_id=responsible, staff_ids=[colleague])
    deliver(office.service, "follow_created_cases", created)
    deliver(office.service, "follow_created_cases", created)
    first = {"version": 1, "status": "New", "state": "open", "archived": False, "staff": {responsible, colleague}}
    assert known(office, case_id) == first

    later = told(office, case_id, version=3, status="Done", state="closed", staff_ids=[third])
    late = told(office, case_id, version=2, status="Begun", staff_ids=[colleague])
    deliver(office.service, "follow_changed_cases", later, late)
    deliver(office.service, "follow_changed_cases", late, later)
    deliver(office.service, "follow_changed_cases", told(office, case_id, version=2, status="Begun"))
    assert known(office, case_id) == {**first, "version": 3, "status": "Done", "state": "closed", "staff": {third}}
    with office.foreign_db.read() as session:
        assert session.scalars(select(KnownCase).where(KnownCase.case_id == case_id)).all() == []


def test_cases_that_were_imported_are_known(office: Office) -> None:
    new, task, staff = new_id(), office.assign(), new_id()
    facts = {"client_ids": [], "changed": [], "previous_status": "Begun"}
    cases = [
        {**a_case(new), **facts, "staff_ids": [staff]},
        {**a_case(task["case_id"]), **facts, "version": 2, "archived": True},
    ]
    imported = received(CASES_IMPORTED, {"import_id": new_id(), "cases": cases}, firm_id=office.firm_id)
    deliver(office.service, "follow_imported_cases", imported)
    deliver(office.service, "follow_imported_cases", imported)
    assert (known(office, new) or {})["staff"] == {staff}
    assert archived(office, task) is True


def test_a_cases_tasks_are_archived_with_it(office: Office) -> None:
    task, other = office.assign(), office.assign()
    case_id = task["case_id"]
    gone = told(office, case_id, version=2, archived=True)
    deliver(office.service, "follow_changed_cases", gone)
    deliver(office.service, "follow_changed_cases", gone)
    assert (archived(office, task), archived(office, other)) == (True, False)
    assert (known(office, case_id) or {})["state"] == "archived"
    office.cases.told[case_id] = {"version": 2, "state": "archived", "archived": True}
    with pytest.raises(Conflict, match="case_archived"):
        office.assign(case_id)

    deliver(office.service, "follow_changed_cases", told(office, case_id, version=3))
    deliver(office.service, "follow_changed_cases", told(office, case_id, version=2, archived=True))
    assert archived(office, task) is False


def test_what_a_case_says_of_itself_at_an_assignment_is_kept(office: Office) -> None:
    case_id, staff_id = office.cases.open(), new_id()
    office.cases.told[case_id] = {"version": 4, "state": "closed", "responsible_staff_id": staff_id}
    office.assign(case_id)
    kept = {"version": 4, "status": "New", "state": "closed", "archived": False, "staff": {staff_id}}
    assert known(office, case_id) == kept


def test_cases_of_events_that_do_not_name_staff_are_asked_for(office: Office) -> None:
    case_id, staff_id = office.cases.open(), new_id()
    office.cases.told[case_id] = {"version": 5, "staff_ids": [staff_id]}
    old = told(office, case_id, version=4, staff_ids=..., archived=..., responsible_staff_id=...)
    answer = office.calls.answers[GET_CASE_FACTS]

    def away(case_ids: list[str]) -> Any:
        raise Unavailable("cases_away")

    office.calls.answers[GET_CASE_FACTS] = away
    with pytest.raises(Unavailable):
        deliver(office.service, "follow_changed_cases", old)
    assert known(office, case_id) is None
    office.calls.answers[GET_CASE_FACTS] = answer
    deliver(office.service, "follow_changed_cases", old)
    deliver(office.service, "follow_changed_cases", old)
    assert known(office, case_id) == {
        "version": 5, "status": "New", "state": "open", "archived": False, "staff": {staff_id},
    }  # fmt: skip


def test_unknown_cases_are_asked_for_in_pages_until_none_is_left(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_cases, "AT_ONCE", 2)
    unknown, gone = [office.cases.open() for _ in range(4)], new_id()
    task = office.assign(unknown[0])
    office.cases.told[unknown[0]] = {"version": 2, "archived": True, "state": "archived"}
    with office.db.unit_of_work() as uow:
        for row in uow.session.scalars(select(KnownCase)):
            row.version = 0
        uow.insert(KnownCase, [{"case_id": case_id} for case_id in [*unknown[1:], gone]])
    turns = 0
    while known_cases.ask_for_unknown(office.everywhere, office.calls):
        turns += 1
        assert turns < 10
    versions = {case_id: known(office, case_id) for case_id in [*unknown, gone]}
    assert [(case or {}).get("version") for case in versions.values()] == [2, 1, 1, 1, None]
    assert archived(office, task) is True


@pytest.mark.parametrize("failure", [Unavailable("cases_away"), ZeroDivisionError()])
def test_a_firm_whose_cases_cannot_be_asked_for_keeps_no_other_waiting(
    office: Office, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(known_cases, "AT_ONCE", 2)
    first = Office(office.everywhere, office.files)
    first, last = sorted([first, office], key=lambda one: one.firm_id)
    for one in (first, last):
        with one.db.unit_of_work() as uow:
            uow.insert(KnownCase, [{"case_id": one.cases.open()} for _ in range(3)])
    answers = last.cases.facts

    def facts(case_ids: list[str]) -> Any:
        if not set(case_ids) <= set(last.cases.clients):
            raise failure
        return answers(case_ids)

    last.calls.answers[GET_CASE_FACTS] = facts
    with pytest.raises(type(failure)):
        known_cases.ask_for_unknown(last.everywhere, last.calls)
    assert {(known(last, case_id) or {})["version"] for case_id in last.cases.clients} == {1}
    assert {(known(first, case_id) or {})["version"] for case_id in first.cases.clients} == {0}


def test_tasks_that_are_assigned_in_bulk_are_archived_if_their_case_is(office: Office) -> None:
    template_id, cases = office.template(), [office.cases.open() for _ in range(2)]
    deliver(office.service, "follow_changed_cases", told(office, cases[0], version=2, archived=True))
    office.service.bulk_assign(selector={"case_ids": cases}, template_ids=[template_id], due=None)
    (asked,) = office.emitted(BULK_ASSIGNMENT_REQUESTED)
    event = received(BULK_ASSIGNMENT_REQUESTED, asked, firm_id=office.firm_id)
    deliver(office.service, "continue_bulk_assignment", event)
    with office.db.read() as session:
        found = session.execute(select(CaseTask.case_id, CaseTask.archived)).all()
    assert {tuple(row) for row in found} == {(cases[0], True), (cases[1], False)}
    assert (known(office, cases[1]) or {})["version"] == 0


def test_a_case_is_locked_though_nothing_was_heard_of_it(office: Office) -> None:
    case_id = new_id()
    with office.db.unit_of_work() as uow:
        assert known_cases.lock_case(uow, case_id).version == 0
    with office.db.unit_of_work() as uow:
        assert known_cases.lock_case(uow, case_id, {**a_case(case_id), "status": "Begun"}).status == "Begun"
