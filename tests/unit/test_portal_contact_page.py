"""The page for writing to the firm, through Flask's test client, with a tiny portal behind it."""

from __future__ import annotations

import re

import pytest

from contracts.errors import Gone, Unavailable
from contracts.portal import SET_OWN_PREFERENCES
from tests.stand_ins.portal_app import FakePortal, case_task, make_app


@pytest.fixture
def fake():
    made = FakePortal()
    made.add("token", case_task(1, "phone", "Your number"))
    return made


@pytest.fixture
def browser(fake):
    client = make_app(fake).test_client()
    assert "/p/contact" in client.get("/p/token", follow_redirects=True).text
    return client


def fields(browser) -> dict[str, str]:
    """The hidden fields of the page's forms."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', browser.get("/p/contact").text))


def test_a_message_sent_twice_by_one_form_is_one(fake, browser):
    form = {**fields(browser), "body": "  When is my hearing?  "}
    for _ in range(2):
        sent = browser.post("/p/contact/message", data=form)
        assert (sent.status_code, sent.location) == (303, "/p/contact?done=message")
    assert list(fake.written.values()) == ["When is my hearing?"]
    assert "has your message" in browser.get(sent.location).text
    browser.post("/p/contact/message", data={**fields(browser), "body": "One more thing"})
    assert list(fake.written.values()) == ["When is my hearing?", "One more thing"]


@pytest.mark.parametrize("body", ["", "   ", "x" * 5001, "a\x00b"])
def test_a_message_that_cannot_be_taken_is_shown_again(fake, browser, body):
    refused = browser.post("/p/contact/message", data={**fields(browser), "body": body})
    assert refused.status_code == 422
    assert re.search(r'<a href="#body" id="error-body">Write your message first', refused.text)
    assert 'aria-describedby="hint-body error-body" aria-invalid="true"' in refused.text
    assert "<title>Error: Write to Harbor &amp; Lane</title>" in refused.text
    assert ('class="language"' in refused.text) == (not body.strip()), "not beside what would be gone"
    assert fake.written == {}


def test_a_form_of_another_page_is_not_taken(fake, browser):
    refused = browser.post("/p/contact/message", data={"body": "<b>Hello</b>", "once": "0" * 16, "csrf_token": "no"})
    assert refused.status_code == 400
    assert "&lt;b&gt;Hello&lt;/b&gt;" in refused.text
    refused = browser.post("/p/contact/preferences", data={"shown": "sms"})
    assert (refused.status_code, fake.written) == (400, {})
    assert fake.preferences["sms"] == "opted_in"


def test_only_what_the_client_changed_is_said(fake, browser):
    form = {**fields(browser), "shown": ["sms", "email"], "channel": ["email"]}
    saved = browser.post("/p/contact/preferences", data=form)
    assert (saved.status_code, saved.location) == (303, "/p/contact?done=preferences")
    (said,) = fake.calls.asked(SET_OWN_PREFERENCES)
    assert {name: value for name, value in said.items() if name != "link_id"} == {"sms": "opted_out"}
    again = browser.post("/p/contact/preferences", data=form)
    assert again.status_code == 303
    assert len(fake.calls.asked(SET_OWN_PREFERENCES)) == 1
    boxes = re.findall(r'name="channel" value="(\w+)"( checked)?', browser.get("/p/contact").text)
    assert boxes == [("sms", ""), ("email", " checked")]


def test_a_channel_that_was_not_shown_cannot_be_changed(fake, browser):
    browser.post("/p/contact/preferences", data={**fields(browser), "shown": "email", "channel": ["phone", "email"]})
    assert fake.calls.asked(SET_OWN_PREFERENCES) == []


def test_without_a_link_or_a_service_the_page_says_so_calmly(fake, browser):
    assert make_app(fake).test_client().get("/p/contact").status_code == 410
    form = {**fields(browser), "body": "Hello"}
    fake.trouble = Unavailable("service_unavailable")
    assert browser.post("/p/contact/message", data=form).status_code == 503
    fake.trouble = Gone("link_gone")
    assert browser.get("/p/contact").status_code == 410


def test_it_is_in_the_clients_language(browser):
    assert "Escriba a Harbor &amp; Lane" in browser.get("/p/contact?lang=es").text


def test_what_is_wrong_is_said_in_the_language_of_the_page_whatever_the_phones(fake, browser):
    fake.links["token"]["language"] = "es"
    form = {**fields(browser), "body": "x" * 5001}
    refused = browser.post("/p/contact/message", data=form, headers={"Accept-Language": "en"})
    assert (refused.status_code, "Write your message first" in refused.text) == (422, False)
    fake.trouble = Unavailable("service_unavailable")
    away = browser.post("/p/contact/message", data={**form, "body": "Hola"}, headers={"Accept-Language": "en"})
    assert (away.status_code, '<html lang="es">' in away.text) == (503, True)


@pytest.mark.parametrize("error", [Unavailable("service_unavailable"), Gone("link_gone")])
@pytest.mark.parametrize(
    ("name", "typed"), [("message", {"body": "When is my hearing?"}), ("preferences", {"shown": "sms"})]
)
def test_what_could_not_be_taken_is_there_to_be_sent_again(fake, browser, name, typed, error):
    form = fields(browser) | typed
    fake.trouble = error
    refused = browser.post(f"/p/contact/{name}", data=form)
    assert refused.status_code in (503, 410)
    fake.trouble = None
    again = re.search(r'<form method="post" action="([^"]+)" accept-charset.*?</form>', refused.text, re.S)
    assert again is not None
    kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', again[0]))
    assert browser.post(again[1], data=kept).status_code == 303
    assert (list(fake.written.values()), fake.preferences["sms"]) == (
        (["When is my hearing?"], "opted_in") if name == "message" else ([], "opted_out")
    )
