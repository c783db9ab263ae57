"""The client's pages, through Flask's test client, with a tiny portal behind them."""

from __future__ import annotations

import datetime as dt
import html
import re
import time

import pytest
from itsdangerous import TimestampSigner

from chassis.rpc import RemoteFault
from chassis.tokens import hash_token
from contracts.errors import Unavailable
from gateway.portal_session import LIFE
from tests.stand_ins.portal_app import FakePortal, case_task, id_of, make_app

PHONE = {"target": "client", "field": "phone"}


@pytest.fixture
def fake() -> FakePortal:
    return FakePortal()


@pytest.fixture
def browser(fake):
    return make_app(fake).test_client()


def form_of(html: str, number: int = 0) -> dict[str, str]:
    """The hidden fields of the page's forms."""
    form = re.findall(r"<form.*?</form>", html, re.S)[number]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))


def opened(browser, token: str) -> str:
    """The page behind a link, as a browser gets there."""
    return browser.get(f"/p/{token}", follow_redirects=True).text


# Opening


def test_a_link_leads_to_a_clean_address_with_a_cookie_that_does_not_hold_the_token(fake, browser):
    fake.add("s3cret-token", case_task(1, "phone", "Your number"))
    response = browser.get("/p/s3cret-token")
    assert (response.status_code, response.location) == (303, "/p")
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/p" in cookie
    assert "Secure" not in cookie
    assert "s3cret-token" not in cookie
    page = browser.get("/p")
    assert "Your number" in page.text
    assert "s3cret-token" not in page.text


def test_the_cookie_is_secure_where_the_public_address_is(fake):
    fake.add("token", case_task(1, "phone", "Your number"))
    response = make_app(fake, "https://portal.example.com").test_client().get("/p/token")
    assert "Secure" in response.headers["Set-Cookie"]


def test_opening_and_looking_write_nothing(fake, browser):
    fake.add("token", case_task(1, "phone", "Your number"))
    for _ in range(50):
        browser.head("/p/token")
        browser.get("/p/token")
        browser.get("/p")
    assert fake.writes == 0
    assert {operation.name for operation, _ in fake.calls.calls} == {"open_link", "get_page"}


def test_every_link_that_does_not_open_gets_the_same_page(fake, browser):
    page = fake.add("was-good", case_task(1, "phone", "Your number"))
    opened(browser, "was-good")
    del fake.links["was-good"]
    wrong, ended = browser.get("/p/never-was"), browser.get("/p/was-good")
    kept_cookie, no_cookie = browser.get("/p"), make_app(fake).test_client().get("/p")
    forged = make_app(fake).test_client()
    forged.set_cookie("casewire_link", f'["{page["link_id"]}","x"].forged', path="/p")
    for response in (wrong, ended, kept_cookie, no_cookie, forged.get("/p"), browser.post("/p")):
        assert response.status_code == 410
        assert response.text == wrong.text
        assert {name for name, _ in response.headers if name not in ("Set-Cookie", "Vary")} == {
            name for name, _ in wrong.headers if name not in ("Set-Cookie", "Vary")
        }


def test_every_answer_is_private_and_runs_no_script(fake, browser):
    fake.add("token", case_task(1, "phone", "Your number"))
    for response in (browser.get("/p/token"), browser.get("/p"), browser.get("/p/wrong"), browser.post("/p")):
        headers = response.headers
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy
        assert "unsafe" not in policy
        assert "<script" not in response.text


# Answering


def test_an_answer_is_taken_and_leads_back_to_the_page(fake, browser):
    fake.add("token", case_task(1, "phone", "Your number", mapping=PHONE))
    form = form_of(opened(browser, "token"))
    response = browser.post("/p", data={**form, "answer": "(212) 555-0123"})
    assert response.status_code == 303
    assert fake.answer_of(id_of(1)) == "+12125550123"
    page = browser.get(response.location).text
    assert "Thank you, Ana" in page
    assert "+12125550123" in page


def test_a_blank_answer_is_taken_and_the_page_says_what_it_does(fake, browser):
    fake.add("token", case_task(1, "phone", "Your number", mapping=PHONE, answer="+12125550123"))
    page = opened(browser, "token")
    assert "If you leave this blank, we remove the phone number" in page
    response = browser.post("/p", data={**form_of(page), "answer": ""}, follow_redirects=True)
    assert fake.answer_of(id_of(1)) is None
    assert "You left this blank, so we remove what we had on file." in response.text


