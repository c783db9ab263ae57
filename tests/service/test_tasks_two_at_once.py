"""Two who answer one task at once: what the second is told."""

from __future__ import annotations

from typing import Any

import eventlet
import pytest

from chassis.columns import new_id
from contracts.errors import Conflict
from contracts.tasks import TASK_COMPLETED
from services.tasks import answers, assigning, views
from services.tasks.models import CaseTask
from tests.service.tasks_office import NOW, Office, database, office
from tests.service.test_tasks_drafts import LATER, STORY, save, send

__all__ = ["database", "office"]


def asked(office: Office) -> str:
    return str(office.assign(template_id=office.template(**STORY))["id"])


def test_of_two_staff_at_once_one_is_told_of_the_other(office: Office) -> None:
    task_id = asked(office)

    def attempt(answer: str) -> Any:
        try:
            return send(office, task_id, answer)["answer"]
        except Conflict as refused:
            return refused

    said = [thread.wait() for thread in [eventlet.spawn(attempt, f"Story {number}") for number in range(4)]]
    refused = [one for one in said if isinstance(one, Conflict)]
    (taken,) = (one for one in said if isinstance(one, str))
    assert len(refused) == 3
    for one in refused:
        assert (one.code, one.meta) == ("answered_meanwhile", {"case_task_id": task_id, "answer_version": "1"})
    assert views.get_case_task(office.db, NOW, task_id)["answer"] == taken
    assert len(office.emitted(TASK_COMPLETED)) == 1


def test_staff_correct_the_answer_that_they_saw(office: Office) -> None:
    task_id = asked(office)
    send(office, task_id, "It rained.", new_id())
    with pytest.raises(Conflict, match="answered_meanwhile"):
        send(office, task_id, "It snowed.")
    assert send(office, task_id, "It snowed.", version=1)["answer_version"] == 2
    with pytest.raises(Conflict, match="answered_meanwhile"):
        send(office, task_id, "It hailed.", version=1)
    assert send(office, task_id, "It snowed.", version=2)["answer_version"] == 3, "given again on purpose"


def test_a_client_corrects_what_is_there(office: Office) -> None:
    task_id, client_id = asked(office), new_id()
    send(office, task_id, "It rained.")
    assert send(office, task_id, "It snowed.", client_id)["answer"] == "It snowed."
    assert send(office, task_id, "It hailed.", client_id)["answer_version"] == 3


@pytest.mark.parametrize("by_staff", [True, False])
def test_a_button_pressed_twice_is_one_answer(office: Office, by_staff: bool) -> None:
    task_id, client_id = asked(office), None if by_staff else new_id()
    first = send(office, task_id, "It rained.", client_id)
    assert send(office, task_id, " It rained. ", client_id) == first
    assert len(office.emitted(TASK_COMPLETED)) == 1


def test_the_same_answer_of_somebody_else_is_theirs(office: Office) -> None:
    task_id, one, other = asked(office), new_id(), new_id()
    send(office, task_id, "It rained.", one)
    assert send(office, task_id, "It rained.", other)["answer_version"] == 2
    with pytest.raises(Conflict, match="answered_meanwhile"):
        send(office, task_id, "It rained.")


def test_an_answer_that_was_refused_elsewhere_can_be_given_again(office: Office) -> None:
    task_id, client_id = asked(office), new_id()
    send(office, task_id, "It rained.", client_id)
    with office.db.unit_of_work() as uow:
        assert uow.session.get_one(CaseTask, (office.firm_id, task_id)).reject("phone", "in_use", 1, LATER)
    assert send(office, task_id, "It rained.", client_id)["answer_version"] == 2


def test_of_two_who_answer_what_was_reopened_one_is_told(office: Office) -> None:
    task_id = asked(office)
    send(office, task_id, "It rained.")
    answers.reopen_case_task(office.db, LATER, case_task_id=task_id, reason="Which day?")
    assert send(office, task_id, "On Monday.")["answer_version"] == 2
    with pytest.raises(Conflict, match="answered_meanwhile"):
        send(office, task_id, "On Tuesday.", version=1)


def test_what_is_archived_is_closed_to_changes(office: Office) -> None:
    task_id = asked(office)
    with office.db.unit_of_work() as uow:
        views.load_case_task(uow.session, task_id).archived = True
    before = views.get_case_task(office.db, NOW, task_id)
    for client_id in (None, new_id()):
        with pytest.raises(Conflict, match="case_archived"):
            send(office, task_id, "It rained.", client_id)
        with pytest.raises(Conflict, match="case_archived"):
            save(office, task_id, "It rained.", client_id)
    with pytest.raises(Conflict, match="case_archived"):
        answers.reopen_case_task(office.db, LATER, case_task_id=task_id, reason="Which day?")
    changes = {"assignee_id": office.staff_id}
    with pytest.raises(Conflict, match="case_archived"):
        assigning.update_case_task(
            office.db, office.calls, LATER, case_task_id=task_id, changes=changes, expected_version=None
        )
    assert views.get_case_task(office.db, NOW, task_id) == before
