"""portal: several questions of a page that were sent in one form."""

from __future__ import annotations

import pytest

from chassis.columns import new_id
from contracts import tasks
from contracts.errors import Conflict, Gone, Invalid, NotFound, Unavailable
from contracts.portal import FILL_IN, LINK_USED
from services.portal import links
from services.portal.filling_in import is_blank
from tests.service.portal_office import database, office

__all__ = ["database", "office"]


@pytest.fixture
def link(office):
    return office.link(scope={"kind": "form", "case_form_id": office.case_form_id})


def answered(office):
    """The case tasks that were answered, in the order of the calls, with the answers."""
    return [(call["case_task_id"], call["answer"]) for call in office.calls.asked(tasks.SUBMIT_ANSWER)]


def test_answers_are_handed_on_one_by_one_in_the_order_of_the_form(office, link):
    first, second = office.case_tasks
    outcome = office.fill_in(link, {second: "Side St", first: "Main St"})
    assert outcome == {"refused": [], "waiting": []}
    assert answered(office) == [(first, "Main St"), (second, "Side St")]
    (call, _) = office.calls.asked(tasks.SUBMIT_ANSWER)
    assert (call["client_id"], call["link_id"]) == (office.client_id, link.id)
    assert len(office.emitted(LINK_USED)) == 1
    assert links.get_link(office.db, link.id)["last_used_at"] == office.clock()


def test_what_was_refused_says_why_and_holds_back_no_other(office, link):
    first, second = office.case_tasks
    outcome = office.fill_in(link, {first: "refuse", second: "Side St"})
    assert outcome["refused"] == [{"case_task_id": first, "code": "too_long", "limits": {"longest": "5"}}]
    assert FILL_IN.response().dump(outcome) == outcome
    assert list(office.given_by) == [second]


@pytest.mark.parametrize("blank", [None, "", " \n", [], ["", None]])
def test_an_optional_question_left_blank_is_answered_once_all_else_is_right(office, link, blank):
    assert is_blank(blank)
    first, second = office.case_tasks
    assert office.fill_in(link, {first: blank, second: "refuse"})["waiting"] == [first]
    assert office.fill_in(link, {first: blank, second: "Side St"}, finished=False)["waiting"] == [first]
    assert answered(office) == [(second, "refuse"), (second, "Side St")]
    office.fill_in(link, {first: blank, second: "Side St"})
    assert answered(office)[2:] == [(second, "Side St"), (first, blank)]


def test_a_required_question_left_blank_is_for_tasks_to_refuse(office, link):
    first, second = office.case_tasks
    office.case_tasks[first]["required"] = True
    assert office.fill_in(link, {first: "", second: None}, finished=False)["waiting"] == [second]
    assert answered(office) == [(first, "")]


@pytest.mark.parametrize("error", [Conflict("task_skipped"), NotFound("case_task_not_found"), Invalid("too_long")])
def test_what_an_answer_before_it_hid_is_passed_over(office, link, error):
    first, second = office.case_tasks

    def hides_the_second(case_task_id, **_):
        if case_task_id == second:
            raise error
        return office.case_tasks.pop(second)

    office.calls.answers[tasks.SUBMIT_ANSWER] = hides_the_second
    assert office.fill_in(link, {first: "no", second: "x"}) == {"refused": [], "waiting": []}
    assert len(answered(office)) == 2


def test_the_same_form_once_more_hands_on_only_what_was_filled_in_there(office, link):
    first, second = office.case_tasks
    for _ in range(2):
        office.fill_in(link, {first: "Main St", second: ""}, untouched=[second])
    assert answered(office) == [(first, "Main St"), (second, ""), (first, "Main St")]


@pytest.mark.parametrize("part", ["answer", "draft"])
def test_what_another_client_gave_is_not_taken_for_left_blank(office, link, part):
    first, second = office.case_tasks
    office.case_tasks[second]["hidden"] = [part]
    office.fill_in(link, {first: "Main St", second: ""}, untouched=[second])
    assert answered(office) == [(first, "Main St")]
    office.fill_in(link, {first: "Main St", second: "Side St"}, untouched=[first])
    assert (second, "Side St") in answered(office)


def test_what_the_page_does_not_show_is_passed_over_and_uses_no_link(office, link):
    assert office.fill_in(link, {new_id(): "x"}) == {"refused": [], "waiting": []}
    assert office.emitted(LINK_USED) == []
    office.state = "archived"
    office.fill_in(link, dict.fromkeys(office.case_tasks, "x"))
    office.fill_in(link, dict.fromkeys(office.case_tasks, "x"), later=True)
    assert (answered(office), office.calls.asked(tasks.SAVE_DRAFT)) == ([], [])


def test_an_erased_client_fills_in_nothing(office, link):
    office.client["state"] = "erased"
    with pytest.raises(Gone):
        office.fill_in(link, dict.fromkeys(office.case_tasks, "Zerelda"))
    assert answered(office) == []


def test_what_was_taken_before_a_service_went_away_stays_taken(office, link):
    first, second = office.case_tasks
    given = office.calls.answers[tasks.SUBMIT_ANSWER]

    def goes_away(**answer):
        if answer["case_task_id"] == second:
            raise Unavailable("no_answer")
        return given(**answer)

    office.calls.answers[tasks.SUBMIT_ANSWER] = goes_away
    with pytest.raises(Unavailable):
        office.fill_in(link, {first: "Main St", second: "Side St"})
    assert office.case_tasks[first]["status"] == "completed"


# Kept for later


def test_what_was_touched_is_kept_as_drafts(office, link):
    first, second = office.case_tasks
    outcome = office.fill_in(link, {first: "Ma", second: "Si"}, later=True, untouched=[second])
    assert outcome == {"refused": [], "waiting": []}
    assert office.calls.asked(tasks.SAVE_DRAFT) == [
        {"case_task_id": first, "draft": "Ma", "client_id": office.client_id}
    ]
    assert answered(office) == []


def test_what_cannot_be_kept_says_so(office, link):
    first, second = office.case_tasks
    office.case_tasks[first]["kind"] = "signature"
    outcome = office.fill_in(link, {first: {"name": "Ann"}, second: "refuse"}, later=True)
    assert outcome["waiting"] == [first]
    assert [(one["case_task_id"], one["code"]) for one in outcome["refused"]] == [(second, "too_long")]
    office.case_tasks[second]["status"] = "completed"
    outcome = office.fill_in(link, {second: "Side St"}, later=True)
    assert [one["code"] for one in outcome["refused"]] == ["answer_not_saved"]
    assert office.fill_in(link, {second: "x"}, later=True, untouched=[second])["refused"] == []