@pytest.mark.parametrize(("lang", "said"), [("en", "Somebody else has answered"), ("es", "Otra persona")])
def test_an_answer_that_another_client_gave_is_not_called_blank(fake, browser, lang, said):
    fake.add("token", case_task(1, "phone", "Your number", mapping=PHONE, status="completed", hidden=["answer"]))
    opened(browser, "token")
    page = browser.get(f"/p?lang={lang}").text
    assert said in page
    assert "left this blank" not in page
    assert "en blanco" not in page


def test_nothing_is_said_of_removal_where_nothing_would_be_removed(fake, browser):
    fake.add(
        "token", case_task(1, "phone", "Your number"), case_task(2, "phone", "Other", mapping=PHONE, required=True)
    )
    assert "we remove" not in opened(browser, "token")


def test_a_refused_answer_comes_back_with_what_was_typed_and_why(fake, browser):
    fake.add("token", case_task(1, "phone", "Your number"), case_task(2, "email", "Your email"))
    form = form_of(opened(browser, "token"))
    response = browser.post("/p", data={**form, "answer": "12<b>"})
    page = response.text
    assert response.status_code == 422
    assert "<title>Error: Harbor &amp; Lane</title>" in page
    assert f'<a href="#answer-{id_of(1)}">Check the phone number' in page
    field = re.search(rf'<input [^>]*id="answer-{id_of(1)}"[^>]*>', page).group()
    assert 'value="12&lt;b&gt;"' in field
    assert 'aria-invalid="true"' in field
    assert f"error-{id_of(1)}" in field
    assert f'id="error-{id_of(1)}"' in page
    assert page.count("aria-invalid") == 1
    assert 'class="language"' not in page, "another language is another page, without what was typed"


@pytest.mark.parametrize("token", ["", "forged", "other"])
def test_a_form_of_another_page_is_not_taken(fake, browser, token):
    fake.add("mine", case_task(1, "short_text", "Your street"))
    fake.add("theirs", case_task(2, "short_text", "Their street"))
    other = form_of(opened(make_app(fake).test_client(), "theirs"))["csrf_token"]
    form = form_of(opened(browser, "mine"))
    form["csrf_token"] = other if token == "other" else token
    response = browser.post("/p", data={**form, "answer": "Main St"})
    assert response.status_code == 400
    assert "This page was out of date" in response.text
    assert 'value="Main St"' in response.text
    assert fake.writes == 0


@pytest.mark.parametrize("task", ["", "nonsense", id_of(2)])
def test_a_task_outside_the_link_cannot_be_answered(fake, browser, task):
    fake.add("mine", case_task(1, "short_text", "Your street"))
    fake.add("theirs", case_task(2, "short_text", "Their street"))
    form = form_of(opened(browser, "mine"))
    response = browser.post("/p", data={**form, "task": task, "answer": "Main St"})
    assert response.status_code == 400
    assert fake.writes == 0
    assert "Their street" not in response.text


def test_an_answer_can_be_changed(fake, browser):
    fake.add("token", case_task(1, "short_text", "Your street", status="completed", answer="Main St 1"))
    page = opened(browser, "token")
    assert "<form" not in page
    change = re.search(r'href="(/p\?change=[^"]+)"', page).group(1)
    form = browser.get(change).text
    assert 'value="Main St 1"' in form
    browser.post("/p", data={**form_of(form), "answer": "Main St 2"})
    assert fake.answer_of(id_of(1)) == "Main St 2"


def test_a_task_that_closed_meanwhile_is_shown_as_it_is(fake, browser):
    page = fake.add("token", case_task(1, "short_text", "Your street"))
    form = form_of(opened(browser, "token"))
    page["case_tasks"][0]["status"] = "skipped"
    response = browser.post("/p", data={**form, "answer": "Main St"})
    assert (response.status_code, response.location) == (303, "/p")


