"""Answers saved for later on the client's page, and questions that are asked again."""

from __future__ import annotations

import pytest

from contracts.errors import Unavailable
from tests.stand_ins.portal_app import FakePortal, case_task, id_of, make_app
from tests.unit.test_portal_pages import form_of, opened

SAVE = {"save": "later"}


@pytest.fixture
def fake() -> FakePortal:
    return FakePortal()


@pytest.fixture
def browser(fake):
    return make_app(fake).test_client()


def test_what_was_saved_is_there_on_another_device(fake, browser):
    fake.add("token", case_task(1, "phone", "Your number", required=True))
    response = browser.post("/p", data={**form_of(opened(browser, "token")), "answer": "(212) 5", **SAVE})
    assert (response.status_code, response.location) == (303, f"/p?saved={id_of(1)}#next")
    page = browser.get(response.location).text
    assert "Saved. Come back to this page by the same link" in page
    assert fake.answer_of(id_of(1)) is None
    elsewhere = opened(make_app(fake).test_client(), "token")
    assert 'value="(212) 5"' in elsewhere
    assert "Saved, and not sent yet." in elsewhere
    assert "Come back to this page" not in elsewhere
    done = browser.post("/p", data={**form_of(elsewhere), "answer": "(212) 555-0123"}, follow_redirects=True).text
    assert fake.answer_of(id_of(1)) == "+12125550123"
    assert "not sent yet" not in done


@pytest.mark.parametrize(
    ("kind", "options", "typed", "shown"),
    [
        ("yes_no", [], "no", 'value="no" id="answer-'),
        ("one_choice", ["a", "b"], "b", 'value="b"'),
        ("several_choices", ["a", "b", "c"], ["a", "c"], 'value="c"'),
        ("several_choices", ["a", "b", "c"], ["c"], 'value="c"'),
    ],
)
def test_what_was_chosen_is_kept_too(fake, browser, kind, options, typed, shown):
    fake.add("token", case_task(1, kind, "Which?", options=options))
    form = form_of(opened(browser, "token"))
    page = browser.post("/p", data={**form, "answer": typed, **SAVE}, follow_redirects=True).text
    count = len(typed) if isinstance(typed, list) else 1
    assert page.count(" checked>") == count
    assert f"{shown.split(' id=')[0]} checked>" in page or f"{shown.split(' id=')[0]} id=" in page


def test_what_was_emptied_stays_empty(fake, browser):
    again = {"reason": "Which street?", "at": "2026-11-21T00:00:00Z"}
    fake.add("token", case_task(1, "short_text", "Your street", answer="Main St", reopened=again))
    page = opened(browser, "token")
    assert 'value="Main St"' in page
    page = browser.post("/p", data={**form_of(page), "answer": "", **SAVE}, follow_redirects=True).text
    assert "Main St" not in page
    assert fake.answer_of(id_of(1)) == "Main St"


def test_a_question_that_is_asked_again_says_why(fake, browser):
    again = {"reason": "Which <street>?", "at": "2026-11-21T00:00:00Z"}
    fake.add("token", case_task(1, "short_text", "Your street", answer="Main St", reopened=again))
    page = opened(browser, "token")
    assert "Harbor &amp; Lane asks you to look at your answer again:" in page
    assert "Which &lt;street&gt;?" in page
    page = browser.post("/p", data={**form_of(page), "answer": "Main St 2"}, follow_redirects=True).text
    assert "again:" not in page


def test_enter_sends_and_does_not_save(fake, browser):
    """A browser presses the first button of a form."""
    fake.add("token", case_task(1, "short_text", "Your street"))
    page = opened(browser, "token")
    assert page.index("Send my answer") < page.index("Save for later")


@pytest.mark.parametrize("kind", ["acknowledgement", "file_upload", "signature"])
def test_what_is_given_at_once_cannot_be_saved(fake, browser, kind):
    fake.add("token", case_task(1, kind, "Our agreement"))
    assert "Save for later" not in opened(browser, "token")


def test_an_answer_that_is_changed_is_sent_and_not_saved(fake, browser):
    fake.add("token", case_task(1, "short_text", "Your street", status="completed", answer="Main St 1"))
    opened(browser, "token")
    page = browser.get(f"/p?change={id_of(1)}").text
    assert "Send my answer" in page
    assert "Save for later" not in page
    response = browser.post("/p", data={**form_of(page), "answer": "Main St 2", **SAVE})
    assert (response.status_code, response.location) == (303, "/p")
    assert fake.answer_of(id_of(1)) == "Main St 1"


def test_a_draft_that_is_too_long_comes_back_with_why(fake, browser):
    fake.add("token", case_task(1, "short_text", "Your street"))
    form = form_of(opened(browser, "token"))
    response = browser.post("/p", data={**form, "answer": "x" * 501, **SAVE})
    assert response.status_code == 422
    assert "Use at most 500 characters." in response.text
    assert fake.writes == 0


def test_a_draft_survives_a_service_that_is_away_and_stays_a_draft(fake, browser):
    fake.add("token", case_task(1, "short_text", "Your street"))
    form = form_of(opened(browser, "token"))
    fake.trouble = Unavailable("bus_unavailable")
    response = browser.post("/p", data={**form, "answer": "Main", **SAVE})
    assert response.status_code == 503
    again = form_of(response.text)
    assert again["save"] == "later"
    fake.trouble = None
    browser.post("/p", data=again)
    assert fake.answer_of(id_of(1)) is None
    assert 'value="Main"' in browser.get("/p").text


@pytest.mark.parametrize("token", ["", "forged"])
def test_a_form_of_another_page_saves_nothing(fake, browser, token):
    fake.add("token", case_task(1, "short_text", "Your street"))
    form = {**form_of(opened(browser, "token")), "csrf_token": token}
    assert browser.post("/p", data={**form, "answer": "Main", **SAVE}).status_code == 400
    assert fake.writes == 0
