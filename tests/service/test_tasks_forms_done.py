"""When a form on a case is done, and that it is told once each time."""

from __future__ import annotations

import datetime as dt
from typing import Any

from contracts.tasks import FORM_COMPLETED
from services.tasks import answers
from tests.service import forms_desk
from tests.service.forms_desk import intake, listed, make, section, tasks_of
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]

LATER = NOW + dt.timedelta(hours=1)


def answer(office: Office, case_form: dict[str, Any], key: str, given: Any, now: dt.datetime = NOW) -> None:
    (task,) = (task for task in tasks_of(office, case_form["id"]) if task.item_key == key)
    answers.submit_answer(
        office.db, office.calls, now, case_task_id=task.id, answer=given, client_id=None, link_id=None,
        answer_version=task.answer_version, calendar=forms_desk.calendar(office),
    )  # fmt: skip


def reopen(office: Office, case_form: dict[str, Any], key: str) -> None:
    (task,) = (task for task in tasks_of(office, case_form["id"]) if task.item_key == key)
    answers.reopen_case_task(
        office.db, NOW, case_task_id=task.id, reason="Once more.", calendar=forms_desk.calendar(office)
    )


def done_since(office: Office, case_form: dict[str, Any]) -> Any:
    (found,) = listed(office, case_form["case_id"])
    return found["completed_at"]


def test_a_form_is_done_when_nothing_required_is_open_and_again_after_a_task_was_reopened(office: Office) -> None:
    case_form = forms_desk.assign(office, intake(office))
    answer(office, case_form, "phone", "(212) 555-0123")
    assert (done_since(office, case_form), office.emitted(FORM_COMPLETED)) == (None, [])
    answer(office, case_form, "will", False, LATER)
    told = {name: case_form[name] for name in ("form_id", "case_id")} | {"case_form_id": case_form["id"]}
    assert (done_since(office, case_form), office.emitted(FORM_COMPLETED)) == (LATER, [told])
    answer(office, case_form, "will", True)
    assert office.emitted(FORM_COMPLETED) == [told], "it was done and stays so"
    reopen(office, case_form, "will")
    assert done_since(office, case_form) is None
    answer(office, case_form, "will", False)
    assert office.emitted(FORM_COMPLETED) == [told, told]


def test_where_nothing_is_required_all_that_is_shown_is_wanted(office: Office) -> None:
    first, second = (forms_desk.task(office, key) for key in ("first", "second"))
    hidden = forms_desk.task(office, "hidden", condition=forms_desk.when("first", "yes"))
    case_form = forms_desk.assign(office, make(office, section("Only", first, second, hidden)))
    answer(office, case_form, "first", "no")
    assert office.emitted(FORM_COMPLETED) == []
    answer(office, case_form, "second", "x")
    assert len(office.emitted(FORM_COMPLETED)) == 1


def test_what_an_answer_shows_and_is_required_undoes_it(office: Office) -> None:
    first = forms_desk.task(office, "first", required=True)
    more = forms_desk.task(office, "more", required=True, condition=forms_desk.when("first", "yes"))
    case_form = forms_desk.assign(office, make(office, section("Only", first, more)))
    answer(office, case_form, "first", "no")
    assert done_since(office, case_form) == NOW
    answer(office, case_form, "first", "yes")
    assert done_since(office, case_form) is None
    answer(office, case_form, "more", "x")
    assert len(office.emitted(FORM_COMPLETED)) == 2


def test_a_form_of_which_all_was_known_is_done_at_once(office: Office) -> None:
    case_form = forms_desk.assign(office, intake(office), answers={"will": False})
    assert done_since(office, case_form) == NOW
    assert len(office.emitted(FORM_COMPLETED)) == 1