@pytest.mark.parametrize("trouble", [Unavailable("bus_unavailable"), RemoteFault("internal_error")])
def test_what_was_typed_survives_a_service_that_is_away(fake, browser, trouble):
    fake.add("token", case_task(1, "several_choices", "Which?", options=["a", "b", "c"]))
    form = form_of(opened(browser, "token"))
    fake.trouble = trouble
    response = browser.post("/p", data={**form, "answer": ["a", "b"]})
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    fake.trouble = None
    again = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', response.text)
    data: dict[str, list[str]] = {}
    for name, value in again:
        data.setdefault(name, []).append(value)
    assert browser.post("/p", data=data).status_code == 303
    assert fake.answer_of(id_of(1)) == ["a", "b"]
    fake.trouble = trouble
    assert browser.get("/p").status_code == 503
    assert browser.get("/p/token").status_code == 503


def test_why_the_owner_of_a_field_refused_is_shown(fake, browser):
    refused = {"field": "phone", "code": "invalid_phone"}
    fake.add(
        "token", case_task(1, "phone", "Your number", status="completed", answer="+12125550123", rejection=refused)
    )
    page = opened(browser, "token")
    assert "Check the phone number" in page
    assert 'value="+12125550123"' in page


# Asking for a new link


def test_a_new_link_is_asked_for_without_saying_whether_there_was_one(fake, browser):
    fake.add("token", case_task(1, "phone", "Your number"))
    answers = []
    for visit in ("/p/never-was", "/p"):
        visitor = make_app(fake).test_client()
        visitor.get(visit)
        response = visitor.post("/p/new-link", follow_redirects=True)
        answers.append((response.status_code, response.text))
    assert answers[0] == answers[1]
    assert answers[0][0] == 200
    assert fake.asked == [hash_token("never-was")]


def test_a_link_that_ends_while_its_page_is_open_can_be_asked_for_again(fake, browser):
    fake.add("token", case_task(1, "phone", "Your number"))
    opened(browser, "token")
    del fake.links["token"]
    assert browser.get("/p").status_code == 410
    browser.post("/p/new-link")
    assert fake.asked == [hash_token("token")]


@pytest.mark.parametrize(("lang", "said"), [("en", "has not reached us"), ("es", "no nos ha llegado")])
def test_what_was_typed_comes_back_where_the_session_ended_meanwhile(fake, browser, lang, said):
    fake.add("token", case_task(1, "long_text", "What happened?"))
    form = form_of(opened(browser, "token"))
    browser.delete_cookie("casewire_link", path="/p")
    response = browser.post(f"/p?lang={lang}", data={**form, "answer": "It <rained>.\nThen I fell."})
    assert response.status_code == 410
    assert said in response.text
    assert '<p class="written" dir="auto">It &lt;rained&gt;.\nThen I fell.</p>' in response.text
    assert 'class="language"' not in response.text
    again = {name: html.unescape(value) for name, value in form_of(response.text).items()}
    assert browser.post("/p", data=again).status_code == 410
    opened(browser, "token")
    assert browser.post("/p", data=again).status_code == 303
    assert fake.answer_of(id_of(1)) == "It <rained>.\nThen I fell."


def test_what_was_typed_before_yesterday_comes_back_too_and_then_on_the_page(fake, browser, monkeypatch):
    fake.add("token", case_task(1, "long_text", "What happened?"))
    form = form_of(opened(browser, "token"))
    two_days_later = int(time.time()) + 2 * LIFE
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda signer: two_days_later)
    response = browser.post("/p", data={**form, "answer": "It rained."})
    assert (response.status_code, "It rained." in response.text) == (410, True)
    opened(browser, "token")
    response = browser.post("/p", data=form_of(response.text))
    assert (response.status_code, "It rained." in response.text) == (400, True)


def test_the_words_of_another_site_are_not_put_on_the_page_of_no_link(browser):
    response = browser.post("/p", data={"csrf_token": "forged", "task": id_of(1), "answer": "Call 555"})
    assert response.status_code == 410
    assert "Call 555" not in response.text


