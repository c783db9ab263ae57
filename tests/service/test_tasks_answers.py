"""Answers: completing, correcting and reopening, and what others are told about them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import eventlet
import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.database import Database
from contracts.cases import GET_CASE_FACTS
from contracts.errors import Conflict, Invalid, NotFound
from contracts.tasks import TASK_COMPLETED, TASK_REOPENED
from services.tasks import answers, facts, history, templates, views
from services.tasks.models import CaseTask
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]

LATER = NOW + dt.timedelta(hours=1)
TO_PHONE = {"target": "client", "field": "phone"}


def submit(
    office: Office,
    task: dict[str, Any],
    answer: Any,
    client_id: str | None = None,
    db: Database | None = None,
    version: int = 0,
    now: dt.datetime = LATER,
) -> dict[str, Any]:
    """By that client through a link, else by staff."""
    link_id = new_id() if client_id else None
    by_client = Context(firm_id=office.firm_id, actor_id=client_id, actor_kind="client")
    with use(by_client if client_id else office.context):
        return answers.submit_answer(
            db or office.db, office.calls, now, case_task_id=task["id"], answer=answer, client_id=client_id,
            link_id=link_id, answer_version=version,
        )  # fmt: skip


def mapped(office: Office, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = facts.get_mapped_answers(office.db, office.calls, [t["id"] for t in tasks])["answers"]
    return found


def test_a_clients_answer_completes_the_task_and_tells_who_owns_the_field(office: Office) -> None:
    client_id = new_id()
    task = office.assign(template_id=office.template(mapping=TO_PHONE))
    done = submit(office, task, "(212) 555-0123", client_id)
    assert done == views.get_case_task(office.db, LATER, task["id"])
    assert (done["status"], done["answer"], done["answered_by"]) == ("completed", "+12125550123", "client")
    assert (done["completed_at"], done["answer_version"], done["version"]) == (LATER, 1, 2)
    assert office.emitted(TASK_COMPLETED) == [
        {
            "case_task_id": task["id"],
            "case_id": task["case_id"],
            "template_id": task["template_id"],
            "client_id": client_id,
            "answered_by": "client",
            "mapped": "client",
            "answer_version": 1,
            "corrected": False,
        }
    ]
    answer = mapped(office, task)[0]
    assert (answer["client_id"], answer["value"], answer["field"]) == (client_id, "+12125550123", "phone")
    assert answer["link_id"] is not None


def test_a_refused_answer_changes_nothing(office: Office) -> None:
    task = office.assign()
    with pytest.raises(Invalid, match="invalid_phone"):
        submit(office, task, "12")
    assert views.get_case_task(office.db, NOW, task["id"]) == task
    assert office.emitted(TASK_COMPLETED) == []


def test_a_blank_answer_completes_a_task_that_is_not_required_and_clears_what_it_is_mapped_to(office: Office) -> None:
    task = office.assign(template_id=office.template(mapping=TO_PHONE))
    assert submit(office, task, "  ")["answer"] is None
    assert [answer["value"] for answer in mapped(office, task)] == [None]
    required = office.assign(template_id=office.template(required=True))
    with pytest.raises(Invalid, match="answer_required"):
        submit(office, required, None)


def test_staff_answer_for_the_primary_client(office: Office) -> None:
    case_id = office.cases.open(clients=2)
    task = office.assign(case_id, office.template(mapping=TO_PHONE))
    submit(office, task, "+12125550123")
    (answer,) = mapped(office, task)
    assert (answer["client_id"], answer["primary_client_id"]) == (None, office.cases.clients[case_id][0])
    assert office.emitted(TASK_COMPLETED)[0]["answered_by"] == "staff"
    spouse = office.cases.clients[case_id][1]
    written_down = answers.submit_answer(
        office.db, office.calls, LATER, case_task_id=task["id"], answer="+12125550124", client_id=spouse,
        link_id=new_id(), answer_version=1,
    )  # fmt: skip
    (answer,) = mapped(office, task)
    assert (answer["client_id"], answer["link_id"], written_down["answered_by"]) == (spouse, None, "staff")
    with pytest.raises(Invalid, match="client_not_on_case"):
        answers.submit_answer(
            office.db, office.calls, LATER, case_task_id=task["id"], answer="+12125550125", client_id=new_id(),
            link_id=None, answer_version=2,
        )  # fmt: skip
    assert mapped(office, task) == [answer]
    to_case = office.template(kind="one_choice", options=["north"], mapping={"target": "case", "field": "court"})
    asked = len(office.calls.asked(GET_CASE_FACTS))
    court = office.assign(case_id, to_case)
    submit(office, court, "north")
    assert mapped(office, court)[0]["target"] == "case"
    assert len(office.calls.asked(GET_CASE_FACTS)) == asked + 1, "asked by the assignment alone"


def test_a_mapping_is_read_when_the_task_completes_and_clearing_it_stops_later_answers(office: Office) -> None:
    template_id = office.template(mapping=TO_PHONE)
    first, second = office.assign(template_id=template_id), office.assign(template_id=template_id)
    submit(office, first, "+12125550123", new_id())
    templates.update_template(
        office.db, office.calls, NOW, task_template_id=template_id, changes={"mapping": None}, expected_version=None
    )
    submit(office, second, "+12125550124", new_id())
    assert [data["mapped"] for data in office.emitted(TASK_COMPLETED)] == ["client", None]
    assert mapped(office, first, second) == []


def test_each_correction_is_the_next_version_and_drops_the_old_refusal(office: Office) -> None:
    task = office.assign()
    submit(office, task, "+12125550123", new_id())
    with office.db.unit_of_work() as uow:
        row = uow.session.scalars(select(CaseTask)).one()
        assert row.reject("phone", "in_use", 1, LATER)
    corrected = submit(office, task, "+12125550124", version=1, now=LATER + dt.timedelta(days=1))
    assert (corrected["answer"], corrected["answer_version"], corrected["rejection"]) == ("+12125550124", 2, None)
    assert (corrected["answered_by"], corrected["version"]) == ("staff", 4)
    assert corrected["completed_at"] == LATER, "a typo that is put right finishes nothing later"


def test_of_several_answers_at_once_none_is_lost(office: Office) -> None:
    task = office.assign(template_id=office.template(kind="number"))

    threads = [eventlet.spawn(submit, office, task, number, new_id()) for number in range(8)]
    for thread in threads:
        thread.wait()
    told = sorted(data["answer_version"] for data in office.emitted(TASK_COMPLETED))
    assert told == list(range(1, 9))
    assert views.get_case_task(office.db, NOW, task["id"])["answer_version"] == 8


def test_a_reopened_task_is_open_with_its_answer_and_its_reason(office: Office) -> None:
    task = office.assign(template_id=office.template(mapping=TO_PHONE))
    with pytest.raises(Conflict, match="task_not_completed"):
        answers.reopen_case_task(office.db, LATER, case_task_id=task["id"], reason="Too early.")
    submit(office, task, "+12125550123", new_id())
    asked_at = LATER + dt.timedelta(minutes=1)
    again = answers.reopen_case_task(office.db, asked_at, case_task_id=task["id"], reason="Wrong number.")
    assert (again["status"], again["answer"], again["completed_at"]) == ("to_do", "+12125550123", None)
    assert office.emitted(TASK_REOPENED) == [{"case_task_id": task["id"], "case_id": task["case_id"]}]
    assert mapped(office, task) == [], "an open task has no answer to apply"
    submit(office, task, "+12125550124", version=1, now=LATER + dt.timedelta(hours=1))
    submit(office, task, "+12125550125", version=2, now=LATER + dt.timedelta(hours=2))
    found = history.list_case_task_changes(office.db, case_task_id=task["id"], limit=10, cursor=None, sort="created_at")
    assert [(change["kind"], change["actor_kind"], change["facts"]) for change in found["data"]] == [
        ("answered", "client", {"answer_version": 1, "corrected": False}),
        ("reopened", "staff", {"reason": "Wrong number."}),
        ("answered", "staff", {"answer_version": 2, "corrected": False}),
        ("answered", "staff", {"answer_version": 3, "corrected": True}),
    ]
    assert found["data"][0]["actor_id"] is None, "a client is not named"


def test_a_skipped_task_takes_no_answer(office: Office) -> None:
    task = office.assign()
    with office.db.unit_of_work() as uow:
        uow.session.scalars(select(CaseTask)).one().status = "skipped"
    with pytest.raises(Conflict, match="task_skipped"):
        submit(office, task, "+12125550123")


def test_another_firm_can_neither_answer_nor_read(office: Office) -> None:
    task = office.assign(template_id=office.template(mapping=TO_PHONE))
    with pytest.raises(NotFound, match="case_task_not_found"):
        submit(office, task, "+12125550123", db=office.foreign_db)
    submit(office, task, "+12125550123", new_id())
    with pytest.raises(NotFound, match="case_task_not_found"):
        answers.reopen_case_task(office.foreign_db, NOW, case_task_id=task["id"], reason="Mine.")
    assert facts.get_mapped_answers(office.foreign_db, office.calls, [task["id"]])["answers"] == []
    assert facts.get_case_task_facts(office.foreign_db, NOW, [task["id"]])["case_tasks"] == []
