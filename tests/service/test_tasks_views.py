"""Lists of case tasks, statuses as of the clock, and progress."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.database import Database
from contracts import cases
from contracts.errors import Invalid, NotFound
from contracts.tasks import OPEN_STATUSES, STATUSES, ListCaseTasks
from services.tasks import answers, facts, views
from services.tasks.listing.lists import list_case_tasks
from services.tasks.models import CaseTask
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]

HOUR = dt.timedelta(hours=1)


def listed(office: Office, now: dt.datetime = NOW, db: Database | None = None, **query: Any) -> dict[str, Any]:
    given = {**ListCaseTasks().load({}), **query}
    return list_case_tasks(db or office.db, office.calls, now, **given)


def titles(page: dict[str, Any]) -> list[str]:
    return [entry["title"] for entry in page["data"]]


def due(at: dt.datetime) -> dict[str, Any]:
    return {"mode": "fixed", "at": at, "days": None}


@pytest.fixture
def one_of_each(office: Office) -> str:
    """A case with a task of each status, each with its status as its title."""
    case_id = office.cases.open()
    for number, (status, stored, at) in enumerate(
        [
            ("to_do", "to_do", NOW + HOUR),
            ("in_progress", "in_progress", None),
            ("overdue", "to_do", NOW - HOUR),
            ("completed", "completed", NOW - 2 * HOUR),
            ("skipped", "skipped", NOW - 2 * HOUR),
        ]
    ):
        made = office.assign(
            case_id,
            office.template(title=status),
            due=due(at) if at else None,
            now=NOW - dt.timedelta(days=1, minutes=number),
        )
        with office.db.unit_of_work() as uow:
            uow.session.scalars(select(CaseTask).where(CaseTask.id == made["id"])).one().status = stored
    return case_id


def test_overdue_is_a_fact_of_the_clock(office: Office) -> None:
    task = office.assign(due=due(NOW))

    def status(now: dt.datetime) -> set[str]:
        found = {
            views.get_case_task(office.db, now, task["id"])["status"],
            facts.get_case_task_facts(office.db, now, [task["id"]])["case_tasks"][0]["status"],
            listed(office, now)["data"][0]["status"],
        }
        (seen,) = found
        assert titles(listed(office, now, status=[seen])) == [task["title"]]
        assert listed(office, now, status=[other for other in STATUSES if other != seen])["data"] == []
        return found

    assert status(NOW) == {"to_do"}
    # A deadline is the last second in time: a day's is 23:59:59, and the day is over at midnight.
    assert status(NOW + dt.timedelta(seconds=1, microseconds=-1)) == {"to_do"}
    assert status(NOW + dt.timedelta(seconds=1)) == {"overdue"}
    answers.submit_answer(
        office.db, office.calls, NOW + HOUR, case_task_id=task["id"], answer="", client_id=None, link_id=None
    )
    assert status(NOW + HOUR) == {"completed"}


@pytest.mark.parametrize(
    "statuses",
    [[], list(STATUSES), list(OPEN_STATUSES), ["overdue"], ["to_do"], ["to_do", "overdue"],
     ["in_progress", "completed"], ["completed", "skipped"], ["overdue", "skipped"]],
)  # fmt: skip
def test_filters_on_status_mean_the_status_that_is_shown(office: Office, one_of_each: str, statuses: list[str]) -> None:
    found = listed(office, status=statuses)
    assert sorted(titles(found)) == sorted(statuses or STATUSES)
    assert all(entry["status"] == entry["title"] for entry in found["data"])
    assert found["meta"]["total"] == len(found["data"])


@pytest.mark.parametrize("over_all", [True, False])
@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (None, ["to_do", "in_progress", "overdue", "completed", "skipped"]),
        ("created_at", ["skipped", "completed", "overdue", "in_progress", "to_do"]),
        ("title", ["completed", "in_progress", "overdue", "skipped", "to_do"]),
        ("status", ["overdue", "in_progress", "to_do", "completed", "skipped"]),
        ("-status", ["skipped", "completed", "to_do", "in_progress", "overdue"]),
    ],
)
def test_every_order_can_be_paged(
    office: Office, one_of_each: str, sort: str | None, expected: list[str], over_all: bool
) -> None:
    if over_all and sort == "title":
        with pytest.raises(Invalid, match="sort_needs_case"):
            listed(office, sort=sort)
        return
    found, cursor, case_id = [], None, None if over_all else one_of_each
    while True:
        page = listed(office, case_id=case_id, sort=sort, limit=2, cursor=cursor)
        found += titles(page)
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            break
    assert found == expected


def test_tasks_without_a_due_date_come_last(office: Office, one_of_each: str) -> None:
    by_due = titles(listed(office, sort="due_at"))
    assert set(by_due[:2]) == {"completed", "skipped"}
    assert by_due[2:] == ["overdue", "to_do", "in_progress"]


def test_a_list_is_narrowed_by_case_template_assignee_and_due_date(office: Office, one_of_each: str) -> None:
    mine = office.assign(template_id=office.template(title="mine"), assignee_id=office.staff_id, due=due(NOW))
    assert titles(listed(office, assignee_id=office.staff_id)) == ["mine"]
    assert titles(listed(office, template_id=mine["template_id"])) == ["mine"]
    assert len(titles(listed(office, case_id=one_of_each))) == 5
    assert titles(listed(office, due_from=NOW, due_to=NOW + HOUR)) == ["mine"]
    with pytest.raises(Invalid):
        listed(office, due_from=NOW, due_to=NOW - HOUR)
    with pytest.raises(Invalid, match="invalid_sort"):
        listed(office, sort="answer")


def test_a_case_without_tasks_is_empty_and_a_case_that_is_not_the_firms_is_not_found(office: Office) -> None:
    case_id = office.cases.open()
    found = listed(office, case_id=case_id)
    assert (found["data"], found["meta"]) == ([], {"next_cursor": None, "total": 0})
    assert views.get_case_progress(office.db, office.calls, case_id)["total"] == 0
    with pytest.raises(NotFound, match="case_not_found"):
        listed(office, case_id=new_id())
    with pytest.raises(NotFound, match="case_not_found"):
        views.get_case_progress(office.db, office.calls, new_id())


def test_progress_is_completed_over_all_but_skipped(office: Office, one_of_each: str) -> None:
    progress = views.get_case_progress(office.db, office.calls, one_of_each)
    assert progress == {"case_id": one_of_each, "completed": 1, "total": 4}


def test_the_open_tasks_of_cases_are_listed_in_the_order_of_assignment(office: Office, one_of_each: str) -> None:
    other = office.assign(template_id=office.template(title="other"))
    tasks = views.list_open_tasks(office.db, NOW, [one_of_each, other["case_id"], new_id()])["case_tasks"]
    assert [task["status"] for task in tasks] == ["overdue", "in_progress", "to_do", "to_do"]
    assert tasks[-1] == other
    assert views.list_open_tasks(office.foreign_db, NOW, [one_of_each])["case_tasks"] == []


def test_another_firm_sees_no_task(office: Office, one_of_each: str) -> None:
    assert listed(office, db=office.foreign_db)["data"] == []
    with pytest.raises(NotFound, match="case_task_not_found"):
        views.get_case_task(office.foreign_db, NOW, listed(office)["data"][0]["id"])


def test_a_clients_open_tasks_are_counted_and_the_first_due_come_first(office):
    case_id, closed = office.cases.open(), office.cases.open()
    (client_id,) = office.cases.clients[case_id]
    office.calls.answers[cases.GET_CLIENT_CASES] = lambda client_ids: {
        "cases": [
            {"case_id": case_id, "open": True, "client_ids": client_ids, "alone": True},
            {"case_id": closed, "open": False, "client_ids": client_ids, "alone": True},
        ]
    }
    due = [{"mode": "fixed", "at": NOW + dt.timedelta(days=days)} for days in (5, 2)]
    late, soon = (office.assign(case_id, due=one)["id"] for one in due)
    whenever = office.assign(case_id)["id"]
    office.assign(closed)
    done = office.assign(case_id)["id"]
    answers.submit_answer(
        office.db, office.calls, NOW, case_task_id=done, answer="+12125550142", client_id=None, link_id=None
    )
    found = office.service.list_client_tasks(client_id=client_id, limit=2)
    assert found["open"] == 3
    assert [task["id"] for task in found["case_tasks"]] == [soon, late]
    every = office.service.list_client_tasks(client_id=client_id, limit=20)["case_tasks"]
    assert [task["id"] for task in every] == [soon, late, whenever]
    del office.calls.answers[cases.GET_CLIENT_CASES]  # nobody is asked for what the caller knows
    assert office.service.list_client_tasks(client_id=client_id, case_ids=[case_id], limit=2) == found
    assert office.service.list_client_tasks(client_id=client_id, case_ids=[]) == {"open": 0, "case_tasks": []}