# Questions


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("phone", {}, ('type="tel"', 'autocomplete="tel"')),
        ("email", {}, ('type="email"', 'autocomplete="email"')),
        ("number", {}, ('inputmode="decimal"',)),
        ("date", {"checks": {"latest": "2026-11-21"}}, ('type="date"', 'max="2026-11-21"')),
        ("short_text", {"checks": {"max_length": 40}}, ('type="text"', 'maxlength="40"')),
        ("long_text", {}, ("<textarea", 'maxlength="20000"')),
        ("address", {}, ("<textarea", 'autocomplete="street-address"')),
        ("yes_no", {"required": True}, ('type="radio" name="answer" value="yes"', "<legend>")),
        ("one_choice", {"options": ["North", "South"]}, ('type="radio" name="answer" value="North"', "<legend>")),
        ("several_choices", {"options": ["a", "b"]}, ('type="checkbox" name="answer" value="b"', "<legend>")),
        ("acknowledgement", {}, ('type="checkbox" name="answer" value="yes"',)),
        ("file_upload", {}, ('type="file"', 'enctype="multipart/form-data"', "application/pdf", " multiple=")),
        ("signature", {}, ('name="signed_name"', 'name="agreed"', 'accept=".jpg,image/jpeg,.png,image/png"')),
    ],
)
def test_each_kind_of_question_has_its_native_field(fake, browser, kind, values, expected):
    fake.add("token", case_task(1, kind, "A question", **values))
    page = opened(browser, "token")
    for part in expected:
        assert part in page


@pytest.mark.parametrize(
    ("kind", "values", "answer", "kept"),
    [
        ("yes_no", {}, "no", False),
        ("yes_no", {}, "", None),
        ("several_choices", {"options": ["a", "b"]}, ["b", "a"], ["a", "b"]),
        ("several_choices", {"options": ["a", "b"]}, [], None),
        ("acknowledgement", {}, "yes", True),
        ("number", {}, "12.50", "12.50"),
        ("date", {}, "2026-11-20", "2026-11-20"),
    ],
)
def test_what_the_fields_send_is_what_tasks_takes(fake, browser, kind, values, answer, kept):
    fake.add("token", case_task(1, kind, "A question", **values))
    response = browser.post("/p", data={**form_of(opened(browser, "token")), "answer": answer})
    assert response.status_code == 303
    assert fake.answer_of(id_of(1)) == kept


def test_what_the_firm_wrote_is_text_and_never_markup(fake, browser):
    evil = '"><script>alert(1)</script>'
    task = case_task(1, "one_choice", evil, instructions=evil, options=[evil])
    fake.add("token", task, first_name=evil, branding={"firm_name": evil, "color": "red;}</style>"})
    page = opened(browser, "token")
    assert "<script" not in page
    assert "red;" not in page


# Languages


def test_the_page_speaks_the_clients_language_and_the_one_that_is_chosen(fake, browser):
    late = dt.datetime(2026, 12, 4, 22, tzinfo=dt.UTC)
    fake.add("token", case_task(1, "phone", "Your number", due_at=late, required=True), language="es")
    page = opened(browser, "token")
    assert '<html lang="es">' in page
    assert "Hola, Ana:" in page
    assert '<span lang="en">Your number</span>' in page
    english = browser.get("/p?lang=en").text
    assert '<html lang="en">' in english
    response = browser.post("/p?lang=en", data={**form_of(english), "answer": ""})
    assert "Answer this question" in response.text
    response = browser.post("/p", data={**form_of(english), "answer": ""})
    assert "Responda a esta pregunta" in response.text


@pytest.mark.parametrize("ended", [True, False])
def test_what_a_form_meets_is_said_in_the_language_of_its_page_whatever_the_phones(fake, browser, ended):
    english_phone = {"Accept-Language": "en"}
    fake.add("token", case_task(1, "long_text", "What happened?"), language="es")
    form = {**form_of(opened(browser, "token")), "answer": "Llovía."}
    if ended:
        browser.delete_cookie("casewire_link", path="/p")
    else:
        fake.trouble = Unavailable("bus_unavailable")
    for _ in range(2):
        response = browser.post("/p", data=form, headers=english_phone)
        assert response.status_code == (410 if ended else 503)
        assert '<html lang="es">' in response.text
        form = form_of(response.text)
    assert '<html lang="en">' in browser.post("/p?lang=en", data=form, headers=english_phone).text
    if ended:
        ask_at = re.search(r'action="(/p/new-link[^"]*)"', response.text).group(1)
        asked = browser.post(ask_at, headers=english_phone, follow_redirects=True)
        assert '<html lang="es">' in asked.text


def test_a_page_of_no_client_speaks_the_browsers_language(browser):
    assert "Este enlace no se abre" in browser.get("/p/wrong", headers={"Accept-Language": "es-MX,en;q=0.5"}).text
    assert "This link does not open" in browser.get("/p/wrong", headers={"Accept-Language": "de"}).text
    assert "Este enlace no se abre" in browser.get("/p/wrong?lang=es").text
