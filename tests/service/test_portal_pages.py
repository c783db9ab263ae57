"""portal: pages behind links, and the answers given on them."""

from __future__ import annotations

import pytest

from chassis.columns import new_id
from chassis.testing import (
    deliver,
    received,
)
from contracts import accounts, tasks
from contracts.errors import Conflict, Gone, Invalid
from contracts.portal import GET_PAGE, LINK_USED, PortalPage
from services.portal import links
from tests.service.portal_office import database, office

__all__ = ["database", "office"]


# Pages


def test_a_page_is_composed_in_the_name_of_the_links_firm_and_client(office):
    page = office.page(office.link())
    assert page["branding"]["firm_name"] == "Harbor & Lane"
    assert (page["language"], page["first_name"]) == ("es", "Ana")
    assert [task["title"] for task in page["case_tasks"]] == ["Your number"]
    assert PortalPage().validate(GET_PAGE.response().dump(page)) == {}
    made_for = office.asked_for[0]
    assert (made_for.firm_id, made_for.actor_id, made_for.actor_kind) == (office.firm_id, office.client_id, "client")


def test_a_page_of_many_tasks_shows_the_open_ones_of_the_clients_cases(office):
    office.client["language"] = "de"
    page = office.page(office.link(scope={"kind": "tasks", "case_task_id": None, "case_ids": []}))
    assert [task["title"] for task in page["case_tasks"]] == ["Your number", "Your street"]
    assert page["language"] == "en"
    assert page["progress"] == [{"case_id": office.case_id, "section": None, "completed": 0, "total": 2}]
    assert office.page(office.link())["progress"] == []
    for_whom = {"case_ids": [office.case_id], "client_id": office.client_id}
    assert office.calls.asked(tasks.LIST_OPEN_TASKS) == [for_whom]
    named = office.link(scope={"kind": "tasks", "case_task_id": None, "case_ids": [office.case_id]})
    assert len(office.page(named)["case_tasks"]) == 2
    office.on_case = []
    assert office.page(named)["case_tasks"] == []


def test_who_is_no_longer_on_the_case_sees_nothing_of_it(office):
    link = office.link()
    office.on_case = [new_id()]
    with pytest.raises(Gone):
        office.page(link)
    with pytest.raises(Gone):
        office.submit(link, {next(iter(office.case_tasks)): "x"})
    assert office.given_by == {}


def test_an_erased_client_has_no_page(office):
    link = office.link()
    office.client["state"] = "erased"
    with pytest.raises(Gone):
        office.page(link)


def test_an_erased_clients_answer_is_handed_to_nobody(office):
    """The event that ends the link is under way."""
    link, task = office.link(), next(iter(office.case_tasks))
    office.client["state"] = "erased"
    with pytest.raises(Gone):
        office.submit(link, {task: "Zerelda"})
    assert office.calls.asked(tasks.SUBMIT_ANSWER) == []


def test_firm_settings_are_fetched_once_and_dropped_when_they_change(office):
    link = office.link()
    office.page(link)
    office.page(link)
    assert len(office.calls.asked(accounts.GET_FIRM)) == 1
    office.firm["name"] = "Harbor & Son"
    data = {"firm_id": office.firm_id, "changed": ["name"], "version": 2}
    event = received(accounts.FIRM_CHANGED, data, firm_id=office.firm_id)
    deliver(office.service, "forget_firm", event)
    deliver(office.service, "forget_firm", event)
    assert office.page(link)["branding"]["firm_name"] == "Harbor & Son"


# Answers


def test_answers_go_to_tasks_with_the_client_and_the_link(office):
    link = office.link()
    task_id = next(iter(office.case_tasks))
    office.clock.advance(hours=2)
    page = office.submit(link, {task_id: "Main St"})
    assert page["case_tasks"][0]["answer"] == "Main St"
    assert office.calls.asked(tasks.SUBMIT_ANSWER) == [
        {
            "case_task_id": task_id, "answer": "Main St", "client_id": office.client_id, "link_id": link.id,
            "answer_version": 0,
        }
    ]  # fmt: skip
    assert links.get_link(office.db, link.id)["last_used_at"] == office.clock()


def test_the_first_use_of_a_link_is_told_and_no_later_one(office):
    link, unused = office.link(), office.link()
    first = next(iter(office.case_tasks))
    office.submit(link, {first: "Main St"})
    office.clock.advance(hours=2)
    office.submit(link, {first: "Side St"})
    told = {"link_id": link.id, "client_id": office.client_id, "contact_id": None, "case_task_id": first}
    assert office.emitted(LINK_USED) == [{**told, "channel": "sms"}]
    assert links.get_link(office.db, link.id)["last_used_at"] == office.clock()
    assert links.get_link(office.db, unused.id)["last_used_at"] is None


def test_a_task_outside_the_link_is_refused_before_anything_is_done(office):
    first, second = office.case_tasks
    with pytest.raises(Invalid, match="task_not_in_link"):
        office.submit(office.link(), {first: "x", second: "y"})
    assert office.given_by == {}


def test_one_refused_answer_keeps_its_reason_and_does_not_hold_back_the_others(office):
    first, second = office.case_tasks
    link = office.link(scope={"kind": "tasks", "case_task_id": None, "case_ids": []})
    with pytest.raises(Invalid, match="too_long") as refused:
        office.submit(link, {first: "refuse", second: "fine"})
    assert refused.value.fields == [{"field": f"answers.{first}", "message": "Too long."}]
    assert refused.value.meta == {"longest": "5"}
    assert list(office.given_by) == [second]


