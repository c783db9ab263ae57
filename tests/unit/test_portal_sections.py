"""A form on the client's page: its sections, and how far they are."""

from __future__ import annotations

import re

import pytest

from tests.stand_ins.html_forms import forms_of
from tests.stand_ins.portal_app import NOBODY, FakePortal, case_task, id_of, make_app
from tests.unit.test_portal_pages import opened

FORM = id_of(500)


def of(section: str | None, completed: int, total: int, case_form_id: str | None = FORM, position: int | None = None):
    return {
        "case_id": NOBODY, "case_form_id": case_form_id, "section": section, "section_position": position,
        "completed": completed, "total": total,
    }  # fmt: skip


def asked(number: int, title: str, section: str | None, case_form_id: str | None = FORM, position: int | None = None):
    return case_task(number, "short_text", title, section=section, case_form_id=case_form_id, section_position=position)


@pytest.fixture
def fake() -> FakePortal:
    return FakePortal()


def page_of(fake: FakePortal, *case_tasks, progress=(), **page) -> str:
    fake.add("token", *case_tasks, progress=list(progress), **page)
    return opened(make_app(fake).test_client(), "token")


def test_questions_stand_under_their_section_in_order(fake):
    page = page_of(
        fake, asked(1, "Anything else?", None, None), asked(2, "Your name", "About you"), asked(3, "Born", "About you"),
        asked(4, "House", "What you own <b>"), asked(5, "Other name", "About you", id_of(501)),
        progress=[of("About you", 3, 5), of("What you own <b>", 0, 1), of(None, 1, 2, None),
                  of("About you", 1, 2, id_of(501))],
    )  # fmt: skip
    headings = [re.sub("<[^>]+>", "", text).strip() for text in re.findall(r"<h2.*?</h2>", page, re.S)]
    assert [text.removesuffix(" (optional)") for text in headings] == [
        "Anything else?", "About you", "Your name", "Born", "What you own &lt;b&gt;", "House", "About you",
        "Other name",
    ]  # fmt: skip
    assert re.findall(r"<p>(\d of \d answered)</p>", page) == ["3 of 5 answered", "0 of 1 answered", "1 of 2 answered"]


def test_sections_of_one_title_stand_apart_each_with_its_own_progress(fake):
    page = page_of(
        fake, asked(1, "Your name", "About you", position=0), asked(2, "Your house", "About you", position=1),
        progress=[of("About you", 1, 2, position=0), of("About you", 0, 3, position=1)],
    )  # fmt: skip
    assert re.findall(r"<p>(\d of \d answered)</p>", page) == ["1 of 2 answered", "0 of 3 answered"]
    assert page.count(">About you</h2>") == 2


def test_the_bar_counts_the_whole_page(fake):
    page = page_of(fake, asked(1, "Your name", "About you"), progress=[of("About you", 3, 5), of(None, 1, 2, None)])
    assert '<label for="progress">4 of 7 answered</label>' in page
    assert '<progress id="progress" value="4" max="7">' in page
    assert "4 de 7 respondidas" in page_of(
        FakePortal(), asked(1, "Your name", None), progress=[of(None, 4, 7)], language="es"
    )


@pytest.mark.parametrize("progress", [[], [of(None, 0, 3)], [of(None, 1, 1)]])
def test_there_is_no_bar_where_there_is_nothing_to_measure(fake, progress):
    assert "<progress" not in page_of(fake, asked(1, "Your name", None), progress=progress)


def going_on(fake: FakePortal, number: int, answer: str, button: str = "Send my answer") -> str:
    """The page after the form of a question was sent, from the place on where a browser shows it."""
    browser = make_app(fake).test_client()
    form = next(form for form in forms_of(opened(browser, "token")) if id_of(number) in form.tasks)
    response = browser.post("/p", data=form.filled(button, {"answer": answer}))
    address, _, place = response.location.partition("#")
    return browser.get(address).text.partition(f'id="{place}"')[2]


def alone(number: int, title: str, section: str):
    """A question of no form."""
    return asked(number, title, section, case_form_id=None)


def test_after_an_answer_one_goes_on_at_the_next_question(fake):
    fake.add("token", alone(1, "Name", "You"), alone(2, "Born", "You"), alone(3, "House", "Goods"))
    said, section, question = "Thank you. We have your answer.", ">Goods</h2>", ">House</span>"
    page = going_on(fake, 2, answer="1970")
    assert page.index(said) < page.index(section) < page.index(question)
    assert ">Name</span>" not in page
    assert going_on(fake, 1, answer="Ann").index(said) < 500, "over what was answered already"
    saved = going_on(fake, 3, answer="A", button="Save for later")
    assert "Saved. Come back" in saved.partition(">House</span>")[0]


def test_where_the_page_begins_with_the_next_question_it_is_shown_from_its_top(fake):
    fake.add("token", alone(1, "Name", "You"), alone(2, "Born", "You"))
    assert going_on(fake, 2, answer="1970") == ""
    assert going_on(fake, 1, answer="Ann") == "", "and where nothing is left to answer"
