"""Bulk assignment: pages, repeats, crashes, and what is left out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import func, select

from chassis.columns import new_id
from chassis.context import use
from contracts import cases
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.tasks import BULK_ASSIGNMENT_FINISHED, TASKS_ASSIGNED
from services.tasks import bulk_assigning, bulk_pages, form_assigning, templates, views
from services.tasks.models import CaseTask
from tests.service.bulk_desk import begin, requests, state, work
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_pages, "PAGE_OF_CASES", 4)
    monkeypatch.setattr(form_assigning, "EVENT_SIZE", 3)


def assigned(office: Office) -> list[tuple[str, str]]:
    with office.db.read() as session:
        rows = session.execute(select(CaseTask.case_id, CaseTask.template_id))
        return sorted((case_id, template_id) for case_id, template_id in rows)


def test_every_selected_case_gets_every_template_once(office: Office) -> None:
    case_ids = [office.cases.open() for _ in range(10)]
    first, second = office.template(title="First"), office.template(title="Second")
    record = begin(office, first, second, first)
    assert (record["state"], record["progress"], record["added"]) == ("running", {"done": 0, "total": 10}, 0)
    work(office)
    work(office)
    done = state(office, record)
    assert (done["state"], done["progress"], done["added"]) == ("finished", {"done": 10, "total": 10}, 20)
    assert (done["left_out"], done["examples"]) == ({}, [])
    told = {"bulk_assignment_id": record["id"], "state": "finished", "added": 20, "left_out": {}}
    assert office.emitted(BULK_ASSIGNMENT_FINISHED) == [told]
    assert assigned(office) == sorted((case_id, template) for case_id in case_ids for template in (first, second))
    events = office.emitted(TASKS_ASSIGNED)
    assert {len(data["case_task_ids"]) for data in events} <= {1, 2, 3}
    assert len({id_ for data in events for id_ in data["case_task_ids"]}) == 20
    assert len(requests(office)) == 1


def test_a_second_bulk_assignment_adds_only_what_is_missing_and_says_what_it_left_out(office: Office) -> None:
    template_id = office.template()
    by_hand = office.assign(office.cases.open(), template_id)
    office.cases.open()
    begin(office, template_id)
    work(office)
    new_case = office.cases.open()
    record = begin(office, template_id)
    work(office)
    done = state(office, record)
    assert (done["added"], done["left_out"]) == (1, {"already_assigned": 2})
    assert {entry["reason"] for entry in done["examples"]} == {"already_assigned"}
    assert {entry["case_id"] for entry in done["examples"]} == office.cases.clients.keys() - {new_case}
    assert assigned(office).count((by_hand["case_id"], template_id)) == 1


def test_templates_and_due_date_are_those_of_the_request(office: Office) -> None:
    office.cases.open()
    template_id = office.template(title="As asked")
    record = begin(office, template_id, due={"mode": "relative", "days": 1, "business": False, "at": None})
    templates.update_template(
        office.db, office.calls, NOW, task_template_id=template_id, changes={"title": "Later"}, expected_version=None
    )
    work(office)
    task = views.list_open_tasks(office.db, NOW, list(office.cases.clients))["case_tasks"][0]
    assert state(office, record)["added"] == 1
    assert task["title"] == "As asked"
    assert task["due_at"].isoformat() == "2026-11-23T04:59:59+00:00"


def test_a_bad_request_is_refused_at_once(office: Office) -> None:
    template_id = office.template()
    with pytest.raises(Invalid, match="empty_selector"):
        begin(office, template_id, selector={})
    with pytest.raises(NotFound, match="case_list_not_found"):
        begin(office, template_id, selector={"case_list_ids": [new_id()]})
    with pytest.raises(NotFound, match="task_template_not_found"):
        begin(office, template_id, new_id())
    with pytest.raises(Invalid, match="incomplete_due_rule"):
        begin(office, template_id, due={"mode": "fixed", "at": None, "days": None})
    assert requests(office) == []


def test_a_crash_resumes_where_it_was(office: Office) -> None:
    for _ in range(10):
        office.cases.open()
    record = begin(office, office.template())
    event = requests(office)[0]

    def fail_on_second_page(selector: Any, limit: int, cursor: str | None, **_: Any) -> dict[str, Any]:
        if cursor is not None:
            raise Unavailable("service_unavailable")
        return office.cases.select(selector, limit, cursor)

    whole = office.raw_calls.answers[cases.SELECT_CASES]
    office.raw_calls.answers[cases.SELECT_CASES] = fail_on_second_page
    with pytest.raises(Unavailable):
        work(office, event)
    halfway = state(office, record)
    assert (halfway["state"], halfway["progress"], halfway["added"]) == ("running", {"done": 4, "total": 10}, 4)
    office.raw_calls.answers[cases.SELECT_CASES] = whole
    work(office, event, event)
    done = state(office, record)
    assert (done["state"], done["progress"]["done"], done["added"], done["left_out"]) == ("finished", 10, 10, {})
    assert len(assigned(office)) == 10


def test_a_long_one_goes_on_in_turns_and_a_repeated_turn_changes_nothing(office: Office) -> None:
    for _ in range(10):
        office.cases.open()
    record = begin(office, office.template())
    done = 0
    while done < len(requests(office)):
        event = requests(office)[done]
        with use(office.context):
            bulk_pages.continue_bulk_assignment(office.db, office.raw_calls, event, turn_seconds=-1)
        done += 1
    assert done == 3, "one page a turn"
    work(office)
    assert len(requests(office)) == 3
    finished = state(office, record)
    assert (finished["state"], finished["progress"]["done"], finished["added"]) == ("finished", 10, 10)
    assert len(assigned(office)) == 10


def test_two_at_once_on_one_event_share_the_work(office: Office) -> None:
    """The second is let in whenever the first asks for a page."""
    for _ in range(12):
        office.cases.open()
    record = begin(office, office.template())
    event = requests(office)[0]
    calls, nested = office.raw_calls, []

    def overtaken(selector: Any, limit: int, cursor: str | None, **_: Any) -> dict[str, Any]:
        page = office.cases.select(selector, limit, cursor)
        if not nested:
            nested.append(event)
            with use(office.context):
                bulk_pages.continue_bulk_assignment(office.db, calls, event)
        return page

    calls.answers[cases.SELECT_CASES] = overtaken
    work(office, event)
    done = state(office, record)
    assert (done["state"], done["progress"]["done"], done["added"], done["left_out"]) == ("finished", 12, 12, {})


def test_what_vanishes_on_the_way_ends_it_with_its_reason(office: Office) -> None:
    for _ in range(6):
        office.cases.open()
    record = begin(office, office.template())

    def gone(selector: Any, limit: int, cursor: str | None, **_: Any) -> dict[str, Any]:
        if cursor is not None:
            raise NotFound("saved_filter_not_found")
        return office.cases.select(selector, limit, cursor)

    office.raw_calls.answers[cases.SELECT_CASES] = gone
    work(office)
    work(office)
    failed = state(office, record)
    assert (failed["state"], failed["failure"], failed["added"]) == ("failed", "saved_filter_not_found", 4)


def test_another_firm_does_not_see_it(office: Office) -> None:
    record = begin(office, office.template())
    with pytest.raises(NotFound, match="bulk_assignment_not_found"):
        bulk_assigning.get_bulk_assignment(office.foreign_db, record["id"])
    work(office)
    with office.foreign_db.read() as session:
        assert session.scalar(select(func.count()).select_from(CaseTask)) == 0


def test_one_that_is_cancelled_stops_between_two_pages(office: Office) -> None:
    """It is cancelled while its second page is asked for."""
    for _ in range(12):
        office.cases.open()
    record = begin(office, office.template())

    def cancelled(selector: Any, limit: int, cursor: str | None, **_: Any) -> dict[str, Any]:
        page = office.cases.select(selector, limit, cursor)
        if state(office, record)["added"]:
            bulk_assigning.cancel_bulk_assignment(office.db, NOW, record["id"])
        return page

    office.raw_calls.answers[cases.SELECT_CASES] = cancelled
    work(office)
    ended = state(office, record)
    assert (ended["state"], ended["progress"], ended["added"]) == ("cancelled", {"done": 4, "total": 12}, 4)
    work(office)
    assert bulk_assigning.cancel_bulk_assignment(office.db, NOW, record["id"]) == ended, "once more changes nothing"
    assert len(assigned(office)) == 4
    assert [told["state"] for told in office.emitted(BULK_ASSIGNMENT_FINISHED)] == ["cancelled"]


def test_what_has_ended_is_not_cancelled(office: Office) -> None:
    office.cases.open()
    record = begin(office, office.template())
    work(office)
    with pytest.raises(Conflict, match="bulk_assignment_ended"):
        bulk_assigning.cancel_bulk_assignment(office.db, NOW, record["id"])
    with pytest.raises(NotFound, match="bulk_assignment_not_found"):
        bulk_assigning.cancel_bulk_assignment(office.foreign_db, NOW, record["id"])
    assert state(office, record)["state"] == "finished"


def test_those_of_the_firm_are_listed_the_newest_first(office: Office) -> None:
    office.cases.open()
    finished = begin(office, office.template())
    work(office)
    running = begin(office, office.template(), now=NOW + dt.timedelta(minutes=1))
    page: dict[str, Any] = {"limit": 50, "cursor": None, "sort": None}
    found = bulk_assigning.list_bulk_assignments(office.db, state=None, **page)
    assert [each["id"] for each in found["data"]] == [running["id"], finished["id"]]
    found = bulk_assigning.list_bulk_assignments(office.db, state="finished", **page)
    assert found["data"] == [state(office, finished)]
    assert bulk_assigning.list_bulk_assignments(office.foreign_db, state=None, **page)["data"] == []


def test_one_of_the_release_before_goes_on(office: Office) -> None:
    """It has copies of templates, and their due date besides."""
    case_id, template_id = office.cases.open(), office.template(title="As asked")
    record = begin(office, template_id, due={"mode": "relative", "days": 1})
    with office.db.unit_of_work() as uow:
        found = bulk_assigning.load(uow.session, record["id"], with_assigned=True)
        due_at, later = found.due_at, {"due_rule", "due_at", "assignee_id", "status"}
        found.copies = [{name: value for name, value in copy.items() if name not in later} for copy in found.copies]
        found.frozen = None
    assert due_at is not None
    work(office)
    with office.db.read() as session:
        (task,) = session.scalars(select(CaseTask))
    assert (task.case_id, task.template_id, task.title, task.due_at) == (case_id, template_id, "As asked", due_at)