def test_a_task_that_a_condition_hid_cannot_be_answered(office):
    link = office.link()
    task_id = next(iter(office.case_tasks))
    office.case_tasks[task_id]["status"] = "skipped"
    assert office.page(link)["case_tasks"] == []
    with pytest.raises(Invalid, match="task_not_in_link"):
        office.submit(link, {task_id: "x"})


# Drafts


def test_a_draft_goes_to_tasks_with_the_client_and_the_page_shows_it(office):
    link, task_id = office.link(), next(iter(office.case_tasks))
    page = office.save(link, task_id, "Main")
    assert (page["case_tasks"][0]["status"], page["case_tasks"][0]["draft"]) == ("in_progress", "Main")
    assert office.calls.asked(tasks.SAVE_DRAFT) == [
        {"case_task_id": task_id, "draft": "Main", "client_id": office.client_id}
    ]
    assert len(office.emitted(LINK_USED)) == 1
    assert office.given_by == {}


def test_only_what_the_page_shows_can_be_saved(office):
    first, second = office.case_tasks
    with pytest.raises(Invalid, match="task_not_in_link"):
        office.save(office.link(), second, "x")
    office.client["state"] = "erased"
    with pytest.raises(Gone):
        office.save(office.link(), first, "Zerelda")
    assert office.calls.asked(tasks.SAVE_DRAFT) == []


def test_a_draft_that_is_refused_says_why(office):
    link, task_id = office.link(), next(iter(office.case_tasks))
    with pytest.raises(Invalid, match="too_long") as refused:
        office.save(link, task_id, "refuse")
    assert refused.value.fields == [{"field": "draft", "message": "Too long."}]
    office.submit(link, {task_id: "Main St"})
    with pytest.raises(Conflict, match="task_completed"):
        office.save(link, task_id, "x")


# Forms


def of_form(office):
    return {"kind": "form", "case_form_id": office.case_form_id}


def test_a_page_of_a_form_shows_all_of_it_and_how_far_it_is(office):
    link = office.link(scope=of_form(office))
    first, second = office.case_tasks
    page = office.submit(link, {first: "Main St"})
    assert [task["status"] for task in page["case_tasks"]] == ["completed", "to_do"]
    assert page["progress"][0]["total"] == 2
    assert PortalPage().validate(GET_PAGE.response().dump(page)) == {}
    assert office.save(link, second, "Ma")["case_tasks"][1]["draft"] == "Ma"
    with pytest.raises(Invalid, match="task_not_in_link"):
        office.submit(link, {new_id(): "x"})


def test_a_form_that_was_removed_or_is_of_others_now_is_gone(office):
    link = office.link(scope=of_form(office))
    office.on_case = [new_id()]
    with pytest.raises(Gone):
        office.page(link)
    office.on_case, office.case_form_id = [office.client_id], new_id()
    with pytest.raises(Gone):
        office.page(link)


def test_nothing_of_an_archived_case_is_asked(office):
    one, form = office.link(), office.link(scope=of_form(office))
    office.state = "archived"
    for link in (one, form):
        assert office.page(link)["case_tasks"] == []
        with pytest.raises(Invalid, match="task_not_in_link"):
            office.submit(link, {next(iter(office.case_tasks)): "x"})
    office.state = "closed"
    assert len(office.page(one)["case_tasks"]) == 1


# What is known already


@pytest.mark.parametrize("kind", ["task", "form", "tasks"])
def test_a_page_tells_what_is_known_of_the_open_tasks_that_want_it(office, kind):
    first, second = office.case_tasks
    scope = {"kind": kind, "case_task_id": first if kind == "task" else None}
    link = office.link(scope={**scope, "case_form_id": office.case_form_id if kind == "form" else None, "case_ids": []})
    assert office.page(link)["known"] == []
    assert office.calls.asked(tasks.GET_KNOWN_ANSWERS) == [], "nobody is asked where no form wants it"
    for case_task in office.case_tasks.values():
        case_task["prefill"] = True
    office.known = {first: "Main St", second: ["a"]}
    page = office.page(link)
    shown = [first] if kind == "task" else [first, second]
    assert office.calls.asked(tasks.GET_KNOWN_ANSWERS) == [{"case_task_ids": shown, "client_id": office.client_id}]
    assert page["known"] == [{"case_task_id": id_, "value": office.known[id_]} for id_ in shown]
    assert PortalPage().validate(GET_PAGE.response().dump(page)) == {}
    assert all(task["answer"] is None for task in page["case_tasks"])
    assert (office.given_by, office.emitted(LINK_USED)) == ({}, [])


def test_what_is_answered_is_not_asked_for(office):
    first, second = office.case_tasks
    for case_task in office.case_tasks.values():
        case_task["prefill"] = True
    office.submit(office.link(scope=of_form(office)), {first: "Main St"})
    assert office.calls.asked(tasks.GET_KNOWN_ANSWERS)[-1]["case_task_ids"] == [second]


def test_a_page_is_there_without_what_nobody_can_tell(office):
    office.case_tasks[next(iter(office.case_tasks))]["prefill"] = True
    office.known = None
    page = office.page(office.link())
    assert (len(page["case_tasks"]), page["known"]) == (1, [])
