"""What is known already, in the fields of the client's page."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from tests.stand_ins.portal_app import FakePortal, case_task, id_of, make_app
from tests.unit.test_portal_pages import form_of, opened

NOTE = "This is what we have on record."
NUMBER = "+12125550123"


def known(*values: Any) -> list[dict[str, Any]]:
    return [{"case_task_id": id_of(number), "value": value} for number, value in enumerate(values, start=1)]


@pytest.fixture
def fake() -> FakePortal:
    return FakePortal()


@pytest.fixture
def browser(fake):
    return make_app(fake).test_client()


def test_what_is_known_is_in_the_field_and_becomes_the_answer_when_it_is_sent(fake, browser):
    mapping = {"target": "client", "field": "phone"}
    fake.add("token", case_task(1, "phone", "Your number", mapping=mapping), known=known(NUMBER))
    page = opened(browser, "token")
    assert f'value="{NUMBER}"' in page
    assert page.count(NOTE) == 1
    assert f'id="known-{id_of(1)}"' in page
    described = re.search(r'name="answer"[^>]* aria-describedby="([^"]*)"', page)
    assert described is not None
    assert described[1].split() == [f"hint-{id_of(1)}", f"known-{id_of(1)}", f"blank-{id_of(1)}"]
    assert (fake.writes, fake.answer_of(id_of(1))) == (0, None)
    done = browser.post("/p", data={**form_of(page), "answer": NUMBER}, follow_redirects=True).text
    assert fake.answer_of(id_of(1)) == NUMBER
    assert NOTE not in done
    assert NOTE not in browser.get(f"/p?change={id_of(1)}").text, "it is the client's own answer by then"


@pytest.mark.parametrize(
    ("kind", "options", "value", "shown"),
    [
        ("short_text", [], 'Ann "<b>"', 'value="Ann &#34;&lt;b&gt;&#34;"'),
        ("long_text", [], "It rained,\nand", ">\nIt rained,\nand</textarea>"),
        ("number", [], "1500.50", 'value="1500.50"'),
        ("date", [], "2026-04-30", 'value="2026-04-30"'),
        ("email", [], "ann@example.com", 'value="ann@example.com"'),
        ("address", [], {"line1": "1 Main St", "city": "Bath"}, ">\n1 Main St\nBath</textarea>"),
        ("yes_no", [], False, 'value="no" checked>'),
        ("one_choice", ["a", "b"], "b", 'value="b" checked>'),
        ("several_choices", ["a", "b", "c"], ["b", "c"], 'value="c" checked>'),
    ],
)
def test_each_kind_of_field_begins_with_what_is_known(fake, browser, kind, options, value, shown):
    fake.add("token", case_task(1, kind, "Which?", options=options), known=known(value))
    page = opened(browser, "token")
    assert shown in page
    assert NOTE in page
    assert page.count(" checked>") == (len(value) if isinstance(value, list) else int("checked" in shown))


def test_the_note_is_in_the_clients_language(fake, browser):
    fake.add("token", case_task(1, "phone", "Su número"), known=known(NUMBER), language="es")
    assert "Esto es lo que tenemos registrado. Revíselo" in html.unescape(opened(browser, "token"))


def test_nothing_known_stands_in_place_of_what_is_there(fake, browser):
    draft = {"draft": "(212) 5", "draft_at": "2026-11-21T00:00:00Z"}
    answered = {"status": "completed", "answer": "+12125550199"}
    blank = {"status": "completed", "answer": None}
    fake.add(
        "token", case_task(1, "phone", "One", **draft), case_task(2, "phone", "Two", **answered),
        case_task(3, "phone", "Three", **blank), case_task(4, "phone", "Four"), known=known(*[NUMBER] * 3),
    )  # fmt: skip
    page = opened(browser, "token") + browser.get(f"/p?change={id_of(3)}").text
    assert NUMBER not in page
    assert NOTE not in page


def test_an_answer_that_is_refused_stays_as_it_was_typed(fake, browser):
    fake.add("token", case_task(1, "phone", "Your number"), known=known(NUMBER))
    response = browser.post("/p", data={**form_of(opened(browser, "token")), "answer": "12"})
    assert (response.status_code, 'value="12"' in response.text, NOTE in response.text) == (422, True, False)
    emptied = browser.post("/p", data={**form_of(response.text), "answer": "", "save": "later"}, follow_redirects=True)
    assert NUMBER not in emptied.text, "and what was emptied stays empty"
